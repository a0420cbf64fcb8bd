// The grid world study as text, page and JSON.
import { textTable } from "../../src/cli/table.ts";
import {
  heatMap,
  labelledStrip,
  lineChart,
  report,
  type Figure,
  type ReportSection,
  type Table,
} from "../../src/view/index.ts";
import { CELLS, HEIGHT, OBJECTS, WIDTH } from "./gridworld.ts";
import {
  GAMES,
  METHODS,
  type Agreement,
  type GameName,
  type Method,
  type Outcome,
  type StudySettings,
} from "./gridworld-study.ts";
import { largestMagnitude, mean, sampleDeviation } from "./statistics.ts";

export interface Study {
  readonly settings: StudySettings;
  readonly outcomes: readonly Outcome[];
  readonly adapter: string;
  readonly seconds: number;
}

const VALUES: Readonly<Record<GameName, string>> = {
  "all routes":
    "Every cell has a passability between 0.3 and 1. The value is the sum, over all routes from the upper left to the " +
    "lower right cell by steps to the right, down or both, of the product of the passabilities on the route and 0.9 per " +
    "step. A cell that is absent is blocked (0). This is a sum of products of different cells, so Integrated Gradients " +
    "from zero are its Shapley values, exactly: each product is split evenly by both. No other method here is.",
  "best route":
    "The same cells, but of the ways on from a cell nearly only the best one counts: a mean with the weights softmax(10 " +
    "value). This is no sum of products any more, and the straight path from zero is no longer exact.",
  "learnt value":
    "Cells hold gold (pays 1), pits (cost 1), walls or nothing; steps go astray with chance 0.2. A ReLU network has learnt " +
    "the value of the best policy, from value iteration on random grids. A cell that is absent holds nothing. What is " +
    "explained is the network, not the policy.",
};

const last = (outcome: Outcome, method: Method) => outcome.curves[method].at(-1)!;
const ofGame = ({ outcomes }: Study, game: GameName): Outcome[] => outcomes.filter((o) => o.game === game);

function spread(values: readonly number[]): string {
  const deviation = values.length > 1 ? ` ± ${sampleDeviation(values).toFixed(3)}` : "";
  return `${mean(values).toFixed(3)}${deviation}`;
}

const rowOf = (own: readonly Outcome[], method: Method): string[] => {
  const points = own.map((outcome) => last(outcome, method));
  const of = (key: keyof Agreement): string => spread(points.map((p) => p[key]));
  return [method, String(points[0]!.baselines), of("cosine"), of("rank"), of("scale")];
};
const COLUMNS = ["method", "baselines", "cosine", "rank correlation", "sum / Shapley sum"];

export function summaryText(study: Study): string {
  return GAMES.map((game) => {
    const own = ofGame(study, game);
    return `${game}\n\n${textTable(COLUMNS, METHODS.map((m) => rowOf(own, m)))}`; // prettier-ignore
  }).join("\n\n");
}

export const resultJson = ({ settings, seconds, adapter, outcomes }: Study): unknown => ({
  settings,
  seconds,
  adapter,
  runs: outcomes.map(({ game, seed, curves, learnt }) => ({ game, seed, learnt, curves })),
});

export async function gridworldReport(study: Study): Promise<string> {
  const sections: ReportSection[] = [];
  for (const game of GAMES) sections.push(await gameSection(study, game));
  return report({
    title: "Grid worlds: gradients against Shapley values",
    text: INTRODUCTION,
    tables: [overview(study)],
    sections: [...sections, { heading: "What was done", text: procedure(study), facts: facts(study) }],
  });
}

const INTRODUCTION =
  `${CELLS} cells of a grid are the players of a game: those of a coalition are as they are, all others are 0. Exact ` +
  "Shapley values, from all coalitions, are compared with what gradient methods give for every cell, and with Shapley " +
  "values estimated from random orders. Shapley Integrated Gradients average over baselines that coalitions make. They " +
  "are not Shapley values: their sum is f(x) minus the mean score of the coalitions, and products of different numbers " +
  "of players get different multiples of their share.";

const overview = (study: Study): Table => ({
  caption: "Cosine with the exact Shapley values at the largest number of baselines, mean over situations and seeds.",
  columns: ["method", ...GAMES],
  rows: METHODS.map((method) => [
    method,
    // Without the sign of a rounded 0.
    ...GAMES.map((game) =>
      (Math.round(100 * mean(ofGame(study, game).map((o) => last(o, method).cosine))) / 100 + 0).toFixed(2),
    ),
  ]),
});

async function gameSection(study: Study, game: GameName): Promise<ReportSection> {
  const own = ofGame(study, game);
  const learnt = own.flatMap((o) => (o.learnt === undefined ? [] : [o.learnt]));
  const quality = learnt.length > 0 ? `\n\nHeld-out R² of the networks: ${spread(learnt)}.` : "";
  return {
    heading: `Game: ${game}`,
    text: VALUES[game] + quality,
    figures: [
      curves(own, "cosine", "cosine with exact Shapley values"),
      curves(own, "rank", "rank correlation with exact Shapley values"),
      await maps(own[0]!),
    ],
    tables: [tableOf(own)],
  };
}

const tableOf = (own: readonly Outcome[]): Table => ({
  caption:
    `Agreement with exact Shapley values at the largest number of baselines, means over situations` +
    `${own.length > 1 ? `, ± standard deviation over ${own.length} seeds` : ""}. The last column compares sums where the ` +
    "Shapley values sum to more than 0.05 in magnitude.",
  columns: COLUMNS,
  rows: METHODS.map((method) => rowOf(own, method)),
});

/** Methods with a single baseline are level lines. */
function curves(own: readonly Outcome[], key: "cosine" | "rank", name: string): Figure {
  const most = Math.log2(Math.max(...own[0]!.curves["Shapley IG"].map((p) => p.baselines)));
  const series = METHODS.map((method) => {
    const points = own[0]!.curves[method];
    const y = points.map((_, k) => mean(own.map((o) => o.curves[method][k]![key])));
    if (points.length === 1) return { name: method, x: [Math.log2(12), most], y: [y[0]!, y[0]!] };
    return { name: method, x: points.map((p) => Math.log2(p.baselines)), y };
  });
  return {
    content: lineChart({
      series,
      x: { label: "log2 of the number of baselines (4: 16, 7: 128)" },
      y: { label: name },
      title: `${own[0]!.game}: ${name}`,
      width: 540,
      height: 380,
    }),
    caption:
      `Mean over situations and seeds. Level lines use one baseline. Sampled Shapley evaluates as many ` +
      "coalitions, forwards only; all others take gradients along a path from each baseline.",
  };
}

async function maps({ game, example }: Outcome): Promise<Figure> {
  const all = [example.shapley, ...METHODS.map((method) => example.attributions[method])];
  // Each map by itself: what is compared is the pattern, sums are in the table.
  const images = all.map((values) =>
    heatMap({ shape: [HEIGHT, WIDTH], data: values }, { scale: 36, limit: largestMagnitude(values) || 1 }),
  );
  return {
    content: await labelledStrip({
      images,
      labels: [
        "exact Shapley",
        ...METHODS.map((m) => m.replace("expected gradients", "expected grad.").replace("sampled ", "sampl. ")),
      ],
      columns: 4,
      title: `${game}: one situation`,
    }),
    caption: `Red raises the value, blue lowers it; every picture has a scale of its own. ${situationText(game, example.features)}`,
  };
}

function situationText(game: GameName, features: Float32Array): string {
  const cell = (i: number): string => {
    if (game !== "learnt value") return features[i]!.toFixed(2);
    const kind = OBJECTS.findIndex((_, k) => features[i * OBJECTS.length + k] === 1);
    return i === 0 ? "start" : (OBJECTS[kind] ?? "–");
  };
  const rows = Array.from({ length: HEIGHT }, (_, r) =>
    Array.from({ length: WIDTH }, (_, c) => cell(r * WIDTH + c)).join(" "),
  );
  return `The cells: ${rows.join(" | ")}.`;
}

const procedure = ({ settings }: Study): string =>
  `Each seed has ${settings.situations} situations of its own (and for the learnt value its own network, trained on ` +
  `${settings.training.grids} grids for ${settings.training.steps} steps). Shapley IG: for each size from 0 to ` +
  `${CELLS - 1}, ${settings.perSize.join(", ")} coalitions drawn in cyclic windows of a random order; "excluded" averages a cell ` +
  "only over the coalitions without it. Expected gradients: Integrated Gradients averaged over as many random situations as " +
  "Shapley IG has coalitions; IG, mean starts at the mean of the same situations. These two answer another question than the " +
  "Shapley values here, whose absent cells are 0: for them a disagreement is no error. " +
  `All paths have ${settings.steps} nodes. Cosine and Spearman's rank correlation are taken over the ${CELLS} cells of a ` +
  "situation. Equal values share their mean rank, which in the learnt game concerns the empty cells: their Shapley value is 0.";

const facts = ({ settings, outcomes, adapter, seconds }: Study) => ({
  seeds: settings.seeds,
  "situations per seed": settings.situations,
  games: outcomes.length,
  adapter,
  time: `${seconds.toFixed(0)} s`,
});
