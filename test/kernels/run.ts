// Runs a function once on the test device, and compares what comes back with double precision.
import { expect } from "vitest";
import { compile } from "../../src/compiler/program.ts";
import type { Value } from "../../src/graph/node.ts";
import { numel, type HostArray, type Shape } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";

/** The results of a function of tensors, read back: of the kernels that serve all calls but the first. */
export async function run(
  fn: (...xs: Value[]) => Value | readonly Value[],
  ...inputs: readonly HostArray[]
): Promise<HostArray[]> {
  let results: HostArray[] = [];
  await withCleanDevice(async (device) => {
    const tensors = inputs.map((x) => device.tensor(x));
    const program = await compile(device, fn, inputs).ready(true);
    results = await program.runAndRead(tensors);
    tensors.forEach((t) => t.dispose());
  });
  return results;
}

export interface F32Array extends HostArray {
  readonly data: Float32Array;
}

/** Reproducible f32 numbers in [low, high). */
export function random(shape: Shape, { low = -1, high = 1, seed = 1 } = {}): F32Array {
  let state = seed;
  const data = Float32Array.from({ length: numel(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + ((high - low) * (state >>> 8)) / 2 ** 24;
  });
  return { shape, dtype: "f32", data };
}

/** Largest |actual - expected| / scale(expected); infinite if an element is not finite. */
export function worst(actual: ArrayLike<number>, expected: ArrayLike<number>, scale: (y: number) => number): number {
  expect(actual.length).toBe(expected.length);
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    const e = Math.abs(actual[i]! - expected[i]!) / scale(expected[i]!);
    error = e <= error ? error : e < Infinity ? e : Infinity;
  }
  return error;
}

export const absolute = (): number => 1;
/** Relative error. Results smaller than the normal f32 numbers may become 0, or anything else that is close to 0. */
export const relative = (y: number): number => (Math.abs(y) < 1.2e-38 ? 1 : Math.abs(y));
