// How well do gradient methods agree with exact Shapley values, and how many baselines does that take?
import {
  exactShapley,
  integratedGradients,
  meanOf,
  sampledShapley,
  sampleOf,
  shapleyIG,
  type ModelLike,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { reluNetwork, predictFleet, trainFleet } from "./fleet.ts";
import {
  allWays,
  bestWay,
  CELLS,
  gridFeatures,
  OBJECTS,
  optimalValue,
  passabilities,
  randomGrid,
  routeValue,
  type Grid,
} from "./gridworld.ts";
import { explainedVariance, mean, ranks } from "./statistics.ts";

export const METHODS = [
  "Shapley IG",
  "Shapley IG, excluded",
  "IG, zero",
  "IG, mean",
  "expected gradients",
  "sampled Shapley",
] as const;
export type Method = (typeof METHODS)[number];

export const GAMES = ["all routes", "best route", "learnt value"] as const;
export type GameName = (typeof GAMES)[number];

export interface StudySettings {
  readonly seeds: number;
  /** Situations that are explained, for each seed. */
  readonly situations: number;
  /** Numbers of coalitions of each size. */
  readonly perSize: readonly number[];
  /** Nodes of every path. */
  readonly steps: number;
  readonly training: { readonly grids: number; readonly steps: number; readonly batch: number };
}

export interface Agreement {
  /** Means over situations. */
  readonly cosine: number;
  readonly rank: number;
  /** Mean, over situations, of the sum of the attributions relative to the sum of the Shapley values. */
  readonly scale: number;
}

export interface Point extends Agreement {
  /** Baselines, or for sampled Shapley coalitions. */
  readonly baselines: number;
}

export interface Outcome {
  readonly game: GameName;
  readonly seed: number;
  readonly curves: Readonly<Record<Method, readonly Point[]>>;
  /** Held-out share of explained variance, of the learnt value. */
  readonly learnt: number | undefined;
  /** Of the first situation: its features, its Shapley values, and every method's last attributions, one per cell. */
  readonly example: {
    readonly features: Float32Array;
    readonly shapley: Float32Array;
    readonly attributions: Readonly<Record<Method, Float32Array>>;
  };
}

interface Situations extends Disposable {
  readonly model: ModelLike;
  readonly x: HostArray;
  /** Other situations, as baselines. */
  readonly others: HostArray;
  readonly groups: Int32Array;
  readonly learnt?: number;
}

interface Tools {
  readonly device: Device;
  readonly signal: AbortSignal;
}

const REFERENCES = 256;

export async function play(game: GameName, seed: number, settings: StudySettings, tools: Tools): Promise<Outcome> {
  const stream = nn.random(`${game}/${seed}`);
  using own = game === "learnt value" ? await learnt(stream, settings, tools) : analytic(game, stream, settings);
  const common = { ...tools, groups: own.groups };
  const { players } = await exactShapley(own.model, own.x, common);
  const curves = {} as Record<Method, Point[]>;
  const last = {} as Record<Method, Float32Array>;
  for (const method of METHODS) {
    const single = method === "IG, zero" || method === "IG, mean";
    curves[method] = [];
    for (const perSize of single ? [1] : settings.perSize) {
      if (method === "sampled Shapley" && perSize < 2) continue;
      const found = await attribute(method, own, perSize, seed, settings, tools);
      last[method] = found.values;
      curves[method].push({ baselines: found.baselines, ...agreement(found.values, players.data, CELLS) });
    }
  }
  const first = (values: ArrayLike<number>): Float32Array => Float32Array.from(values).slice(0, CELLS);
  return {
    game,
    seed,
    curves,
    learnt: own.learnt,
    example: {
      features: Float32Array.from(own.x.data).slice(0, own.x.shape[1]),
      shapley: first(players.data),
      attributions: Object.fromEntries(METHODS.map((m) => [m, first(last[m])])) as Record<Method, Float32Array>,
    },
  };
}

/** One number per situation and cell, [situations * CELLS]. */
async function attribute(
  method: Method,
  { model, x, others, groups }: Situations,
  perSize: number,
  seed: number,
  { steps }: StudySettings,
  tools: Tools,
): Promise<{ readonly values: Float32Array; readonly baselines: number }> {
  const game = { ...tools, groups, seed: seed + 1000 * perSize };
  if (method === "sampled Shapley") {
    const { players, evaluations } = await sampledShapley(model, x, { ...game, permutations: perSize });
    return { values: Float32Array.from(players.data), baselines: evaluations };
  }
  if (method === "Shapley IG" || method === "Shapley IG, excluded") {
    const average = method === "Shapley IG" ? "all" : "excluded";
    const { players, coalitions } = await shapleyIG(model, x, { ...game, perSize, average, steps });
    return { values: Float32Array.from(players.data), baselines: coalitions };
  }
  const count = method === "expected gradients" ? 1 + (CELLS - 1) * perSize : 1;
  const baseline =
    method === "IG, zero" ? "zero" : method === "IG, mean" ? meanOf(others) : sampleOf(others, count, game.seed);
  const { attributions } = await integratedGradients(model, x, { ...tools, baseline, steps });
  return { values: perCell(attributions.data, groups, x.shape[0]!), baselines: count };
}

function perCell(data: ArrayLike<number>, groups: Int32Array, situations: number): Float32Array {
  const sums = new Float32Array(situations * CELLS);
  for (let k = 0; k < data.length; k++)
    sums[Math.floor(k / groups.length) * CELLS + groups[k % groups.length]!]! += data[k]!;
  return sums;
}

/** Rows of `width` numbers, compared row by row; rows without any Shapley value take no part. */
export function agreement(values: ArrayLike<number>, truth: ArrayLike<number>, width: number): Agreement {
  const rows = (all: ArrayLike<number>): Float64Array[] =>
    Array.from({ length: all.length / width }, (_, b) =>
      Float64Array.from(Array.from(all).slice(b * width, (b + 1) * width)),
    );
  const found = rows(values);
  const pairs = rows(truth).flatMap((row, b) =>
    row.some((v) => Math.abs(v) > 1e-6) ? [[found[b]!, row] as const] : [],
  );
  const total = (row: Float64Array): number => row.reduce((a, b) => a + b, 0);
  const sized = pairs.filter(([, row]) => Math.abs(total(row)) > 0.05);
  return {
    cosine: mean(pairs.map(([a, b]) => cosine(a, b))),
    rank: mean(pairs.map(([a, b]) => cosine(centred(ranks(a)), centred(ranks(b))))),
    scale: mean(sized.map(([a, b]) => total(a) / total(b))),
  };
}

function cosine(a: Float64Array, b: Float64Array): number {
  const dot = (u: Float64Array, v: Float64Array): number => u.reduce((s, x, i) => s + x * v[i]!, 0);
  const norms = Math.sqrt(dot(a, a) * dot(b, b));
  return norms === 0 ? 0 : dot(a, b) / norms;
}

function centred(values: Float64Array): Float64Array {
  const middle = mean(values);
  return values.map((v) => v - middle);
}

/** One function each for all seeds, so that these share their programs. */
const ROUTE_VALUES = {
  "all routes": (x: Value): Value => routeValue(x, allWays),
  "best route": (x: Value): Value => routeValue(x, bestWay(10)),
};

function analytic(game: keyof typeof ROUTE_VALUES, stream: nn.Random, { situations }: StudySettings): Situations {
  return {
    model: ROUTE_VALUES[game],
    x: passabilities(situations, stream.fork("situations")),
    others: passabilities(REFERENCES, stream.fork("others")),
    groups: Int32Array.from({ length: CELLS }, (_, cell) => cell),
    [Symbol.dispose]: () => undefined,
  };
}

/** A network that has learnt the optimal values of random grids. */
async function learnt(
  stream: nn.Random,
  { training, situations }: StudySettings,
  { device, signal }: Tools,
): Promise<Situations> {
  const drawn = stream.fork("grids");
  const grids = Array.from({ length: training.grids }, () => randomGrid(drawn));
  const x = gridFeatures(grids);
  const width = CELLS * OBJECTS.length;
  const network = reluNetwork([width, 128, 64, 1]);
  const targets = [Float32Array.from(grids, (grid) => optimalValue(grid))];
  const weights = await trainFleet(device, { network, x, targets, key: String(stream.uniform()), learningRate: 0.005, signal, ...training }); // prettier-ignore
  const held = Array.from({ length: 500 }, () => randomGrid(drawn));
  const [predicted] = await predictFleet(network, weights, gridFeatures(held), 1);
  const model = nn.modelOf(network, weights, [width]);
  return {
    model,
    x: gridFeatures(held.filter(worthwhile).slice(0, situations)),
    others: hostArray(x.data.slice(0, REFERENCES * width), [REFERENCES, width]),
    groups: Int32Array.from({ length: width }, (_, i) => Math.floor(i / OBJECTS.length)),
    learnt: explainedVariance(predicted!, held.map((grid) => optimalValue(grid))), // prettier-ignore
    [Symbol.dispose]: () => model.dispose(),
  };
}

/** With gold to be reached and a pit to be avoided. */
const worthwhile = (grid: Grid): boolean => grid.includes(0) && grid.includes(1) && optimalValue(grid) > 0.2;
