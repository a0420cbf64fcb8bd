// How competitive gradient x input runs: blocks of classes, memory, operations, progress, abort.
import { describe, expect, test } from "vitest";
import { cgi, compete, gradientXInput, type CgiOptions, type Progress } from "../../src/attribution/index.ts";
import { entry } from "../../src/attribution/competition.ts";
import { vjpGraph } from "../../src/autograd/index.ts";
import { compile } from "../../src/compiler/program.ts";
import { input } from "../../src/graph/leaves.ts";
import { relu } from "../../src/kernels/index.ts";
import {
  activation,
  conv,
  dense,
  flatten,
  maxPooling,
  modelOf,
  modelOutput,
  sequential,
  type Layer,
  type Model,
} from "../../src/nn/index.ts";
import type { Device, Shape } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { drawArray, expectNear } from "./networks.ts";

async function withModel(
  layers: readonly (readonly [string, Layer])[],
  shape: Shape,
  work: (model: Model, device: Device) => Promise<void>,
): Promise<void> {
  await withCleanDevice(async (device) => {
    const network = sequential(layers);
    const model = modelOf(network, network.init(device, 8), shape);
    try {
      await work(model, device);
    } finally {
      model.dispose();
    }
  });
}

const hidden = (inputs: number, width: number, classes: number): (readonly [string, Layer])[] => [
  ["first", dense(inputs, 96)],
  ["relu", activation(relu)],
  ["second", dense(96, width)],
  ["relu again", activation(relu)],
  ["last", dense(width, classes)],
];

const convolutions: (readonly [string, Layer])[] = [
  ["conv", conv(1, 8, { kernel: 5 })],
  ["relu", activation(relu)],
  ["pool", maxPooling({ kernel: 2 })],
  ["conv again", conv(8, 16, { kernel: 5 })],
  ["relu again", activation(relu)],
  ["pool again", maxPooling({ kernel: 2 })],
  ["flat", flatten()],
];

describe("blocks of classes", () => {
  const x = drawArray([2, 600], 3);
  // More classes than hidden units, and fewer: through the bottleneck, and straight.
  for (const [width, classes] of [
    [8, 50],
    [96, 37],
  ] as const) {
    const cotangents = Math.min(width, classes);

    test(`do not change results: ${classes} classes, ${width} hidden units`, () =>
      withModel(hidden(600, width, classes), [600], async (model) => {
        const targets: CgiOptions[] = [{ target: [3, 36] }, { target: "all" }, { center: true }];
        for (const options of targets) {
          const whole = await cgi(model, x, options);
          expect(whole.plan).toMatchObject({ blocks: 1, cotangents });
          for (const share of [0.75, 0.5]) {
            const memoryBudget = share * whole.plan.bytes;
            const cut = await cgi(model, x, { ...options, memoryBudget });
            expect(cut.plan.blocks).toBeGreaterThan(1);
            expect(cut.plan.bytes).toBeLessThanOrEqual(memoryBudget);
            expectNear(cut.attributions.data, whole.attributions.data);
            expect(cut.targets).toEqual(whole.targets);
          }
        }
      }));

    test(`report progress and can be aborted: ${classes} classes, ${width} hidden units`, () =>
      withModel(hidden(600, width, classes), [600], async (model) => {
        const { plan } = await cgi(model, x);
        const memoryBudget = 0.5 * plan.bytes;
        const seen: Progress[] = [];
        const cut = await cgi(model, x, { memoryBudget, onProgress: (progress) => void seen.push(progress) });
        const total = classes + (width < classes ? width : 0);
        expect(seen.at(-1)).toEqual({ done: total, total });
        expect(seen.length).toBeGreaterThanOrEqual(cut.plan.blocks);
        seen.forEach(({ done }, i) => expect(done).toBeGreaterThan(seen[i - 1]?.done ?? 0));

        const controller = new AbortController();
        let calls = 0;
        const onProgress = (): void => {
          calls++;
          controller.abort(new Error("enough"));
        };
        const { signal } = controller;
        await expect(cgi(model, x, { memoryBudget, onProgress, signal })).rejects.toThrow("enough");
        expect(calls).toBeLessThan(seen.length);
        await expect(cgi(model, x, { signal })).rejects.toThrow("enough");
      }));
  }

  test("and blocks of a narrow value's elements do not either", () =>
    withModel([...convolutions, ["narrow", dense(256, 8)], ["classes", dense(8, 40)]], [1, 28, 28], async (model) => {
      const picture = drawArray([2, 1, 28, 28], 7);
      const whole = await cgi(model, picture, { target: [39, 0] });
      expect(whole.plan).toMatchObject({ cotangents: 8, blocks: 1 });
      const seen: number[] = [];
      const cut = await cgi(model, picture, {
        target: [39, 0],
        memoryBudget: 0.6 * whole.plan.bytes,
        onProgress: ({ done }) => void seen.push(done),
      });
      expect(cut.plan.cotangents).toBe(8);
      expect(seen[0]).toBeLessThan(8);
      expect(seen).toContain(8);
      expect(seen.at(-1)).toBe(48);
      expectNear(cut.attributions.data, whole.attributions.data);
    }));

  test.each([2, "all"] as const)(
    "leave memory that does not grow with the number of classes: target %s",
    async (target) => {
      const peaks: number[] = [];
      for (const classes of [40, 80]) {
        await withModel(hidden(20_000, 96, classes), [20_000], async (model, device) => {
          const long = drawArray([1, 20_000], 4);
          const memoryBudget = 1_500_000;
          const options: CgiOptions = { memoryBudget, target };
          await cgi(model, long, options);
          const input = device.tensor(long);
          const before = { ...device.counters };
          const { live } = device.memory;
          device.resetPeak();
          const { plan } = await cgi(model, input, options);
          peaks.push(device.memory.peak - live);
          expect(plan.blocks).toBeGreaterThan(3);
          expect(device.counters.readbacks - before.readbacks).toBe(1);
          expect(device.counters.submits - before.submits).toBe(plan.submits);
          input.dispose();
          // The maps of all classes would take more.
          expect(4 * 20_000 * classes).toBeGreaterThan(2 * memoryBudget);
        });
      }
      for (const peak of peaks) expect(peak).toBeLessThan(1_500_000);
      expect(Math.abs(peaks[1]! / peaks[0]! - 1)).toBeLessThan(0.15);
    },
  );
});

describe("labels with equal maps", () => {
  test("are found block by block: one more readback for each", () =>
    withModel(hidden(600, 96, 37), [600], async (model, device) => {
      const x = drawArray([2, 600], 3);
      const untied = await cgi(model, x, { target: "all" });
      // The last layer's column 36 becomes a copy of column 3.
      const last = model.parameters["last.weight"]!;
      const weights = (await last.read()).data.map((v, i, all) => (i % 37 === 36 ? all[i - 33]! : v));
      device.gpu.queue.writeBuffer(last.allocation.buffer, 0, Float32Array.from(weights));
      for (const share of [2, 0.6]) {
        const before = device.counters.readbacks;
        const seen: Progress[] = [];
        const memoryBudget = share * untied.plan.bytes;
        const { attributions, plan } = await cgi(model, x, {
          target: "all",
          memoryBudget,
          onProgress: (progress) => void seen.push(progress),
        });
        expect(plan.blocks > 1).toBe(share < 1);
        expect(device.counters.readbacks - before).toBe(1 + plan.blocks);
        expect(seen.at(-1)).toEqual({ done: 74, total: 74 });
        const [third, copy] = [entry(attributions, 3), entry(attributions, 36)];
        expect(copy).toEqual(third);
        expect(third.data.some((v) => v !== 0)).toBe(true);
        const plain = await compete(gradientXInput, { classes: 37 })(model, x, { target: "all" });
        expectNear(attributions.data, plain.attributions.data, 1e-4);
      }
    }));
});

describe("the work for ten classes", () => {
  const layers: (readonly [string, Layer])[] = [
    ...convolutions,
    ["dense", dense(256, 64)],
    ["relu at last", activation(relu)],
    ["classes", dense(64, 10)],
  ];

  test("is less than that of six gradients, in one submit and one readback", () =>
    withModel(layers, [1, 28, 28], async (model, device) => {
      const x = input([1, 1, 28, 28], "f32", "x");
      const output = modelOutput(model, { [model.inputs[0]!.name]: x }, undefined, (_, value) => value);
      const seed = input(output.shape, "f32", "seed");
      const gradient = compile(device, { inputs: [x, seed], outputs: vjpGraph([output], [x], [seed]) as [typeof x] });
      const picture = drawArray([1, 1, 28, 28], 5);
      const before = { ...device.counters };
      const { plan } = await cgi(model, picture);
      expect(device.counters.readbacks - before.readbacks).toBe(1);
      expect(device.counters.submits - before.submits).toBe(1);
      expect(device.counters.dispatches - before.dispatches).toBe(plan.dispatches);
      expect(plan).toMatchObject({ cotangents: 10, blocks: 1, submits: 1 });
      expect(plan.flops).toBeLessThan(6 * gradient.plan.flops);
      // All classes ride on the dispatches of one.
      expect(plan.dispatches).toBeLessThan(2 * gradient.plan.dispatches);
    }));

  test("equals competition between the maps of ten gradients", () =>
    withModel(layers, [1, 28, 28], async (model) => {
      const picture = drawArray([2, 1, 28, 28], 6);
      const own = await cgi(model, picture, { target: "all", score: "probability" });
      const plain = await compete(gradientXInput, { classes: 10 })(model, picture, {
        target: "all",
        score: "probability",
      });
      expectNear(own.attributions.data, plain.attributions.data, 1e-4);
    }));
});
