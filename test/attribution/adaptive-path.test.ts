// Adaptive paths of one's own, and how they run.
import { describe, expect, test } from "vitest";
import {
  adaptivePath,
  guidedIG,
  type AdaptivePathOptions,
  type Choose,
  type Progress,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { abs, concat, exp, matmul, mul, neg, reshape, sub, sum, tanh } from "../../src/kernels/index.ts";
import type { Tap } from "../../src/nn/model.ts";
import { ArgumentError, hostArray, NumericError, ShapeError } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { adaptiveTruth } from "./adaptive-truth.ts";
import { draw, drawArray, expectNear, Mlp, rows, type Vector } from "./networks.ts";

const truth = new Mlp("tanh", 6, 9, 3, 61);
const x = drawArray([3, 6], 62, 2);
const baseline = drawArray([3, 6], 63, 1);
const options = { target: 1, baseline, steps: 25, fraction: 0.3, maxDist: 0.3 } as const;
/** Least expected change of the score first. */
const remaining: Choose = ({ gradient, position, input }) => abs(mul(gradient, sub(input, position)));

describe("adaptivePath", () => {
  type Cost = (g: Vector, z: Vector, x: Vector) => number[];
  test.each<[string, Choose, Cost]>([
    ["|gradient x remaining distance|", remaining, (g, z, to) => g.map((v, i) => Math.abs(v * (to[i]! - z[i]!)))],
    ["the signed gradient", ({ gradient }) => gradient, (g) => [...g]],
    ["the largest gradient first", ({ gradient }) => neg(abs(gradient)), (g) => g.map((v) => -Math.abs(v))],
  ])("takes any cost: %s", (_, choose, costOf) =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const result = await adaptivePath(net.model, x, { ...options, choose });
      const expected = rows(x).flatMap((row, b) => {
        const { steps, fraction, maxDist } = options;
        const cost = (g: Vector, z: Vector): number[] => costOf(g, z, row);
        const gradient = (z: Vector): number[] => truth.gradient(z, [0, 1, 0]);
        return adaptiveTruth({ gradient, x: row, baseline: rows(baseline)[b]!, steps, fraction, maxDist, cost })
          .attributions;
      });
      expectNear(result.attributions.data, expected);
      const guided = await guidedIG(net.model, x, options);
      expect(guided.attributions.data).not.toEqual(result.attributions.data);
    }),
  );

  test("tells the cost both ends, the position and the progress", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      // Written in two ways that are equal on the path.
      const byPosition: Choose = ({ position, baseline: from }) => abs(sub(position, from));
      const byProgress: Choose = ({ progress, input, baseline: from }) => mul(progress, abs(sub(input, from)));
      const one = await adaptivePath(net.model, x, { ...options, choose: byPosition });
      const other = await adaptivePath(net.model, x, { ...options, choose: byProgress });
      expectNear(one.attributions.data, other.attributions.data, 1e-4);
    }));

  test("several examples, classes and baselines at once are those alone", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const together = await guidedIG(net.model, x, { ...options, target: "all" });
      expect(together.attributions.shape).toEqual([3, 3, 6]);
      expect(together.plan.rows).toBe(3);
      for (const target of [0, 1, 2]) {
        for (const b of [0, 1, 2]) {
          const one = hostArray(rows(x)[b]!, [1, 6]);
          const from = hostArray(rows(baseline)[b]!, [1, 6]);
          const alone = await guidedIG(net.model, one, { ...options, target, baseline: from });
          const at = (target * 3 + b) * 6;
          expectNear(together.attributions.data.slice(at, at + 6), alone.attributions.data, 1e-6);
          expect(together.delta.data[target * 3 + b]).toBeCloseTo(alone.delta.data[0]!, 5);
        }
      }
      const zero = await guidedIG(net.model, x, { ...options, baseline: "zero" });
      const given = await guidedIG(net.model, x, options);
      const mean = await guidedIG(net.model, x, {
        ...options,
        baseline: [{ baseline: "zero", weight: 3 }, { baseline }],
      });
      expectNear(
        mean.attributions.data,
        given.attributions.data.map((v, i) => 0.25 * v + 0.75 * zero.attributions.data[i]!),
        1e-6,
      );
      expect(mean.evaluations).toBe(50);
      mean.delta.data.forEach((v, b) =>
        expect(v).toBeCloseTo(0.25 * given.delta.data[b]! + 0.75 * zero.delta.data[b]!, 5),
      );
    }));

  test("coordinates of all inputs compete", () =>
    withCleanDevice(async (device) => {
      using w = device.tensor(draw(24, 71), [6, 4]);
      const whole = (v: Value): Value => sum(tanh(matmul(v, w)), 1);
      const parts = (v: Readonly<Record<string, Value>>): Value => whole(concat([v["a"]!, v["b"]!], 1));
      const cut = (array: typeof x, from: number, to: number) =>
        hostArray(
          rows(array).flatMap((row) => row.slice(from, to)),
          [3, to - from],
        );
      const rest = { ...options, target: undefined };
      const one = await guidedIG(whole, x, { ...rest, returnPath: true });
      const two = await guidedIG(
        parts,
        { a: cut(x, 0, 2), b: cut(x, 2, 6) },
        { ...rest, baseline: { a: cut(baseline, 0, 2), b: cut(baseline, 2, 6) }, returnPath: true },
      );
      expectNear(two.attributions.a.data, cut(one.attributions, 0, 2).data, 1e-6);
      expectNear(two.attributions.b.data, cut(one.attributions, 2, 6).data, 1e-6);
      expect(two.path!.b.shape).toEqual([25, 3, 4]);
    }));

  test("attributes to a layer", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const { attributions, delta } = await guidedIG(net.model, x, { target: 1, layer: "hidden", steps: 10 });
      expect(attributions.shape).toEqual([3, 9]);
      // The rest of the network is linear: nothing is missing.
      delta.data.forEach((v) => expect(Math.abs(v)).toBeLessThan(1e-5));
    }));

  test("takes a score without examples as one of the whole input", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const one = (v: Value): Value => sum(net.model(v));
      const { attributions, delta } = await guidedIG(one, x, { steps: 7 });
      expect([attributions.shape, delta.shape]).toEqual([[3, 6], []]);
    }));
});

describe("how it runs", () => {
  test("one readback; dispatches grow with the steps, pipelines do not", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const plans = [];
      for (const steps of [3, 120]) {
        const before = { ...device.counters };
        const { plan } = await guidedIG(net.model, x, { ...options, steps });
        expect(device.counters.readbacks - before.readbacks).toBe(1);
        expect(plan.readbacks).toBe(1);
        expect(device.counters.submits - before.submits).toBe(plan.submits);
        expect(device.counters.dispatches - before.dispatches).toBe(plan.dispatches);
        plans.push(plan);
      }
      expect(plans[1]!.dispatches - plans[0]!.dispatches).toBe(117 * plans[0]!.dispatchesPerStep);
      expect(plans.map((plan) => plan.submits)).toEqual([1, 3]);
      const built = device.counters.pipelines;
      await guidedIG(net.model, x, { ...options, steps: 77, fraction: 0.7, maxDist: 0.01 });
      expect(device.counters.pipelines).toBe(built);
    }));

  test("results do not depend on the memory budget", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const free = await guidedIG(net.model, x, { ...options, target: "all", anchors: 2, maxDist: undefined });
      expect(free.plan.groups).toBe(1);
      const memoryBudget = Math.round(free.plan.bytes / 4);
      const tight = await guidedIG(net.model, x, {
        ...options,
        target: "all",
        anchors: 2,
        maxDist: undefined,
        memoryBudget,
      });
      expect(tight.plan.groups).toBeGreaterThan(1);
      expect(tight.plan.bytes).toBeLessThanOrEqual(memoryBudget);
      expectNear(tight.attributions.data, free.attributions.data, 1e-6);
      expectNear(tight.scores.baseline.data, free.scores.baseline.data, 1e-6);
      expect(tight.plan.readbacks).toBe(1);
      const whole = { ...options, anchors: 4, maxDist: undefined, returnPath: true };
      const at = await guidedIG(net.model, x, whole);
      const also = await guidedIG(net.model, x, { ...whole, memoryBudget: Math.round(at.plan.bytes * 0.6) });
      expect(at.plan.groups).toBe(1);
      expect(also.plan.groups).toBeGreaterThan(1);
      expectNear(also.path!.data, at.path!.data, 1e-6);
      await expect(guidedIG(net.model, x, { ...options, memoryBudget: 100 })).rejects.toThrow("memoryBudget");
    }));

  test("reports progress", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const seen: Progress[] = [];
      await guidedIG(net.model, x, { ...options, target: "all", steps: 120, onProgress: (p) => seen.push(p) });
      expect(seen).toEqual([150, 300, 360].map((done) => ({ done, total: 360 })));
    }));

  test("stops when told, and leaves nothing on the device", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const live = device.memory.live;
      const stop = new AbortController();
      const run = guidedIG(net.model, x, {
        ...options,
        steps: 500,
        signal: stop.signal,
        onProgress: () => stop.abort(new Error("enough")),
      });
      await expect(run).rejects.toThrow("enough");
      expect(device.memory.live).toBe(live);
    }));
});

describe("refuses", () => {
  const refusals: [string, Partial<AdaptivePathOptions>, string][] = [
    ["a fraction of 0", { fraction: 0 }, "fraction: expected a number in (0, 1], got 0"],
    ["a fraction above 1", { fraction: 1.01 }, "fraction"],
    ["a fraction that is no number", { fraction: NaN }, "fraction"],
    ["a negative corridor", { maxDist: -0.1 }, "maxDist: expected a finite number >= 0, got -0.1"],
    ["a corridor without end", { maxDist: Infinity }, "maxDist"],
    ["no steps", { steps: 0 }, "steps"],
    ["half steps", { steps: 1.5 }, "steps"],
    ["negative anchors", { anchors: -1, maxDist: undefined }, "anchors"],
    ["anchors with a corridor", { anchors: 3 }, "give anchors or maxDist"],
    ["an unknown weighting", { weighting: "square" as "idgi" }, "weighting"],
    ["one path of all classes", { target: "all", returnPath: true }, "returnPath"],
    [
      "one path of several baselines",
      { baseline: [{ baseline: "zero" }, { baseline: 1 }], returnPath: true },
      "returnPath",
    ],
    ["a cost that is no function", { choose: undefined }, "choose"],
  ];
  test.each(refusals)("%s", (_, wrong, message) =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const given = { ...options, choose: remaining, ...wrong } as AdaptivePathOptions;
      const run = adaptivePath(net.model, x, given);
      await expect(run).rejects.toThrow(ArgumentError);
      await expect(run).rejects.toThrow(message);
    }),
  );

  test("a layer in which examples are not apart", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const mixed = (v: Value, tap?: Tap): Value => net.model(reshape(tap!("flat", tanh(reshape(v, [-1]))), [3, 6]));
      await expect(guidedIG(mixed, x, { target: 1, layer: "flat" })).rejects.toThrow("does not hold the 3 examples");
    }));

  test("a cost of another shape, and values that are not finite", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const choose: Choose = ({ gradient }) => sum(gradient, 1);
      await expect(adaptivePath(net.model, x, { ...options, choose })).rejects.toThrow(ShapeError);
      const bad = hostArray(
        x.data.map((v, i) => (i === 4 ? NaN : v)),
        x.shape,
      );
      await expect(guidedIG(net.model, bad, options)).rejects.toThrow(NumericError);
      const overflow = (v: Value): Value => exp(mul(net.model(v), 1e3));
      await expect(guidedIG(overflow, x, options)).rejects.toThrow(NumericError);
    }));
});
