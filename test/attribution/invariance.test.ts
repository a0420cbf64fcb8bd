// What must not change the result: how the work is cut into chunks, what is hoisted, which examples share a batch.
import { describe, expect, test } from "vitest";
import {
  blur,
  constantBaseline,
  gaussianNoise,
  integratedGradients,
  maximumOf,
  meanOf,
  minimumOf,
  sampleOf,
  uniformNoise,
  type Attribution,
  type IntegratedGradientsOptions,
} from "../../src/attribution/index.ts";
import { DEFAULT_MEMORY_BUDGET } from "../../src/attribution/programs.ts";
import { relu } from "../../src/kernels/index.ts";
import { activation, dense, modelOf, sequential } from "../../src/nn/index.ts";
import { hostArray, type Device, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { draw, drawArray, expectNear, Mlp, rows } from "./networks.ts";

const truth = new Mlp("relu", 4, 6, 3, 31);
const x = drawArray([2, 4], 32, 2);
const others = [draw(4, 33), draw(4, 34), draw(4, 35)].map((data) => hostArray(data, [4]));

describe("chunks", () => {
  // Two layers with kinks: activations between them must be stored for every step.
  const wide = {
    on(device: Device) {
      const network = sequential([
        ["first", dense(4, 64)],
        ["relu", activation(relu)],
        ["second", dense(64, 32)],
        ["relu again", activation(relu)],
        ["last", dense(32, 3)],
      ]);
      const model = modelOf(network, network.init(device, 5), [4]);
      return { model, [Symbol.dispose]: () => model.dispose() };
    },
  };

  for (const target of ["predicted", "all"] as const) {
    test(`of every size give the same result (target ${target})`, () =>
      withCleanDevice(async (device) => {
        using net = wide.on(device);
        const run = (memoryBudget: number) =>
          integratedGradients(net.model, x, { target, steps: 20, memoryBudget, baseline: others[0]! });
        const whole = await run(DEFAULT_MEMORY_BUDGET);
        expect(whole.plan).toMatchObject({ chunks: 1, stepsPerChunk: 20 });
        const sizes = new Set<number>();
        for (let budget = whole.plan.bytes; budget > 64; budget *= 0.9) {
          const result = await run(budget).catch((error: Error) => error);
          // Below the cost of one step there is nothing left to divide.
          if (result instanceof Error) {
            expect(result.name).toBe("LimitError");
            break;
          }
          sizes.add(result.plan.stepsPerChunk);
          expect(result.plan.bytes).toBeLessThanOrEqual(budget);
          expectNear(result.attributions.data, whole.attributions.data);
          expectNear(result.delta.data, whole.delta.data, 1e-3);
          expectNear(result.scores.input.data, whole.scores.input.data);
          expectNear(result.scores.baseline.data, whole.scores.baseline.data);
        }
        expect(sizes.size).toBeGreaterThan(2);
        expect(sizes).toContain(1);
      }));
  }

  test("divide several baselines into groups, too", () =>
    withCleanDevice(async (device) => {
      using net = wide.on(device);
      const baseline = others.map((b, i) => ({ baseline: b, weight: i + 1 }));
      const run = (memoryBudget: number) => integratedGradients(net.model, x, { steps: 15, memoryBudget, baseline });
      const whole = await run(DEFAULT_MEMORY_BUDGET);
      expect(whole.plan).toMatchObject({ chunks: 1, stepsPerChunk: 45 });
      const plans = new Set<string>();
      for (const share of [0.9, 0.7, 0.5, 0.35]) {
        const { plan, attributions, scores } = await run(whole.plan.bytes * share);
        plans.add(`${plan.chunks} x ${plan.stepsPerChunk}`);
        expectNear(attributions.data, whole.attributions.data);
        expectNear(scores.baseline.data, whole.scores.baseline.data);
      }
      expect(plans.size).toBeGreaterThan(2);
    }));
});

describe("equal results", () => {
  const attributionsOf = async (
    device: Device,
    input: HostArray,
    options: IntegratedGradientsOptions,
  ): Promise<Float32Array> => {
    using net = truth.on(device);
    return (await integratedGradients(net.model, input, { steps: 9, ...options })).attributions.data as Float32Array;
  };

  for (const target of ["predicted", "all", 2] as const) {
    for (const layer of [undefined, "hidden"]) {
      test(`with and without hoisting (target ${target}, ${layer ?? "input"})`, () =>
        withCleanDevice(async (device) => {
          const options = { target, baseline: others[1]!, ...(layer && { layer }) };
          const plain = await attributionsOf(device, x, { ...options, hoist: false });
          expectNear(await attributionsOf(device, x, { ...options, hoist: true }), plain);
        }));
    }
  }

  test("IG(x, x') = -IG(x', x)", () =>
    withCleanDevice(async (device) => {
      const y = drawArray([2, 4], 36, 2);
      for (const rule of ["gauss-legendre", "midpoint", "trapezoid"] as const) {
        const there = await attributionsOf(device, x, { target: 1, baseline: y, rule });
        const back = await attributionsOf(device, y, { target: 1, baseline: x, rule });
        expectNear(
          back,
          Array.from(there, (v) => -v),
        );
      }
    }));

  test("left rule one way is the right rule the other way", () =>
    withCleanDevice(async (device) => {
      const y = drawArray([2, 4], 36, 2);
      const there = await attributionsOf(device, x, { target: 1, baseline: y, rule: "left" });
      const back = await attributionsOf(device, y, { target: 1, baseline: x, rule: "right" });
      expectNear(
        back,
        Array.from(there, (v) => -v),
      );
    }));

  test("a batch is its rows", () =>
    withCleanDevice(async (device) => {
      const batch = drawArray([5, 4], 37, 2);
      const together = await attributionsOf(device, batch, { baseline: others[0]! });
      const single: number[] = [];
      for (const row of rows(batch)) {
        single.push(...(await attributionsOf(device, hostArray(row, [1, 4]), { baseline: others[0]! })));
      }
      expectNear(together, single, 1e-6);
    }));

  test("a tensor is its array, and stays the caller's", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      using tensor = device.tensor(x);
      using baseline = device.tensor(others[0]!);
      const a = await integratedGradients(net.model, tensor, { steps: 4, baseline });
      const b = await integratedGradients(net.model, x, { steps: 4, baseline: others[0]! });
      expect(a.attributions).toEqual(b.attributions);
      expect([tensor.disposed, baseline.disposed]).toEqual([false, false]);
    }));

  test("a second call", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const first = await integratedGradients(net.model, x, { steps: 4 });
      const { pipelines } = device.counters;
      const second = await integratedGradients(net.model, x, { steps: 4 });
      expect(second).toEqual(first);
      expect(device.counters.pipelines).toBe(pipelines);
    }));

  test("calls at the same time", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const alone: Attribution<HostArray>[] = [];
      for (const target of [0, 1, 2]) alone.push(await integratedGradients(net.model, x, { target, steps: 4 }));
      const together = await Promise.all(
        [0, 1, 2].map((target) => integratedGradients(net.model, x, { target, steps: 4 })),
      );
      together.forEach((result, i) => expect(result.attributions).toEqual(alone[i]!.attributions));
    }));
});

describe("baselines", () => {
  test("several weighted ones are the weighted mean of single ones", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const weights = [1, 3, 0.5];
      const single: Attribution<HostArray>[] = [];
      for (const baseline of others) {
        single.push(await integratedGradients(net.model, x, { target: 0, steps: 6, baseline }));
      }
      const mean = (of: (i: number) => ArrayLike<number>): number[] =>
        Array.from(of(0), (_, e) => weights.reduce((sum, w, i) => sum + (w / 4.5) * of(i)[e]!, 0));
      const several = await integratedGradients(net.model, x, {
        target: 0,
        steps: 6,
        baseline: others.map((baseline, i) => ({ baseline, weight: weights[i]! })),
      });
      expectNear(
        several.attributions.data,
        mean((i) => single[i]!.attributions.data),
      );
      expectNear(
        several.scores.baseline.data,
        mean((i) => single[i]!.scores.baseline.data),
      );
      expect(several.evaluations).toBe(18);
    }));

  test("the predicted class is that of the input, not of the path", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const { targets } = await integratedGradients(net.model, x, { steps: 3, baseline: others[2]! });
      const chosen = await integratedGradients(net.model, x, {
        steps: 3,
        baseline: others[2]!,
        target: Array.from(targets!.data),
      });
      const predicted = await integratedGradients(net.model, x, { steps: 3, baseline: others[2]! });
      expect(chosen.attributions).toEqual(predicted.attributions);
    }));

  test("recipes", () => {
    const image = hostArray(draw(2 * 5 * 5, 41), [1, 2, 5, 5]);
    const flat = hostArray(Array<number>(25).fill(0.75), [1, 1, 5, 5]);
    expect([...constantBaseline(0.5)(image, "x").data]).toEqual(Array(50).fill(0.5));
    expectNear(blur(2)(flat, "x").data, flat.data, 1e-6);
    const mean = (a: ArrayLike<number>): number => Array.from(a).reduce((s, v) => s + v, 0) / a.length;
    const spread = (a: ArrayLike<number>): number => {
      const centre = mean(a);
      return mean(Array.from(a, (v) => (v - centre) ** 2));
    };
    expect(spread(blur(1)(image, "x").data)).toBeLessThan(0.5 * spread(image.data));
    expect(uniformNoise({ low: 2, high: 3, seed: 4 })(image, "x")).toEqual(
      uniformNoise({ low: 2, high: 3, seed: 4 })(image, "x"),
    );
    const uniform = Array.from(uniformNoise({ low: 2, high: 3, seed: 4 })(image, "x").data);
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(2);
    expect(Math.max(...uniform)).toBeLessThanOrEqual(3);
    const noise = gaussianNoise({ sigma: 0.5, mean: 1, seed: 1 })(hostArray(new Float32Array(4000), [1, 4000]), "x");
    expect(mean(noise.data)).toBeCloseTo(1, 1);
    expect(Math.sqrt(spread(noise.data))).toBeCloseTo(0.5, 1);
  });

  test("statistics of a data set", () => {
    const data = hostArray([1, 10, 2, 30, 6, 20], [3, 2]);
    const like = hostArray([0, 0, 0, 0], [2, 2]);
    expect([...meanOf(data)(like, "x").data]).toEqual([3, 20, 3, 20]);
    expect([...minimumOf(data)(like, "x").data]).toEqual([1, 10, 1, 10]);
    expect([...maximumOf(data)(like, "x").data]).toEqual([6, 30, 6, 30]);
    const sample = sampleOf(data, 4, 7);
    expect(sample).toHaveLength(4);
    const drawn = sample.map(({ baseline }) =>
      (baseline as typeof meanOf extends (d: never) => infer R ? R : never)(like, "x"),
    );
    drawn.forEach(({ data: [a, b] }) =>
      expect([
        [1, 10],
        [2, 30],
        [6, 20],
      ]).toContainEqual([a, b]),
    );
  });
});
