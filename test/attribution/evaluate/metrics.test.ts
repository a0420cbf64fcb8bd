// Metrics of attributions, each against a closed form or plain loops in double precision.
import { describe, expect, test } from "vitest";
import {
  ablation,
  boxRegions,
  boxShare,
  completeness,
  deletion,
  gini,
  infidelity,
  informationCurve,
  insertion,
  localisationAUC,
  maxSensitivity,
  pointingGame,
  sensitivityN,
} from "../../../src/attribution/evaluate/index.ts";
import { informationCurveOf } from "../../../src/attribution/evaluate/information.ts";
import { integratedGradients } from "../../../src/attribution/index.ts";
import type { Value } from "../../../src/graph/node.ts";
import { index, matmul, mul, relu, sum } from "../../../src/kernels/index.ts";
import { ArgumentError, hostArray, ShapeError, type HostArray } from "../../../src/tensor/index.ts";
import { withCleanDevice } from "../../gpu.ts";
import { draw, drawArray, expectNear, Mlp, rows, scoreTruth } from "../networks.ts";

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
const descending = (values: readonly number[]): number[] =>
  values.map((_, i) => i).sort((i, j) => values[j]! - values[i]!);

/** Mean height by trapezia, spelled out. */
function area(x: readonly number[], y: readonly number[]): number {
  let sum = 0;
  for (let i = 1; i < x.length; i++) sum += (x[i]! - x[i - 1]!) * 0.5 * (y[i]! + y[i - 1]!);
  return sum / (x[x.length - 1]! - x[0]!);
}

describe("insertion, deletion, ablation", () => {
  const net = new Mlp("relu", 6, 8, 3, 71);
  const [input, from] = [drawArray([3, 6], 72, 2), drawArray([3, 6], 73)];
  const attributions = drawArray([3, 6], 74);
  const targets = [2, 0, 1];
  const probability = (b: number, z: readonly number[]): number =>
    scoreTruth.probability(targets[b]!).value(net.logits(z));

  for (const order of ["signed", "magnitude"] as const)
    for (const [name, metric] of Object.entries({ insertion, deletion }))
      test(`${name}, ${order}: stage by stage in double precision`, () =>
        withCleanDevice(async (device) => {
          using on = net.on(device);
          const fractions = [0, 1 / 6, 1 / 3, 0.5, 5 / 6, 1];
          const subject = { model: on.model, input, attributions, targets };
          const result = await metric(subject, { baseline: from, fractions, order });
          expect(result.scores.shape).toEqual([6, 3]);
          expect(result.plan.submits).toBe(1);
          rows(input).forEach((x, b) => {
            const own = rows(attributions)[b]!.map((v) => (order === "signed" ? v : Math.abs(v)));
            const first = descending(own);
            const truth = [0, 1, 2, 3, 5, 6].map((count) => {
              const touched = new Set(first.slice(0, count));
              const keeps = (i: number): boolean => touched.has(i) === (name === "insertion");
              const z = x.map((v, i) => (keeps(i) ? v : rows(from)[b]![i]!));
              const logits = net.logits(z);
              return { score: probability(b, z), predicted: logits.indexOf(Math.max(...logits)) };
            });
            expectNear(truth.map((_, s) => result.scores.data[s * 3 + b]!), truth.map(({ score }) => score), 1e-4); // prettier-ignore
            truth.forEach(({ predicted }, s) => expect(result.predicted!.data[s * 3 + b]).toBe(predicted));
            expect(result.values[b]).toBeCloseTo(area(fractions, truth.map(({ score }) => score)), 4); // prettier-ignore
          });
        }));

  test("a linear model: closed forms, and the best order is that of the contributions", () =>
    withCleanDevice(async (device) => {
      const x = [3, -1, 2, 0.5];
      const f = (v: Value): Value => sum(v, 1);
      const subject = { model: f, input: hostArray(x, [1, 4]), attributions: hostArray(x, [1, 4]) };
      const fractions = [0, 0.25, 0.5, 0.75, 1];
      const down = await deletion(subject, { device, fractions });
      expectNear(down.scores.data, [4.5, 1.5, -0.5, -1, 0]);
      const up = await insertion(subject, { device, fractions });
      expectNear(up.scores.data, [0, 3, 5, 5.5, 4.5]);
      // Both orders are the same: the curves add up to f(x).
      expect(up.values[0]! + down.values[0]!).toBeCloseTo(4.5, 5);
      const top = await ablation(subject, { device, count: 2 });
      expect(top.values[0]).toBeCloseTo(5, 5);
      const others = [[1, 2, 3, 4], [4, 3, 2, 1], [0, 1, 0, 2]]; // prettier-ignore
      for (const attribution of others) {
        const other = await deletion(
          { ...subject, attributions: hostArray(attribution, [1, 4]) },
          { device, fractions },
        );
        expect(other.values[0]).toBeGreaterThan(down.values[0]!);
      }
    }));

  test("pixels of a picture go with all their channels; groups go together; -1 stays", () =>
    withCleanDevice(async (device) => {
      const picture = drawArray([2, 2, 2, 2], 75);
      const map = drawArray([2, 2, 2, 2], 76);
      const f = (v: Value): Value => sum(mul(v, v), [1, 2, 3]);
      const subject = { model: f, input: picture, attributions: map };
      const energy = (b: number, pixel: number): number =>
        [0, 1].reduce((s, c) => s + picture.data[b * 8 + c * 4 + pixel]! ** 2, 0);
      const strength = (b: number, pixel: number): number =>
        [0, 1].reduce((s, c) => s + map.data[b * 8 + c * 4 + pixel]!, 0);
      const result = await deletion(subject, { device, fractions: [0, 0.25, 0.5, 0.75, 1] });
      for (const b of [0, 1]) {
        const first = descending([0, 1, 2, 3].map((p) => strength(b, p)));
        const truth = [0, 1, 2, 3, 4].map((k) => total(first.slice(k).map((p) => energy(b, p))));
        expectNear(truth.map((_, s) => result.scores.data[s * 2 + b]!), truth, 1e-4); // prettier-ignore
      }
      // Left and right column; the lower right pixel belongs to nobody.
      const groups = [0, 1, 0, -1, 0, 1, 0, -1];
      const grouped = await deletion(subject, { device, groups, fractions: [0, 1] });
      const down = await insertion(subject, { device, groups, fractions: [0, 1] });
      for (const b of [0, 1]) {
        expect(grouped.scores.data[2 + b]).toBeCloseTo(energy(b, 3), 5);
        expect(down.scores.data[b]).toBeCloseTo(energy(b, 3), 5);
        expect(down.scores.data[2 + b]).toBeCloseTo(total([0, 1, 2, 3].map((p) => energy(b, p))), 4);
      }
    }));

  test("chunks do not change the scores", () =>
    withCleanDevice(async (device) => {
      using wide = device.tensor(drawArray([6, 300], 77));
      using back = device.tensor(drawArray([300, 3], 78));
      const model = (v: Value): Value => matmul(relu(matmul(v, wide)), back);
      const subject = { model, input, attributions, targets };
      const whole = await deletion(subject, {});
      const cut = await deletion(subject, { memoryBudget: whole.plan.bytes / 3 });
      expect(cut.plan.chunks).toBeGreaterThan(2);
      expectNear(cut.scores.data, whole.scores.data);
      expect(cut.predicted!.data).toEqual(whole.predicted!.data);
    }));
});

describe("faithfulness", () => {
  const doubled = (x: Value): Value => sum(mul(x, 2), 1);
  const net = new Mlp("tanh", 5, 6, 3, 81);
  const [input, from] = [drawArray([2, 5], 82, 2), drawArray([2, 5], 83)];

  test("completeness is |delta| of Integrated Gradients", () =>
    withCleanDevice(async (device) => {
      using on = net.on(device);
      const ig = await integratedGradients(on.model, input, { baseline: from, target: 1, rule: "left", steps: 3 });
      const subject = { model: on.model, input, attributions: ig.attributions, targets: [1, 1] };
      const { values, relative } = await completeness(subject, { baseline: from });
      expectNear(values, ig.delta.data.map(Math.abs), 1e-4);
      const change = rows(input).map((x, b) => net.logits(x)[1]! - net.logits(rows(from)[b]!)[1]!);
      expectNear(relative, ig.delta.data.map((d, b) => Math.abs(d / change[b]!)), 1e-3); // prettier-ignore
    }));

  test("a linear model explained by its contributions: no infidelity, perfect correlation; the wrong sign: the worst", () =>
    withCleanDevice(async (device) => {
      const x = hostArray(draw(12, 84), [2, 6]);
      const f = doubled;
      const right = hostArray(Array.from(x.data, (v) => 2 * v), [2, 6]); // prettier-ignore
      const wrong = hostArray(Array.from(x.data, (v) => -2 * v), [2, 6]); // prettier-ignore
      const gradient = hostArray(Array(12).fill(2), [2, 6]);
      const subject = { model: f, input: x, attributions: right };
      for (const [attributions, options] of [
        [right, {}],
        [gradient, { multiplied: false }],
        [right, { perturbation: "noise" }],
        [gradient, { perturbation: "noise", multiplied: false }],
        [wrong, { scaled: true }],
      ] as const) {
        const { values } = await infidelity({ ...subject, attributions }, { device, ...options });
        expect(Math.max(...values)).toBeLessThan(1e-9);
      }
      const bad = await infidelity({ ...subject, attributions: wrong }, { device, samples: 4000 });
      // Sets of chance 1/2: E (2 sum over S)^2 = 4 ((sum/2)^2 + sum of squares / 4), of contributions.
      rows(right).forEach((c, b) => {
        const expected = 4 * ((total(c) / 2) ** 2 + total(c.map((v) => v * v)) / 4);
        expect(bad.values[b]! / expected).toBeGreaterThan(0.9);
        expect(bad.values[b]! / expected).toBeLessThan(1.1);
      });
      const good = await sensitivityN(subject, { device, sizes: [1, 2, 4], subsets: 20 });
      expectNear(good.correlations.data, Array(6).fill(1), 1e-5);
      const worst = await sensitivityN({ ...subject, attributions: wrong }, { device, sizes: [1, 2, 4], subsets: 20 });
      expectNear(worst.values, [-1, -1], 1e-5);
    }));

  test("noise: E (I . (phi - g))^2 = sigma^2 |phi - g|^2 for a linear model", () =>
    withCleanDevice(async (device) => {
      const x = hostArray(draw(6, 85), [1, 6]);
      const attributions = hostArray([2, 2, 3, 2, 1, 4], [1, 6]);
      const subject = { model: doubled, input: x, attributions };
      const { values } = await infidelity(subject, { device, perturbation: "noise", sigma: 0.5, samples: 3000, multiplied: false }); // prettier-ignore
      expect(values[0]! / (0.25 * 6)).toBeGreaterThan(0.9);
      expect(values[0]! / (0.25 * 6)).toBeLessThan(1.1);
    }));

  test("all sets of one player: sensitivity-1 is the correlation with the drop of each player", () =>
    withCleanDevice(async (device) => {
      using on = net.on(device);
      const attributions = drawArray([2, 5], 86);
      const subject = { model: on.model, input, attributions, targets: [0, 2] };
      const { values } = await sensitivityN(subject, { baseline: from, sizes: [1], subsets: 4000 });
      rows(input).forEach((x, b) => {
        const drops = x.map((_, i) => {
          const k = [0, 2][b]!;
          return net.logits(x)[k]! - net.logits(x.map((v, j) => (j === i ? rows(from)[b]![j]! : v)))[k]!;
        });
        const phi = rows(attributions)[b]!;
        const centred = (v: readonly number[]): number[] => v.map((a) => a - total(v) / v.length);
        const [u, w] = [centred(phi), centred(drops)];
        const dot = (p: readonly number[], q: readonly number[]): number => total(p.map((v, i) => v * q[i]!));
        expect(values[b]).toBeCloseTo(dot(u, w) / Math.sqrt(dot(u, u) * dot(w, w)), 1);
      });
    }));
});

describe("localisation and sparsity", () => {
  const map = hostArray([0, 1, 2, 5, -4, 3, 0, 0, 1, 1, 1, 1, 9, 0, 0, 0, 0, 0], [2, 3, 3]);
  const boxes = [[{ x: 0, y: 1, width: 2, height: 2 }], [{ x: 1, y: 1, width: 1, height: 1 }]];
  const regions = boxRegions(boxes, 3, 3);

  test("regions of boxes", () => {
    expect(Array.from(regions.data)).toEqual([0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    expect(() => boxRegions([[{ x: 2, y: 0, width: 2, height: 1 }]], 3, 3)).toThrow(/2 x 1 at 2, 0.*3 x 3/);
    expect(() => boxRegions([[]], 3, 3)).toThrow(ArgumentError);
  });

  test("pointing game, with and without tolerance", () => {
    expect(Array.from(pointingGame({ attributions: map }, { regions }).values)).toEqual([1, 0]);
    // In the second picture the maximum is one pixel to the left of the box.
    expect(Array.from(pointingGame({ attributions: map }, { regions, tolerance: 1 }).values)).toEqual([1, 1]);
  });

  test("share of a box", () => {
    expectNear(boxShare({ attributions: map }, { regions }).values, [5 / 12, 0]);
    expectNear(boxShare({ attributions: map }, { regions, part: "magnitude" }).values, [9 / 16, 0]);
  });

  test("localisation AUC counts pairs of pixels", () => {
    const truth = [0, 1].map((b) => {
      let [score, pairs] = [0, 0];
      for (let i = 0; i < 9; i++)
        for (let j = 0; j < 9; j++) {
          if (!regions.data[b * 9 + i] || regions.data[b * 9 + j]) continue;
          pairs++;
          score +=
            map.data[b * 9 + i]! > map.data[b * 9 + j]! ? 1 : map.data[b * 9 + i] === map.data[b * 9 + j] ? 0.5 : 0;
        }
      return score / pairs;
    });
    expectNear(localisationAUC({ attributions: map }, { regions }).values, truth);
  });

  test("channels are summed; regions must fit and not be empty", () => {
    const channels = hostArray([1, 0, 0, -5, 0, 2, 0, 6], [1, 2, 2, 2]);
    const corner = boxRegions([[{ x: 1, y: 1, width: 1, height: 1 }]], 2, 2);
    expectNear(boxShare({ attributions: channels }, { regions: corner }).values, [1 / 4]);
    expect(() => boxShare({ attributions: channels }, { regions })).toThrow(ShapeError);
    const empty = hostArray([0, 0, 0, 0], [1, 2, 2]);
    expect(() => pointingGame({ attributions: channels }, { regions: empty })).toThrow(/example 0 is empty/);
  });

  test("gini: 0 for equal magnitudes, 1 - 1/N for one alone, mean difference over twice the mean in between", () => {
    const attributions = hostArray([2, -2, 2, 2, 0, 0, -7, 0, 1, 2, -3, 4], [3, 4]);
    const mean = 2.5;
    const differences = [1, 2, 3, 4].flatMap((a) => [1, 2, 3, 4].map((b) => Math.abs(a - b)));
    expectNear(gini({ attributions }).values, [0, 3 / 4, total(differences) / 16 / (2 * mean)]);
  });
});

describe("max-sensitivity", () => {
  test("of attributions that move with the input: the largest relative distance, within its bound", async () => {
    const input = hostArray([1, 2, 2, 0, 3, 4], [2, 3]);
    const seen: number[][] = [];
    const explain = (x: HostArray, examples: readonly number[]): Promise<HostArray> => {
      examples.forEach((b, k) => seen.push(rows(x)[k]!.map((v, i) => v - rows(input)[b]![i]!)));
      return Promise.resolve(x);
    };
    const { values } = await maxSensitivity({ input, attributions: input, explain }, { radius: 0.1, samples: 25 });
    const norms = [3, 5];
    [0, 1].forEach((b) => {
      const own = seen.filter((_, k) => k % 2 === b).map((d) => Math.hypot(...d));
      expect(own).toHaveLength(25);
      expect(values[b]).toBeCloseTo(Math.max(...own) / norms[b]!, 5);
      expect(values[b]! * norms[b]!).toBeLessThan(0.1 * Math.sqrt(3) + 1e-6);
    });
    expect(Math.max(...seen.flat().map(Math.abs))).toBeGreaterThan(0.08);
    const constant = await maxSensitivity({ input, attributions: input, explain: (_, b) => Promise.resolve(hostArray(b.flatMap((e) => rows(input)[e]!), [b.length, 3])) }); // prettier-ignore
    expect(Array.from(constant.values)).toEqual([0, 0]);
  });
});

describe("information curves", () => {
  test("from sizes and scores: scaled, sorted, never falling", () => {
    const grid = [0, 0.25, 0.5, 0.75, 1];
    // Information 0, 0.5, 0.25, 1 and performance 0, 0.5, 0.75, 1.
    const sizes = [100, 200, 150, 300];
    expectNear(informationCurveOf(sizes, [0.2, 0.5, 0.65, 0.8], true, grid), [0, 0.75, 0.75, 0.875, 1]);
    // Not scaled: the class is right from the second picture on.
    expectNear(informationCurveOf(sizes, [0, 1, 0, 1], false, grid), [0, 0, 1, 1, 1]);
    expect(informationCurveOf(sizes, [0.5, 0.6, 0.4, 0.5], true, grid).some(Number.isNaN)).toBe(true);
    // A picture that holds no more than its blurred version has no curve, scaled or not.
    for (const scaled of [true, false])
      expect(informationCurveOf([100, 100, 90], [0, 0.5, 1], scaled, grid)).toEqual(grid.map(() => NaN));
  });

  test("of a picture: with a compressor that counts pixels unlike the blurred ones", () =>
    withCleanDevice(async (device) => {
      // The score is the first pixel, which the first map shows first, the second one last.
      const input = hostArray([1, 0.25, 0.5, 0.75, 1, 0.25, 0.5, 0.75], [2, 1, 2, 2]);
      const attributions = hostArray([4, 3, 2, 1, 1, 2, 3, 4], [2, 1, 2, 2]);
      const f = (v: Value): Value => index(index(index(v, 1, 0), 1, 0), 1, 0);
      const compressor = {
        name: "unlike",
        size: (bytes: Uint8Array) => bytes.reduce((n, v) => n + (v === 0 ? 0 : 1), 10),
      };
      const options = { device, compressor, baseline: 0, fractions: [0, 0.25, 0.5, 0.75, 1] };
      const result = await informationCurve({ model: f, input, attributions }, options);
      expect([result.compressor, result.measure]).toEqual(["unlike", "probability"]);
      // From information 1/4 on: 1/8 + 3/4. From 3/4 to 1 only: 1/8.
      expectNear(result.values, [0.875, 0.125], 1e-2);
      expect(result.curves.shape).toEqual([2, 101]);
    }));

  test("from an insertion: the same curves, and the model is not asked again", () =>
    withCleanDevice(async (device) => {
      const net = new Mlp("relu", 4, 6, 3, 91);
      using on = net.on(device);
      const model = (v: Value): Value => on.model(sum(v, [2, 3]));
      const subject = { model, input: drawArray([3, 4, 1, 2], 92, 2), attributions: drawArray([3, 4, 1, 2], 93) };
      const shared = { baseline: 0, fractions: [0, 0.5, 1] };
      const inserted = await insertion(subject, shared);
      const compressor = { name: "count", size: (bytes: Uint8Array) => bytes.filter((v) => v !== 128).length };
      for (const measure of ["probability", "accuracy"] as const) {
        const options = { ...shared, compressor, range: [-4, 4], measure } as const;
        const own = await informationCurve(subject, options);
        const before = device.counters.submits;
        const again = await informationCurve(subject, { ...options, inserted });
        expect(again).toEqual(own);
        expect(device.counters.submits).toBeLessThanOrEqual(before + 1); // one copy of the pictures back to the host
      }
      const some = await insertion(subject, { ...shared, fractions: [0.5, 1] });
      const wrong = informationCurve(subject, { compressor, baseline: 0, inserted: some });
      await expect(wrong).rejects.toThrow("inserted: expected fractions from 0 to 1, got 0.5, 1");
    }));

  test("accuracy: 1 where the class is right", () =>
    withCleanDevice(async (device) => {
      const net = new Mlp("relu", 4, 6, 3, 91);
      using on = net.on(device);
      const model = (v: Value): Value => on.model(sum(v, [2, 3]));
      const input = drawArray([3, 4, 1, 2], 92, 2);
      const attributions = drawArray([3, 4, 1, 2], 93);
      const compressor = { name: "count", size: (bytes: Uint8Array) => bytes.filter((v) => v !== 128).length };
      const options = { compressor, baseline: 0, range: [-4, 4], fractions: [0, 0.5, 1], measure: "accuracy" } as const;
      const { curves } = await informationCurve({ model, input, attributions }, options);
      rows(curves).forEach((row) => {
        // Whole pictures get the class that they are given.
        expect(row.at(-1)).toBe(1);
        expect(row).toEqual([...row].sort((a, b) => a - b));
      });
      await expect(informationCurve({ model: (v: Value) => sum(v, [1, 2, 3]), input, attributions }, { ...options, device })).rejects.toThrow(/accuracy needs/); // prettier-ignore
    }));
});

describe("what is refused", () => {
  const input = drawArray([2, 4], 95);
  const f = (v: Value): Value => sum(v, 1);
  const subject = { model: f, input, attributions: input };
  const cases: Readonly<Record<string, [(device: { device: never }) => Promise<unknown>, RegExp]>> = {
    "fractions that fall": [(d) => deletion(subject, { ...d, fractions: [0, 0.5, 0.4] }), /fractions.*0, 0.5, 0.4/],
    "one fraction": [(d) => insertion(subject, { ...d, fractions: [0] }), /fractions.*two/],
    "a fraction above 1": [(d) => insertion(subject, { ...d, fractions: [0, 2] }), /fractions.*0, 2/],
    "another order": [(d) => deletion(subject, { ...d, order: "random" as "signed" }), /order.*"random"/],
    "attributions of another shape": [(d) => deletion({ ...subject, attributions: drawArray([2, 3], 1) }, d), /attributions.*\[2, 4\].*\[2, 3\]/], // prettier-ignore
    "too many players": [(d) => ablation(subject, { ...d, count: 5 }), /count.*1 to 4.*5/],
    "sets as large as the game": [(d) => sensitivityN(subject, { ...d, sizes: [4] }), /sizes.*1 to 3, got 4/],
    "two sets": [(d) => sensitivityN(subject, { ...d, subsets: 2 }), /subsets.*>= 3/],
    "no samples": [(d) => infidelity(subject, { ...d, samples: 0 }), /samples.*>= 1/],
    "no noise": [(d) => infidelity(subject, { ...d, sigma: 0 }), /sigma.*> 0/],
    "another perturbation": [
      (d) => infidelity(subject, { ...d, perturbation: "salt" as "noise" }),
      /perturbation.*"salt"/,
    ],
    "features as a picture": [(d) => informationCurve(subject, { ...d, compressor: { name: "", size: () => 1 } }), /\[B, C, H, W\].*\[2, 4\]/], // prettier-ignore
  };
  for (const [what, [call, message]] of Object.entries(cases))
    test(what, () =>
      withCleanDevice(async (device) => {
        await expect(call({ device } as unknown as { device: never })).rejects.toThrow(message);
      }),
    );

  test("all classes at once", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("relu", 4, 5, 3, 96).on(device);
      await expect(deletion({ ...subject, model: on.model }, { target: "all" })).rejects.toThrow(/one class/);
    }));
});
