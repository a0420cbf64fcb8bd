// Which contexts of the held-out text are explained.
import { compile } from "../../src/compiler/program.ts";
import { modelFunction, type Model } from "../../src/nn/index.ts";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { END, NUMBER, type Corpus } from "./language-corpus.ts";
import type { Contexts } from "./language-explain.ts";
import { kneserNey } from "./language-ngram.ts";

export interface Example extends Contexts {
  /** Whether the word is the network's first guess. */
  readonly right: boolean;
  /** Words of the context, and the word that follows. */
  readonly words: readonly string[];
  readonly word: string;
  /** The most probable words after it. */
  readonly likely: readonly { readonly word: string; readonly probability: number }[];
}

interface ExampleSettings {
  /** Words of a context. */
  readonly context: number;
  /** How many examples. */
  readonly examples: number;
}

/** Contexts at equal distances over the held-out text, whatever follows them. */
export function sampleOf({ held }: Corpus, length: number, count: number): Contexts {
  const step = (held.length - length - 1) / count;
  return contextsAt(
    held,
    Array.from({ length: count }, (_, k) => Math.floor(k * step)),
    length,
  );
}

function contextsAt(tokens: Int32Array, starts: readonly number[], length: number): Contexts {
  const ids = starts.flatMap((at) => [...tokens.subarray(at, at + length)]);
  return { ids: hostArray(ids, [starts.length, length], "i32"), next: starts.map((at) => tokens[at + length]!) };
}

/** One batch of contexts of the same length. */
export const together = (examples: readonly Contexts[]): Contexts => ({
  ids: hostArray(
    examples.flatMap(({ ids }) => [...ids.data]),
    [examples.length, examples[0]!.ids.data.length],
    "i32",
  ),
  next: examples.flatMap(({ next }) => next),
});

/** How many contexts of the held-out text examples are chosen from. */
const POOL = 1024;

/**
 * Of contexts without unknown words before a word that is neither unknown, a figure nor a mark: those where the network finds the
 * word most surprising by its frequency alone and still right (the largest P(word | context) / P(word), each word once), and
 * last the one where it is most wrong.
 * @throws ArgumentError when there is no such context
 */
export async function chosenExamples(model: Model, corpus: Corpus, settings: ExampleSettings): Promise<Example[]> {
  const { context, examples } = settings;
  const { held, vocabulary } = corpus;
  const pool = contextPool(corpus, context);
  if (pool.length === 0)
    throw new ArgumentError(
      `no ${context} held-out words in a row are all in the vocabulary; take a smaller --context or a larger --vocabulary`,
    );
  const contexts = contextsAt(held, pool, context);
  const logits = await outputsOf(model, contexts.ids);
  const size = vocabulary.words.length;
  const frequency = kneserNey(corpus.train, size, 1);
  const rows = pool.map((start, k) => {
    const likely = mostLikely(logits.subarray(k * size, (k + 1) * size), 5);
    const next = contexts.next[k]!;
    const right = likely.ids[0] === next;
    return { start, next, right, likely, gain: Math.log(likely.probabilityOf(next) / frequency([], next)) };
  });
  const found = rows.filter(({ right }) => right).sort((a, b) => b.gain - a.gain);
  const distinct = found.filter((row, k) => found.findIndex(({ next }) => next === row.next) === k);
  const worst = rows.filter(({ right }) => !right).sort((a, b) => a.gain - b.gain);
  const picked = [...distinct.slice(0, Math.max(1, examples - 1)), ...worst.slice(0, 1)].slice(0, examples);
  return picked.map(({ start, next, right, likely }) => {
    const one = contextsAt(held, [start], context);
    const word = vocabulary.words[next]!;
    return {
      ...one,
      right,
      words: Array.from(one.ids.data, (id) => vocabulary.words[id]!),
      word,
      likely: likely.ids.map((id) => ({ word: vocabulary.words[id]!, probability: likely.probabilityOf(id) })),
    };
  });
}

/** Starts of the contexts that may be shown. */
function contextPool({ held, vocabulary }: Corpus, context: number): number[] {
  const isWord = (id: number): boolean => {
    const word = vocabulary.words[id]!;
    return id !== 0 && word !== NUMBER && word !== END && /^\p{L}/u.test(word);
  };
  const end = vocabulary.idOf(END);
  const starts: number[] = [];
  for (let at = 0; at + context < held.length; at++) {
    const words = held.subarray(at, at + context);
    if (isWord(held[at + context]!) && words.every((id) => id !== 0 && id !== end)) starts.push(at);
  }
  const step = Math.max(1, starts.length / POOL);
  return Array.from({ length: Math.min(POOL, starts.length) }, (_, k) => starts[Math.floor(k * step)]!);
}

/** Logits [B V] after each context. */
async function outputsOf(model: Model, ids: HostArray): Promise<Float32Array> {
  const input = model.device.tensor(ids);
  try {
    const [logits] = await compile(model.device, modelFunction(model), [ids]).runAndRead([input]);
    return Float32Array.from(logits!.data);
  } finally {
    input.dispose();
  }
}

function mostLikely(logits: Float32Array, count: number) {
  const top = logits.reduce((most, v) => Math.max(most, v), -Infinity);
  const total = logits.reduce((sum, v) => sum + Math.exp(v - top), 0);
  const ids = Array.from(logits, (_, id) => id).sort((a, b) => logits[b]! - logits[a]!);
  return { ids: ids.slice(0, count), probabilityOf: (id: number) => Math.exp(logits[id]! - top) / total };
}
