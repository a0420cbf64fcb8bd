// Attributions of many contexts put together.
import type { HostArray } from "../../src/tensor/host.ts";
import { mean, ranks } from "./statistics.ts";

/**
 * Mean |attribution| by distance from the predicted word: [0] is the word before it.
 * @param values [B, T]
 */
export function byDistance({ data, shape }: HostArray): Float64Array {
  const [count, length] = shape as [number, number];
  return Float64Array.from({ length }, (_, d) =>
    mean(Array.from({ length: count }, (_row, k) => Math.abs(data[k * length + length - 1 - d]!))),
  );
}

/** Parts of a whole. */
export const shares = (values: Float64Array): Float64Array => {
  const total = values.reduce((sum, v) => sum + v, 0);
  return values.map((v) => (total === 0 ? 0 : v / total));
};

export interface Agreement {
  /** Mean over the contexts of the rank correlation (Spearman) between attributions and drops. */
  readonly correlation: number;
  /** Mean drop where the word with the largest attribution is replaced. */
  readonly topDrop: number;
}

/** How well attributions foresee what the replacement of single words does: both [B, T]. */
export function agreement(attributions: HostArray, drops: HostArray): Agreement {
  const [count, length] = drops.shape as [number, number];
  const rows = (array: HostArray): Float32Array[] =>
    Array.from({ length: count }, (_, k) => Float32Array.from(array.data.subarray(k * length, (k + 1) * length)));
  const [found, true_] = [rows(attributions), rows(drops)];
  return {
    correlation: mean(found.map((row, k) => rankCorrelation(row, true_[k]!))),
    topDrop: mean(found.map((row, k) => true_[k]![row.indexOf(Math.max(...row))]!)),
  };
}

/** Spearman's: the correlation of the ranks; 0 where all values of one side are equal. */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [x, y] = [ranks(Array.from(a)), ranks(Array.from(b))];
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((v, i) => {
    xy += (v - mx) * (y[i]! - my);
    xx += (v - mx) ** 2;
    yy += (y[i]! - my) ** 2;
  });
  return xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}
