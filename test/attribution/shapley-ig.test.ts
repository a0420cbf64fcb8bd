// Shapley Integrated Gradients against closed forms, sums over coalitions in double precision, and its identity.
import { describe, expect, test } from "vitest";
import { exactShapley, groupsAlong, integratedGradients, quadrature, shapleyIG } from "../../src/attribution/index.ts";
import { has, playerWeights, sampledCoalitions, SAMPLINGS } from "../../src/attribution/shapley-coalitions.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, embedding, exp, index, matmul, mul, reshape, sin, square, sum, tanh } from "../../src/kernels/index.ts";
import type { Tap } from "../../src/nn/model.ts";
import { hostArray, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { draw, drawArray, expectNear, integrate, Mlp, rows, scoreTruth } from "./networks.ts";

const at = (x: Value, i: number): Value => index(x, 1, i);
const point = (values: readonly number[]): HostArray => hostArray(values, [1, values.length]);
const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

describe("closed forms", () => {
  const additive = (x: Value): Value => add(add(sin(at(x, 0)), exp(at(x, 1))), square(at(x, 2)));
  const x = [0.75, -0.5, 1.5];
  const from = [-0.25, 0.5, 0.5];
  const gains = [Math.sin(0.75) - Math.sin(-0.25), Math.exp(-0.5) - Math.exp(0.5), 2.25 - 0.25];

  test("an additive game: a player counts in the (n + 1) / 2n coalitions without it", () =>
    withCleanDevice(async (device) => {
      const common = { device, baseline: point(from), steps: 16 };
      for (const sampling of ["proportional", "exhaustive"] as const) {
        const { attributions } = await shapleyIG(additive, point(x), { ...common, sampling });
        expectNear(attributions.data, gains.map((g) => (g * 4) / 6)); // prettier-ignore
      }
      const { attributions } = await shapleyIG(additive, point(x), { ...common, average: "excluded" });
      expectNear(attributions.data, gains);
    }));

  /** x0 + x1 x2 + x3 x4 x5 */
  const products = (v: Value): Value =>
    add(at(v, 0), add(mul(at(v, 1), at(v, 2)), mul(at(v, 3), mul(at(v, 4), at(v, 5)))));
  const factors = [1.5, -2, 0.5, 1.25, -0.75, 2];
  const orders = [1, 2, 2, 3, 3, 3];
  const values = [1.5, -1, -1, -1.875, -1.875, -1.875];
  const choose = (n: number, k: number): number => (k < 0 || k > n ? 0 : k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);

  test("products of t features: over the coalitions without it, a player gets H_t times its Shapley value", () =>
    withCleanDevice(async (device) => {
      const options = { device, sampling: "exhaustive", average: "excluded", steps: 8 } as const;
      const { attributions } = await shapleyIG(products, point(factors), options);
      const harmonic = [0, 1, 3 / 2, 11 / 6];
      expectNear(attributions.data, values.map((v, i) => (harmonic[orders[i]!]! * v) / orders[i]!)); // prettier-ignore
      const shapley = await exactShapley(products, point(factors), { device });
      expectNear(shapley.players.data, values.map((v, i) => v / orders[i]!)); // prettier-ignore
    }));

  test("products of t features: over all coalitions, the ratio is constant within an order, not across orders", () =>
    withCleanDevice(async (device) => {
      const n = 6;
      const { attributions } = await shapleyIG(products, point(factors), { device, sampling: "exhaustive", steps: 8 });
      // k of the other t - 1 factors among the s players of a coalition without the player: IG gives v / (t - k).
      const share = (t: number): number => {
        let result = 0;
        for (let s = 0; s < n; s++)
          for (let k = 0; k < t; k++) result += (choose(t - 1, k) * choose(n - t, s - k)) / choose(n, s) / (t - k) / n;
        return result;
      };
      expectNear(attributions.data, values.map((v, i) => v * share(orders[i]!))); // prettier-ignore
      expect(Math.abs(share(2) * 2 - share(1))).toBeGreaterThan(0.1);
    }));
});

describe("coalitions", () => {
  test("proportional: every player is in exactly s of the n coalitions of size s", () => {
    const masks = sampledCoalitions(7, { seed: 3 });
    expect(masks.count).toBe(1 + 6 * 7);
    for (let s = 1; s < 7; s++) {
      const own = masks.sizes.flatMap((size, row) => (size === s ? [row] : []));
      for (let i = 0; i < 7; i++) expect(own.filter((row) => has(masks, row, i))).toHaveLength(s);
    }
  });

  test("sizes have equal weights, whatever the sampling; coalitions have the size they say", () => {
    for (const sampling of SAMPLINGS) {
      const masks = sampledCoalitions(6, { sampling, perSize: 4 });
      for (let s = 0; s < 6; s++) {
        const own = masks.sizes.flatMap((size, row) => (size === s ? [row] : []));
        expect(total(own.map((row) => masks.weights[row]!))).toBeCloseTo(1 / 6, 12);
        for (const row of own) expect([0, 1, 2, 3, 4, 5].filter((i) => has(masks, row, i))).toHaveLength(s);
      }
    }
  });

  test("permutation: the coalitions of an order grow by one player each", () => {
    const masks = sampledCoalitions(5, { sampling: "permutation", perSize: 3 });
    const members = (row: number): number[] => [0, 1, 2, 3, 4].filter((i) => has(masks, row, i));
    const row = (size: number, k: number): number => (size === 0 ? 0 : 1 + (size - 1) * 3 + k);
    for (let k = 0; k < 3; k++)
      for (let s = 1; s < 5; s++) expect(members(row(s, k))).toEqual(expect.arrayContaining(members(row(s - 1, k))));
  });

  test("excluded: the weights of every player sum to 1, over the coalitions without it", () => {
    const masks = sampledCoalitions(6, { sampling: "uniform", perSize: 2, seed: 5 });
    const weights = playerWeights(masks, "excluded");
    for (let i = 0; i < 6; i++) {
      const own = Array.from({ length: masks.count }, (_, row) => weights[row * 6 + i]!);
      expect(total(own)).toBeCloseTo(1, 6);
      own.forEach((w, row) => expect(w > 0).toBe(!has(masks, row, i)));
    }
  });
});

describe("a network", () => {
  const x = drawArray([3, 5], 11, 2);
  const from = drawArray([3, 5], 12);
  const steps = 40;

  for (const kind of ["tanh", "relu"] as const)
    for (const sampling of ["proportional", "uniform", "permutation", "exhaustive"] as const)
      test(`${kind}, ${sampling}: sums over coalitions in double precision, and the identity`, () =>
        withCleanDevice(async (device) => {
          const net = new Mlp(kind, 5, 6, 3, 17);
          using on = net.on(device);
          const rule = kind === "tanh" ? "gauss-legendre" : "midpoint";
          const target = [0, 2, 1];
          const options = { baseline: from, target, sampling, perSize: 3, seed: 9, steps } as const;
          const result = await shapleyIG(on.model, x, options);
          expect(result.rule).toBe(rule);
          const masks = sampledCoalitions(5, options);
          expect(result.coalitions).toBe(masks.count);
          expect(result.evaluations).toBe(masks.count * steps);
          const { nodes, weights } = quadrature(rule, steps);
          const starts = rows(from);
          const truth = rows(x).map((to, b) => {
            const sums = to.map(() => 0);
            let mean = 0;
            for (let row = 0; row < masks.count; row++) {
              const start = to.map((v, i) => (has(masks, row, i) ? v : starts[b]![i]!));
              mean += masks.weights[row]! * net.logits(start)[target[b]!]!;
              const ig = integrate(net, scoreTruth.logit(target[b]!), to, start, nodes, weights);
              ig.forEach((v, i) => (sums[i]! += masks.weights[row]! * v));
            }
            return { sums, mean, score: net.logits(to)[target[b]!]! };
          });
          // A path that meets a kink at a node may fall on either side of it in single precision.
          expectNear(result.attributions.data, truth.flatMap(({ sums }) => sums), kind === "tanh" ? 1e-5 : 1e-3); // prettier-ignore
          expectNear(result.scores.baseline.data, truth.map(({ mean }) => mean)); // prettier-ignore
          expectNear(result.scores.input.data, truth.map(({ score }) => score)); // prettier-ignore
          const identity = rows(result.attributions).map((row, b) => total(row) - (truth[b]!.score - truth[b]!.mean));
          result.delta.data.forEach((d, b) => expect(Math.abs(d - identity[b]!)).toBeLessThan(1e-5));
          if (kind === "tanh") result.delta.data.forEach((d) => expect(Math.abs(d)).toBeLessThan(1e-5));
        }));

  test("one empty coalition is Integrated Gradients", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("relu", 5, 6, 3, 18).on(device);
      const options = { baseline: from, target: 1, steps } as const;
      const ig = await integratedGradients(on.model, x, options);
      const result = await shapleyIG(on.model, x, { ...options, sizes: [0] });
      expect(result.coalitions).toBe(1);
      expectNear(result.attributions.data, ig.attributions.data);
      expectNear(result.scores.baseline.data, ig.scores.baseline.data);
    }));

  test("all classes at once, the predicted class, examples one by one", () =>
    withCleanDevice(async (device) => {
      const net = new Mlp("tanh", 5, 6, 3, 19);
      using on = net.on(device);
      const common = { baseline: from, steps: 12 } as const;
      const all = await shapleyIG(on.model, x, { ...common, target: "all" });
      const predicted = await shapleyIG(on.model, x, common);
      expect(all.attributions.shape).toEqual([3, 3, 5]);
      expect(all.players.shape).toEqual([3, 3, 5]);
      for (let b = 0; b < 3; b++) {
        const own = (a: HostArray): HostArray => hostArray(a.data.slice(b * 5, (b + 1) * 5), [1, 5]);
        for (let k = 0; k < 3; k++) {
          const one = await shapleyIG(on.model, own(x), { ...common, baseline: own(from), target: k });
          const at = (k * 3 + b) * 5;
          expectNear(one.attributions.data, all.attributions.data.slice(at, at + 5));
          expect(Math.abs(one.scores.input.data[0]! - all.scores.input.data[k * 3 + b]!)).toBeLessThan(1e-5);
          if (predicted.targets!.data[b] === k)
            expectNear(one.attributions.data, predicted.attributions.data.slice(b * 5, b * 5 + 5));
        }
      }
    }));

  test("the same seed gives the same numbers, another one others", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("tanh", 5, 6, 3, 20).on(device);
      const run = async (seed: number) => (await shapleyIG(on.model, x, { target: 0, steps: 8, seed })).attributions;
      const [first, again, other] = [await run(1), await run(1), await run(2)];
      expect(first.data).toEqual(again.data);
      expect(Array.from(other.data)).not.toEqual(Array.from(first.data));
    }));

  test("chunks do not change the result, and one chunk is one submit and one readback", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("tanh", 5, 64, 3, 21).on(device);
      using wide = device.tensor(drawArray([5, 100], 22));
      using back = device.tensor(drawArray([100, 5], 23, 0.2));
      const model = (v: Value): Value => on.model(matmul(tanh(matmul(v, wide)), back));
      const options = { target: 0, steps: 200, baseline: from } as const;
      const before = { ...device.counters };
      const whole = await shapleyIG(model, x, options);
      expect(whole.plan.chunks).toBe(1);
      expect(device.counters.submits - before.submits).toBe(1);
      expect(device.counters.readbacks - before.readbacks).toBe(1);
      const done: number[] = [];
      // The smaller one cuts the steps of a coalition apart.
      for (const memoryBudget of [0.4 * whole.plan.bytes, 64 * 1024]) {
        const onProgress = (p: { done: number; total: number }): number => done.push(p.done / p.total);
        const cut = await shapleyIG(model, x, { ...options, memoryBudget, onProgress });
        expect(cut.plan.chunks).toBeGreaterThan(memoryBudget > 64 * 1024 ? 2 : 21);
        expect(cut.plan.bytes).toBeLessThanOrEqual(memoryBudget);
        expectNear(cut.attributions.data, whole.attributions.data, 1e-5);
        expectNear(cut.scores.baseline.data, whole.scores.baseline.data, 1e-5);
        expect(done.at(-1)).toBe(1);
        expect([...done]).toEqual(done.sort((a, b) => a - b));
        done.length = 0;
      }
    }));
});

describe("players", () => {
  test("more of them than a word has bits, as groups of two features, some always present", () =>
    withCleanDevice(async (device) => {
      const n = 41;
      const features = 2 * n + 3;
      const w = draw(features, 31, 2);
      const values = draw(features, 32, 2);
      // The last three belong to no player.
      const groups = Array.from({ length: features }, (_, i) => (i < 2 * n ? i % n : -1));
      using weights = device.tensor(w, [features, 1]);
      const model = (v: Value): Value => sum(tanh(matmul(v, weights)), 1);
      const linear = (v: Value): Value => sum(matmul(v, weights), 1);
      const sums = Array.from({ length: n }, (_, i) => w[i]! * values[i]! + w[i + n]! * values[i + n]!);
      const options = { groups, steps: 4, average: "excluded" } as const;
      const { attributions, players } = await shapleyIG(linear, point(values), options);
      expectNear(players.data, sums, 1e-4);
      expect(Array.from(attributions.data.slice(2 * n))).toEqual([0, 0, 0]);
      const fixed = total(values.slice(2 * n).map((v, i) => v * w[2 * n + i]!));
      const result = await shapleyIG(model, point(values), { groups, steps: 4, sizes: [0, 40] });
      // Size 0 is the fixed features alone; size 40 leaves one player out.
      const whole = total(sums) + fixed;
      const starts = sums.map((v) => Math.tanh(whole - v));
      expect(result.scores.baseline.data[0]).toBeCloseTo((Math.tanh(fixed) + total(starts) / n) / 2, 4);
    }));

  test("tokens: a layer, with the baseline given for it", () =>
    withCleanDevice(async (device) => {
      const [table, v] = [drawArray([7, 4], 41), drawArray([12, 2], 42)];
      using onDevice = device.tensor(table);
      using last = device.tensor(v);
      const ids = hostArray([1, 5, 2], [1, 3], "i32");
      const model = (tokens: Value, tap: Tap = (_, value) => value): Value => {
        const rows = tap("embedding", embedding(onDevice, tokens));
        return matmul(reshape(tanh(rows), [1, 12]), last);
      };
      const options = { device, layer: "embedding", baselineOf: "layer", target: 1, steps: 16 } as const;
      const groups = groupsAlong([3, 4], 0);
      const { players } = await shapleyIG(model, ids, { ...options, groups, average: "excluded" });
      // Additive in the tokens.
      const truth = [1, 5, 2].map((id, t) =>
        total(Array.from({ length: 4 }, (_, e) => Math.tanh(table.data[id * 4 + e]!) * v.data[(t * 4 + e) * 2 + 1]!)),
      );
      expect(players.shape).toEqual([1, 3]);
      expectNear(players.data, truth);
    }));

  test("several inputs by name: players count through them", () =>
    withCleanDevice(async (device) => {
      const f = ({ a, b }: Readonly<Record<string, Value>>): Value => add(sum(mul(a!, b!), 1), sum(b!, 1));
      const input = { a: point([2, 3]), b: point([5, -1]) };
      const result = await shapleyIG(f, input, { device, sampling: "exhaustive", average: "excluded", steps: 4 });
      // Products of two: 3/2 times half of 10 and of -3, and what b adds by itself.
      expectNear(result.attributions.a.data, [7.5, -2.25]);
      expectNear(result.attributions.b.data, [12.5, -3.25]);
      expectNear(result.players.data, [7.5, -2.25, 12.5, -3.25]);
    }));
});
