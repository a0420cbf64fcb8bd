// The study of pictures as text, page and file.
import { textTable } from "../../src/cli/table.ts";
import { formatNumber, report, type ReportSection } from "../../src/view/index.ts";
import {
  ablationFigure,
  ablationTable,
  boxTable,
  comparison,
  dropsOf,
  interiorFigure,
  layersFigure,
  METHOD_NAMES,
  saturationFigures,
  saturationTable,
  scoreName,
} from "./pictures-figures.ts";
import { METHODS, type Method } from "./pictures-measure.ts";
import { counted, leftAtEnd, reachedAt, spread, spreadText, wins } from "./pictures-statistics.ts";
import type { PictureResult, PicturesStudy } from "./pictures-study.ts";
import { largestMagnitude, mean } from "./statistics.ts";

export interface Run {
  readonly study: PicturesStudy;
  readonly adapter: string;
  readonly seconds: number;
}

export function summaryText({ study }: Run): string {
  return [saturationTable(study), ablationTable(study), boxTable(study)]
    .map(
      ({ caption, columns, rows }) =>
        `${caption}\n\n${textTable(
          columns,
          rows.map((cells) => cells.map(String)),
        )}`,
    )
    .join("\n\n");
}

export async function picturesReport(run: Run): Promise<string> {
  const { study } = run;
  return report({
    title: "When does a classifier make up its mind, and over which pixels?",
    text: introduction(study),
    sections: [
      {
        heading: "Saturation",
        text: saturationText(study),
        figures: [...saturationFigures(study), layersFigure(study)],
        tables: [saturationTable(study)],
      },
      ...(await exampleSections(study)),
      {
        heading: "Blanking pixels",
        text: ablationText(study),
        figures: [ablationFigure(study)],
        tables: [ablationTable(study)],
      },
      { heading: "Inside the boxes", text: boxText(study), tables: [boxTable(study)] },
      { heading: "What was done", text: procedure(study), facts: facts(run) },
    ],
  });
}

const exampleSections = ({ shown, ...study }: PicturesStudy): Promise<ReportSection[]> =>
  Promise.all(
    shown.map(async (k, position) => {
      const result = study.results[k]!;
      const sure = (100 * result.probability.scores.at(-1)!).toFixed(0);
      return {
        heading: `Picture ${position + 1}: ${result.name}`,
        text: `The model says "${result.className}", with ${sure}\u00a0%.`,
        figures: [await comparison({ ...study, shown }, result), await interiorFigure({ ...study, shown }, result)],
      };
    }),
  );

// ---- words ----------------------------------------------------------------------------------------------------------

const percent = (share: number): string => `${(100 * share).toFixed(0)}\u00a0%`;

function introduction({ model, set, results, settings }: PicturesStudy): string {
  return (
    `The model "${model.name}" (${model.source}) looks at ${counted(results.length, set.kind)}. Each is faded in from ${settings.baseline}: ` +
    `α is the share of the picture, from 0 to 1. What do the score, its gradients and the hidden layers do meanwhile? And ` +
    `are gradients added up over the whole fade, Integrated Gradients, a better account of the decision than the gradient at ` +
    `the picture? These are the questions of "Gradients of Counterfactuals" (arXiv 1611.02639), asked of another network and ` +
    `of other pictures.\n\n` +
    `Explained is always the class that the model predicts, right or wrong.`
  );
}

const meanOf = (results: readonly PictureResult[], f: (r: PictureResult) => number): number => mean(results.map(f));

const SURE = 0.9;

function saturationText({ results, settings }: PicturesStudy): string {
  const left = (of: readonly PictureResult[], kind: "probability" | "logit"): string =>
    percent(meanOf(of, (r) => leftAtEnd(r[kind].gradients)));
  const reached = meanOf(results, (r) => reachedAt(r.alphas, r.probability.scores, 0.9));
  const early = results.filter((r) => reachedAt(r.alphas, r.probability.scores, 0.9) <= 0.6).length;
  const sure = results.filter((r) => r.probability.scores.at(-1)! >= SURE);
  return (
    `The probability has made 90\u00a0% of its way from ${settings.baseline} to the picture at α = ${reached.toFixed(2)} on average, and at ` +
    `α = 0.6 or before in ${early} of ${counted(results.length)}. At the picture itself the mean |gradient| of the ` +
    `probability is ${left(results, "probability")} of its largest value along the path, that of the logit ${left(results, "logit")}. ` +
    (sure.length > 0
      ? `Over the ${sure.length} where the model is sure (a probability of ${SURE} or more) it is ${left(sure, "probability")} and ` +
        `${left(sure, "logit")}: where the first number is small the gradient at the picture has little to say of how the probability arose.`
      : `In none of them is the model sure (a probability of ${SURE} or more), and saturation is a matter of sure answers.`) +
    `\n\nHidden layers saturate too: the last chart compares their activations with those of the picture by their direction (1 - ` +
    `cosine). A line that is low long before α = 1 belongs to a layer that hardly changes any more.`
  );
}

function ablationText(study: PicturesStudy): string {
  const { settings, results } = study;
  const step = settings.fractions.findIndex((share) => share >= 0.02);
  const found = (method: Method): number[] => dropsOf(study, method, step);
  const fall = (method: Method): string => mean(found(method)).toFixed(2);
  const most = Math.max(...METHODS.map((method) => Number(fall(method))));
  const best = METHODS.filter((method) => Number(fall(method)) === most).map((method) => METHOD_NAMES[method]);
  const { more } = wins(found("ig"), found("gradient"));
  return (
    `The pixels with the largest |attribution| become ${settings.baseline}, and the fall of ${scoreName(study)} of the predicted class is ` +
    `measured: it should be large if they are the ones that count. After ${formatNumber(100 * settings.fractions[step]!)}\u00a0% of ` +
    `the pixels it is ${METHODS.map((m) => `${fall(m)} (${METHOD_NAMES[m]})`).join(", ")}. The largest is that of ` +
    `${best.join(" and ")}; after blanking by Integrated Gradients it is larger than by the gradient in ${more} of ${counted(results.length)}.\n\n` +
    `Two warnings. Blanked pixels become what the paths start from, which suits Integrated Gradients and gradient × difference: ` +
    `pixels that are ${settings.baseline} anyway get nothing from either, and blanking them changes nothing. And pictures with ` +
    `specks are unlike any that the model was trained on: it may fall for the specks rather than miss the pixels, as the ` +
    `line of random pixels tells.`
  );
}

function boxText({ set, results }: PicturesStudy): string {
  return (
    `${set.boxed} The share of the area is what attributions spread evenly, or at random, would have; a share above it means that ` +
    `a method points into the box. That is where a reader would look: whether the model does is what the explanation should tell, so a high share is no ` +
    `proof of a good explanation. Means over ${counted(results.length)}.`
  );
}

function procedure({ settings: s, set, model, results, shown }: PicturesStudy): string {
  const { width, height, channels } = model.format;
  return (
    `Pictures: ${set.source}. Each is cropped around its centre to the model's proportions, resized to ${width} x ${height} ` +
    `(${channels === "grey" ? "grey" : "colours"}), and scaled as the model has it. There are no labels, and nothing was left out because of what the model ` +
    `said. Shown are the first picture, then the surest of each other predicted class (${shown.length} of ${results.length}).\n\n` +
    `Integrated Gradients: of ${s.score === "probability" ? "the softmax probability" : "the logit"}, from ${s.baseline}, ${s.nodes} midpoints. ` +
    `The gradient is that at the picture; gradient × difference is multiplied by the picture minus ${s.baseline}. Random attributions ` +
    `are uniform numbers. The curves have ${s.positions} positions. Magnitudes of a pixel's channels are added up.\n\n` +
    `What differs from the paper: the network (there GoogLeNet, trained on ImageNet) and its classes; the pictures, and how few ` +
    `there are; ${baselineDifference(s)}blanked pixels are counted as shares of all; ` +
    `the boxes; gradient × difference and random attributions are additions. ` +
    `Standard deviations are over the pictures: with so few, small differences of means are not to be trusted.`
  );
}

/** Why grey, of models that are known. */
const WHY_GREY: Readonly<Record<string, string>> = {
  emotion:
    ', because this model has an opinion on black ("angry", with 70\u00a0%), and on grey no class has more than 40\u00a0%',
  inception:
    ', because this model calls grey a "Drawing", with 61\u00a0%, so that the path leads from there to a photograph; on black it ' +
    'says "Neutral" before there is anything to see, with 56\u00a0%',
};

const baselineDifference = ({ baseline, model }: PicturesStudy["settings"]): string =>
  baseline === "black" ? "" : `the baseline (there black${WHY_GREY[model] ?? ""}); `;

// ---- numbers --------------------------------------------------------------------------------------------------------

function facts({ study, adapter, seconds }: Run) {
  const { settings, results, model } = study;
  const classes = new Map<string, number>();
  for (const { className } of results) classes.set(className, (classes.get(className) ?? 0) + 1);
  return {
    model: model.name,
    pictures: results.length,
    "predicted classes": [...classes].map(([name, count]) => `${name} ${count}`).join(", "),
    "attributed score": settings.score,
    "nodes of Integrated Gradients": settings.nodes,
    "largest |error| of a sum": largestMagnitude(results.map(({ delta }) => delta)),
    "mean |error| of a sum": mean(results.map(({ delta }) => Math.abs(delta))),
    "time in all": `${seconds.toFixed(1)} s`,
    adapter,
  };
}

export function resultJson({ study, adapter, seconds }: Run): unknown {
  const { settings, set, model, layers, results } = study;
  return {
    settings,
    set,
    model,
    layers,
    means: Object.fromEntries(
      METHODS.map((method) => [
        method,
        settings.fractions.map((fraction, step) => ({
          fraction,
          fall: spreadText(spread(dropsOf(study, method, step)), 4),
        })),
      ]),
    ),
    pictures: results.map(
      ({ name, className, alphas, probability, logit, distances, delta, ablation, boxes, shares }) => ({
        name,
        class: className,
        alphas,
        probability,
        logit,
        cosineDistances: distances,
        delta,
        ablation,
        boxes,
        shares,
      }),
    ),
    adapter,
    seconds,
  };
}
