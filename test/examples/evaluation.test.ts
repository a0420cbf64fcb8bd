// The comparison of methods on pictures whose answer is known: a network that looks at one square, and maps that are exact,
// upside down or random.
import { describe, expect, test } from "vitest";
import { comparedMethods, CONTROLS, spreadOver, type Method } from "../../examples/lib/evaluation-methods.ts";
import { evaluationReport, resultJson, summaryText } from "../../examples/lib/evaluation-report.ts";
import {
  difference,
  estimate,
  isClearlyLarger,
  meanOfRows,
  standing,
} from "../../examples/lib/evaluation-statistics.ts";
import { judgedNetwork, type Network, type NetworkResult } from "../../examples/lib/evaluation-study.ts";
import { beyondControls, boldCells } from "../../examples/lib/evaluation-tables.ts";
import type { Value } from "../../src/graph/node.ts";
import { concat, mul, reshape, sum } from "../../src/kernels/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray, type Tensor } from "../../src/tensor/index.ts";
import { draw } from "../attribution/networks.ts";
import { withCleanDevice } from "../gpu.ts";

const SIDE = 16;
const OBJECT = { x: 4, y: 6, width: 6, height: 5 };
const AREA = (OBJECT.width * OBJECT.height) / SIDE ** 2;
const inObject = (i: number): boolean => {
  const [column, row] = [i % SIDE, Math.floor(i / SIDE) % SIDE];
  return column >= OBJECT.x && column < OBJECT.x + OBJECT.width && row >= OBJECT.y && row < OBJECT.y + OBJECT.height;
};
const mask = Float32Array.from({ length: SIDE ** 2 }, (_, i) => (inObject(i) ? 1 : 0));

/** Noise, hardly brighter in the object than elsewhere: what makes it one is that the network looks there. */
const planted = (count: number): HostArray =>
  hostArray(
    draw(count * SIDE ** 2, 21).map((v, i) => (inObject(i) ? 0.55 : 0.45) + 0.4 * v),
    [count, 1, SIDE, SIDE],
  );

function networkOf(input: HostArray): Network {
  const count = input.shape[0]!;
  const times = <T>(value: T): T[] => Array.from({ length: count }, () => value);
  return {
    title: "detector, squares",
    source: "made for a test",
    pictureSource: "planted",
    boxed: "Exact.",
    boxName: "square",
    classes: ["square", "nothing"],
    levels: { black: 0, white: 1 },
    removed: { name: "black", level: 0 },
    names: times("square"),
    input,
    shown: times({ width: SIDE, height: SIDE, data: new Uint8ClampedArray(4 * SIDE ** 2).fill(255) }),
    boxes: times(OBJECT),
  };
}

/** Two logits: brightness of the square, and its opposite. Linear, so that every attribution has a closed form. */
const detector =
  (weights: Tensor) =>
  (x: Value): Value => {
    const bright = reshape(sum(mul(x, weights), [1, 2, 3]), [-1, 1]);
    return concat([mul(bright, 0.1), mul(bright, -0.1)], 1);
  };

const exact: Method = (_, x) =>
  Promise.resolve({
    attributions: hostArray(
      Float32Array.from(x.data, (v, i) => 0.1 * v * mask[i % mask.length]!),
      x.shape,
    ),
  });
const reversed: Method = async (...given) => {
  const { attributions } = await exact(...given);
  return { attributions: hostArray(Float32Array.from(attributions.data, (v) => -v), attributions.shape) }; // prettier-ignore
};

const settings = { nodes: 4, guidedSteps: 6, coalitionNodes: 1, stages: 4, samples: 20, variants: 1, seed: 3 };
const signal = new AbortController().signal;

async function judged(device: Device, count: number): Promise<NetworkResult> {
  using weights = device.tensor(mask, [1, 1, SIDE, SIDE]);
  const model = detector(weights);
  const network = networkOf(planted(count));
  const methods = { exact, reversed, ...comparedMethods(settings, network.levels) };
  const stages: [number, number][] = [];
  const result = await judgedNetwork(model, network, methods, settings, {
    device,
    signal,
    onProgress: (_stage, done, total) => stages.push([done, total]),
  });
  const [done, total] = stages.at(-1)!;
  expect(done).toBe(total);
  return result;
}

describe("a planted object", () => {
  test("exact maps are perfect, reversed ones as bad as can be, random ones at chance; the report says so", () =>
    withCleanDevice(async (device) => {
      const result = await judged(device, 5);
      const mean = (method: string, metric: keyof NetworkResult["methods"][string]["values"]): number =>
        estimate(result.methods[method]!.values[metric]!).mean;
      expect(result.explained).toEqual(Array.from({ length: 5 }, () => "square"));
      for (const method of ["exact", "IG (black)", "Guided IG", "CGI", "shapleyIG"]) {
        expect(mean(method, "pointing"), method).toBe(1);
        expect(mean(method, "auc"), method).toBeGreaterThan(0.9);
        expect(mean(method, "share"), method).toBeCloseTo(1, 5);
      }
      expect(mean("exact", "auc")).toBe(1);
      expect(mean("gradient", "share")).toBeCloseTo(1, 5);
      // By magnitudes it is as good.
      expect(mean("reversed", "auc")).toBe(1);
      expect(mean("reversed", "pointing")).toBe(0);
      expect(Math.abs(mean("random", "auc") - 0.5)).toBeLessThan(0.1);
      expect(Math.abs(mean("random", "share") - AREA)).toBeLessThan(0.05);

      // The score is linear in what is removed, so that exact attributions foresee everything.
      expect(mean("exact", "infidelity")).toBeLessThan(1e-6);
      expect(mean("exact", "sensitivityN")).toBeCloseTo(1, 4);
      expect(mean("random", "infidelity")).toBeGreaterThan(0.5);
      expect(mean("IG (black)", "delta")).toBeLessThan(1e-4);
      expect(mean("Guided IG", "delta")).toBeLessThan(1e-4);
      expect(result.methods["IG (black)"]!.differences![0]).toBeCloseTo(
        0.1 * Array.from(result.network.input.data.subarray(0, SIDE ** 2)).reduce((s, v, i) => s + v * mask[i]!, 0),
        4,
      );
      expect(mean("exact", "delta")).toBeNaN();
      expect(mean("random", "maxSensitivity")).toBeGreaterThan(0.5);
      expect(mean("gradient", "maxSensitivity")).toBeLessThan(1e-5);

      // No other order makes the sum fall faster. (Back into a blur, pixels may make it rise or fall.)
      for (const worse of ["random", "reversed"]) {
        expect(mean("exact", "deletion"), worse).toBeLessThan(mean(worse, "deletion"));
        expect(mean("exact", "ablation"), worse).toBeGreaterThan(mean(worse, "ablation"));
      }
      expect(mean("picture itself", "auc")).toBeLessThan(0.75);
      expect(beyondControls(result, "deletion")).toContain("exact");
      expect(beyondControls(result, "deletion")).not.toContain("reversed");

      const run = { study: { settings: { ...settings, models: [] }, results: [result] }, adapter: "test", seconds: 1 };
      const page = await evaluationReport(run);
      expect(page).toContain("<strong>1.00 ± 0.00</strong>");
      expect(page).not.toContain("**");
      for (const name of [...CONTROLS, "Guided IG", "Softmax information curve", "PNG"]) expect(page).toContain(name);
      expect(summaryText(run)).toContain("1.00 ± 0.00 *");
      expect(JSON.parse(JSON.stringify(resultJson(run)))).toMatchObject({
        networks: [{ methods: { exact: { auc: { mean: 1, count: 5 } } } }],
      });
    }));
});

describe("statistics", () => {
  test("mean and standard error of what is known", () => {
    // Sample deviation of 1, 2, 3, 6 is sqrt(14 / 3).
    expect(estimate([1, NaN, 2, 3, 6])).toEqual({ mean: 3, error: expect.closeTo(Math.sqrt(14 / 12), 12) as number, count: 4 }); // prettier-ignore
    expect(estimate([2]).error).toBeNaN();
    expect(estimate([NaN])).toMatchObject({ mean: NaN, count: 0 });
    expect(difference([1, 5, NaN], [0, 3, 1])).toEqual({ mean: 1.5, error: 0.5, count: 2 });
    expect(meanOfRows([[1, 2], [NaN, 2], [3, 6]])).toEqual([2, 4]); // prettier-ignore
    expect(meanOfRows([[NaN, 1]])).toBeUndefined();
  });

  test("two pictures hardly show anything, six do", () => {
    // Differences 1 and 1.2: mean 1.1, error 0.1; 12.7 errors are needed.
    expect(isClearlyLarger([1, 1.2], [0, 0])).toBe(false);
    expect(isClearlyLarger([1, 1.2, 1, 1.2, 1, 1.2], [0, 0, 0, 0, 0, 0])).toBe(true);
    expect(isClearlyLarger([1], [0])).toBe(false);
  });

  test("differences are judged picture by picture", () => {
    // Pictures differ by tens, methods always by one, give or take a tenth.
    const a = [10, 30, 50, 70];
    // c is 39.75 on average, between b and a, but not always.
    const values = { a, b: [9, 28.9, 49.1, 69], c: [0, 60, 20, 79], d: [NaN, NaN, NaN, NaN] };
    expect(standing(values, "large")).toEqual({ best: "a", close: ["c"] });
    expect(standing(values, "small")).toEqual({ best: "b", close: ["c"] });
    expect(standing({ d: [NaN] }, "large")).toBeUndefined();
  });
});

test("a map of pixels is shared out to the channels; its sum stays", () => {
  const map = hostArray([1, 2, 3, 4], [1, 2, 2]);
  const x = hostArray(new Float32Array(8), [1, 2, 2, 2]);
  expect(Array.from(spreadOver(map, x).data)).toEqual([0.5, 1, 1.5, 2, 0.5, 1, 1.5, 2]);
});

test("bold cells, and only cells", () => {
  expect(boldCells('<td class="n">**1 ± 2**</td><p>**x**</p>')).toBe(
    '<td class="n"><strong>1 ± 2</strong></td><p>**x**</p>',
  );
});
