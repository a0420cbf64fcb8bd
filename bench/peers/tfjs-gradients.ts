import * as tf from "@tensorflow/tfjs-core";
import type { GradientsTask, Run } from "../task.ts";
import { read, scoreFunction, upload } from "./tfjs-net.ts";

/** All nodes in one batch. */
export function gradients({ net, x, target, nodes, weights }: GradientsTask): Run {
  const column = (values: readonly number[]): tf.Tensor =>
    tf.tensor(Float32Array.from(values), [values.length, ...net.input.map(() => 1)]);
  const gradient = tf.grad(scoreFunction(net, target));
  const [at, by] = [column(nodes), column(weights)];
  return () =>
    read(() => {
      const input = upload(x);
      return tf.mul(tf.sum(tf.mul(gradient(tf.mul(at, input)), by), 0), input);
    });
}
