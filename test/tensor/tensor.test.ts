import { describe, expect, test } from "vitest";
import { ArgumentError, hostArray, ShapeError, type DType } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";

const values: Record<DType, number[]> = {
  f32: [0, -1.5, 3.25, 1e-30, -65504, 7, 2],
  i32: [0, -1, 2 ** 31 - 1, -(2 ** 31), 5, 6, 7],
  bool: [0, 1, 1, 0, 1, 0, 0],
};

describe("tensors", () => {
  for (const dtype of ["f32", "i32", "bool"] as const) {
    test(`${dtype} survives the way to the device and back, whatever its length`, () =>
      withCleanDevice(async (device) => {
        for (const length of [0, 1, 3, 4, 7]) {
          const data = values[dtype].slice(0, length);
          using tensor = device.tensor(data, [length], dtype);
          expect(await tensor.read()).toEqual(hostArray(data, [length], dtype));
        }
      }));
  }

  test("one read of several tensors is one submit and one readback", () =>
    withCleanDevice(async (device) => {
      using a = device.tensor([1, 2, 3], [3, 1]);
      using b = device.tensor([], [0, 4]);
      using c = device.tensor([1, 0], [2], "bool");
      using d = device.tensor([-9], [], "i32");
      const { submits, readbacks } = device.counters;
      const arrays = await device.read([a, b, c, d, a]);
      expect(arrays.map(({ shape }) => shape)).toEqual([[3, 1], [0, 4], [2], [], [3, 1]]);
      expect(arrays.map(({ data }) => [...data])).toEqual([[1, 2, 3], [], [1, 0], [-9], [1, 2, 3]]);
      expect(device.counters.submits - submits).toBe(1);
      expect(device.counters.readbacks - readbacks).toBe(1);
    }));

  test("a host array uploads with its own shape and type, or with others", () =>
    withCleanDevice(async (device) => {
      const array = hostArray([1, 2, 3, 4], [2, 2], "i32");
      using same = device.tensor(array);
      using changed = device.tensor(array, [4], "f32");
      expect(await same.read()).toEqual(array);
      expect(await changed.read()).toEqual(hostArray([1, 2, 3, 4]));
      expect(() => device.tensor(array, [3])).toThrow(ShapeError);
    }));

  test("a disposed tensor says so, and disposing twice is harmless", () =>
    withCleanDevice(async (device) => {
      const tensor = device.tensor([1, 2], [2]);
      tensor.dispose();
      tensor.dispose();
      expect(tensor.disposed).toBe(true);
      await expect(tensor.read()).rejects.toThrow(ArgumentError);
      await expect(tensor.read()).rejects.toThrow(/f32 tensor of shape \[2\] was disposed/);
    }));
});
