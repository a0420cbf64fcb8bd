// Small grid worlds and how much they are worth to somebody who starts in the upper left corner.
import { add, mul } from "../../src/kernels/arithmetic.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { stack } from "../../src/kernels/join.ts";
import { index } from "../../src/kernels/slice.ts";
import { softmax } from "../../src/kernels/softmax.ts";
import type { Value } from "../../src/graph/node.ts";
import type { Random } from "../../src/nn/random.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";

export const HEIGHT = 3;
export const WIDTH = 4;
export const CELLS = HEIGHT * WIDTH;

// ---- routes: an analytic value of the passability of every cell ----------------------------------------------------

/** How the values of the ways on from a cell are put together: their sum, or nearly the best of them. */
export type Backup = (ways: readonly Value[]) => Value;

export const allWays: Backup = (ways) => ways.reduce(add);

/** Mean with weights softmax(sharpness * value): the maximum, where one is clearly the best. */
export const bestWay =
  (sharpness: number): Backup =>
  (ways) => {
    const all = stack(ways, 1);
    return sum(mul(softmax(mul(all, sharpness)), all), 1);
  };

/**
 * Value of walking from the upper left to the lower right cell, by steps to the right, down or both: the passabilities of
 * all cells of the route and a discount per step, multiplied, put together over routes.
 * @param x passabilities [B, CELLS], row by row
 * @returns [B]
 */
export function routeValue(x: Value, backup: Backup, discount = 0.9): Value {
  const values: Value[] = [];
  for (let cell = CELLS - 1; cell >= 0; cell--) {
    const [right, down] = [cell % WIDTH < WIDTH - 1, cell < CELLS - WIDTH];
    const next = [...(right ? [1] : []), ...(down ? [WIDTH] : []), ...(right && down ? [WIDTH + 1] : [])];
    const own = index(x, 1, cell);
    const ways = next.map((step) => values[cell + step]!);
    values[cell] = ways.length === 0 ? own : mul(own, mul(ways.length === 1 ? ways[0]! : backup(ways), discount));
  }
  return values[0]!;
}

/** Passabilities between 0.3 and 1, [count, CELLS]. */
export const passabilities = (count: number, stream: Random): HostArray =>
  hostArray(
    Float32Array.from({ length: count * CELLS }, () => 0.3 + 0.7 * stream.uniform()),
    [count, CELLS],
  );

// ---- objects: the value that value iteration gives, learnt by a network -----------------------------------------------

export const OBJECTS = ["gold", "pit", "wall"] as const;
/** What each cell holds, and -1 for nothing. */
export type Grid = Int8Array;

/** The start is free; a cell holds gold or a pit with chance 1/6 each, a wall with 1/5. */
export const randomGrid = (stream: Random): Grid =>
  Int8Array.from({ length: CELLS }, (_, cell) => {
    const u = cell === 0 ? 1 : stream.uniform();
    return u < 1 / 6 ? 0 : u < 1 / 3 ? 1 : u < 1 / 3 + 1 / 5 ? 2 : -1;
  });

/** One number per cell and kind of object: [count, CELLS * 3]. */
export function gridFeatures(grids: readonly Grid[]): HostArray {
  const kinds = OBJECTS.length;
  const data = new Float32Array(grids.length * CELLS * kinds);
  grids.forEach((grid, b) => grid.forEach((kind, cell) => kind >= 0 && (data[(b * CELLS + cell) * kinds + kind] = 1)));
  return hostArray(data, [grids.length, CELLS * kinds]);
}

/**
 * Discounted reward under the best policy, by value iteration: gold pays 1, a pit costs 1, both end the walk; walls and
 * edges hold one where one is. A step goes astray to each side with chance 0.1. Standing still is possible.
 */
export function optimalValue(grid: Grid, discount = 0.9, slip = 0.1): number {
  const reward = [1, -1];
  let values = new Float64Array(CELLS);
  const target = (cell: number, direction: number): number => {
    const [row, column] = [Math.floor(cell / WIDTH), cell % WIDTH];
    const [r, c] = [row + [0, 1, 0, -1][direction]!, column + [1, 0, -1, 0][direction]!];
    if (r < 0 || r >= HEIGHT || c < 0 || c >= WIDTH || grid[r * WIDTH + c] === 2) return cell;
    return r * WIDTH + c;
  };
  const worth = (cell: number): number => reward[grid[cell]!] ?? discount * values[cell]!;
  for (let sweep = 0; sweep < 40; sweep++) {
    values = values.map((_, cell) => {
      const ahead = [0, 1, 2, 3].map((direction) => worth(target(cell, direction)));
      const moves = ahead.map((v, d) => (1 - 2 * slip) * v + slip * (ahead[(d + 1) % 4]! + ahead[(d + 3) % 4]!));
      return Math.max(0, ...moves);
    });
  }
  return values[0]!;
}
