// How well scores put active molecules first.
import type { Random } from "../../src/nn/random.ts";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { percentile } from "../../src/view/scale.ts";
import { classifierQuality, descending } from "./statistics.ts";

export interface ScreeningQuality {
  /** Area under the ROC curve. */
  readonly auc: number;
  /** Share of actives among the best tenth, divided by their share of all. */
  readonly enrichment: number;
  readonly accuracy: number;
  readonly logLoss: number;
}

export function screeningQuality(logits: ArrayLike<number>, labels: ArrayLike<number>): ScreeningQuality {
  return { ...classifierQuality(logits, labels), enrichment: enrichment(logits, labels, 0.1) };
}

/**
 * Enrichment factor: the share of actives among the molecules with the best scores, divided by their share of all. 1 is what chance
 * gives; the most there can be is the smaller of 1 / share and 1 / (share of actives).
 * @param labels 1 for active, else 0
 * @param share of all molecules that is looked at, in (0, 1]; at least one molecule is
 * @throws ArgumentError for a share outside (0, 1], and when nothing is active
 */
export function enrichment(scores: ArrayLike<number>, labels: ArrayLike<number>, share: number): number {
  if (!(share > 0 && share <= 1)) throw new ArgumentError(`enrichment: expected a share in (0, 1], got ${share}`);
  const actives = Array.from(labels).filter((label) => label === 1).length;
  if (actives === 0) throw new ArgumentError("enrichment: none of the molecules is active");
  const first = descending(Array.from(scores)).slice(0, Math.max(1, Math.round(share * scores.length)));
  const found = first.filter((i) => labels[i] === 1).length;
  return found / first.length / (actives / scores.length);
}

/** Shares of all molecules, the best scores first, and the shares of the actives that are found in them. */
export interface ScreeningCurve {
  readonly screened: Float64Array;
  readonly found: Float64Array;
}

/** @returns as many points as there are molecules, and the origin */
export function screeningCurve(scores: ArrayLike<number>, labels: ArrayLike<number>): ScreeningCurve {
  const order = descending(Array.from(scores));
  const found = new Float64Array(order.length + 1);
  order.forEach((i, k) => (found[k + 1] = found[k]! + labels[i]!));
  const total = found.at(-1)! || 1;
  return { screened: found.map((_, k) => k / order.length), found: found.map((count) => count / total) };
}

/** A 95 % interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Interval of the area under the ROC curve by the bootstrap: molecules of each class are drawn again, with replacement. It tells how
 * much depends on which molecules were held out, and nothing of how training would differ with other initial weights.
 * @param draws number of resamples
 */
export function aucInterval(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  draws: number,
  stream: Random,
): Interval {
  const classes = [0, 1].map((label) => Array.from(labels).flatMap((own, i) => (own === label ? [i] : [])));
  const areas = Array.from({ length: draws }, () => {
    const rows = classes.flatMap((own) => own.map(() => own[stream.below(own.length)]!));
    const [scores, truth] = [logits, labels].map((list) => rows.map((i) => list[i]!));
    return classifierQuality(scores!, truth!).auc;
  });
  return { low: percentile(areas, 2.5), high: percentile(areas, 97.5) };
}
