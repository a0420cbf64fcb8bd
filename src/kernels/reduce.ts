// Reductions over neighbouring axes [start, end): the kernels see their input as [outer, reduce, inner]. The public
// functions bring any set of axes into that form, and cut long reductions into two stages.
import { ArgumentError, DTypeError, ShapeError } from "../tensor/errors.ts";
import { formatShape, normalizeAxes, normalizeAxis, numel, sameShape, type Shape } from "../tensor/shape.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive, type PrimitiveSpec, type Tangent } from "../graph/primitive.ts";
import { exp, mul, neg, sub } from "./elementwise.ts";
import { gather } from "./gather.ts";
import { broadcastTo, pad, reshape, transpose } from "./movement.ts";
import argmaxWgsl from "./wgsl/argmax.wgsl";
import logSumExpWgsl from "./wgsl/logsumexp.wgsl";
import maxWgsl from "./wgsl/reduce_max.wgsl";
import sumWgsl from "./wgsl/reduce_sum.wgsl";

/** The axes that are reduced: start <= axis < end. */
export type AxisRange = { readonly start: number; readonly end: number };

const WORKGROUP = 64;

/** Defines a reduction of one f32 argument; `flops` counts operations per element of it. */
function reduction(
  name: string,
  wgsl: string,
  flops: number,
  rules: Pick<PrimitiveSpec<AxisRange>, "multilinear" | "jvp" | "transpose" | "fold"> & { result?: "i32" },
): Primitive<AxisRange> {
  const { result = "f32", ...derivatives } = rules;
  const self: Primitive<AxisRange> = primitive<AxisRange>({
    name,
    aval([x], range) {
      if (x!.dtype !== "f32") throw new DTypeError(`${name}: expected f32, got ${x!.dtype}; use cast()`);
      return { shape: remaining(x!.shape, range), dtype: result };
    },
    lowering: {
      kind: "kernel",
      prologues: { 0: "x" },
      epilogue: result === "f32",
      call(node, _capabilities) {
        const { shape } = node.inputs[0]!;
        const { start, end } = node.attrs;
        const outputs = numel(node.shape);
        return {
          wgsl,
          uniforms: [outputs, numel(shape.slice(start, end)), numel(shape.slice(end))],
          workgroups: Math.ceil(outputs / WORKGROUP),
          flops: flops * numel(shape),
        };
      },
    },
    batch: ([x], _batched, { start, end }) => apply(self, [x!], { start: start + 1, end: end + 1 }),
    ...derivatives,
  });
  return self;
}

const remaining = (shape: Shape, { start, end }: AxisRange): Shape => [...shape.slice(0, start), ...shape.slice(end)];

/** `shape` with 1 for every axis of the range: what a reduced value looks like beside its argument. */
const kept = (shape: Shape, { start, end }: AxisRange): Shape =>
  shape.map((extent, axis) => (axis >= start && axis < end ? 1 : extent));

/** A reduced value at every position of `shape` that it was reduced from. */
const spread = (y: Node, shape: Shape, range: AxisRange): Node => broadcastTo(reshape(y, kept(shape, range)), shape);

/** A reduction of single elements moves nothing. */
function foldSingle([x]: readonly Node[], { start, end }: AxisRange): Node | undefined {
  return numel(x!.shape.slice(start, end)) === 1 ? reshape(x!, remaining(x!.shape, { start, end })) : undefined;
}

export const sumPrimitive = reduction("sum", sumWgsl, 1, {
  multilinear: true,
  transpose: (ct, node) => spread(ct, node.inputs[0]!.shape, node.attrs),
  fold(inputs, range) {
    const { shape } = inputs[0]!;
    const length = numel(shape.slice(range.start, range.end));
    const value = fillValue(inputs[0]!);
    if (value !== undefined || length === 0) return fill(remaining(shape, range), (value ?? 0) * length);
    return foldSingle(inputs, range);
  },
});

export const argmaxPrimitive = reduction("argmax", argmaxWgsl, 1, { result: "i32", jvp: () => null });

export const maxPrimitive = reduction("max", maxWgsl, 1, {
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

export const logSumExpPrimitive = reduction("logSumExp", logSumExpWgsl, 25, {
  jvp: (y, [t]) => (t ? weightedSum(y as unknown as Node, t, y.inputs[0]!, y.attrs) : null),
  fold: foldSingle,
});

/** sum of t softmax(x): the weights come from the result, so that they stay below 1 and need no second sum. */
function weightedSum(y: Node, t: Node, x: Node, range: AxisRange): Tangent {
  return sumRange(mul(t, exp(sub(x, spread(y, x.shape, range)))), range);
}

// ---- public functions ----------------------------------------------------------------------------------------------

/** Which axes an operation reduces, and whether they stay as axes of length 1. */
export interface ReduceOptions {
  /** Keep reduced axes with length 1. Default false. */
  readonly keepDims?: boolean;
}

type Axes = number | readonly number[];

/** Sum over `axes` (default: all); [] sums nothing. f32 error stays near one rounding of the sum of magnitudes. */
export function sum(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  return reduceAxes("sum", lift(x), axes, options, sumRange);
}

/** Arithmetic mean over `axes` (default: all). */
export function mean(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  const value = lift(x);
  const total = sum(value, axes, options);
  return mul(total, numel(total.shape) / numel(value.shape));
}

/** Largest element over `axes` (default: all); where several are equal, the derivative goes to the first. */
export function max(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  return reduceAxes("max", lift(x), axes, options, (v, range) => longReduction(maxPrimitive, v, range));
}

/** Smallest element over `axes` (default: all); where several are equal, the derivative goes to the first. */
export function min(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  return neg(max(neg(x), axes, options));
}

/** Position (i32) of the first maximum along `axis` (default: the last). Not differentiable. */
export function argmax(x: Operand, axis = -1, { keepDims = false }: ReduceOptions = {}): Value {
  const value = lift(x);
  const start = normalizeAxis("argmax", axis, value.shape.length);
  assertNotEmpty("argmax", value.shape, [start]);
  const y = apply(argmaxPrimitive, [value], { start, end: start + 1 });
  return keepDims ? reshape(y, kept(value.shape, { start, end: start + 1 })) : y;
}

/** log(sum(exp(x))) over `axes` (default: all), without overflow. */
export function logSumExp(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  return reduceAxes("logSumExp", lift(x), axes, options, (v, range) => longReduction(logSumExpPrimitive, v, range));
}

/**
 * Sums a value down to a shape that broadcasts to its own: the transpose of NumPy broadcasting.
 * @throws ShapeError when `shape` does not broadcast to the shape of `x`
 */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const offset = x.shape.length - shape.length;
  const axes = x.shape.flatMap((extent, axis) => {
    const target = axis < offset ? 1 : shape[axis - offset]!;
    if (target === extent) return axis < offset ? [axis] : [];
    if (target !== 1) break_(x.shape, shape);
    return [axis];
  });
  if (offset < 0) break_(x.shape, shape);
  return reshape(sum(x, axes), shape);
}

function break_(from: Shape, to: Shape): never {
  throw new ShapeError(`sumTo: ${formatShape(to)} does not broadcast to ${formatShape(from)}`);
}

/** Runs of neighbouring axes are reduced one after another, from the last, so that the earlier keep their numbers. */
function reduceAxes(
  name: string,
  x: Value,
  axes: Axes | undefined,
  { keepDims = false }: ReduceOptions,
  reduce: (x: Value, range: AxisRange) => Value,
): Value {
  const sorted = normalizeAxes(name, axes, x.shape.length);
  if (name !== "sum") assertNotEmpty(name, x.shape, sorted);
  const y = runs(sorted).reduceRight(reduce, x);
  return keepDims ? reshape(y, x.shape.map((extent, axis) => (sorted.includes(axis) ? 1 : extent))) : y;
}

function assertNotEmpty(name: string, shape: Shape, axes: readonly number[]): void {
  if (axes.some((axis) => shape[axis] === 0)) {
    throw new ArgumentError(`${name}: nothing to choose from: a reduced axis of ${formatShape(shape)} has length 0`);
  }
}

function runs(axes: readonly number[]): AxisRange[] {
  const found: { start: number; end: number }[] = [];
  for (const axis of axes) {
    const last = found.at(-1);
    if (last?.end === axis) last.end++;
    else found.push({ start: axis, end: axis + 1 });
  }
  return found;
}

/** Longer reductions go through two stages: parallel where outputs are few, and more exact in any case. */
const LONG = 4096;

/** Sum over neighbouring axes. A long one is padded with zeros to a rectangle; the padding is index arithmetic. */
function sumRange(x: Value, range: AxisRange): Value {
  const { outer, length, inner } = split(x.shape, range);
  if (length <= LONG) return apply(sumPrimitive, [x], range);
  const columns = Math.ceil(Math.sqrt(length));
  const rows = Math.ceil(length / columns);
  const flat = reshape(x, [outer, length, inner]);
  const padded = pad(flat, [[0, 0], [0, rows * columns - length], [0, 0]]);
  const partial = apply(sumPrimitive, [reshape(padded, [outer, rows, columns, inner])], { start: 1, end: 2 });
  return reshape(apply(sumPrimitive, [partial], { start: 1, end: 2 }), remaining(x.shape, range));
}

/** Two stages where the length has a suitable divisor, else one. Needs reduce(reduce(rows)) = reduce(all). */
function longReduction(prim: Primitive<AxisRange>, x: Value, range: AxisRange): Value {
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

function split(shape: Shape, { start, end }: AxisRange): { outer: number; length: number; inner: number } {
  return { outer: numel(shape.slice(0, start)), length: numel(shape.slice(start, end)), inner: numel(shape.slice(end)) };
}
