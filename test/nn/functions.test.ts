import { describe, expect, test } from "vitest";
import * as nn from "../../src/nn/index.ts";
import { array64, evaluate } from "../../src/reference/index.ts";
import { trace } from "../../src/graph/trace.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import type { Value } from "../../src/graph/node.ts";

/** Value of a function of arrays, in f64. */
function valueOf(f: (...xs: Value[]) => Value, ...arrays: (readonly [number[], number[], DType?])[]): number[] {
  const graph = trace(
    f,
    arrays.map(([, shape, dtype = "f32"]) => ({ shape, dtype })),
  );
  return [
    ...evaluate(
      graph,
      arrays.map(([data, shape]) => array64(data, shape)),
    )[0]!.data,
  ];
}

describe("random", () => {
  test("a key gives the same stream everywhere", () => {
    const draws = (key: string | number): number[] => Array.from({ length: 3 }, nn.random(key).uniform);
    expect(draws(1)).toEqual(draws("1"));
    expect(draws(1)).not.toEqual(draws(2));
    expect(nn.random(1).fork("a").uniform()).not.toBe(nn.random(1).fork("b").uniform());
  });

  test("mean and variance are those of the distributions", () => {
    const stream = nn.random("moments");
    const n = 20_000;
    const moments = (draw: () => number): [number, number] => {
      const values = Array.from({ length: n }, draw);
      const mean = values.reduce((a, b) => a + b, 0) / n;
      return [mean, values.reduce((a, b) => a + (b - mean) ** 2, 0) / n];
    };
    const [uniformMean, uniformVariance] = moments(stream.uniform);
    expect(uniformMean).toBeCloseTo(0.5, 2);
    expect(uniformVariance).toBeCloseTo(1 / 12, 2);
    const [normalMean, normalVariance] = moments(stream.normal);
    expect(Math.abs(normalMean)).toBeLessThan(0.03);
    expect(Math.abs(normalVariance - 1)).toBeLessThan(0.05);
    expect([...stream.permutation(5)].sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test("initial weights have the variance that their fans ask for", () => {
    const { data } = nn.kaimingNormal([64, 32, 3, 3], nn.random("weights"));
    const variance = Array.from(data).reduce((sum, w) => sum + w * w, 0) / data.length;
    expect(variance).toBeCloseTo(2 / (32 * 9), 3);
    const uniform = nn.xavierUniform([30, 70], nn.random("weights")).data;
    expect(Math.max(...Array.from(uniform, Math.abs))).toBeLessThanOrEqual(Math.fround(Math.sqrt(6 / 100)));
  });
});

describe("losses", () => {
  test("cross entropy of even logits is the log of the number of classes", () => {
    const loss = valueOf(
      (z, y) => nn.crossEntropy(z, y),
      [
        [5, 5, 5, 5, -9, -9, -9, -9],
        [2, 4],
      ],
      [[0, 3], [2], "i32"],
    );
    expect(loss[0]).toBeCloseTo(Math.log(4), 12);
  });

  test("binary cross entropy is finite for any logit", () => {
    const loss = (z: number, y: number): number =>
      valueOf((a, b) => nn.binaryCrossEntropy(a, b), [[z], [1]], [[y], [1]])[0]!;
    expect(loss(0, 1)).toBeCloseTo(Math.log(2), 12);
    expect(loss(300, 0)).toBeCloseTo(300, 12);
    expect(loss(-300, 0)).toBeCloseTo(0, 12);
    expect(loss(1.5, 0.25)).toBeCloseTo(
      -0.25 * Math.log(1 / (1 + Math.exp(-1.5))) - 0.75 * Math.log(1 / (1 + Math.exp(1.5))),
      12,
    );
  });

  test("mean squared error", () => {
    expect(valueOf((a, b) => nn.meanSquaredError(a, b), [[1, 2], [2]], [[3, 5], [2]])).toEqual([6.5]);
  });
});

describe("optimisers", () => {
  test("Adam's first step is the learning rate against the sign of the gradient", () => {
    const optimiser = nn.adam({ learningRate: 0.1 });
    const step = (p: Value, g: Value, first: Value, second: Value, t: Value): Value =>
      optimiser.update({ w: p }, { w: g }, { "first.w": first, "second.w": second, step: t }).parameters["w"]!;
    const [a, b] = valueOf(step, [[1, 1], [2]], [[0.5, -20], [2]], [[0, 0], [2]], [[0, 0], [2]], [[0], []]);
    expect(a).toBeCloseTo(0.9, 6);
    expect(b).toBeCloseTo(1.1, 6);
  });

  test("momentum adds a fraction of the last step", () => {
    const optimiser = nn.sgd({ learningRate: 1, momentum: 0.5 });
    const step = (p: Value, g: Value, v: Value): Value =>
      optimiser.update({ w: p }, { w: g }, { "velocity.w": v }).parameters["w"]!;
    expect(valueOf(step, [[10], [1]], [[1], [1]], [[4], [1]])).toEqual([7]);
  });
});

describe("layers", () => {
  /** Value of a layer with its initial parameters, in f64. */
  const applied = (layer: nn.Layer, x: readonly [number[], number[], DType?]): number[] => {
    const parameters = Object.entries(layer.init(nn.random("layer")));
    return valueOf(
      (value, ...given) => layer.apply(Object.fromEntries(parameters.map(([name], i) => [name, given[i]!])), value),
      x,
      ...parameters.map(([, { data, shape }]) => [[...data], [...shape]] as [number[], number[]]),
    );
  };

  test("layer normalisation leaves mean 0 and variance 1", () => {
    const y = applied(nn.layerNormalisation(4, { epsilon: 0 }), [
      [1, 2, 3, 10],
      [1, 4],
    ]);
    expect(y.reduce((a, b) => a + b)).toBeCloseTo(0, 12);
    expect(y.reduce((a, b) => a + b * b, 0) / 4).toBeCloseTo(1, 12);
  });

  test("an embedding is a choice of rows", () => {
    const layer = nn.embedding(3, 2);
    const table = layer.init(nn.random("layer"))["weight"]!.data;
    expect(applied(layer, [[2, 0], [2], "i32"])).toEqual([table[4], table[5], table[0], table[1]]);
  });

  test("a parameter that is missing is named", () => {
    expect(() => valueOf((x) => nn.dense(1, 1).apply({ bias: 0 }, x), [[1], [1, 1]])).toThrow(
      /"weight" is missing; there are "bias"/,
    );
  });
});

test("two layers of one name are refused", () => {
  expect(() =>
    nn.sequential([
      ["a", nn.flatten()],
      ["a", nn.flatten()],
    ]),
  ).toThrow(/called "a"/);
});
