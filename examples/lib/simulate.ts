// Simulated targets whose pairwise interactions are known, as in section 5 of the Integrated Hessians paper (Janizek,
// Sturmfels and Lee, arXiv 2002.04138): a weighted sum of one function over random pairs of standard normal features.
import { ArgumentError } from "../../src/tensor/errors.ts";
import type { Random } from "../../src/nn/random.ts";
import { standardDeviation } from "./statistics.ts";

/** The functions of two features. */
export const TARGETS = {
  multiply: (a: number, b: number): number => a * b,
  maximum: (a: number, b: number): number => Math.max(a, b),
  minimum: (a: number, b: number): number => Math.min(a, b),
  cossum: (a: number, b: number): number => Math.cos(a + b),
  tanhsum: (a: number, b: number): number => Math.tanh(a + b),
} as const;
export type TargetName = keyof typeof TARGETS;
export const TARGET_NAMES = Object.keys(TARGETS) as TargetName[];

/** Features i < j. */
export type Pair = readonly [i: number, j: number];

/** All n (n - 1) / 2 pairs: (0, 1), (0, 2), ..., (n - 2, n - 1). */
export function allPairs(n: number): Pair[] {
  return Array.from({ length: n }, (_, i) => Array.from({ length: n - i - 1 }, (_, k): Pair => [i, i + 1 + k])).flat();
}

/** The weighted sum: `coefficients` has one entry for each of {@link allPairs}, 0 where a pair has no part in it. */
export interface Simulation {
  readonly target: TargetName;
  readonly features: number;
  readonly coefficients: Float64Array;
}

/**
 * Chooses `pairs` of the pairs and draws their coefficients from a standard normal distribution.
 * @throws ArgumentError when there are not that many pairs
 */
export function simulation(target: TargetName, features: number, pairs: number, stream: Random): Simulation {
  const count = allPairs(features).length;
  if (!(pairs >= 1 && pairs <= count)) {
    throw new ArgumentError(`${features} features have ${count} pairs; cannot choose ${pairs} of them`);
  }
  const coefficients = new Float64Array(count);
  for (const pair of stream.permutation(count).slice(0, pairs)) coefficients[pair] = stream.normal();
  return { target, features, coefficients };
}

/** Standard normal features, [rows, features] row by row. */
export const normalRows = (rows: number, features: number, stream: Random): Float32Array =>
  Float32Array.from({ length: rows * features }, () => stream.normal());

/** Every pair's share of every row's target, [rows, pairs]: coefficient times the function of the two features. */
export function contributions({ target, features, coefficients }: Simulation, x: Float32Array): Float64Array {
  const pairs = allPairs(features);
  const combine = TARGETS[target];
  return Float64Array.from({ length: (x.length / features) * pairs.length }, (_, at) => {
    const [i, j] = pairs[at % pairs.length]!;
    const row = Math.floor(at / pairs.length) * features;
    return coefficients[at % pairs.length]! * combine(x[row + i]!, x[row + j]!);
  });
}

/** The same shares at features drawn anew for every row and pair: what a removed pair is replaced with. */
export function replacements({ target, coefficients }: Simulation, rows: number, stream: Random): Float64Array {
  const combine = TARGETS[target];
  return Float64Array.from({ length: rows * coefficients.length }, (_, at) => {
    const [a, b] = [stream.normal(), stream.normal()];
    return coefficients[at % coefficients.length]! * combine(a, b);
  });
}

/**
 * Targets in which each row's first `removed` pairs of its order are replaced. Equal distributions keep the spread of
 * the target; the drawn values do not depend on the row's features, so nothing can learn them.
 *
 * @param shares [rows, pairs], as {@link contributions} gives them
 * @param drawn [rows, pairs], as {@link replacements} gives them
 * @param order [rows, pairs]: the pairs of each row, strongest first
 */
export function withRemoved(
  shares: Float64Array,
  drawn: Float64Array,
  order: Int32Array,
  pairs: number,
  removed: number,
): Float64Array {
  return Float64Array.from({ length: shares.length / pairs }, (_, row) => {
    let sum = 0;
    for (let rank = 0; rank < pairs; rank++) {
      const at = row * pairs + order[row * pairs + rank]!;
      sum += rank < removed ? drawn[at]! : shares[at]!;
    }
    return sum;
  });
}

/**
 * Coefficients divided by the standard deviation of the target over these rows, so that errors compare across targets.
 */
export function normalised(simulated: Simulation, x: Float32Array): Simulation {
  const pairs = simulated.coefficients.length;
  const shares = contributions(simulated, x);
  const y = Float64Array.from({ length: shares.length / pairs }, (_, row) =>
    shares.subarray(row * pairs, (row + 1) * pairs).reduce((sum, share) => sum + share, 0),
  );
  const spread = standardDeviation(y);
  return { ...simulated, coefficients: simulated.coefficients.map((c) => c / spread) };
}
