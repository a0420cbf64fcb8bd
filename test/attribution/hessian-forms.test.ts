// One definition, many ways to compute it: forms, chunks, baselines, rows and groups must give the same numbers.
import { describe, expect, test } from "vitest";
import {
  expectedHessians,
  gaussLegendre,
  hessianQuadrature,
  integratedHessians,
  patchGroups,
  productRule,
  quadrature,
  type IntegratedHessiansOptions,
  type Progress,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { avgPool2d, conv2d, index, matmul, reshape } from "../../src/kernels/index.ts";
import { hostArray, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { bend, deepNet, derivatives, hessianTruth, meanTruth, Weights } from "./hessian-truth.ts";
import { draw, drawArray, expectNear, rows } from "./networks.ts";

const nodes = 4;
const rule = hessianQuadrature("gauss-legendre", nodes);
const target = 1;

/** Weighted baselines for examples of `size` numbers. */
const baselines = (size: number) => [1, 2, 0.5].map((weight, i) => ({ baseline: drawArray([size], 20 + i), weight }));

/** [B N N] -> [B G G]: sums over the features of groups; -1 belongs to none. */
function summed(matrix: readonly number[], labels: ArrayLike<number>): number[] {
  const size = labels.length;
  const groups = Math.max(...Array.from(labels)) + 1;
  const sums = new Array<number>((matrix.length / size ** 2) * groups ** 2).fill(0);
  matrix.forEach((v, k) => {
    const [b, i, j] = [Math.floor(k / size ** 2), Math.floor(k / size) % size, k % size];
    if (labels[i]! >= 0 && labels[j]! >= 0) sums[(b * groups + labels[i]!) * groups + labels[j]!]! += v;
  });
  return sums;
}

/** Part of the rows of [B N N]. */
const chosenRows = (matrix: readonly number[], size: number, ids: readonly number[]): number[] =>
  Array.from({ length: matrix.length / size ** 2 }, (_, b) =>
    ids.flatMap((i) => matrix.slice((b * size + i) * size, (b * size + i + 1) * size)),
  ).flat();

describe("every form is the definition", () => {
  const [rowsOf, boundary] = [{ tangents: "rows" }, { tangents: "boundary" }] as const;
  const wide = { inputs: 7, hidden: 4 };
  const narrow = { inputs: 3, hidden: 5 };
  const cases: [{ inputs: number; hidden: number }, IntegratedHessiansOptions[]][] = [
    [
      wide,
      [
        { form: "hvp", ...rowsOf },
        { form: "hvp", ...boundary },
        { form: "gram", ...boundary },
        { form: "gram", ...rowsOf },
      ],
    ],
    [
      narrow,
      [
        { form: "hvp", ...rowsOf },
        { form: "gram", ...rowsOf },
        { form: "hvp", hoist: false },
        { form: "gram", hoist: false },
      ],
    ],
  ];
  for (const [size, each] of cases) {
    for (const [batch, count] of [
      [3, 3],
      [1, 1],
    ] as const) {
      test(`${size.inputs} inputs, ${size.hidden} units, ${batch} examples, ${count} baselines`, () =>
        withCleanDevice(async (device) => {
          using w = new Weights(device);
          const net = deepNet(w, size.inputs, size.hidden);
          const x = drawArray([batch, size.inputs], 10, 2);
          const baseline = baselines(size.inputs).slice(0, count);
          const truth = await meanTruth((z) => index(net(z), 1, target), x, baseline, rule);
          for (const options of each) {
            const result = await integratedHessians(net, x, { target, nodes, baseline, ...options });
            expect(result.plan).toMatchObject(options.hoist === false ? { form: options.form } : options);
            expect(result.interactions.shape).toEqual([batch, size.inputs, size.inputs]);
            expectNear(result.interactions.data, truth.matrix);
            expectNear(result.attributions.data, truth.attributions);
            expect(result.symmetryError).toBeLessThan(1e-5);
            expect(result.evaluations).toBe(nodes * count);
          }
        }));
    }
  }
});

test("whatever the budget, the numbers are the same: nodes, baselines and rows are cut", () =>
  withCleanDevice(async (device) => {
    using w = new Weights(device);
    const net = deepNet(w, 40, 48);
    const x = drawArray([2, 40], 11);
    const baseline = baselines(40);
    let progress: Progress | undefined;
    const onProgress = (p: Progress): void => void (progress = p);
    const run = (memoryBudget: number) =>
      integratedHessians(net, x, { target, nodes: 6, baseline, memoryBudget, onProgress }).catch((e: Error) => e);
    const whole = await run(2 ** 29);
    if (whole instanceof Error) throw whole;
    expect(whole.plan).toMatchObject({ chunks: 1, stepsPerChunk: 18, rowsPerRun: 40 });
    const { live } = device.memory;
    const seen = new Set<string>();
    for (let budget = whole.plan.bytes; ; budget /= 3) {
      device.resetPeak();
      const result = await run(budget);
      expect(device.memory.live).toBe(live);
      if (result instanceof Error) {
        expect(result.name).toBe("LimitError");
        break;
      }
      const { plan } = result;
      expect(plan.bytes).toBeLessThanOrEqual(budget);
      expect(device.memory.peak - live).toBeLessThan(2 * budget);
      expect(progress).toEqual({ done: 18 * Math.ceil(40 / plan.rowsPerRun), total: progress!.done });
      if (plan.chunks > 3) seen.add("nodes");
      if (plan.chunks > 1) seen.add("baselines");
      if (plan.rowsPerRun < 40) seen.add("rows");
      expectNear(result.interactions.data, whole.interactions.data);
      expectNear(result.attributions.data, whole.attributions.data);
      expectNear(result.scores.input.data, whole.scores.input.data);
      expectNear(result.scores.baseline.data, whole.scores.baseline.data);
      expect(result.residuals.shape).toEqual([2, 40]);
      expect(result.symmetryError).toBeLessThan(1e-5);
    }
    expect([...seen].sort()).toEqual(["baselines", "nodes", "rows"]);
  }));

describe("parts of the matrix", () => {
  const x = drawArray([3, 5], 12, 2);
  const from = draw(5, 13);
  const baseline = hostArray(from);

  test("rows, pairs and groups are those of the whole", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = deepNet(w, 5, 2);
      const run = (options: IntegratedHessiansOptions) =>
        integratedHessians(net, x, { target, nodes, baseline, ...options });
      const { matrix, attributions } = await hessianTruth((z) => index(net(z), 1, target), x, from, rule);

      for (const ids of [
        [3, 1],
        [4, 2, 0, 1, 3],
      ]) {
        const some = await run({ rows: ids });
        expect(some.interactions.shape).toEqual([3, ids.length, 5]);
        expectNear(some.interactions.data, chosenRows(matrix, 5, ids));
        const residuals = rows(some.interactions).flatMap((m, b) =>
          ids.map((i, t) => m.slice(t * 5, t * 5 + 5).reduce((s, v) => s + v, 0) - attributions[b * 5 + i]!),
        );
        const scale = Math.max(...matrix.map(Math.abs));
        some.residuals.data.forEach((r, k) => expect(Math.abs(r - residuals[k]!)).toBeLessThan(1e-5 * scale));
        expect(some.symmetryError).toBeLessThan(1e-5);
      }

      // In an order of their own, and naming every feature first.
      const pairs = [
        [4, 0],
        [2, 2],
        [0, 4],
        [1, 3],
        [3, 1],
        [1, 1],
      ] as const;
      const picked = await run({ pairs });
      expect(picked.interactions.shape).toEqual([3, 6]);
      expectNear(
        picked.interactions.data,
        [0, 1, 2].flatMap((b) => pairs.map(([i, j]) => matrix[(b * 5 + i) * 5 + j]!)),
      );

      const [gram, hvp, boundary] = [{ form: "gram" }, { form: "hvp" }, { tangents: "boundary" }] as const;
      const forms: [number[], IntegratedHessiansOptions[]][] = [
        [
          [0, 1, 0, 2, 1],
          [{ ...gram, tangents: "rows" }, hvp, { ...gram, ...boundary }, { ...hvp, ...boundary }],
        ],
        [
          [2, -1, 0, 1, 2],
          [
            { ...gram, ...boundary },
            { ...hvp, ...boundary },
            { ...hvp, tangents: "rows" },
          ],
        ],
        [[0, 0, 0, 0, 0], [{}]],
      ];
      for (const [groups, each] of forms) {
        for (const options of each) {
          const result = await run({ groups, ...options });
          const count = Math.max(...groups) + 1;
          expect(result.plan).toMatchObject(options);
          expect(result.interactions.shape).toEqual([3, count, count]);
          expectNear(result.interactions.data, summed(matrix, groups));
          expect(result.residuals.shape).toEqual([3, count]);
          expectNear(result.attributions.data, attributions);
          expect(result.symmetryError).toBeLessThan(1e-5);
        }
      }
      await expect(run({ groups: [0, -1, 0, 1, 0], form: "gram" })).rejects.toThrow(
        /form: .* cannot be summed as gram/,
      );
    }));

  test("delta is that of the whole matrix, or of the attributions where parts of it are missing", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = deepNet(w, 5, 2);
      const run = (options: IntegratedHessiansOptions) =>
        integratedHessians(net, x, { target, nodes: 2, baseline, ...options });
      // The calls share their programs and run at the same time.
      const [whole, some, groups] = await Promise.all([
        run({}),
        run({ rows: [1, 3] }),
        run({ groups: [0, 1, -1, 0, 1] }),
      ]);
      const change = whole.scores.input.data.map((v, b) => v - whole.scores.baseline.data[b]!);
      const total = (values: number[]): number => values.reduce((a, v) => a + v, 0);
      const deltas = (a: HostArray): number[] => rows(a).map((row, b) => total(row) - change[b]!);
      const scale = Math.max(...Array.from(change, Math.abs));
      const near = (given: HostArray, expected: number[]): void =>
        given.data.forEach((v, b) => expect(Math.abs(v - expected[b]!)).toBeLessThan(1e-5 * scale));
      near(whole.delta, deltas(whole.interactions));
      near(some.delta, deltas(whole.attributions));
      near(groups.delta, deltas(whole.attributions));
      expect(Math.abs(whole.delta.data[0]! - some.delta.data[0]!)).toBeGreaterThan(1e-4 * scale);
    }));

  test("a convolutional network by pixels and by patches", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = (z: Value): Value => {
        const maps = avgPool2d(bend(conv2d(z, w.of(31, 2, 1, 3, 3), { padding: 1 })), { kernel: 2 });
        return matmul(bend(matmul(reshape(maps, [z.shape[0]!, -1]), w.of(32, 8, 4))), w.of(33, 4, 3));
      };
      const picture = drawArray([2, 1, 4, 4], 14, 2);
      const two = hessianQuadrature("bins", 2);
      const { matrix } = await hessianTruth((z) => index(net(z), 1, target), picture, new Float32Array(16), two);
      const run = { target, points: two };
      for (const form of ["gram", "hvp"] as const) {
        const whole = await integratedHessians(net, picture, { ...run, form });
        expect(whole.interactions.shape).toEqual([2, 16, 16]);
        expectNear(whole.interactions.data, matrix);
      }
      const groups = patchGroups([1, 4, 4], 2);
      expectNear(
        (await integratedHessians(net, picture, { ...run, groups })).interactions.data,
        summed(matrix, groups),
      );
    }));
});

describe("points and references", () => {
  const x = drawArray([1, 4], 15, 2);
  const from = draw(4, 16);

  test("points of a two-dimensional rule give the double sum of the definition", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = deepNet(w, 4, 5);
      const [outer, inner] = [quadrature("right", 3), gaussLegendre(2)];
      const D = Array.from(x.data, (v, i) => v - from[i]!);
      const G = new Array<number>(16).fill(0);
      const IG = new Array<number>(4).fill(0);
      for (const [k, a] of outer.nodes.entries()) {
        const along = (u: number): number[] => D.map((d, i) => from[i]! + u * d);
        const points = [along(a), ...inner.nodes.map((b) => along(a * b))];
        const [here, ...each] = await derivatives((z) => index(net(z), 1, target), [4], points);
        D.forEach((d, i) => (IG[i]! += outer.weights[k]! * d * here!.gradient[i]!));
        each.forEach(({ gradient, hessian }, l) => {
          const weight = outer.weights[k]! * inner.weights[l]!;
          D.forEach((d, i) => {
            G[5 * i]! += weight * d * gradient[i]!;
            D.forEach((e, j) => (G[4 * i + j]! += weight * a * inner.nodes[l]! * d * e * hessian[i]![j]!));
          });
        });
      }
      const points = productRule(outer, inner);
      const result = await integratedHessians(net, x, { target, points, baseline: hostArray(from) });
      expectNear(result.interactions.data, G);
      expectNear(result.attributions.data, IG);
      expect(result).toMatchObject({ rule: "explicit", nodes: points.nodes.length });
    }));

  test("expected Hessians are the mean over references", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = deepNet(w, 4, 5);
      const references = drawArray([3, 4], 17);
      const each = rows(references).map((row) => ({ baseline: hostArray(row), weight: 1 }));
      const truth = await meanTruth((z) => index(net(z), 1, target), x, each, rule);
      const result = await expectedHessians(net, x, { target, nodes, references });
      expectNear(result.interactions.data, truth.matrix);
      expectNear(result.attributions.data, truth.attributions);
      expect(result.evaluations).toBe(3 * nodes);
      // One of them: whichever it is, its matrix is that of this baseline alone.
      const one = await expectedHessians(net, x, { target, nodes, references, samples: 1, seed: 5 });
      const alone = await Promise.all(
        rows(references).map((row) => hessianTruth((z) => index(net(z), 1, target), x, row, rule)),
      );
      const distances = alone.map(({ matrix }) =>
        Math.max(...matrix.map((v, i) => Math.abs(v - one.interactions.data[i]!))),
      );
      expect(Math.min(...distances)).toBeLessThan(1e-5 * Math.max(...truth.matrix.map(Math.abs)));
      expect(one.evaluations).toBe(nodes);
    }));
});
