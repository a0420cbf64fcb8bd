// Over many explained rows: which features and pairs count, and for one row: which do there.
import type { HostArray } from "../../src/tensor/host.ts";
import { allPairs, type Pair } from "./simulate.ts";

/** Means over the rows. */
export interface Overall {
  /** [features]: mean |attribution|. */
  readonly importance: Float64Array;
  /** [features, features]: mean G, signs kept. */
  readonly signed: Float64Array;
  /** [features, features]: mean |G|. */
  readonly magnitude: Float64Array;
  /** [features]: mean attribution, signs kept. */
  readonly attribution: Float64Array;
}

/** @param attributions [rows, features]; interactions [rows, features, features] */
export function overall(attributions: HostArray, interactions: HostArray): Overall {
  const [, width] = attributions.shape as [number, number];
  const means = (values: ArrayLike<number>, size: number, f: (v: number) => number): Float64Array => {
    const sums = new Float64Array(size);
    for (let at = 0; at < values.length; at++) sums[at % size]! += f(values[at]!);
    return sums.map((sum) => sum / (values.length / size));
  };
  const same = (v: number): number => v;
  return {
    importance: means(attributions.data, width, Math.abs),
    attribution: means(attributions.data, width, same),
    signed: means(interactions.data, width ** 2, same),
    magnitude: means(interactions.data, width ** 2, Math.abs),
  };
}

export interface PairStrength {
  readonly pair: Pair;
  /** Mean |G_ij + G_ji|. */
  readonly magnitude: number;
  /** Mean G_ij + G_ji. */
  readonly signed: number;
}

/** All pairs, strongest first. The matrices are symmetric, so both halves of a pair have the same sign in every row. */
export function strongest({ signed, magnitude, importance }: Overall): PairStrength[] {
  const n = importance.length;
  return allPairs(n)
    .map(([i, j]) => ({
      pair: [i, j] as const,
      magnitude: magnitude[i * n + j]! + magnitude[j * n + i]!,
      signed: signed[i * n + j]! + signed[j * n + i]!,
    }))
    .sort((a, b) => b.magnitude - a.magnitude);
}

/** Part of the sum of all mean |G| that stands off the diagonal. */
export function pairShare({ magnitude, importance }: Overall): number {
  const n = importance.length;
  const total = magnitude.reduce((sum, v) => sum + v, 0);
  const own = importance.reduce((sum, _, i) => sum + magnitude[i * n + i]!, 0);
  return total === 0 ? 0 : 1 - own / total;
}

/** The feature that interacts most with this one. */
export function partnerOf({ magnitude, importance }: Overall, feature: number): number {
  const n = importance.length;
  let best = feature === 0 ? 1 : 0;
  for (let j = 0; j < n; j++) {
    if (j !== feature && magnitude[feature * n + j]! > magnitude[feature * n + best]!) best = j;
  }
  return best;
}

/** Rows worth a closer look: the highest logit of the positive class, the lowest of the other, and the closest call. */
export function tellingRows(logits: ArrayLike<number>, labels: ArrayLike<number>): { title: string; row: number }[] {
  const rows = Array.from({ length: logits.length }, (_, row) => row);
  const by = (f: (row: number) => number) => (a: number, b: number) => f(b) - f(a);
  const positive = rows.filter((row) => labels[row] === 1).sort(by((row) => logits[row]!))[0];
  const negative = rows.filter((row) => labels[row] !== 1).sort(by((row) => -logits[row]!))[0];
  const close = [...rows].sort(by((row) => -Math.abs(logits[row]!)))[0];
  const chosen = [
    { title: "A sure positive", row: positive },
    { title: "A sure negative", row: negative },
    { title: "The closest call", row: close },
  ];
  return chosen.flatMap(({ title, row }, k) => {
    const again = chosen.slice(0, k).some((before) => before.row === row);
    return row === undefined || again ? [] : [{ title, row }];
  });
}
