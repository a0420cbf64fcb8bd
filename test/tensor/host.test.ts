import { describe, expect, test } from "vitest";
import { ArgumentError, hostArray, ShapeError } from "../../src/tensor/index.ts";

describe("hostArray", () => {
  test("keeps a typed array that fits, and gives it one axis by default", () => {
    const data = new Float32Array([1, 2, 3]);
    const array = hostArray(data);
    expect(array.data).toBe(data);
    expect(array.shape).toEqual([3]);
    expect(hostArray([7], []).shape).toEqual([]);
  });

  test("converts to the element type", () => {
    expect(hostArray([1.5, NaN], [2]).data).toEqual(new Float32Array([1.5, NaN]));
    expect(hostArray([-1, 2 ** 31 - 1], [2], "i32").data).toEqual(new Int32Array([-1, 2 ** 31 - 1]));
    expect(hostArray([0, 2, -0.5, NaN], [4], "bool").data).toEqual(new Uint32Array([0, 1, 1, 1]));
  });

  test("refuses what does not fit", () => {
    expect(() => hostArray([1, 2, 3], [2, 2])).toThrow(
      new ShapeError("shape [2, 2] has 4 elements, but 3 numbers were given"),
    );
    expect(() => hostArray([1], [-1])).toThrow(ShapeError);
    expect(() => hostArray([1], [0.5, 2])).toThrow(/not made of whole numbers/);
    expect(() => hostArray([0, 1.5], [2], "i32")).toThrow(
      new ArgumentError('element 1 is 1.5, which i32 cannot hold; round it, or use dtype "f32"'),
    );
    expect(() => hostArray([2 ** 31], [1], "i32")).toThrow(ArgumentError);
  });
});
