// The path from blurred to sharp against plain loops in double precision.
import { describe, expect, test } from "vitest";
import { blurPath } from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { mul, sum, tanh } from "../../src/kernels/index.ts";
import { ArgumentError, ShapeError } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { draw, drawArray, expectNear } from "./networks.ts";

const [H, W] = [4, 5];
const x = drawArray([2, 1, H, W], 91, 2);
const weight = draw(H * W, 92);

/** Convolution with a Gaussian of width s, black outside; `order` 1: derivative by s. */
function blurredAt(image: readonly number[], s: number, maxSigma: number): number[] {
  const bell = (d: number): number => Math.exp((-d * d) / (2 * s * s));
  const reach = Math.ceil(4 * maxSigma);
  let all = 0;
  for (let k = -reach; k <= reach; k++) all += bell(k);
  return image.map((_, at) => {
    const [r, c] = [Math.floor(at / W), at % W];
    return image.reduce((t, v, from) => t + (v * bell(Math.floor(from / W) - r) * bell((from % W) - c)) / all ** 2, 0);
  });
}

const images = [0, 1].map((b) => Array.from(x.data.slice(b * H * W, (b + 1) * H * W)));

describe("blurPath", () => {
  test("integrates along the scale", () =>
    withCleanDevice(async (device) => {
      using w = device.tensor(weight, [1, H, W]);
      const f = (v: Value): Value => sum(tanh(mul(v, w)), [1, 2, 3]);
      const maxSigma = 3;
      const result = await blurPath(f, x, { maxSigma, steps: 40, rule: "gauss-legendre" });
      const cells = 4000;
      const expected = images.flatMap((image) => {
        const total = image.map(() => 0);
        const at = (a: number): number[] => blurredAt(image, maxSigma * (1 - a), maxSigma);
        for (let k = 0; k < cells; k++) {
          const [before, here, after] = [k / cells, (k + 0.5) / cells, Math.min((k + 1) / cells, 1 - 1e-9)].map(at);
          here!.forEach(
            (z, i) => (total[i]! += (after![i]! - before![i]!) * weight[i]! * (1 - Math.tanh(z * weight[i]!) ** 2)),
          );
        }
        return total;
      });
      expectNear(result.attributions.data, expected, 2e-4);
      const value = (z: readonly number[]): number => z.reduce((t, v, i) => t + Math.tanh(v * weight[i]!), 0);
      images.forEach((image, b) => {
        expect(result.scores.input.data[b]).toBeCloseTo(value(image), 5);
        expect(result.scores.baseline.data[b]).toBeCloseTo(value(blurredAt(image, maxSigma, maxSigma)), 5);
        expect(Math.abs(result.delta.data[b]!)).toBeLessThan(1e-3);
      });
      const shared = await blurPath(f, x, { maxSigma, steps: 20, weighting: "idgi" });
      shared.delta.data.forEach((v) => expect(Math.abs(v)).toBeLessThan(1e-5));
    }));

  test("defaults: 100 steps", () =>
    withCleanDevice(async (device) => {
      using w = device.tensor(weight, [1, H, W]);
      const f = (v: Value): Value => sum(mul(v, w), [1, 2, 3]);
      const result = await blurPath(f, x);
      expect(result.steps).toBe(100);
      // At 50 pixels next to nothing is left of so small a picture.
      result.scores.baseline.data.forEach((v) => expect(Math.abs(v)).toBeLessThan(1e-2));
    }));

  test("refuses widths and inputs that do not fit", () =>
    withCleanDevice(async (device) => {
      const f = (v: Value): Value => sum(v, 1);
      for (const maxSigma of [0, -1, NaN, Infinity])
        await expect(blurPath(f, drawArray([2, 4], 1), { device, maxSigma })).rejects.toThrow(ArgumentError);
      await expect(blurPath(f, drawArray([2, 4], 1), { device })).rejects.toThrow(ShapeError);
    }));
});
