import { ArgumentError, ShapeError } from "./errors.ts";

/** Lengths of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements; 1 for a scalar. */
export function numel(shape: Shape): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Row-major strides, in elements: `[2, 3, 4]` has `[12, 4, 1]`. */
export function stridesOf(shape: Shape): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const length of [...shape].reverse()) {
    strides.unshift(stride);
    stride *= length;
  }
  return strides;
}

/**
 * A copy of `shape`, which the caller may go on changing.
 * @param op names the operation in the message
 * @throws ShapeError when a length is not a whole number >= 0
 */
export function checkedShape(op: string, shape: Shape): Shape {
  if (shape.every((length) => Number.isSafeInteger(length) && length >= 0)) return [...shape];
  throw new ShapeError(`${op}: shape ${formatShape(shape)} is not made of whole numbers >= 0`);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** `[2, 3]`, as shapes appear in messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/**
 * The common shape of two operands under NumPy's rule: axes are aligned at the last one, and a length of 1 (or a missing
 * axis) stretches.
 * @param op name of the operation, for the message
 * @throws ShapeError when two lengths differ and neither is 1
 */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new ShapeError(
      `${op}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast: axis ${axis - rank} is ${left} and ` +
        `${right}; equal lengths are needed, or 1`,
    );
  });
}

/** Runs of neighbouring axes, start <= axis < end, from axes in rising order. */
export function runsOf(axes: readonly number[]): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (const axis of axes) {
    const last = runs.at(-1);
    if (last?.end === axis) last.end++;
    else runs.push({ start: axis, end: axis + 1 });
  }
  return runs;
}

/**
 * An axis counted from the start; negative ones count from the end.
 * @throws ArgumentError when there is no such axis
 */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const range = rank === 0 ? "a scalar has no axes" : `give a whole number from ${-rank} to ${rank - 1}`;
    throw new ArgumentError(`${op}: axis ${axis} does not exist in rank ${rank}; ${range}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/**
 * Axes counted from the start, sorted; `undefined` means all of them.
 * @throws ArgumentError when an axis does not exist or is named twice
 */
export function normalizeAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const given = typeof axes === "number" ? [axes] : axes;
  const sorted = given.map((axis) => normalizeAxis(op, axis, rank)).sort((a, b) => a - b);
  const twice = sorted.find((axis, i) => axis === sorted[i + 1]);
  if (twice !== undefined) {
    throw new ArgumentError(`${op}: axis ${twice} is named twice in [${given.join(", ")}]; name every axis once`);
  }
  return sorted;
}
