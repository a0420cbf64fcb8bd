import { grad, hessian, jit, numpy as np, vmap, type Array } from "@jax-js/jax";
import type { HessiansTask, IntegratedHessiansTask, Net, Run } from "../task.ts";
import { applyNet, oneHot, parameters, upload } from "./jax-net.ts";

/** The output of the masked class at one point [N]; with a slice instead of a mask, Hessians came out wrong in 0.1.25. */
const scoreOf =
  (net: Net, mask: Array, weights: readonly Array[]) =>
  (x: Array): Array => {
    const kept = weights.map((w) => w.ref);
    return applyNet(net, x.reshape([1, -1]), kept)
      .mul(mask.ref)
      .sum();
  };

/** vmap of hessian over the points, jitted. */
export function hessians({ net, points, target }: HessiansTask): Run {
  const all = jit((points: Array, mask: Array, ...weights: Array[]) => {
    const result = vmap(hessian(scoreOf(net, mask, weights)))(points);
    [mask, ...weights].forEach((w) => w.dispose());
    return result;
  });
  const mask = np.array(oneHot(net, target));
  const trained = parameters(net);
  return () => all(upload(points), mask.ref, ...trained.map((w) => w.ref)).data();
}

/** Hessians and gradients at all nodes, their weighted sums, and the products with x, in one jitted function. */
export function integratedHessians({ net, x, target, rule }: IntegratedHessiansTask): Run {
  const n = x.data.length;
  const column = (values: readonly number[]): Array => np.array(Float32Array.from(values)).reshape([values.length, 1]);
  type Constants = [nodes: Array, byGradient: Array, byHessian: Array, identity: Array, mask: Array];
  const all = jit((x: Array, ...rest: Array[]) => {
    const [nodes, byGradient, byHessian, identity, mask] = rest.slice(0, 5) as Constants;
    const weights = rest.slice(5);
    const score = scoreOf(net, mask, weights);
    const points = nodes.mul(x.ref);
    const second = vmap(hessian(score))(points.ref)
      .mul(byHessian.reshape([-1, 1, 1]))
      .sum(0);
    const first = vmap(grad(score))(points)
      .mul(byGradient)
      .sum(0)
      .mul(x.ref.reshape([n]));
    [mask, ...weights].forEach((w) => w.dispose());
    return second
      .mul(x.ref.reshape([n, 1]))
      .mul(x)
      .add(identity.mul(first));
  });
  const constants: Constants = [
    column(rule.nodes),
    column(rule.gradientWeights),
    column(rule.hessianWeights),
    np.array(Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0))).reshape([n, n]),
    np.array(oneHot(net, target)),
  ];
  const trained = parameters(net);
  return () => all(upload(x), ...[...constants, ...trained].map((w) => w.ref)).data();
}
