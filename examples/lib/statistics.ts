// Plain statistics over arrays of numbers.
import { ArgumentError } from "../../src/tensor/errors.ts";

type Numbers = ArrayLike<number>;

export function mean(values: Numbers): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Mean squared distance from the mean. */
export function variance(values: Numbers): number {
  const centre = mean(values);
  return mean(Float64Array.from(values, (v) => (v - centre) ** 2));
}

export const standardDeviation = (values: Numbers): number => Math.sqrt(variance(values));

/** Of a sample of two values or more: divided by n - 1. */
export const sampleDeviation = (values: Numbers): number =>
  Math.sqrt((variance(values) * values.length) / (values.length - 1));

/** The middle value, or the mean of the two in the middle. */
export function median(values: Numbers): number {
  if (values.length === 0) throw new ArgumentError("median: there are no values");
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

export function largestMagnitude(values: Numbers): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  return largest;
}

export const meanSquaredDifference = (a: Numbers, b: Numbers): number =>
  mean(Float64Array.from(a, (v, i) => (v - b[i]!) ** 2));

/**
 * Share of the variance of `truth` that the predictions explain: 1 - mean squared error / variance. Below 0 they are
 * worse than the mean.
 */
export const explainedVariance = (predictions: Numbers, truth: Numbers): number =>
  1 - meanSquaredDifference(predictions, truth) / variance(truth);

/** Area under y(x) by trapezia, divided by the length of x: the mean height. */
export function meanHeight(x: Numbers, y: Numbers): number {
  let area = 0;
  for (let i = 1; i < x.length; i++) area += ((x[i]! - x[i - 1]!) * (y[i]! + y[i - 1]!)) / 2;
  return area / (x[x.length - 1]! - x[0]!);
}

/** Positions by descending value; equal values keep their order. */
export const descending = (values: Numbers): Int32Array =>
  Int32Array.from(values, (_, i) => i).sort((a, b) => values[b]! - values[a]! || a - b);

/** Ranks from 1 (the smallest); equal values share their mean rank. */
export function ranks(values: Numbers): Float64Array {
  const order = descending(values).reverse();
  const result = new Float64Array(values.length);
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) result[order[i]!] = (start + 1 + end) / 2;
    start = end;
  }
  return result;
}

export interface ClassifierQuality {
  /** Share of rows on the right side of logit 0. */
  readonly accuracy: number;
  /** Chance that a positive row scores above a negative one; ties count half. */
  readonly auc: number;
  /** Mean of -log probability of the true class, in nats. */
  readonly logLoss: number;
}

/**
 * @param logits of the positive class
 * @param labels 0 or 1
 * @throws ArgumentError when only one class occurs
 */
export function classifierQuality(logits: Numbers, labels: Numbers): ClassifierQuality {
  const right = Float64Array.from(logits, (z, i) => (z > 0 === (labels[i] === 1) ? 1 : 0));
  // log(1 + exp(-z)) for the logit of the true class, without overflow.
  const losses = Float64Array.from(logits, (logit, i) => {
    const z = labels[i] === 1 ? logit : -logit;
    return Math.max(-z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
  });
  return { accuracy: mean(right), auc: areaUnderRoc(logits, labels), logLoss: mean(losses) };
}

/** By the Mann-Whitney statistic: the rank sum of the positive rows. */
function areaUnderRoc(scores: Numbers, labels: Numbers): number {
  const rank = ranks(scores);
  const positive = Array.from(rank).filter((_, i) => labels[i] === 1);
  const negatives = scores.length - positive.length;
  if (positive.length === 0 || negatives === 0)
    throw new ArgumentError("the area under the ROC curve needs rows of both classes");
  const sum = positive.reduce((a, b) => a + b, 0);
  return (sum - (positive.length * (positive.length + 1)) / 2) / (positive.length * negatives);
}

export interface Recovery {
  /** Mean, over the true items, of the share of true items among all ranked at least as high: 1 if they come first. */
  readonly averagePrecision: number;
  /** Mean position of the true items, from 1. */
  readonly meanRank: number;
}

/** How well descending scores put the true items first. */
export function recovery(scores: Numbers, isTrue: (item: number) => boolean): Recovery {
  const positions = [...descending(scores)].flatMap((item, i) => (isTrue(item) ? [i + 1] : []));
  if (positions.length === 0) throw new ArgumentError("recovery: none of the items is a true one");
  return { averagePrecision: mean(positions.map((at, found) => (found + 1) / at)), meanRank: mean(positions) };
}
