// The helper functions of elementwise WGSL against double precision, in dense sweeps over all magnitudes.
import { describe, expect, test } from "vitest";
import * as k from "../../src/kernels/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { absolute, random, relative, run, worst } from "./run.ts";

const N = 4001;
const linear = (low: number, high: number): number[] =>
  Array.from({ length: N }, (_, i) => low + ((high - low) * i) / (N - 1));
const geometric = (low: number, high: number): number[] => linear(Math.log(low), Math.log(high)).map(Math.exp);
const mirrored = (x: readonly number[]): number[] => [...x, ...x.map((v) => -v)];

/** erf by its series, then by the continued fraction of erfc. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let [term, total] = [a, a];
    for (let n = 1; n < 80; n++) {
      term *= (-a * a) / n;
      total += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 80; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (a + fraction) / Math.sqrt(Math.PI));
}

const softplus = (beta: number) => (x: number) =>
  Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(Math.fround(beta) * x))) / Math.fround(beta);
const sigmoid = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));

interface Sweep {
  readonly fn: (x: Value) => Value;
  readonly truth: (x: number) => number;
  readonly x: readonly number[];
  /** Default: relative error at most 1e-6. */
  readonly limit?: number;
  readonly scale?: (y: number) => number;
}

const ALL = mirrored([...geometric(1e-37, 1e30), ...linear(0, 12), ...linear(0.2, 0.3)]);
const TURNS = mirrored([...linear(0, 12), ...linear(0, 1e4)]);

const SWEEPS: Record<string, Sweep> = {
  tanh: { fn: k.tanh, truth: Math.tanh, x: ALL },
  // The built-in exp loses digits towards its smallest results.
  sigmoid: {
    fn: k.sigmoid,
    truth: sigmoid,
    x: mirrored([...geometric(1e-37, 87), ...linear(0, 12), 1e4, 1e38]),
    limit: 4.2e-6,
  },
  "sigmoid, moderate": { fn: k.sigmoid, truth: sigmoid, x: linear(-10, 10) },
  softplus: { fn: (x) => k.softplus(x), truth: softplus(1), x: [...ALL, ...linear(-87, 87)] },
  "softplus, beta 10": {
    fn: (x) => k.softplus(x, { beta: 10 }),
    truth: softplus(10),
    x: [...ALL, ...linear(-8.5, 8.5)],
    limit: 5e-6,
  },
  "softplus, beta 1000": {
    fn: (x) => k.softplus(x, { beta: 1000 }),
    truth: softplus(1000),
    x: linear(-10, 10),
    scale: absolute,
  },
  "softplus, beta 0.1": { fn: (x) => k.softplus(x, { beta: 0.1 }), truth: softplus(0.1), x: linear(-100, 100) },
  erf: { fn: k.erf, truth: erf, x: [...ALL, ...linear(0.95, 1.05), ...linear(3.9, 4.1)] },
  expm1: { fn: k.expm1, truth: Math.expm1, x: [...mirrored([...geometric(1e-37, 20), ...linear(0.4, 0.6)]), -1e4] },
  "expm1, large": { fn: k.expm1, truth: Math.expm1, x: linear(20, 88), limit: 4.2e-6 },
  log: { fn: k.log, truth: Math.log, x: [...geometric(1.2e-38, 3e38), ...linear(0.5, 2), ...linear(0.99, 1.01)] },
  log1p: {
    fn: k.log1p,
    truth: Math.log1p,
    x: [...mirrored(geometric(1e-37, 0.99)), ...linear(-0.99, 2), ...geometric(1, 3e38)],
  },
  sin: { fn: k.sin, truth: Math.sin, x: TURNS, scale: absolute },
  cos: { fn: k.cos, truth: Math.cos, x: TURNS, scale: absolute },
  "power 2.5": { fn: (x) => k.power(x, 2.5), truth: (x) => x ** 2.5, x: geometric(1e-15, 1e15) },
  "power -0.75": { fn: (x) => k.power(x, -0.75), truth: (x) => x ** -0.75, x: geometric(1.2e-38, 3e38) },
  "power 3 of negative numbers": {
    fn: (x) => k.power(x, 3),
    truth: (x) => x ** 3,
    x: mirrored(geometric(1e-12, 1e12)),
  },
  "power -4 of negative numbers": {
    fn: (x) => k.power(x, -4),
    truth: (x) => x ** -4,
    x: mirrored(geometric(1e-9, 1e9)),
  },
  "power 1234.5 near 1": { fn: (x) => k.power(x, 1234.5), truth: (x) => x ** 1234.5, x: linear(0.95, 1.05) },
};

describe("dense sweeps", () => {
  for (const [name, { fn, truth, x, limit = 1e-6, scale = relative }] of Object.entries(SWEEPS)) {
    test(name, async () => {
      const input = hostArray(x);
      const [y] = await run(fn, input);
      expect(worst(y!.data, Array.from(input.data, truth), scale)).toBeLessThan(limit);
    });
  }
});

describe("edges", () => {
  const at = async (fn: (x: Value) => Value, ...x: number[]): Promise<number[]> => [
    ...(await run(fn, hostArray(x)))[0]!.data,
  ];

  test("log at and below 0", async () => {
    expect(await at(k.log, 0, -1, 1, Infinity)).toEqual([-Infinity, NaN, 0, Infinity]);
    expect(await at(k.log1p, -1, -2, 0)).toEqual([-Infinity, NaN, 0]);
  });

  test("power of 0 and of negative numbers", async () => {
    expect(await at((x) => k.power(x, 3), 0, -2, 1)).toEqual([0, -8, 1]);
    expect(await at((x) => k.power(x, -3), 0, -2, 1)).toEqual([Infinity, -0.125, 1]);
    expect(await at((x) => k.power(x, 0.3), 0, -2, 1)).toEqual([0, NaN, 1]);
  });

  test("saturation is finite", async () => {
    expect(await at(k.tanh, 1e38, -1e38)).toEqual([1, -1]);
    expect(await at(k.sigmoid, 1e38, -1e38)).toEqual([1, 0]);
    expect(await at((x) => k.softplus(x, { beta: 10 }), 1e4, -1e4)).toEqual([1e4, 0]);
    expect(await at(k.erf, 1e38, -1e38)).toEqual([1, -1]);
  });

  test("power over random bases and exponents", async () => {
    const [base, exponent] = [random([2000], { low: 0.5, high: 2 }), random([200], { low: -40, high: 40, seed: 3 })];
    for (const e of exponent.data.filter((_, i) => i % 20 === 0)) {
      const [y] = await run((x) => k.power(x, e), base);
      expect(
        worst(
          y!.data,
          Array.from(base.data, (x) => x ** e),
          relative,
        ),
      ).toBeLessThan(1e-6);
    }
  });
});
