// Pairwise interactions as plain numbers: checked, paired, ranked and scaled, the same for all of their pictures.
import { assertPositive, assertWhole } from "../tensor/checks.ts";
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { blueWhiteRed, colorAt, hexOf } from "./color.ts";
import { checkFinite, largest } from "./numbers.ts";
import { formatNumber, percentile as percentileOf } from "./scale.ts";

/** Interactions of n features with each other, in units of the score. */
export interface Interactions {
  /** [n, n], row by row: G_ij is the share of the score that i and j make together, G_ii what i makes alone. */
  values: ArrayLike<number>;
  /** Names of the n features. */
  labels: readonly string[];
}

/** Two features i < j, and both shares that they make together: G_ij + G_ji. */
export interface Pair {
  readonly i: number;
  readonly j: number;
  readonly value: number;
}

/** Checks that there are n * n finite values for n >= 1 labels, and returns n. */
export function checkInteractions(what: string, { values, labels }: Interactions): number {
  const n = labels.length;
  if (n === 0) throw new ArgumentError(`${what}: there are no features; give a label for each`);
  if (values.length !== n * n) {
    throw new ShapeError(
      `${what}: ${n} labels need ${n} x ${n} = ${n * n} values, but there are ${values.length}; ` +
        "give the whole matrix of one example, row by row",
    );
  }
  checkFinite(`${what}: values`, values);
  return n;
}

/** Checks one finite number for each of the labels. */
export function checkPerFeature(what: string, values: ArrayLike<number>, labels: readonly string[]): void {
  if (values.length !== labels.length) {
    throw new ShapeError(`${what}: ${values.length} values for ${labels.length} labels; give one for each`);
  }
  checkFinite(what, values);
}

/** The pairs of largest magnitude, largest first; equals stay in the order of the features. Default: all n (n - 1) / 2. */
export function rankedPairs({ values, labels }: Interactions, top = Infinity): Pair[] {
  const n = labels.length;
  const pairs: Pair[] = [];
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) pairs.push({ i, j, value: values[i * n + j]! + values[j * n + i]! });
  }
  return pairs.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, top);
}

export function checkTop(what: string, top: number): void {
  assertWhole(`${what}: top`, top, 1);
}

/** Features by the sum of the magnitudes of their pairs, largest first. */
export function byStrength(interactions: Interactions): number[] {
  const strength = new Float64Array(interactions.labels.length);
  for (const { i, j, value } of rankedPairs(interactions)) {
    strength[i]! += Math.abs(value);
    strength[j]! += Math.abs(value);
  }
  return Array.from(strength.keys()).sort((a, b) => strength[b]! - strength[a]!);
}

/** The magnitude at the end of the colour scale, and what a legend says of it. */
export interface PairScale {
  readonly limit: number;
  readonly reason: string;
}

/**
 * A scale for the entries off the diagonal: self terms are often ten times as large, and would leave all others pale.
 * A percentile of 0 (nearly all are exactly 0) falls back to the largest magnitude, a matrix without others to its diagonal.
 */
export function pairScale({ values, labels }: Interactions, percentile: number, limit?: number): PairScale {
  if (limit !== undefined) {
    assertPositive("limit", limit);
    return { limit, reason: "as given" };
  }
  const others = Array.from(values, Math.abs).filter((_, k) => k % (labels.length + 1) !== 0);
  const at = others.length === 0 ? 0 : percentileOf(others, percentile);
  const most = largest(others);
  if (at > 0 && at < most) {
    return { limit: at, reason: `${ordinal(percentile)} percentile of the magnitudes off the diagonal` };
  }
  if (most > 0) return { limit: most, reason: "largest magnitude off the diagonal" };
  const own = largest(values);
  return own > 0 ? { limit: own, reason: "largest magnitude of the diagonal" } : { limit: 1, reason: "all are 0" };
}

function ordinal(n: number): string {
  const ending = Math.floor(n / 10) % 10 === 1 ? undefined : ["th", "st", "nd", "rd"][n % 10];
  return `${formatNumber(n)}${ending ?? "th"}`;
}

/** The colour of a share of the scale, -1 (blue) to 1 (red). */
export const signedColor = (share: number): string => hexOf(signedRgb(share));
export const signedRgb = (share: number) => colorAt(blueWhiteRed, (share + 1) / 2);

/** "a × b". */
export const pairName = (labels: readonly string[], { i, j }: Pick<Pair, "i" | "j">): string =>
  `${labels[i]!} × ${labels[j]!}`;

/** "a × b: value". */
export const pairText = (labels: readonly string[], pair: Pair): string =>
  `${pairName(labels, pair)}: ${formatNumber(pair.value)}`;

/** The strongest pairs in a sentence, for readers who cannot see the picture. */
export function describePairs(interactions: Interactions, count = 3): string {
  const { labels } = interactions;
  const pairs = rankedPairs(interactions, count).filter(({ value }) => value !== 0);
  if (pairs.length === 0) return `${labels.length} features without interactions between them.`;
  const texts = pairs.map((pair) => pairText(labels, pair));
  return `${labels.length} features. Strongest pairs: ${texts.join("; ")}.`;
}
