import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  broadcastShapes,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  numel,
  sameShape,
  ShapeError,
  stridesOf,
} from "../../src/tensor/index.ts";

describe("shape", () => {
  test("counts elements and strides, scalars and empty axes included", () => {
    expect(numel([])).toBe(1);
    expect(numel([2, 0, 3])).toBe(0);
    expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
    expect(stridesOf([])).toEqual([]);
    expect(formatShape([2, 3])).toBe("[2, 3]");
    expect(sameShape([1, 2], [1, 2])).toBe(true);
    expect(sameShape([1], [1, 1])).toBe(false);
  });

  test("broadcasts as NumPy does", () => {
    expect(broadcastShapes("add", [2, 1, 4], [3, 1])).toEqual([2, 3, 4]);
    expect(broadcastShapes("add", [], [5])).toEqual([5]);
    expect(broadcastShapes("add", [1], [0])).toEqual([0]);
    expect(() => broadcastShapes("add", [2, 3], [2, 4])).toThrow(
      new ShapeError(
        "add: shapes [2, 3] and [2, 4] do not broadcast: axis -1 is 3 and 4; equal lengths are needed, or 1",
      ),
    );
  });

  test("normalizes axes", () => {
    expect(normalizeAxis("sum", -1, 3)).toBe(2);
    expect(normalizeAxes("sum", undefined, 2)).toEqual([0, 1]);
    expect(normalizeAxes("sum", [-1, 0], 3)).toEqual([0, 2]);
    expect(normalizeAxes("sum", 1, 3)).toEqual([1]);
    expect(() => normalizeAxis("sum", 3, 3)).toThrow(
      /axis 3 does not exist in rank 3; give a whole number from -3 to 2/,
    );
    expect(() => normalizeAxis("sum", 0.5, 3)).toThrow(ArgumentError);
    expect(() => normalizeAxis("sum", 0, 0)).toThrow(/a scalar has no axes/);
    expect(() => normalizeAxes("sum", [0, -2], 2)).toThrow(/axis 0 is named twice in \[0, -2\]/);
  });
});
