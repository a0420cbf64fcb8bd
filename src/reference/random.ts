// Reproducible random arrays, kept away from kinks and singularities.
import type { DType } from "../tensor/dtype.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import type { Array64 } from "./array.ts";

/** mulberry32: uniform in [0, 1), one 32-bit state. */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Which numbers an input may hold. */
export interface Range {
  readonly shape: Shape;
  readonly dtype?: DType;
  /** Smallest number; default -1 (f32) or 0 (i32). */
  readonly low?: number;
  /** Largest number (f32, default 1) or the first too large one (i32, default 2). */
  readonly high?: number;
  /** Kinks and singularities: numbers stay at least 0.1 away from them. */
  readonly avoid?: readonly number[];
  /** All elements differ by far more than the step of finite differences: no ties in a maximum. */
  readonly distinct?: boolean;
}

const MARGIN = 0.1;

/** An array of random numbers within a range; all are exact in f32, so that the device sees the very same numbers. */
export function randomArray(range: Range, random: () => number): Array64 {
  const { shape, dtype = "f32" } = range;
  const data = new Float64Array(numel(shape));
  if (dtype === "bool") return { shape, data: data.map(() => Number(random() < 0.5)) };
  const { low = dtype === "f32" ? -1 : 0, high = dtype === "f32" ? 1 : 2 } = range;
  if (dtype === "i32") return { shape, data: data.map(() => low + Math.floor(random() * (high - low))) };
  if (range.distinct) return { shape, data: shuffledGrid(data.length, low, high, random).map(Math.fround) };
  return { shape, data: data.map(() => Math.fround(pick(low, high, range.avoid ?? [], random))) };
}

function pick(low: number, high: number, avoid: readonly number[], random: () => number): number {
  for (;;) {
    const x = low + (high - low) * random();
    if (avoid.every((kink) => Math.abs(x - kink) > MARGIN)) return x;
  }
}

function shuffledGrid(n: number, low: number, high: number, random: () => number): Float64Array {
  const grid = Float64Array.from({ length: n }, (_, i) => low + ((high - low) * (i + 0.25 + 0.5 * random())) / n);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [grid[i], grid[j]] = [grid[j]!, grid[i]!];
  }
  return grid;
}
