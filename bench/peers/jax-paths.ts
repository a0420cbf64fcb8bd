// Methods that jax-js does not have, as its users would write them.
import { grad, jit, numpy as np, vjp, vmap, type Array } from "@jax-js/jax";
import { guided } from "../guided.ts";
import type { CompetitionTask, GuidedTask, Net, Run, ShapleyTask } from "../task.ts";
import { applyNet, oneHot, parameters, upload } from "./jax-net.ts";

const constant = (values: ArrayLike<number>, shape: number[]): Array =>
  np.array(Float32Array.from(values)).reshape(shape);

/** Summed output of the masked class at points [R, ...input]. */
const scoreOf =
  (net: Net) =>
  (points: Array, mask: Array, ...weights: Array[]): Array =>
    applyNet(net, points, weights).mul(mask).sum();

/** All nodes from all baselines in one batch. */
export function shapley({ net, x, target, masks, shares, nodes, weights }: ShapleyTask): Run {
  const [count, n] = masks.shape as [number, number];
  const steps = nodes.length;
  type Constants = [on: Array, shares: Array, nodes: Array, weights: Array, mask: Array];
  const explain = jit((x: Array, ...rest: Array[]) => {
    const [on, shares, nodes, weights, mask] = rest.slice(0, 5) as Constants;
    const off = on.ref.mul(-1).add(1);
    const points = on.add(off.ref.mul(nodes)).mul(x.ref);
    return grad(scoreOf(net))(points.reshape([count * steps, n]), mask, ...rest.slice(5))
      .reshape([count, steps, n])
      .mul(weights)
      .sum(1)
      .mul(shares)
      .mul(off.reshape([count, n]))
      .sum(0)
      .mul(x.reshape([n]));
  });
  const constants: Constants = [
    constant(masks.data, [count, 1, n]),
    constant(shares, [count, 1]),
    constant(nodes, [1, steps, 1]),
    constant(weights, [1, steps, 1]),
    np.array(oneHot(net, target)),
  ];
  const trained = parameters(net);
  return () => explain(upload(x), ...[...constants, ...trained].map((w) => w.ref)).data();
}

/** Further than any value. */
const FAR = 1e30;

/** One vector-Jacobian product for each class, mapped over the classes, and the rule, in one jitted function. */
export function competition({ net, x, target, classes }: CompetitionTask): Run {
  const size = x.data.length;
  const compete = jit((x: Array, identity: Array, mask: Array, ...weights: Array[]) => {
    const [scores, back] = vjp((v) => applyNet(net, v, weights).reshape([classes]), [x.ref]);
    const maps = vmap((seed: Array) => back(seed)[0])(identity)
      .reshape([classes, size])
      .mul(x.reshape([size]));
    scores.dispose();
    const own = maps.ref.mul(mask.ref).sum(0);
    const away = mask.mul(FAR);
    const highest = np.max(maps.ref.add(away.ref.mul(-1)), [0]);
    const lowest = np.min(maps.add(away), [0]);
    const up = np.where(own.ref.greaterEqual(highest), own.ref, 0);
    const down = np.where(own.ref.lessEqual(lowest), own.ref, 0);
    return np.where(own.greater(0), up, down);
  });
  const mask = constant(oneHot(net, target), [classes, 1]);
  const identity = np.eye(classes);
  const trained = parameters(net);
  return () => compete(upload(x), identity.ref, mask.ref, ...trained.map((w) => w.ref)).data();
}

/** A jitted gradient; the path is chosen on the host. */
export function guidedGradients({ net, x, target, ...rule }: GuidedTask): Run {
  const gradient = jit((points: Array, mask: Array, ...weights: Array[]) =>
    grad(scoreOf(net))(points, mask, ...weights),
  );
  const mask = np.array(oneHot(net, target));
  const trained = parameters(net);
  return () =>
    guided(x, rule, (points) =>
      gradient(constant(points, [...x.shape]), mask.ref, ...trained.map((w) => w.ref)).data(),
    );
}
