// Interior gradients, saliency and expected gradients against f64.
import { describe, expect, test } from "vitest";
import { expectedGradients, gradientXInput, interiorGradients, saliency } from "../../src/attribution/index.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { draw, drawArray, expectNear, integral, Mlp, rows, scoreTruth, worst } from "./networks.ts";

const truth = new Mlp("tanh", 4, 5, 3, 101);
const x = drawArray([2, 4], 102, 2);
const score = scoreTruth.probability(1);
const gradientAt = (z: readonly number[]): number[] => truth.gradient(z, score.slope(truth.logits(z)));

describe("saliency and gradient x input", () => {
  test("are the gradient, and its product with the input", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const options = { target: 1, score: "probability" } as const;
      const expected = rows(x).flatMap(gradientAt);
      const result = await saliency(net.model, x, options);
      expect(result.attributions.shape).toEqual([2, 4]);
      expectNear(result.attributions.data, expected);
      expectNear(
        result.scores.data,
        rows(x).map((row) => score.value(truth.logits(row))),
      );
      const product = await gradientXInput(net.model, x, options);
      expectNear(
        product.attributions.data,
        expected.map((g, i) => g * x.data[i]!),
      );
      const [zero] = [score.value(truth.logits([0, 0, 0, 0]))];
      product.delta.data.forEach((delta, b) => {
        const sum = expected.slice(4 * b, 4 * b + 4).reduce((s, g, i) => s + g * x.data[4 * b + i]!, 0);
        expect(delta).toBeCloseTo(sum - (score.value(truth.logits(rows(x)[b]!)) - zero), 5);
      });
    }));

  test("saliency of all classes is the Jacobian", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const { attributions } = await saliency(net.model, x, { target: "all" });
      expect(attributions.shape).toEqual([3, 2, 4]);
      const jacobian = [0, 1, 2].flatMap((k) =>
        rows(x).flatMap((row) => truth.gradient(row, scoreTruth.logit(k).slope(truth.logits(row)))),
      );
      expectNear(attributions.data, jacobian);
    }));
});

describe("interior gradients", () => {
  const baseline = draw(4, 103);
  const along = (a: number): number[][] =>
    rows(x).map((row) => row.map((v, i) => baseline[i]! + a * (v - baseline[i]!)));

  test("are gradients, scores and layers along the path", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const alphas = [0, 0.3, 0.3, 1, 1.5];
      const result = await interiorGradients(net.model, x, {
        target: 1,
        score: "probability",
        baseline: hostArray(baseline),
        alphas,
        layers: ["hidden"],
      });
      expect(result.alphas).toEqual(alphas);
      expect(result.gradients.shape).toEqual([5, 2, 4]);
      const gradients = alphas.map((a) => along(a).flatMap(gradientAt));
      expectNear(result.gradients.data, gradients.flat());
      expectNear(
        result.scores.data,
        alphas.flatMap((a) => along(a).map((z) => score.value(truth.logits(z)))),
      );
      expectNear(
        result.meanAbsGradient,
        gradients.map((g) => g.reduce((s, v) => s + Math.abs(v), 0) / g.length),
      );
      const hidden = alphas.map((a) =>
        along(a).flatMap((z) =>
          truth.b1.map((b, h) => Math.tanh(z.reduce((s, v, i) => s + v * truth.w1[i * 5 + h]!, b))),
        ),
      );
      const dot = (p: number[], q: number[]): number => p.reduce((s, v, i) => s + v * q[i]!, 0);
      const last = hidden.at(-1)!;
      const cosines = hidden.map((v) => 1 - dot(v, last) / Math.sqrt(dot(v, v) * dot(last, last)));
      result.cosineDistances["hidden"]!.forEach((d, i) => expect(d).toBeCloseTo(cosines[i]!, 5));
    }));

  test("by default run from the baseline to the input in 11 steps", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const { alphas, scores } = await interiorGradients(net.model, x, { target: 0 });
      expectNear(
        alphas,
        Array.from({ length: 11 }, (_, k) => k / 10),
        1e-12,
      );
      expect(scores.shape).toEqual([11, 2]);
    }));

  test("do not depend on the chunks", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const whole = await interiorGradients(net.model, x, { target: 0, steps: 9 });
      let reports = 0;
      const onProgress = (): void => void reports++;
      for (let memoryBudget = 8192; ; memoryBudget *= 0.97) {
        const options = { target: 0, steps: 9, memoryBudget, onProgress };
        const cut = await interiorGradients(net.model, x, options).catch((error: Error) => error);
        if (cut instanceof Error) {
          expect(cut.name).toBe("LimitError");
          break;
        }
        expectNear(cut.gradients.data, whole.gradients.data);
        expect(cut.gradients.shape).toEqual(whole.gradients.shape);
        if (reports > 60) break;
      }
      expect(reports).toBeGreaterThan(20);
    }));
});

describe("expected gradients", () => {
  const references = drawArray([3, 4], 104);

  test("with explicit draws are the mean over them", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const index = [0, 2, 1, 1, 1, 0, 2, 2];
      const alpha = draw(8, 105).map((v) => (v + 1) / 2);
      const { attributions, delta, evaluations } = await expectedGradients(net.model, x, {
        references,
        draws: { index, alpha },
        target: 1,
        score: "probability",
      });
      const expected = rows(x).map((row, b) => {
        const sum = [0, 0, 0, 0];
        for (let s = 0; s < 4; s++) {
          const r = rows(references)[index[b * 4 + s]!]!;
          const a = alpha[b * 4 + s]!;
          gradientAt(row.map((v, i) => r[i]! + a * (v - r[i]!))).forEach(
            (g, i) => (sum[i]! += ((row[i]! - r[i]!) * g) / 4),
          );
        }
        return sum;
      });
      expectNear(attributions.data, expected.flat());
      expect(evaluations).toBe(4);
      rows(x).forEach((row, b) => {
        const from = [0, 1, 2, 3].reduce(
          (s, k) => s + score.value(truth.logits(rows(references)[index[b * 4 + k]!]!)) / 4,
          0,
        );
        const total = expected[b]!.reduce((s, v) => s + v, 0);
        expect(delta.data[b]).toBeCloseTo(total - (score.value(truth.logits(row)) - from), 5);
      });
    }));

  test("with one reference tend to Integrated Gradients from it", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const one = hostArray(draw(4, 106), [1, 4]);
      const limit = rows(x).flatMap((row) => integral(truth, score, row, rows(one)[0]!));
      const error = async (samples: number): Promise<number> => {
        const options = { references: one, samples, seed: 3, target: 1, score: "probability" } as const;
        return worst((await expectedGradients(net.model, x, options)).attributions.data, limit);
      };
      // Stratified positions: the error falls like n^-1.5.
      expect(await error(256)).toBeLessThan(2e-3);
    }));

  test("with many samples tend to the mean over references", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const limit = rows(x).flatMap((row) => {
        const each = rows(references).map((r) => integral(truth, score, row, r));
        return row.map((_, i) => each.reduce((s, e) => s + e[i]! / 3, 0));
      });
      const options = { references, samples: 1500, seed: 5, target: 1, score: "probability" } as const;
      const { attributions } = await expectedGradients(net.model, x, options);
      expect(worst(attributions.data, limit)).toBeLessThan(0.06);
      const again = await expectedGradients(net.model, x, options);
      expect(again.attributions).toEqual(attributions);
      const other = await expectedGradients(net.model, x, { ...options, seed: 6 });
      expect(other.attributions).not.toEqual(attributions);
    }));
});
