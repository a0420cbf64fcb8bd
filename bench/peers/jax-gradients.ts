import { grad, jit, numpy as np, type Array } from "@jax-js/jax";
import type { GradientsTask, Run } from "../task.ts";
import { applyNet, oneHot, parameters, upload } from "./jax-net.ts";

/** All nodes in one batch, everything in one jitted function. */
export function gradients({ net, x, target, nodes, weights }: GradientsTask): Run {
  const column = (values: readonly number[]): Array =>
    np.array(Float32Array.from(values)).reshape([values.length, ...net.input.map(() => 1)]);
  const score = (points: Array, mask: Array, ...weights: Array[]): Array =>
    applyNet(net, points, weights).mul(mask).sum();
  const explain = jit((x: Array, nodes: Array, weights: Array, mask: Array, ...parameters: Array[]) =>
    grad(score)(nodes.mul(x.ref), mask, ...parameters)
      .mul(weights)
      .sum(0)
      .mul(x.reshape([...net.input])),
  );
  const constants = [column(nodes), column(weights), np.array(oneHot(net, target))] as const;
  const trained = parameters(net);
  return async () => {
    const [nodes, weights, mask] = constants;
    return explain(upload(x), nodes.ref, weights.ref, mask.ref, ...trained.map((w) => w.ref)).data();
  };
}
