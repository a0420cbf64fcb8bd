// How Integrated Hessians run and refuse to: typed errors that name the culprit, progress, abort, smoothing, and no
// memory left behind.
import { describe, expect, test } from "vitest";
import {
  expectedHessians,
  hessianQuadrature,
  integratedHessians,
  smoothingShift,
  type Input,
  type IntegratedHessiansOptions,
  type ModelLike,
  type Progress,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, exp, index, maxPool2d, mul, relu, reshape, square, stack, sum } from "../../src/kernels/index.ts";
import { smooth } from "../../src/nn/index.ts";
import {
  ArgumentError,
  DerivativeError,
  hostArray,
  LimitError,
  NumericError,
  ShapeError,
  type Device,
} from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { deepNet, Weights } from "./hessian-truth.ts";
import { drawArray, expectNear, Mlp, rows } from "./networks.ts";

const x = drawArray([2, 4], 91, 2);
const points = hessianQuadrature("gauss-log", 3);

type ErrorClass = new (message: string) => Error;
type Network = (device: Device, w: Weights) => ModelLike;

const smoothNet: Network = (_, w) => deepNet(w, 4, 5);

/** Calls with what does not fit, and expects an error of a class with a message, and all memory back. */
function refuses(
  what: string,
  kind: ErrorClass,
  message: RegExp,
  options: IntegratedHessiansOptions,
  { net = smoothNet, input = x }: { net?: Network; input?: Input } = {},
): void {
  test(what, () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const model = net(device, w);
      const running = integratedHessians(model, input, { device, ...options });
      const failure: unknown = await running.catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(kind);
      expect((failure as Error).message).toMatch(message);
      // All that the network still holds are its weights.
      w[Symbol.dispose]();
    }),
  );
}

describe("integratedHessians refuses", () => {
  const groups = [0, 1, 0, 1];
  refuses('target "all"', ArgumentError, /target: interactions are those of one score; .* "all"/, { target: "all" });
  refuses("groups for another number of features", ArgumentError, /groups: .* each of 4 features .* got 3/, {
    groups: [0, 1, 0],
  });
  refuses("half a group", ArgumentError, /groups: .* -1 for none, got 0\.5/, { groups: [0, 0.5, 1, 1] });
  refuses("a group below -1", ArgumentError, /groups: .* got -2/, { groups: [0, -2, 1, 1] });
  refuses("groups that leave out a number", ArgumentError, /no feature is in group 1 of 0 to 2/, {
    groups: [0, 2, 2, 0],
  });
  refuses("groups that leave out most numbers", ArgumentError, /no feature is in group 2 of 0 to 4000000000/, {
    groups: [0, 4e9, 1, 0],
  });
  refuses("groups without any", ArgumentError, /groups: expected at least one/, { groups: [-1, -1, -1, -1] });
  refuses("a row that does not exist", ArgumentError, /rows: feature 4 does not exist; .* has 4, 0 to 3/, {
    rows: [1, 4],
  });
  refuses("a row twice", ArgumentError, /rows: 1, 1 names a feature twice/, { rows: [1, 1] });
  refuses("no rows", ArgumentError, /rows: expected at least one/, { rows: [] });
  refuses("a pair with a feature that does not exist", ArgumentError, /pairs: feature -1 does not exist/, {
    pairs: [[0, -1]],
  });
  refuses("no pairs", ArgumentError, /pairs: expected at least one/, { pairs: [] });
  refuses("rows and groups", ArgumentError, /rows and groups: ask for one/, { rows: [1], groups });
  refuses("no nodes", ArgumentError, /nodes: expected a whole number >= 1, got 0/, { nodes: 0 });
  refuses("half a node", ArgumentError, /nodes: .* got 1\.5/, { nodes: 1.5 });
  refuses("an unknown rule", ArgumentError, /rule: expected one of .* got midpoint/, { rule: "midpoint" as never });
  refuses("no tolerance at all", ArgumentError, /tolerance: expected a number > 0, got 0/, { tolerance: 0 });
  refuses("points and nodes", ArgumentError, /points: .* exclude rule, nodes/, { points, nodes: 3 });
  refuses("points of unequal length", ArgumentError, /points: got 3, 3, 2, 3 nodes, weights, gradientWeights/, {
    points: { ...points, gradientWeights: [0.5, 0.5] },
  });
  refuses("points that are no numbers", ArgumentError, /points: .* finite/, {
    points: { ...points, nodes: [0.1, NaN, 0.9] },
  });
  refuses(
    "NaN in the input",
    NumericError,
    /input "x" holds NaN at element 2/,
    {},
    {
      input: hostArray([0, 1, NaN, 3], [1, 4]),
    },
  );
  refuses(
    "interactions beyond f32",
    NumericError,
    /the interactions holds? (Infinity|NaN)/,
    {},
    {
      net: () => (z: Value) => sum(exp(mul(square(z), 30)), 1),
      input: hostArray([1, 2], [1, 2]),
    },
  );
  refuses("pool without beta", ArgumentError, /pool: .* needs beta/, { pool: true });
  refuses("smoothing with beta 0", ArgumentError, /beta: expected a number > 0/, { beta: 0 });

  test("a network with kinks: names the first one, and what to do", () =>
    withCleanDevice(async (device) => {
      using net = new Mlp("relu").on(device);
      const { live } = device.memory;
      const running = integratedHessians(net.model, x);
      await expect(running).rejects.toThrow(DerivativeError);
      await expect(running).rejects.toThrow(/relu of shape \[2, 5\] has a kink.*pass beta.*smooth\(model/);
      expect(device.memory.live).toBe(live);
    }));

  test("a matrix beyond the memory, before anything is allocated", () =>
    withCleanDevice(async (device) => {
      const long = hostArray(new Float32Array(20_000), [1, 20_000]);
      const { live } = device.memory;
      device.resetPeak();
      const { submits } = device.counters;
      const running = integratedHessians((z: Value) => sum(square(z), 1), long, { device });
      await expect(running).rejects.toThrow(LimitError);
      await expect(running).rejects.toThrow(
        /20000 x 20000 interactions of 1 examples need 1\.\d+ GiB of .*rows, or for groups/,
      );
      expect(device.memory.live).toBe(live);
      expect(device.memory.peak - live).toBeLessThan(4 * 80_000);
      expect(device.counters.submits).toBe(submits);
    }));

  test("a budget that not even one row fits", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const running = integratedHessians(deepNet(w, 4, 5), x, { target: 0, groups, memoryBudget: 100 });
      await expect(running).rejects.toThrow(LimitError);
      await expect(running).rejects.toThrow(/one step .* needs .* of 100/);
    }));

  test("references of another shape, and more samples than there are", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = deepNet(w, 4, 5);
      const other = expectedHessians(net, x, { references: drawArray([2, 3], 92) });
      await expect(other).rejects.toThrow(ShapeError);
      await expect(other).rejects.toThrow(/references: expected \[R, .*4.*\] with R >= 1, got \[2, 3\]/);
      const few = expectedHessians(net, x, { references: drawArray([2, 4], 92), samples: 3 });
      await expect(few).rejects.toThrow(/samples: expected a whole number from 1 to 2, got 3/);
    }));
});

describe("a run in pieces", () => {
  const options = { target: 1, nodes: 6, baseline: [{ baseline: 0 }, { baseline: 1 }] } as const;

  async function tightly(
    work: (net: (x: Value) => Value, memoryBudget: number, device: Device) => Promise<void>,
  ): Promise<void> {
    await withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = deepNet(w, 4, 64);
      const { plan } = await integratedHessians(net, x, { ...options, form: "hvp" });
      await work(net, 0.4 * plan.bytes, device);
    });
  }

  test("reports progress up to all of it", () =>
    tightly(async (net, memoryBudget) => {
      const seen: Progress[] = [];
      const result = await integratedHessians(net, x, {
        ...options,
        form: "hvp",
        memoryBudget,
        onProgress: (p) => seen.push(p),
      });
      expect(result.plan.chunks).toBeGreaterThan(1);
      expect(seen.length).toBeGreaterThan(1);
      seen.forEach(({ done, total }, i) => {
        expect(done).toBeGreaterThan(seen[i - 1]?.done ?? 0);
        expect(total).toBe(seen[0]!.total);
      });
      expect(seen.at(-1)!.done).toBe(seen[0]!.total);
      expect(result.evaluations).toBe(12);
    }));

  test("with a tolerance never goes back", () =>
    tightly(async (net) => {
      const seen: Progress[] = [];
      const onProgress = (p: Progress): void => void seen.push(p);
      const result = await integratedHessians(net, x, { target: 1, tolerance: 1e-4, nodes: 3, onProgress });
      expect(seen.length).toBeGreaterThan(1);
      seen.forEach(({ done, total }, i) => {
        expect(done).toBeGreaterThanOrEqual(seen[i - 1]?.done ?? 0);
        expect(done).toBeLessThanOrEqual(total);
      });
      expect(seen.at(-1)).toEqual({ done: result.evaluations, total: result.evaluations });
    }));

  test("stops at a signal, or at an error in onProgress, and frees everything", () =>
    tightly(async (net, memoryBudget, device) => {
      const { live } = device.memory;
      const { submits } = device.counters;
      const early = integratedHessians(net, x, { ...options, signal: AbortSignal.abort("no") });
      await expect(early).rejects.toBe("no");
      expect(device.counters.submits).toBe(submits);
      const controller = new AbortController();
      const abort = (): void => controller.abort("enough");
      const run = { ...options, form: "hvp", memoryBudget } as const;
      const stopped = integratedHessians(net, x, { ...run, onProgress: abort, signal: controller.signal });
      await expect(stopped).rejects.toBe("enough");
      const failure = new Error("no display");
      const onProgress = (): void => {
        throw failure;
      };
      await expect(integratedHessians(net, x, { ...run, onProgress })).rejects.toBe(failure);
      expect(device.memory.live).toBe(live);
    }));
});

describe("smoothing", () => {
  const truth = new Mlp("relu", 4, 6, 3, 31);
  const set = [
    { baseline: 0, weight: 1 },
    { baseline: hostArray([1, -1, 0.5, 0]), weight: 3 },
  ];

  test("beta is smooth(model), and says what it did to the network", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const options = { target: [2, 0], nodes: 6, baseline: set };
      const { smoothing, ...result } = await integratedHessians(net.model, x, { ...options, beta: 5 });
      const given = await integratedHessians(smooth(net.model, { beta: 5 }), x, options);
      expect(given.smoothing).toBeUndefined();
      expect(result.interactions).toEqual(given.interactions);
      expect(result.scores).toEqual(given.scores);
      const score = (row: readonly number[], b: number): number => truth.logits(row)[options.target[b]!]!;
      const [input, baseline] = [
        rows(x).map(score),
        [0, 1].map((b) => 0.25 * score([0, 0, 0, 0], b) + 0.75 * score([1, -1, 0.5, 0], b)),
      ];
      expect(smoothing).toMatchObject({ beta: 5, replaced: { relu: 1 } });
      expectNear(smoothing!.scores.input.data, input);
      expectNear(smoothing!.scores.baseline.data, baseline);
      const moved = [...input, ...baseline].map((v, i) =>
        Math.abs(v - (i < 2 ? result.scores.input.data[i]! : result.scores.baseline.data[i - 2]!)),
      );
      expect(smoothing!.moved).toBeCloseTo(Math.max(...moved), 4);
      expect(smoothing!.moved).toBeGreaterThan(1e-3);
    }));

  const largestSquare = (z: Value): Value =>
    sum(square(maxPool2d(reshape(z, [-1, 1, 2, 2]), { kernel: 2 })), [1, 2, 3]);

  // From a constant, the same element stays the largest all along: only it matters.
  test("beta leaves maxima to the element that they choose, and says so; pool smooths them", () =>
    withCleanDevice(async (device) => {
      const run = { device, nodes: 4, baseline: -2, beta: 4 } as const;
      const { interactions, smoothing } = await integratedHessians(largestSquare, x, run);
      expect(smoothing).toMatchObject({ replaced: {}, remaining: "argmaxWindow of shape [2, 1, 1, 1]" });
      expect(smoothing!.moved).toBeLessThan(1e-6);
      const chosen = rows(x).flatMap((row) => {
        const winner = row.indexOf(Math.max(...row));
        return row.flatMap((v, i) => row.map((_, j) => (i === winner && j === winner ? v * v - 4 : 0)));
      });
      expectNear(interactions.data, chosen);
      const smoothed = await integratedHessians(largestSquare, x, { ...run, pool: true });
      expect(Object.values(smoothed.smoothing!.replaced)).toEqual([1]);
      expect(smoothed.smoothing!.remaining).toBeUndefined();
      expect(smoothed.smoothing!.scores).toEqual(smoothing!.scores);
      expectNear(
        smoothed.smoothing!.scores.input.data,
        rows(x).map((row) => Math.max(...row) ** 2),
      );
      expect(Math.abs(smoothed.interactions.data[1]!)).toBeGreaterThan(1e-3);
    }));

  test("kinks may be ignored, which loses the interactions that they make", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const ignored = await integratedHessians(net.model, x, { target: 0, nodes: 4, kinks: "ignore" });
      expect(ignored.smoothing).toBeUndefined();
      const entries = Array.from(ignored.interactions.data);
      expect(entries.every((v, k) => Math.floor((k % 16) / 4) === k % 4 || v === 0)).toBe(true);
      expect(entries.some((v) => v !== 0)).toBe(true);
    }));
});

describe("how far smoothing moves a network", () => {
  test("is told without explaining anything", () =>
    withCleanDevice(async (device) => {
      // Softplus is log(2) / beta above relu at 0, and nowhere more.
      const network = (x: Value): Value => stack([relu(index(x, 1, 0)), add(relu(index(x, 1, 1)), -1)], 1);
      const x = hostArray([0, 0.25, 0, 3], [2, 2]);
      const { beta, replaced, scores, moved } = await smoothingShift(network, x, { device, beta: 5, baseline: -1 });
      expect({ beta, replaced }).toEqual({ beta: 5, replaced: { relu: 2 } });
      // Predicted: class 0 with score 0 in the first example, class 1 with score 2 in the second.
      expect(Array.from(scores.input.data)).toEqual([0, 2]);
      expect(Array.from(scores.baseline.data)).toEqual([0, -1]);
      expect(moved).toBeCloseTo(Math.log(2) / 5, 5);
    }));
});
