// Gathering and scattering by integer positions: values, transposes, and every combination of batched arguments.
import { describe, expect, test } from "vitest";
import { batchAll, grad } from "../../src/autograd/index.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { mul, square } from "../../src/kernels/arithmetic.ts";
import { embedding, gather, oneHot, scatterAdd, takeTarget } from "../../src/kernels/gather.ts";
import { stack } from "../../src/kernels/join.ts";
import { index } from "../../src/kernels/slice.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { DTypeError, hostArray, ShapeError } from "../../src/tensor/index.ts";
import { absolute, random, run, worst } from "./run.ts";

const ints = (values: number[], shape?: number[]) => hostArray(values, shape, "i32");

describe("values", () => {
  test("gather along each axis; positions outside give 0", async () => {
    const x = random([3, 4, 5]);
    const at = [2, 0, 2, -1, 7, 1];
    const [a, b] = await run((v, i) => [gather(v, i, 0), gather(v, i, 1)], x, ints(at, [2, 3]));
    const element = (p: number, q: number, r: number): number =>
      p < 0 || q < 0 || p > 2 || q > 3 ? 0 : x.data[(p * 4 + q) * 5 + r]!;
    expect(a!.shape).toEqual([2, 3, 4, 5]);
    expect(b!.shape).toEqual([3, 2, 3, 5]);
    expect([...a!.data]).toEqual(
      [...a!.data].map((_, i) => element(at[Math.floor(i / 20)]!, Math.floor(i / 5) % 4, i % 5)),
    );
    expect([...b!.data]).toEqual(
      [...b!.data].map((_, i) => element(Math.floor(i / 30), at[Math.floor(i / 5) % 6]!, i % 5)),
    );
  });

  test("embedding, oneHot, takeTarget", async () => {
    const table = random([5, 2]);
    const [e, o, t] = await run(
      (w, i) => [embedding(w, i), oneHot(i, 4), takeTarget(embedding(w, i), 1)],
      table,
      ints([4, 0, 3]),
    );
    expect([...e!.data]).toEqual([4, 0, 3].flatMap((r) => Array.from(table.data.subarray(2 * r, 2 * r + 2))));
    expect([...o!.data]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
    expect([...t!.data]).toEqual([4, 0, 3].map((r) => table.data[2 * r + 1]));
  });

  test("scatterAdd adds where positions repeat and leaves out what lies outside", async () => {
    const updates = hostArray([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);
    const [rows, columns] = await run(
      (i, u, j) => [scatterAdd(i, u, 3), scatterAdd(j, u, 3, 1)],
      ints([2, 0, 2, 9]),
      updates,
      ints([1, 1]),
    );
    expect([...rows!.data]).toEqual([3, 4, 0, 0, 6, 8]);
    expect([...columns!.data]).toEqual([0, 3, 0, 0, 7, 0, 0, 11, 0, 0, 15, 0]);
  });

  test("scatterAdd of rows that several invocations share, along a middle axis", async () => {
    const [before, count, size, after] = [2, 5, 4, 37];
    const at = [3, 0, 3, 3, 1];
    const updates = random([before, count, after]);
    const [found] = await run((i, u) => scatterAdd(i, u, size, 1), ints(at), updates);
    const expected = new Float64Array(before * size * after);
    updates.data.forEach((value, i) => {
      const [row, j, column] = [Math.floor(i / (count * after)), Math.floor(i / after) % count, i % after];
      expected[(row * size + at[j]!) * after + column]! += value;
    });
    expect(found!.shape).toEqual([before, size, after]);
    expect(worst(found!.data, expected, absolute)).toBeLessThan(1e-6);
  });

  test("refuses positions that are not i32, and shapes that do not fit", () => {
    expect(() => trace((x, i) => gather(x, i), [{ shape: [3] }, { shape: [2] }])).toThrow(DTypeError);
    expect(() => trace((i, u) => scatterAdd(i, u, 3), [{ shape: [2], dtype: "i32" }, { shape: [3, 2] }])).toThrow(
      ShapeError,
    );
  });
});

describe("derivatives", () => {
  test("gather: positions that repeat add up", async () => {
    const table = random([4, 3]);
    const ids = [1, 3, 1, 1];
    const uses = (row: number): number => ids.filter((id) => id === row).length;
    const [g] = await run((w, i) => grad((v) => sum(square(embedding(v, i))))(w), table, ints(ids));
    expect([...g!.data]).toEqual(Array.from(table.data, (v, i) => Math.fround(2 * v * uses(Math.floor(i / 3))) + 0));
  });

  test("takeTarget", async () => {
    const x = random([2, 3]);
    const [g] = await run((v, t) => grad((u) => sum(square(takeTarget(u, t))))(v), x, ints([2, 0]));
    expect([...g!.data]).toEqual([0, 0, 2 * x.data[2]!, 2 * x.data[3]!, 0, 0]);
  });
});

describe("batching equals one at a time", () => {
  const B = 2;
  const functions: Record<string, (data: Value, positions: Value) => Value> = {
    "gather axis 0": (x, i) => gather(x, i, 0),
    "gather axis 1": (x, i) => gather(x, i, 1),
    "gather, shared axis": (x, i) => gather(x, i, 1, { shared: 1 }),
    "scatterAdd axis 0": (x, i) => scatterAdd(i, x, 5, 0),
    "scatterAdd axis 1": (x, i) => scatterAdd(i, x, 5, 1),
    place: (x, i) => mul(oneHot(i, 4), sum(x)),
    "cotangent of a shared gather": (x, i) => grad((v) => sum(square(gather(v, i, 1, { shared: 1 }))))(x),
  };
  for (const [name, f] of Object.entries(functions)) {
    for (const [xBatched, iBatched] of [
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      test(`${name}: ${[xBatched ? "data" : "", iBatched ? "positions" : ""].filter(Boolean).join(" and ")}`, async () => {
        const x = random(xBatched ? [B, 3, 3] : [3, 3]);
        const i = ints(iBatched ? [2, 0, 2, 1, 1, 0] : [2, 0, 2], iBatched ? [B, 3] : [3]);
        const [batched, single] = await run(
          (v, p) => {
            const [x1, i1] = [input([3, 3]), input([3], "i32")];
            const values = new Map([...(xBatched ? [[x1, v] as const] : []), ...(iBatched ? [[i1, p] as const] : [])]);
            const y = f(xBatched ? x1 : v, iBatched ? i1 : p);
            const rows = Array.from({ length: B }, (_, b) =>
              f(xBatched ? index(v, 0, b) : v, iBatched ? index(p, 0, b) : p),
            );
            return [batchAll([y], values, B)[0]!, stack(rows)];
          },
          x,
          i,
        );
        expect(batched!.shape).toEqual(single!.shape);
        expect([...batched!.data]).toEqual([...single!.data]);
      });
    }
  }
});
