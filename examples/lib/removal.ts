// Remove and retrain: rank the pairs of every row by a trained network, take the strongest out of the data, train
// anew, and see how much of the held-out target can still be learnt.
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { predictFleet, reluNetwork, trainFleet } from "./fleet.ts";
import {
  hessianStrengths,
  integratedStrengths,
  meanStrengths,
  ordersOf,
  randomStrengths,
  timesInputs,
  type Strengths,
} from "./rankings.ts";
import {
  contributions,
  normalised,
  normalRows,
  replacements,
  simulation,
  withRemoved,
  type Simulation,
  type TargetName,
} from "./simulate.ts";
import { explainedVariance, meanSquaredDifference, recovery, type Recovery } from "./statistics.ts";

export const METHODS = ["Integrated Hessians", "Hessian × inputs", "Hessian", "random"] as const;
export type Method = (typeof METHODS)[number];

export interface ExperimentSettings {
  readonly features: number;
  readonly pairs: number;
  readonly trainRows: number;
  readonly testRows: number;
  readonly hidden: readonly number[];
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly beta: number;
  readonly nodes: number;
  /** Numbers of pairs removed from each row; 0 is measured anyway. */
  readonly levels: readonly number[];
}

export interface Outcome {
  readonly target: TargetName;
  readonly seed: number;
  readonly simulation: Simulation;
  /** Held-out share of explained variance with nothing removed. */
  readonly before: number;
  /** Of the smoothed network's integral, see {@link integratedStrengths}. */
  readonly residual: number;
  readonly moved: number;
  /** For each method: held-out explained variance and mean squared error at each level, 0 first. */
  readonly curves: Readonly<Record<Method, { readonly explained: number[]; readonly error: number[] }>>;
  /** Mean strength of every pair over the held-out rows by Integrated Hessians. */
  readonly found: Float64Array;
  /** For each method: how mean strengths over the held-out rows find the true pairs. */
  readonly recovery: Readonly<Record<Method, Recovery>>;
}

export interface ExperimentTools {
  readonly device: Device;
  readonly signal: AbortSignal;
}

/** One target with one seed: data, ranking, and a retrained network for every method and level. */
export async function experiment(
  target: TargetName,
  seed: number,
  settings: ExperimentSettings,
  { device, signal }: ExperimentTools,
): Promise<Outcome> {
  const stream = nn.random(`${target}/${seed}`);
  const data = simulated(target, settings, stream);
  const network = reluNetwork([settings.features, ...settings.hidden, 1]);
  const training = { network, x: data.train, key: `${target}/${seed}/network`, signal, ...settings };

  const first = await trainFleet(device, { ...training, targets: [data.whole.subarray(0, settings.trainRows)] });
  const model = nn.modelOf(network, first, [settings.features]);
  const { strengths, ...quality } = await strengthsOf(model, data.x, settings, stream.fork("order"), signal);
  const [predicted] = await predictFleet(network, first, data.test, 1);
  model.dispose();

  const runs = METHODS.flatMap((method) => settings.levels.map((level) => ({ method, level })));
  const targets = runs.map(({ method, level }) => data.removed(ordersOf(strengths[method], data.pairs), level));
  const fleet = await trainFleet(device, {
    ...training,
    targets: targets.map((y) => y.subarray(0, settings.trainRows)),
  });
  const predictions = await predictFleet(network, fleet, data.test, runs.length);
  Object.values(fleet).forEach((tensor) => tensor.dispose());

  const held = (y: Float64Array): Float64Array => y.subarray(settings.trainRows);
  const scored = [
    scoreOf(predicted!, held(data.whole)),
    ...runs.map((_, k) => scoreOf(predictions[k]!, held(targets[k]!))),
  ];
  const truth = (pair: number): boolean => data.simulation.coefficients[pair] !== 0;
  const ofHeldOut = (method: Method): Strengths => strengths[method].subarray(settings.trainRows * data.pairs);
  return {
    target,
    seed,
    simulation: data.simulation,
    before: scored[0]!.explained,
    ...quality,
    curves: perMethod((method) => {
      const own = [scored[0]!, ...scored.slice(1).filter((_, k) => runs[k]!.method === method)];
      return { explained: own.map((s) => s.explained), error: own.map((s) => s.error) };
    }),
    found: meanStrengths(ofHeldOut("Integrated Hessians"), data.pairs),
    recovery: perMethod((method) => recovery(meanStrengths(ofHeldOut(method), data.pairs), truth)),
  };
}

export const perMethod = <T>(f: (method: Method) => T): Record<Method, T> =>
  Object.fromEntries(METHODS.map((method) => [method, f(method)])) as Record<Method, T>;

/** Training rows first, then the held-out ones. */
function simulated(target: TargetName, settings: ExperimentSettings, stream: nn.Random) {
  const { features, trainRows, testRows } = settings;
  const rows = trainRows + testRows;
  const values = normalRows(rows, features, stream.fork("rows"));
  const raw = simulation(target, features, settings.pairs, stream.fork("pairs"));
  const scaled = normalised(raw, values.subarray(0, trainRows * features));
  const shares = contributions(scaled, values);
  // The same draws for all methods and levels, so that luck does not tell them apart.
  const drawn = replacements(scaled, rows, stream.fork("replacements"));
  const pairs = scaled.coefficients.length;
  const array = (from: number, to: number): HostArray =>
    hostArray(values.slice(from * features, to * features), [to - from, features]);
  const removed = (orders: Int32Array, level: number): Float64Array => withRemoved(shares, drawn, orders, pairs, level);
  return {
    simulation: scaled,
    pairs,
    x: array(0, rows),
    train: array(0, trainRows),
    test: array(trainRows, rows),
    whole: removed(
      Int32Array.from(shares, (_, at) => at % pairs),
      0,
    ),
    removed,
  };
}

async function strengthsOf(
  model: nn.Model,
  x: HostArray,
  { beta, nodes }: ExperimentSettings,
  stream: nn.Random,
  signal: AbortSignal,
) {
  const { strengths: integrated, ...quality } = await integratedStrengths(model, x, { beta, nodes, signal });
  const hessians = await hessianStrengths(model, x, beta);
  const rows = x.shape[0]!;
  const strengths: Record<Method, Strengths> = {
    "Integrated Hessians": integrated,
    "Hessian × inputs": timesInputs(hessians, x),
    Hessian: hessians,
    random: randomStrengths(rows, hessians.length / rows, stream),
  };
  return { strengths, ...quality };
}

const scoreOf = (predictions: ArrayLike<number>, truth: ArrayLike<number>) => ({
  explained: explainedVariance(predictions, truth),
  error: meanSquaredDifference(predictions, truth),
});
