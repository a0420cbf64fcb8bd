// Shapley values: enumerated against brute force, sampled against enumerated, and what is refused.
import { describe, expect, test } from "vitest";
import {
  exactShapley,
  owenShapley,
  patchGroups,
  sampledShapley,
  shapleyIG,
  type ShapleyIGOptions,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, exp, index, mul, sin, sum, tanh } from "../../src/kernels/index.ts";
import {
  ArgumentError,
  hostArray,
  type HostArray,
  LimitError,
  NumericError,
  ShapeError,
} from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { drawArray, expectNear, Mlp, rows } from "./networks.ts";

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

/** Mean of what each player adds, over all orders of n players: the definition, without coalition weights. */
function overOrders(n: number, v: (members: ReadonlySet<number>) => number): number[] {
  const sums = Array<number>(n).fill(0);
  let count = 0;
  const visit = (before: number[], rest: number[]): void => {
    if (rest.length === 0) count++;
    for (const i of rest) visit([...before, i], rest.filter((j) => j !== i)); // prettier-ignore
    if (rest.length > 0) return;
    before.forEach((i, k) => (sums[i]! += v(new Set(before.slice(0, k + 1))) - v(new Set(before.slice(0, k)))));
  };
  visit(
    [],
    Array.from({ length: n }, (_, i) => i),
  );
  return sums.map((s) => s / count);
}

describe("exact values", () => {
  test("are the mean over all orders of the players", () =>
    withCleanDevice(async (device) => {
      const net = new Mlp("relu", 5, 8, 3, 51);
      using on = net.on(device);
      const [x, from] = [drawArray([2, 5], 52, 2), drawArray([2, 5], 53)];
      const result = await exactShapley(on.model, x, { baseline: from, target: [2, 0] });
      rows(x).forEach((to, b) => {
        const start = rows(from)[b]!;
        const v = (members: ReadonlySet<number>): number =>
          net.logits(to.map((value, i) => (members.has(i) ? value : start[i]!)))[[2, 0][b]!]!;
        expectNear(result.players.data.slice(b * 5, b * 5 + 5), overOrders(5, v));
        expect(result.scores.input.data[b]).toBeCloseTo(v(new Set([0, 1, 2, 3, 4])), 4);
        expect(result.scores.baseline.data[b]).toBeCloseTo(v(new Set()), 4);
        expect(result.values.data[b * 32 + 0b01010]).toBeCloseTo(v(new Set([1, 3])), 4);
        expect(Math.abs(result.delta.data[b]!)).toBeLessThan(1e-5);
      });
      expect(result.evaluations).toBe(32);
      expect(result.plan.submits).toBe(1);
    }));

  test("of patches of a picture, with 12 players in one batch and in chunks", () =>
    withCleanDevice(async (device) => {
      const picture = drawArray([2, 2, 3, 4], 54);
      const groups = patchGroups([2, 3, 4], 1);
      const f = (p: Value): Value => tanh(sum(sin(p), [1, 2, 3]));
      const whole = await exactShapley(f, picture, { device, groups });
      expect(whole.players.shape).toEqual([2, 12]);
      expect(whole.plan.chunks).toBe(1);
      const cut = await exactShapley(f, picture, { device, groups, memoryBudget: whole.plan.bytes / 4 });
      expect(cut.plan.chunks).toBeGreaterThan(3);
      expectNear(cut.players.data, whole.players.data);
      expectNear(cut.values.data, whole.values.data);
      // Sum over both channels of the pixels of a coalition.
      const part = (b: number, i: number): number =>
        [0, 1].reduce((s, c) => s + Math.sin(picture.data[(b * 2 + c) * 12 + i]!), 0);
      const mask = 0b100110100101;
      const inside = Array.from({ length: 12 }, (_, i) => i).filter((i) => (mask >> i) & 1);
      for (const b of [0, 1])
        expect(whole.values.data[b * 4096 + mask]).toBeCloseTo(Math.tanh(total(inside.map((i) => part(b, i)))), 5);
    }));

  test("of all classes", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("tanh", 4, 6, 3, 55).on(device);
      const x = drawArray([2, 4], 56, 2);
      const all = await exactShapley(on.model, x, { target: "all" });
      expect([all.players.shape, all.values.shape, all.delta.shape]).toEqual([[3, 2, 4], [3, 2, 16], [3, 2]]); // prettier-ignore
      for (let k = 0; k < 3; k++) {
        const one = await exactShapley(on.model, x, { target: k });
        expectNear(all.players.data.slice(k * 8, k * 8 + 8), one.players.data);
        expectNear(all.scores.input.data.slice(k * 2, k * 2 + 2), one.scores.input.data);
      }
    }));
});

describe("estimates", () => {
  const additive = (x: Value): Value => add(add(sin(index(x, 1, 0)), exp(index(x, 1, 1))), mul(index(x, 1, 2), 3));
  const x = hostArray([0.5, -1, 2, 1, 0.25, -1], [2, 3]);
  const truth = rows(x).flatMap(([a, b, c]) => [Math.sin(a!), Math.exp(b!) - 1, 3 * c!]);

  test("have no spread in an additive game", () =>
    withCleanDevice(async (device) => {
      for (const method of [sampledShapley, owenShapley]) {
        const { players, standardErrors, delta } = await method(additive, x, { device });
        expectNear(players.data, truth);
        expect(Math.max(...standardErrors.data)).toBeLessThan(1e-6);
        expect(Math.max(...delta.data.map(Math.abs))).toBeLessThan(1e-5);
      }
    }));

  test("come within their standard errors, and these shrink like the root of the samples", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("relu", 8, 16, 3, 57).on(device);
      const input = drawArray([4, 8], 58, 2);
      const exact = await exactShapley(on.model, input, { target: 1 });
      const squares = (estimate: { players: HostArray; standardErrors: HostArray }): number[] =>
        Array.from(
          exact.players.data,
          (v, i) => ((estimate.players.data[i]! - v) / estimate.standardErrors.data[i]!) ** 2,
        );
      const seeds = Array.from({ length: 12 }, (_, seed) => seed);
      const sampled = seeds.map((seed) => sampledShapley(on.model, input, { target: 1, permutations: 40, seed }));
      const few = await Promise.all(sampled);
      const owen = await Promise.all(seeds.map((seed) => owenShapley(on.model, input, { target: 1, draws: 60, seed })));
      for (const estimates of [few, owen]) {
        // Squared standard scores have mean 1.
        const scores = estimates.flatMap(squares);
        expect(total(scores) / scores.length).toBeGreaterThan(0.75);
        expect(total(scores) / scores.length).toBeLessThan(1.35);
      }
      const many = await sampledShapley(on.model, input, { target: 1, permutations: 640, seed: 2 });
      expect(total(many.standardErrors.data) / total(few[0]!.standardErrors.data)).toBeCloseTo(0.25, 1);
      expect(Math.max(...many.delta.data.map(Math.abs))).toBeLessThan(1e-4);
      expect([few[0]!.evaluations, owen[0]!.evaluations]).toEqual([40 * 7 + 2, 8 * 60 * 9 + 2]);
    }));

  test("are reproducible, and need two samples", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("tanh", 6, 6, 3, 59).on(device);
      const input = drawArray([1, 6], 60);
      for (const method of [sampledShapley, owenShapley]) {
        const run = async (seed: number) => (await method(on.model, input, { target: 0, seed })).players.data;
        expect(await run(4)).toEqual(await run(4));
        expect(Array.from(await run(5))).not.toEqual(Array.from(await run(4)));
      }
      await expect(sampledShapley(on.model, input, { permutations: 1 })).rejects.toThrow(/permutations.*>= 2, got 1/);
      await expect(owenShapley(on.model, input, { draws: 1 })).rejects.toThrow(/draws.*>= 2, got 1/);
      await expect(owenShapley(on.model, input, { nodes: 0 })).rejects.toThrow(/nodes.*>= 1, got 0/);
    }));
});

describe("what is refused", () => {
  const input = drawArray([2, 4], 61);
  const cases: readonly [string, ShapleyIGOptions, new (m: string) => Error, RegExp][] = [
    ["a sampling that does not exist", { sampling: "random" as "uniform" }, ArgumentError, /sampling.*"random"/],
    ["no coalitions", { perSize: 0 }, ArgumentError, /perSize.*got 0/],
    ["a size that is too large", { sizes: [0, 4] }, ArgumentError, /sizes.*0 to 3, got 0, 4/],
    ["a size twice", { sizes: [1, 1] }, ArgumentError, /sizes.*got 1, 1/],
    ["no sizes", { sizes: [] }, ArgumentError, /sizes.*got none/],
    ["another average", { average: "some" as "all" }, ArgumentError, /average.*"some"/],
    ["too few labels", { groups: [0, 1] }, ArgumentError, /groups.*4 features.*got 2/],
    ["a label left out", { groups: [0, 1, 1, 3] }, ArgumentError, /no feature is in group 2/],
    ["a label below -1", { groups: [0, 1, 1, -2] }, ArgumentError, /got -2/],
    ["only features without a player", { groups: [-1, -1, -1, -1] }, ArgumentError, /groups.*at least one/],
    ["several references", { baseline: [{ baseline: 0 }, { baseline: 1 }] }, ArgumentError, /one reference, got 2/],
    ["a reference of another shape", { baseline: drawArray([3], 1) }, ShapeError, /baseline.*\[2, 4\].*\[3\]/],
    ["a rule that does not exist", { rule: "simpson" as "left" }, ArgumentError, /rule.*simpson/],
    ["steps below 1", { steps: 0 }, ArgumentError, /steps.*got 0/],
    ["a budget that nothing fits", { memoryBudget: 64 }, LimitError, /memoryBudget/],
  ];
  for (const [what, options, kind, message] of cases)
    test(what, () =>
      withCleanDevice(async (device) => {
        using on = new Mlp("relu", 4, 5, 3, 62).on(device);
        const refused = shapleyIG(on.model, input, { device, ...options });
        await expect(refused).rejects.toThrow(kind);
        await expect(refused).rejects.toThrow(message);
      }),
    );

  test("more players than are enumerated, or than masks are made for", () =>
    withCleanDevice(async (device) => {
      const f = (v: Value): Value => sum(v, 1);
      await expect(exactShapley(f, drawArray([1, 13], 1), { device })).rejects.toThrow(LimitError);
      await expect(exactShapley(f, drawArray([1, 13], 1), { device })).rejects.toThrow(/13 players.*sampledShapley/);
      const enumerated = shapleyIG(f, drawArray([1, 13], 1), { device, sampling: "exhaustive" });
      await expect(enumerated).rejects.toThrow(/13 players.*sample them/);
      await expect(shapleyIG(f, drawArray([1, 1025], 1), { device })).rejects.toThrow(
        /1025 players; expected at most 1024/,
      );
    }));

  test("scores that are not finite", () =>
    withCleanDevice(async (device) => {
      const f = (v: Value): Value => sum(exp(mul(v, 1000)), 1);
      await expect(exactShapley(f, hostArray([1, 2], [1, 2]), { device })).rejects.toThrow(NumericError);
      await expect(shapleyIG(f, hostArray([1, 2], [1, 2]), { device })).rejects.toThrow(NumericError);
    }));
});
