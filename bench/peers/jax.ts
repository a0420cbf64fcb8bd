// jax-js on WebGPU: what it can do of the workloads.
import { defaultDevice, init } from "@jax-js/jax";
import { dependencies } from "./package.json";
import type { Peer } from "../task.ts";
import { conv } from "./jax-conv.ts";
import { gradient, hessianProduct } from "./jax-derivatives.ts";
import { hessians, integratedHessians } from "./jax-hessians.ts";
import { gradients } from "./jax-gradients.ts";
import { product } from "./jax-matmul.ts";
import { competition, guidedGradients, shapley } from "./jax-paths.ts";
import { rows } from "./jax-rows.ts";

export const peer: Peer = {
  name: "jax-js",
  version: dependencies["@jax-js/jax"],
  async open() {
    const devices = await init("webgpu");
    if (!devices.includes("webgpu")) throw new Error("jax-js found no WebGPU");
    defaultDevice("webgpu");
  },
  programs: {
    matmul: product,
    "integrated-gradients": gradients,
    hessians,
    "integrated-hessians": integratedHessians,
    conv,
    gradient,
    "hessian-product": hessianProduct,
    rows,
    shapley,
    competition,
    guided: guidedGradients,
  },
};
