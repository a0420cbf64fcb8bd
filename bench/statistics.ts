// The numbers of a report, from times and results.

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median and extremes of at least one number. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("spread: expected at least one value");
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}

/**
 * Largest difference as a fraction of the largest |truth| (of 1 where the truth is zero everywhere). Infinite for another
 * number of elements, and where a result is not finite.
 */
export function relativeError(result: ArrayLike<number>, truth: ArrayLike<number>): number {
  if (result.length !== truth.length) return Infinity;
  let [scale, worst] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    const difference = Math.abs(result[i]! - truth[i]!);
    if (!Number.isFinite(difference)) return Infinity;
    scale = Math.max(scale, Math.abs(truth[i]!));
    worst = Math.max(worst, difference);
  }
  return worst / (scale || 1);
}
