// Arrays of f64 in the memory of the program. Integers and truth values (0 or 1) are stored as numbers too.
import { ShapeError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { formatShape, numel, stridesOf, type Shape } from "../tensor/shape.ts";

/** A row-major array in double precision. */
export interface Array64 {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/**
 * Numbers as an f64 array of a shape (default: one axis).
 * @throws ShapeError when the shape does not have `data.length` elements
 */
export function array64(data: ArrayLike<number>, shape: Shape = [data.length]): Array64 {
  if (numel(shape) !== data.length) {
    throw new ShapeError(
      `shape ${formatShape(shape)} has ${numel(shape)} elements, but ${data.length} numbers were given`,
    );
  }
  return { shape: [...shape], data: data instanceof Float64Array ? data : Float64Array.from(data) };
}

/** What was read from the device, in double precision. */
export const fromHost = (host: HostArray): Array64 => array64(host.data, host.shape);

/** Coordinates of every position of a shape, in row-major order. */
export function* positions(shape: Shape): Generator<readonly number[]> {
  const total = numel(shape);
  const at = shape.map(() => 0);
  for (let i = 0; i < total; i++) {
    yield at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++at[axis]! < shape[axis]!) break;
      at[axis] = 0;
    }
  }
}

/** Row-major offset of coordinates; undefined where they lie outside the shape. */
export function offsetOf(shape: Shape, at: readonly number[]): number | undefined {
  if (at.some((i, axis) => i < 0 || i >= shape[axis]!)) return undefined;
  return stridesOf(shape).reduce((sum, stride, axis) => sum + stride * at[axis]!, 0);
}

/** The element at coordinates; 0 outside the shape. */
export function element(array: Array64, at: readonly number[]): number {
  const offset = offsetOf(array.shape, at);
  return offset === undefined ? 0 : array.data[offset]!;
}

/** An array whose element at `at` is `f(at)`. The coordinates are reused from call to call. */
export function tabulate(shape: Shape, f: (at: readonly number[]) => number): Float64Array {
  const data = new Float64Array(numel(shape));
  let i = 0;
  for (const at of positions(shape)) data[i++] = f(at);
  return data;
}

/** Sum of products of two arrays of equal size. */
export function dot(a: Array64, b: Array64): number {
  return a.data.reduce((sum, x, i) => sum + x * b.data[i]!, 0);
}

/** a + factor * b. */
export function axpy(a: Array64, factor: number, b: Array64): Array64 {
  return { shape: a.shape, data: a.data.map((x, i) => x + factor * b.data[i]!) };
}

/** Zeros of a shape. */
export const zeros = (shape: Shape): Array64 => ({ shape, data: new Float64Array(numel(shape)) });

/** Largest |a - b|, relative to the largest |b| (at least `floor`); infinite where only one is finite, or lengths differ. */
export function worstError(a: Array64, b: Array64, floor = 1e-3): number {
  let worst = 0;
  let scale = floor;
  for (let i = 0; i < b.data.length; i++) {
    const [got, expected] = [a.data[i]!, b.data[i]!];
    if (Object.is(got, expected) || got === expected) {
      if (Number.isFinite(expected)) scale = Math.max(scale, Math.abs(expected));
      continue;
    }
    if (!Number.isFinite(got) || !Number.isFinite(expected)) return Infinity;
    scale = Math.max(scale, Math.abs(expected));
    worst = Math.max(worst, Math.abs(got - expected));
  }
  return a.data.length === b.data.length ? worst / scale : Infinity;
}
