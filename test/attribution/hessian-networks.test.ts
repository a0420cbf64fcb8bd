// Integrated Hessians of every kind of network, input and score, against double precision with the same nodes.
import { describe, expect, test } from "vitest";
import {
  groupsAlong,
  hessianQuadrature,
  integratedHessians,
  type IntegratedHessiansOptions,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import {
  add,
  concat,
  embedding,
  index,
  matmul,
  mean,
  mul,
  reshape,
  sin,
  sliceAxis,
  softmax,
  sub,
  sum,
  transpose,
} from "../../src/kernels/index.ts";
import type { Tap } from "../../src/nn/model.ts";
import { ArgumentError, hostArray, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { bend, deepNet, hessianTruth, Weights, type ScoreOf } from "./hessian-truth.ts";
import { draw, drawArray, expectNear } from "./networks.ts";

const nodes = 3;
const rule = hessianQuadrature("gauss-legendre", nodes);
const last = (x: Value): Value => sum(x, -1);

interface Case {
  readonly shape: readonly number[];
  readonly score: (w: Weights) => ScoreOf;
  /** Forms that it has, each of which must agree. */
  readonly forms: readonly IntegratedHessiansOptions[];
  /** Whether asking for Gram matrices is refused. */
  readonly noGram?: boolean;
}

const gram = { form: "gram" } as const;
const hvp = { form: "hvp" } as const;
const residual =
  (w: Weights): ScoreOf =>
  (x) => {
    const first = add(matmul(bend(matmul(x, w.of(1, 4, 4))), w.of(2, 4, 4)), x);
    return last(add(bend(matmul(bend(first), w.of(3, 4, 2))), matmul(x, w.of(4, 4, 2))));
  };

const columns =
  (w: Weights): ScoreOf =>
  (x) =>
    sum(bend(matmul(w.of(1, 3, 4), bend(matmul(w.of(2, 4, 6), transpose(x))))), 0);

const cases: Readonly<Record<string, Case>> = {
  "skip connections": { shape: [2, 4], score: residual, forms: [gram, hvp] },
  "concatenated branches": {
    shape: [2, 4],
    score: (w) => (x) => {
      const branches = [bend(matmul(x, w.of(1, 4, 2))), bend(matmul(x, w.of(2, 4, 3))), x];
      return last(bend(matmul(concat(branches, 1), w.of(3, 9, 2))));
    },
    forms: [gram, hvp],
  },
  "narrow views of a wide input": {
    shape: [2, 9],
    score: (w) => (x) => {
      const pairs = bend(reshape(matmul(x, w.of(1, 9, 4)), [x.shape[0]!, 2, 2]));
      const flat = bend(matmul(bend(matmul(x, w.of(2, 9, 2))), w.of(3, 2, 2)));
      return add(last(flat), last(bend(matmul(reshape(pairs, [x.shape[0]!, 4]), w.of(4, 4, 2)))));
    },
    forms: [gram, hvp].flatMap((form) => [
      { ...form, tangents: "boundary" as const },
      { ...form, tangents: "rows" as const },
    ]),
  },
  "a product of two branches": {
    shape: [2, 4],
    score: (w) => (x) => last(mul(bend(matmul(x, w.of(1, 4, 3))), bend(matmul(x, w.of(2, 4, 3))))),
    forms: [{}],
    noGram: true,
  },
  "a matrix product of two branches": {
    shape: [2, 3, 2],
    score: (w) => (x) =>
      sum(matmul(matmul(x, w.of(1, 2, 3)), matmul(bend(x), w.of(2, 2, 3)), { transposeB: true }), [1, 2]),
    forms: [{}],
    noGram: true,
  },
  "softmax attention": {
    shape: [2, 3, 2],
    score: (w) => (x) => {
      const [q, k, v] = [1, 2, 3].map((seed) => matmul(x, w.of(seed, 2, 3)));
      const weights = softmax(mul(matmul(q!, k!, { transposeB: true }), 1.5));
      return last(bend(matmul(mean(matmul(weights, v!), 1), w.of(4, 3, 2))));
    },
    forms: [{}],
    noGram: true,
  },
  // Narrow first layers, which tempt to take their coordinates for tangents.
  "examples along the last axis": {
    shape: [3, 6],
    score: columns,
    forms: [{}],
    noGram: true,
  },
  "one example along the last axis": {
    shape: [1, 6],
    score: columns,
    forms: [
      { ...gram, tangents: "boundary" },
      { ...hvp, tangents: "boundary" },
      { ...gram, tangents: "rows" },
    ],
  },
  "as many heads as examples, in front of them": {
    shape: [3, 6],
    score: (w) => (x) => last(bend(matmul(sum(bend(matmul(x, w.of(1, 3, 6, 1))), 0), w.of(2, 1, 2)))),
    forms: [{}],
    noGram: true,
  },
  "an input that is ignored": {
    shape: [2, 4],
    score: (w) => (x) => last(bend(matmul(sliceAxis(x, 1, 1, 4), w.of(1, 3, 2)))),
    forms: [gram, hvp],
  },
};

describe("networks", () => {
  for (const [name, { shape, score, forms, noGram }] of Object.entries(cases)) {
    test(name, () =>
      withCleanDevice(async (device) => {
        using w = new Weights(device);
        const x = drawArray(shape, 10, 2);
        const from = draw(x.data.length / shape[0]!, 11);
        const truth = await hessianTruth(score(w), x, from, rule);
        const baseline = hostArray(from, shape.slice(1));
        for (const options of forms) {
          const result = await integratedHessians(score(w), x, { nodes, baseline, ...options });
          expect(result.plan).toMatchObject(options);
          if (noGram) expect(result.plan).toMatchObject({ form: "hvp", tangents: "rows" });
          expectNear(result.interactions.data, truth.matrix);
          expectNear(result.attributions.data, truth.attributions);
        }
        if (noGram) {
          const asked = integratedHessians(score(w), x, { nodes, baseline, ...gram });
          await expect(asked).rejects.toThrow(ArgumentError);
        }
      }),
    );
  }
});

describe("inputs", () => {
  test("several named ones stand side by side; whole numbers are no features", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const join = (u: Value, v: Value, t: Value): Value =>
        last(bend(add(add(matmul(u, w.of(2, 2, 3)), t), matmul(bend(reshape(v, [v.shape[0]!, -1])), w.of(3, 4, 3)))));
      const model = ({ u, ids, v }: Readonly<Record<string, Value>>): Value =>
        join(u!, v!, embedding(w.of(1, 4, 3), ids!));
      const [u, v, start] = [drawArray([2, 2], 21), drawArray([2, 2, 2], 22), draw(4, 23)];
      const ids = hostArray([3, 1], [2], "i32");
      const baseline = { u: 0.5, v: hostArray(start, [2, 2]) };
      const truths = [0, 1].map((b) => {
        const score = (z: Value): Value =>
          join(sliceAxis(z, 1, 0, 2), sliceAxis(z, 1, 2, 6), index(w.of(1, 4, 3), 0, ids.data[b]!));
        const x = [...u.data.slice(2 * b, 2 * b + 2), ...v.data.slice(4 * b, 4 * b + 4)];
        return hessianTruth(score, hostArray(x, [1, 6]), [0.5, 0.5, ...start], rule);
      });
      const matrices = (await Promise.all(truths)).map(({ matrix }) => matrix);
      const attributions = (await Promise.all(truths)).map((t) => t.attributions);
      const result = await integratedHessians(model, { u, ids, v }, { device, nodes, baseline });
      expect(result.interactions.shape).toEqual([2, 6, 6]);
      expect(result.features).toEqual([
        { name: "u", start: 0, shape: [2] },
        { name: "v", start: 2, shape: [2, 2] },
      ]);
      expectNear(result.interactions.data, matrices.flat());
      const given = result.attributions as unknown as Record<string, HostArray>;
      expect(Object.keys(given)).toEqual(["u", "v"]);
      expectNear(
        given["u"]!.data,
        attributions.flatMap((a) => a.slice(0, 2)),
      );
      expectNear(
        given["v"]!.data,
        attributions.flatMap((a) => a.slice(2)),
      );
    }));

  test("a layer, from a baseline of its own: tokens as groups", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const ids = hostArray([2, 0, 1, 1, 3, 2], [2, 3], "i32");
      const head = (e: Value): Value =>
        last(bend(matmul(bend(matmul(reshape(e, [e.shape[0]!, 6]), w.of(2, 6, 4))), w.of(3, 4, 2))));
      const model = (x: Value, tap?: Tap): Value => head(tap!("embedding", embedding(w.of(1, 4, 2), x)));
      const table = (await w.of(1, 4, 2).read()).data;
      const embedded = hostArray(
        Array.from(ids.data).flatMap((id) => [table[2 * id]!, table[2 * id + 1]!]),
        [2, 3, 2],
      );
      const mask = draw(6, 24);
      const truth = await hessianTruth(head, embedded, mask, rule);
      const options = { nodes, layer: "embedding", baselineOf: "layer", baseline: hostArray(mask, [3, 2]) } as const;
      const whole = await integratedHessians(model, ids, options);
      expect(whole.interactions.shape).toEqual([2, 6, 6]);
      expectNear(whole.interactions.data, truth.matrix);
      // Or from the embeddings of other tokens.
      const padding = Array.from({ length: 6 }, (_, i) => table[i % 2]!);
      const padded = await hessianTruth(head, embedded, padding, rule);
      const other = { nodes, layer: "embedding", baseline: hostArray([0, 0, 0], [3], "i32") };
      expectNear((await integratedHessians(model, ids, other)).interactions.data, padded.matrix);
      const tokens = await integratedHessians(model, ids, { ...options, groups: groupsAlong([3, 2], 0) });
      const sums = Array.from({ length: 18 }, (_, k) => {
        const [b, i, j] = [Math.floor(k / 9), Math.floor(k / 3) % 3, k % 3];
        const at = (p: number, q: number): number => truth.matrix[(b * 6 + 2 * i + p) * 6 + 2 * j + q]!;
        return at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1);
      });
      expectNear(tokens.interactions.data, sums);
    }));

  test("one of several that the score ignores has rows of zeros", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const model = ({ u }: Readonly<Record<string, Value>>): Value => last(bend(matmul(u!, w.of(2, 2, 3))));
      const [u, v] = [drawArray([2, 2], 21), drawArray([2, 1], 22)];
      const truth = await hessianTruth((z) => last(bend(matmul(z, w.of(2, 2, 3)))), u, [0, 0], rule);
      for (const options of [{}, gram, hvp]) {
        const { interactions } = await integratedHessians(model, { v, u }, { nodes, ...options });
        const expected = Array.from({ length: 18 }, (_, k) => {
          const [b, i, j] = [Math.floor(k / 9), Math.floor(k / 3) % 3, k % 3];
          return i === 0 || j === 0 ? 0 : truth.matrix[b * 4 + (i - 1) * 2 + j - 1]!;
        });
        expectNear(interactions.data, expected);
      }
    }));

  test("a result of shape [] makes the whole input one example", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const x = drawArray([2, 3], 25, 2);
      const model = (z: Value): Value => sum(bend(matmul(bend(matmul(z, w.of(1, 3, 2))), w.of(2, 2, 4))));
      const perRow = (z: Value): Value => sum(bend(matmul(bend(matmul(z, w.of(1, 3, 2))), w.of(2, 2, 4))), [1, 2]);
      const truth = await hessianTruth(perRow, hostArray(x.data, [1, 2, 3]), new Float32Array(6), rule);
      for (const options of [{}, gram, hvp]) {
        const result = await integratedHessians(model, x, { nodes, ...options });
        expect(result.interactions.shape).toEqual([6, 6]);
        expect(result.attributions.shape).toEqual([2, 3]);
        expect(result.residuals.shape).toEqual([6]);
        expect(result.delta.shape).toEqual([]);
        expectNear(result.interactions.data, truth.matrix);
      }
      const groups = await integratedHessians(model, x, { nodes, groups: groupsAlong([2, 3], 0) });
      expect(groups.interactions.shape).toEqual([2, 2]);
      const between = truth.matrix.filter((_, k) => Math.floor(k / 18) === 0 && k % 6 >= 3);
      expect(Math.abs(groups.interactions.data[1]! - between.reduce((s, v) => s + v, 0))).toBeLessThan(1e-5);
    }));

  test("at the baseline itself all is zero", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const x = drawArray([2, 4], 26);
      const { interactions, residuals, delta, symmetryError } = await integratedHessians(residual(w), x, {
        nodes,
        baseline: x,
      });
      expect([...interactions.data, ...residuals.data, ...delta.data].every((v) => v === 0)).toBe(true);
      expect(symmetryError).toBe(0);
    }));
});

describe("scores", () => {
  const x = drawArray([3, 4], 27, 2);
  const scores: Readonly<Record<string, [IntegratedHessiansOptions, ScoreOf]>> = {
    "a probability": [{ target: 2, score: "probability" }, (y) => index(softmax(y), 1, 2)],
    "a function of the output": [
      { target: (y) => sin(sub(index(y, 1, 0), index(y, 1, 2))) },
      (y) => sin(sub(index(y, 1, 0), index(y, 1, 2))),
    ],
  };
  for (const [name, [options, of]] of Object.entries(scores)) {
    test(name, () =>
      withCleanDevice(async (device) => {
        using w = new Weights(device);
        const net = deepNet(w, 4, 5);
        const truth = await hessianTruth((z) => of(net(z)), x, new Float32Array(4), rule);
        const result = await integratedHessians(net, x, { nodes, ...options });
        expectNear(result.interactions.data, truth.matrix);
      }),
    );
  }

  test("the predicted class of each example, or the classes that are given", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = deepNet(w, 4, 5);
      const byClass = await Promise.all(
        [0, 1, 2].map((k) => hessianTruth((z) => index(net(z), 1, k), x, new Float32Array(4), rule)),
      );
      for (const target of ["predicted", [2, 0, 1]] as const) {
        const { interactions, targets } = await integratedHessians(net, x, { nodes, target });
        if (target !== "predicted") expect([...targets!.data]).toEqual(target);
        const expected = Array.from(targets!.data).flatMap((k, b) => byClass[k]!.matrix.slice(16 * b, 16 * b + 16));
        expectNear(interactions.data, expected);
      }
    }));
});
