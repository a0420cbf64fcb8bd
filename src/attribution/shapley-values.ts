// Shapley values of players by evaluating coalitions: all of them, those along random orders, or random ones by the
// multilinear extension. No gradients: the yardsticks of what shapleyIG and other gradient methods give.
import { assertWhole } from "../tensor/checks.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import { randomNumbers } from "./baselines.ts";
import { shuffled } from "./expected-gradients.ts";
import { gaussLegendre } from "./quadrature.ts";
import { assertEnumerable, coalitionsOf, everyCoalition } from "./shapley-coalitions.ts";
import { withGame, playValues, type Game, type GameOptions, type GameValues } from "./shapley-game.ts";
import { resultAxes } from "./shapley-graphs.ts";
import type { Input, ModelLike, Plan } from "./types.ts";

export interface ShapleyResult {
  /** Value of every player: [B, n]; [K, B, n] for target "all". */
  readonly players: HostArray;
  /** Sum of the values - (f(x) - f(x')): [B], or [K, B]. */
  readonly delta: HostArray;
  /** Score of all players, and of none: [B], or [K, B]. */
  readonly scores: { readonly input: HostArray; readonly baseline: HostArray };
  readonly targets: HostArray | undefined;
  /** Output of the model at the input. */
  readonly outputs: HostArray;
  /** Forward evaluations per example. */
  readonly evaluations: number;
  readonly plan: Plan;
}

export interface SampledShapleyResult extends ShapleyResult {
  /** Standard error of every value, from the spread of the samples; shape of `players`. */
  readonly standardErrors: HostArray;
}

export interface ExactShapleyResult extends ShapleyResult {
  /** Score of every coalition, [B, 2^n]; bit i of its number says whether player i is in it. */
  readonly values: HostArray;
}

/**
 * Shapley values of the game v(S) = f(x on the features of S, x' elsewhere), from all 2^n coalitions in one batch.
 * @throws LimitError for more than 12 players
 */
export async function exactShapley(
  model: ModelLike,
  input: Input,
  options: GameOptions = {},
): Promise<ExactShapleyResult> {
  return withGame(model, input, options, async (game) => {
    const { players: n } = game;
    assertEnumerable(n, "use sampledShapley or owenShapley");
    const count = 2 ** n;
    const played = await playValues(game, everyCoalition(n));
    const v = perScore(game, played);
    // s! (n - s - 1)! / n! for a coalition of s players
    const weights = [1 / n];
    for (let s = 1; s < n; s++) weights.push((weights[s - 1]! * s) / (n - s));
    const size = Uint8Array.from({ length: count }, (_, mask) => bitCount(mask));
    const values = v.map((own) =>
      Float64Array.from({ length: n }, (_, i) => {
        let sum = 0;
        for (let mask = 0; mask < count; mask++)
          if (!((mask >> i) & 1)) sum += weights[size[mask]!]! * (own[mask | (1 << i)]! - own[mask]!);
        return sum;
      }),
    );
    const result = resultOf(game, played, values, { none: 0, all: count - 1, count });
    const lead = resultAxes(game.path.problem);
    return {
      ...result,
      values: hostArray(
        v.flatMap((own) => [...own]),
        [...lead, count],
      ),
    };
  });
}

const bitCount = (mask: number): number => (mask === 0 ? 0 : (mask & 1) + bitCount(mask >>> 1));

export interface SampledShapleyOptions extends GameOptions {
  /** Random orders of the players, at least 2. Default 100. */
  readonly permutations?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Mean, over random orders of the players, of what each adds to the score when it joins those before it (Castro, Gómez and
 * Tejada 2009). Unbiased, and `delta` is only rounding: the values of every order sum to f(x) - f(x').
 * @throws ArgumentError for fewer than 2 permutations
 */
export async function sampledShapley(
  model: ModelLike,
  input: Input,
  options: SampledShapleyOptions = {},
): Promise<SampledShapleyResult> {
  const { permutations = 100, seed = 0 } = options;
  assertWhole("permutations", permutations, 2);
  return withGame(model, input, options, async (game) => {
    const { players: n } = game;
    const random = randomNumbers(seed);
    const orders = Array.from({ length: permutations }, () => shuffled(n, random));
    const inner = orders.flatMap((order) => Array.from({ length: n - 1 }, (_, k) => order.slice(0, k + 1)));
    const masks = coalitionsOf([[], orders[0]!, ...inner], n);
    const played = await playValues(game, masks);
    const moments = perScore(game, played).map((v) => {
      const moment = new Moments(n);
      orders.forEach((order, p) => {
        const at = (k: number): number => v[k === 0 ? 0 : k === n ? 1 : 1 + p * (n - 1) + k]!;
        order.forEach((player, k) => moment.add(player, at(k + 1) - at(k)));
      });
      return moment;
    });
    return {
      ...resultOf(game, played, moments.map((m) => m.mean), { none: 0, all: 1, count: masks.count }), // prettier-ignore
      standardErrors: arrayOf(game, moments.map((m) => m.squaredErrors(permutations).map(Math.sqrt))), // prettier-ignore
    };
  });
}

export interface OwenShapleyOptions extends GameOptions {
  /** Gauss-Legendre nodes for the chance that a player is present. Default 8: exact for up to 16 players. */
  readonly nodes?: number;
  /** Random coalitions for each node, at least 2. Default 16. */
  readonly draws?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Shapley values by the multilinear extension (Owen 1972): the integral over q from 0 to 1 of what a player adds on average
 * to a coalition in which every other player is with probability q. Every drawn coalition serves all players.
 * `delta` is the error of the estimate's sum.
 * @throws ArgumentError for fewer than 1 node or 2 draws
 */
export async function owenShapley(
  model: ModelLike,
  input: Input,
  options: OwenShapleyOptions = {},
): Promise<SampledShapleyResult> {
  const { nodes = 8, draws = 16, seed = 0 } = options;
  assertWhole("nodes", nodes, 1);
  assertWhole("draws", draws, 2);
  return withGame(model, input, options, async (game) => {
    const { players: n } = game;
    const everyone = Array.from({ length: n }, (_, i) => i);
    const random = randomNumbers(seed);
    const rule = gaussLegendre(nodes);
    const drawn = rule.nodes.flatMap((q) => Array.from({ length: draws }, () => everyone.filter(() => random() < q)));
    // Each of them, and each with one player taken out or put in.
    const members = drawn.flatMap((some) => [some, ...everyone.map((i) => toggled(some, i))]);
    const masks = coalitionsOf([[], everyone, ...members], n);
    const played = await playValues(game, masks);
    const estimates = perScore(game, played).map((v) => owenEstimate(v, drawn, rule.weights, n));
    return {
      ...resultOf(game, played, estimates.map((e) => e.mean), { none: 0, all: 1, count: masks.count }), // prettier-ignore
      standardErrors: arrayOf(game, estimates.map((e) => e.error)), // prettier-ignore
    };
  });
}

const toggled = (members: readonly number[], i: number): number[] =>
  members.includes(i) ? members.filter((j) => j !== i) : [...members, i];

/** Draws of one node are alike; nodes add up with their weights. */
function owenEstimate(v: Float64Array, drawn: readonly number[][], weights: readonly number[], n: number) {
  const draws = drawn.length / weights.length;
  const mean = new Float64Array(n);
  const squared = new Float64Array(n);
  weights.forEach((weight, k) => {
    const moments = new Moments(n);
    for (let d = k * draws; d < (k + 1) * draws; d++) {
      const at = 2 + d * (n + 1);
      const present = new Set(drawn[d]);
      for (let i = 0; i < n; i++) moments.add(i, (v[at]! - v[at + 1 + i]!) * (present.has(i) ? 1 : -1));
    }
    const errors = moments.squaredErrors(draws);
    moments.mean.forEach((m, i) => {
      mean[i]! += weight * m;
      squared[i]! += weight ** 2 * errors[i]!;
    });
  });
  return { mean, error: squared.map(Math.sqrt) };
}

/** Running means and squared deviations of n numbers (Welford). */
class Moments {
  readonly mean: Float64Array;
  readonly #deviations: Float64Array;
  readonly #counts: Float64Array;

  constructor(n: number) {
    [this.mean, this.#deviations, this.#counts] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  }

  add(i: number, value: number): void {
    const before = value - this.mean[i]!;
    this.mean[i]! += before / ++this.#counts[i]!;
    this.#deviations[i]! += before * (value - this.mean[i]!);
  }

  /** Squared standard errors of the means. */
  squaredErrors(count: number): Float64Array {
    return this.#deviations.map((d) => d / (count - 1) / count);
  }
}

/** Scores of all coalitions, one row for every entry of [B] or [K, B]. */
function perScore({ path: { problem } }: Game, { values }: GameValues): Float64Array[] {
  const [count, batch = 1, classes = 1] = values.shape as [number, number?, number?];
  return Array.from({ length: numel(problem.score.shape) }, (_, g) => {
    const at = (g % batch) * classes + Math.floor(g / batch);
    return Float64Array.from({ length: count }, (_, m) => values.data[m * batch * classes + at]!);
  });
}

/** Rows of numbers as an array with the axes of results. */
function arrayOf({ path: { problem } }: Game, rows: readonly Float64Array[]): HostArray {
  return hostArray(
    rows.flatMap((row) => [...row]),
    [...resultAxes(problem), rows[0]!.length],
  );
}

/** @param rows numbers of the coalitions of no and of all players, and how many coalitions there are */
function resultOf(
  game: Game,
  played: GameValues,
  values: readonly Float64Array[],
  rows: { readonly none: number; readonly all: number; readonly count: number },
): ShapleyResult {
  const v = perScore(game, played);
  const lead = resultAxes(game.path.problem);
  const column = (f: (own: Float64Array, g: number) => number): HostArray => hostArray(v.map(f), lead);
  return {
    players: arrayOf(game, values),
    delta: column((own, g) => values[g]!.reduce((a, b) => a + b, 0) - (own[rows.all]! - own[rows.none]!)),
    scores: { input: column((own) => own[rows.all]!), baseline: column((own) => own[rows.none]!) },
    targets: played.targets,
    outputs: played.outputs,
    evaluations: rows.count,
    plan: played.plan,
  };
}
