// Means over pictures with their errors, and which differences are more than noise.
import { mean, sampleDeviation } from "./statistics.ts";

export interface Estimate {
  /** NaN if there are no numbers. */
  readonly mean: number;
  /** Standard error of the mean; NaN for fewer than two numbers. */
  readonly error: number;
  /** How many numbers there are. */
  readonly count: number;
}

/** Of the numbers that are not NaN. */
export function estimate(values: ArrayLike<number>): Estimate {
  const known = Array.from(values).filter((v) => !Number.isNaN(v));
  const count = known.length;
  return { mean: mean(known), error: count > 1 ? sampleDeviation(known) / Math.sqrt(count) : NaN, count };
}

/** a - b picture by picture: pictures differ more than methods do, and that part cancels. */
export const difference = (a: ArrayLike<number>, b: ArrayLike<number>): Estimate =>
  estimate(Array.from(a, (v, i) => v - b[i]!));

/** 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom. */
const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** Whether a is larger than b: the 95 % interval of the paired difference (Student's t) lies above 0. */
export function isClearlyLarger(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  const { mean: by, error, count } = difference(a, b);
  // Beyond the table within 0.02 of the quantile.
  const quantile = STUDENT[count - 2] ?? 1.96 + 2.5 / (count - 1);
  return by > quantile * error;
}

export interface Standing {
  readonly best: string;
  /** Methods that the best one is not clearly better than. */
  readonly close: readonly string[];
}

/** Which of some methods is best; undefined where none has a number. */
export function standing(
  values: Readonly<Record<string, ArrayLike<number>>>,
  good: "large" | "small",
): Standing | undefined {
  const sign = good === "large" ? 1 : -1;
  const signed = Object.entries(values).map(([name, v]) => ({ name, v: Array.from(v, (value) => sign * value) }));
  const known = signed.filter(({ v }) => estimate(v).count > 0);
  if (known.length === 0) return undefined;
  const best = known.reduce((a, b) => (estimate(b.v).mean > estimate(a.v).mean ? b : a));
  const close = known.filter((other) => other !== best && !isClearlyLarger(best.v, other.v));
  return { best: best.name, close: close.map(({ name }) => name) };
}

/** Mean of rows, without those that hold a NaN; undefined if all do. */
export function meanOfRows(rows: readonly ArrayLike<number>[]): number[] | undefined {
  const known = rows.filter((row) => !Array.from(row).some(Number.isNaN));
  return known[0] && Array.from(known[0], (_, k) => mean(known.map((row) => row[k]!)));
}
