// The comparison as text, page and file.
import { textTable } from "../../src/cli/table.ts";
import { heatMap, lineChart, outlinedRegions, report, resizeRaster, type Figure, type Raster, type ReportSection, type Table } from "../../src/view/index.ts"; // prettier-ignore
import { examplesOf, MAX_DIST, PATCHES, SIZES } from "./evaluation-methods.ts";
import { ABLATED, BLUR, COMPRESSOR, CURVES, RADIUS, REMOVED_PATCHES, SET_SIZES, type CurveName } from "./evaluation-metrics.ts"; // prettier-ignore
import { estimate, meanOfRows, standing } from "./evaluation-statistics.ts";
import { mean } from "./statistics.ts";
import type { EvaluationSettings, EvaluationStudy, NetworkResult } from "./evaluation-study.ts";
import { beyondControls, boldCells, comparisonTables, metricInfo, metricsOf, starred, valuesOf } from "./evaluation-tables.ts"; // prettier-ignore
import { pictureRows } from "./sanity-panels.ts";

export interface Run {
  readonly study: EvaluationStudy;
  readonly adapter: string;
  readonly seconds: number;
}

const CELL = 92;

export function summaryText({ study }: Run): string {
  const parts = study.results.map((result) => {
    const tables = comparisonTables(result).map(
      (table) => `${table.caption}\n\n${textTable(table.columns, starred(table))}`,
    );
    return [`${result.network.title}`, ...tables].join("\n\n");
  });
  return [...parts, "* best method; ≈ the best is not clearly better (95 % interval of the paired difference)"].join(
    "\n\n",
  );
}

export async function evaluationReport(run: Run): Promise<string> {
  const { results, settings } = run.study;
  const sections = await Promise.all(results.map(networkSections));
  return boldCells(
    await report({
      title: "Which attribution method is best, and by what?",
      text: introduction(results),
      sections: [
        ...sections.flat(),
        {
          heading: "What was done",
          text: procedure(settings, results),
          facts: { "time in all": `${run.seconds.toFixed(0)} s`, adapter: run.adapter },
        },
      ],
    }),
  );
}

// ---- words ----------------------------------------------------------------------------------------------------------

function introduction(results: readonly NetworkResult[]): string {
  const pictures = results.map(({ network }) => `${network.names.length} (${network.title})`).join(" and ");
  return (
    "Papers on attribution print tables in which their method wins. Here several methods are judged on the same pictures by the " +
    "metrics that those papers use, and beside them two maps that know nothing of the network: the picture itself (how " +
    "much brighter than black a pixel is) and random numbers. A method that does not beat these says nothing that could not be had for free.\n\n" +
    `The pictures are few: ${pictures}. Bold is the best mean of the methods; ≈ marks those that it does not clearly beat: the 95\u00a0% interval of the ` +
    "difference picture by picture (Student's t) holds 0. Such a difference is no result, and of a hundred comparisons without any difference " +
    "some five look like one. Other networks, pictures, boxes, compressors or ways of removing pixels may give another order."
  );
}

/** What the tables come to, read off them. */
function findings(result: NetworkResult): Table {
  const list = (names: readonly string[]): string => names.join(", ") || "none";
  const judged = metricsOf(result).filter((metric) => metricInfo(metric).good && metric !== "delta");
  const rows = judged.map((metric) => {
    const { label, good } = metricInfo(metric);
    const values = valuesOf(result, metric, false);
    const place = standing(values, good!);
    if (!place) return [label, "no picture has a value", "", ""];
    const behind = Object.keys(values).filter((name) => name !== place.best && !place.close.includes(name));
    return [label, place.best, list(behind), list(beyondControls(result, metric))];
  });
  const caption = "In short. Clearly: the 95\u00a0% interval of the paired difference does not hold 0.";
  return { caption, columns: ["metric", "best mean", "clearly behind it", "clearly better than both controls"], rows };
}

function deltaText({ methods }: NetworkResult): string {
  const known = Object.entries(methods).flatMap(([name, { values, differences }]) =>
    differences ? [`${name} ${estimate(values.delta!).mean.toFixed(2)} of ${mean(differences).toFixed(2)}`] : [],
  );
  return known.length === 0
    ? ""
    : "The last column is completeness: by how much, in units of the logit, the sum of a map misses the difference of the scores at picture and " +
        `baseline, which each method promises for baselines of its own (shapleyIG: the mean over coalitions). Means over pictures, beside the mean magnitude of that difference: ${known.join(", ")}. ` +
        "Guided IG is a left sum along a bent path, with moves of a few pixels at a time: where derivatives change fast it may miss by more than the difference itself. " +
        "XRAI only moves what IG (white + black) has found. Maps without that promise have –.";
}

const PLACE_NOTE =
  "Pointing game and share count what speaks for the class, the AUC magnitudes. " +
  "Boxes say where a person would look, not what the network used: a map may be right and lie outside. Methods that multiply by the " +
  "distance from black give black pixels nothing, so where all that is not black lies in the box (symbols on black), their share is 1 whatever " +
  "the network does. The row of the picture itself shows how much of a number that is.";

const NUMBERS_NOTE =
  `Infidelity: mean squared difference between what a map says a random set of patches is worth and what the logit does without it, after ` +
  `the best scaling of each map, as a share of what a map of zeros gets: 1 says nothing, 0 all. Sensitivity-n: correlation of the same two, ` +
  `over sets of ${SET_SIZES.join(", ")} of ${REMOVED_PATCHES ** 2} patches. Gini: 0 if all pixels count alike, near 1 if few do; neither is good in itself.`;

function procedure(settings: EvaluationSettings, results: readonly NetworkResult[]): string {
  const { nodes, guidedSteps, coalitionNodes, stages, samples, variants } = settings;
  const networks = results.map(
    ({ network }) =>
      `${network.title}: ${network.source}. Pictures: ${network.pictureSource}. Box: ${network.boxName}. ${network.boxed} Removed pixels become ${network.removed.name}.`,
  );
  return (
    `${networks.join("\n\n")}\n\n` +
    `The explained class is the predicted one, right or wrong; methods explain its logit. gradient: magnitudes, channels summed. IG: ${nodes} nodes ` +
    `from each baseline. Guided IG: from black, ${guidedSteps} steps in a corridor of ±${MAX_DIST} (the authors: 200 steps, ±0.02). shapleyIG: ` +
    `${PATCHES} x ${PATCHES} patches as players, coalitions of ${SIZES.join(", ")} of them, ${PATCHES ** 2} of each size, ${coalitionNodes} nodes each. ` +
    `CGI: gradient x input, all classes in competition. XRAI: IG (white + black) over segments at six scales, dilation and least area in proportion to those for 224 pixels. Papers take more nodes; with a GPU, ask for them.\n\n` +
    `Insertion, SIC and AIC reveal pixels in a blurred picture (Gaussian, ${100 * BLUR}\u00a0% of the shorter side), deletion and ablation (${100 * ABLATED}\u00a0% of the pixels) ` +
    `remove them; ${stages} stages between none and all, largest attribution first, score: probability of the class. ` +
    `SIC and AIC depend on the compressor; this is ${COMPRESSOR.name}, where the paper has WebP: numbers of both cannot be compared. SIC leaves out pictures ` +
    `whose blurred form scores no less than they do.\n\n` +
    (samples > 0
      ? `Infidelity and sensitivity-n: ${samples} random sets. `
      : "Infidelity and sensitivity-n were left out. ") +
    (variants > 0
      ? `Max-sensitivity: ${variants} variants of each picture, within ${100 * RADIUS}\u00a0% of the way from black to white.`
      : "Max-sensitivity was not asked for (--variants).")
  );
}

// ---- sections -------------------------------------------------------------------------------------------------------

async function networkSections(result: NetworkResult): Promise<ReportSection[]> {
  const { title } = result.network;
  const [removal, place, numbers] = comparisonTables(result);
  return [
    { heading: `${title}: the comparison`, tables: [findings(result), removal!] },
    { heading: `${title}: curves`, figures: CURVES.flatMap((name) => curveFigure(result, name) ?? []) },
    { heading: `${title}: inside the boxes`, text: PLACE_NOTE, tables: [place!] },
    {
      heading: `${title}: faithful numbers`,
      text: [metricsOf(result).includes("infidelity") ? NUMBERS_NOTE : "", deltaText(result)].join("\n\n"),
      tables: [numbers!],
    },
    { heading: `${title}: the maps`, figures: [await mapsFigure(result)] },
  ];
}

interface CurveText {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly caption: string;
}

const CURVE_TEXT: Readonly<Record<CurveName, CurveText>> = {
  insertion: { title: "Insertion", x: "share of the pixels that is sharp", y: "probability", caption: "Pixels that count most return first into a blurred picture. High is good." }, // prettier-ignore
  deletion: { title: "Deletion", x: "share of the pixels that is gone", y: "probability", caption: "Pixels that count most go first. Low is good." }, // prettier-ignore
  sic: { title: "Softmax information curve (SIC)", x: "information", y: "probability, scaled", caption: `Insertion against what the picture holds, in bytes of ${COMPRESSOR.name}: 0 is the blurred picture, 1 the sharp one. High is good.` }, // prettier-ignore
  aic: { title: "Accuracy information curve (AIC)", x: "information", y: "class still predicted", caption: "Share of the pictures whose class is the explained one, against the same information. High is good." }, // prettier-ignore
};

function curveFigure({ methods }: NetworkResult, name: CurveName): Figure | undefined {
  const series = Object.entries(methods).flatMap(([method, { curves }]) => {
    const y = meanOfRows(curves[name].rows);
    return y ? [{ name: method, x: curves[name].x, y }] : [];
  });
  if (series.length === 0) return undefined;
  const { title, x, y, caption } = CURVE_TEXT[name];
  const axes = { x: { label: x }, y: { label: `${y}, mean over pictures`, domain: [0, 1.02] as const } };
  return { content: lineChart({ title, series, ...axes, width: 560, height: 400 }), caption };
}

async function mapsFigure({ network, methods, explained }: NetworkResult): Promise<Figure> {
  const { names, shown, input } = network;
  const [height, width] = input.shape.slice(-2) as [number, number];
  const scale = CELL / Math.max(height, width);
  const cell = (picture: Raster): Raster =>
    resizeRaster(picture, Math.round(scale * width), Math.round(scale * height));
  const maps = Object.values(methods).map(({ attributions }) => examplesOf(attributions));
  const rows = names.map((name, b) => ({
    name: explained[b] === undefined ? name : `${name}: ${explained[b]}`,
    pictures: [
      cell(outlinedRegions(shown[b]!, boxLabels(network, b))),
      ...maps.map((own) => cell(heatMap(own[b]!, { blur: Math.max(height, width) / 64 }))),
    ],
  }));
  return {
    content: await pictureRows({
      title: "Maps of all methods",
      columns: ["picture, box", ...Object.keys(methods)],
      rows,
    }),
    caption:
      "With the class that is explained. Red speaks for it, blue against it; smoothed a little; every map has a scale of its own, on which the " +
      "largest hundredth of its magnitudes is saturated.",
  };
}

function boxLabels({ boxes, input }: NetworkResult["network"], b: number): Uint8Array {
  const [height, width] = input.shape.slice(-2) as [number, number];
  const { x, y, width: w, height: h } = boxes[b]!;
  return Uint8Array.from({ length: height * width }, (_, i) => {
    const [column, row] = [i % width, Math.floor(i / width)];
    return column >= x && column < x + w && row >= y && row < y + h ? 1 : 0;
  });
}

// ---- file -----------------------------------------------------------------------------------------------------------

export function resultJson({ study: { settings, results }, adapter, seconds }: Run): unknown {
  return {
    settings,
    compressor: COMPRESSOR.name,
    networks: results.map((result) => ({
      name: result.network.title,
      source: result.network.source,
      pictures: result.network.names.map((name, b) => ({ name, explained: result.explained[b] })),
      methods: Object.fromEntries(
        Object.entries(result.methods).map(([name, { values }]) => [
          name,
          Object.fromEntries(
            Object.entries(values).map(([metric, v]) => [metric, { ...estimate(v), values: Array.from(v) }]),
          ),
        ]),
      ),
    })),
    adapter,
    seconds,
  };
}
