// The games of the grid world example, against routes that are counted and walks that are worked out by hand.
import { describe, expect, test } from "vitest";
import { agreement } from "../../examples/lib/gridworld-study.ts";
import {
  allWays,
  bestWay,
  CELLS,
  gridFeatures,
  optimalValue,
  routeValue,
  WIDTH,
} from "../../examples/lib/gridworld.ts";
import { compile } from "../../src/compiler/program.ts";
import type { Value } from "../../src/graph/node.ts";
import { draw } from "../attribution/networks.ts";
import { withCleanDevice } from "../gpu.ts";

/** All routes from a cell to the last one. */
function routes(cell: number): number[][] {
  if (cell === CELLS - 1) return [[cell]];
  const [right, down] = [cell % WIDTH < WIDTH - 1, cell + WIDTH < CELLS];
  const next = [...(right ? [1] : []), ...(down ? [WIDTH] : []), ...(right && down ? [WIDTH + 1] : [])];
  return next.flatMap((step) => routes(cell + step)).map((rest) => [cell, ...rest]);
}

describe("routes", () => {
  const x = draw(CELLS, 5).map((v) => 0.65 + 0.3 * v);
  const worth = (route: number[]): number => route.reduce((p, cell) => p * x[cell]!, 0.9 ** (route.length - 1));
  const value = (backup: typeof allWays): Promise<number> => {
    let result = 0;
    return withCleanDevice(async (device) => {
      using input = device.tensor(x, [1, CELLS]);
      const [y] = await compile(device, (v: Value) => routeValue(v, backup), [input]).runAndRead([input]);
      result = y!.data[0]!;
    }).then(() => result);
  };

  test("all of them: the sum over 25 routes", async () => {
    expect(routes(0)).toHaveLength(25);
    expect(await value(allWays)).toBeCloseTo(routes(0).map(worth).reduce((a, b) => a + b), 5); // prettier-ignore
  });

  test("the best way, made sharp: the largest route", async () => {
    expect(await value(bestWay(2000))).toBeCloseTo(Math.max(...routes(0).map(worth)), 4);
    expect(await value(bestWay(10))).toBeLessThan(Math.max(...routes(0).map(worth)));
  });
});

describe("optimal values", () => {
  const grid = (cells: Readonly<Record<number, number>>): Int8Array =>
    Int8Array.from({ length: CELLS }, (_, cell) => cells[cell] ?? -1);

  test("nothing to gain, nothing gained; a pit is left alone", () => {
    expect(optimalValue(grid({}))).toBe(0);
    expect(optimalValue(grid({ 6: 1 }))).toBe(0);
  });

  test("gold beside the start, without slips: a step is not discounted, two are by 0.9, walls make detours", () => {
    expect(optimalValue(grid({ 1: 0 }), 0.9, 0)).toBeCloseTo(1, 12);
    expect(optimalValue(grid({ 2: 0 }), 0.9, 0)).toBeCloseTo(0.9, 12);
    expect(optimalValue(grid({ 2: 0, 1: 2 }), 0.9, 0)).toBeCloseTo(0.9 ** 3, 12);
    expect(optimalValue(grid({ 2: 0, 1: 2, 5: 2, 9: 2 }), 0.9, 0)).toBe(0);
  });

  test("with slips: v = 0.8 + 0.9 (0.1 v + 0.1 w) in a corner, between walls", () => {
    // Cells 4 and 5 are walls: a slip from the start holds it where it is, on both sides.
    expect(optimalValue(grid({ 1: 0, 4: 2, 5: 2 }), 0.9, 0.1)).toBeCloseTo(0.8 / (1 - 0.9 * 0.2), 6);
  });

  test("features name the object of every cell", () => {
    const { data, shape } = gridFeatures([grid({ 1: 0, 2: 2 })]);
    expect(shape).toEqual([1, 36]);
    expect(Array.from(data).flatMap((v, i) => (v === 1 ? [i] : []))).toEqual([3, 8]);
  });
});

test("agreement: cosine, rank correlation and sums, row by row", () => {
  const same = agreement([2, 4, 6, 0, 0, 2], [1, 2, 3, 0, 0, 1], 3);
  expect(same).toEqual({ cosine: expect.closeTo(1, 12) as number, rank: expect.closeTo(1, 12) as number, scale: 2 });
  const reversed = agreement([3, 2, 1], [1, 2, 3], 3);
  expect(reversed.cosine).toBeCloseTo(10 / 14, 12);
  expect(reversed.rank).toBeCloseTo(-1, 12);
  // A row without any value takes no part.
  expect(agreement([1, 1, 3, 4], [0, 0, 3, 4], 2).cosine).toBeCloseTo(1, 12);
});
