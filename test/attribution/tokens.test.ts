// Tokens: sums over the embedding, baselines, and interactions against closed forms.
import { describe, expect, test } from "vitest";
import {
  assertTokenIds,
  embeddingBaseline,
  integratedGradients,
  integratedHessians,
  padTokens,
  tokenAttributions,
  tokenGroups,
  tokenInteractions,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, embedding, gelu, index, matmul, mul, square, sum } from "../../src/kernels/index.ts";
import * as nn from "../../src/nn/index.ts";
import type { Tap } from "../../src/nn/model.ts";
import { ArgumentError, hostArray, ShapeError, type Device } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { random } from "../kernels/run.ts";

const TABLE = [0.5, -1, 2, 0.25, -0.75, 1.5]; // [3, 2]
const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
const rowSum = (id: number): number => TABLE[2 * id]! + TABLE[2 * id + 1]!;

/** s1 s2 + s3^2 with s_t the sum of the embedding of token t. */
function products(device: Device) {
  const table = device.tensor(TABLE, [3, 2]);
  const model = (ids: Value, tap: Tap = (_, value) => value): Value => {
    const s = sum(tap("embedding", embedding(table, ids)), 2);
    const [a, b, c] = [0, 1, 2].map((t) => index(s, 1, t)) as [Value, Value, Value];
    return add(mul(a, b), square(c));
  };
  return { model, table, [Symbol.dispose]: () => table.dispose() };
}

describe("helpers", () => {
  test("attributions of tokens are sums over the last axis", () => {
    const result = { attributions: hostArray([1, 2, 3, 4, 5, 6, -7, 8], [1, 4, 2]) };
    const { shape, data } = tokenAttributions(result);
    expect(shape).toEqual([1, 4]);
    expect([...data]).toEqual([3, 7, 11, 1]);
    expect(tokenAttributions(hostArray(new Float32Array(24), [2, 3, 2, 2])).shape).toEqual([2, 3, 2]);
    expect(() => tokenAttributions(hostArray([1, 2]))).toThrow(ShapeError);
    expect([...tokenGroups(3, 2)]).toEqual([0, 0, 1, 1, 2, 2]);
  });

  test("texts of different lengths are filled up", () => {
    const { ids, lengths } = padTokens([[5, 6], [7], []], 9, 3);
    expect([...ids.data]).toEqual([5, 6, 9, 7, 9, 9, 9, 9, 9]);
    expect([ids.shape, ids.dtype, [...lengths.data]]).toEqual([[3, 3], "i32", [2, 1, 0]]);
    expect(padTokens([[1], [2, 3]], 0).ids.shape).toEqual([2, 2]);
    expect(() => padTokens([], 0)).toThrow(ArgumentError);
    expect(() => padTokens([[1, 2, 3]], 0, 2)).toThrow(/at least 3, got 2/);
    expect(() => padTokens([1, 2] as never, 0)).toThrow(/text 0 is 1; expected a list of ids for each text/);
    expect(() => padTokens([[1], null] as never, 0)).toThrow(/text 1 is null; expected a list of ids/);
    expect(() => padTokens([[1], [2, -3]], 0)).toThrow(/text 1: token 1 is -3/);
    expect(() => padTokens([[1.5]], 0)).toThrow(ArgumentError);
  });

  test("ids outside the vocabulary are named", () => {
    expect(() => assertTokenIds([0, 2], 3)).not.toThrow();
    expect(() => assertTokenIds([0, 3], 3)).toThrow("element 1 is 3; the vocabulary has ids 0 to 2");
    expect(() => assertTokenIds([-1], 3)).toThrow(ArgumentError);
  });

  test("baselines repeat a row over all tokens", async () => {
    const table = hostArray(TABLE, [3, 2]);
    const like = hostArray(new Float32Array(8), [2, 2, 2]);
    const made = async (kind: "zero" | "mean" | number) => [...(await embeddingBaseline(table, kind))(like, "e").data];
    expect(await made("zero")).toEqual(new Array(8).fill(0));
    expect(await made(2)).toEqual([-0.75, 1.5, -0.75, 1.5, -0.75, 1.5, -0.75, 1.5]);
    const mean = [(0.5 + 2 - 0.75) / 3, (-1 + 0.25 + 1.5) / 3];
    (await made("mean")).forEach((v, i) => expect(v).toBeCloseTo(mean[i % 2]!, 6));
    await expect(embeddingBaseline(table, 3)).rejects.toThrow(/ids 0 to 2/);
    await expect(embeddingBaseline(table, "mask" as "mean")).rejects.toThrow(ArgumentError);
    await expect(embeddingBaseline(hostArray([1, 2]), "mean")).rejects.toThrow(ShapeError);
    await expect(embeddingBaseline((v: Value) => v, "mean")).rejects.toThrow(/give the table/);
    const recipe = await embeddingBaseline(table, "mean");
    expect(() => recipe(hostArray(new Float32Array(6), [1, 2, 3]), "e")).toThrow(ShapeError);
  });
});

describe("interactions of tokens", () => {
  const ids = hostArray([2, 0, 1, 1, 1, 0], [2, 3], "i32");

  test("of products: a quarter of s1 s2 in each of four places, the square alone", () =>
    withCleanDevice(async (device) => {
      using net = products(device);
      const result = await tokenInteractions(net.model, ids);
      expect(result.interactions.shape).toEqual([2, 3, 3]);
      expect(result.attributions.shape).toEqual([2, 3]);
      [0, 1].forEach((b) => {
        const [s1, s2, s3] = [0, 1, 2].map((t) => rowSum(ids.data[3 * b + t]!)) as [number, number, number];
        const [pair, square] = [(s1 * s2) / 4, s3 * s3];
        const expected = [pair, pair, 0, pair, pair, 0, 0, 0, square];
        expected.forEach((v, k) => expect(result.interactions.data[9 * b + k]).toBeCloseTo(v, 5));
        [2 * pair, 2 * pair, square].forEach((v, t) => expect(result.attributions.data[3 * b + t]).toBeCloseTo(v, 5));
      });
    }));

  test("from a mask embedding and from other ids: both are the same path", () =>
    withCleanDevice(async (device) => {
      using net = products(device);
      const options = { nodes: 4 };
      const masked = await tokenInteractions(net.model, ids, {
        ...options,
        baseline: await embeddingBaseline(net.table, 2),
      });
      const baseline = hostArray([2, 2, 2], [1, 3], "i32");
      const fromIds = await tokenInteractions(net.model, ids, { ...options, baseline, baselineOf: "input" });
      masked.interactions.data.forEach((v, k) => expect(v).toBeCloseTo(fromIds.interactions.data[k]!, 5));
      expect(masked.scores.baseline.data[0]).toBeCloseTo(2 * rowSum(2) ** 2, 5);
      const zero = await integratedHessians(net.model, ids, {
        layer: "embedding",
        baselineOf: "layer",
        groups: tokenGroups(3, 2),
      });
      expect([...zero.interactions.data]).not.toEqual([...masked.interactions.data]);
    }));

  test("what cannot be is refused before anything runs", () =>
    withCleanDevice(async (device) => {
      using net = products(device);
      const before = device.counters.submits;
      const bad = hostArray([0, 1, 3], [1, 3], "i32");
      await expect(tokenInteractions(net.model, bad, { vocabulary: 3 })).rejects.toThrow(/element 2 is 3/);
      // Nobody needs to say how many rows the table has.
      const options = { layer: "embedding", baselineOf: "layer" } as const;
      await expect(integratedGradients(net.model, bad, options)).rejects.toThrow(
        /id 3 at element 2 .* has 3 rows, 0 to 2/,
      );
      const ragged = [[1, 2], [1]] as never; // prettier-ignore
      await expect(tokenInteractions(net.model, ragged)).rejects.toThrow(/got a list; use hostArray.*padTokens/);
      await expect(tokenInteractions(net.model, ids, { layer: "words" })).rejects.toThrow(/"words".*embedding/);
      const flat = (v: Value, tap: Tap = (_, value) => value): Value =>
        sum(tap("embedding", sum(embedding(net.table, v), 2)), 1);
      await expect(tokenInteractions(flat, ids)).rejects.toThrow(/\[batch, tokens, width\]/);
      expect(device.counters.submits).toBe(before);
    }));
});

describe("a transformer", () => {
  const [V, T, E] = [5, 4, 4];
  const network = nn.sequential([
    ["embedding", nn.embedding(V, E, nn.normal(0.6))],
    ["positions", nn.positions(T, E, { kind: "sinusoidal" })],
    ["encoder", nn.transformerEncoder(E, { heads: 2, hidden: 4, norm: "pre", activation: "gelu", finalNorm: false })],
    ["mean", nn.activation((v) => sum(v, 1))],
    ["out", nn.dense(E, 2)],
  ]);

  test("rows sum to the tokens' attributions, and all of it to f(x) - f(x')", () =>
    withCleanDevice(async (device) => {
      const model = nn.modelOf(network, network.init(device, "tokens"), [T], { input: "ids", dtype: "i32" });
      const ids = hostArray([0, 3, 2, 4], [1, T], "i32");
      const baseline = await embeddingBaseline(model, "mean");
      const options = { target: 1, baseline, nodes: 24 };
      const { interactions, attributions, scores, symmetryError } = await tokenInteractions(model, ids, options);
      const difference = scores.input.data[0]! - scores.baseline.data[0]!;
      const largest = Math.max(...interactions.data.map(Math.abs));
      const tolerance = 2e-4 * largest;
      for (let t = 0; t < T; t++) {
        const row = total(interactions.data.slice(t * T, (t + 1) * T));
        expect(Math.abs(row - attributions.data[t]!)).toBeLessThan(tolerance);
      }
      expect(Math.abs(total(interactions.data) - difference)).toBeLessThan(T * tolerance);
      expect(symmetryError).toBeLessThan(1e-4);
      // Integrated Gradients on their own, with their own nodes.
      const ig = await integratedGradients(model, ids, {
        ...{ target: 1, baseline, layer: "embedding", baselineOf: "layer" },
        steps: 32,
      });
      tokenAttributions(ig).data.forEach((v, t) => expect(Math.abs(v - attributions.data[t]!)).toBeLessThan(tolerance));
      const bad = hostArray([0, 1, 2, V], [1, T], "i32");
      await expect(tokenInteractions(model, bad)).rejects.toThrow(/element 3 is 5; the vocabulary has ids 0 to 4/);
      await expect(embeddingBaseline(model, "mean", { layer: "words" })).rejects.toThrow(/no parameter "words.weight"/);
      model.dispose();
    }));

  test("padding gets no attribution and no interaction, exactly, and leaves the others as they are alone", () =>
    withCleanDevice(async (device) => {
      const table = device.tensor(random([V, E], { seed: 3 }));
      const weights = device.tensor(random([3 * E, E], { seed: 4, low: -0.6, high: 0.6 }));
      const output = device.tensor(random([E, E], { seed: 5, low: -0.6, high: 0.6 }));
      const last = device.tensor(random([E, 1], { seed: 6 }));
      const model = ({ ids, lengths }: Readonly<Record<string, Value>>, tap: Tap = (_, value) => value): Value => {
        const tokens = tap("embedding", embedding(table, ids!));
        const own = { input: { weight: weights }, output: { weight: output } };
        const mixed = gelu(nn.multiHeadAttention(tokens, own, { heads: 2, lengths: lengths! }));
        return sum(matmul(nn.maskedMean(mixed, lengths!), last), 1);
      };
      const batch = padTokens(
        [
          [1, 2],
          [4, 0, 3],
        ],
        0,
      );
      const options = { nodes: 6 };
      const padded = await tokenInteractions(model, { ...batch }, options);
      [2, 3].forEach((n, b) => {
        for (let k = 0; k < 9; k++) {
          if (k % 3 >= n || Math.floor(k / 3) >= n) expect(padded.interactions.data[9 * b + k]).toBe(0);
        }
      });
      expect(padded.attributions.data[2]).toBe(0);
      const alone = await tokenInteractions(model, { ...padTokens([[1, 2]], 0) }, options);
      alone.interactions.data.forEach((v, k) =>
        expect(padded.interactions.data[3 * Math.floor(k / 2) + (k % 2)]).toBeCloseTo(v, 6),
      );
      [table, weights, output, last].forEach((t) => t.dispose());
    }));
});
