// The truths of networks, written out by hand, against what the library derives in double precision.
import { describe, expect, test } from "vitest";
import { grad, hvp, vjp } from "../../src/autograd/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { index, layerNorm, mul, softmax, square, sum } from "../../src/kernels/index.ts";
import { array64, evaluate, readConstants } from "../../src/reference/index.ts";
import { hostArray, type HostArray } from "../../src/tensor/index.ts";
import { guided } from "../../bench/guided.ts";
import { netModel, normal, seeded, type NetPlan } from "../../bench/nets.ts";
import { relativeError } from "../../bench/statistics.ts";
import {
  competition,
  gradientsTruth,
  gradientTruth,
  hessianProductTruth,
  rowsTruth,
  shapleyTruth,
} from "../../bench/truth.ts";
import { testDevice } from "../gpu.ts";

/** A function of arrays by the f64 definitions of the operations, as the library derives it. */
async function defined(f: (...xs: Value[]) => Value, ...arrays: HostArray[]): Promise<Float64Array> {
  const graph = trace(f, arrays);
  const inputs = arrays.map(({ data, shape }) => array64(data, shape));
  return evaluate(graph, inputs, { constants: await readConstants(graph.outputs) })[0]!.data;
}

const networks: Readonly<Record<string, NetPlan>> = {
  "dense layers": {
    input: [5],
    layers: [
      { kind: "dense", in: 5, out: 7 },
      { kind: "softplus", beta: 2 },
      { kind: "dense", in: 7, out: 3 },
    ],
  },
  "convolutions, pooling and shortcuts": {
    input: [3, 8, 8],
    layers: [
      { kind: "conv", in: 3, out: 4, kernel: 3, padding: 1 },
      { kind: "relu" },
      { kind: "residual", body: [{ kind: "conv", in: 4, out: 4, kernel: 3, padding: 1 }], shortcut: [] },
      { kind: "max-pool", size: 2 },
      {
        kind: "residual",
        body: [{ kind: "conv", in: 4, out: 5, kernel: 3, stride: 2, padding: 1 }, { kind: "relu" }],
        shortcut: [{ kind: "conv", in: 4, out: 5, kernel: 1, stride: 2 }],
      },
      { kind: "global-average" },
      { kind: "dense", in: 5, out: 3 },
    ],
  },
  "flattened planes": {
    input: [2, 4, 4],
    layers: [{ kind: "conv", in: 2, out: 3, kernel: 2 }, { kind: "flatten" }, { kind: "dense", in: 27, out: 2 }],
  },
  "two LSTM layers": {
    input: [6, 3],
    layers: [{ kind: "lstm", in: 3, out: 4 }, { kind: "lstm", in: 4, out: 5 }, { kind: "last-step" }],
  },
};

describe.each(Object.entries(networks))("the truth of %s", (name, plan) => {
  const { net, x, target } = seeded(name, plan);
  const batch = normal(`${name}/batch`, [2, ...plan.input]);
  const withModel = async (work: (model: (x: Value) => Value) => Promise<void>): Promise<void> => {
    const { model, dispose } = netModel(await testDevice(), net);
    await work(model).finally(dispose);
  };

  test("agrees with the derivatives that the library finds", () =>
    withModel(async (model) => {
      const gradient = await defined((v) => grad((z) => sum(square(model(z))))(v), batch);
      expect(relativeError(gradientTruth({ kind: "gradient", net, x: batch }), gradient)).toBeLessThan(1e-11);
    }));

  test("sums gradients along the path", () =>
    withModel(async (model) => {
      const rule = { nodes: [0.2, 0.9], weights: [0.7, 0.3] };
      const at = (node: number) => (v: Value) => mul(grad((z) => sum(index(model(z), 1, target)))(mul(v, node)), v);
      const [first, second] = await Promise.all(rule.nodes.map((node) => defined(at(node), x)));
      const expected = first!.map((v, i) => 0.7 * v + 0.3 * second![i]!);
      const truth = gradientsTruth({ kind: "integrated-gradients", net, x, target, ...rule });
      // Nodes are f32 constants of the graph.
      expect(relativeError(truth, expected)).toBeLessThan(1e-6);
    }));

  const smooth = !plan.layers.some(({ kind }) => kind === "relu" || kind === "max-pool");
  if (smooth) {
    test("agrees with the library's products of Hessian and vector", () =>
      withModel(async (model) => {
        const v = normal(`${name}/direction`, batch.shape);
        const product = await defined((z, t) => hvp((y) => sum(square(model(y))))(z, t), batch, v);
        const truth = hessianProductTruth({ kind: "hessian-product", net, x: batch, v });
        expect(relativeError(truth, product)).toBeLessThan(1e-8);
      }));
  }
});

describe.each(["softmax", "layer-norm"] as const)("the truth of %s of rows", (operation) => {
  const rows = { x: normal("x", [3, 7], 2), y: normal("y", [3, 7]), scale: normal("s", [7]), offset: normal("o", [7]) };
  const forward = (x: Value, scale: Value, offset: Value): Value =>
    operation === "softmax" ? softmax(x) : layerNorm(x, { scale, offset, epsilon: 1e-3 });

  test.each(["forward", "gradient"] as const)("%s agrees with the library's definition", async (role) => {
    const { x, y, scale, offset } = rows;
    const expected = await defined(
      (x, y, s, o) => (role === "forward" ? forward(x, s, o) : vjp((z) => forward(z, s, o))(x, y)),
      ...[x, y, scale, offset],
    );
    const truth = rowsTruth({ kind: "rows", operation, role, ...rows, epsilon: Math.fround(1e-3) });
    expect(relativeError(truth, expected)).toBeLessThan(1e-9);
  });
});

describe("the truth of Guided Integrated Gradients", () => {
  const slopes = ([a, b]: Float64Array): number[] => [4 * (2 * a! + b!), 2 * (2 * a! + b!)];
  test.each([
    [1, 0, [54, 27]],
    [0.1, 1, [71.9, 9.0]],
    [0.1, 0.2, [65.4, 15.5]],
  ] as const)("of (2 a + b)^2 with fraction %d and distance %d is %j", async (fraction, maxDist, expected) => {
    const x = { shape: [1, 2], data: [3, 3] };
    const result = await guided(x, { steps: 1000, fraction, maxDist }, slopes);
    expected.forEach((value, i) => expect(Math.abs(result[i]! - value)).toBeLessThan(0.1));
  });

  test("is that of every example alone", async () => {
    const rule = { steps: 30, fraction: 0.25, maxDist: 0.1 };
    const bent = (points: Float64Array): Float64Array => points.map((v, i) => Math.sin(3 * v + (i % 4)));
    const data = normal("guided", [2, 4]).data;
    const both = await guided({ shape: [2, 4], data }, rule, bent);
    for (const b of [0, 1]) {
      const one = await guided({ shape: [1, 4], data: data.subarray(4 * b, 4 * b + 4) }, rule, bent);
      expect([...both.subarray(4 * b, 4 * b + 4)]).toEqual([...one]);
    }
  });
});

test("the truth of Shapley Integrated Gradients from the empty coalition is that of Integrated Gradients", () => {
  const { net, x, target } = seeded("shapley", networks["dense layers"]!);
  const rule = { nodes: [0.1, 0.6], weights: [0.25, 0.75] };
  const masks = hostArray([0, 0, 0, 0, 0, 1, 0, 1, 1, 1], [2, 5]);
  const shapley = (shares: number[]) => shapleyTruth({ kind: "shapley", net, x, target, masks, shares, ...rule });
  const whole = gradientsTruth({ kind: "integrated-gradients", net, x, target, ...rule });
  expect(relativeError(shapley([1, 0]), whole)).toBeLessThan(1e-14);
  // Of the other coalition only the second feature is outside.
  const other = shapley([0, 1]);
  expect([...other].map((v) => v !== 0)).toEqual([false, true, false, false, false]);
});

test("the competition keeps what no other map has more of", () => {
  const maps = [
    [1, -1, 2, -3, 0],
    [2, -2, 2, -1, 1],
    [-1, 1, -9, -2, -1],
  ];
  expect([...competition(maps, 0)]).toEqual([0, 0, 2, -3, 0]);
  expect([...competition(maps, 1)]).toEqual([2, -2, 2, 0, 1]);
  expect([...competition(maps, 2)]).toEqual([-1, 1, -9, 0, -1]);
});
