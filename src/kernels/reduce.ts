// Reductions that choose or combine: maxima, log-sum-exp, means.
import { normalizeAxis, numel } from "../tensor/shape.ts";
import { lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import type { Primitive, Tangent } from "../graph/primitive.ts";
import { spread, sum, sumRange } from "./broadcast.ts";
import { mul, neg, sub } from "./arithmetic.ts";
import { exp } from "./functions.ts";
import { gather } from "./gather.ts";
import { reshape, transpose } from "./movement.ts";
import {
  assertNotEmpty,
  foldSingle,
  kept,
  LONG,
  reduceAxes,
  reduction,
  remaining,
  split,
  type Axes,
  type AxisRange,
  type ReduceOptions,
} from "./reduction.ts";
import argmaxWgsl from "./wgsl/argmax.wgsl";
import logSumExpWgsl from "./wgsl/logsumexp.wgsl";
import maxWgsl from "./wgsl/reduce_max.wgsl";

export type { ReduceOptions } from "./reduction.ts";

export const argmaxPrimitive = /* @__PURE__ */ reduction("argmax", argmaxWgsl, 1, {
  result: "i32",
  kink: true,
  jvp: () => null,
});

export const maxPrimitive = /* @__PURE__ */ reduction("max", maxWgsl, 1, {
  kink: true,
  jvp: (y, [t]) => (t ? atMaximum(y.inputs[0]!, t, y.attrs) : null),
  fold: foldSingle,
});

/** The elements of `t` where `x` has its first maximum over the range. */
function atMaximum(x: Node, t: Node, range: AxisRange): Node {
  const rest = remaining(x.shape, range);
  const rank = rest.length;
  const length = numel(x.shape.slice(range.start, range.end));
  const merged = reshape(t, [...x.shape.slice(0, range.start), length, ...x.shape.slice(range.end)]);
  const last = transpose(merged, axisLast(rank + 1, range.start));
  return gather(last, apply(argmaxPrimitive, [x], range), rank, { shared: rank });
}

const axisLast = (rank: number, axis: number): number[] => [
  ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis),
  axis,
];

export const logSumExpPrimitive = /* @__PURE__ */ reduction("logSumExp", logSumExpWgsl, 25, {
  jvp: (y, [t]) => (t ? weightedSum(y, t, y.inputs[0]!, y.attrs) : null),
  fold: foldSingle,
});

/** sum of t softmax(x): the weights come from the result, so that they stay below 1 and need no second sum. */
function weightedSum(y: Node, t: Node, x: Node, range: AxisRange): Tangent {
  return sumRange(mul(t, exp(sub(x, spread(y, x.shape, range)))), range);
}

// ---- public functions ----------------------------------------------------------------------------------------------

/** Arithmetic mean over `axes` (default: all; negative ones count from the end); NaN over an empty axis. f32 only. */
export function mean(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  const value = lift(x);
  const total = sum(value, axes, options);
  return mul(total, numel(total.shape) / numel(value.shape));
}

/**
 * Largest element over `axes` (default: all; negative ones count from the end); where several are equal, the derivative
 * goes to the first. f32 only.
 * @throws ArgumentError when a reduced axis is empty
 */
export function max(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  return reduceAxes("max", lift(x), axes, options, (v, range) => longReduction(maxPrimitive, v, range));
}

/** Smallest element over `axes`, as {@link max}. */
export function min(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  return neg(max(neg(x), axes, options));
}

/**
 * Position (i32) of the first maximum along `axis` (default: the last) of an f32 value. Not differentiable.
 * @throws ArgumentError when the axis is empty or does not exist
 */
export function argmax(x: Operand, axis = -1, { keepDims = false }: ReduceOptions = {}): Value {
  const value = lift(x);
  const start = normalizeAxis("argmax", axis, value.shape.length);
  const range = { start, end: start + 1 };
  assertNotEmpty("argmax", value.shape, range);
  const y = apply(argmaxPrimitive, [value], range);
  return keepDims ? reshape(y, kept(value.shape, range)) : y;
}

/**
 * log(sum(exp(x))) over `axes` (default: all; negative ones count from the end), without overflow. f32 only.
 * @throws ArgumentError when a reduced axis is empty
 */
export function logSumExp(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  return reduceAxes("logSumExp", lift(x), axes, options, (v, range) => longReduction(logSumExpPrimitive, v, range));
}

/** Two stages where the length has a suitable divisor, else one. Needs reduce(reduce(rows)) = reduce(all). */
function longReduction(prim: Primitive<AxisRange>, x: Value, range: AxisRange): Value {
  assertNotEmpty(prim.name, x.shape, range);
  const { outer, length, inner } = split(x.shape, range);
  const rows = length <= LONG ? 1 : divisorNearRoot(length);
  if (rows < 16) return apply(prim, [x], range);
  // The last stage runs over rows, which keep their order: the first of several maxima is still the first.
  const partial = apply(prim, [reshape(x, [outer, rows, length / rows, inner])], { start: 2, end: 3 });
  return reshape(apply(prim, [partial], { start: 1, end: 2 }), remaining(x.shape, range));
}

function divisorNearRoot(length: number): number {
  let divisor = Math.floor(Math.sqrt(length));
  while (length % divisor !== 0) divisor--;
  return divisor;
}
