// Every method that can be compiled ahead: what is loaded gives what the method gives, whose own tests hold it against the truth.
import { describe, expect, test } from "vitest";
import * as ahead from "../../src/ahead.ts";
import {
  adaptivePath,
  cgi,
  curvePath,
  expectedGradients,
  expectedHessians,
  gradientXInput,
  guidedIG,
  idgi,
  integratedGradients,
  integratedHessians,
  interiorGradients,
  joinExplanations,
  patchGroups,
  saveExplanation,
  shapleyIG,
  smoothGrad,
  type ExplanationFiles,
  type Input,
  type ModelLike,
  type PathState,
  type SavableMethod,
} from "../../src/attribution/index.ts";
import {
  abs,
  add,
  AumannError,
  conv2d,
  FormatError,
  gather,
  hostArray,
  matmul,
  maxPool2d,
  mul,
  NumericError,
  openDevice,
  relu,
  reshape,
  softplus,
  sum,
  tanh,
  type Device,
  type HostArray,
  type Value,
} from "../../src/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { drawArray, expectNear } from "./networks.ts";

type Model = (x: Value, tap?: (name: string, value: Value) => Value) => Value;

/** Two networks, and what they are explained with. */
function networks(device: Device) {
  const kernel = device.tensor(drawArray([4, 1, 3, 3], 1));
  const dense = device.tensor(drawArray([4 * 3 * 3, 5], 2, 0.3));
  const hidden = device.tensor(drawArray([6, 20], 3, 0.6));
  const out = device.tensor(drawArray([20, 4], 4, 0.6));
  const convolutional: Model = (x, tap = (_, value) => value) =>
    matmul(reshape(maxPool2d(relu(tap("features", conv2d(x, kernel))), { kernel: 2 }), [x.shape[0]!, -1]), dense);
  const smooth: Model = (x) => matmul(softplus(matmul(x, hidden)), out);
  return {
    convolutional,
    smooth,
    [Symbol.dispose]: () => [kernel, dense, hidden, out].forEach((t) => t.dispose()),
  };
}

type Loader = (
  device: Device,
  ...files: Parameters<typeof ahead.loadAttributions> extends [Device, ...infer F] ? F : never
) => {
  explain(input: Input, options?: ahead.ExplainOptions): Promise<object>;
  [Symbol.dispose](): void;
};

interface Case {
  readonly method: SavableMethod;
  readonly load: Loader;
  readonly network: "convolutional" | "smooth";
  readonly options?: object;
  /** What several submits leave in the file. */
  readonly submits?: true;
}

const run = (method: SavableMethod, model: ModelLike, input: Input, options: object): Promise<object> =>
  method(model, input as never, options as never);
const save = (method: SavableMethod, model: ModelLike, input: Input, options: object): Promise<ExplanationFiles> =>
  saveExplanation(method, model, input as never, options as never);

/** As files: numbers that are no JSON, and memory that is shared, would not survive. */
const fetched = ({ explanation, weights }: ExplanationFiles): [ahead.SavedExplanation, ArrayBuffer] => [
  JSON.parse(JSON.stringify(explanation)) as ahead.SavedExplanation,
  weights.slice(),
];

const shapes = { convolutional: [2, 1, 8, 8], smooth: [2, 6] };
const steepest = ({ gradient, progress }: PathState): Value => add(abs(gradient), mul(progress, 0.1));
const references = drawArray([3, 6], 21);
const groups = patchGroups([1, 8, 8], 4);

const cases: Readonly<Record<string, Case>> = {
  "integrated gradients": { method: integratedGradients, load: ahead.loadAttributions, network: "convolutional" },
  "integrated gradients of all classes": {
    method: integratedGradients,
    load: ahead.loadAttributions,
    network: "convolutional",
    options: { target: "all", steps: 16 },
  },
  "integrated gradients in chunks": {
    method: integratedGradients,
    load: ahead.loadAttributions,
    network: "convolutional",
    options: { steps: 60, memoryBudget: 60_000 },
    submits: true,
  },
  "integrated gradients of several baselines in chunks": {
    method: integratedGradients,
    load: ahead.loadAttributions,
    network: "convolutional",
    options: { steps: 30, memoryBudget: 60_000, baseline: [{ baseline: 0, weight: 2 }, { baseline: 0.5 }], target: 1 },
    submits: true,
  },
  "a layer": {
    method: integratedGradients,
    load: ahead.loadAttributions,
    network: "convolutional",
    options: { layer: "features", steps: 12 },
  },
  "gradient times input": { method: gradientXInput, load: ahead.loadAttributions, network: "convolutional" },
  "expected gradients": {
    method: expectedGradients,
    load: ahead.loadAttributions,
    network: "smooth",
    options: { references, samples: 9 },
  },
  curves: { method: curvePath, load: ahead.loadAttributions, network: "smooth", options: { steps: 11 } },
  IDGI: { method: idgi, load: ahead.loadAttributions, network: "convolutional", options: { steps: 9 } },
  "guided IG": {
    method: guidedIG,
    load: ahead.loadAttributions,
    network: "convolutional",
    options: { steps: 70 },
    submits: true,
  },
  "adaptive paths of all classes with anchors": {
    method: adaptivePath,
    load: ahead.loadAttributions,
    network: "smooth",
    options: { choose: steepest, steps: 20, anchors: 2, weighting: "idgi", target: "all" },
  },
  "guided IG in groups": {
    method: guidedIG,
    load: ahead.loadAttributions,
    network: "smooth",
    options: { steps: 12, target: "all", memoryBudget: 10_000 },
    submits: true,
  },
  "Shapley IG": {
    method: shapleyIG,
    load: ahead.loadShapleyIG,
    network: "convolutional",
    options: { groups, steps: 8 },
  },
  "Shapley IG in chunks": {
    method: shapleyIG,
    load: ahead.loadShapleyIG,
    network: "smooth",
    options: { steps: 8, average: "excluded", memoryBudget: 40_000 },
    submits: true,
  },
  Hessians: { method: integratedHessians, load: ahead.loadHessians, network: "smooth" },
  "Hessians of pairs": {
    method: integratedHessians,
    load: ahead.loadHessians,
    network: "smooth",
    options: {
      pairs: [
        [0, 1],
        [5, 2],
      ],
    },
  },
  "Hessians of groups": {
    method: integratedHessians,
    load: ahead.loadHessians,
    network: "smooth",
    options: { groups: [0, 0, 1, 1, -1, 2] },
  },
  "Hessians in blocks of rows": {
    method: integratedHessians,
    load: ahead.loadHessians,
    network: "smooth",
    options: { memoryBudget: 12_000 },
    submits: true,
  },
  "expected Hessians": {
    method: expectedHessians,
    load: ahead.loadHessians,
    network: "smooth",
    options: { references },
  },
  "interior gradients": {
    method: interiorGradients,
    load: ahead.loadInteriorGradients,
    network: "convolutional",
    options: { layers: ["features"] },
  },
  "interior gradients in chunks": {
    method: interiorGradients,
    load: ahead.loadInteriorGradients,
    network: "smooth",
    options: { steps: 30, memoryBudget: 10_000 },
    submits: true,
  },
  competition: { method: cgi, load: ahead.loadCgi, network: "convolutional" },
  "competition for named labels, block by block": {
    method: cgi,
    load: ahead.loadCgi,
    network: "smooth",
    options: { target: [3, 0], memoryBudget: 4500, center: true },
    submits: true,
  },
  "competition of all labels": { method: cgi, load: ahead.loadCgi, network: "smooth", options: { target: "all" } },
};

describe("what is loaded gives what was saved, to the bit", () => {
  test.each(Object.entries(cases))("%s", (_, { method, load, network, options, submits }) =>
    withCleanDevice(async (device) => {
      using models = networks(device);
      const model = models[network];
      const [like, input] = [8, 9].map((seed) => drawArray(shapes[network], seed));
      const given = { device, ...options };
      const files = await save(method, model, like!, given);
      using loaded = load(device, ...fetched(files));
      const direct = await run(method, model, input!, given);
      for (let call = 0; call < 2; call++) {
        const { live } = device.memory;
        expect(await loaded.explain(input!)).toEqual(direct);
        expect(device.memory.live).toBe(live);
      }
      expect(files.explanation.run.steps.filter((step) => step === "submit" || "read" in step).length > 1).toBe(
        submits ?? false,
      );
    }),
  );

  test("inputs by name, and a layer behind ids", () =>
    withCleanDevice(async (device) => {
      using table = device.tensor(drawArray([7, 4], 1));
      using w = device.tensor(drawArray([4, 3], 2));
      const model = ({ ids, scale }: Readonly<Record<string, Value>>, tap = (_: string, v: Value): Value => v): Value =>
        tanh(add(matmul(sum(tap("embedding", gather(table, ids!)), 1), w), scale!));
      const ids = (...numbers: number[]): HostArray => hostArray(numbers, [1, 3], "i32");
      const options = { device, layer: "embedding", baselineOf: "layer", target: 2 } as const;
      const files = await save(integratedGradients, model, { ids: ids(0, 0, 0), scale: drawArray([1, 3], 6) }, options);
      using loaded = ahead.loadAttributions(device, ...fetched(files));
      const input = { ids: ids(1, 5, 6), scale: drawArray([1, 3], 5) };
      expect(await loaded.explain(input)).toEqual(await integratedGradients(model, input, options));
      using onDevice = device.tensor(input.scale);
      expect(await loaded.explain({ ...input, scale: onDevice })).toEqual(await loaded.explain(input));
    }));
});

describe("weights that are one number throughout", () => {
  test.each([0, -0, 2.5, -Infinity, NaN, 1e-40])("%s, to the bit", (value) =>
    withCleanDevice(async (device) => {
      using w = device.tensor(hostArray(new Float32Array(6).fill(value), [3, 2]));
      const model = (x: Value): Value => matmul(x, w);
      const { explanation, weights } = await save(cgi, model, drawArray([1, 3], 8), { device });
      using loaded = ahead.loadCgi(device, ...fetched({ explanation, weights }));
      const [constant] = explanation.run.programs[0]!.constants;
      const spec = loaded.saved.run.constants[-constant! - 1]!;
      const bytes = new Float32Array(weights);
      expect(Object.is(spec.fill ?? bytes[0], Math.fround(value))).toBe(true);
      expect(spec.fill === undefined).toBe(!Number.isFinite(value) || Object.is(value, -0));
    }),
  );
});

describe("for another kind of adapter", () => {
  const near = (a: object, b: object): void => {
    for (const [key, value] of Object.entries(b)) {
      const other = (a as Record<string, unknown>)[key];
      if (value instanceof Float32Array) expectNear(other as Float32Array, [...value], 1e-4);
      else if (key !== "plan" && typeof value === "object" && value !== null) near(other as object, value as object);
    }
  };
  const some = ["guided IG", "Shapley IG", "Hessians", "interior gradients", "competition"];
  test.each(some)("%s, saved for GPUs", (name) =>
    withCleanDevice(async (on) => {
      const { method, load, network, options } = cases[name]!;
      const device = await openDevice({ kernels: "hardware" });
      const models = networks(device);
      const files = await save(method, models[network], drawArray(shapes[network], 8), { device, ...options });
      models[Symbol.dispose]();
      expect(device.memory.live).toBe(0);
      device.destroy();
      expect(files.explanation.software).toBe(false);
      using here = networks(on);
      using loaded = load(on, ...fetched(files));
      const input = drawArray(shapes[network], 9);
      near(await loaded.explain(input), await run(method, here[network], input, { device: on, ...options }));
    }),
  );
});

describe("several explanations in one file", () => {
  const named = ["integrated gradients", "guided IG", "competition"];
  const joinedFiles = async (device: Device, models: ReturnType<typeof networks>) => {
    const files: Record<string, ExplanationFiles> = {};
    for (const name of named) {
      const { method, network, options } = cases[name]!;
      files[name] = await save(method, models[network], drawArray(shapes[network], 8), { device, ...options });
    }
    return { files, joined: joinExplanations(files) };
  };
  type Joined = ahead.JoinedExplanations;
  const parse = (joined: Joined): Joined => JSON.parse(JSON.stringify(joined)) as Joined;

  test("come apart as they were, and hold what they share once", () =>
    withCleanDevice(async (device) => {
      using models = networks(device);
      const { files, joined } = await joinedFiles(device, models);
      const { explanations, weights } = joined;
      const padded = new Uint8Array([7, 7, 7, 7, ...new Uint8Array(weights), 7]);
      const split = ahead.splitExplanations(parse(explanations), padded.subarray(4, -1));
      for (const name of named) {
        const [explanation, own] = fetched(files[name]!);
        expect(split[name]).toEqual({ explanation, weights: own });
      }
      const bytes = named.map((name) => files[name]!.weights.byteLength).reduce((a, b) => a + b);
      expect(weights.byteLength).toBeLessThan(0.7 * bytes);
      expect(new Set(explanations.kernels).size).toBe(explanations.kernels.length);
      using loaded = ahead.loadCgi(device, split["competition"]!.explanation, split["competition"]!.weights);
      const input = drawArray(shapes.convolutional, 9);
      expect(await loaded.explain(input)).toEqual(await cgi(models.convolutional, input, { device }));
    }));

  test("are refused when damaged", () =>
    withCleanDevice(async (device) => {
      using models = networks(device);
      const { joined } = await joinedFiles(device, models);
      const changed =
        (change: object, weights = joined.weights) =>
        () =>
          ahead.splitExplanations({ ...parse(joined.explanations), ...change }, weights);
      expect(changed({ format: "aumann explanations 0" })).toThrow(FormatError);
      expect(changed({}, joined.weights.slice(4))).toThrow(/weights are \d+ bytes, \d+ were given/);
      for (const key of ["kernels", "constants", "explanations"])
        for (const to of [undefined, null, 1, {}]) {
          const split = (): void => {
            const files = changed({ [key]: to })();
            for (const { explanation, weights } of Object.values(files))
              ahead.loadAttributions(device, explanation, weights).dispose();
          };
          try {
            split();
          } catch (error) {
            expect(error, `${key} = ${JSON.stringify(to)}`).toBeInstanceOf(AumannError);
          }
        }
    }));
});

describe("runs", () => {
  test("tell how far they are, and can be stopped", () =>
    withCleanDevice(async (device) => {
      using models = networks(device);
      const files = await save(guidedIG, models.smooth, drawArray([2, 6], 8), { device, steps: 120 });
      using loaded = ahead.loadAttributions(device, ...fetched(files));
      const input = drawArray([2, 6], 9);
      const seen: number[] = [];
      await loaded.explain(input, { onProgress: ({ done, total }) => void seen.push(done / total) });
      expect(seen.length).toBeGreaterThan(2);
      expect([...seen].sort((a, b) => a - b)).toEqual(seen);
      expect(seen.at(-1)).toBe(1);
      const { live } = device.memory;
      const stop = new AbortController();
      const stopped = loaded.explain(input, { signal: stop.signal, onProgress: () => stop.abort(new Error("enough")) });
      await expect(stopped).rejects.toThrow("enough");
      expect(device.memory.live).toBe(live);
    }));

  test("of CGI fail where labels tie exactly, which saved runs cannot tell apart", () =>
    withCleanDevice(async (device) => {
      using w = device.tensor(hostArray([1, 1, 0.5], [1, 3]));
      const model = (x: Value): Value => matmul(x, w);
      const options = { device, target: "all" } as const;
      const files = await save(cgi, model, hostArray([0], [1, 1]), options);
      using loaded = ahead.loadCgi(device, ...fetched(files));
      await expect(loaded.explain(hostArray([2], [1, 1]))).rejects.toThrow(NumericError);
      const { attributions } = await cgi(model, hostArray([2], [1, 1]), options);
      expect([...attributions.data]).toEqual([2, 2, 0]);
    }));
});

describe("refused is", () => {
  test("to save what is not recorded", () =>
    withCleanDevice(async (device) => {
      using models = networks(device);
      const input = drawArray([2, 6], 8);
      const saved = (method: SavableMethod, options: object = {}): Promise<unknown> =>
        save(method, models.smooth, input, { device, ...options });
      await expect(saved(smoothGrad)).rejects.toThrow(/cannot be saved/);
      await expect(saved(guidedIG, { steps: 8, returnPath: true })).rejects.toThrow(
        /"path" of the result cannot be saved/,
      );
      await expect(saved(integratedHessians, { beta: 10 })).rejects.toThrow(/give smooth\(model, \{ beta \}\)/);
      await expect(saved(integratedHessians, { tolerance: 0.1 })).rejects.toThrow(/tolerance .*depend on results/);
    }));

  test("to load what another function loads", () =>
    withCleanDevice(async (device) => {
      using models = networks(device);
      const files = await save(cgi, models.smooth, drawArray([2, 6], 8), { device });
      expect(() => ahead.loadHessians(device, ...fetched(files))).toThrow(
        /of kind "cgi", which another function loads/,
      );
    }));

  test("to run steps that name what there is not", () =>
    withCleanDevice(async (device) => {
      using models = networks(device);
      const { explanation, weights } = await save(guidedIG, models.smooth, drawArray([2, 6], 8), { device, steps: 5 });
      const { live } = device.memory;
      const attempt = async (change: (run: Record<string, unknown>) => void): Promise<unknown> => {
        const copy = JSON.parse(JSON.stringify(explanation)) as { run: Record<string, unknown> };
        change(copy.run);
        try {
          using loaded = ahead.loadAttributions(device, copy as never, weights);
          return await loaded.explain(drawArray([2, 6], 9));
        } catch (error) {
          expect(error).toBeInstanceOf(AumannError);
          return undefined;
        } finally {
          expect(device.memory.live).toBe(live);
        }
      };
      expect(await attempt(() => undefined)).toBeDefined();
      type Steps = { run?: number; of?: number[]; read?: number[] }[];
      const values = [-999, 1e9, 0.5, null, "x", [], {}];
      for (const value of values) {
        const wrong = [
          (run: Record<string, unknown>) => ((run["steps"] as Steps)[0]!.run = value as number),
          (run: Record<string, unknown>) => ((run["steps"] as Steps)[1]!.of![0] = value as number),
          (run: Record<string, unknown>) => ((run["steps"] as Steps).at(-1)!.read![0] = value as number),
          (run: Record<string, unknown>) => (run["steps"] = value),
          (run: Record<string, unknown>) => (run["programs"] = value),
          (run: Record<string, unknown>) => (run["constants"] = value),
          (run: Record<string, unknown>) => ((run["programs"] as { constants: unknown[] }[])[0]!.constants[0] = value),
        ];
        for (const change of wrong)
          expect(await attempt(change), `${change.toString()} ${JSON.stringify(value)}`).toBeUndefined();
      }
    }));
});
