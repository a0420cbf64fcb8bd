// The example on pictures: its parts against closed forms, and all of it with a network of two linear layers.
import { describe, expect, test } from "vitest";
import { greyPictures, inkBox, npy } from "../../examples/lib/pictures-data.ts";
import { boxInInput, chosenLayers, METHODS, type MeasureSettings } from "../../examples/lib/pictures-measure.ts";
import { outlined } from "../../examples/lib/pictures-figures.ts";
import { picturesReport, resultJson, summaryText } from "../../examples/lib/pictures-report.ts";
import {
  counted,
  drops,
  leftAtEnd,
  meanCurve,
  reachedAt,
  spread,
  spreadText,
  wins,
} from "../../examples/lib/pictures-statistics.ts";
import { levelOf, measureAll, telling, type PicturesStudy } from "../../examples/lib/pictures-study.ts";
import { drawStrokes } from "../../examples/lib/pictures-symbols.ts";
import type { PictureFormat } from "../../src/cli/picture.ts";
import { add, matmul, reshape } from "../../src/kernels/index.ts";
import type { Model } from "../../src/nn/model.ts";
import type { Device } from "../../src/tensor/device.ts";
import { ArgumentError, FormatError } from "../../src/tensor/errors.ts";
import { draw } from "../attribution/networks.ts";
import { withCleanDevice } from "../gpu.ts";

// ---- pictures -------------------------------------------------------------------------------------------------------

function numpyFile(descr: string, shape: string, values: readonly number[]): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117) + "\n";
  const head = [
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    1,
    0,
    header.length,
    0,
    ...new TextEncoder().encode(header),
  ];
  return Uint8Array.from([...head, ...new Uint8Array(Float64Array.from(values).buffer)]);
}

describe("pictures", () => {
  test("a NumPy file, and its first pictures", () => {
    // A Buffer, as files are read: its slices share memory with the header.
    const array = npy(Buffer.from(numpyFile("<f8", "(2, 1, 2)", [0, 1, 0.5, 0.25])), "f.npy");
    expect(array).toEqual({ shape: [2, 1, 2], data: Float64Array.of(0, 1, 0.5, 0.25) });
    const [first, second, ...none] = greyPictures(array, 5);
    expect(none).toEqual([]);
    expect([...first!.data]).toEqual([0, 0, 0, 255, 255, 255, 255, 255]);
    expect([second!.width, second!.height, second!.data[0], second!.data[4]]).toEqual([2, 1, 128, 64]);
  });

  test("other NumPy files are refused, by what is wrong with them", () => {
    expect(() => npy(numpyFile("<f4", "(1,)", [0]), "f.npy")).toThrow(/f\.npy holds other numbers than f64.*<f4/);
    expect(() => npy(numpyFile("<f8", "(3,)", [0]), "f.npy")).toThrow(/8 bytes of numbers; expected 24/);
    expect(() => npy(new Uint8Array(20), "f.npy")).toThrow(FormatError);
  });

  test("the ink of a stroke is a rectangle with half a disc at each end; its box is around it", () => {
    const [side, pen] = [200, 12];
    const picture = drawStrokes([[[0.25, 0.5], [0.6, 0.5]]], side, pen); // prettier-ignore
    let ink = 0;
    for (let i = 0; i < side * side; i++) ink += picture.data[4 * i]! / 255;
    expect(ink).toBeCloseTo(pen * 0.35 * side + Math.PI * (pen / 2) ** 2, -0.5);
    expect(inkBox(picture)).toEqual({ x: 44, y: 94, width: 82, height: 12 });
  });

  test("boxes go through the crop and the change of size, and are cut off", () => {
    const format = { width: 200, height: 200, layout: "CHW", channels: "rgb", scale: 1, offset: 0 } as const;
    const picture = { width: 600, height: 400, data: new Uint8ClampedArray() };
    // The middle 400 x 400 are seen, at half the size.
    expect(boxInInput({ x: 150, y: 40, width: 100, height: 60 }, picture, format)).toEqual({ x: 25, y: 20, width: 50, height: 30 }); // prettier-ignore
    expect(boxInInput({ x: 0, y: 0, width: 600, height: 400 }, picture, format)).toEqual({ x: 0, y: 0, width: 200, height: 200 }); // prettier-ignore
    expect(() => boxInInput({ x: 0, y: 0, width: 90, height: 400 }, picture, format)).toThrow(ArgumentError);
  });

  test("outlines lie on the edges of a box and nowhere else", () => {
    const white = { width: 30, height: 30, data: new Uint8ClampedArray(3600).fill(255) };
    const { data } = outlined(white, [{ x: 1, y: 2, width: 4, height: 3 }], 5);
    const at = (x: number, y: number): number => data[4 * (30 * y + x)]!;
    expect([at(5, 10), at(6, 11), at(24, 24), at(8, 13), at(4, 10), at(25, 24)]).toEqual([20, 255, 20, 255, 255, 255]);
    expect(data[4 * (30 * 11 + 6) + 2]).toBe(51);
    expect(white.data.every((v) => v === 255)).toBe(true);
  });
});

// ---- statistics -----------------------------------------------------------------------------------------------------

test("curves: where they arrive, what is left, how far they fall", () => {
  const alphas = [0, 0.25, 0.5, 0.75, 1];
  expect(reachedAt(alphas, [0, 0.5, 0.89, 0.95, 1], 0.9)).toBe(0.75);
  expect(reachedAt(alphas, [2, 0.5, 0.1, 0.1, 0], 0.9)).toBe(0.5); // downwards
  expect(reachedAt(alphas, [3, 3, 3, 3, 3], 0.9)).toBe(0);
  expect([leftAtEnd([1, 4, 2]), leftAtEnd([0, 0])]).toEqual([0.5, 0]);
  expect(meanCurve([[1, 2], [3, 6]])).toEqual([2, 4]); // prettier-ignore
  expect(drops([[1, 0.5], [0.75, 1]], 1)).toEqual([0.5, -0.25]); // prettier-ignore
  expect(wins([1, 2, 3], [0, 2, 4])).toEqual({ more: 1, equal: 1 });
  expect(spread([1, 2, 3])).toEqual({ mean: 2, deviation: 1 });
  expect(spreadText(spread([5]))).toBe("5.00\u00a0±\u00a00.00");
  expect(spreadText(spread([-0.001]))).toBe("0.00\u00a0±\u00a00.00");
  expect(spreadText(spread([-0.3]))).toBe("-0.30\u00a0±\u00a00.00");
});

test("shown are the first picture and the surest of every other class, then the next surest", () => {
  const picture = (target: number, p: number) => ({ target, probability: { scores: [0, p], gradients: [] } });
  const all = [picture(0, 0.5), picture(1, 0.6), picture(0, 0.95), picture(1, 0.9), picture(2, 0.4)];
  expect(telling(all, 3)).toEqual([0, 3, 4]);
  expect(telling(all, 5)).toEqual([0, 3, 4, 2, 1]);
  expect(telling([], 3)).toEqual([]);
});

// ---- a linear network -----------------------------------------------------------------------------------------------

const [SIDE, HIDDEN, CLASSES] = [6, 5, 3];
const PIXELS = SIDE * SIDE;
const FORMAT: PictureFormat = {
  width: SIDE,
  height: SIDE,
  layout: "CHW",
  channels: "grey",
  scale: 1 / 255,
  offset: -0.5,
};
const W1 = draw(PIXELS * HIDDEN, 1, 0.6);
const B1 = draw(HIDDEN, 2);
const W2 = draw(HIDDEN * CLASSES, 3);

function linearModel(device: Device): Model {
  const [w1, b1, w2] = [device.tensor(W1, [PIXELS, HIDDEN]), device.tensor(B1, [HIDDEN]), device.tensor(W2, [HIDDEN, CLASSES])]; // prettier-ignore
  return {
    device,
    inputs: [{ name: "x", shape: [1, SIDE, SIDE], dtype: "f32" }],
    classes: ["a", "b", "c"],
    parameters: { w1, b1, w2 },
    apply: ({ x }, tap = (_, value) => value) =>
      matmul(tap("hidden", add(matmul(reshape(x!, [x!.shape[0]!, PIXELS]), w1), b1)), w2),
    dispose: () => [w1, b1, w2].forEach((tensor) => tensor.dispose()),
  };
}

const SUBJECTS = [1, 2].map((seed) => ({
  name: `picture ${seed}`,
  picture: greyPictures({ shape: [1, SIDE, SIDE], data: Float64Array.from(draw(PIXELS, 10 + seed), (v) => Math.round(255 * (0.5 + v / 2)) / 255) }, 1)[0]!, // prettier-ignore
  boxes: { middle: { x: 1, y: 2, width: 3, height: 2 } },
}));

const SETTINGS = {
  baseline: "grey",
  positions: 5,
  nodes: 3,
  fractions: [0, 2 / PIXELS, 0.25, 1],
  layers: ["hidden"],
  seed: 4,
} as const;

/** All in f64. */
function reference(picture: { readonly data: ArrayLike<number> }) {
  const x = Array.from({ length: PIXELS }, (_, i) => picture.data[4 * i]! / 255 - 0.5);
  const hidden = (u: readonly number[]): number[] =>
    B1.map((b, h) => u.reduce((sum, v, i) => sum + v * W1[i * HIDDEN + h]!, b));
  const logits = (u: readonly number[]): number[] => {
    const own = hidden(u);
    return Array.from({ length: CLASSES }, (_, c) => own.reduce((sum, v, h) => sum + v * W2[h * CLASSES + c]!, 0));
  };
  const softmax = (z: readonly number[]): number[] => {
    const all = z.reduce((sum, v) => sum + Math.exp(v), 0);
    return z.map((v) => Math.exp(v) / all);
  };
  const target = logits(x).indexOf(Math.max(...logits(x)));
  /** [classes][pixels] */
  const slopes = Array.from({ length: CLASSES }, (_, c) =>
    x.map((_v, i) => B1.reduce((sum, _b, h) => sum + W1[i * HIDDEN + h]! * W2[h * CLASSES + c]!, 0)),
  );
  return { x, hidden, logits, softmax, target, slopes };
}

const GREY = 0; // 127.5 / 255 - 0.5

test("a linear network: curves, attributions, falls and shares are what algebra says", () =>
  withCleanDevice(async (device) => {
    const model = linearModel(device);
    const stages: string[] = [];
    const results = await measureAll(
      model,
      FORMAT,
      SUBJECTS,
      { ...SETTINGS, score: "logit" },
      {
        signal: new AbortController().signal,
        onProgress: (stage, done, total) => stages.push(`${stage} ${done}/${total}`),
      },
    );
    expect(levelOf("grey", FORMAT)).toBe(GREY);
    expect(levelOf("black", FORMAT)).toBe(-0.5);
    expect(stages).toEqual(["building kernels and measuring 0/2", "measuring picture 2 1/2", "measured 2/2"]);
    results.forEach((found, k) => {
      const { x, hidden, logits, softmax, target, slopes } = reference(SUBJECTS[k]!.picture);
      expect([found.target, found.className]).toEqual([target, "abc"[target]]);
      const w = slopes[target]!;
      const top = [...w.keys()].sort((i, j) => Math.abs(w[j]! * x[j]!) - Math.abs(w[i]! * x[i]!));
      const byGradient = [...w.keys()].sort((i, j) => Math.abs(w[j]!) - Math.abs(w[i]!));
      found.alphas.forEach((alpha, s) => {
        const z = logits(x.map((v) => alpha * v));
        const p = softmax(z);
        const slope = x.map((_, i) => p[target]! * (w[i]! - p.reduce((sum, q, c) => sum + q * slopes[c]![i]!, 0)));
        const meanMagnitude = (values: readonly number[]): number =>
          values.reduce((sum, v) => sum + Math.abs(v), 0) / PIXELS;
        expect(found.logit.scores[s]).toBeCloseTo(z[target]!, 4);
        expect(found.probability.scores[s]).toBeCloseTo(p[target]!, 5);
        expect(found.logit.gradients[s]).toBeCloseTo(meanMagnitude(w), 5);
        expect(found.probability.gradients[s]).toBeCloseTo(meanMagnitude(slope), 5);
        const [a, b] = [hidden(x.map((v) => alpha * v)), hidden(x)];
        const dot = (u: readonly number[], v: readonly number[]): number => u.reduce((sum, q, h) => sum + q * v[h]!, 0);
        expect(found.distances["hidden"]![s]).toBeCloseTo(1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), 5);
      });
      w.forEach((slope, i) => {
        expect(found.attributions.ig.data[i]).toBeCloseTo(slope * x[i]!, 5);
        expect(found.attributions.product.data[i]).toBeCloseTo(slope * x[i]!, 5);
        expect(found.attributions.gradient.data[i]).toBeCloseTo(slope, 5);
      });
      expect(found.delta).toBeCloseTo(0, 4);
      SETTINGS.fractions.forEach((share, step) => {
        const without = (order: readonly number[]): number => {
          const gone = new Set(order.slice(0, Math.round(share * PIXELS)));
          return logits(x.map((v, i) => (gone.has(i) ? GREY : v)))[target]!;
        };
        expect(found.ablation.ig[step]).toBeCloseTo(without(top), 4);
        expect(found.ablation.gradient[step]).toBeCloseTo(without(byGradient), 4);
      });
      const inside = [...w.keys()].filter((i) => i % SIDE >= 1 && i % SIDE < 4 && i >= 2 * SIDE && i < 4 * SIDE);
      const share = (values: readonly number[]): number =>
        inside.reduce((sum, i) => sum + Math.abs(values[i]!), 0) / values.reduce((sum, v) => sum + Math.abs(v), 0);
      expect(found.shares["middle"]!.area).toBeCloseTo(6 / PIXELS, 12);
      expect(found.shares["middle"]!.ig).toBeCloseTo(share(w.map((v, i) => v * x[i]!)), 5);
      expect(found.shares["middle"]!.gradient).toBeCloseTo(share(w), 5);
    });
    // Random orders differ from picture to picture.
    expect(results[0]!.attributions.random.data).not.toEqual(results[1]!.attributions.random.data);
    model.dispose();
  }));

test("the report of a run shows every section and escapes nothing twice; numbers are the study's", () =>
  withCleanDevice(async (device) => {
    const model = linearModel(device);
    const settings = { ...SETTINGS, score: "probability" } satisfies MeasureSettings & { baseline: "grey" };
    const tools = { signal: new AbortController().signal, onProgress: () => undefined };
    const results = await measureAll(model, FORMAT, SUBJECTS, settings, tools);
    const study: PicturesStudy = {
      settings: { ...settings, model: "linear", kind: "faces", pictures: 2, examples: 2 },
      set: { kind: "faces", source: "numbers", boxed: "Boxes are made up." },
      model: { name: "linear", source: "here", format: FORMAT },
      layers: ["hidden"],
      results,
      shown: [0, 1],
    };
    const run = { study, adapter: "test", seconds: 1 };
    const html = await picturesReport(run);
    for (const part of ["Saturation", "Picture 2: picture 2", "Blanking pixels", "Inside the boxes", "What was done"])
      expect(html).toContain(part);
    expect(html).not.toMatch(/NaN|undefined|&amp;amp;/);
    const falls = results.map(({ ablation }) => ablation.ig[0]! - ablation.ig[3]!);
    expect(summaryText(run)).toContain(spreadText(spread(falls)));
    const json = resultJson(run) as { pictures: { ablation: Record<string, number[]> }[] };
    METHODS.forEach((method) => expect(json.pictures[1]!.ablation[method]).toEqual(results[1]!.ablation[method]));
    model.dispose();
  }));

test("layers: by name, evenly spread; models that take channels last are refused", () =>
  withCleanDevice(async (device) => {
    const model = linearModel(device);
    expect(chosenLayers(model, 5)).toEqual(["hidden"]);
    const many: Model = {
      ...model,
      apply: ({ x }, tap = (_, value) => value) =>
        ["in", "relu", "conv", "b/relu_1", "relu_2", "add_1", "pool"].reduce(
          (value, name) => tap(name, add(value, 1)),
          x!,
        ),
    };
    expect(chosenLayers(many, 3)).toEqual(["relu", "relu_2", "pool"]);
    const tools = { signal: new AbortController().signal, onProgress: () => undefined };
    const last = measureAll(model, { ...FORMAT, layout: "HWC" }, SUBJECTS, { ...SETTINGS, score: "logit" }, tools);
    await expect(last).rejects.toThrow(/channels, height, width/);
    model.dispose();
  }));

test("one picture is not several", () => {
  expect([counted(1), counted(12), counted(1, "faces")]).toEqual(["1 picture", "12 pictures", "1 face"]);
});
