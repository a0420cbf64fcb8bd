import { describe, expect, test } from "vitest";
import {
  classifierQuality,
  descending,
  explainedVariance,
  meanHeight,
  median,
  ranks,
  recovery,
  sampleDeviation,
} from "../../examples/lib/statistics.ts";
import { random } from "../../src/nn/index.ts";

describe("classifiers", () => {
  test("accuracy, area under the curve and log loss against their definitions", () => {
    const stream = random("logits");
    const labels = Array.from({ length: 60 }, () => stream.below(2));
    // Rounded, so that there are ties.
    const logits = labels.map((label) => Math.round(2 * (stream.normal() + label)) / 2);
    const { accuracy, auc, logLoss } = classifierQuality(logits, labels);
    let [right, loss, above, count] = [0, 0, 0, 0];
    labels.forEach((label, i) => {
      const p = 1 / (1 + Math.exp(-logits[i]!));
      right += (p > 0.5 ? 1 : 0) === label ? 1 : 0;
      loss -= Math.log(label === 1 ? p : 1 - p);
      labels.forEach((other, j) => {
        if (label !== 1 || other !== 0) return;
        count++;
        above += logits[i]! > logits[j]! ? 1 : logits[i] === logits[j] ? 0.5 : 0;
      });
    });
    expect(accuracy).toBeCloseTo(right / labels.length, 12);
    expect(logLoss).toBeCloseTo(loss / labels.length, 12);
    expect(auc).toBeCloseTo(above / count, 12);
  });

  test("log loss stays finite for logits that saturate", () => {
    expect(classifierQuality([1000, -1000], [0, 1]).logLoss).toBe(1000);
    expect(classifierQuality([1000, -1000], [1, 0]).logLoss).toBe(0);
  });

  test("one class alone has no curve", () => {
    expect(() => classifierQuality([1, 2], [1, 1])).toThrow(/both classes/);
  });
});

test("ranks share ties; descending order keeps them in place", () => {
  expect([...ranks([5, 1, 5, 3])]).toEqual([3.5, 1, 3.5, 2]);
  expect([...descending([5, 1, 5, 3])]).toEqual([0, 2, 3, 1]);
});

test("median, deviation, explained variance and mean height of small examples", () => {
  expect(median([9, 1, 4])).toBe(4);
  expect(median([9, 1, 4, 5])).toBe(4.5);
  expect(sampleDeviation([1, 3])).toBeCloseTo(Math.SQRT2, 12);
  expect(explainedVariance([1, 2, 3], [1, 2, 3])).toBe(1);
  expect(explainedVariance([2, 2, 2], [1, 2, 3])).toBe(0);
  // Two trapezia, 1 x (1 + 3) / 2 and 3 x (3 + 0) / 2, over a length of 4.
  expect(meanHeight([0, 1, 4], [1, 3, 0])).toBe((2 + 4.5) / 4);
});

describe("recovery of true items", () => {
  const isTrue = (item: number): boolean => item < 2;

  test("all first, all last, and in between", () => {
    expect(recovery([9, 8, 1, 0], isTrue)).toEqual({ averagePrecision: 1, meanRank: 1.5 });
    expect(recovery([0, 1, 8, 9], isTrue)).toEqual({ averagePrecision: (1 / 3 + 2 / 4) / 2, meanRank: 3.5 });
    expect(recovery([9, 1, 5, 0], isTrue)).toEqual({ averagePrecision: (1 + 2 / 3) / 2, meanRank: 2 });
  });

  test("nothing true to be found is an error", () => {
    expect(() => recovery([1, 2], () => false)).toThrow(/none/);
  });
});
