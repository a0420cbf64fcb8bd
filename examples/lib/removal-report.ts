// The remove-and-retrain study as text, page and JSON.
import { textTable } from "../../src/cli/table.ts";
import {
  barChart,
  interactionMatrix,
  lineChart,
  report,
  type Figure,
  type ReportSection,
  type Table,
} from "../../src/view/index.ts";
import { METHODS, perMethod, type ExperimentSettings, type Method, type Outcome } from "./removal.ts";
import { allPairs, type TargetName } from "./simulate.ts";
import { mean, meanHeight, sampleDeviation } from "./statistics.ts";

export interface Study {
  readonly targets: readonly TargetName[];
  readonly seeds: number;
  readonly settings: ExperimentSettings;
  readonly outcomes: readonly Outcome[];
  readonly adapter: string;
  readonly seconds: number;
}

const FORMULAS: Readonly<Record<TargetName, string>> = {
  multiply: "x y",
  maximum: "max(x, y)",
  minimum: "min(x, y)",
  cossum: "cos(x + y)",
  tanhsum: "tanh(x + y)",
};

/**
 * Mean height of an outcome's curve from no pair removed to the last level: smaller is better. Below 0 there is nothing
 * left to be learnt, and how much worse than the mean a network has become is no merit of the ranking: it counts as 0.
 */
export const areaOf = (outcome: Outcome, method: Method, levels: readonly number[]): number =>
  meanHeight(
    [0, ...levels],
    outcome.curves[method].explained.map((share) => Math.max(0, share)),
  );

/** Mean and sample deviation over seeds. */
interface Spread {
  readonly mean: number;
  /** Undefined for a single seed. */
  readonly deviation: number | undefined;
}

const spreadOf = (values: readonly number[]): Spread => ({
  mean: mean(values),
  deviation: values.length > 1 ? sampleDeviation(values) : undefined,
});

const spreadText = ({ mean: centre, deviation }: Spread): string =>
  `${centre.toFixed(3)}${deviation === undefined ? "" : ` ± ${deviation.toFixed(3)}`}`;

/** How figures of several seeds came about. */
const seedsText = (seeds: number): string =>
  seeds === 1 ? "one seed" : `means ± standard deviations over ${seeds} seeds`;

interface Summary {
  readonly target: TargetName;
  readonly before: Spread;
  readonly curves: Record<Method, Spread[]>;
  readonly areas: Record<Method, Spread>;
  readonly precision: Record<Method, Spread>;
  readonly rank: Record<Method, Spread>;
}

export function summarise({ targets, outcomes, settings: { levels } }: Study): Summary[] {
  return targets.map((target) => {
    const own = outcomes.filter((outcome) => outcome.target === target);
    const over = (f: (outcome: Outcome) => number): Spread => spreadOf(own.map(f));
    return {
      target,
      before: over((o) => o.before),
      curves: perMethod((m) => [0, ...levels].map((_, k) => over((o) => o.curves[m].explained[k]!))),
      areas: perMethod((m) => over((o) => areaOf(o, m, levels))),
      precision: perMethod((m) => over((o) => o.recovery[m].averagePrecision)),
      rank: perMethod((m) => over((o) => o.recovery[m].meanRank)),
    };
  });
}

/** In how many runs Integrated Hessians have the smallest area, and their mean area over all runs. */
function verdict({ outcomes, settings: { levels } }: Study): { wins: number; areas: Record<Method, number> } {
  const wins = outcomes.filter((o) => {
    const own = areaOf(o, "Integrated Hessians", levels);
    return METHODS.every((m) => m === "Integrated Hessians" || own < areaOf(o, m, levels));
  }).length;
  return { wins, areas: perMethod((m) => mean(outcomes.map((o) => areaOf(o, m, levels)))) };
}

export function summaryText(study: Study): string {
  const rows = summarise(study).map(({ target, areas }) => [target, ...METHODS.map((m) => spreadText(areas[m]))]);
  const { wins } = verdict(study);
  return (
    `Held-out explained variance while pairs are removed, mean over the curve (smaller is better):\n\n` +
    `${textTable(["target", ...METHODS], rows)}\n\n` +
    `Integrated Hessians are lowest in ${wins} of ${study.outcomes.length} runs.`
  );
}

export function resultJson(study: Study): unknown {
  const { settings, seconds, adapter, outcomes } = study;
  return {
    settings,
    seconds,
    adapter,
    levels: [0, ...settings.levels],
    summary: summarise(study),
    runs: outcomes.map(({ simulation, found, ...outcome }) => ({
      ...outcome,
      coefficients: Array.from(simulation.coefficients),
      meanInteractions: Array.from(found),
      areas: perMethod((m) => areaOf(outcome as Outcome, m, settings.levels)),
    })),
  };
}

export async function interactionsReport(study: Study): Promise<string> {
  const summaries = summarise(study);
  return report({
    title: "Remove and retrain: which interactions matter?",
    text: introduction(study),
    figures: [overview(study)],
    tables: [areaTable(summaries, study), recoveryTable(summaries, study)],
    sections: [
      curvesSection(summaries, study),
      exampleSection(study.outcomes[0]!),
      { heading: "What was done", text: procedure(study.settings), facts: facts(study) },
      { heading: "What differs from the paper", text: DIFFERENCES },
    ],
  });
}

function introduction(study: Study): string {
  const { wins, areas } = verdict(study);
  const others = METHODS.slice(1).map((m) => `${areas[m].toFixed(3)} with ${m === "random" ? "random order" : m}`);
  return (
    `A network learns a target that is known to be a sum over pairs of features. Each method ranks the pairs; ` +
    `the strongest are made unlearnable, and a new network is trained on what is left. The better the ranking, ` +
    `the faster the held-out explained variance (R²) falls.\n\n` +
    `Averaged over the curves of all ${study.outcomes.length} runs, R² is ` +
    `${areas["Integrated Hessians"].toFixed(3)} with Integrated Hessians, ${others.join(", ")}. Integrated ` +
    `Hessians are lowest in ${wins} of ${study.outcomes.length} runs.`
  );
}

function overview(study: Study): Figure {
  const { areas } = verdict(study);
  const bars = METHODS.map((method) => ({ label: method, value: areas[method] }));
  return {
    content: barChart({
      bars,
      title: "Explained variance left, all targets",
      valueLabel: "mean R² over the removal curve",
      format: (value) => value.toFixed(3),
    }),
    caption: "Smaller is better: more of what can be learnt was among the pairs removed first.",
  };
}

const METHOD_COLUMNS = METHODS.map((method) => (method === "random" ? "random order" : method));

const areaTable = (summaries: readonly Summary[], { seeds }: Study): Table => ({
  caption: `Mean R² over the removal curve, ${seedsText(seeds)}; smaller is better. Values below 0 count as 0.`,
  columns: ["target", "function", "nothing removed", ...METHOD_COLUMNS],
  rows: summaries.map(({ target, before, areas }) => [
    target,
    FORMULAS[target],
    spreadText(before),
    ...METHODS.map((m) => spreadText(areas[m])),
  ]),
});

function recoveryTable(summaries: readonly Summary[], { settings, seeds }: Study): Table {
  const all = allPairs(settings.features).length;
  return {
    caption:
      `How the mean strength over held-out rows finds the ${settings.pairs} true ones among ${all} pairs: average ` +
      `precision (1: all come first) / mean rank (best ${(settings.pairs + 1) / 2}, chance ${(all + 1) / 2}), ` +
      `${seeds === 1 ? "one seed" : `means over ${seeds} seeds`}. Coefficients are random, some so small that a ` +
      `pair is true in name only.`,
    columns: ["target", ...METHOD_COLUMNS],
    rows: summaries.map(({ target, precision, rank }) => [
      target,
      ...METHODS.map((m) => `${precision[m].mean.toFixed(2)} / ${rank[m].mean.toFixed(1)}`),
    ]),
  };
}

function curvesSection(summaries: readonly Summary[], study: Study): ReportSection {
  return {
    heading: "Curves",
    text:
      `One chart for each target${study.seeds === 1 ? "" : `, means over ${study.seeds} seeds`}. Below 0, a ` +
      "network is worse than the mean of the target: it has learnt noise.",
    figures: summaries.map((summary) => curvesFigure(summary, study)),
    tables: summaries.map((summary) => curvesTable(summary, study)),
  };
}

function curvesFigure({ target, curves }: Summary, { settings }: Study): Figure {
  return {
    content: lineChart({
      series: METHODS.map((method, k) => ({
        name: METHOD_COLUMNS[k]!,
        x: [0, ...settings.levels],
        y: curves[method].map((spread) => spread.mean),
      })),
      x: { label: "pairs removed from each row" },
      y: { label: "held-out R² of a new network" },
      title: `${target}: ${FORMULAS[target]}`,
      width: 550,
    }),
    caption: `Remove and retrain, ${target}.`,
  };
}

const curvesTable = ({ target, curves }: Summary, { settings, seeds }: Study): Table => ({
  caption: `${target}: held-out R², ${seedsText(seeds)}`,
  columns: ["removed", ...METHOD_COLUMNS],
  rows: [0, ...settings.levels].map((level, k) => [String(level), ...METHODS.map((m) => spreadText(curves[m][k]!))]),
});

/** What was to be found in one run, and what was. */
function exampleSection({ target, seed, simulation, found }: Outcome): ReportSection {
  const n = simulation.features;
  const labels = Array.from({ length: n }, (_, i) => `x${i}`);
  const symmetric = (ofPair: (pair: number) => number): Float64Array => {
    const values = new Float64Array(n * n);
    allPairs(n).forEach(([i, j], pair) => (values[i * n + j] = values[j * n + i] = ofPair(pair)));
    return values;
  };
  const common = { labels, diagonal: "hide", percentile: 100, cell: 46 } as const;
  return {
    heading: `One run: ${target}, seed ${seed}`,
    figures: [
      {
        content: interactionMatrix({
          ...common,
          values: symmetric((pair) => Math.abs(simulation.coefficients[pair]!)),
          title: "What was to be found",
          valueLabel: "|coefficient|",
        }),
        caption: "Coefficients of the pairs, without their signs, relative to the target's standard deviation.",
      },
      {
        content: interactionMatrix({
          ...common,
          values: symmetric((pair) => found[pair]!),
          title: "What Integrated Hessians found",
          valueLabel: "mean |G_ij + G_ji|",
        }),
        caption: "Mean magnitude over the held-out rows. What it is for a coefficient of 1 depends on the function.",
      },
    ],
  };
}

function procedure(s: ExperimentSettings): string {
  return (
    `Data: ${s.trainRows} training and ${s.testRows} held-out rows of ${s.features} independent standard normal ` +
    `features. ${s.pairs} of the ${allPairs(s.features).length} pairs are drawn at random, each with a standard ` +
    `normal coefficient; the target is the sum of coefficient times function of the two features, divided by its ` +
    `standard deviation.\n\n` +
    `Network: ReLU, ${[s.features, ...s.hidden, 1].join("-")}, ${s.steps} steps of ${s.batch} rows with Adam, ` +
    `learning rate ${s.learningRate}, falling linearly. Every retrained network starts from the same weights as ` +
    `the first.\n\n` +
    `Rankings: ReLU has no second derivative, so for the explanation (not for training) it is replaced by ` +
    `softplus with beta = ${s.beta}. Every row, training and held-out, gets its own order of the pairs: by |G_ij ` +
    `+ G_ji| of Integrated Hessians (baseline 0, ${s.nodes} nodes), by |H_ij x_i x_j| or by |H_ij| of the ` +
    `Hessian at the row itself, or at random.\n\n` +
    `Removal of k pairs: in each row, the k first pairs of its order lose their meaning. If such a pair is one ` +
    `of the true ones, its share of the row's target is computed from two newly drawn normal numbers instead of ` +
    `the row's features: equal in distribution, but independent of all inputs, so that it cannot be learnt. ` +
    `Inputs stay as they are; pairs without a share change nothing when removed. Held-out targets are treated in ` +
    `the same way, and R² = 1 - mean squared error / variance refers to them. All methods and numbers of pairs ` +
    `use the same draws.`
  );
}

const DIFFERENCES =
  'After Janizek, Sturmfels and Lee, "Explaining Explanations: Axiomatic Feature Interactions for Deep Networks" ' +
  "(arXiv 2002.04138), and the code published with it, which ranks pairs row by row, too.\n\n" +
  "There, 5000 rows serve for training, early stopping and testing, and a curve is the mean of 25 retrainings on " +
  "one data set with 0 to 44 pairs removed; here every seed has other data, pairs and weights, networks train " +
  "for a fixed number of steps, and fewer numbers of pairs are tried. There, the curves show the mean squared " +
  "error, which rises; here R², which falls (errors are in result.json). There, drawing anew also changes the " +
  "features that later pairs of the row see; here each share is replaced for itself. There, Integrated Hessians " +
  "are computed on a grid of two dimensions; here as one integral. Shapley sampling, contextual decomposition " +
  "and neural interaction detection are not part of this comparison.";

function facts({ settings, seeds, outcomes, adapter, seconds }: Study) {
  const most = (f: (o: Outcome) => number): string => `${(100 * Math.max(...outcomes.map(f))).toFixed(1)}\u00a0%`;
  return {
    runs: `${outcomes.length} (${seeds} ${seeds === 1 ? "seed" : "seeds"} per target)`,
    "networks trained": outcomes.length * (1 + METHODS.length * settings.levels.length),
    "beta at explanation": settings.beta,
    "nodes of the quadrature": settings.nodes,
    "row residual / largest |G|, at most": most((o) => o.residual),
    "moved by smoothing, RMS / deviation": most((o) => o.moved),
    adapter,
    time: `${seconds.toFixed(0)} s`,
  };
}
