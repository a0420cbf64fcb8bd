import { describe, expect, test } from "vitest";
import { relativeError, spread } from "../../bench/statistics.ts";

describe("spread", () => {
  test("takes the middle of the sorted values, or the mean of the two in the middle", () => {
    expect(spread([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9 });
    expect(spread([10, 9, 100, 1])).toEqual({ median: 9.5, min: 1, max: 100 });
    expect(spread([7])).toEqual({ median: 7, min: 7, max: 7 });
  });

  test("leaves the values in their order", () => {
    const values = [3, 1, 2];
    spread(values);
    expect(values).toEqual([3, 1, 2]);
  });

  test("refuses no values", () => expect(() => spread([])).toThrow(RangeError));
});

describe("relativeError", () => {
  test("is the largest difference over the largest entry of the truth", () => {
    expect(relativeError([1, -4, 2.5], [1, -4, 2])).toBe(0.5 / 4);
    expect(relativeError([0.25], [0])).toBe(0.25);
  });

  test("is infinite for NaN, infinity and another length", () => {
    expect(relativeError([1, NaN], [1, 2])).toBe(Infinity);
    expect(relativeError([1, -Infinity], [1, 2])).toBe(Infinity);
    expect(relativeError([1, 2, 3], [1, 2])).toBe(Infinity);
    expect(relativeError([], [1])).toBe(Infinity);
  });
});
