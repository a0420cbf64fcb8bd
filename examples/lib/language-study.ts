// An LSTM language model, n-gram models of the same text, and what the LSTM's predictions are made of.
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import type { HostArray } from "../../src/tensor/host.ts";
import { chosenExamples, sampleOf, together, type Example } from "./language-contexts.ts";
import { corpusOf, type Corpus, type Speech } from "./language-corpus.ts";
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
import { cachedWeights } from "./weights.ts";
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
    folder: "language",
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
export function ngramPerplexity(
  model: WordModel,
  tokens: Int32Array,
  { starts, size }: Windows,
  memory: number,
): number {
  const logs = starts.flatMap((start) =>
    Array.from({ length: size / 2 }, (_, k) => {
      const at = start + size / 2 + 1 + k;
      return Math.log(model(tokens.subarray(at - memory, at), tokens[at]!));
    }),
  );
  return Math.exp(-mean(logs));
}
