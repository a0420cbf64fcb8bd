// Sanity checks on small networks, step by step against the same steps done by hand.
import { describe, expect, test } from "vitest";
import {
  cgi,
  compete,
  gradientXInput,
  integratedGradients,
  saliency,
  type Progress,
} from "../../../src/attribution/index.ts";
import {
  dataRandomisation,
  permutedLabels,
  randomised,
  sanityCheck,
  spearman,
  ssim,
  trainClassifier,
  type CheckedMethod,
  type SanityOptions,
} from "../../../src/attribution/evaluate/index.ts";
import { entry } from "../../../src/attribution/competition.ts";
import { compile } from "../../../src/compiler/program.ts";
import { relu } from "../../../src/kernels/index.ts";
import {
  activation,
  adam,
  conv,
  dense,
  flatten,
  modelFunction,
  modelOf,
  random,
  sequential,
  type Model,
} from "../../../src/nn/index.ts";
import { hostArray, type Device, type HostArray } from "../../../src/tensor/index.ts";
import { withCleanDevice } from "../../gpu.ts";
import { argmax, drawArray, rows } from "../networks.ts";

const network = sequential([
  ["first", conv(1, 3, { kernel: 3 })],
  ["relu", activation(relu)],
  ["flat", flatten()],
  ["second", dense(108, 8)],
  ["relu again", activation(relu)],
  ["last", dense(8, 4)],
]);
const x = drawArray([3, 1, 8, 8], 1);
const methods: Record<string, CheckedMethod> = {
  gradient: saliency,
  "gradient x input": gradientXInput,
  cgi,
  "competitive IG": compete((model, input, options: { target?: number }) =>
    integratedGradients(model, input, { ...options, target: "all", steps: 4 }),
  ),
};

async function withModel(work: (model: Model, device: Device) => Promise<void>): Promise<void> {
  await withCleanDevice(async (device) => {
    const model = modelOf(network, network.init(device, 3), [1, 8, 8]);
    try {
      await work(model, device);
    } finally {
      model.dispose();
    }
  });
}

async function predictions(model: Model, input: HostArray): Promise<number[]> {
  using tensor = model.device.tensor(input);
  const [y] = await compile(model.device, modelFunction(model), [input]).runAndRead([tensor]);
  return rows(y!).map(argmax);
}

describe("sanityCheck", () => {
  for (const mode of ["cascading", "independent"] as const) {
    test(`${mode}: equals maps of models that were randomised by hand`, () =>
      withModel(async (model) => {
        const options = { mode, sigma: 0.1, seed: 4 } satisfies SanityOptions;
        const result = await sanityCheck(methods, model, x, { ...options, keepMaps: true });
        expect(result.layers).toEqual(["last", "second", "first"]);
        const targets = await predictions(model, x);
        expect(result.targets).toEqual(targets);
        for (const [name, method] of Object.entries(methods)) {
          const trained = (await method(model, x, { target: targets })).attributions as HostArray;
          expect(result.maps![name]![0]).toEqual(trained);
          for (const [step] of result.layers.entries()) {
            const layers = result.layers.slice(mode === "cascading" ? 0 : step, step + 1);
            const random = await randomised(model, { layers, sigma: 0.1, seed: 4 });
            const map = (await method(random, x, { target: targets })).attributions as HostArray;
            random.dispose();
            expect(result.maps![name]![step + 1]).toEqual(map);
            const signed = [0, 1, 2].map((b) => spearman(entry(trained, b).data, entry(map, b).data));
            const { values, mean } = result.curves[name]!["spearman"]!;
            expect(values[step]).toEqual(signed);
            expect(mean[step]).toBeCloseTo((signed[0]! + signed[1]! + signed[2]!) / 3, 12);
            for (const measure of ["spearman |.|", "ssim", "hog"]) {
              for (const v of result.curves[name]![measure]!.values[step]!)
                expect(Math.abs(v)).toBeLessThanOrEqual(1 + 1e-12);
            }
          }
        }
        // The model is as it was.
        expect(await predictions(model, x)).toEqual(targets);
      }));
  }

  test("explains the class it is told, and compares as it is told", () =>
    withModel(async (model) => {
      const seen: (readonly number[])[] = [];
      const method: CheckedMethod = (m, input, options) => {
        seen.push(options.target);
        return saliency(m, input, options);
      };
      const result = await sanityCheck({ method }, model, x, {
        target: [2, 0, 1],
        layers: ["first", "last"],
        similarities: { alike: (a, b) => ssim(a, b, { range: 1 }), one: () => 1 },
      });
      expect(seen).toEqual([
        [2, 0, 1],
        [2, 0, 1],
        [2, 0, 1],
      ]);
      expect(result.layers).toEqual(["last", "first"]);
      expect(Object.keys(result.curves["method"]!)).toEqual(["alike", "one"]);
      expect(result.curves["method"]!["one"]).toEqual({
        mean: [1, 1],
        values: [
          [1, 1, 1],
          [1, 1, 1],
        ],
      });
      expect(result.maps).toBeUndefined();
    }));

  test("an explanation of the input alone stays what it is", () =>
    withModel(async (model) => {
      const input: CheckedMethod = () => Promise.resolve({ attributions: x });
      const { curves } = await sanityCheck({ input }, model, x);
      for (const { mean } of Object.values(curves["input"]!)) for (const v of mean) expect(v).toBeCloseTo(1, 12);
    }));

  test("compiles nothing anew after the first step", () =>
    withModel(async (model, device) => {
      const counts: number[] = [];
      const onProgress = ({ done, total }: Progress): void => {
        expect(total).toBe(8);
        if (done % 2 === 0) counts.push(device.counters.pipelines);
      };
      const { gradient, cgi } = methods as { gradient: CheckedMethod; cgi: CheckedMethod };
      await sanityCheck({ gradient, cgi }, model, x, { onProgress });
      expect(counts).toHaveLength(4);
      expect(new Set(counts).size).toBe(1);
    }));

  test("can be aborted; a method with several maps is refused", () =>
    withModel(async (model) => {
      const controller = new AbortController();
      const { signal } = controller;
      let done = 0;
      const onProgress = (): void => {
        if (++done === 3) controller.abort(new Error("enough"));
      };
      await expect(sanityCheck(methods, model, x, { signal, onProgress })).rejects.toThrow("enough");
      expect(done).toBe(3);
      const several: CheckedMethod = () => Promise.resolve({ attributions: { a: x, b: x } });
      await expect(sanityCheck({ several }, model, x)).rejects.toThrow('"several" has maps of several inputs');
      await expect(sanityCheck(methods, model, x, { layers: ["none"] })).rejects.toThrow('there is no layer "none"');
    }));
});

describe("data randomisation", () => {
  /** Noise with a bright quarter: which one is the class. */
  function pictures(count: number): { inputs: HostArray; labels: Int32Array } {
    const noise = random("pictures");
    const labels = Int32Array.from({ length: count }, (_, n) => n % 4);
    const inputs = Float32Array.from({ length: count * 64 }, (_, i) => {
      const [n, y, z] = [Math.floor(i / 64), Math.floor(i / 8) % 8, i % 8];
      const quarter = 2 * Math.floor(y / 4) + Math.floor(z / 4);
      return (quarter === labels[n] ? 1 : 0) + 0.5 * noise.normal();
    });
    return { inputs: hostArray(inputs, [count, 1, 8, 8]), labels };
  }

  test("permuted labels are the same labels in another order", () => {
    const labels = Array.from({ length: 100 }, (_, i) => i % 7);
    const permuted = permutedLabels(labels, 1);
    expect([...permuted].sort()).toEqual([...labels].sort());
    expect([...permuted]).not.toEqual(labels);
    expect(permutedLabels(labels, 1)).toEqual(permuted);
    expect(permutedLabels(labels, 2)).not.toEqual(permuted);
  });

  test("the explanation of a trained network changes with its labels", () =>
    withCleanDevice(async (device) => {
      const data = pictures(24);
      const options = { device, steps: 250, batch: 24, optimiser: () => adam({ learningRate: 0.01 }), seed: 2 };
      const { model, losses } = await trainClassifier(device, network, data, options);
      expect(losses.at(-1)).toBeLessThan(0.05);
      const expected = await predictions(model, data.inputs);
      expect(expected).toEqual([...data.labels]);
      const probe = hostArray(data.inputs.data.slice(0, 3 * 64), [3, 1, 8, 8]);
      const { gradient } = methods as { gradient: CheckedMethod };
      const result = await dataRandomisation({ gradient }, network, data, probe, { ...options, keepMaps: true });
      expect(result.targets).toEqual([0, 1, 2]);
      expect(result.losses.labels).toEqual(losses);
      expect(result.losses.permuted.at(-1)).toBeLessThan(0.1);
      // The proper network again: training is deterministic.
      expect(result.maps!["gradient"]![0]).toEqual((await gradient(model, probe, { target: [0, 1, 2] })).attributions);
      const [proper, permuted] = result.maps!["gradient"]! as [HostArray, HostArray];
      const similarities = [0, 1, 2].map((b) => spearman(entry(proper, b).data, entry(permuted, b).data));
      expect(result.curves["gradient"]!["spearman"]!.values).toEqual([similarities]);
      for (const v of similarities) expect(v).toBeLessThan(0.7);
      model.dispose();
    }));

  test("reports progress of training and of maps", () =>
    withCleanDevice(async (device) => {
      const seen: Progress[] = [];
      const options = { device, steps: 70, batch: 8, onProgress: (progress: Progress) => void seen.push(progress) };
      const { model } = await trainClassifier(device, network, pictures(8), options);
      model.dispose();
      expect(seen.splice(0)).toEqual([50, 70].map((done) => ({ done, total: 70 })));
      await dataRandomisation({ cgi, gradient: saliency }, network, pictures(8), x, options);
      expect(seen).toEqual([
        ...[50, 70, 120, 140].map((done) => ({ done, total: 140 })),
        ...[1, 2, 3, 4].map((done) => ({ done, total: 4 })),
      ]);
    }));

  // withCleanDevice fails if anything stays allocated.
  test("can be aborted at any report", () =>
    withCleanDevice(async (device) => {
      for (const calls of [1, 3, 5]) {
        const controller = new AbortController();
        let left = calls;
        const onProgress = (): void => {
          left--;
          if (left === 0) controller.abort(new Error("enough"));
        };
        const options = { device, steps: 70, batch: 8, onProgress, signal: controller.signal };
        const run = dataRandomisation({ cgi, gradient: saliency }, network, pictures(8), x, options);
        await expect(run).rejects.toThrow("enough");
        expect(left).toBe(0);
      }
    }));

  test("refuses labels that do not fit, and ends when aborted", () =>
    withCleanDevice(async (device) => {
      const data = pictures(8);
      const wrong = { ...data, labels: [1, 2] };
      await expect(trainClassifier(device, network, wrong)).rejects.toThrow("labels: 2 were given for 8 examples");
      const signal = AbortSignal.abort(new Error("enough"));
      await expect(dataRandomisation(methods, network, data, x, { device, signal })).rejects.toThrow("enough");
    }));
});
