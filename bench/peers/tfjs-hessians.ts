import * as tf from "@tensorflow/tfjs-core";
import type { HessiansTask, IntegratedHessiansTask, Run } from "../task.ts";
import { read, scoreFunction, upload } from "./tfjs-net.ts";

/**
 * Hessians [P, N, N] at points [P, N]: one gradient of a gradient for each coordinate, all points in one batch, since
 * TF.js has no forward mode.
 */
function hessianRows(gradient: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor {
  const n = x.shape[1]!;
  const rows = Array.from({ length: n }, (_, i) => {
    const unit = tf.tensor(
      Float32Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)),
      [n],
    );
    return tf.grad((z) => tf.sum(tf.mul(gradient(z), unit)))(x);
  });
  return tf.stack(rows, 1);
}

export function hessians({ net, points, target }: HessiansTask): Run {
  const gradient = tf.grad(scoreFunction(net, target));
  return () => read(() => hessianRows(gradient, upload(points)));
}

/** Hessians and gradients at all nodes, their weighted sums, and the products with x. */
export function integratedHessians({ net, x, target, rule }: IntegratedHessiansTask): Run {
  const n = x.data.length;
  const gradient = tf.grad(scoreFunction(net, target));
  const along = (values: readonly number[], ...shape: number[]): tf.Tensor =>
    tf.tensor(Float32Array.from(values), [values.length, ...shape]);
  const nodes = along(rule.nodes, 1);
  const [forGradient, forHessian] = [along(rule.gradientWeights, 1), along(rule.hessianWeights, 1, 1)];
  const identity = tf.tensor(
    Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
    [n, n],
  );
  return () =>
    read(() => {
      const row = upload(x);
      const points = tf.mul(nodes, row);
      const second = tf.sum(tf.mul(hessianRows(gradient, points), forHessian), 0);
      const first = tf.mul(tf.sum(tf.mul(gradient(points), forGradient), 0), row);
      return tf.add(tf.mul(tf.mul(second, tf.reshape(row, [n, 1])), row), tf.mul(identity, first));
    });
}
