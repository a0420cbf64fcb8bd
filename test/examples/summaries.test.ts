import { describe, expect, test } from "vitest";
import { nameList, positiveNumber, wholeNumber } from "../../examples/lib/command.ts";
import { overall, pairShare, partnerOf, strongest, tellingRows } from "../../examples/lib/tabular-summary.ts";
import { ArgumentError, hostArray } from "../../src/tensor/index.ts";

describe("over the rows", () => {
  // Two rows whose pair (0, 1) cancels in the mean, and whose pair (1, 2) does not.
  const interactions = hostArray([1, 2, 0, 2, 1, -1, 0, -1, 1, 1, -2, 0, -2, 1, -1, 0, -1, 1], [2, 3, 3]);
  const attributions = hostArray([3, 2, 0, -1, -2, 0], [2, 3]);
  const summary = overall(attributions, interactions);

  test("magnitudes and signed means", () => {
    expect([...summary.importance]).toEqual([2, 2, 0]);
    expect([...summary.attribution]).toEqual([1, 0, 0]);
    expect([...summary.signed]).toEqual([1, 0, 0, 0, 1, -1, 0, -1, 1]);
    expect([...summary.magnitude]).toEqual([1, 2, 0, 2, 1, 1, 0, 1, 1]);
  });

  test("pairs by magnitude, partners, and the share of pairs", () => {
    expect(strongest(summary)).toEqual([
      { pair: [0, 1], magnitude: 4, signed: 0 },
      { pair: [1, 2], magnitude: 2, signed: -2 },
      { pair: [0, 2], magnitude: 0, signed: 0 },
    ]);
    expect([0, 1, 2].map((i) => partnerOf(summary, i))).toEqual([1, 0, 1]);
    expect(pairShare(summary)).toBeCloseTo(6 / 9, 12);
  });
});

test("telling rows: the extremes of both classes and the closest call, none twice", () => {
  expect(tellingRows([5, -4, 0.1, 7, -9], [1, 0, 1, 0, 1]).map(({ row }) => row)).toEqual([0, 1, 2]);
  expect(tellingRows([5, -0.1], [1, 0]).map(({ row }) => row)).toEqual([0, 1]);
  expect(tellingRows([3], [1]).map(({ row }) => row)).toEqual([0]);
});

describe("options", () => {
  test("numbers and lists", () => {
    const given = { seeds: "7", beta: "2.5", targets: "a, b" };
    expect(wholeNumber(given, "seeds", 1, 1, 9)).toBe(7);
    expect(wholeNumber(given, "rows", 3, 1, 9)).toBe(3);
    expect(positiveNumber(given, "beta", 10)).toBe(2.5);
    expect(nameList(given, "targets")).toEqual(["a", "b"]);
    expect(nameList(given, "drop")).toBeUndefined();
  });

  test("what does not fit is refused", () => {
    for (const text of ["1.5", "0", "10", "", "many"]) {
      expect(() => wholeNumber({ seeds: text }, "seeds", 1, 1, 9)).toThrow(ArgumentError);
    }
    for (const text of ["0", "-1", "Infinity", ""]) {
      expect(() => positiveNumber({ beta: text }, "beta", 1)).toThrow(ArgumentError);
    }
    expect(() => nameList({ drop: "a,,b" }, "drop")).toThrow(/empty name/);
  });
});
