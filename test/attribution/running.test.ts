// How an attribution runs: few dispatches and one readback, progress, abort, and nothing left behind.
import { describe, expect, test } from "vitest";
import {
  expectedGradients,
  integratedGradients,
  interiorGradients,
  type Progress,
} from "../../src/attribution/index.ts";
import { DEFAULT_MEMORY_BUDGET } from "../../src/attribution/programs.ts";
import { relu } from "../../src/kernels/index.ts";
import { activation, dense, flatten, modelOf, sequential, type Model } from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { drawArray, expectNear } from "./networks.ts";

const x = drawArray([2, 4], 81, 2);

async function withModel(work: (model: Model, device: Device) => Promise<void>): Promise<void> {
  await withCleanDevice(async (device) => {
    const network = sequential([
      ["first", dense(4, 64)],
      ["relu", activation(relu)],
      ["second", dense(64, 32)],
      ["relu again", activation(relu)],
      ["last", dense(32, 3)],
    ]);
    const model = modelOf(network, network.init(device, 8), [4]);
    try {
      await work(model, device);
    } finally {
      model.dispose();
    }
  });
}

/** A budget that makes about `chunks` chunks of 40 steps. */
async function tightBudget(model: Model): Promise<number> {
  const { plan } = await integratedGradients(model, x, { steps: 40 });
  return 0.3 * plan.bytes;
}

describe("progress", () => {
  for (const share of [1, 0.3]) {
    test(`grows to the total, ${share === 1 ? "one chunk" : "several chunks"}`, () =>
      withModel(async (model) => {
        const { plan } = await integratedGradients(model, x, { steps: 40 });
        const seen: Progress[] = [];
        const onProgress = (progress: Progress): void => void seen.push(progress);
        const result = await integratedGradients(model, x, { steps: 40, memoryBudget: share * plan.bytes, onProgress });
        expect(seen).toHaveLength(result.plan.chunks);
        expect(seen.at(-1)).toEqual({ done: 40, total: 40 });
        seen.forEach(({ done, total }, i) => {
          expect(total).toBe(40);
          expect(done).toBeGreaterThan(seen[i - 1]?.done ?? 0);
        });
      }));
  }

  test("counts every baseline", () =>
    withModel(async (model) => {
      const seen: Progress[] = [];
      const baseline = [0, 0.5, 1].map((value) => ({ baseline: value }));
      await integratedGradients(model, x, { steps: 10, baseline, onProgress: (p) => seen.push(p) });
      expect(seen.at(-1)).toEqual({ done: 30, total: 30 });
    }));

  test("of a tolerance never runs backwards", () =>
    withModel(async (model) => {
      const seen: Progress[] = [];
      const result = await integratedGradients(model, x, { tolerance: 0.03, onProgress: (p) => seen.push(p) });
      seen.forEach(({ done, total }, i) => {
        expect(done).toBeGreaterThanOrEqual(seen[i - 1]?.done ?? 0);
        expect(done).toBeLessThanOrEqual(total);
      });
      expect(seen.at(-1)!.done).toBe(result.evaluations);
    }));
});

describe("abort", () => {
  test("before the start", () =>
    withModel(async (model, device) => {
      const { live } = device.memory;
      const before = device.counters.submits;
      const reason = new Error("changed my mind");
      const signal = AbortSignal.abort(reason);
      await expect(integratedGradients(model, x, { signal })).rejects.toBe(reason);
      expect(device.memory.live).toBe(live);
      expect(device.counters.submits).toBe(before);
    }));

  test("between chunks, with the signal's reason", () =>
    withModel(async (model, device) => {
      const memoryBudget = await tightBudget(model);
      const { live } = device.memory;
      const controller = new AbortController();
      let chunks = 0;
      const onProgress = (): void => {
        if (++chunks === 2) controller.abort("enough");
      };
      const running = integratedGradients(model, x, { steps: 40, memoryBudget, onProgress, signal: controller.signal });
      await expect(running).rejects.toBe("enough");
      expect(chunks).toBeLessThan(4);
      expect(device.memory.live).toBe(live);
      // The device is fit for more.
      expect((await integratedGradients(model, x, { steps: 3 })).steps).toBe(3);
    }));

  test("an error in onProgress ends the run and frees everything", () =>
    withModel(async (model, device) => {
      const { live } = device.memory;
      const failure = new Error("no display");
      const onProgress = (): void => {
        throw failure;
      };
      await expect(integratedGradients(model, x, { onProgress })).rejects.toBe(failure);
      expect(device.memory.live).toBe(live);
    }));
});

describe("memory budget", () => {
  const references = drawArray([10, 3, 32, 32], 84);
  const picture = drawArray([1, 3, 32, 32], 83);

  test("holds for many baselines of large inputs, too", () =>
    withCleanDevice(async (device) => {
      const network = sequential([
        ["flatten", flatten()],
        ["first", dense(3 * 32 * 32, 8)],
        ["relu", activation(relu)],
        ["last", dense(8, 3)],
      ]);
      const model = modelOf(network, network.init(device, 1), [3, 32, 32]);
      const run = async (memoryBudget: number) => {
        device.resetPeak();
        const { live } = device.memory;
        const result = await expectedGradients(model, picture, { references, samples: 200, memoryBudget });
        return { ...result, peak: device.memory.peak - live };
      };
      const whole = await run(DEFAULT_MEMORY_BUDGET);
      expect(whole.plan.chunks).toBe(1);
      const cut = await run(2 ** 20);
      expect(cut.plan.chunks).toBeGreaterThan(4);
      // Two submits may be in flight.
      expect(cut.peak).toBeLessThan(2.5 * 2 ** 20);
      expectNear(cut.attributions.data, whole.attributions.data);
      model.dispose();
    }));

  test("holds for many rows that are read back", () =>
    withModel(async (model, device) => {
      const alphas = Array.from({ length: 4000 }, (_, k) => k / 3999);
      device.resetPeak();
      const { live } = device.memory;
      const options = { alphas, layers: ["first"], memoryBudget: 2 ** 18 };
      const { gradients } = await interiorGradients(model, x, options);
      expect(gradients.shape).toEqual([4000, 2, 4]);
      expect(device.memory.peak - live).toBeLessThan(2.5 * 2 ** 18);
    }));
});
