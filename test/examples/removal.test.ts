import { describe, expect, test } from "vitest";
import { rowBatches } from "../../examples/lib/rows.ts";
import { meanStrengths, ofMatrices, ordersOf, timesInputs } from "../../examples/lib/rankings.ts";
import {
  allPairs,
  contributions,
  normalised,
  normalRows,
  replacements,
  simulation,
  TARGET_NAMES,
  TARGETS,
  withRemoved,
} from "../../examples/lib/simulate.ts";
import { standardDeviation, variance } from "../../examples/lib/statistics.ts";
import { random } from "../../src/nn/index.ts";
import { hostArray } from "../../src/tensor/index.ts";

describe("simulated targets", () => {
  test("the functions at a point", () => {
    const values = TARGET_NAMES.map((name) => TARGETS[name](0.5, -2));
    expect(values).toEqual([-1, 0.5, -2, Math.cos(-1.5), Math.tanh(-1.5)]);
  });

  test("pairs are all pairs, once, in order", () => {
    expect(allPairs(4)).toEqual([
      [0, 1],
      [0, 2],
      [0, 3],
      [1, 2],
      [1, 3],
      [2, 3],
    ]);
    expect(allPairs(10).length).toBe(45);
  });

  test("as many pairs as asked for have a coefficient, and the seed decides which", () => {
    const chosen = simulation("multiply", 10, 20, random("a")).coefficients;
    expect(chosen.filter((c) => c !== 0).length).toBe(20);
    expect(simulation("multiply", 10, 20, random("a")).coefficients).toEqual(chosen);
    expect(simulation("multiply", 10, 20, random("b")).coefficients).not.toEqual(chosen);
    expect(() => simulation("multiply", 3, 4, random(0))).toThrow(/3 features have 3 pairs/);
  });

  test("shares sum to the target, which has the deviation 1", () => {
    const x = normalRows(200, 5, random("x"));
    const simulated = normalised(simulation("cossum", 5, 4, random("s")), x);
    const shares = contributions(simulated, x);
    const targets = Array.from({ length: 200 }, (_, row) =>
      allPairs(5).reduce((sum, [i, j], pair) => {
        return sum + simulated.coefficients[pair]! * Math.cos(x[row * 5 + i]! + x[row * 5 + j]!);
      }, 0),
    );
    const nothing = withRemoved(shares, new Float64Array(shares.length), identity(shares.length, 10), 10, 0);
    nothing.forEach((y, row) => expect(y).toBeCloseTo(targets[row]!, 12));
    expect(standardDeviation(nothing)).toBeCloseTo(1, 12);
  });
});

const identity = (length: number, pairs: number): Int32Array => Int32Array.from({ length }, (_, at) => at % pairs);

describe("removal", () => {
  test("each row loses the first pairs of its own order, and nothing else", () => {
    const shares = Float64Array.of(1, 10, 100, 2, 20, 200);
    const drawn = Float64Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6);
    const order = Int32Array.of(2, 0, 1, 1, 2, 0);
    const removed = [0, 1, 2, 3].map((k) => [...withRemoved(shares, drawn, order, 3, k)]);
    expect(removed[0]).toEqual([111, 222]);
    expect(removed[1]).toEqual([11 + 0.3, 202 + 0.5].map((v) => expect.closeTo(v, 12) as number));
    expect(removed[2]).toEqual([10 + 0.4, 2 + 1.1].map((v) => expect.closeTo(v, 12) as number));
    expect(removed[3]).toEqual([0.6, 1.5].map((v) => expect.closeTo(v, 12) as number));
  });

  test("replacements have the distribution of the shares and no relation to the row", () => {
    const x = normalRows(4000, 3, random("rows"));
    const simulated = { target: "multiply", features: 3, coefficients: Float64Array.of(2, 0, -1) } as const;
    const [shares, drawn] = [contributions(simulated, x), replacements(simulated, 4000, random("draws"))];
    const column = (values: Float64Array, pair: number): Float64Array => values.filter((_, at) => at % 3 === pair);
    for (const pair of [0, 2]) {
      const [a, b] = [column(shares, pair), column(drawn, pair)];
      expect(variance(b) / variance(a)).toBeCloseTo(1, 0);
      const product = a.reduce((sum, v, row) => sum + v * b[row]!, 0) / 4000;
      // The product of independent values varies by variance / sqrt(rows).
      expect(Math.abs(product) / variance(a)).toBeLessThan(4 / Math.sqrt(4000));
    }
    expect(column(drawn, 1).every((v) => v === 0)).toBe(true);
  });
});

describe("rankings", () => {
  // Two rows of three features; both halves of a pair count, the diagonal does not.
  const matrices = [9, 1, -2, 1, 9, 0.5, -2, 0.5, 9, 0, -3, 1, -3, 0, 0, 1, 0, 0];

  test("strengths are magnitudes of both halves", () => {
    expect([...ofMatrices(matrices, 3)]).toEqual([2, 4, 1, 6, 2, 0]);
  });

  test("orders are per row, means over the rows", () => {
    const strengths = ofMatrices(matrices, 3);
    expect([...ordersOf(strengths, 3)]).toEqual([1, 0, 2, 0, 1, 2]);
    expect([...meanStrengths(strengths, 3)]).toEqual([4, 3, 0.5]);
  });

  test("the Hessian times both inputs", () => {
    const x = hostArray([1, 2, -3, 0, 5, 1], [2, 3]);
    expect([...timesInputs(Float64Array.of(2, 4, 1, 6, 2, 0.5), x)]).toEqual([4, 12, 6, 0, 0, 2.5]);
  });
});

test("batches pass over all rows before any comes again", () => {
  const batches = [...rowBatches(10, 4, 5, random("batches"))];
  expect(batches.map((rows) => rows.length)).toEqual([4, 4, 4, 4, 4]);
  const drawn = batches.flatMap((rows) => [...rows]);
  for (const pass of [drawn.slice(0, 10), drawn.slice(10, 20)]) {
    expect([...pass].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
  expect(drawn.slice(0, 10)).not.toEqual(drawn.slice(10, 20));
});
