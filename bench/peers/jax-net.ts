// Networks in jax-js. Every function consumes its arguments: `.ref` keeps one for later.
import { lax, nn, numpy as np, type Array } from "@jax-js/jax";
import type { HostArray } from "../../src/tensor/index.ts";
import type { Layer, Net } from "../task.ts";

export const upload = ({ data, shape }: HostArray): Array => np.array(data as Float32Array).reshape([...shape]);

/** Weights and biases in the order of the layers; dense weights as [in, out], conv biases as [out, 1, 1]. */
export function parameters({ layers }: Net): Array[] {
  return layers.flatMap((layer) => {
    if (layer.kind === "dense") return [upload(layer.weight).transpose(), upload(layer.bias)];
    if (layer.kind === "conv") return [upload(layer.weight), upload(layer.bias).reshape([-1, 1, 1])];
    return [];
  });
}

/** The network at x [B, ...input]. */
export function applyNet({ layers }: Net, x: Array, weights: readonly Array[]): Array {
  let next = 0;
  return layers.reduce((value, layer) => applyLayer(layer, value, () => weights[next++]!), x);
}

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
  }
}

/** [classes], 1 at the target. */
export const oneHot = (net: Net, target: number): Float32Array => {
  const last = net.layers.findLast((layer) => layer.kind === "dense")!;
  return Float32Array.from({ length: last.bias.data.length }, (_, i) => (i === target ? 1 : 0));
};
