// Pictures of a tabular study, and its sections about single rows.
import {
  barChart,
  interactionMatrix,
  interactionScatter,
  pairNetwork,
  strongestPairs,
  type Figure,
  type ReportSection,
} from "../../src/view/index.ts";
import type { TabularStudy } from "./tabular-study.ts";
import { overall, partnerOf, strongest, tellingRows, type Overall } from "./tabular-summary.ts";

const SHOWN = 12;

export function overallFigures({ data }: TabularStudy, { importance, magnitude }: Overall): Figure[] {
  return [
    {
      content: barChart({
        bars: data.features.map((label, i) => ({ label, value: importance[i]! })),
        top: SHOWN,
        title: "Features",
        valueLabel: "mean |attribution|, logit",
        width: 440,
      }),
      caption: "What each feature contributes, alone and with others.",
    },
    {
      content: strongestPairs({
        values: magnitude,
        labels: data.features,
        top: SHOWN,
        title: "Pairs",
        valueLabel: "mean |G_ij + G_ji|, logit",
        width: 680,
      }),
      caption: "What two features make together beyond what each makes alone.",
    },
  ];
}

export function matrixFigure({ data }: TabularStudy, { signed }: Overall): Figure {
  return {
    content: interactionMatrix({
      values: signed,
      labels: data.features,
      order: "strength",
      title: "Mean interactions",
      valueLabel: "mean G_ij, logit",
    }),
    caption: "Signs kept: what cancels between rows is pale here. The diagonal is what a feature makes alone.",
  };
}

export function networkFigure({ data }: TabularStudy, { signed, attribution }: Overall): Figure {
  return {
    content: pairNetwork({
      values: signed,
      labels: data.features,
      attributions: attribution,
      title: "Strongest mean interactions",
    }),
    caption: `Red raises the logit of "${data.classes.positive}" on average, blue lowers it.`,
  };
}

export function scatterFigures(study: TabularStudy, summary: Overall): Figure[] {
  const { data, explanations: e } = study;
  const n = data.features.length;
  const column = (values: ArrayLike<number>, j: number): Float64Array =>
    Float64Array.from(e.rows, (_, row) => values[row * n + j]!);
  const labels = Array.from(e.rows, (row) => `row ${study.split.test[row]!}`);
  const most = [...summary.importance.keys()].sort((a, b) => summary.importance[b]! - summary.importance[a]!);
  const features = most.slice(0, 3).map((i): Figure => {
    const j = partnerOf(summary, i);
    return {
      content: interactionScatter({
        values: column(e.values, i),
        attributions: column(e.attributions.data, i),
        partner: column(e.values, j),
        x: { label: data.features[i]! },
        y: { label: `attribution of ${data.features[i]!}, logit` },
        partnerAxis: { label: data.features[j]! },
        title: data.features[i]!,
        labels,
        width: 550,
      }),
      caption: `Coloured by ${data.features[j]!}, its strongest partner.`,
    };
  });
  const [i, j] = strongest(summary)[0]!.pair;
  const together = Float64Array.from(e.rows, (_, row) => {
    return e.interactions.data[(row * n + i) * n + j]! + e.interactions.data[(row * n + j) * n + i]!;
  });
  const pair: Figure = {
    content: interactionScatter({
      values: column(e.values, i),
      attributions: together,
      partner: column(e.values, j),
      x: { label: data.features[i]! },
      y: { label: "G_ij + G_ji, logit" },
      partnerAxis: { label: data.features[j]! },
      title: `${data.features[i]!} × ${data.features[j]!}`,
      labels,
      width: 550,
    }),
    caption: "The strongest pair: what both make together.",
  };
  return [...features, pair];
}

// ---- single rows ----------------------------------------------------------------------------------------------------

export function rowSections(study: TabularStudy): ReportSection[] {
  const { data, split, explanations: e } = study;
  const labels = Uint8Array.from(e.rows, (row) => data.labels[split.test[row]!]!);
  return tellingRows(e.scores.smoothed, labels).map(({ title, row }) => rowSection(study, title, row, labels[row]!));
}

function rowSection(
  { data, split, explanations: e }: TabularStudy,
  title: string,
  row: number,
  label: number,
): ReportSection {
  const n = data.features.length;
  const attributions = e.attributions.data.slice(row * n, (row + 1) * n);
  const interactions = e.interactions.data.slice(row * n * n, (row + 1) * n * n);
  const logit = e.scores.smoothed[row]!;
  const probability = 1 / (1 + Math.exp(-logit));
  const own = overall(
    { shape: [1, n], dtype: "f32", data: attributions },
    { shape: [1, n, n], dtype: "f32", data: interactions },
  );
  const order = [...attributions.keys()].sort((a, b) => Math.abs(attributions[b]!) - Math.abs(attributions[a]!));
  return {
    heading: `${title}: row ${split.test[e.rows[row]!]!}`,
    text:
      `The smoothed network gives the logit ${logit.toFixed(2)}, a probability of ${probability.toFixed(3)} for ` +
      `"${data.classes.positive}"; the label is ` +
      `"${label === 1 ? data.classes.positive : data.classes.negative}". The logit of the baseline is ` +
      `${e.baseline.toFixed(2)}; attributions sum to the difference, ${(logit - e.baseline).toFixed(2)}.`,
    tables: [
      {
        caption: "The strongest features; alone is G_ii, with others the rest of the feature's row of the matrix",
        columns: ["feature", "value", "attribution", "alone", "with others", "strongest partner", "G_ij + G_ji"],
        rows: order.slice(0, 8).map((i) => {
          const j = partnerOf(own, i);
          const alone = interactions[i * n + i]!;
          return [
            data.features[i]!,
            e.values[row * n + i]!,
            attributions[i]!,
            alone,
            attributions[i]! - alone,
            data.features[j]!,
            interactions[i * n + j]! + interactions[j * n + i]!,
          ];
        }),
      },
    ],
  };
}
