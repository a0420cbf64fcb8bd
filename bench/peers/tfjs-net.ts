// Networks in TF.js, whose pictures are [N, H, W, C] and filters [kh, kw, in, out].
import * as tf from "@tensorflow/tfjs-core";
import type { HostArray } from "../../src/tensor/index.ts";
import type { Layer, Net } from "../task.ts";

export const upload = ({ data, shape }: HostArray): tf.Tensor => tf.tensor(data as Float32Array, shape);

/** [N, C, H, W] -> [N, H, W, C] */
export const channelsLast = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 2, 3, 1]);
/** [N, H, W, C] -> [N, C, H, W] */
export const channelsFirst = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 3, 1, 2]);
/** [out, in, kh, kw] -> [kh, kw, in, out] */
export const filterOf = (w: tf.Tensor): tf.Tensor => tf.transpose(w, [2, 3, 1, 0]);

type TensorFunction = (x: tf.Tensor) => tf.Tensor;

/** The network as a function of x [B, ...input], its weights on the device. */
export function netFunction({ layers }: Net): TensorFunction {
  const f = chainOf(layers);
  return (x) => f(x.shape.length === 4 ? channelsLast(x) : x);
}

function chainOf(layers: readonly Layer[]): TensorFunction {
  const functions = layers.map(functionOf);
  return (x) => functions.reduce((value, f) => f(value), x);
}

function functionOf(layer: Layer): TensorFunction {
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
    case "global-average":
      return (x) => tf.mean(x, [1, 2]);
    case "residual": {
      const [body, shortcut] = [chainOf(layer.body), chainOf(layer.shortcut)];
      return (x) => tf.add(body(x), shortcut(x));
    }
    case "lstm":
      return lstmFunction(layer);
    case "last-step":
      return (x) => tf.unstack(x, 1).at(-1)!;
  }
}

/** The steps one after the other, the projections of all inputs in one product. */
function lstmFunction(layer: Extract<Layer, { kind: "lstm" }>): TensorFunction {
  const [input, recurrent, bias] = [upload(layer.input), upload(layer.recurrent), upload(layer.bias)];
  const [rows, size] = layer.recurrent.shape as [number, number];
  return (x) => {
    const [batch, time, features] = x.shape as [number, number, number];
    const flat = tf.matMul(tf.reshape(x, [batch * time, features]), input, false, true);
    const projected = tf.unstack(tf.reshape(tf.add(flat, bias), [batch, time, rows]), 1);
    let [h, c] = [tf.zeros([batch, size]), tf.zeros([batch, size])];
    const hidden = projected.map((step) => {
      const gates = tf.add(step, tf.matMul(h, recurrent, false, true));
      const [i, f, g, o] = tf.split(gates, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
      return (h = tf.mul(tf.sigmoid(o), tf.tanh(c)));
    });
    return tf.stack(hidden, 1);
  };
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
