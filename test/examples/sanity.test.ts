import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blockOf, regrouped } from "../../examples/lib/sanity-emotion.ts";
import { examplesAt, firstExamples, firstOfClasses, parseIdx } from "../../examples/lib/sanity-fashion.ts";
import { METHOD_NAMES } from "../../examples/lib/sanity-methods.ts";
import { rightShare, trainedCnn } from "../../examples/lib/sanity-network.ts";
import { curvePanels, lowest } from "../../examples/lib/sanity-panels.ts";
import { deviation, lastTable, lineOf, resultJson, sanityReport } from "../../examples/lib/sanity-report.ts";
import { inputRank, sanityStudy, type Checked, type StudySettings } from "../../examples/lib/sanity-study.ts";
import { saliency } from "../../src/attribution/saliency.ts";
import { sanityCheck } from "../../src/attribution/evaluate/sanity.ts";
import { parameterLayers, randomised } from "../../src/attribution/evaluate/randomise.ts";
import { hogSimilarity, spearman } from "../../src/attribution/evaluate/similarity.ts";
import * as nn from "../../src/nn/index.ts";
import { hostArray, type Device } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";

// ---- data -----------------------------------------------------------------------------------------------------------

const idx = (shape: readonly number[], data: readonly number[]): Uint8Array =>
  Uint8Array.of(
    0,
    0,
    8,
    shape.length,
    ...shape.flatMap((n) => [n >> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255]),
    ...data,
  );

test("IDX files: extents are big-endian, other files are refused", () => {
  const { shape, data } = parseIdx(idx([300, 1], new Array<number>(300).fill(7)), "x");
  expect(shape).toEqual([300, 1]);
  expect(data).toHaveLength(300);
  expect(() => parseIdx(idx([3], [1, 2]), "short")).toThrow(/short: 2 bytes of data; its header promises 3/);
  expect(() => parseIdx(Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 0), "floats")).toThrow(/no IDX file/);
  expect(() => parseIdx(Uint8Array.of(), "nothing")).toThrow(/no IDX file/);
});

test("examples: bytes become 0 to 1, the first of each class are found", () => {
  const pictures = parseIdx(idx([3, 1, 2], [0, 255, 51, 102, 1, 2]), "pictures");
  const examples = firstExamples(pictures, parseIdx(idx([3], [1, 0, 1]), "labels"), 2);
  expect(examples.inputs.shape).toEqual([2, 1, 1, 2]);
  [0, 1, 0.2, 0.4].forEach((v, i) => expect(examples.inputs.data[i]).toBeCloseTo(v, 6));
  expect([...Array.from(examples.labels)]).toEqual([1, 0]);
  expect(() => firstExamples(pictures, parseIdx(idx([2], [1, 0]), "labels"), 2)).toThrow(/a label for each picture/);
  expect(firstOfClasses([2, 0, 2, 1, 0], 3)).toEqual([1, 3, 0]);
  expect(firstOfClasses([2, 0], 3)).toEqual([1, 0]);
  const some = examplesAt(examples, [1, 1]);
  expect(some.labels).toEqual([0, 0]);
  expect(Array.from(some.inputs.data)).toEqual([2, 3, 2, 3].map((i) => examples.inputs.data[i]));
});

test("shares of right predictions", () => {
  expect(rightShare(Float32Array.of(1, 0, 3, 0, 9, 1, 4, 5, 5), [2, 1, 0])).toBeCloseTo(2 / 3);
});

// ---- figures --------------------------------------------------------------------------------------------------------

test("curves: a cascade begins with the trained network; deviations are those of samples", () => {
  const curve = {
    mean: [0.5, 0.1],
    values: [
      [0.25, 0.75],
      [0.1, 0.1],
    ],
  };
  expect(deviation([0.25, 0.75])).toBeCloseTo(Math.sqrt(0.125));
  expect(deviation([3])).toBe(0);
  expect(lineOf("m", curve, true)).toEqual({ name: "m", mean: [1, 0.5, 0.1], spread: [0, deviation([0.25, 0.75]), 0] });
  expect(lineOf("m", curve, false).mean).toEqual([0.5, 0.1]);
});

test("axes reach down to a half below the lowest value", () => {
  const line = (...mean: number[]) => ({ name: "", mean, spread: mean.map(() => 0) });
  expect(lowest([line(1, 0.2)])).toBe(0);
  expect(lowest([line(1, -0.02)])).toBe(0);
  expect(lowest([line(1, -0.2), line(1, 0.3)])).toBe(-0.5);
  expect(lowest([line(-0.9)])).toBe(-1);
});

test("panels: lines where their values are", () => {
  const svg = curvePanels({
    title: "t",
    rows: ["r"],
    columns: ["c"],
    lines: () => [{ name: "plain", mean: [1, 0.5, 0], spread: [0, 0.25, 0] }],
    legend: ["plain"],
    first: 0,
    xLabel: "x",
  });
  // 200 pixels between the ends, 128 from 1 down to 0.
  expect(svg).toContain('points="8,0 108,64 208,128"');
  expect(svg).toContain('points="8,0 108,32 208,128 208,128 108,96 8,0"');
  expect(svg).toContain("plain, 1: 0.500 ± 0.250");
});

// ---- models ---------------------------------------------------------------------------------------------------------

test("parameters of the emotion network belong to blocks", () => {
  const start = "StatefulPartitionedCall/model_1";
  expect(blockOf(`${start}/conv2d_1/Conv2D_weights/x`)).toBe("convolution 1");
  expect(blockOf(`${start}/separable_conv2d_1/separable_conv2d_weights`)).toBe("block 1");
  expect(blockOf("unknown_26")).toBe("block 2");
  expect(blockOf("unknown_43")).toBe("output");
  expect(() => blockOf("unknown_99")).toThrow(/none of its known blocks/);
});

const SIZE = 12;
const CLASSES = ["left", "right", "top"];

/** Noise with a bright bar whose place is the class. */
function bars(count: number) {
  const noise = nn.random("bars");
  const inside = [(_: number, x: number) => x < 4, (_: number, x: number) => x >= 8, (y: number) => y < 4];
  const data = Float32Array.from({ length: count * SIZE * SIZE }, (_, i) => {
    const [n, y, x] = [Math.floor(i / SIZE / SIZE), Math.floor(i / SIZE) % SIZE, i % SIZE];
    return 0.3 * noise.uniform() + (inside[n % 3]!(y, x) ? 0.7 : 0);
  });
  return { inputs: hostArray(data, [count, 1, SIZE, SIZE]), labels: Array.from({ length: count }, (_, n) => n % 3) };
}

/** One dense layer, whose maps are its weights, or these times the input. */
function linear(device: Device): nn.Model {
  const network = nn.sequential([
    ["flat", nn.flatten()],
    ["dense", nn.dense(SIZE * SIZE, 3)],
  ]);
  return nn.modelOf(network, network.init(device, "linear"), [1, SIZE, SIZE], { classes: CLASSES });
}

test("groups of parameters are layers", () =>
  withCleanDevice((device) => {
    const model = linear(device);
    expect(parameterLayers(model).map(({ name }) => name)).toEqual(["dense"]);
    const layers = parameterLayers(regrouped(model, () => "all of it"));
    expect(layers).toEqual([{ name: "all of it", parameters: ["all of it/0", "all of it/1"] }]);
    model.dispose();
  }));

const DATA = { train: bars(90), held: bars(30), classes: CLASSES };

const SETTINGS: StudySettings = {
  train: 90,
  held: 30,
  training: { steps: 80, batch: 16, learningRate: 0.01 },
  pictures: 2,
  cnn: { nodes: 3, guidedSteps: 3, modes: ["cascading", "independent"] },
  permuted: { examples: 6, steps: 20 },
  real: { nodes: 2, guidedSteps: 4, modes: ["cascading"], without: ["competitive gradient"] },
  seed: 3,
};

async function studied(device: Device, cache: string, stages: Set<string>) {
  const model = linear(device);
  const { inputs } = examplesAt(bars(3), [0, 1]);
  const pictures = [0, 1].map(() => ({
    width: SIZE,
    height: SIZE,
    data: new Uint8ClampedArray(4 * SIZE * SIZE).fill(255),
  }));
  const real: Checked = { name: "Lines", about: "A linear model.", model, input: inputs, pictures };
  const arrays = await device.read([model.parameters["dense.weight"]!]);
  const other = await randomised(model, { seed: SETTINGS.seed });
  const drawn = await device.read([other.parameters["dense.weight"]!]);
  other.dispose();
  const study = await sanityStudy(DATA, () => Promise.resolve(real), SETTINGS, {
    device,
    cache,
    signal: new AbortController().signal,
    note: () => undefined,
    onProgress: (stage) => stages.add(stage),
  });
  return { study, inputs, weights: arrays[0]!.data, drawn: drawn[0]!.data };
}

test("the whole study, with a linear model whose maps are known", async () => {
  const cache = await mkdtemp(join(tmpdir(), "aumann-test-"));
  try {
    await withCleanDevice(async (device) => {
      const stages = new Set<string>();
      const { study, inputs, weights, drawn } = await studied(device, cache, stages);
      const [clothes, lines] = study.networks;
      expect(study.accuracy.held).toBeGreaterThan(0.9);
      expect(study.cached).toBe(false);
      expect(clothes!.results.cascading!.layers).toEqual(["output", "dense", "conv 2", "conv 1"]);
      expect(clothes!.results.independent!.layers).toHaveLength(4);
      expect(clothes!.classNames).toEqual(["left", "right"]);
      // A random last layer alone leaves the others' part of the maps; both modes begin with it.
      for (const method of METHOD_NAMES) {
        const [a, b] = [clothes!.results.cascading!, clothes!.results.independent!].map(
          (r) => r.curves[method]!["spearman"]!,
        );
        expect(a!.values[0]).toEqual(b!.values[0]);
        expect(a!.mean.every((v) => Math.abs(v) <= 1 + 1e-9)).toBe(true);
      }
      expect(Object.keys(lines!.inputRanks)).toEqual(METHOD_NAMES.filter((name) => name !== "competitive gradient"));
      const targets = lines!.results.cascading!.targets;
      const size = SIZE * SIZE;
      const map = (w: ArrayLike<number>, k: number, label: number, times: boolean): number[] =>
        Array.from({ length: size }, (_, i) => w[3 * i + label]! * (times ? inputs.data[k * size + i]! : 1));
      const competed = (w: ArrayLike<number>, k: number, times: boolean): number[] => {
        const all = CLASSES.map((_, label) => map(w, k, label, times));
        return all[targets[k]!]!.map((v, i) => {
          const others = all.flatMap((m, label) => (label === targets[k] ? [] : [m[i]!]));
          return (v > 0 && v >= Math.max(...others)) || (v < 0 && v <= Math.min(...others)) ? v : 0;
        });
      };
      const curves = lines!.results.cascading!.curves;
      for (const absolute of [false, true]) {
        for (const [method, measured] of Object.entries(curves)) {
          const times = !method.endsWith("gradient");
          const of = (w: ArrayLike<number>, k: number): number[] =>
            method === "CGI" || method.startsWith("competitive")
              ? competed(w, k, times)
              : map(w, k, targets[k]!, times);
          const values = measured[absolute ? "spearman |.|" : "spearman"]!.values.at(-1)!;
          values.forEach((v, k) =>
            expect(v, `${method} ${k}`).toBeCloseTo(spearman(of(weights, k), of(drawn, k), { absolute }), 2),
          );
        }
      }
      expect(lines!.inputRanks["gradient × input"]).toBeCloseTo(
        [0, 1].reduce(
          (sum, k) =>
            sum +
            spearman(map(weights, k, targets[k]!, true), inputs.data.subarray(k * size, (k + 1) * size), {
              absolute: true,
            }) /
              2,
          0,
        ),
        3,
      );
      expect([...stages].some((stage) => stage.includes("independent"))).toBe(true);
      await checkReport(study);
      const again = await trainedCnn(DATA, { ...SETTINGS.training, seed: SETTINGS.seed }, { device, cache });
      // What one mode took over from the other is what it would have found itself.
      const alone = await sanityCheck({ gradient: saliency }, again.model, clothes!.input, {
        mode: "independent",
        seed: SETTINGS.seed,
        keepMaps: true,
      });
      expect(alone.maps!["gradient"]).toEqual(clothes!.results.independent!.maps!["gradient"]);
      again.model.dispose();
      expect(again.cached).toBe(true);
      expect(again.accuracy).toEqual(study.accuracy);
    });
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}, 300_000);

async function checkReport(study: Awaited<ReturnType<typeof studied>>["study"]): Promise<void> {
  const run = { study, adapter: "an adapter", seconds: 1 };
  const page = await sanityReport(run);
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
  // For each of three checks curves and maps, pictures of two networks, maps of permuted labels.
  expect(page.match(/<svg[^>]*aumann-chart/g)).toHaveLength(3 * 2 + 2 + 1);
  expect(page).toContain("not learnt by heart");
  const { rows, columns } = lastTable(study.networks[0]!);
  expect(rows.map(([name]) => name)).toEqual(METHOD_NAMES);
  expect(columns).toHaveLength(6);
  expect(JSON.parse(JSON.stringify(resultJson(run)))).toMatchObject({
    networks: [{ name: "Clothes" }, { name: "Lines" }],
  });
}

test("ranks of the input: 1 where the map is a multiple of it, signs apart", () => {
  const input = hostArray([1, 2, 3, 4, 3, 2], [2, 1, 1, 3]);
  expect(inputRank(hostArray([-2, 4, 6, 1, 1.5, -3], [2, 1, 3]), input)).toBeCloseTo(0, 12);
});

test("HOG finds unrelated maps alike if they are sparse, as the page says", () => {
  const noise = (key: string, share: number) => {
    const stream = nn.random(key);
    const data = Float32Array.from({ length: 28 * 28 }, () => (stream.uniform() < share ? stream.normal() : 0));
    return hostArray(data, [28, 28]);
  };
  const alike = (share: number): number[] =>
    [0, 1, 2, 3].map((k) => hogSimilarity(noise(`a${k}`, share), noise(`b${k}`, share)));
  alike(0.1).forEach((v) => expect(v).toBeGreaterThan(0.5));
  alike(1).forEach((v) => expect(v).toBeLessThan(0.4));
});
