// An LSTM language model, n-gram models of the same text, and what the LSTM's predictions are made of.
import { compile } from "../../src/compiler/program.ts";
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { corpusOf, END, NUMBER, type Corpus, type Speech } from "./language-corpus.ts";
import {
  replacementDrops,
  saturation,
  wordAttributions,
  wordInteractions,
  type Contexts,
  type ExplainTools,
  type Saturation,
  type WordAttributions,
  type WordInteractions,
  type WordMethod,
} from "./language-explain.ts";
import {
  evenWindows,
  languageNetwork,
  logProbabilities,
  trainLanguage,
  type TrainingSettings,
  type Windows,
} from "./language-network.ts";
import { kneserNey, type WordModel } from "./language-ngram.ts";
import { cachedWeights } from "./language-weights.ts";
import { mean } from "./statistics.ts";

export const METHODS = ["zero", "mean", "gradient"] as const satisfies readonly WordMethod[];

export interface LanguageSettings {
  readonly training: TrainingSettings;
  /** Words of a context that is explained; perplexities are over words with one to two times as many before them. */
  readonly context: number;
  /** Windows for the perplexities: each has `context` words that count. */
  readonly windows: number;
  /** Contexts for the statistics, and those shown. */
  readonly contexts: number;
  readonly examples: number;
  readonly nodes: number;
  readonly hessianNodes: number;
  /** Whether weights in the cache are passed over. */
  readonly retrain: boolean;
}

export interface Perplexity {
  readonly name: string;
  readonly value: number;
}

export interface Example extends Contexts {
  readonly title: string;
  /** Words of the context, and the word that follows. */
  readonly words: readonly string[];
  readonly word: string;
  /** The most probable words after it. */
  readonly likely: readonly { readonly word: string; readonly probability: number }[];
}

export type ByMethod<T> = Readonly<Record<WordMethod, T>>;

export interface LanguageStudy {
  readonly settings: LanguageSettings;
  readonly corpus: Corpus;
  readonly perplexities: readonly Perplexity[];
  /** How many words they are over. */
  readonly evaluated: number;
  /** Of the training, on the machine that did it. */
  readonly trained: { readonly seconds: number; readonly cached: boolean; readonly losses: readonly number[] };
  /** Over many contexts. */
  readonly sample: {
    readonly attributions: ByMethod<WordAttributions>;
    readonly drops: HostArray;
  };
  readonly examples: readonly Example[];
  /** Of the examples, in their order. */
  readonly attributions: ByMethod<WordAttributions>;
  readonly saturation: Saturation;
  /** Of the first example. */
  readonly interactions: WordInteractions;
}

export interface StudyTools extends ExplainTools {
  readonly device: Device;
  readonly note: (text: string) => void;
}

export async function languageStudy(
  speeches: readonly Speech[],
  settings: LanguageSettings,
  tools: StudyTools,
): Promise<LanguageStudy> {
  const corpus = corpusOf(speeches, settings.training.vocabulary);
  const { model, trained } = await trainedModel(corpus, settings, tools);
  try {
    const windows = evenWindows(corpus.held.length, 2 * settings.context, settings.windows);
    const logs = await logProbabilities(settings.training, model, corpus.held, windows, {
      signal: tools.signal,
      onProgress: (done) => tools.onProgress("perplexity", done, windows.starts.length),
    });
    const sample = sampleOf(corpus, settings.context, settings.contexts);
    const examples = await chosenExamples(model, corpus, settings);
    const shown = together(examples);
    const attributions = async (contexts: Contexts): Promise<ByMethod<WordAttributions>> => ({
      zero: await wordAttributions(model, contexts, "zero", settings.nodes, tools),
      mean: await wordAttributions(model, contexts, "mean", settings.nodes, tools),
      gradient: await wordAttributions(model, contexts, "gradient", 1, tools),
    });
    return {
      settings,
      corpus,
      perplexities: [
        { name: `LSTM, ${settings.training.units} units`, value: Math.exp(-mean(logs)) },
        ...ngramPerplexities(corpus, settings, windows),
      ],
      evaluated: logs.length,
      trained,
      sample: { attributions: await attributions(sample), drops: await replacementDrops(model, sample, 0, tools) },
      examples,
      attributions: await attributions(shown),
      saturation: await saturation(model, shown, 41, tools),
      interactions: await wordInteractions(model, examples[0]!, settings.hessianNodes, tools),
    };
  } finally {
    model.dispose();
  }
}

async function trainedModel(corpus: Corpus, { training, context, retrain }: LanguageSettings, tools: StudyTools) {
  const { device, signal, note, onProgress } = tools;
  const network = languageNetwork(training, "last");
  const { parameters, facts, cached } = await cachedWeights({
    device,
    network,
    key: { training, tokens: corpus.train.length, held: corpus.speeches.held },
    again: retrain,
    note,
    async train() {
      const started = performance.now();
      const losses: number[] = [];
      const found = await trainLanguage(corpus.train, training, {
        device,
        signal,
        onProgress(step, loss) {
          losses.push(loss);
          onProgress("training", step, training.steps);
        },
      });
      const seconds = (performance.now() - started) / 1000;
      return { parameters: found, facts: { seconds: String(seconds), losses: losses.join(" ") } };
    },
  });
  const losses = (facts["losses"] ?? "").split(" ").filter(Boolean).map(Number);
  const trained = { seconds: Number(facts["seconds"] ?? 0), losses, cached };
  const options = { input: "ids", dtype: "i32", classes: corpus.vocabulary.words } as const;
  return { model: nn.modelOf(network, parameters, [context], options), trained };
}

// ---- n-grams --------------------------------------------------------------------------------------------------------

const NGRAMS = ["unigram", "bigram", "trigram", "4-gram"];

function ngramPerplexities(corpus: Corpus, { training }: LanguageSettings, windows: Windows): Perplexity[] {
  return NGRAMS.map((name, k) => {
    const model = kneserNey(corpus.train, training.vocabulary, k + 1);
    return { name: `${name}, Kneser-Ney`, value: ngramPerplexity(model, corpus.held, windows, k) };
  });
}

/** Over the same words as {@link logProbabilities}. */
export function ngramPerplexity(model: WordModel, tokens: Int32Array, { starts, size }: Windows, memory: number): number {
  const logs = starts.flatMap((start) =>
    Array.from({ length: size / 2 }, (_, k) => {
      const at = start + size / 2 + 1 + k;
      return Math.log(model(tokens.subarray(at - memory, at), tokens[at]!));
    }),
  );
  return Math.exp(-mean(logs));
}

// ---- contexts -------------------------------------------------------------------------------------------------------

/** Contexts at equal distances over the held-out text, whatever follows them. */
function sampleOf({ held }: Corpus, length: number, count: number): Contexts {
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

const together = (examples: readonly Contexts[]): Contexts => ({
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
 */
async function chosenExamples(model: nn.Model, corpus: Corpus, settings: LanguageSettings): Promise<Example[]> {
  const { context, training, examples } = settings;
  const { held, vocabulary } = corpus;
  const pool = contextPool(corpus, context);
  const contexts = contextsAt(held, pool, context);
  const logits = await outputsOf(model, contexts.ids);
  const frequency = kneserNey(corpus.train, training.vocabulary, 1);
  const rows = pool.map((start, k) => {
    const likely = mostLikely(logits.subarray(k * training.vocabulary, (k + 1) * training.vocabulary), 5);
    const next = contexts.next[k]!;
    const right = likely.ids[0] === next;
    return { start, next, right, likely, gain: Math.log(likely.probabilityOf(next) / frequency([], next)) };
  });
  const found = rows.filter(({ right }) => right).sort((a, b) => b.gain - a.gain);
  const distinct = found.filter((row, k) => found.findIndex(({ next }) => next === row.next) === k);
  const worst = rows.filter(({ right }) => !right).sort((a, b) => a.gain - b.gain);
  const picked = [...distinct.slice(0, examples - 1), ...worst.slice(0, 1)];
  return picked.map(({ start, next, right, likely }) => {
    const one = contextsAt(held, [start], context);
    const word = vocabulary.words[next]!;
    return {
      ...one,
      title: right ? `Right: "${word}"` : `Wrong: "${word}"`,
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
async function outputsOf(model: nn.Model, ids: HostArray): Promise<Float32Array> {
  const input = model.device.tensor(ids);
  try {
    const [logits] = await compile(model.device, nn.modelFunction(model), [ids]).runAndRead([input]);
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
