// Which number is explained, and with respect to what: classes, scores, named inputs, layers.
import { describe, expect, test } from "vitest";
import { gaussLegendre, integratedGradients } from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import type { Tap } from "../../src/nn/model.ts";
import { activation, dense, embedding, modelOf, sequential } from "../../src/nn/index.ts";
import { add, embedding as lookUp, exp, index, matmul, mul, relu, sub, sum, tanh } from "../../src/kernels/index.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { argmax, draw, drawArray, expectNear, integrate, Mlp, rows, scoreTruth } from "./networks.ts";

const truth = new Mlp("tanh", 4, 5, 3, 51);
const x = drawArray([3, 4], 52, 2);
const zero = [0, 0, 0, 0];
const { nodes, weights } = gaussLegendre(5);
const options = { rule: "gauss-legendre", steps: 5 } as const;
const expected = (target: (b: number) => number, score: keyof typeof scoreTruth = "logit"): number[] =>
  rows(x).flatMap((row, b) => integrate(truth, scoreTruth[score](target(b)), row, zero, nodes, weights));

describe("target", () => {
  const winners = rows(x).map((row) => argmax(truth.logits(row)));

  test("predicted: the class with the highest output at the input", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const { attributions, targets, outputs } = await integratedGradients(net.model, x, options);
      expect(targets).toMatchObject({ shape: [3], dtype: "i32" });
      expect([...targets!.data]).toEqual(winners);
      expectNear(
        outputs.data,
        rows(x).flatMap((row) => truth.logits(row)),
      );
      expectNear(
        attributions.data,
        expected((b) => winners[b]!),
      );
    }));

  test("one class for all, one per example", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const one = await integratedGradients(net.model, x, { ...options, target: 2 });
      expectNear(
        one.attributions.data,
        expected(() => 2),
      );
      expect([...one.targets!.data]).toEqual([2, 2, 2]);
      const each = await integratedGradients(net.model, x, { ...options, target: [2, 0, 1] });
      expectNear(
        each.attributions.data,
        expected((b) => [2, 0, 1][b]!),
      );
    }));

  for (const score of ["logit", "probability", "logProbability"] as const) {
    test(`all classes at once, ${score}`, () =>
      withCleanDevice(async (device) => {
        using net = truth.on(device);
        const all = await integratedGradients(net.model, x, { ...options, target: "all", score });
        expect(all.attributions.shape).toEqual([3, 3, 4]);
        expect(all.delta.shape).toEqual([3, 3]);
        expect(all.targets).toBeUndefined();
        const byClass = [0, 1, 2].map((k) => expected(() => k, score));
        expectNear(all.attributions.data, byClass.flat());
        [0, 1, 2].forEach((k) =>
          rows(x).forEach((row, b) => {
            const { value } = scoreTruth[score](k);
            expect(all.scores.input.data[k * 3 + b]).toBeCloseTo(value(truth.logits(row)), 5);
            expect(all.scores.baseline.data[k * 3 + b]).toBeCloseTo(value(truth.logits(zero)), 5);
            const change = value(truth.logits(row)) - value(truth.logits(zero));
            const total = byClass[k]!.slice(4 * b, 4 * b + 4).reduce((s, v) => s + v, 0);
            expect(all.delta.data[k * 3 + b]).toBeCloseTo(total - change, 4);
          }),
        );
      }));

    test(`one class, ${score}`, () =>
      withCleanDevice(async (device) => {
        using net = truth.on(device);
        const result = await integratedGradients(net.model, x, { ...options, target: 1, score });
        expectNear(
          result.attributions.data,
          expected(() => 1, score),
        );
      }));
  }

  test("a function of the output", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const target = (y: Value): Value => sub(index(y, 1, 0), index(y, 1, 2));
      const result = await integratedGradients(net.model, x, { ...options, target });
      const [a, b] = [expected(() => 0), expected(() => 2)];
      expectNear(
        result.attributions.data,
        a.map((v, i) => v - b[i]!),
      );
      expect(result.targets).toBeUndefined();
    }));

  test("models with one score per example need none", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const { attributions, scores } = await integratedGradients((z: Value) => index(net.model(z), 1, 1), x, options);
      expectNear(
        attributions.data,
        expected(() => 1),
      );
      expect(scores.input.shape).toEqual([3]);
    }));
});

describe("named inputs", () => {
  // f = sum(u v) + exp(sum v): from (u', v') both differ.
  const f = ({ u, v }: Readonly<Record<string, Value>>): Value => add(sum(mul(u!, v!), 1), exp(sum(v!, 1)));
  const [u, v] = [drawArray([2, 3], 61), drawArray([2, 3], 62)];
  const [u0, v0] = [drawArray([2, 3], 63), drawArray([2, 3], 64)];

  test("give named attributions", () =>
    withCleanDevice(async (device) => {
      const quadrature = { device, rule: "gauss-legendre", steps: 12 } as const;
      const result = await integratedGradients(f, { u, v }, { ...quadrature, baseline: { u: u0, v: v0 } });
      expect(Object.keys(result.attributions)).toEqual(["u", "v"]);
      const sumOf = (a: ArrayLike<number>, b: number): number => a[3 * b]! + a[3 * b + 1]! + a[3 * b + 2]!;
      const byU = Array.from(u.data, (_, i) => ((u.data[i]! - u0.data[i]!) * (v.data[i]! + v0.data[i]!)) / 2);
      const byV = Array.from(v.data, (_, i) => {
        const b = Math.floor(i / 3);
        const [s, s0] = [sumOf(v.data, b), sumOf(v0.data, b)];
        const slope = (Math.exp(s) - Math.exp(s0)) / (s - s0);
        return (v.data[i]! - v0.data[i]!) * ((u.data[i]! + u0.data[i]!) / 2 + slope);
      });
      expectNear(result.attributions.u.data, byU);
      expectNear(result.attributions.v.data, byV);
      expect(Math.max(...Array.from(result.delta.data, Math.abs))).toBeLessThan(1e-5);
    }));

  test("one of them at its own baseline explains the other alone", () =>
    withCleanDevice(async (device) => {
      const result = await integratedGradients(f, { u, v }, { device, steps: 4, baseline: { u: u0, v } });
      expect(Math.max(...Array.from(result.attributions.v.data, Math.abs))).toBe(0);
      expectNear(
        result.attributions.u.data,
        Array.from(u.data, (_, i) => (u.data[i]! - u0.data[i]!) * v.data[i]!),
      );
    }));
});

describe("layers", () => {
  test("a hidden layer of a network: the rest is linear, so products of weights and activations", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const { attributions, delta } = await integratedGradients(net.model, x, {
        ...options,
        target: 1,
        layer: "hidden",
        baseline: hostArray(draw(4, 53)),
      });
      const hidden = (z: readonly number[]): number[] =>
        truth.b1.map((b, h) => Math.tanh(z.reduce((s, value, i) => s + value * truth.w1[i * 5 + h]!, b)));
      const from = hidden(draw(4, 53));
      expect(attributions.shape).toEqual([3, 5]);
      expectNear(
        attributions.data,
        rows(x).flatMap((row) => hidden(row).map((a, h) => (a - from[h]!) * truth.w2[h * 3 + 1]!)),
      );
      expect(Math.max(...Array.from(delta.data, Math.abs))).toBeLessThan(1e-5);
    }));

  test("what the score reads besides the layer stays that of the input", () =>
    withCleanDevice(async (device) => {
      const f = (z: Value, tap?: Tap): Value => sum(mul(tap!("twice", mul(z, 2)), z), 1);
      const input = hostArray([3, -1], [1, 2]);
      const { attributions } = await integratedGradients(f, input, { device, layer: "twice", steps: 3 });
      expectNear(attributions.data, [18, 2]);
    }));

  const table = draw(7 * 3, 71);
  const head = draw(3 * 2, 72);
  const ids = hostArray([5, 1, 0, 6, 6, 2], [2, 3], "i32");
  const padding = hostArray([0, 0, 0], [3], "i32");

  test("an embedding of whole numbers, from the embedding of other ones", () =>
    withCleanDevice(async (device) => {
      using tableTensor = device.tensor(table, [7, 3]);
      using headTensor = device.tensor(head, [3, 2]);
      const f = (tokens: Value, tap?: Tap): Value =>
        matmul(sum(tap!("embedding", lookUp(tableTensor, tokens)), 1), headTensor);
      for (const hoist of [true, false]) {
        const { attributions } = await integratedGradients(f, ids, {
          target: 1,
          layer: "embedding",
          baseline: padding,
          steps: 2,
          hoist,
        });
        expect(attributions.shape).toEqual([2, 3, 3]);
        const linear = Array.from(ids.data).flatMap((id) =>
          [0, 1, 2].map((c) => (table[id * 3 + c]! - table[c]!) * head[c * 2 + 1]!),
        );
        expectNear(attributions.data, linear);
      }
    }));

  test("an embedding inside a model with nonlinear layers is complete", () =>
    withCleanDevice(async (device) => {
      const network = sequential([
        ["embedding", embedding(7, 4)],
        ["mix", activation((v) => sum(tanh(mul(v, 30)), 1))],
        ["hidden", dense(4, 6)],
        ["relu", activation(relu)],
        ["out", dense(6, 3)],
      ]);
      const model = modelOf(network, network.init(device, 1), [3], { input: "tokens", dtype: "i32" });
      try {
        const run = { layer: "embedding", baseline: { tokens: padding }, steps: 300 };
        const { attributions, delta } = await integratedGradients(model, ids, run);
        expect(attributions.shape).toEqual([2, 3, 4]);
        expect(Math.max(...Array.from(delta.data, Math.abs))).toBeLessThan(2e-2);
        // Padding equals its baseline.
        expect(Array.from(attributions.data.slice(8, 12), Math.abs)).toEqual([0, 0, 0, 0]);
      } finally {
        model.dispose();
      }
    }));
});
