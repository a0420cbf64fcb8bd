// Networks in TF.js, whose pictures are [N, H, W, C] and filters [kh, kw, in, out].
import * as tf from "@tensorflow/tfjs-core";
import type { HostArray } from "../../src/tensor/index.ts";
import type { Net } from "../task.ts";

export const upload = ({ data, shape }: HostArray): tf.Tensor => tf.tensor(data as Float32Array, shape);

/** [N, C, H, W] -> [N, H, W, C] */
export const channelsLast = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 2, 3, 1]);
/** [N, H, W, C] -> [N, C, H, W] */
export const channelsFirst = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 3, 1, 2]);
/** [out, in, kh, kw] -> [kh, kw, in, out] */
export const filterOf = (w: tf.Tensor): tf.Tensor => tf.transpose(w, [2, 3, 1, 0]);

/** The network as a function of x [B, ...input], its weights on the device. */
export function netFunction({ layers }: Net): (x: tf.Tensor) => tf.Tensor {
  const functions = layers.map((layer): ((x: tf.Tensor) => tf.Tensor) => {
    switch (layer.kind) {
      case "dense": {
        const [weight, bias] = [upload(layer.weight), upload(layer.bias)];
        return (x) => tf.add(tf.matMul(x, weight, false, true), bias);
      }
      case "conv": {
        const [filter, bias] = [filterOf(upload(layer.weight)), upload(layer.bias)];
        return (x) => tf.add(tf.conv2d(x, filter, layer.stride, layer.padding), bias);
      }
      case "relu":
        return tf.relu;
      case "softplus":
        return (x) => tf.mul(tf.softplus(tf.mul(x, tf.scalar(layer.beta))), tf.scalar(1 / layer.beta));
      case "max-pool":
        return (x) => tf.maxPool(x, layer.size, layer.size, 0);
      case "flatten":
        // The dense layer after it expects channels first.
        return (x) => tf.reshape(channelsFirst(x), [x.shape[0]!, -1]);
    }
  });
  return (x) => functions.reduce((value, f) => f(value), x.shape.length === 4 ? channelsLast(x) : x);
}

/** The summed output of one class. */
export function scoreFunction(net: Net, target: number): (x: tf.Tensor) => tf.Tensor {
  const f = netFunction(net);
  const last = net.layers.findLast((layer) => layer.kind === "dense")!;
  const classes = last.bias.data.length;
  const mask = tf.tensor(
    Float32Array.from({ length: classes }, (_, i) => (i === target ? 1 : 0)),
    [classes],
  );
  return (x) => tf.sum(tf.mul(f(x), mask));
}

/** Runs, waits, and frees everything. */
export async function read(compute: () => tf.Tensor): Promise<Float32Array> {
  const result = tf.tidy(compute);
  const data = await result.data();
  result.dispose();
  return data;
}
