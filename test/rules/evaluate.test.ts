// The evaluator against closed forms and against numbers from elsewhere: it is the truth of all other tests.
import { describe, expect, test } from "vitest";
import { trace } from "../../src/graph/trace.ts";
import { conv2d } from "../../src/kernels/conv.ts";
import { avgPool2d, maxPool2d } from "../../src/kernels/pool.ts";
import { softmax } from "../../src/kernels/softmax.ts";
import { erf, logSumExp, matmul, reshape, transpose } from "../../src/kernels/index.ts";
import { array64, worstError, type Array64 } from "../../src/reference/array.ts";
import { erf as erf64 } from "../../src/reference/special.ts";
import { evaluate } from "../../src/reference/evaluate.ts";
import type { Value } from "../../src/graph/node.ts";

const iota = (...shape: number[]): Array64 => {
  const n = shape.reduce((a, b) => a * b, 1);
  return array64(
    Float64Array.from({ length: n }, (_, i) => i),
    shape,
  );
};

function run(fn: (...xs: Value[]) => Value, ...inputs: Array64[]): number[] {
  return [...evaluate(trace(fn, inputs), inputs)[0]!.data];
}

describe("special functions", () => {
  // Digits from mpmath.
  test.each([
    [0, 0],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.9999, 0.9999778955735178],
    [3, 0.9999779095030014],
    [3.5, 0.9999992569016276],
    [5, 0.9999999999984626],
  ])("erf(%d)", (x, y) => {
    expect(Math.abs(erf64(x) - y)).toBeLessThan(1e-14);
    expect(erf64(-x)).toBeCloseTo(-y, 14);
  });
  test("erf of what has no finite answer", () => {
    expect([Infinity, -Infinity, NaN].map(erf64)).toEqual([1, -1, NaN]);
    expect(run((x) => erf(x), array64([0]))).toEqual([0]);
  });
});

describe("definitions", () => {
  test("matmul", () => {
    expect(run((a, b) => matmul(a, b), iota(2, 3), iota(3, 2))).toEqual([10, 13, 28, 40]);
    expect(run((a, b) => matmul(a, b, { transposeA: true, transposeB: true }), iota(3, 2), iota(2, 3))).toEqual([
      10, 28, 13, 40,
    ]);
  });
  test("movement", () => {
    expect(run((x) => transpose(x), iota(2, 3))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(run((x) => reshape(transpose(x, [2, 0, 1]), [-1]), iota(2, 2, 2))).toEqual([0, 2, 4, 6, 1, 3, 5, 7]);
  });
  test("softmax and its normaliser survive large numbers", () => {
    expect(run((x) => softmax(x), array64([1000, 1000]))).toEqual([0.5, 0.5]);
    expect(run((x) => logSumExp(x), array64([-1000, -1000]))[0]).toBeCloseTo(-1000 + Math.LN2, 12);
  });
  test("convolution", () => {
    const ones = array64([1, 1, 1, 1], [1, 1, 2, 2]);
    expect(run((x, w) => conv2d(x, w), iota(1, 1, 3, 3), ones)).toEqual([8, 12, 20, 24]);
    expect(run((x, w) => conv2d(x, w, { stride: 2, padding: 1 }), iota(1, 1, 3, 3), ones)).toEqual([0, 3, 9, 24]);
  });
  test("pooling", () => {
    expect(run((x) => maxPool2d(x, { kernel: 2 }), iota(1, 4, 4))).toEqual([5, 7, 13, 15]);
    expect(run((x) => avgPool2d(x, { kernel: 2, padding: 1 }), iota(1, 2, 2))).toEqual([0, 0.25, 0.5, 0.75]);
  });
});

describe("evaluate", () => {
  test("says which input is missing", () => {
    const graph = trace((x) => softmax(x), [{ shape: [3] }]);
    expect(() => evaluate(graph, [])).toThrow(/has 1 inputs, got 0/);
    expect(() => evaluate(graph, [iota(4)])).toThrow(/given 4 elements of shape \[4\]/);
  });
  test("worstError is infinite for NaN against a number", () => {
    expect(worstError(array64([NaN]), array64([1]))).toBe(Infinity);
    expect(worstError(array64([NaN, Infinity]), array64([NaN, Infinity]))).toBe(0);
    expect(worstError(array64([1, 2]), array64([1, 4]))).toBe(0.5);
  });
});
