// Normalisations, composed of reductions and elementwise operations, which fuse. Only the sum over a window of channels
// is a primitive: with its edges exchanged it is its own transpose.
import { assertDType, assertWhole, refuseShapes } from "../tensor/checks.ts";
import { formatShape, normalizeAxes, normalizeAxis, numel, sameShape, type Shape } from "../tensor/shape.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";
import { add, div, mul, square, sub } from "./arithmetic.ts";
import { power, sqrt } from "./functions.ts";
import { reshape } from "./movement.ts";
import { mean } from "./reduce.ts";
import windowSumWgsl from "./wgsl/window_sum.wgsl";

/** Position c of the result sums positions c - low to c + high of the argument, as far as they exist. */
type WindowAttrs = { readonly axis: number; readonly low: number; readonly high: number };

const WORKGROUP = 64;

export const windowSumPrimitive: Primitive<WindowAttrs> = /* @__PURE__ */ primitive<WindowAttrs>({
  name: "windowSum",
  aval([x]) {
    assertDType("windowSum", x!, "f32");
    return { shape: x!.shape, dtype: "f32" };
  },
  lowering: {
    kind: "kernel",
    prologues: { 0: "x" },
    call({ shape, attrs: { axis, low, high } }) {
      const outputs = numel(shape);
      return {
        wgsl: windowSumWgsl,
        uniforms: [outputs, shape[axis]!, numel(shape.slice(axis + 1)), low, high],
        workgroups: Math.ceil(outputs / WORKGROUP),
        flops: outputs * (low + high + 1),
      };
    },
  },
  multilinear: true,
  transpose: (ct, { attrs: { axis, low, high } }) => apply(windowSumPrimitive, [ct], { axis, low: high, high: low }),
  batch: ([x], _batched, { axis, low, high }) => apply(windowSumPrimitive, [x!], { axis: axis + 1, low, high }),
  fold: ([x], { low, high }) => (low + high === 0 ? x : fillValue(x!) === 0 ? fill(x!.shape, 0) : undefined),
});

export interface LocalResponseNormOptions {
  /** Channels in the window; of an even number, one more lies above than below (ONNX). */
  readonly size: number;
  /** Default 1e-4; divided by `size`. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. */
  readonly k?: number;
}

/** x / (k + alpha / size * sum of x^2 over neighbouring channels)^beta for x [batch, channels, ...] (AlexNet, GoogLeNet). */
export function localResponseNorm(
  x: Operand,
  { size, alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseNormOptions,
): Value {
  const value = lift(x);
  const axis = normalizeAxis("localResponseNorm", 1, value.shape.length);
  assertWhole("localResponseNorm: size", size, 1);
  const low = Math.floor((size - 1) / 2);
  const energy = apply(windowSumPrimitive, [square(value)], { axis, low, high: size - 1 - low });
  return mul(value, power(add(mul(energy, alpha / size), k), -beta));
}

export interface BatchNormOptions {
  /** Mean and variance of each channel [channels], as found in training. */
  readonly mean: Operand;
  readonly variance: Operand;
  /** Factor and summand of each channel [channels]. Default: none. */
  readonly scale?: Operand;
  readonly offset?: Operand;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Axis of the channels. Default 1. */
  readonly axis?: number;
}

/** Batch normalisation in inference: (x - mean) / sqrt(variance + epsilon) * scale + offset per channel. */
export function batchNorm(x: Operand, { epsilon = 1e-5, axis = 1, ...channels }: BatchNormOptions): Value {
  const value = lift(x);
  const at = [normalizeAxis("batchNorm", axis, value.shape.length)];
  const perChannel = (what: string, p: Operand): Value => along("batchNorm", what, p, value.shape, at);
  const deviation = sqrt(add(perChannel("variance", channels.variance), epsilon));
  const factor = channels.scale === undefined ? div(1, deviation) : div(perChannel("scale", channels.scale), deviation);
  // Subtracting the mean first keeps digits that x * factor + (offset - mean * factor) would lose.
  const scaled = mul(sub(value, perChannel("mean", channels.mean)), factor);
  return channels.offset === undefined ? scaled : add(scaled, perChannel("offset", channels.offset));
}

export interface LayerNormOptions {
  /** Factor and summand, of the shape of the normalised axes. Default: none. */
  readonly scale?: Operand;
  readonly offset?: Operand;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Axes normalised together. Default: the last. */
  readonly axes?: number | readonly number[];
}

/** (x - mean) / sqrt(variance + epsilon) * scale + offset over `axes`; the variance is that of the centred values (two passes). */
export function layerNorm(x: Operand, { scale, offset, epsilon = 1e-5, axes = -1 }: LayerNormOptions = {}): Value {
  const value = lift(x);
  const at = normalizeAxes("layerNorm", axes, value.shape.length);
  const centred = sub(value, mean(value, at, { keepDims: true }));
  const variance = mean(square(centred), at, { keepDims: true });
  const normal = div(centred, sqrt(add(variance, epsilon)));
  const scaled = scale === undefined ? normal : mul(normal, along("layerNorm", "scale", scale, value.shape, at));
  return offset === undefined ? scaled : add(scaled, along("layerNorm", "offset", offset, value.shape, at));
}

/** A parameter that has the axes `axes` of `shape`, with 1 for the other axes. A scalar suits every shape. */
function along(op: string, what: string, p: Operand, shape: Shape, axes: readonly number[]): Value {
  const value = lift(p);
  if (value.shape.length === 0) return value;
  const expected = axes.map((axis) => shape[axis]!);
  if (!sameShape(value.shape, expected)) {
    refuseShapes(op, `${what} ${formatShape(expected)} for x ${formatShape(shape)}`, value);
  }
  return reshape(
    value,
    shape.map((extent, axis) => (axes.includes(axis) ? extent : 1)),
  );
}
