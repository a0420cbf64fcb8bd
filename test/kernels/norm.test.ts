// Normalisations against plain loops in double precision.
import { describe, expect, test } from "vitest";
import { grad } from "../../src/autograd/index.ts";
import { trace } from "../../src/graph/trace.ts";
import { mul } from "../../src/kernels/arithmetic.ts";
import { batchNorm, layerNorm, localResponseNorm } from "../../src/kernels/norm.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { hostArray, ShapeError } from "../../src/tensor/index.ts";
import { absolute, random, run, worst } from "./run.ts";

describe("local response normalisation", () => {
  const [C, P] = [7, 6];
  /** y and, for cotangent `ct`, the cotangent of x, of one image [C, P]. */
  function truth(
    x: ArrayLike<number>,
    ct: ArrayLike<number>,
    size: number,
    alpha: number,
    beta: number,
    k: number,
  ): [number[], number[]] {
    const [low, high] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
    const y = Array.from(x, () => 0);
    const back = Array.from(x, () => 0);
    for (let p = 0; p < P; p++)
      for (let c = 0; c < C; c++) {
        const window = Array.from({ length: size }, (_, i) => c - low + i).filter(
          (d) => d >= 0 && d < C && d <= c + high,
        );
        const s = k + (alpha / size) * window.reduce((a, d) => a + x[d * P + p]! ** 2, 0);
        const at = c * P + p;
        y[at] = x[at]! * s ** -beta;
        back[at]! += ct[at]! * s ** -beta;
        for (const d of window)
          back[d * P + p]! -= ct[at]! * x[at]! * beta * s ** (-beta - 1) * ((2 * alpha) / size) * x[d * P + p]!;
      }
    return [y, back];
  }

  for (const size of [1, 3, 4, 5, 9]) {
    test(`window of ${size}`, async () => {
      const [x, ct] = [random([1, C, 2, 3], { low: -2, high: 2 }), random([1, C, 2, 3], { seed: 4 })];
      const options = { size, alpha: 0.7, beta: 0.75, k: 1.5 };
      const [y, g] = await run(
        (v, u) => [localResponseNorm(v, options), grad((w) => sum(mul(localResponseNorm(w, options), u)))(v)],
        x,
        ct,
      );
      const [value, gradient] = truth(x.data, ct.data, size, 0.7, 0.75, 1.5);
      expect(worst(y!.data, value, absolute)).toBeLessThan(1e-6);
      expect(worst(g!.data, gradient, absolute)).toBeLessThan(2e-6);
    });
  }
});

describe("batch normalisation", () => {
  test("per channel, far from 0", async () => {
    const x = random([2, 3, 4], { low: 999, high: 1001 });
    const parameters = [
      [1000, 999.5, 1000.5],
      [0.25, 1, 4],
      [2, -1, 0.5],
      [0.5, 0, -3],
    ].map((v) => hostArray(v));
    const [y] = await run(
      (v, mean, variance, scale, offset) => batchNorm(v, { mean, variance, scale, offset }),
      x,
      ...parameters,
    );
    const [mean, variance, scale, offset] = parameters.map((p) => p.data);
    const truth = Array.from(x.data, (v, i) => {
      const c = Math.floor(i / 4) % 3;
      return ((v - mean![c]!) / Math.sqrt(variance![c]! + 1e-5)) * scale![c]! + offset![c]!;
    });
    expect(worst(y!.data, truth, absolute)).toBeLessThan(1e-6);
  });

  test("parameters of another length", () => {
    const wrong = (): unknown =>
      trace((x, m) => batchNorm(x, { mean: m, variance: 1 }), [{ shape: [2, 3, 4] }, { shape: [4] }]);
    expect(wrong).toThrow(ShapeError);
  });
});

describe("layer normalisation", () => {
  test("over the last two axes, with scale and offset, far from 0", async () => {
    const x = random([3, 4, 5], { low: 99, high: 101 });
    const [scale, offset] = [random([4, 5], { seed: 2 }), random([4, 5], { seed: 3 })];
    const [y] = await run((v, s, o) => layerNorm(v, { scale: s, offset: o, axes: [-2, -1] }), x, scale, offset);
    const truth = [0, 20, 40].flatMap((at) => {
      const row = [...x.data.subarray(at, at + 20)];
      const mean = row.reduce((a, v) => a + v, 0) / 20;
      const variance = row.reduce((a, v) => a + (v - mean) ** 2, 0) / 20;
      return row.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * scale.data[i]! + offset.data[i]!);
    });
    // The mean itself is rounded to 4e-6 at 100.
    expect(worst(y!.data, truth, absolute)).toBeLessThan(2e-5);
  });

  test("over an inner axis", async () => {
    const x = random([2, 3, 4]);
    const [y] = await run((v) => layerNorm(v, { axes: 1, epsilon: 1e-3 }), x);
    const truth = Array.from(x.data, (v, i) => {
      const column = [0, 1, 2].map((c) => x.data[Math.floor(i / 12) * 12 + c * 4 + (i % 4)]!);
      const mean = column.reduce((a, u) => a + u, 0) / 3;
      return (v - mean) / Math.sqrt(column.reduce((a, u) => a + (u - mean) ** 2, 0) / 3 + 1e-3);
    });
    expect(worst(y!.data, truth, absolute)).toBeLessThan(3e-6);
  });
});
