import * as tf from "@tensorflow/tfjs-core";
import type { RowsTask, Run } from "../task.ts";
import { read, upload } from "./tfjs-net.ts";

/** Softmax or layer norm of each row, or its vector-Jacobian product. */
export function rows({ operation, role, x, y, scale, offset, epsilon }: RowsTask): Run {
  const [input, cotangent, factor, summand] = [upload(x), upload(y), upload(scale), upload(offset)];
  const least = tf.scalar(epsilon);
  const layerNorm = (z: tf.Tensor): tf.Tensor => {
    const { mean, variance } = tf.moments(z, 1, true);
    const standard = tf.mul(tf.sub(z, mean), tf.rsqrt(tf.add(variance, least)));
    return tf.add(tf.mul(standard, factor), summand);
  };
  const forward = operation === "softmax" ? (z: tf.Tensor) => tf.softmax(z, 1) : layerNorm;
  if (role === "forward") return () => read(() => forward(input));
  const back = tf.grad(forward);
  return () => read(() => back(input, cotangent));
}
