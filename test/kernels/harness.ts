// What the tests of kernels share: reproducible numbers, comparison, and batching done twice, by rule and by loop.
import { expect } from "vitest";
import { batchAll } from "../../src/autograd/index.ts";
import { compile } from "../../src/compiler/program.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Node, Value } from "../../src/graph/node.ts";
import { stack } from "../../src/kernels/join.ts";
import { index } from "../../src/kernels/slice.ts";
import { hostArray, numel, type Device, type HostArray, type Shape } from "../../src/tensor/index.ts";

/** Reproducible numbers in [-1, 1). */
export function numbers(shape: Shape, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: numel(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Relative to the largest expected element: sums cancel. */
export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 2e-6): void {
  expect(actual.length).toBe(expected.length);
  const scale = Array.from(expected, Math.abs).reduce((a, b) => Math.max(a, b), 1e-30);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!) / scale);
  expect(worst).toBeLessThan(tolerance);
}

/** Runs a function of arrays, with the kernels of a first call and with those of later ones, and gives everything back. */
export async function evaluate(
  device: Device,
  fn: (...xs: Value[]) => Value | readonly Value[],
  arrays: readonly HostArray[],
): Promise<HostArray[]> {
  const program = compile(device, fn, arrays);
  const tensors = arrays.map((a) => device.tensor(a));
  try {
    const first = await program.runAndRead(tensors);
    await program.ready(true);
    const later = await program.runAndRead(tensors);
    expect(later).toEqual(first);
    return later;
  } finally {
    tensors.forEach((t) => t.dispose());
  }
}

export const random = (shape: Shape, seed: number): HostArray => hostArray(numbers(shape, seed), shape);

export type Binary = (a: Node, b: Node) => Node;
/** Which of two arguments have the new axis. */
export type Flags = readonly [boolean, boolean];
export const FLAGS: readonly Flags[] = [
  [true, false],
  [false, true],
  [true, true],
];

/** f over a new leading axis of the flagged arguments, by the batch rules. */
export const byRule =
  (f: Binary, flags: Flags, size: number): Binary =>
  (a, b) => {
    const given = [a, b];
    const fresh = given.map((x, i) => (flags[i] ? input(x.shape.slice(1), x.dtype) : x));
    const replaced = new Map(fresh.flatMap((x, i) => (flags[i] ? [[x, given[i]!] as const] : [])));
    return batchAll([f(fresh[0]!, fresh[1]!)], replaced, size)[0]!;
  };

/** The same, one call for each position of the axis. */
export const byLoop =
  (f: Binary, flags: Flags, size: number): Binary =>
  (a, b) =>
    stack(
      Array.from({ length: size }, (_, i) => f(flags[0] ? index(a, 0, i) : a, flags[1] ? index(b, 0, i) : b)),
      0,
    );
