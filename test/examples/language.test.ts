import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { chosenExamples } from "../../examples/lib/language-contexts.ts";
import { corpusOf, END, NUMBER, tokenise, UNKNOWN, vocabularyOf } from "../../examples/lib/language-corpus.ts";
import {
  replacementDrops,
  saturation,
  wordAttributions,
  wordInteractions,
  type WordAttributions,
} from "../../examples/lib/language-explain.ts";
import { evenWindows, languageNetwork, logProbabilities, trainLanguage } from "../../examples/lib/language-network.ts";
import { kneserNey } from "../../examples/lib/language-ngram.ts";
import { agreement, byDistance, rankCorrelation, shares } from "../../examples/lib/language-statistics.ts";
import { ngramPerplexity } from "../../examples/lib/language-study.ts";
import { cachedWeights, weightsFile } from "../../examples/lib/weights.ts";
import { modelOf, type Model } from "../../src/nn/index.ts";
import { hostArray, type Device } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";

// ---- text -----------------------------------------------------------------------------------------------------------

test("texts become words, marks and figures", () => {
  expect(tokenise("Don’t worry: 1,200.5 well-made Things—in 1999. Café?")).toEqual([
    "don't",
    "worry",
    ":",
    NUMBER,
    "well-made",
    "things",
    "--",
    "in",
    NUMBER,
    ".",
    "café",
    "?",
  ]);
  expect(tokenise("$5 'quoted' [laughter]")).toEqual([NUMBER, "quoted", "laughter"]);
});

test("the vocabulary has the most frequent words, ties in alphabetical order", () => {
  const { words, idOf } = vocabularyOf(["b", "a", "c", "a", "d", "b"], 4);
  expect(words).toEqual([UNKNOWN, "a", "b", "c"]);
  expect(["a", "c", "d", "constructor"].map(idOf)).toEqual([1, 3, 0, 0]);
});

test("every tenth speech is held out and does not shape the vocabulary", () => {
  const speeches = Array.from({ length: 12 }, (_, k) => ({
    name: `speech ${k}`,
    text: k === 5 ? "x x x x y" : "y z z",
  }));
  const corpus = corpusOf(speeches, 4);
  expect(corpus.vocabulary.words).toEqual([UNKNOWN, "z", "y", END]);
  expect(corpus.speeches).toEqual({ train: 11, held: ["speech 5"] });
  expect(corpus.train.length).toBe(11 * 4);
  expect(corpus.unknown).toBeCloseTo(4 / 6);
});

// ---- n-grams --------------------------------------------------------------------------------------------------------

const TEXT = Int32Array.of(0, 1, 2, 0, 1, 3, 0, 1, 2, 2, 3, 1, 0, 2);

test.each([1, 2, 3, 4])("Kneser-Ney of order %i: probabilities of the words sum to 1 after any context", (order) => {
  const model = kneserNey(TEXT, 5, order);
  for (const context of [[], [0], [4], [0, 1], [1, 2], [4, 4], [3, 0, 1], [2, 4, 0], [0, 0, 1, 2]]) {
    const all = [0, 1, 2, 3, 4].map((word) => model(context, word));
    expect(all.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
    all.forEach((p) => expect(p).toBeGreaterThan(0));
  }
});

test("Kneser-Ney of order 2, by hand", () => {
  // Pairs of 0 1 0 2 0 1 1: 01 twice; 10, 02, 20, 11 once. n1 = 4, n2 = 1: D = 4 / 6. Contexts of 0: {1, 2}; of 1: {0, 1};
  // of 2: {0}; so continuation counts 2, 2, 1 with n1 = 1, n2 = 2: D = 1 / 5.
  const model = kneserNey([0, 1, 0, 2, 0, 1, 1], 4, 2);
  const lower = (count: number): number => (Math.max(count - 0.2, 0) + 0.2 * 3 * 0.25) / 5;
  const [d, of0] = [2 / 3, 3];
  expect(model([0], 1)).toBeCloseTo((2 - d + d * 2 * lower(2)) / of0, 12);
  expect(model([0], 2)).toBeCloseTo((1 - d + d * 2 * lower(1)) / of0, 12);
  expect(model([0], 3)).toBeCloseTo((d * 2 * lower(0)) / of0, 12);
  // What followed the 3 was never seen: the lower order alone.
  expect(model([3], 1)).toBeCloseTo(lower(2), 12);
});

test("orders whose runs do not fit a number are refused", () => {
  expect(() => kneserNey(TEXT, 10_000, 4)).toThrow(/vocabulary\^order/);
  expect(() => kneserNey(TEXT, 5, 0)).toThrow(/order/);
});

test("n-gram perplexities are over the second halves of windows", () => {
  const windows = evenWindows(TEXT.length, 4, 100);
  expect(windows).toEqual({ starts: [0, 2, 4, 6, 8], size: 4 });
  expect(evenWindows(14, 4, 2).starts).toEqual([0, 4]);
  // A model that knows positions by the word alone: P = 1/2 for a 0, else 1/4.
  const words = windows.starts.flatMap((start) => [TEXT[start + 3]!, TEXT[start + 4]!]);
  const expected = Math.exp(words.reduce((sum, w) => sum - Math.log(w === 0 ? 0.5 : 0.25), 0) / words.length);
  expect(ngramPerplexity((_, word) => (word === 0 ? 0.5 : 0.25), TEXT, windows, 2)).toBeCloseTo(expected, 10);
});

// ---- statistics -----------------------------------------------------------------------------------------------------

test("distances count back from the predicted word", () => {
  const values = hostArray([1, -2, 3, -3, 0, 5], [2, 3]);
  expect([...byDistance(values)]).toEqual([4, 1, 2]);
  expect([...shares(Float64Array.of(4, 1, 3))]).toEqual([0.5, 0.125, 0.375]);
});

test("rank correlation and the fall of the top word", () => {
  expect(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 1000])).toBeCloseTo(1);
  expect(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1])).toBeCloseTo(-1);
  // 1 - 6 (1 + 1 + 0 + 0) / (4 * 15)
  expect(rankCorrelation([1, 2, 3, 4], [2, 1, 3, 4])).toBeCloseTo(0.8);
  expect(rankCorrelation([1, 1], [1, 2])).toBe(0);
  const drops = hostArray([0.5, 0.1, 0.2, 0.4], [2, 2]);
  const { correlation, topDrop } = agreement(hostArray([-1, -2, 9, -9], [2, 2]), drops);
  expect(correlation).toBeCloseTo(0); // 1 and -1
  expect(topDrop).toBeCloseTo((0.5 + 0.2) / 2);
});

// ---- network --------------------------------------------------------------------------------------------------------

const SMALL = { vocabulary: 7, embedding: 5, units: 6 };
/** 0 1 2 3 4 5 6 0 1 ...: the next word follows from the last one. */
const CYCLE = Int32Array.from({ length: 400 }, (_, i) => i % 7);
const TOOLS = { signal: new AbortController().signal, onProgress: () => undefined };

async function withSmallModel(device: Device, context: number, work: (model: Model) => Promise<void>): Promise<void> {
  const settings = { ...SMALL, window: 6, batch: 8, steps: 60, learningRate: 0.03, seed: 1 };
  const parameters = await trainLanguage(CYCLE, settings, { device });
  const model = modelOf(languageNetwork(SMALL, "last"), parameters, [context], { input: "ids", dtype: "i32" });
  try {
    await work(model);
  } finally {
    model.dispose();
  }
}

/** ln softmax of the model in f64, from its parameters: the LSTM written out once more. */
async function reference(model: Model, ids: readonly number[], scale = 1): Promise<number[]> {
  const p = Object.fromEntries(
    await Promise.all(
      Object.entries(model.parameters).map(async ([name, t]) => [name, (await t.read()).data] as const),
    ),
  );
  const { embedding: e, units: n, vocabulary: v } = SMALL;
  const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
  let [h, c] = [new Array<number>(n).fill(0), new Array<number>(n).fill(0)];
  for (const id of ids) {
    const gate = (k: number, u: number): number => {
      const row = k * n + u;
      let z = p["lstm.bias_ih_l0"]![row]! + (k === 1 ? 1 : 0);
      for (let i = 0; i < e; i++)
        z += p["lstm.weight_ih_l0"]![row * e + i]! * scale * p["embedding.weight"]![id * e + i]!;
      for (let i = 0; i < n; i++) z += p["lstm.weight_hh_l0"]![row * n + i]! * h[i]!;
      return z;
    };
    const old = c;
    c = old.map((v, u) => sigmoid(gate(1, u)) * v + sigmoid(gate(0, u)) * Math.tanh(gate(2, u)));
    h = c.map((v, u) => sigmoid(gate(3, u)) * Math.tanh(v));
  }
  const logits = Array.from({ length: v }, (_, w) => {
    return h.reduce((sum, x, i) => sum + x * p["output.weight"]![i * v + w]!, p["output.bias"]![w]!);
  });
  const total = Math.log(logits.reduce((sum, z) => sum + Math.exp(z), 0));
  return logits.map((z) => z - total);
}

test("the network learns which word follows, and its probabilities are those of an LSTM in f64", () =>
  withCleanDevice((device) =>
    withSmallModel(device, 4, async (model) => {
      const windows = evenWindows(CYCLE.length, 8, 5);
      const logs = await logProbabilities(SMALL, model, CYCLE, windows);
      expect(logs.length).toBe(20);
      expect(Math.exp(-logs.reduce((sum, v) => sum + v, 0) / logs.length)).toBeLessThan(2); // 7 by chance
      for (const k of [0, 3, 4, 19]) {
        const start = windows.starts[Math.floor(k / 4)]!;
        const at = start + 5 + (k % 4);
        const expected = await reference(model, [...CYCLE.subarray(start, at)]);
        expect(logs[k]).toBeCloseTo(expected[CYCLE[at]!]!, 4);
      }
    }),
  ));

test("attributions sum to the difference of ln P; one node makes gradient x input", () =>
  withCleanDevice((device) =>
    withSmallModel(device, 4, async (model) => {
      const contexts = { ids: hostArray([0, 1, 2, 3, 3, 3, 5, 6], [2, 4], "i32"), next: [4, 1] };
      const own = async (scale: number): Promise<number[]> =>
        Promise.all(
          [
            [0, 1, 2, 3],
            [3, 3, 5, 6],
          ].map(async (ids, k) => (await reference(model, ids, scale))[contexts.next[k]!]!),
        );
      const [from, to, near] = [await own(0), await own(1), await own(1 - 1e-4)];
      const zero = await wordAttributions(model, contexts, "zero", 32, TOOLS);
      const gradient = await wordAttributions(model, contexts, "gradient", 1, TOOLS);
      expect(zero.values.shape).toEqual([2, 4]);
      for (const k of [0, 1]) {
        const sum = ({ values }: WordAttributions): number =>
          Float64Array.from(values.data.subarray(4 * k, 4 * k + 4)).reduce((s, v) => s + v, 0);
        expect(sum(zero)).toBeCloseTo(to[k]! - from[k]!, 4);
        // The derivative by the common factor of all embeddings, at 1.
        expect(sum(gradient)).toBeCloseTo((to[k]! - near[k]!) / 1e-4, 2);
      }
      const interactions = await wordInteractions(
        model,
        { ids: hostArray([0, 1, 2, 3], [1, 4], "i32"), next: [4] },
        48,
        TOOLS,
      );
      for (let row = 0; row < 4; row++) {
        const sum = interactions.matrix.subarray(4 * row, 4 * row + 4).reduce((s, v) => s + v, 0);
        expect(sum).toBeCloseTo(zero.values.data[row]!, 2);
      }
      const { alphas, probabilities } = await saturation(model, contexts, 3, TOOLS);
      expect(alphas).toEqual([0, 0.5, 1]);
      const middle = await own(0.5);
      [from, middle, to].forEach((logs, s) => {
        logs.forEach((log, k) => expect(probabilities[k]![s]).toBeCloseTo(Math.exp(log), 4));
      });
    }),
  ));

test("falls of ln P are those of the replaced words", () =>
  withCleanDevice((device) =>
    withSmallModel(device, 3, async (model) => {
      const drops = await replacementDrops(
        model,
        { ids: hostArray([4, 5, 6, 1, 2, 3], [2, 3], "i32"), next: [0, 2] },
        0,
        TOOLS,
      );
      const before = (await reference(model, [1, 2, 3]))[2]!;
      const after = (await reference(model, [1, 0, 3]))[2]!;
      expect(drops.shape).toEqual([2, 3]);
      expect(drops.data[4]).toBeCloseTo(before - after, 4);
    }),
  ));

test("examples: right ones by their gain over the frequency, then the worst", () =>
  withCleanDevice((device) =>
    withSmallModel(device, 4, async (model) => {
      const words = [UNKNOWN, "a", "b", "c", "d", "e", END];
      const ids = new Map(words.map((word, id) => [word, id]));
      const vocabulary = { words, idOf: (word: string) => ids.get(word) ?? 0 };
      // The cycle goes on after four words, except for the last time: there an a comes instead of an e.
      const held = Int32Array.of(1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 1, 0);
      const corpus = { vocabulary, train: CYCLE, held, speeches: { train: 1, held: [] }, unknown: 0 };
      const [right, wrong, ...others] = await chosenExamples(model, corpus, { context: 4, examples: 3 });
      expect(others).toEqual([]);
      expect(right).toMatchObject({ words: ["a", "b", "c", "d"], word: "e", right: true });
      expect(wrong).toMatchObject({ words: ["a", "b", "c", "d"], word: "a", right: false });
      expect(right!.likely[0]!.probability).toBeCloseTo(Math.exp((await reference(model, [1, 2, 3, 4]))[5]!), 4);
    }),
  ));

// ---- weights --------------------------------------------------------------------------------------------------------

test("weights come back from the cache, and broken files are trained over", async () => {
  const cache = await mkdtemp(join(tmpdir(), "aumann-test-"));
  try {
    await withCleanDevice(async (device) => {
      const network = languageNetwork(SMALL, "last");
      let trainings = 0;
      const notes: string[] = [];
      const get = async (again = false): Promise<{ cached: boolean; facts: unknown; first: number }> => {
        const train = () => Promise.resolve({ parameters: network.init(device, ++trainings), facts: { seconds: "3" } });
        const found = await cachedWeights({
          device,
          network,
          key: SMALL,
          train,
          again,
          cache,
          folder: "language",
          note: (t) => notes.push(t),
        });
        const first = (await found.parameters["embedding.weight"]!.read()).data[0]!;
        Object.values(found.parameters).forEach((tensor) => tensor.dispose());
        return { cached: found.cached, facts: found.facts, first };
      };
      const fresh = await get();
      expect(fresh.cached).toBe(false);
      expect(await get()).toEqual({ ...fresh, cached: true });
      const again = await get(true);
      expect([again.cached, again.first === fresh.first, trainings]).toEqual([false, false, 2]);
      await writeFile(weightsFile(SMALL, cache, "language"), "no weights");
      expect((await get()).cached).toBe(false);
      expect([trainings, notes.length]).toEqual([3, 1]);
      expect(weightsFile({ ...SMALL, units: 7 }, cache)).not.toBe(weightsFile(SMALL, cache));
    });
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
});
