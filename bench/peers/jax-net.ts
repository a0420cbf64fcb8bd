// Networks in jax-js. Every function consumes its arguments: `.ref` keeps one for later.
import { lax, nn, numpy as np, type Array } from "@jax-js/jax";
import type { HostArray } from "../../src/tensor/index.ts";
import type { Layer, Net } from "../task.ts";

export const upload = ({ data, shape }: HostArray): Array => np.array(data as Float32Array).reshape([...shape]);

/** Weights and biases in the order of the layers; dense and recurrent weights as [in, out], conv biases as [out, 1, 1]. */
export const parameters = ({ layers }: Net): Array[] => layers.flatMap(layerParameters);

function layerParameters(layer: Layer): Array[] {
  switch (layer.kind) {
    case "dense":
      return [upload(layer.weight).transpose(), upload(layer.bias)];
    case "conv":
      return [upload(layer.weight), upload(layer.bias).reshape([-1, 1, 1])];
    case "lstm":
      return [upload(layer.input).transpose(), upload(layer.recurrent).transpose(), upload(layer.bias)];
    case "residual":
      return [...layer.body, ...layer.shortcut].flatMap(layerParameters);
    default:
      return [];
  }
}

/** The network at x [B, ...input]. */
export function applyNet({ layers }: Net, x: Array, weights: readonly Array[]): Array {
  let next = 0;
  return applyLayers(layers, x, () => weights[next++]!);
}

const applyLayers = (layers: readonly Layer[], x: Array, weight: () => Array): Array =>
  layers.reduce((value, layer) => applyLayer(layer, value, weight), x);

function applyLayer(layer: Layer, x: Array, weight: () => Array): Array {
  switch (layer.kind) {
    case "dense":
      return np.matmul(x, weight()).add(weight());
    case "conv": {
      const padding: [number, number] = [layer.padding, layer.padding];
      const strides = [layer.stride, layer.stride];
      return lax.convGeneralDilated(x, weight(), strides, [padding, padding]).add(weight());
    }
    case "relu":
      return nn.relu(x);
    case "softplus":
      return nn.softplus(x.mul(layer.beta)).mul(1 / layer.beta);
    case "max-pool": {
      const [b, c, h, w] = x.shape as [number, number, number, number];
      const n = layer.size;
      return np.max(x.reshape([b, c, h / n, n, w / n, n]), [3, 5]);
    }
    case "flatten":
      return x.reshape([x.shape[0]!, -1]);
    case "global-average":
      return np.mean(x, [2, 3]);
    case "residual": {
      const body = applyLayers(layer.body, x.ref, weight);
      return body.add(applyLayers(layer.shortcut, x, weight));
    }
    case "lstm":
      return applyLstm(x, weight(), weight(), weight());
    case "last-step":
      return x.slice([], -1);
  }
}

/** The steps one after the other: there is no scan. The projections of all inputs are one product. */
function applyLstm(x: Array, input: Array, recurrent: Array, bias: Array): Array {
  const [batch, time] = x.shape as [number, number];
  const size = recurrent.shape[0]!;
  const projected = np.matmul(x, input).add(bias);
  let h: Array = np.zeros([batch, size]);
  let c: Array = np.zeros([batch, size]);
  const hidden: Array[] = [];
  for (let t = 0; t < time; t++) {
    const gates = projected.ref.slice([], t).add(np.matmul(h, recurrent.ref));
    const [i, f, g, o] = np.split(gates, 4, 1) as [Array, Array, Array, Array];
    c = nn
      .sigmoid(f)
      .mul(c)
      .add(nn.sigmoid(i).mul(np.tanh(g)));
    h = nn.sigmoid(o).mul(np.tanh(c.ref));
    hidden.push(h.ref);
  }
  [projected, recurrent, h, c].forEach((array) => array.dispose());
  return np.stack(hidden, 1);
}

/** [classes], 1 at the target. */
export const oneHot = (net: Net, target: number): Float32Array => {
  const last = net.layers.findLast((layer) => layer.kind === "dense")!;
  return Float32Array.from({ length: last.bias.data.length }, (_, i) => (i === target ? 1 : 0));
};
