// The measurements of many pictures put together.
import { mean, sampleDeviation } from "./statistics.ts";

export interface Spread {
  readonly mean: number;
  /** Of the sample; 0 for a single value. */
  readonly deviation: number;
}

export const spread = (values: ArrayLike<number>): Spread => ({
  mean: mean(values),
  deviation: values.length > 1 ? sampleDeviation(values) : 0,
});

/** Mean of curves of equal length, point by point. */
export const meanCurve = (curves: readonly (readonly number[])[]): number[] =>
  (curves[0] ?? []).map((_, k) => mean(curves.map((curve) => curve[k]!)));

/** The first position at which a curve has made this share of its way from the first to the last value. */
export function reachedAt(alphas: readonly number[], curve: readonly number[], share: number): number {
  const [from, to] = [curve[0]!, curve.at(-1)!];
  const first = curve.findIndex((v) => (v - from) * Math.sign(to - from) >= share * Math.abs(to - from));
  return alphas[first]!;
}

/** The last value as a share of the largest; 0 where all are 0. */
export const leftAtEnd = (curve: readonly number[]): number => curve.at(-1)! / (Math.max(...curve) || 1);

/** How far the score fell at a step of the ablation, of every picture. */
export const drops = (scores: readonly (readonly number[])[], step: number): number[] =>
  scores.map((curve) => curve[0]! - curve[step]!);

/** Of how many pictures the first number is larger, and of how many they are equal. */
export function wins(a: ArrayLike<number>, b: ArrayLike<number>): { readonly more: number; readonly equal: number } {
  let [more, equal] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    if (a[i]! > b[i]!) more++;
    if (a[i] === b[i]) equal++;
  }
  return { more, equal };
}

/** As in "0.51 ± 0.08", in one line and without the sign of a zero. */
export const spreadText = ({ mean: m, deviation }: Spread, digits = 2): string =>
  `${rounded(m, digits)}\u00a0±\u00a0${deviation.toFixed(digits)}`;

const rounded = (x: number, digits: number): string => x.toFixed(digits).replace(/^-(?=[0.]*$)/, "");

/** "1 picture", "3 faces". */
export const counted = (count: number, kind = "pictures"): string =>
  `${count} ${count === 1 ? kind.replace(/s$/, "") : kind}`;
