// Integrated Gradients compiled ahead, read back as files, and run on another device: against double precision.
import { describe, expect, test } from "vitest";
import { loadAttributions, type LoadedExplanation, type SavedExplanation } from "../../src/ahead.ts";
import {
  integratedGradients,
  quadrature,
  saveExplanation,
  type ArrayInput,
  type Attribution,
  type Input,
  type IntegratedGradientsOptions,
  type ModelLike,
  type Rule,
} from "../../src/attribution/index.ts";
import {
  ArgumentError,
  AumannError,
  DTypeError,
  FormatError,
  gather,
  hostArray,
  LimitError,
  NumericError,
  openDevice,
  ShapeError,
  sum,
  type Device,
  type HostArray,
  type Value,
} from "../../src/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { Network, type ActivationName } from "./dense-network.ts";
import { argmax, drawArray, expectNear, rows, scoreTruth, type Vector } from "./networks.ts";

interface Case {
  readonly widths: readonly number[];
  readonly activation?: ActivationName;
  readonly examples?: number;
  readonly score?: keyof typeof scoreTruth;
  readonly options?: IntegratedGradientsOptions;
  readonly rule?: Rule;
  readonly from?: readonly Vector[];
  readonly target?: number;
}

/** The files that a page would fetch. */
async function files(model: ModelLike, input: Input, options: IntegratedGradientsOptions) {
  const { explanation, weights } = await saveExplanation(integratedGradients, model, input, options);
  return { json: JSON.stringify(explanation), weights: weights.slice() };
}
const parse = (json: string): SavedExplanation => JSON.parse(json) as SavedExplanation;

/** Saves for an array of zeros, loads elsewhere, explains. */
async function ahead(device: Device, on: Device, c: Case): Promise<{ result: Attribution<HostArray>; x: HostArray }> {
  const { widths, examples = 1, score = "logit" } = c;
  using traced = new Network(widths, c.activation).on(device);
  const shape = [examples, widths[0]!];
  const options = { device, ...(!c.options?.points && { steps: 40 }), score, ...c.options };
  const saved = await files(traced.model, hostArray(new Float32Array(shape[0]! * shape[1]!), shape), options);
  using loaded = loadAttributions(on, parse(saved.json), saved.weights);
  const x = drawArray(shape, 3, 2);
  const given = c.target === undefined ? {} : { target: c.target };
  const [first, second] = [await loaded.explain(x, given), await loaded.explain(x, given)];
  expect(second.attributions.data).toEqual(first.attributions.data);
  return { result: first, x };
}

function compare({ result, x }: { result: Attribution<HostArray>; x: HostArray }, c: Case): void {
  const net = new Network(c.widths, c.activation);
  const begins = c.from ?? [rows(x)[0]!.map(() => 0)];
  const rule = c.rule ?? (c.activation === undefined ? "midpoint" : "gauss-legendre");
  const { nodes, weights } = quadrature(rule, 40);
  const classes = rows(x).map((row) => c.target ?? argmax(net.logits(row)));
  const of = classes.map((k) => scoreTruth[c.score ?? "logit"](k));
  const mean = (f: (begin: Vector) => number): number => begins.reduce((total, z) => total + f(z) / begins.length, 0);
  const truth = rows(x).map((row, b) => {
    const each = new Map(begins.map((begin) => [begin, net.integral(of[b]!, row, begin, nodes, weights)]));
    return row.map((_, i) => mean((begin) => each.get(begin)![i]!));
  });
  expectNear(result.attributions.data, truth.flat(), 2e-5);
  const logits = rows(x).map((row) => net.logits(row));
  expectNear(result.outputs.data, logits.flat(), 1e-5);
  expect([...result.targets!.data]).toEqual(classes);
  truth.forEach((own, b) => {
    const rise = of[b]!.value(logits[b]!) - mean((begin) => of[b]!.value(net.logits(begin)));
    expect(result.delta.data[b]).toBeCloseTo(own.reduce((total, a) => total + a) - rise, 4);
  });
}

describe("Integrated Gradients compiled ahead", () => {
  const pair = [8, 9].map((seed) => drawArray([1, 4], seed));
  const cases: Readonly<Record<string, Case>> = {
    "a ReLU network": { widths: [6, 32, 16, 3] },
    "with rectified lines": { widths: [6, 224, 210, 3] },
    "a smooth network, several examples": { widths: [5, 20, 4], activation: "tanh", examples: 3, score: "probability" },
    "several baselines": {
      widths: [4, 24, 3],
      options: { baseline: pair.map((baseline) => ({ baseline })) },
      from: pair.map(({ data }) => [...data]),
    },
    "a class that was named": { widths: [6, 32, 3], options: { target: 1 }, target: 1 },
    "another class than the one that was named": {
      widths: [6, 32, 3],
      examples: 2,
      options: { target: [1, 0] },
      target: 2,
    },
    "nodes of one's own": {
      widths: [4, 24, 3],
      activation: "silu",
      options: { points: quadrature("trapezoid", 40) },
      rule: "trapezoid",
    },
  };
  for (const kernels of ["software", "hardware"] as const)
    describe(`for ${kernels}`, () => {
      test.each(Object.entries(cases))("%s", (_, c) =>
        withCleanDevice(async (on) => {
          const device = await openDevice({ kernels });
          try {
            compare(await ahead(device, on, c), c);
            expect(device.memory.live).toBe(0);
          } finally {
            device.destroy();
          }
        }),
      );
    });

  test("has the same weights for both", async () => {
    const all: string[] = [];
    for (const kernels of ["software", "hardware"] as const) {
      const device = await openDevice({ kernels });
      using traced = new Network([6, 224, 210, 3]).on(device);
      const { weights } = await files(traced.model, hostArray(new Float32Array(6), [1, 6]), { device });
      all.push(new Float32Array(weights).join());
      device.destroy();
    }
    expect(all[0]!.length).toBeGreaterThan(210 * 224);
    expect(all[1]).toBe(all[0]);
  });

  test("for the adapter at hand", () =>
    withCleanDevice(async (device) => {
      const c = cases["with rectified lines"]!;
      compare(await ahead(device, device, c), c);
    }));
});

describe("refuses", () => {
  const shape = [1, 4];
  const zeros = hostArray(new Float32Array(4), shape);
  async function withNetwork(work: (device: Device, model: (x: Value) => Value) => Promise<void>): Promise<void> {
    await withCleanDevice(async (device) => {
      using traced = new Network([4, 6, 3]).on(device);
      await work(device, traced.model);
    });
  }

  test("to save what depends on the input, on results or on room", () =>
    withNetwork(async (device, model) => {
      const save = (options: object): Promise<unknown> =>
        saveExplanation(integratedGradients, model, zeros, { device, ...options });
      await expect(save({ baseline: (x: HostArray) => x })).rejects.toThrow(/depends on the elements of the input/);
      await expect(save({ tolerance: 0.1 })).rejects.toThrow(ArgumentError);
      await expect(save({ rule: "equidistributed" })).rejects.toThrow(/depend on results/);
      await expect(save({ kernel: () => undefined })).rejects.toThrow(/kernel/);
      await expect(save({ memoryBudget: 64 })).rejects.toThrow(LimitError);
      await expect(save({ target: 3 })).rejects.toThrow(/class 3 does not exist/);
    }));

  test("to explain what does not fit, and leaves nothing behind", () =>
    withNetwork(async (device, model) => {
      const { json, weights } = await files(model, zeros, { device, target: 0 });
      using loaded = loadAttributions(device, parse(json), weights);
      const { live } = device.memory;
      const explain = (x: unknown, target = 0): Promise<unknown> => loaded.explain(x as ArrayInput, { target });
      await expect(explain([1, 2, 3, 4])).rejects.toThrow(/input "x": expected a tensor or hostArray/);
      await expect(explain(undefined)).rejects.toThrow(ArgumentError);
      await expect(explain(hostArray([1, 2, 3]))).rejects.toThrow(ShapeError);
      await expect(explain(hostArray([1, 2, 3, 4], shape, "i32"))).rejects.toThrow(DTypeError);
      await expect(explain(hostArray([1, NaN, 3, 4], shape))).rejects.toThrow(NumericError);
      await expect(explain(zeros, 3)).rejects.toThrow(/class 3 does not exist/);
      expect(device.memory.live).toBe(live);
      using chosen = loadAttributions(device, parse((await files(model, zeros, { device })).json), weights);
      await expect(chosen.explain(zeros, { target: 1 })).rejects.toThrow(/saved without numbers of classes/);
    }));

  test("to look up ids that the table lacks", () =>
    withCleanDevice(async (device) => {
      using table = device.tensor(drawArray([7, 4], 1));
      const model = (ids: Value, tap = (_: string, v: Value): Value => v): Value =>
        sum(tap("embedding", gather(table, ids)), 1);
      const like = hostArray([0, 0], [1, 2], "i32");
      const options = { device, layer: "embedding", baselineOf: "layer" } as const;
      const { json, weights } = await files(model, like, options);
      using loaded = loadAttributions(device, parse(json), weights);
      await expect(loaded.explain(hostArray([0, 7], [1, 2], "i32"))).rejects.toThrow(/id 7 .* 7 rows/);
    }));

  test("to load or run what is no explanation, wherever it is damaged", () =>
    withNetwork(async (device, model) => {
      const { json, weights } = await files(model, zeros, { device, target: 1 });
      const changed = (change: object, bytes = weights): LoadedExplanation<"attributions"> =>
        loadAttributions(device, { ...parse(json), ...change }, bytes);
      expect(() => changed({ format: "aumann explanation 0" })).toThrow(FormatError);
      expect(() => changed({}, weights.slice(4))).toThrow(/weights are \d+ bytes, \d+ were given/);
      expect(() => loadAttributions(device, null as never, weights)).toThrow(FormatError);
      const { live } = device.memory;
      for (const key of Object.keys(parse(json)))
        for (const to of [undefined, null, -1, 1e15, "x", {}, [], [-1], ["x"], [[]], [null], [1, 2, 3, 4]]) {
          const what = `${key} = ${JSON.stringify(to)}`;
          try {
            using loaded = changed({ [key]: to });
            await loaded.explain(zeros);
          } catch (error) {
            expect(error, what).toBeInstanceOf(AumannError);
          }
          expect(device.memory.live, what).toBe(live);
        }
    }));
});
