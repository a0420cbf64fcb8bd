// IDGI along straight lines, curves and adaptive paths, against double precision.
import { describe, expect, test } from "vitest";
import { curvePath, guidedIG, idgi, integratedGradients, type Curve } from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, matmul, mul, relu, square, sub } from "../../src/kernels/index.ts";
import { ArgumentError, ShapeError } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { adaptiveTruth } from "./adaptive-truth.ts";
import { drawArray, expectNear, Mlp, rows, scoreTruth, type Vector } from "./networks.ts";

const truth = new Mlp("tanh", 5, 7, 3, 81);
const x = drawArray([2, 5], 82, 2);
const baseline = drawArray([2, 5], 83, 1);
const score = scoreTruth.probability(2);
const valueAt = (z: Vector): number => score.value(truth.logits(z));
const gradientAt = (z: Vector): number[] => truth.gradient(z, score.slope(truth.logits(z)));
const options = { target: 2, score: "probability", baseline } as const;

/** The gain of every step of a path, shared out by squared derivatives. */
function gains(path: readonly Vector[], value = valueAt, gradient = gradientAt): number[] {
  const total = path[0]!.map(() => 0);
  for (let s = 0; s + 1 < path.length; s++) {
    const g = gradient(path[s]!);
    const norm = g.reduce((t, v) => t + v * v, 0);
    const gain = value(path[s + 1]!) - value(path[s]!);
    g.forEach((v, i) => (total[i]! += norm === 0 ? 0 : (v * v * gain) / norm));
  }
  return total;
}

const line = (from: Vector, to: Vector, steps: number): number[][] =>
  Array.from({ length: steps + 1 }, (_, s) => from.map((v, i) => v + (s / steps) * (to[i]! - v)));

const sumDelta = (delta: ArrayLike<number>): void =>
  Array.from(delta).forEach((v) => expect(Math.abs(v)).toBeLessThan(1e-6));

describe("idgi", () => {
  test("shares out what each step of a straight line gains", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const result = await idgi(net.model, x, { ...options, steps: 12 });
      const expected = rows(x).flatMap((row, b) => gains(line(rows(baseline)[b]!, row, 12)));
      expectNear(result.attributions.data, expected);
      sumDelta(result.delta.data);
      expect([result.steps, result.evaluations]).toEqual([12, 13]);
      expect((await idgi(net.model, x, options)).steps).toBe(50);
    }));

  test("of all classes, from several baselines, in any chunks", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const set = [{ baseline }, { baseline: "zero" as const, weight: 3 }];
      const given = { ...options, steps: 200, baseline: set };
      const one = await idgi(net.model, x, given);
      const expected = rows(x).flatMap((row, b) => {
        const [a, zero] = [rows(baseline)[b]!, row.map(() => 0)].map((from) => gains(line(from, row, 200)));
        return a!.map((v, i) => 0.25 * v + 0.75 * zero![i]!);
      });
      expectNear(one.attributions.data, expected);
      const all = await idgi(net.model, x, { ...given, target: "all" });
      expectNear(all.attributions.data.slice(20), one.attributions.data, 1e-6);
      const cut = await idgi(net.model, x, { ...given, memoryBudget: Math.round(one.plan.bytes / 5) });
      expect(cut.plan.chunks).toBeGreaterThan(2);
      expectNear(cut.attributions.data, one.attributions.data, 1e-6);
      sumDelta(cut.delta.data);
    }));

  test("gives nothing where the gradient vanishes, and delta tells", () =>
    withCleanDevice(async (device) => {
      using w = device.tensor([1, 2], [2, 1]);
      // Flat up to half of the way.
      const f = (v: Value): Value => relu(sub(matmul(v, w), 1.5));
      const result = await idgi(
        f,
        { data: Float32Array.of(1, 1), shape: [1, 2], dtype: "f32" },
        { target: 0, steps: 4 },
      );
      // At 1/2 the gradient is still 0, at 3/4 it is (1, 2).
      expectNear(result.attributions.data, [0.15, 0.6]);
      expect(result.delta.data[0]).toBeCloseTo(-0.75, 5);
    }));

  test("of gradients whose squares would underflow", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const tiny = (v: Value): Value => mul(net.model(v), 1e-25);
      const [one, other] = [await idgi(net.model, x, { target: 0 }), await idgi(tiny, x, { target: 0 })];
      expectNear(
        other.attributions.data.map((v) => v * 1e25),
        one.attributions.data,
      );
    }));

  test.each([0, 3])("along the path of Guided IG, %i anchors", (anchors) =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const own = anchors > 0 ? { anchors, steps: 40 } : { steps: 40, maxDist: 0.2 };
      const result = await guidedIG(net.model, x, { ...options, ...own, weighting: "idgi" });
      const expected = rows(x).flatMap((row, b) => {
        const ends = line(rows(baseline)[b]!, row, anchors + 1);
        const paths = ends.slice(1).map((to, k) =>
          adaptiveTruth({
            gradient: gradientAt,
            x: to,
            baseline: ends[k]!,
            steps: 40 / (anchors + 1),
            fraction: 0.25,
            maxDist: anchors > 0 ? 1 : 0.2,
          }),
        );
        return gains([...paths.flatMap(({ path }) => path), row]);
      });
      expectNear(result.attributions.data, expected);
      sumDelta(result.delta.data);
      const all = await guidedIG(net.model, x, { ...options, ...own, weighting: "idgi", target: "all" });
      expectNear(all.attributions.data.slice(20), expected);
      sumDelta(all.delta.data);
    }),
  );
});

describe("curvePath", () => {
  /** Away from the straight line by as much as the way is long. */
  const bend: Curve = ({ baseline: from, input, alpha }) => {
    const way = sub(input, from);
    return add(add(from, mul(square(alpha), way)), mul(mul(alpha, sub(1, alpha)), square(way)));
  };

  test("is Integrated Gradients on the straight line", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      for (const rule of ["midpoint", "trapezoid"] as const) {
        const one = await curvePath(net.model, x, { ...options, rule, steps: 9 });
        const other = await integratedGradients(net.model, x, { ...options, rule, steps: 9 });
        expectNear(one.attributions.data, other.attributions.data, 3e-6);
      }
      const all = await curvePath(net.model, x, { baseline, target: "all" });
      const plain = await integratedGradients(net.model, x, { baseline, target: "all" });
      expectNear(all.attributions.data, plain.attributions.data, 3e-6);
    }));

  test("integrates along the tangent of a curve", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const result = await curvePath(net.model, x, { ...options, curve: bend, rule: "midpoint", steps: 60 });
      const cells = 60;
      const expected = rows(x).flatMap((row, b) => {
        const from = rows(baseline)[b]!;
        const total = row.map(() => 0);
        for (let k = 0; k < cells; k++) {
          const a = (k + 0.5) / cells;
          const way = row.map((v, i) => v - from[i]!);
          const g = gradientAt(from.map((v, i) => v + a * a * way[i]! + a * (1 - a) * way[i]! ** 2));
          g.forEach((v, i) => (total[i]! += (v * (2 * a * way[i]! + (1 - 2 * a) * way[i]! ** 2)) / cells));
        }
        return total;
      });
      expectNear(result.attributions.data, expected);
      result.delta.data.forEach((delta, b) => {
        const sum = expected.slice(5 * b, 5 * b + 5).reduce((t, v) => t + v, 0);
        expect(delta).toBeCloseTo(sum - (valueAt(rows(x)[b]!) - valueAt(rows(baseline)[b]!)), 5);
      });
      const shared = await idgi(net.model, x, { ...options, curve: bend, steps: 10 });
      sumDelta(shared.delta.data);
    }));

  test("refuses what does not fit", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const short: Curve = ({ alpha }) => alpha;
      await expect(curvePath(net.model, x, { ...options, curve: short })).rejects.toThrow(ShapeError);
      await expect(curvePath(net.model, x, { ...options, steps: 0 })).rejects.toThrow(ArgumentError);
      await expect(curvePath(net.model, x, { ...options, weighting: "idgi", rule: "left" })).rejects.toThrow("rule");
      await expect(curvePath(net.model, x, { ...options, weighting: "other" as "idgi" })).rejects.toThrow("weighting");
    }));
});
