// Softmax and its tangent against double precision.
import { describe, expect, test } from "vitest";
import { grad, hessian, jvp } from "../../src/autograd/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { index } from "../../src/kernels/slice.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { mul } from "../../src/kernels/arithmetic.ts";
import { logSoftmax, softmax } from "../../src/kernels/softmax.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { absolute, random, relative, run, worst } from "./run.ts";

function weights(x: readonly number[]): number[] {
  const top = Math.max(...x);
  const total = x.reduce((a, v) => a + Math.exp(v - top), 0);
  return x.map((v) => Math.exp(v - top) / total);
}

describe("values", () => {
  for (const [rows, length] of [
    [1, 2],
    [3, 10],
    [70, 3],
    [2, 1000],
  ] as const) {
    test(`[${rows}, ${length}]`, async () => {
      const x = random([rows, length], { low: -20, high: 20 });
      const [y, l, t] = await run((v) => [softmax(v), logSoftmax(v), softmax(v, 0)], x);
      const truth = Array.from({ length: rows }, (_, r) =>
        weights([...x.data.subarray(r * length, (r + 1) * length)]),
      ).flat();
      expect(worst(y!.data, truth, relative)).toBeLessThan(4e-6);
      expect(worst(l!.data, truth.map(Math.log), absolute)).toBeLessThan(4e-6);
      const columns = Array.from({ length }, (_, c) =>
        weights(Array.from({ length: rows }, (_, r) => x.data[r * length + c]!)),
      );
      expect(
        worst(
          t!.data,
          truth.map((_, i) => columns[i % length]![Math.floor(i / length)]!),
          relative,
        ),
      ).toBeLessThan(4e-6);
    });
  }

  test("far beyond the range of exp", async () => {
    const [y, l] = await run((v) => [softmax(v), logSoftmax(v)], hostArray([1e4, 0, -1e4, 1e4], [2, 2]));
    expect([...y!.data]).toEqual([1, 0, 0, 1]);
    expect([...l!.data]).toEqual([0, -1e4, -2e4, 0]);
  });
});

describe("derivatives", () => {
  const x = random([4], { low: -2, high: 2 });
  const p = weights([...x.data]);

  test("tangent and cotangent", async () => {
    const t = random([2, 4], { seed: 5 });
    const two = hostArray([...x.data, ...x.data], [2, 4]);
    const [forward, backward] = await run(
      (v, u) => [jvp((a) => softmax(a))(v, u), grad((a) => sum(mul(softmax(a), u)))(v)],
      two,
      t,
    );
    const truth = [0, 4].flatMap((at) => {
      const mean = p.reduce((a, w, i) => a + w * t.data[at + i]!, 0);
      return p.map((w, i) => w * (t.data[at + i]! - mean));
    });
    expect(worst(forward!.data, truth, absolute)).toBeLessThan(1e-6);
    expect(worst(backward!.data, truth, absolute)).toBeLessThan(1e-6);
  });

  test("Hessian of one probability, by columns in one batch", async () => {
    const f = (v: Value): Value => index(softmax(v), 0, 1);
    const [h] = await run((v) => hessian(f)(v), x);
    const delta = (i: number, j: number): number => Number(i === j);
    // p1'' = p1 ((d1i - pi)(d1j - pj) - pi (dij - pj))
    const truth = p.flatMap((_, i) =>
      p.map((_, j) => p[1]! * ((delta(1, i) - p[i]!) * (delta(1, j) - p[j]!) - p[i]! * (delta(i, j) - p[j]!))),
    );
    expect(h!.shape).toEqual([4, 4]);
    expect(worst(h!.data, truth, absolute)).toBeLessThan(1e-6);
  });
});
