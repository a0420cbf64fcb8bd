// The checks as text, page and file.
import { entry } from "../../src/attribution/competition.ts";
import type { Curve } from "../../src/attribution/evaluate/sanity.ts";
import { textTable } from "../../src/cli/table.ts";
import type { HostArray } from "../../src/tensor/host.ts";
import {
  heatMap,
  labelledStrip,
  report,
  resizeRaster,
  type Figure,
  type Raster,
  type ReportSection,
  type Table,
} from "../../src/view/index.ts";
import { MAX_DIST, METHOD_NAMES, PAIRS } from "./sanity-methods.ts";
import { curvePanels, pictureRows, type Line } from "./sanity-panels.ts";
import type { CheckedNetwork, Mode, PermutedLabels, SanityStudy } from "./sanity-study.ts";
import { mean, sampleDeviation } from "./statistics.ts";

export interface Run {
  readonly study: SanityStudy;
  readonly adapter: string;
  readonly seconds: number;
}

/** By the names that sanityCheck gives them. */
const SIMILARITIES: Readonly<Record<string, string>> = {
  "spearman |.|": "Spearman, magnitudes",
  spearman: "Spearman, signed",
  ssim: "SSIM",
  hog: "HOG",
};
const MEASURES = Object.keys(SIMILARITIES);
const PICTURE_PIXELS = 112;

type Curves = CheckedNetwork["results"][Mode] & {};

export const deviation = (values: readonly number[]): number => (values.length > 1 ? sampleDeviation(values) : 0);
/** Names of those methods that have results. */
const methodsOf = (results: Readonly<Record<string, unknown>>, names = METHOD_NAMES): string[] =>
  names.filter((name) => name in results);

/** To a hundredth, and never "-0.00". */
const rounded = (value: number): number => Math.round(100 * value) / 100 + 0;
const withSpread = (values: readonly number[]): string =>
  rounded(mean(values)).toFixed(2) + (values.length > 1 ? ` ± ${deviation(values).toFixed(2)}` : "");

export function summaryText({ study }: Run): string {
  const parts = study.networks.map((network) => {
    const { columns, rows } = lastTable(network);
    return `${network.name}, all layers random: similarity to the trained network's maps\n${textTable(
      columns,
      rows.map((r) => r.map(String)),
    )}`;
  });
  return parts.join("\n\n");
}

export async function sanityReport(run: Run): Promise<string> {
  const { study } = run;
  const [clothes, real] = study.networks;
  return report({
    title: "Do maps notice that a network has forgotten everything?",
    text: INTRODUCTION,
    tables: [overview(study)],
    sections: [
      ...(await networkSections(clothes!)),
      await permutedSection(study.permuted, clothes!),
      ...(await networkSections(real!)),
      { heading: "What was done", text: procedure(study), facts: facts(run) },
    ],
  });
}

// ---- words ----------------------------------------------------------------------------------------------------------

const INTRODUCTION =
  "A map that explains a network should change when the network loses what it learnt (Adebayo et al., arXiv 1810.03292). " +
  "Here layers lose their weights, from the output to the input, and each method's map is compared with that of the trained " +
  "network, for the same class: 1 means the same map, 0 no relation. Every method is shown as it is, and with its labels in " +
  "competition (Gupta and Arora, arXiv 1905.12152), where a label's map keeps a pixel only if no other label claims more of " +
  "it. CGI is gradient × input in competition.\n\n" +
  "Read the ranks of magnitudes with care. Gradient × input, Integrated Gradients (IG) and Guided IG multiply with the input: " +
  "where that is 0, so is the map, whatever the network does, and where it is large, the map tends to be. That alone keeps " +
  "the ranks of magnitudes alike. Signs have no such help from the input, so signed ranks say more about these methods. Competition sets many " +
  "pixels to 0, in other places for every network, which lowers similarities in itself. HOG is no judge of what is left: " +
  "isolated pixels have horizontal and vertical edges only, so that two unrelated maps of which one pixel in ten is not 0 " +
  "score 0.6 to 0.7.\n\n" +
  "A map that stays alike does not explain what the network learnt. The reverse does not hold: a map of noise would do best here, " +
  "so low values do not say that a map is right.";

/** Rank correlations of all networks beside one another. */
function overview({ networks }: SanityStudy): Table {
  const ranks = MEASURES.slice(0, 2);
  return {
    caption: "Rank correlation with the maps of the trained network when all layers are random, mean over the pictures",
    columns: ["method", ...networks.flatMap(({ name }) => [`${name}: magnitudes`, "signed"])],
    rows: METHOD_NAMES.map((method) => [
      method,
      ...networks.flatMap((network) =>
        ranks.map((m) =>
          method in network.inputRanks ? rounded(lastCurve(network, method, m).mean.at(-1)!).toFixed(2) : "–",
        ),
      ),
    ]),
  };
}

function procedure({ settings, permuted }: SanityStudy): string {
  const { cnn, real } = settings;
  return (
    "Randomised parameters are drawn from a normal distribution with standard deviation 0.01, again beyond two of them; biases, " +
    "too. Cascading: layers stay random. Independent: one at a time, the others as trained. The explained class stays the one " +
    "that the trained network predicts.\n\n" +
    "Similarities: Spearman's rank correlation of magnitudes and of signed values, equal values sharing their ranks; " +
    "SSIM (Gaussian windows of 1.5 pixels) and the rank correlation of histograms of oriented gradients, both of maps divided by their largest magnitude. " +
    "A map that is 0 everywhere has no ranks: its correlation counts as 0.\n\n" +
    `Integrated Gradients: ${cnn.nodes} midpoints (faces: ${real.nodes}); Guided IG: ${cnn.guidedSteps} steps (${real.guidedSteps}) in a corridor of ` +
    `±${MAX_DIST}, where the authors take 200 steps and ±0.02. Few steps are coarse; what is compared are patterns, not sums. Paths ` +
    "start at zeros. Competition is between all classes.\n\n" +
    `Permuted labels: the small network is trained twice from the same initial weights for ${permuted.steps} steps, on ${permuted.examples} pictures with their labels and ` +
    "with the same labels in another order. Pictures that are explained were not trained on.\n\n" +
    "Bands and ± are standard deviations where there are several pictures, not errors of the mean; weights are drawn once. Few pictures, two networks: not a ranking of methods."
  );
}

// ---- sections -------------------------------------------------------------------------------------------------------

const lastCurve = ({ results }: CheckedNetwork, method: string, measure: string): Curve =>
  results.cascading!.curves[method]![measure]!;

async function networkSections(network: CheckedNetwork): Promise<ReportSection[]> {
  const { name, about, results } = network;
  const sections: ReportSection[] = [
    { heading: name, text: about, figures: [await subjects(network)], tables: [lastTable(network)] },
  ];
  for (const [mode, result] of Object.entries(results)) {
    sections.push({
      heading: `${name}: ${mode} randomisation`,
      figures: [curvesFigure(name, mode, result), await mapsFigure(network, mode, result)],
    });
  }
  return sections;
}

const resized = (picture: Raster): Raster => {
  const scale = Math.max(1, Math.round(PICTURE_PIXELS / picture.width));
  return resizeRaster(picture, scale * picture.width, scale * picture.height);
};

async function subjects({ pictures, classNames }: CheckedNetwork): Promise<Figure> {
  return {
    content: await labelledStrip({ title: "Pictures", images: pictures.map(resized), labels: classNames }),
    caption: "With the class that the trained network predicts, which is the one that is explained throughout.",
  };
}

const over = (pictures: number): string =>
  pictures > 1 ? `± standard deviation over ${pictures} pictures` : "one picture";

/** Similarities at the end of the cascade. */
export function lastTable(network: CheckedNetwork): Table {
  const rows = methodsOf(network.inputRanks).map((method) => [
    method,
    ...MEASURES.map((measure) => withSpread(lastCurve(network, method, measure).values.at(-1)!)),
    rounded(network.inputRanks[method]!).toFixed(2),
  ]);
  return {
    caption: `All layers random, ${over(network.classNames.length)}. Last column: rank correlation of |map| of the trained network with |input|.`,
    columns: ["method", ...Object.values(SIMILARITIES), "|map| with |input|"],
    rows,
  };
}

const layerKey = (layers: readonly string[]): string => layers.map((layer, k) => `${k + 1} ${layer}`).join(", ");

function curvesFigure(name: string, mode: string, { layers, targets, curves }: Curves): Figure {
  const cascading = mode === "cascading";
  return {
    content: curvePanels({
      title: `${name}, ${mode}: similarity to the maps of the trained network`,
      rows: Object.values(SIMILARITIES),
      columns: PAIRS.map(({ plain }) => plain),
      legend: ["as it is", "labels in competition"],
      lines: (row, column) => {
        const { plain, competing } = PAIRS[column]!;
        return methodsOf(curves, [plain, competing]).map((method) =>
          lineOf(method, curves[method]![MEASURES[row]!]!, cascading),
        );
      },
      first: cascading ? 0 : 1,
      xLabel: cascading ? "number of random layers, from the output" : "the one layer that is random",
    }),
    caption:
      `${cascading ? "0: trained. Random from 1 on" : "Random"}: ${layerKey(layers)}. ${targets.length > 1 ? "Bands: standard deviation over pictures. " : ""}` +
      "In the second column the competitive form is CGI.",
  };
}

/** In a cascade, curves begin with the trained network itself. */
export function lineOf(name: string, { mean: means, values }: Curve, fromOne: boolean): Line {
  const start = fromOne ? [1] : [];
  return { name, mean: [...start, ...means], spread: [...start.map(() => 0), ...values.map(deviation)] };
}

async function mapsFigure(
  { name, pictures, classNames }: CheckedNetwork,
  mode: string,
  { layers, maps }: Curves,
): Promise<Figure> {
  const scale = Math.max(1, Math.round(PICTURE_PIXELS / pictures[0]!.width));
  const columns = ["trained", ...layers.map((layer, k) => `${k + 1} ${layer}`)];
  return {
    content: await pictureRows({
      title: `${name}, ${mode}: maps of the first picture`,
      columns,
      rows: mapRows(maps!, scale),
    }),
    caption:
      `The map of "${classNames[0]}" by the trained network, then with random layers. Red speaks for the class, blue against ` +
      "it; every map has a scale of its own, since gradients of random networks are tiny. White: exactly or nearly 0.",
  };
}

const mapRows = (maps: Readonly<Record<string, readonly HostArray[]>>, scale: number) =>
  methodsOf(maps).map((name) => ({ name, pictures: maps[name]!.map((map) => heatMap(entry(map, 0), { scale })) }));

async function permutedSection({ result, examples }: PermutedLabels, network: CheckedNetwork): Promise<ReportSection> {
  const [proper, wrong] = [result.losses.labels.at(-1)!, result.losses.permuted.at(-1)!];
  const learnt =
    wrong < 0.1
      ? "So both were learnt by heart."
      : "So the permuted labels were not learnt by heart, and this comparison says little.";
  const scale = Math.max(1, Math.round(PICTURE_PIXELS / network.pictures[0]!.width));
  return {
    heading: "Clothes: permuted labels",
    text:
      `Two networks of the same kind, from the same initial weights: one learnt ${examples} pictures with their labels (last loss ` +
      `${proper.toPrecision(2)}), the other the same pictures with permuted labels (${wrong.toPrecision(2)}). ${learnt} Maps of held-out pictures by both are compared.`,
    figures: [
      {
        content: await pictureRows({
          title: "Maps of the first picture",
          columns: ["true labels", "permuted"],
          rows: mapRows(result.maps!, scale),
        }),
        caption: "Every map has a scale of its own.",
      },
    ],
    tables: [permutedTable(result.curves, network.classNames.length)],
  };
}

const permutedTable = (curves: Curves["curves"], pictures: number): Table => ({
  caption: `Similarity of maps after training on true and on permuted labels, ${over(pictures)}`,
  columns: ["method", ...Object.values(SIMILARITIES)],
  rows: METHOD_NAMES.map((method) => [method, ...MEASURES.map((m) => withSpread(curves[method]![m]!.values[0]!))]),
});

// ---- numbers --------------------------------------------------------------------------------------------------------

const facts = ({ study, adapter, seconds }: Run) => ({
  "accuracy on trained pictures": study.accuracy.train,
  "accuracy on held-out pictures": study.accuracy.held,
  weights: study.cached ? "out of the cache" : "trained in this run",
  "time in all": `${seconds.toFixed(0)} s`,
  adapter,
});

export function resultJson({ study, adapter, seconds }: Run): unknown {
  const { settings, accuracy, cached, permuted } = study;
  return {
    settings,
    accuracy,
    cached,
    networks: study.networks.map(({ name, classNames, inputRanks, results }) => ({
      name,
      explained: classNames,
      inputRanks,
      checks: Object.fromEntries(
        Object.entries(results).map(([mode, { layers, curves }]) => [mode, { layers, curves }]),
      ),
    })),
    permuted: {
      examples: permuted.examples,
      steps: permuted.steps,
      losses: permuted.result.losses,
      curves: permuted.result.curves,
    },
    adapter,
    seconds,
  };
}
