// Reductions against plain loops in double precision, and their derivatives against closed forms.
import { describe, expect, test } from "vitest";
import { grad, hvp } from "../../src/autograd/index.ts";
import { mul, square } from "../../src/kernels/arithmetic.ts";
import { sum, sumTo } from "../../src/kernels/broadcast.ts";
import { argmax, logSumExp, max, mean, min } from "../../src/kernels/reduce.ts";
import { trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/node.ts";
import { ArgumentError, hostArray, numel, ShapeError, stridesOf, type Shape } from "../../src/tensor/index.ts";
import { absolute, random, run, worst } from "./run.ts";

/** Lists of the elements that are reduced together, in the order of the results. */
function groups(shape: Shape, data: ArrayLike<number>, axes: readonly number[]): number[][] {
  const strides = stridesOf(shape);
  const kept = shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
  const result = Array.from({ length: numel(kept) }, () => [] as number[]);
  for (let i = 0; i < data.length; i++) {
    const at = stridesOf(kept).reduce(
      (o, s, axis) => o + (axes.includes(axis) ? 0 : (Math.floor(i / strides[axis]!) % shape[axis]!) * s),
      0,
    );
    result[at]!.push(data[i]!);
  }
  return result;
}

const total = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0);
const largest = (xs: readonly number[]): number => xs.reduce((a, b) => Math.max(a, b));
const logTotal = (xs: readonly number[]): number =>
  largest(xs) + Math.log(total(xs.map((x) => Math.exp(x - largest(xs)))));

const CASES: [Shape, number[]][] = [
  [[7], [0]],
  [[3, 5], [0]],
  [[3, 5], [1]],
  [
    [3, 5],
    [0, 1],
  ],
  [
    [2, 3, 4, 5],
    [1, 2],
  ],
  [
    [2, 3, 4, 5],
    [0, 2],
  ],
  [
    [2, 3, 4, 5],
    [0, 1, 3],
  ],
  [[1, 70, 3], [1]],
  [[2, 5000], [1]],
  [[4999, 2], [0]],
];

describe("values", () => {
  for (const [shape, axes] of CASES) {
    test(`[${shape.join(", ")}] over ${axes.join(", ")}`, async () => {
      const x = random(shape, { low: -3, high: 3 });
      const [s, a, b, m, l] = await run((v) => [sum, max, min, mean, logSumExp].map((f) => f(v, axes)), x);
      const parts = groups(shape, x.data, axes);
      expect(s!.shape).toEqual(shape.filter((_, axis) => !axes.includes(axis)));
      expect(worst(s!.data, parts.map(total), absolute)).toBeLessThan(2e-7 * total(parts[0]!.map(Math.abs)));
      expect([...a!.data]).toEqual(parts.map(largest));
      expect([...b!.data]).toEqual(parts.map((p) => Math.min(...p)));
      expect(
        worst(
          m!.data,
          parts.map((p) => total(p) / p.length),
          absolute,
        ),
      ).toBeLessThan(1e-6);
      expect(worst(l!.data, parts.map(logTotal), absolute)).toBeLessThan(2e-6);
    });
  }

  test("keepDims", () => {
    const { outputs } = trace(
      (x) => [sum(x, [0, 2], { keepDims: true }), argmax(x, 1, { keepDims: true })],
      [{ shape: [2, 3, 4] }],
    );
    expect(outputs.map((y) => y.shape)).toEqual([
      [1, 3, 1],
      [2, 1, 4],
    ]);
  });

  test("a million numbers", async () => {
    const x = random([1_000_003], { low: 0, high: 1 });
    const [y] = await run((v) => sum(v), x);
    const truth = total([...x.data]);
    expect(Math.abs(y!.data[0]! - truth) / truth).toBeLessThan(1.5e-7);
  });

  test("argmax: the first of several", async () => {
    const x = hostArray([1, 3, 3, 2, /**/ -1, -5, -1, -2, /**/ 0, 0, 0, 9], [3, 4]);
    const [last, first] = await run((v) => [argmax(v), argmax(v, 0)], x);
    expect([...last!.data]).toEqual([1, 0, 3]);
    expect([...first!.data]).toEqual([0, 0, 0, 2]);
    expect(last!.dtype).toBe("i32");
  });

  test("logSumExp beyond the range of exp, and near 0", async () => {
    const x = hostArray([1000, 1000, -1000, -1001, -0.7, -0.69], [3, 2]);
    const [y] = await run((v) => logSumExp(v, 1), x);
    expect(worst(y!.data, groups([3, 2], x.data, [1]).map(logTotal), (t) => Math.abs(t) + 1)).toBeLessThan(2e-7);
  });

  test("sumTo is the transpose of broadcasting", async () => {
    const x = random([2, 3, 4]);
    const [a, b] = await run((v) => [sumTo(v, [3, 1]), sumTo(v, [])], x);
    expect(worst(a!.data, groups(x.shape, x.data, [0, 2]).map(total), absolute)).toBeLessThan(1e-6);
    expect(b!.data[0]).toBeCloseTo(total([...x.data]), 5);
    expect(() => trace((v) => sumTo(v, [2]), [{ shape: [3] }])).toThrow(ShapeError);
  });

  test("nothing to choose from", () => {
    expect(() => trace((v) => max(v), [{ shape: [0, 2] }])).toThrow(ArgumentError);
    expect(trace((v) => sum(v, 0), [{ shape: [0, 2] }]).outputs[0]!.shape).toEqual([2]);
  });
});

describe("derivatives", () => {
  const gradient = (f: (x: Value) => Value) => (x: Value) => grad(f)(x);

  test("sum and mean", async () => {
    const x = random([3, 4]);
    const [g] = await run(
      gradient((v) => sum(square(mean(v, 0)))),
      x,
    );
    const means = groups([3, 4], x.data, [0]).map((p) => total(p) / 3);
    expect(
      worst(
        g!.data,
        [...means, ...means, ...means].map((m) => (2 * m) / 3),
        absolute,
      ),
    ).toBeLessThan(1e-6);
  });

  test("max: the first of several gets it all", async () => {
    const x = hostArray([1, 3, 3, 2, -1, -5, -1, -2], [2, 2, 2]);
    const [middle, pair] = await run(
      (v) => [grad((u) => sum(max(u, 1)))(v), grad((u) => sum(square(max(u, [1, 2]))))(v)],
      x,
    );
    expect([...middle!.data]).toEqual([0, 1, 1, 0, 1, 0, 0, 1]);
    expect([...pair!.data]).toEqual([0, 6, 0, 0, -2, 0, 0, 0]);
  });

  test("logSumExp: softmax, and its Hessian", async () => {
    const [x, v] = [random([2, 5], { low: -2, high: 2 }), random([2, 5], { seed: 9 })];
    const f = (u: Value): Value => sum(logSumExp(u, -1));
    const [g, h] = await run((a, b) => [grad(f)(a), hvp(f)(a, b)], x, v);
    const weights = groups([2, 5], x.data, [1]).flatMap((p) => p.map((e) => Math.exp(e - logTotal(p))));
    const average = [0, 1].map((r) => total(weights.slice(5 * r, 5 * r + 5).map((w, i) => w * v.data[5 * r + i]!)));
    expect(worst(g!.data, weights, absolute)).toBeLessThan(1e-6);
    expect(
      worst(
        h!.data,
        weights.map((w, i) => w * (v.data[i]! - average[Math.floor(i / 5)]!)),
        absolute,
      ),
    ).toBeLessThan(1e-6);
  });

  test("of a reduction in two stages", async () => {
    const x = random([4999]);
    const [g] = await run(
      gradient((v) => square(sum(mul(v, v)))),
      x,
    );
    const norm = total([...x.data].map((e) => e * e));
    expect(
      worst(
        g!.data,
        [...x.data].map((e) => 4 * norm * e),
        absolute,
      ),
    ).toBeLessThan(1e-6 * 4 * norm);
  });
});
