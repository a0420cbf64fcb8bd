// Arrays known when a model is loaded: weights, shapes, axes. Model files compute shapes with the operations they compute
// pictures with; here such arithmetic is done at once, on the host.
import { FormatError } from "../../tensor/errors.ts";
import type { DType } from "../../tensor/dtype.ts";
import { broadcastShapes, formatShape, numel, stridesOf, type Shape } from "../../tensor/shape.ts";

/** A row-major array on the host. Integers of any width are kept exactly up to 2^53. */
export interface Constant {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: Float32Array | Float64Array | Uint8Array | readonly number[];
}

export function constantOf(data: Constant["data"], shape: Shape = [data.length], dtype: DType = "i32"): Constant {
  if (numel(shape) !== data.length) {
    throw new FormatError(
      `a constant of shape ${formatShape(shape)} needs ${numel(shape)} elements, got ${data.length}`,
    );
  }
  return { shape, dtype, data };
}

export const scalarOf = (value: number, dtype: DType = "i32"): Constant => constantOf([value], [], dtype);

/** Constants that are computed, not read, may have this many elements: a short file can ask for any number. */
const MAX_COMPUTED = 2 ** 24;

/**
 * Zeros, to be filled.
 * @param free number of elements that is fine in any case: that of the array which is only rearranged
 */
function blank(shape: Shape, dtype: DType, free = 0): Constant & { data: Float32Array | Float64Array } {
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
    throw new FormatError(`${formatShape(shape)} is no shape; expected whole numbers >= 0`);
  const elements = numel(shape);
  if (elements > Math.max(MAX_COMPUTED, free)) {
    throw new FormatError(
      `a constant of shape ${formatShape(shape)} would have ${elements} elements; at most ${MAX_COMPUTED} are computed beforehand`,
    );
  }
  return { shape, dtype, data: dtype === "f32" ? new Float32Array(elements) : new Float64Array(elements) };
}

/** The elements as plain numbers. */
export const numbersOf = (c: Constant): number[] => Array.from(c.data);

/** Applies `f` to every element. */
export function mapConstant(f: (x: number) => number, c: Constant, dtype: DType = c.dtype): Constant {
  return typed(Array.from(c.data, f), c.shape, dtype);
}

/** Applies `f` to pairs of elements under NumPy's broadcasting rule. */
export function zipConstants(
  op: string,
  f: (x: number, y: number) => number,
  a: Constant,
  b: Constant,
  dtype: DType = a.dtype,
): Constant {
  const shape = broadcastShapes(op, a.shape, b.shape);
  const [x, y] = [expandConstant(a, shape).data, expandConstant(b, shape).data];
  return typed(
    Array.from(x, (value, i) => f(value, y[i]!)),
    shape,
    dtype,
  );
}

/** Repeats elements along axes of length 1 until the shape is reached. */
export function expandConstant(c: Constant, shape: Shape): Constant {
  const own = [...Array<number>(shape.length - c.shape.length).fill(1), ...c.shape];
  return strided(
    c,
    shape,
    stridesOf(own).map((stride, axis) => (own[axis] === 1 ? 0 : stride)),
  );
}

export function transposeConstant(c: Constant, perm: readonly number[]): Constant {
  const strides = stridesOf(c.shape);
  return strided(
    c,
    perm.map((axis) => c.shape[axis]!),
    perm.map((axis) => strides[axis]!),
  );
}

/** The array of shape `shape` whose element at `at` lies at offset + sum of at * strides in `c`. */
function strided(c: Constant, shape: Shape, strides: readonly number[], offset = 0): Constant {
  const made = blank(shape, c.dtype, c.data.length);
  const { data } = made;
  const at = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < data.length; to++) {
    data[to] = c.data[from]!;
    // Counts up like an odometer: the last axis first, carrying over to those before it.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++at[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      at[axis] = 0;
    }
  }
  return made;
}

/** Elements at `indices` along one axis; negative indices count from the end. */
export function gatherConstant(c: Constant, indices: Constant, axis: number): Constant {
  const strides = stridesOf(c.shape);
  const length = c.shape[axis]!;
  const wanted = numbersOf(indices).map((i) => (i < 0 ? i + length : i));
  const wrong = wanted.find((i) => i < 0 || i >= length);
  if (wrong !== undefined) throw new FormatError(`index ${wrong} is outside axis ${axis} of ${formatShape(c.shape)}`);
  const made = blank([...c.shape.slice(0, axis), ...indices.shape, ...c.shape.slice(axis + 1)], c.dtype, c.data.length);
  const run = strides[axis]!;
  let to = 0;
  for (let i = 0; i < numel(c.shape.slice(0, axis)); i++) {
    for (const k of wanted) {
      const from = (i * length + k) * run;
      made.data.set(c.data.slice(from, from + run), to);
      to += run;
    }
  }
  return made;
}

export function concatConstants(parts: readonly Constant[], axis: number): Constant {
  const first = parts[0]!;
  const outer = numel(first.shape.slice(0, axis));
  const length = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const made = blank(first.shape.with(axis, length), first.dtype);
  let to = 0;
  for (let i = 0; i < outer; i++) {
    for (const part of parts) {
      const run = part.data.length / outer;
      made.data.set(part.data.slice(i * run, (i + 1) * run), to);
      to += run;
    }
  }
  return made;
}

/** Every `step`-th element from `start` up to, not including, `stop`; both already clamped, steps may be negative. */
export function sliceConstant(
  c: Constant,
  starts: readonly number[],
  shape: Shape,
  steps: readonly number[],
): Constant {
  const strides = stridesOf(c.shape);
  const offset = starts.reduce((sum, start, axis) => sum + start * strides[axis]!, 0);
  return strided(
    c,
    shape,
    steps.map((step, axis) => step * strides[axis]!),
    offset,
  );
}

/** A shape with one -1 resolved against a number of elements. */
export function resolveShape(what: string, elements: number, wanted: readonly number[]): number[] {
  const known = wanted.reduce((product, length) => (length === -1 ? product : product * length), 1);
  const shape = wanted.map((length) => (length === -1 ? elements / known : length));
  if (numel(shape) !== elements || !shape.every((length) => Number.isInteger(length) && length >= 0)) {
    throw new FormatError(`${what}: ${elements} elements do not fit shape ${formatShape(wanted)}`);
  }
  return shape;
}

/** 0, 1, ..., n - 1: the indices that leave an axis as it is. */
export function isIdentityIndex(indices: Constant, length: number): boolean {
  return indices.data.length === length && Array.from(indices.data).every((value, i) => value === i);
}

function typed(data: number[], shape: Shape, dtype: DType): Constant {
  return { shape, dtype, data: dtype === "f32" ? Float32Array.from(data) : data };
}
