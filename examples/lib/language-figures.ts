// Pictures and tables of the language model's report.
import {
  colouredTokens,
  lineChart,
  textMatrix,
  type Figure,
  type ReportSection,
  type Table,
} from "../../src/view/index.ts";
import type { HostArray } from "../../src/tensor/host.ts";
import { agreement, byDistance, shares } from "./language-statistics.ts";
import { METHODS, type ByMethod, type LanguageStudy } from "./language-study.ts";
import { largestMagnitude, mean } from "./statistics.ts";
import type { WordMethod } from "./language-explain.ts";

export const METHOD_NAMES: ByMethod<string> = {
  zero: "IG from zeros",
  mean: "IG from the mean",
  gradient: "gradient × input",
};

/** What a method makes of each [T] of [B, T]. */
const rowOf = ({ data, shape }: HostArray, row: number): Float32Array =>
  Float32Array.from(data.subarray(row * shape[1]!, (row + 1) * shape[1]!));

const perMethod = <T>(f: (method: WordMethod) => T): Record<string, T> =>
  Object.fromEntries(METHODS.map((method) => [METHOD_NAMES[method], f(method)]));

const percent = (p: number): string =>
  p < 0.0005 ? "less than 0.1\u00a0%" : `${(100 * p).toFixed(p < 0.1 ? 1 : 0)}\u00a0%`;

/** One section for each example: coloured words by each method, what the sums come to, the most probable words. */
export function exampleSections({ examples, attributions }: LanguageStudy): ReportSection[] {
  return examples.map(({ right, words, word, likely }, k) => {
    const { scores } = attributions.zero;
    const probability = percent(Math.exp(scores.input.data[k]!));
    return {
      heading: `${right ? "Right" : "Wrong"}: "${word}"`,
      text:
        `… ${words.join(" ")} → ${word}\n\nThe network gives "${word}" ${probability}, and ` +
        `${percent(Math.exp(scores.baseline.data[k]!))} after ${words.length} embeddings of zeros. Its first guesses: ` +
        `${likely.map((guess) => `"${guess.word}" ${percent(guess.probability)}`).join(", ")}.`,
      figures: [
        {
          content: colouredTokens({
            title: `ln P("${word}") shared out to the words before it`,
            tokens: words,
            values: perMethod((method) => rowOf(attributions[method].values, k)),
            numbers: true,
            width: 900,
          }),
          caption:
            "Red words raise the probability of the next word, blue ones lower it; nats, the same scale for all lines.",
        },
      ],
      tables: [sumsTable(attributions, k)],
    };
  });
}

function sumsTable(attributions: LanguageStudy["attributions"], example: number): Table {
  return {
    caption: "Does it add up? (nats)",
    columns: ["method", "sum of the words", "ln P - ln P at the baseline", "error"],
    rows: METHODS.map((method) => {
      const { values, scores, delta } = attributions[method];
      const difference = scores.input.data[example]! - scores.baseline.data[example]!;
      const sum = rowOf(values, example).reduce((total, v) => total + v, 0);
      return [METHOD_NAMES[method], sum, difference, delta.data[example]!];
    }),
  };
}

export function saturationFigures({ saturation, examples }: LanguageStudy): Figure[] {
  const { alphas, probabilities, gradients } = saturation;
  const x = { label: "α, share of the embeddings", domain: [0, 1] as const };
  const series = (values: readonly Float64Array[]) =>
    examples.slice(0, 6).map(({ word }, k) => ({ name: word, x: alphas, y: values[k]! }));
  const relative = gradients.map((own) => own.map((v) => v / (largestMagnitude(own) || 1)));
  return [
    {
      content: lineChart({
        title: "Probability of the next word as the embeddings grow",
        series: series(probabilities),
        x,
        y: { label: "P(next word)" },
      }),
      caption: "From embeddings of zeros (α = 0) to those of the context (α = 1).",
    },
    {
      content: lineChart({
        title: "Length of the gradient along the same path",
        series: series(relative),
        x,
        y: { label: "share of its largest value" },
      }),
      caption: "Gradient × input looks at the right end only.",
    },
  ];
}

/** Where on its way each probability stands, and what is left of the gradient at the end. */
export function saturationTable({ saturation: { alphas, probabilities, gradients }, examples }: LanguageStudy): Table {
  return {
    caption: "Saturated or not?",
    columns: ["word", "P at α = 0", "P at α = 1", "α at 90 % of the way", "gradient at α = 1, share of its largest"],
    rows: examples.map(({ word }, k) => {
      const p = probabilities[k]!;
      const [from, to] = [p[0]!, p.at(-1)!];
      const reached = p.findIndex((v) => Math.abs(v - from) >= 0.9 * Math.abs(to - from) && v > from === to > from);
      return [word, from, to, alphas[reached] ?? 1, gradients[k]!.at(-1)! / (largestMagnitude(gradients[k]!) || 1)];
    }),
  };
}

export function distanceFigure({ sample, settings }: LanguageStudy): Figure {
  const x = Array.from({ length: settings.context }, (_, d) => d + 1);
  return {
    content: lineChart({
      title: "Where the attributions are",
      series: METHODS.map((method) => ({
        name: METHOD_NAMES[method],
        x,
        y: shares(byDistance(sample.attributions[method].values)).map((share) => 100 * share),
      })),
      x: { label: "words back from the predicted one" },
      y: { label: "share of mean |attribution|", unit: "%" },
    }),
    caption: `Means over ${sample.drops.shape[0]} held-out contexts, for the words that do follow.`,
  };
}

/** Sums and their errors, and agreement with replaced words, over the sample. */
export function methodTable({ sample }: LanguageStudy): Table {
  const drops = sample.drops;
  return {
    caption: `Over ${drops.shape[0]} held-out contexts (nats)`,
    columns: [
      "method",
      "mean |ln P - ln P at the baseline|",
      "mean |error of the sum|",
      "largest |error|",
      "rank correlation with the falls",
      "mean fall, top word replaced",
    ],
    rows: METHODS.map((method) => {
      const { values, delta, scores } = sample.attributions[method];
      const difference = scores.input.data.map((s, k) => Math.abs(s - scores.baseline.data[k]!));
      const { correlation, topDrop } = agreement(values, drops);
      const errors = delta.data.map(Math.abs);
      return [METHOD_NAMES[method], mean(difference), mean(errors), largestMagnitude(errors), correlation, topDrop];
    }),
  };
}

export function interactionFigure({ examples, interactions }: LanguageStudy): Figure {
  const { words, word } = examples[0]!;
  return {
    content: textMatrix({
      title: `Which words act together on ln P("${word}")?`,
      tokens: words,
      values: interactions.matrix,
      attributions: interactions.attributions,
      valueLabel: "interaction, nats",
    }),
    caption: "Each row sums to the attribution of its word by Integrated Gradients from zeros.",
  };
}
