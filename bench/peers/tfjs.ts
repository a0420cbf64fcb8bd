// TensorFlow.js on its WebGPU backend: what it can do of the workloads.
import "@tensorflow/tfjs-backend-webgpu";
// Bundlers that drop unused files drop this one too.
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { ready, setBackend } from "@tensorflow/tfjs-core";
import { dependencies } from "./package.json";
import type { Peer } from "../task.ts";
import { conv } from "./tfjs-conv.ts";
import { gradient, hessianProduct } from "./tfjs-derivatives.ts";
import { gradients } from "./tfjs-gradients.ts";
import { hessians, integratedHessians } from "./tfjs-hessians.ts";
import { product } from "./tfjs-matmul.ts";
import { competition, guidedGradients, shapley } from "./tfjs-paths.ts";
import { rows } from "./tfjs-rows.ts";

export const peer: Peer = {
  name: "TF.js",
  version: dependencies["@tensorflow/tfjs-core"],
  async open() {
    if (!(await setBackend("webgpu"))) throw new Error("TF.js could not start its WebGPU backend");
    await ready();
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
