// What all reductions share. They run over neighbouring axes [start, end): the kernels see their input as
// [outer, reduce, inner]. The public functions bring any set of axes into that form.
import { ArgumentError, DTypeError } from "../tensor/errors.ts";
import { formatShape, normalizeAxes, numel, runsOf, type Shape } from "../tensor/shape.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import {
  primitive,
  QUICK_ELEMENTS,
  type KernelLowering,
  type Primitive,
  type PrimitiveSpec,
} from "../graph/primitive.ts";
import { reshape } from "./movement.ts";

/** The axes that are reduced: start <= axis < end. */
export type AxisRange = { readonly start: number; readonly end: number };

const WORKGROUP = 64;

/** Defines a reduction of one f32 argument; `flops` counts operations per element of it. */
export function reduction(
  name: string,
  wgsl: string,
  flops: number,
  rules: Pick<PrimitiveSpec<AxisRange>, "multilinear" | "kink" | "jvp" | "transpose" | "fold"> &
    Pick<KernelLowering<AxisRange>, "expand"> & {
      result?: "i32";
      /** The file has `const LANES` and `alias Lane`: it can load four neighbours at once. */
      wide?: boolean;
    },
): Primitive<AxisRange> {
  const { result = "f32", expand, wide = false, ...derivatives } = rules;
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
      expand,
      call(node, { software }) {
        const { shape } = node.inputs[0]!;
        const { start, end } = node.attrs;
        const outputs = numel(node.shape);
        const inner = numel(shape.slice(end));
        const narrow = {
          wgsl,
          uniforms: [outputs, numel(shape.slice(start, end)), inner],
          workgroups: Math.ceil(outputs / WORKGROUP),
          flops: flops * numel(shape),
        };
        const along = inner === 1;
        if (!wide || (along ? narrow.uniforms[1]! : inner) % 4 !== 0) return narrow;
        const constants = { LANES: 4, Lane: "vec4<f32>", ...(along && { ALONG: 1 }) };
        const workgroups = along ? narrow.workgroups : Math.ceil(outputs / (4 * WORKGROUP));
        // Sums of four neighbours have the order of single ones; four terms at a time do not.
        const quick = software && !along && numel(shape) <= QUICK_ELEMENTS ? narrow : undefined;
        return { ...narrow, quick, wide: { ...narrow, constants, workgroups } };
      },
    },
    batch: ([x], _batched, { start, end }) => apply(self, [x!], { start: start + 1, end: end + 1 }),
    ...derivatives,
  });
  return self;
}

/** `shape` without the axes of the range. */
export const remaining = (shape: Shape, { start, end }: AxisRange): Shape => [
  ...shape.slice(0, start),
  ...shape.slice(end),
];

/** `shape` with 1 for every axis of the range: what a reduced value looks like beside its argument. */
export const kept = (shape: Shape, { start, end }: AxisRange): Shape =>
  shape.map((extent, axis) => (axis >= start && axis < end ? 1 : extent));

/** A reduction of single elements moves nothing. */
export function foldSingle([x]: readonly Node[], { start, end }: AxisRange): Node | undefined {
  return numel(x!.shape.slice(start, end)) === 1 ? reshape(x!, remaining(x!.shape, { start, end })) : undefined;
}

/** Which axes an operation reduces, and whether they stay as axes of length 1. */
export interface ReduceOptions {
  /** Keep reduced axes with length 1. Default false. */
  readonly keepDims?: boolean;
}

export type Axes = number | readonly number[];

/** Runs of neighbouring axes are reduced one after another, from the last, so that the earlier keep their numbers. */
export function reduceAxes(
  name: string,
  x: Value,
  axes: Axes | undefined,
  { keepDims = false }: ReduceOptions,
  reduce: (x: Value, range: AxisRange) => Value,
): Value {
  const sorted = normalizeAxes(name, axes, x.shape.length);
  const y = runsOf(sorted).reduceRight(reduce, x);
  return keepDims
    ? reshape(
        y,
        x.shape.map((extent, axis) => (sorted.includes(axis) ? 1 : extent)),
      )
    : y;
}

/** @throws ArgumentError when the range holds no element: only a sum has a value then */
export function assertNotEmpty(name: string, shape: Shape, { start, end }: AxisRange): void {
  if (numel(shape.slice(start, end)) > 0) return;
  throw new ArgumentError(`${name}: nothing to choose from: a reduced axis of ${formatShape(shape)} has length 0`);
}

/** Longer reductions go through two stages: parallel where outputs are few, and more exact in any case. */
export const LONG = 4096;

export function split(shape: Shape, { start, end }: AxisRange): { outer: number; length: number; inner: number } {
  return {
    outer: numel(shape.slice(0, start)),
    length: numel(shape.slice(start, end)),
    inner: numel(shape.slice(end)),
  };
}
