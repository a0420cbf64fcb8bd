// Whether attributions say by how much the score changes when something is taken away.
import { ArgumentError } from "../../tensor/errors.ts";
import { hostArray, type HostArray } from "../../tensor/host.ts";
import { input } from "../../graph/leaves.ts";
import type { Graph } from "../../graph/trace.ts";
import { sub } from "../../kernels/arithmetic.ts";
import { assertChoice, assertPositive, assertWhole } from "../../tensor/checks.ts";
import { randomNumbers } from "../baselines.ts";
import { batchRows } from "../batch-rows.ts";
import { shuffled } from "../expected-gradients.ts";
import { boundaryKey } from "../programs.ts";
import { coalitionsOf, type Coalitions } from "../shapley-coalitions.ts";
import { playersOf, playValues, type Game, type GameOptions } from "../shapley-game.ts";
import { baseInputs, examplesOf, variantOutputs, type GameShape } from "../shapley-graphs.ts";
import { attributionArrays, rowsOf, withSubject, type Explained, type PerExample } from "./subject.ts";
import { revealed } from "./removal.ts";
import { pearson } from "./similarity.ts";

/** `values` is |sum of attributions - (f(x) - f(x'))|. */
export interface Completeness extends PerExample {
  /** The same, relative to |f(x) - f(x')|. */
  readonly relative: Float64Array;
}

/** How far attributions are from summing to the change of the score between baseline and input. */
export function completeness(subject: Explained, options: GameOptions = {}): Promise<Completeness> {
  return withSubject(subject, options, async (game) => {
    const { scores } = await revealed(game, subject, [0, game.players], false);
    const [at, from] = rowsOf(scores);
    const sums = totals(rowsOf(playersOf(game, attributionArrays(game, subject))));
    const values = sums.map((sum, b) => Math.abs(sum - (at![b]! - from![b]!)));
    return { values, relative: values.map((v, b) => v / Math.abs(at![b]! - from![b]!)) };
  });
}

const totals = (rows: readonly Float64Array[]): Float64Array =>
  Float64Array.from(rows, (row) => row.reduce((a, b) => a + b, 0));

export interface SensitivityNOptions extends GameOptions {
  /** Sizes of the sets that are removed, 1 to n - 1. Default: powers of 2. */
  readonly sizes?: readonly number[];
  /** Random sets of each size, at least 3. Default 100. */
  readonly subsets?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** `values` is the mean correlation over the sizes. */
export interface SensitivityN extends PerExample {
  readonly sizes: readonly number[];
  /** [sizes, B]; 0 where either side does not vary. */
  readonly correlations: HostArray;
}

/**
 * Sensitivity-n (Ancona et al., arXiv 1711.06104): over random sets of n players, the correlation between the sum of their
 * attributions and the change of the score when they are removed. All examples meet the same sets.
 * @throws ArgumentError for sizes or numbers that do not fit
 */
export async function sensitivityN(subject: Explained, options: SensitivityNOptions = {}): Promise<SensitivityN> {
  const { subsets = 100, seed = 0 } = options;
  assertWhole("subsets", subsets, 3);
  return withSubject(subject, options, async (game) => {
    const { players: n } = game;
    const sizes = options.sizes ?? Array.from({ length: Math.ceil(Math.log2(n)) }, (_, k) => 2 ** k);
    const wrong = sizes.find((size) => !Number.isInteger(size) || size < 1 || size >= n);
    if (sizes.length === 0 || wrong !== undefined)
      throw new ArgumentError(`sizes: expected whole numbers from 1 to ${n - 1}, got ${sizes.join(", ") || "none"}`);
    const random = randomNumbers(seed);
    const kept = sizes.flatMap((size) => Array.from({ length: subsets }, () => shuffled(n, random).slice(size)));
    const { expected, observed } = await removals(game, subject, coalitionsOf(kept, n), kept);
    const correlations = sizes.map((_, k) =>
      expected.map((row, b) =>
        pearson(row.subarray(k * subsets, (k + 1) * subsets), observed[b]!.subarray(k * subsets, (k + 1) * subsets)),
      ),
    );
    const values = Float64Array.from(
      expected,
      (_, b) => correlations.reduce((s, row) => s + row[b]!, 0) / sizes.length,
    );
    return { values, sizes, correlations: hostArray(correlations.flat(), [sizes.length, values.length]) };
  });
}

export interface InfidelityOptions extends GameOptions {
  /**
   * `removal` (default): random sets of players, each with chance 1/2, are replaced by the baseline. `noise`: independent
   * normal numbers are subtracted from all elements.
   */
  readonly perturbation?: "removal" | "noise";
  /** Standard deviation of the noise. Default 0.1. */
  readonly sigma?: number;
  /** Default 100. */
  readonly samples?: number;
  /** Default 0. */
  readonly seed?: number;
  /**
   * Whether attributions contain the factor x - x', as those of path methods do (default), or are gradients. Noise needs
   * gradients: attributions are divided by x - x', and elements where that is 0 say nothing.
   */
  readonly multiplied?: boolean;
  /** Scales the attributions of every example by the factor that makes its infidelity smallest. Default false. */
  readonly scaled?: boolean;
}

/**
 * Infidelity (Yeh et al., arXiv 1901.09392): mean squared difference between what attributions say a perturbation I changes,
 * and f(x) - f(x - I). Small is good. All examples meet the same sets, but noise of their own.
 * @throws ArgumentError for numbers that do not fit
 */
export async function infidelity(subject: Explained, options: InfidelityOptions = {}): Promise<PerExample> {
  const { perturbation = "removal", samples = 100, sigma = 0.1, scaled = false } = options;
  assertChoice("perturbation", perturbation, "removal", "noise");
  assertWhole("samples", samples, 1);
  assertPositive("sigma", sigma);
  return withSubject(subject, options, async (game) => {
    const { expected, observed } = await (perturbation === "removal" ? removed : noised)(
      game,
      subject,
      options,
      samples,
    );
    const values = Float64Array.from(expected, (row, b) => {
      const seen = observed[b]!;
      const dot = (x: Float64Array, y: Float64Array): number => x.reduce((s, v, i) => s + v * y[i]!, 0);
      const norm = dot(row, row);
      const factor = scaled && norm > 0 ? dot(row, seen) / norm : 1;
      return row.reduce((s, v, i) => s + (factor * v - seen[i]!) ** 2, 0) / samples;
    });
    return { values };
  });
}

interface Changes {
  /** What attributions say, for every example a row of samples. */
  readonly expected: readonly Float64Array[];
  /** How the score changed. */
  readonly observed: readonly Float64Array[];
}

async function removed(game: Game, subject: Explained, options: InfidelityOptions, samples: number): Promise<Changes> {
  const { players: n } = game;
  const random = randomNumbers(options.seed ?? 0);
  const everyone = Array.from({ length: n }, (_, i) => i);
  const kept = Array.from({ length: samples }, () => everyone.filter(() => random() < 0.5));
  const factors = options.multiplied === false ? await differences(game) : undefined;
  return removals(game, subject, coalitionsOf(kept, n), kept, factors);
}

/** What the players that are not kept should take away, and do. */
async function removals(
  game: Game,
  subject: Explained,
  masks: Coalitions,
  kept: readonly (readonly number[])[],
  factors?: readonly Float64Array[],
): Promise<Changes> {
  const { players: n } = game;
  const arrays = attributionArrays(game, subject).map((array, j) =>
    factors ? { ...array, data: Float32Array.from(array.data, (v, i) => v * factors[j]![i]!) } : array,
  );
  const sums = rowsOf(playersOf(game, arrays));
  const everyone = coalitionsOf([Array.from({ length: n }, (_, i) => i)], n);
  const words = new Int32Array([...everyone.words, ...masks.words]);
  const { values } = await playValues(game, { ...masks, count: masks.count + 1, words });
  const scores = rowsOf(values);
  return {
    expected: sums.map((own) => {
      const total = own.reduce((a, b) => a + b, 0);
      return Float64Array.from(kept, (members) => members.reduce((left, i) => left - own[i]!, total));
    }),
    observed: sums.map((_, b) => Float64Array.from(kept, (_, k) => scores[0]![b]! - scores[k + 1]![b]!)),
  };
}

/** x - x' of every attributed value, element by element. */
async function differences({ path: { problem, set, starting, inputs } }: Game): Promise<Float64Array[]> {
  if (starting !== problem.inputs || problem.ends.some((end) => !problem.inputs.includes(end)))
    throw new ArgumentError("multiplied: what a layer's attributions were multiplied with is not known here");
  return Promise.all(
    problem.ends.map(async (end) => {
      const at = problem.inputs.indexOf(end);
      const x = await inputs[at]!.read();
      return Float64Array.from(x.data, (v, i) => v - set.baselines[0]![at]!.data[i]!);
    }),
  );
}

async function noised(game: Game, subject: Explained, options: InfidelityOptions, samples: number): Promise<Changes> {
  const { path, shape } = game;
  const { problem, device } = path;
  const { sigma = 0.1, seed = 0, multiplied = true } = options;
  const factors = multiplied ? await differences(game) : undefined;
  const arrays = attributionArrays(game, subject);
  const batch = examplesOf(problem)[0] ?? 1;
  // Sample 0 is the input itself.
  const noiseOf = (k: number): Float32Array[] => {
    const random = randomNumbers(seed * 65537 + k);
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return arrays.map(({ data }) => Float32Array.from(data, () => (k === 0 ? 0 : sigma * normal())));
  };
  const { rows } = await batchRows(path, {
    key: `noised ${shape.targetGiven} ${boundaryKey(shape)}`,
    count: samples + 1,
    own: ["noise"],
    graph: (m) => noiseGraph(shape, m),
    common: (session) => [...path.inputs, ...path.target().map((t) => session.keep(t))],
    rows: (at, m) => {
      const some = Array.from({ length: m }, (_, i) => noiseOf(Math.min(at + i, samples)));
      return problem.ends.map((end, j) => {
        const data = new Float32Array(m * arrays[j]!.data.length);
        some.forEach((noise, i) => data.set(noise[j]!, i * noise[j]!.length));
        return device.tensor(data, [m, ...end.shape]);
      });
    },
  });
  const scores = rowsOf(rows[0]!);
  const expected = Array.from({ length: batch }, () => new Float64Array(samples));
  for (let k = 1; k <= samples; k++)
    noiseOf(k).forEach((noise, j) =>
      noise.forEach((v, i) => {
        const factor = factors ? factors[j]![i]! : 1;
        if (factor !== 0)
          expected[Math.floor((i * batch) / noise.length)]![k - 1]! += (v * arrays[j]!.data[i]!) / factor;
      }),
    );
  const observed = expected.map((_, b) =>
    Float64Array.from({ length: samples }, (_, k) => scores[0]![b]! - scores[k + 1]![b]!),
  );
  return { expected, observed };
}

/** x - I for every row of I, [m, ...end]. */
function noiseGraph(shape: GameShape, m: number): Graph {
  const { ends } = shape.problem;
  const noise = ends.map((end) => input([m, ...end.shape], "f32", "noise"));
  return {
    inputs: [...baseInputs(shape), ...noise],
    outputs: variantOutputs(shape, ends.map((end, j) => sub(end, noise[j]!)), m), // prettier-ignore
  };
}
