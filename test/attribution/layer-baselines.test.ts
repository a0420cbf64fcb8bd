// Baselines given at the layer that is attributed to, as token ids need them.
import { describe, expect, test } from "vitest";
import { integratedGradients } from "../../src/attribution/index.ts";
import { embedding, mul, square, sum } from "../../src/kernels/index.ts";
import { hostArray, type Device } from "../../src/tensor/index.ts";
import type { Tap } from "../../src/nn/model.ts";
import type { Value } from "../../src/graph/node.ts";
import { withCleanDevice } from "../gpu.ts";

const TABLE = [0.5, -1, 2, 0.25, -0.75, 1.5];
const ids = hostArray([2, 0], [1, 2], "i32");

/** Sum over tokens and coordinates of the squared embedding: from zero, IG of each coordinate is its square. */
function squares(device: Device) {
  const table = device.tensor(TABLE, [3, 2]);
  const model = (x: Value, tap?: Tap): Value => {
    const e = embedding(table, x);
    return sum(square(tap ? tap("embedding", e) : e), [1, 2]);
  };
  return { model, [Symbol.dispose]: () => table.dispose() };
}

describe("a baseline of the layer", () => {
  test("zero: closed form of the squared embedding", () =>
    withCleanDevice(async (device) => {
      using net = squares(device);
      const result = await integratedGradients(net.model, ids, { layer: "embedding", baselineOf: "layer", steps: 4 });
      const chosen = [-0.75, 1.5, 0.5, -1];
      expect(result.attributions.shape).toEqual([1, 2, 2]);
      result.attributions.data.forEach((a, i) => expect(a).toBeCloseTo(chosen[i]! ** 2, 5));
      expect(Math.abs(result.delta.data[0]!)).toBeLessThan(1e-5);
      expect(result.scores.baseline.data[0]).toBe(0);
    }));

  test("an array, such as a mask embedding: (e - m)(e + m)", () =>
    withCleanDevice(async (device) => {
      using net = squares(device);
      const mask = [0.1, 0.2, 0.3, 0.4];
      const baseline = { embedding: hostArray(mask, [1, 2, 2]) };
      const result = await integratedGradients(net.model, ids, {
        layer: "embedding",
        baselineOf: "layer",
        baseline,
        steps: 4,
      });
      const chosen = [-0.75, 1.5, 0.5, -1];
      result.attributions.data.forEach((a, i) => expect(a).toBeCloseTo(chosen[i]! ** 2 - mask[i]! ** 2, 5));
    }));

  test("without a layer is refused", () =>
    withCleanDevice(async (device) => {
      const run = integratedGradients((x: Value) => sum(mul(x, x)), hostArray([1, 2]), { device, baselineOf: "layer" });
      await expect(run).rejects.toThrow(/baselineOf.*layer/);
    }));
});

describe("an input on the device", () => {
  test("is not read back for a baseline that does not depend on it", () =>
    withCleanDevice(async (device) => {
      using x = device.tensor([1, 2]);
      const before = { ...device.counters };
      const result = await integratedGradients((v: Value) => sum(square(v)), x);
      expect(device.counters.readbacks - before.readbacks).toBe(1);
      expect(device.counters.submits - before.submits).toBe(1);
      result.attributions.data.forEach((a, i) => expect(a).toBeCloseTo((i + 1) ** 2, 5));
    }));

  test("nothing is uploaded once the signal is aborted", () =>
    withCleanDevice(async (device) => {
      const before = device.counters.bytesUploaded;
      const signal = AbortSignal.abort(new Error("stopped"));
      const run = integratedGradients((v: Value) => sum(square(v)), hostArray([1]), { device, signal });
      await expect(run).rejects.toThrow("stopped");
      expect(device.counters.bytesUploaded).toBe(before);
    }));
});
