// Methods that TF.js does not have, as its users would write them.
import * as tf from "@tensorflow/tfjs-core";
import { guided } from "../guided.ts";
import type { CompetitionTask, GuidedTask, Run, ShapleyTask } from "../task.ts";
import { netFunction, read, scoreFunction, upload } from "./tfjs-net.ts";

const constant = (values: ArrayLike<number>, shape: readonly number[]): tf.Tensor =>
  tf.tensor(Float32Array.from(values), shape);

/** All nodes from all baselines in one batch. */
export function shapley({ net, x, target, masks, shares, nodes, weights }: ShapleyTask): Run {
  const [count, n] = masks.shape as [number, number];
  const steps = nodes.length;
  const gradient = tf.grad(scoreFunction(net, target));
  const on = constant(masks.data, [count, 1, n]);
  const off = constant(
    masks.data.map((v) => 1 - v),
    [count, 1, n],
  );
  const [share, at, by] = [
    constant(shares, [count, 1]),
    constant(nodes, [1, steps, 1]),
    constant(weights, [1, steps, 1]),
  ];
  return () =>
    read(() => {
      const row = upload(x);
      const points = tf.mul(tf.add(on, tf.mul(off, at)), row);
      const slopes = tf.reshape(gradient(tf.reshape(points, [count * steps, n])), [count, steps, n]);
      const sums = tf.mul(tf.mul(tf.sum(tf.mul(slopes, by), 1), share), tf.reshape(off, [count, n]));
      return tf.mul(tf.sum(sums, 0), row);
    });
}

/** Further than any value. */
const FAR = 1e30;

/** One copy of x for each class in one batch: there are no Jacobians. */
export function competition({ net, x, target, classes }: CompetitionTask): Run {
  const size = x.data.length;
  const f = netFunction(net);
  const identity = constant(
    Float32Array.from({ length: classes ** 2 }, (_, i) => (i % (classes + 1) === 0 ? 1 : 0)),
    [classes, classes],
  );
  const gradient = tf.grad((copies) => tf.sum(tf.mul(f(copies), identity)));
  const mask = constant(
    Float32Array.from({ length: classes }, (_, k) => (k === target ? 1 : 0)),
    [classes, 1],
  );
  const [away, zero] = [tf.mul(mask, tf.scalar(FAR)), tf.scalar(0)];
  return () =>
    read(() => {
      const input = upload(x);
      const slopes = gradient(tf.tile(input, [classes, ...x.shape.slice(1).map(() => 1)]));
      const maps = tf.reshape(tf.mul(slopes, input), [classes, size]);
      const own = tf.sum(tf.mul(maps, mask), 0);
      const up = tf.where(tf.greaterEqual(own, tf.max(tf.sub(maps, away), 0)), own, zero);
      const down = tf.where(tf.lessEqual(own, tf.min(tf.add(maps, away), 0)), own, zero);
      return tf.where(tf.greater(own, zero), up, down);
    });
}

/** Gradients on the device; the path is chosen on the host. */
export function guidedGradients({ net, x, target, ...rule }: GuidedTask): Run {
  const gradient = tf.grad(scoreFunction(net, target));
  return () => guided(x, rule, (points) => read(() => gradient(constant(points, x.shape))));
}
