// Guided IG: closed forms, double precision, and plain Integrated Gradients where the path is straight.
import { describe, expect, test } from "vitest";
import { guidedIG, integratedGradients } from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, mul, square } from "../../src/kernels/index.ts";
import { index } from "../../src/kernels/slice.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { adaptiveTruth } from "./adaptive-truth.ts";
import { argmax, draw, drawArray, expectNear, Mlp, rows, scoreTruth } from "./networks.ts";

const first = (x: Value): Value => index(x, 1, 0);
const second = (x: Value): Value => index(x, 1, 1);
const linear = (x: Value): Value => add(mul(first(x), 2), second(x));

describe("closed forms", () => {
  test("a linear score is shared out exactly", () =>
    withCleanDevice(async (device) => {
      const result = await guidedIG(linear, hostArray([10, 5], [1, 2]), {
        device,
        baseline: hostArray([-1, -3], [1, 2]),
      });
      expectNear(result.attributions.data, [22, 8], 1e-6);
      expect(result.delta.data[0]).toBeCloseTo(0, 4);
      expect(result.scores.input.data[0]! - result.scores.baseline.data[0]!).toBeCloseTo(30, 5);
      expect([result.steps, result.evaluations]).toEqual([200, 200]);
    }));

  test("so is a sum of functions of one coordinate each, up to the left sums", () =>
    withCleanDevice(async (device) => {
      const f = (x: Value): Value => add(mul(square(first(x)), 2), square(second(x)));
      const { attributions } = await guidedIG(f, hostArray([3, 3], [1, 2]), { device, steps: 1000 });
      expect(attributions.data[0]).toBeCloseTo(18, 1);
      expect(attributions.data[1]).toBeCloseTo(9, 1);
    }));

  test.each([
    [{ maxDist: 0 }, [54, 27]],
    [{ fraction: 0.1, maxDist: 1 }, [71.9, 9]],
    [{ fraction: 0.1, maxDist: 0.2 }, [65.4, 15.5]],
  ])("where coordinates act together, the corridor decides: %o", (options, expected) =>
    withCleanDevice(async (device) => {
      const f = (x: Value): Value => square(linear(x));
      const { attributions } = await guidedIG(f, hostArray([3, 3], [1, 2]), { device, steps: 1000, ...options });
      expected.forEach((v, i) => expect(Math.abs(attributions.data[i]! - v)).toBeLessThan(0.06));
    }),
  );
});

describe("against double precision", () => {
  const x = drawArray([3, 8], 31, 2);
  const baseline = drawArray([3, 8], 32, 1);

  test.each([
    ["tanh", {}],
    ["relu", {}],
    ["tanh", { steps: 30, fraction: 0.1, maxDist: 1 }],
    ["relu", { steps: 50, fraction: 0.5, maxDist: 0.1 }],
  ] as const)("%s network, %o", (kind, options) =>
    withCleanDevice(async (device) => {
      const truth = new Mlp(kind, 8, 10, 3, 41);
      using net = truth.on(device);
      const { steps, fraction, maxDist } = { steps: 200, fraction: 0.25, maxDist: 0.02, ...options };
      const result = await guidedIG(net.model, x, { ...options, baseline, score: "probability", returnPath: true });
      const targets = rows(x).map((row) => argmax(truth.logits(row)));
      expect([...result.targets!.data]).toEqual(targets);
      const expected = rows(x).map((row, b) => {
        const score = scoreTruth.probability(targets[b]!);
        const gradient = (z: readonly number[]): number[] => truth.gradient(z, score.slope(truth.logits(z)));
        const own = adaptiveTruth({ gradient, x: row, baseline: rows(baseline)[b]!, steps, fraction, maxDist });
        const gain = score.value(truth.logits(row)) - score.value(truth.logits(rows(baseline)[b]!));
        return { ...own, delta: own.attributions.reduce((a, v) => a + v, -gain) };
      });
      expectNear(
        result.attributions.data,
        expected.flatMap(({ attributions }) => attributions),
      );
      expected.forEach(({ delta }, b) => expect(result.delta.data[b]).toBeCloseTo(delta, 5));
      expect(result.path!.shape).toEqual([steps, 3, 8]);
      expectNear(
        result.path!.data,
        expected[0]!.path.flatMap((_, s) => expected.flatMap(({ path }) => path[s]!)),
      );
    }),
  );

  test("features that come ever closer to the end have not arrived", () =>
    withCleanDevice(async (device) => {
      const [wide, ends] = [new Mlp("tanh", 40, 30, 3, 50), drawArray([4, 40], 505)];
      const from = drawArray([4, 40], 905, 0.3);
      using net = wide.on(device);
      const setting = { steps: 60, fraction: 0.1, maxDist: 1 };
      const { attributions } = await guidedIG(net.model, ends, { target: 1, baseline: from, ...setting });
      const gradient = (z: readonly number[]): number[] => wide.gradient(z, [0, 1, 0]);
      const expected = rows(ends).flatMap(
        (row, b) => adaptiveTruth({ gradient, x: row, baseline: rows(from)[b]!, ...setting }).attributions,
      );
      expectNear(attributions.data, expected);
    }));

  test("segments between anchors are paths of their own", () =>
    withCleanDevice(async (device) => {
      const truth = new Mlp("tanh", 8, 10, 3, 41);
      using net = truth.on(device);
      const result = await guidedIG(net.model, x, { baseline, target: 1, anchors: 4, steps: 58, returnPath: true });
      // 58 steps for 5 segments: 12 for each.
      expect([result.steps, result.plan.rows]).toEqual([60, 5]);
      const gradient = (z: readonly number[]): number[] => truth.gradient(z, [0, 1, 0]);
      const each = rows(x).map((row, b) => {
        const from = rows(baseline)[b]!;
        const at = (a: number): number[] => row.map((v, i) => from[i]! + a * (v - from[i]!));
        return Array.from({ length: 5 }, (_, k) =>
          adaptiveTruth({ gradient, x: at((k + 1) / 5), baseline: at(k / 5), steps: 12, fraction: 0.25, maxDist: 1 }),
        );
      });
      const sums = each.flatMap((parts) =>
        parts[0]!.attributions.map((_, i) => parts.reduce((s, p) => s + p.attributions[i]!, 0)),
      );
      expectNear(result.attributions.data, sums);
      const points = Array.from({ length: 60 }, (_, s) =>
        each.flatMap((parts) => parts[Math.floor(s / 12)]!.path[s % 12]!),
      );
      expectNear(result.path!.data, points.flat());
    }));
});

describe("a straight path", () => {
  test.each([
    { maxDist: 0, fraction: 0.25 },
    { maxDist: 0.02, fraction: 1 },
    { maxDist: 1, fraction: 1 },
  ])("is that of Integrated Gradients with the left rule: %o", (options) =>
    withCleanDevice(async (device) => {
      using net = new Mlp("tanh", 5, 6, 3, 51).on(device);
      const x = drawArray([2, 5], 52, 2);
      const baseline = hostArray(draw(5, 53));
      const given = { target: 2, baseline, steps: 40 };
      const guided = await guidedIG(net.model, x, { ...given, ...options });
      const plain = await integratedGradients(net.model, x, { ...given, rule: "left" });
      expectNear(guided.attributions.data, plain.attributions.data, 3e-6);
      expectNear(guided.scores.baseline.data, plain.scores.baseline.data, 1e-6);
    }),
  );
});
