// What pictures ask of numbers.
import { NumericError } from "../tensor/errors.ts";

/** Throws NumericError at the first NaN or infinity. */
export function checkFinite(what: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new NumericError(`${what}: element ${i} is ${values[i]}; only finite numbers can be drawn`);
    }
  }
}

/** The least and the largest value. */
export function rangeOf(values: ArrayLike<number>): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (let k = 0; k < values.length; k++) {
    low = Math.min(low, values[k]!);
    high = Math.max(high, values[k]!);
  }
  return [low, high];
}

/** The largest magnitude; 0 of no values. */
export const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
