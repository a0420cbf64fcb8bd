// The tabular study as text, page and files.
import { textTable } from "../../src/cli/table.ts";
import { writeSafetensors } from "../../src/nn/index.ts";
import { formatNumber, report, type Table } from "../../src/view/index.ts";
import { largestMagnitude, type ClassifierQuality } from "./statistics.ts";
import { matrixFigure, networkFigure, overallFigures, rowSections, scatterFigures } from "./tabular-figures.ts";
import type { TabularStudy } from "./tabular-study.ts";
import { overall, pairShare, strongest, type Overall } from "./tabular-summary.ts";

export interface Run {
  readonly study: TabularStudy;
  readonly adapter: string;
  readonly seconds: number;
}

export function summaryText({ study }: Run): string {
  const { data, explanations } = study;
  const summary = overall(explanations.attributions, explanations.interactions);
  const pairs = strongest(summary).slice(0, 5);
  const models = qualityRows(study).map(([name, ...values]) => [name, ...values.map((v) => v.toFixed(3))]);
  const names = pairs.map(({ pair: [i, j], magnitude }) => [
    `${data.features[i]!} × ${data.features[j]!}`,
    magnitude.toFixed(3),
  ]);
  return (
    `${textTable(QUALITY_COLUMNS, models)}\n\n` +
    `${textTable(["strongest pairs", "mean |G_ij + G_ji|"], names)}\n\n` +
    `Worst row residual ${formatNumber(explanations.quality.residual)}, worst completeness error ` +
    `${formatNumber(explanations.quality.delta)}, symmetry error ${formatNumber(explanations.quality.symmetry)}.`
  );
}

export async function tabularFiles(run: Run): Promise<Record<string, string | Uint8Array>> {
  const { attributions, interactions, values } = run.study.explanations;
  const tensor = (shape: readonly number[], data: ArrayLike<number>) => ({
    shape,
    dtype: "F32" as const,
    data: Float32Array.from(data),
  });
  return {
    "report.html": await tabularReport(run),
    "result.json": `${JSON.stringify(resultJson(run), undefined, 2)}\n`,
    "interactions.safetensors": writeSafetensors({
      values: tensor(attributions.shape, values),
      attributions: tensor(attributions.shape, attributions.data),
      interactions: tensor(interactions.shape, interactions.data),
    }),
  };
}

async function tabularReport(run: Run): Promise<string> {
  const { study } = run;
  const { data, explanations } = study;
  const summary = overall(explanations.attributions, explanations.interactions);
  return report({
    title: `Which features act together? ${data.name}`,
    text: introduction(study, summary),
    tables: [qualityTable(study)],
    sections: [
      {
        heading: "What counts",
        text: MEANING,
        figures: overallFigures(study, summary),
        tables: [pairTable(study, summary)],
      },
      { heading: "All pairs", figures: [matrixFigure(study, summary), networkFigure(study, summary)] },
      { heading: "Features and their strongest partners", text: SCATTERS, figures: scatterFigures(study, summary) },
      ...rowSections(study),
      { heading: "What was done", text: procedure(study), facts: facts(run) },
    ],
  });
}

// ---- words ----------------------------------------------------------------------------------------------------------

function introduction({ data, explanations, settings, quality }: TabularStudy, summary: Overall): string {
  const [first] = strongest(summary);
  const top = summary.importance.indexOf(Math.max(...summary.importance));
  const pair = first ? `${data.features[first.pair[0]]!} and ${data.features[first.pair[1]]!}` : "";
  const comparison =
    quality.logistic.logLoss <= quality.network.logLoss
      ? "A logistic regression, which knows no interactions, predicts the held-out rows at least as well: " +
        "nothing here says that the interactions are needed."
      : "A logistic regression, which knows no interactions, predicts the held-out rows worse by log loss.";
  return (
    `A small network predicts "${data.classes.positive}" against "${data.classes.negative}" from ` +
    `${data.features.length} features. Integrated Hessians explain its predictions for ` +
    `${explanations.rows.length} held-out rows: how much of the logit each feature, and each pair of features ` +
    `together, contributes. On average "${data.features[top]!}" contributes most; the strongest pair is ${pair}. ` +
    `Pairs make up ${(100 * pairShare(summary)).toFixed(0)}\u00a0% of all magnitudes, single features the rest. ` +
    `${comparison}\n\n` +
    `Everything here describes what this network does, not what causes what: another network of the same quality may ` +
    `use other features, most of all where features are correlated. Second derivatives need a smooth network, so ` +
    `ReLU was replaced by softplus with beta = ${settings.beta} for the explanations; the table shows what that ` +
    `did to the predictions.`
  );
}

const MEANING =
  "The logit of the positive class is shared out (log odds: 0 is a probability of one half): attributions of one " +
  "row sum to its logit minus that of the baseline. The matrix of interactions G shares out the attributions in " +
  "turn: row i sums to the attribution of feature i. G_ij + G_ji is what i and j make together beyond what each " +
  "makes alone: negative with two features that raise the logit means that they overlap (the second adds less " +
  "once the first is there). Below are means over the explained rows, of magnitudes, since effects of " +
  "opposite sign in different rows would cancel.";

const SCATTERS =
  "One dot for each explained row. If dots of one colour follow another curve than dots of another colour, the " +
  "partner changes what the feature does.";

function procedure({ data, settings: s, split, missing, explanations, steps }: TabularStudy): string {
  const gaps = missing.train + missing.test;
  const filling =
    gaps === 0
      ? "No value is missing."
      : `${missing.train} values are missing in the training rows and ${missing.test} in the held-out rows; each ` +
        `was replaced by the median of its column over the training rows.`;
  const choice =
    s.steps.length === 1
      ? ""
      : ` Steps were chosen from ${s.steps.join(", ")} by the log loss on a fifth of the training rows, which ` +
        `then joined them.`;
  const from =
    s.baseline === "references"
      ? `${Math.min(s.references, split.train.length)} training rows, over whose paths all results are averaged`
      : `the ${s.baseline} of the training rows`;
  return (
    [`Data: ${data.source}.`, ...data.notes].join(" ") +
    `\n\n${split.test.length} of ${data.rows} rows were held out, the same share of each class; they took no part in ` +
    `training or in any choice. ${filling} Columns were standardised with means and standard deviations of the ` +
    `training rows.\n\nNetwork: ${[data.features.length, ...s.hidden, 1].join("-")} with ReLU, ${steps.network} ` +
    `steps of AdamW on ${s.batch} rows, learning rate ${s.network.learningRate} falling linearly, weight decay ` +
    `${s.network.weightDecay}. Logistic regression: ${steps.logistic} steps, learning rate ` +
    `${s.logistic.learningRate}, no decay.${choice}\n\n` +
    `Integrated Hessians: paths start at ${from}; ${s.nodes} Gauss-Legendre nodes; explained rows are a random ` +
    `sample of the held-out ones (${explanations.rows.length} of ${split.test.length}). How well the matrices ` +
    `add up stands below: the completeness error compares a row's total with its logit, the residual compares ` +
    `each row of G with the feature's attribution.`
  );
}

// ---- numbers --------------------------------------------------------------------------------------------------------

const QUALITY_COLUMNS = ["model", "accuracy", "AUC", "log loss"] as const;

const rounded = (value: number): number => Math.round(1000 * value) / 1000;

function qualityRows({ quality, settings }: TabularStudy): [string, number, number, number][] {
  const row = (name: string, q: ClassifierQuality): [string, number, number, number] => {
    return [name, rounded(q.accuracy), rounded(q.auc), rounded(q.logLoss)];
  };
  return [
    row("network", quality.network),
    row(`network, smoothed with beta = ${formatNumber(settings.beta)}`, quality.smoothed),
    row("logistic regression", quality.logistic),
  ];
}

function qualityTable(study: TabularStudy): Table {
  const { split, data } = study;
  const positive = split.test.reduce((sum, row) => sum + data.labels[row]!, 0);
  return {
    caption:
      `On ${split.test.length} held-out rows, ${positive} of them "${data.classes.positive}". ` +
      "Log loss in nats per row; smaller is better.",
    columns: QUALITY_COLUMNS,
    rows: qualityRows(study),
  };
}

const pairTable = ({ data }: TabularStudy, summary: Overall): Table => ({
  caption: "The strongest pairs, in logits. Where the mean with its sign is much smaller, the pair acts both ways.",
  columns: ["feature", "and", "mean |G_ij + G_ji|", "mean G_ij + G_ji"],
  rows: strongest(summary)
    .slice(0, 12)
    .map(({ pair: [i, j], magnitude, signed }) => [data.features[i]!, data.features[j]!, magnitude, signed]),
});

function facts({ study, adapter, seconds }: Run): Record<string, string | number> {
  const { explanations: e, split, data, settings, moved } = study;
  const largest = largestMagnitude(e.interactions.data);
  const both = (v: number): string => `${formatNumber(v)} (${formatNumber(v / largest)} of the largest |G|)`;
  return {
    "training rows": split.train.length,
    "held-out rows": split.test.length,
    features: data.features.length,
    "explained rows": e.rows.length,
    seed: settings.seed,
    beta: settings.beta,
    smoothed: Object.entries(e.replaced)
      .map(([name, count]) => `${count} ${name}`)
      .join(", "),
    "logits moved by smoothing, RMS": rounded(moved.rootMeanSquare),
    "logits moved by smoothing, most": rounded(moved.largest),
    "logit of the baseline": rounded(e.baseline),
    "points per row": e.evaluations,
    "largest |completeness error|": both(e.quality.delta),
    "largest |row residual|": both(e.quality.residual),
    "symmetry error": e.quality.symmetry,
    "time of the explanations": `${e.seconds.toFixed(1)} s`,
    "time in all": `${seconds.toFixed(1)} s`,
    adapter,
  };
}

function resultJson(run: Run): unknown {
  const { study, adapter, seconds } = run;
  const { data, settings, split, missing, quality, moved, explanations: e } = study;
  const summary = overall(e.attributions, e.interactions);
  return {
    data: {
      name: data.name,
      source: data.source,
      rows: data.rows,
      features: data.features,
      classes: data.classes,
      missing,
    },
    settings,
    split: { train: split.train.length, test: split.test.length },
    quality,
    moved,
    checks: e.quality,
    baselineLogit: e.baseline,
    meanAbsoluteAttribution: Array.from(summary.importance),
    pairs: strongest(summary).map(({ pair: [i, j], magnitude, signed }) => ({
      features: [data.features[i], data.features[j]],
      magnitude,
      signed,
    })),
    rows: Array.from(e.rows, (row, k) => ({
      row: split.test[row],
      label: data.labels[split.test[row]!],
      logit: e.scores.plain[k],
      smoothedLogit: e.scores.smoothed[k],
    })),
    adapter,
    seconds,
  };
}
