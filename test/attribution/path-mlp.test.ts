// Whole dense networks in one kernel, against double precision in plain loops that share nothing with it.
import { describe, expect, test } from "vitest";
import {
  expectedGradients,
  integratedGradients,
  quadrature,
  type IntegratedGradientsOptions,
  type ModelLike,
  type Rule,
  wholeNetwork,
  type PathKernel,
} from "../../src/attribution/index.ts";
import { iota } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import * as k from "../../src/kernels/index.ts";
import { ArgumentError, NumericError } from "../../src/tensor/errors.ts";
import { hostArray, type Device, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { ACTIVATIONS, Network, type ActivationName } from "./dense-network.ts";
import { argmax, draw, drawArray, expectNear, rows, scoreTruth, type ScoreTruth, type Vector } from "./networks.ts";

const whole = { kernel: wholeNetwork({ always: true }) };

interface Case {
  readonly net: Network;
  readonly x: HostArray;
  readonly options?: IntegratedGradientsOptions;
  readonly score?: keyof typeof scoreTruth;
  /** Class of each example; default: the predicted one. */
  readonly target?: (b: number) => number;
  readonly rule?: Rule;
  readonly steps?: number;
  /** The beginnings of paths, for all examples the same. */
  readonly from?: readonly Vector[];
  readonly p?: Vector;
}

/** Compares everything that a result holds with double precision. */
async function check(device: Device, c: Case): Promise<void> {
  const { net, x, options, score = "logit", rule = "midpoint", steps = 6, p = [1] } = c;
  const { from = [rows(x)[0]!.map(() => 0)] } = c;
  using traced = net.on(device);
  const result = await integratedGradients(traced.model, x, { ...whole, device, rule, steps, score, ...options });
  expect(result.plan).toMatchObject({ kernel: "whole", submits: 1 });
  // Weights and biases of three layers, and what they are copied to, are within the buffers that every adapter binds.
  if (net.weights.length <= 3) expect(result.plan).toMatchObject({ dispatches: 2, pipelines: 2 });
  const { nodes, weights } = quadrature(rule, steps);
  const chosen = rows(x).map((row, b) => c.target?.(b) ?? argmax(net.logits(row)));
  const of = (b: number): ScoreTruth => scoreTruth[score](chosen[b]!);
  const mean = (f: (m: number) => number): number => p.reduce((sum, weight, m) => sum + weight * f(m), 0);
  const attributions = rows(x).flatMap((row, b) => {
    const each = from.map((begin) => net.integral(of(b), row, begin, nodes, weights));
    return row.map((_, i) => mean((m) => each[m]![i]!));
  });
  const atInput = rows(x).map((row, b) => of(b).value(net.logits(row)));
  const atBegin = chosen.map((_, b) => mean((m) => of(b).value(net.logits(from[m]!))));
  expectNear(result.attributions.data, attributions, 2e-5);
  expectNear(
    result.outputs.data,
    rows(x).flatMap((row) => net.logits(row)),
  );
  expectNear(result.scores.input.data, atInput);
  expectNear(result.scores.baseline.data, atBegin);
  expect([...result.targets!.data]).toEqual(chosen);
  const size = rows(x)[0]!.length;
  result.delta.data.forEach((delta, b) => {
    const sum = attributions.slice(b * size, (b + 1) * size).reduce((s, v) => s + v, 0);
    expect(Math.abs(delta - (sum - (atInput[b]! - atBegin[b]!)))).toBeLessThan(2e-5);
  });
  expect(result.attributions.shape).toEqual(x.shape);
}

const on = (c: Case) => () => withCleanDevice((device) => check(device, c));
const net = new Network([5, 7, 6, 3]);
const x = drawArray([3, 5], 11, 2);

describe("the whole network in one kernel", () => {
  for (const kind of Object.keys(ACTIVATIONS) as ActivationName[])
    test(kind, on({ net: new Network([5, 7, 6, 3], kind), x }));
  for (const widths of [
    [4, 3],
    [1, 1, 2],
    [9, 33, 2],
    [6, 5, 4, 3, 5, 6, 3, 2],
  ])
    test(`layers of ${widths.join(", ")}`, on({ net: new Network(widths), x: drawArray([2, widths[0]!], 12, 2) }));
  test("no bias", on({ net: new Network([5, 7, 3], "relu", false), x }));

  test("one class for all", on({ net, x, options: { target: 1 }, target: () => 1 }));
  test("a class for each example", on({ net, x, options: { target: [2, 0, 1] }, target: (b) => [2, 0, 1][b]! }));
  test("classes of one call are not those of the next", () =>
    withCleanDevice(async (device) => {
      using traced = net.on(device);
      for (const target of [0, 2]) {
        const { targets, scores } = await integratedGradients(traced.model, x, { ...whole, target });
        expect([...targets!.data]).toEqual([target, target, target]);
        expectNear(
          scores.input.data,
          rows(x).map((row) => net.logits(row)[target]!),
        );
      }
    }));
  for (const score of ["probability", "logProbability"] as const) test(score, on({ net, x, score }));

  for (const rule of ["gauss-legendre", "left", "right", "trapezoid"] as const) test(rule, on({ net, x, rule }));
  for (const steps of [1, 2, 3, 50, 301]) test(`${steps} nodes`, on({ net, x, steps }));
  test("nodes by the variation of the score", () =>
    withCleanDevice(async (device) => {
      using traced = net.on(device);
      const options = { rule: "equidistributed", score: "probability", steps: 20 } as const;
      const [a, b] = [
        await integratedGradients(traced.model, x, { ...options, ...whole }),
        await integratedGradients(traced.model, x, options),
      ];
      expect([a.plan.kernel, b.plan.kernel]).toEqual(["whole", "layers"]);
      expectNear(a.attributions.data, b.attributions.data);
    }));

  const from = [draw(5, 21), draw(5, 22), draw(5, 23)];
  test("a baseline", on({ net, x, from: [from[0]!], options: { baseline: repeated(from[0]!) } }));
  test(
    "several baselines with weights",
    on({
      ...{ net, x, from, p: [0.5, 0.2, 0.3] },
      options: { baseline: from.map((v, m) => ({ baseline: repeated(v), weight: [5, 2, 3][m]! })) },
    }),
  );
  test(
    "examples and baselines that fill more than one workgroup's share",
    on({
      ...{ net, x: drawArray([40, 5], 13, 2), from: from.slice(0, 2), p: [0.5, 0.5] },
      options: { baseline: from.slice(0, 2).map((v) => ({ baseline: repeated(v, 40) })) },
    }),
  );

  test("a row of a batch is what it is alone", () =>
    withCleanDevice(async (device) => {
      using traced = net.on(device);
      const together = await integratedGradients(traced.model, x, whole);
      const alone = await integratedGradients(traced.model, hostArray(rows(x)[1]!, [1, 5]), whole);
      expectNear(rows(together.attributions)[1]!, alone.attributions.data);
    }));

  test("nodes and baselines of each example: expected gradients", () =>
    withCleanDevice(async (device) => {
      using traced = net.on(device);
      const options = { references: drawArray([4, 5], 31), samples: 9, seed: 3, target: 1 };
      const a = await expectedGradients(traced.model, x, { ...options, ...whole });
      const b = await expectedGradients(traced.model, x, options);
      expect([a.plan.kernel, b.plan.kernel]).toEqual(["whole", "layers"]);
      expectNear(a.attributions.data, b.attributions.data);
      expectNear(a.scores.baseline.data, b.scores.baseline.data);
    }));

  test("stored transposed, with one output, of a flattened picture", () =>
    withCleanDevice(async (device) => {
      const [v, w] = [draw(6 * 4, 41), draw(4, 42)];
      using first = device.tensor(v, [4, 6]);
      using last = device.tensor(w, [4, 1]);
      const model = (picture: Value): Value => {
        const hidden = k.relu(k.matmul(k.reshape(picture, [2, 6]), first, { transposeB: true }));
        return k.reshape(k.matmul(hidden, last), [2]);
      };
      const picture = drawArray([2, 1, 2, 3], 43);
      const { attributions, outputs, targets, plan } = await integratedGradients(model, picture, {
        ...whole,
        steps: 4,
      });
      const { nodes, weights } = quadrature("midpoint", 4);
      const expected = rows(picture).flatMap((row) =>
        row.map((xi, i) =>
          nodes.reduce((sum, a, s) => {
            const units = w.map((_, h) => row.reduce((z, value, j) => z + a * value * v[h * 6 + j]!, 0));
            const slope = units.reduce((g, z, h) => g + (z > 0 ? w[h]! * v[h * 6 + i]! : 0), 0);
            return sum + weights[s]! * xi * slope;
          }, 0),
        ),
      );
      expectNear(attributions.data, expected);
      expect([attributions.shape, outputs.shape, targets, plan.kernel]).toEqual([
        [2, 1, 2, 3],
        [2],
        undefined,
        "whole",
      ]);
    }));
});

/** A baseline that is the same for all examples. */
function repeated(v: Vector, examples = 3): HostArray {
  return hostArray(Array.from({ length: examples }, () => v).flat(), [examples, v.length]);
}

describe("where it does not apply", () => {
  const refused = (what: string, model: (device: Device) => ModelLike & object, options = {}, message = "") =>
    test(what, () =>
      withCleanDevice(async (device) => {
        const f = model(device);
        const given = { device, target: 0, ...options };
        const error: unknown = await integratedGradients(f, x, { ...given, ...whole }).catch((e: unknown) => e);
        expect(error).toBeInstanceOf(ArgumentError);
        expect(String(error)).toContain(message);
        // Not always: it is another kernel's work.
        const elsewhere = { ...given, kernel: wholeNetwork() };
        expect((await integratedGradients(f, x, elsewhere)).plan.kernel).toBe("layers");
      }),
    );
  const w = (rows: number, columns: number): Value =>
    k.reshape(k.sin(k.cast(iota(rows * columns), "f32")), [rows, columns]);

  refused("too many units", () => (v: Value) => k.matmul(k.relu(k.matmul(v, w(5, 1100))), w(1100, 2)), {}, "1100");
  refused("products of what depends on the input", () => (v: Value) => k.matmul(k.mul(v, v), w(5, 2)), {}, "mul");
  refused(
    "activations that differ",
    () => (v: Value) => k.matmul(k.tanh(k.matmul(k.relu(k.matmul(v, w(5, 4))), w(4, 4))), w(4, 2)),
    {},
    "differ",
  );
  refused(
    "a residual connection",
    () => (v: Value) => k.matmul(k.add(v, k.relu(k.matmul(v, w(5, 5)))), w(5, 2)),
    {},
    "add",
  );
  refused(
    "several rows for an example",
    () => (v: Value) => k.reshape(k.matmul(k.reshape(v, [15, 1]), w(1, 2)), [3, 10]),
    {},
    "row for each example",
  );
  refused("all classes", () => (v: Value) => k.matmul(v, w(5, 2)), { target: "all" }, "one class");
  refused(
    "a score of one's own",
    () => (v: Value) => k.matmul(v, w(5, 2)),
    { target: (y: Value) => k.sum(k.square(y), 1) },
    "one class",
  );

  test("a name instead of the kernel", () =>
    withCleanDevice(async (device) => {
      using traced = net.on(device);
      const kernel = "whole" as unknown as PathKernel;
      await expect(integratedGradients(traced.model, x, { kernel })).rejects.toThrow("expected wholeNetwork()");
    }));

  test("a class that does not exist", () =>
    withCleanDevice(async (device) => {
      using traced = net.on(device);
      await expect(integratedGradients(traced.model, x, { ...whole, target: 3 })).rejects.toThrow("class 3 does not");
    }));

  for (const [what, value] of [
    ["infinite", Infinity],
    ["not a number", NaN],
  ] as const)
    test(`weights that are ${what}: the error is that of the other kernels`, () =>
      withCleanDevice(async (device) => {
        const bad = new Network([5, 7, 3]);
        bad.weights[0]![8] = value;
        bad.weights[1]![4] = value;
        using traced = bad.on(device);
        const errors = await Promise.all(
          [whole, {}].map((kernel) =>
            integratedGradients(traced.model, x, { ...kernel, target: 1 }).catch((error: unknown) => error),
          ),
        );
        for (const error of errors) expect(error).toBeInstanceOf(NumericError);
        const [a, b] = errors.map((error) =>
          String(error)
            .replace(/NaN|-?Infinity/, "that")
            .replace(/element \d+/, "one"),
        );
        expect(a).toBe(b);
      }));

  test("disposed weights are reported as ever", () =>
    withCleanDevice(async (device) => {
      const traced = net.on(device);
      await integratedGradients(traced.model, x, whole);
      traced[Symbol.dispose]();
      await expect(integratedGradients(traced.model, x, whole)).rejects.toThrow("disposed");
    }));
});
