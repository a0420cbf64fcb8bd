// Charts, pictures and tables of the report on pictures.
import { shownPicture } from "../../src/cli/picture.ts";
import type { Box } from "../../src/attribution/evaluate/localisation.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import {
  heatMap,
  labelledStrip,
  lineChart,
  resizeRaster,
  viridis,
  type Figure,
  type Picture,
  type Raster,
  type Series,
  type Table,
} from "../../src/view/index.ts";
import { METHODS, type ByMethod, type Curves, type Method } from "./pictures-measure.ts";
import { counted, drops, leftAtEnd, meanCurve, reachedAt, spread, spreadText, wins } from "./pictures-statistics.ts";
import { levelOf, type PictureResult, type PicturesStudy } from "./pictures-study.ts";

export const METHOD_NAMES: ByMethod<string> = {
  ig: "Integrated Gradients",
  product: "gradient × difference",
  gradient: "gradient",
  random: "random",
};

const CHART = { width: 540, height: 330 };
const alphaAxis = ({ settings }: PicturesStudy) => ({
  label: `α, share of the picture (0: ${settings.baseline})`,
  domain: [0, 1] as const,
});
/** Side of a picture of the report. */
const PIXELS = 224;
const STRIP_ALPHAS = [0.1, 0.2, 0.4, 0.6, 0.8, 1];

export const scoreName = ({ settings }: PicturesStudy): string =>
  settings.score === "probability" ? "P(class)" : "logit";

// ---- saturation -----------------------------------------------------------------------------------------------------

type Kind = "probability" | "logit";

/** The shown pictures, and the mean of all. */
function alongPath(study: PicturesStudy, curve: (result: PictureResult) => readonly number[]): Series[] {
  const { results, shown } = study;
  const x = results[0]!.alphas;
  const own = shown.slice(0, 4).map((k) => {
    const { name, className } = results[k]!;
    return { name: `${name}: ${className}`, x, y: curve(results[k]!) };
  });
  return results.length > 1
    ? [{ name: `mean of ${counted(results.length)}`, x, y: meanCurve(results.map(curve)) }, ...own]
    : own;
}

const relative = ({ gradients }: Curves): number[] => gradients.map((v) => v / (Math.max(...gradients) || 1));

export function saturationFigures(study: PicturesStudy): Figure[] {
  const chart = (title: string, label: string, curve: (r: PictureResult) => readonly number[]): string =>
    lineChart({ ...CHART, title, series: alongPath(study, curve), x: alphaAxis(study), y: { label } });
  const gradientNote = "Divided by each picture's own largest value, so that the shapes can be compared.";
  return [
    {
      content: chart("Softmax probability of the predicted class", "probability", (r) => r.probability.scores),
      caption: "Where the line is flat at the right, the network is saturated.",
    },
    {
      content: chart("Logit of the same class", "logit", (r) => r.logit.scores),
      caption: "The value before the softmax.",
    },
    {
      content: chart("Mean |gradient| of the probability", "share of its largest value", (r) =>
        relative(r.probability),
      ),
      caption: gradientNote,
    },
    {
      content: chart("Mean |gradient| of the logit", "share of its largest value", (r) => relative(r.logit)),
      caption: gradientNote,
    },
  ];
}

export const layerName = (name: string): string =>
  name
    .split("/")
    .filter((part) => !/^(model.*|Statefu.*|Relu|add|Mean|MaxPool|BiasAdd|FusedBatchNorm.*)$/.test(part))
    .at(-1) ?? name;

export function layersFigure(study: PicturesStudy): Figure {
  const { layers, results } = study;
  return {
    content: lineChart({
      ...CHART,
      width: 720,
      title: "How far hidden activations are from those of the picture",
      series: layers.map((layer) => ({
        name: layerName(layer),
        x: results[0]!.alphas,
        y: meanCurve(results.map(({ distances }) => distances[layer]!)),
      })),
      x: alphaAxis(study),
      y: { label: "cosine distance" },
    }),
    caption: `Means over ${counted(results.length)}; layers from the first to the last.`,
  };
}

export function saturationTable({ results, settings }: PicturesStudy): Table {
  const row = (name: string, value: (r: PictureResult, kind: Kind) => number): string[] => [
    name,
    ...(["probability", "logit"] as const).map((kind) => spreadText(spread(results.map((r) => value(r, kind))))),
  ];
  return {
    caption: `Saturated or not? Mean ± standard deviation over ${counted(results.length)}`,
    columns: ["", "probability", "logit"],
    rows: [
      row(`value for ${settings.baseline}`, (r, kind) => r[kind].scores[0]!),
      row("value for the picture", (r, kind) => r[kind].scores.at(-1)!),
      row("α at 90 % of the way", (r, kind) => reachedAt(r.alphas, r[kind].scores, 0.9)),
      row("mean |gradient| at the picture, share of its largest", (r, kind) => leftAtEnd(r[kind].gradients)),
    ],
  };
}

// ---- pictures -------------------------------------------------------------------------------------------------------

const scaleOf = ({ x }: PictureResult): number => Math.max(1, Math.round(PIXELS / Math.max(...x.shape.slice(2))));

const row = ({ data, shape }: HostArray, k: number): HostArray => {
  const size = data.length / shape[0]!;
  return hostArray(data.slice(k * size, (k + 1) * size), shape.slice(1));
};

const magnitudes = (values: HostArray, scale: number, limit?: number): Picture =>
  heatMap(values, { reduce: "absSum", colors: viridis, scale, ...(limit !== undefined && { limit }) });

/** The picture with its boxes, then the magnitudes of each method. */
export async function comparison(study: PicturesStudy, result: PictureResult): Promise<Figure> {
  const scale = scaleOf(result);
  const shown = METHODS.filter((method) => method !== "random");
  const images = [
    outlined(enlarged(shownPicture(result.x, study.model.format), scale), Object.values(result.boxes), scale),
    ...shown.map((method) => magnitudes(result.attributions[method], scale)),
  ];
  return {
    content: await labelledStrip({
      title: `${result.name}: ${result.className}`,
      images,
      labels: ["picture and boxes", ...shown.map((method) => METHOD_NAMES[method])],
      columns: images.length,
    }),
    caption:
      "Sums over the channels of |attribution|, dark to light, each picture on its own scale (its 99th percentile is " +
      "the lightest): compare where, not how much.",
  };
}

/** Where along the path the gradients are: one scale for all. */
export async function interiorFigure(study: PicturesStudy, result: PictureResult): Promise<Figure> {
  const scale = Math.max(1, Math.round((0.6 * PIXELS) / Math.max(...result.x.shape.slice(2))));
  const { alphas, interior } = result;
  const nearest = (wanted: number): number =>
    alphas.reduce((best, alpha, k) => (Math.abs(alpha - wanted) < Math.abs(alphas[best]! - wanted) ? k : best), 0);
  const steps = [...new Set(STRIP_ALPHAS.map(nearest))];
  const gradients = steps.map((step) => row(interior, step));
  const limit = Math.max(...gradients.map((gradient) => magnitudes(gradient, 1).high));
  const start = levelOf(study.settings.baseline, study.model.format);
  const faded = steps.map((step) => {
    const data = Float32Array.from(result.x.data, (v) => start + alphas[step]! * (v - start));
    return enlarged(shownPicture(hostArray(data, result.x.shape), study.model.format), scale);
  });
  const scores = result[study.settings.score].scores;
  return {
    content: await labelledStrip({
      title: "Interior gradients: counterfactual pictures, and the gradient at each",
      images: [...faded, ...gradients.map((gradient) => magnitudes(gradient, scale, limit))],
      labels: [
        ...steps.map((step) => `α = ${alphas[step]!.toFixed(2)}`),
        ...steps.map((step) => `score ${scores[step]!.toFixed(2)}`),
      ],
      columns: steps.length,
      legend: { title: `|gradient of ${scoreName(study)}|, one scale`, colors: viridis, low: 0, high: limit },
    }),
    caption: `Above the picture at α, below the magnitudes of the gradient there, with ${scoreName(study)}.`,
  };
}

const enlarged = (picture: Raster, scale: number): Raster =>
  resizeRaster(picture, picture.width * scale, picture.height * scale);

/** Boxes, in pixels before the enlargement, as yellow lines between dark ones. */
export function outlined(picture: Raster, boxes: readonly Box[], scale: number): Raster {
  const { width, height } = picture;
  const data = new Uint8ClampedArray(picture.data);
  for (const box of boxes) {
    const [left, top] = [box.x * scale, box.y * scale];
    const [right, bottom] = [left + box.width * scale - 1, top + box.height * scale - 1];
    for (let y = top; y <= bottom; y++)
      for (let x = left; x <= right; x++) {
        const depth = Math.min(x - left, right - x, y - top, bottom - y);
        if (depth < 3) data.set(depth === 1 ? [255, 221, 51, 255] : [20, 20, 20, 255], 4 * (y * width + x));
      }
  }
  return { width, height, data };
}

// ---- pixels and boxes -----------------------------------------------------------------------------------------------

const percent = (share: number): string => `${+(100 * share).toFixed(2)} %`;

export function ablationFigure(study: PicturesStudy): Figure {
  const { results, settings } = study;
  return {
    content: lineChart({
      ...CHART,
      width: 720,
      title: `Mean fall of ${scoreName(study)} when pixels are blanked`,
      series: METHODS.map((method) => ({
        name: METHOD_NAMES[method],
        x: settings.fractions.map((share) => 100 * share),
        y: settings.fractions.map((_, step) => spread(dropsOf(study, method, step)).mean),
      })),
      x: { label: "pixels blanked, largest |attribution| first", unit: "%" },
      y: { label: `fall of ${scoreName(study)}` },
    }),
    caption: `Higher is better. Blanked pixels become ${settings.baseline}; ${counted(results.length)}.`,
  };
}

export const dropsOf = ({ results }: PicturesStudy, method: Method, step: number): number[] =>
  drops(
    results.map(({ ablation }) => ablation[method]),
    step,
  );

export function ablationTable(study: PicturesStudy): Table {
  const { results, settings } = study;
  const steps = settings.fractions.map((_, step) => step).slice(1);
  return {
    caption: `Fall of ${scoreName(study)}, mean ± standard deviation over ${counted(results.length)}`,
    columns: [
      "pixels blanked",
      ...METHODS.map((m) => METHOD_NAMES[m]),
      "IG above the gradient",
      "IG above gradient × difference",
    ],
    rows: steps.map((step) => {
      const found = (method: Method): number[] => dropsOf(study, method, step);
      const beats = (other: Method): string => `${wins(found("ig"), found(other)).more} of ${results.length}`;
      return [
        percent(settings.fractions[step]!),
        ...METHODS.map((method) => spreadText(spread(found(method)))),
        beats("gradient"),
        beats("product"),
      ];
    }),
  };
}

export function boxTable({ results }: PicturesStudy): Table {
  const names = [...new Set(results.flatMap(({ shares }) => Object.keys(shares)))];
  return {
    caption: `Share of |attribution| inside the boxes, mean ± standard deviation over ${counted(results.length)}`,
    columns: ["box", "share of the area", ...METHODS.map((method) => METHOD_NAMES[method]), "IG above the gradient"],
    rows: names.map((name) => {
      const found = results.flatMap(({ shares }) => shares[name] ?? []);
      const of = (key: Method | "area"): number[] => found.map((share) => share[key]);
      return [
        name,
        spreadText(spread(of("area"))),
        ...METHODS.map((method) => spreadText(spread(of(method)))),
        `${wins(of("ig"), of("gradient")).more} of ${found.length}`,
      ];
    }),
  };
}
