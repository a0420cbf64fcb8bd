// Initial weights. The spread keeps the variance of activations about equal from layer to layer.
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import type { Random } from "./random.ts";

export type Initialiser = (shape: Shape, key: Random) => HostArray;

/** Inputs and outputs of one unit: a matrix is [in, out], a convolution [out, in / groups, kh, kw]. */
function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2) return { fanIn: numel(shape), fanOut: numel(shape) };
  if (shape.length === 2) return { fanIn: shape[0]!, fanOut: shape[1]! };
  const field = numel(shape.slice(2));
  return { fanIn: shape[1]! * field, fanOut: shape[0]! * field };
}

const filled = (shape: Shape, draw: () => number): HostArray =>
  hostArray(Float32Array.from({ length: numel(shape) }, draw), shape);

/** Normal with variance 2 / fanIn: for layers followed by a ReLU (He et al. 2015). */
export const kaimingNormal: Initialiser = (shape, key) => {
  const deviation = Math.sqrt(2 / fans(shape).fanIn);
  return filled(shape, () => deviation * key.normal());
};

/** Uniform with variance 2 / (fanIn + fanOut): for tanh, sigmoid and linear layers (Glorot and Bengio 2010). */
export const xavierUniform: Initialiser = (shape, key) => {
  const { fanIn, fanOut } = fans(shape);
  const bound = Math.sqrt(6 / (fanIn + fanOut));
  return filled(shape, () => bound * (2 * key.uniform() - 1));
};

/** Normal with the given standard deviation. */
export const normal =
  (deviation: number): Initialiser =>
  (shape, key) =>
    filled(shape, () => deviation * key.normal());

export const zeros: Initialiser = (shape) => filled(shape, () => 0);
export const ones: Initialiser = (shape) => filled(shape, () => 1);
