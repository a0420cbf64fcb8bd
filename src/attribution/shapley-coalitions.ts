// Coalitions of players as bit masks, and how they are drawn.
import { assertChoice, assertWhole } from "../tensor/checks.ts";
import { ArgumentError, LimitError } from "../tensor/errors.ts";
import { randomNumbers } from "./baselines.ts";
import { shuffled } from "./expected-gradients.ts";

/** Rows of bits, `width` words of 32 each: bit i is set if player i is in the coalition. */
export interface Coalitions {
  readonly count: number;
  readonly width: number;
  readonly words: Int32Array;
}

/** Coalitions, and how much each counts: all weights sum to 1. */
export interface WeightedCoalitions extends Coalitions {
  readonly players: number;
  readonly sizes: readonly number[];
  readonly weights: Float64Array;
}

export const SAMPLINGS = ["proportional", "uniform", "permutation", "exhaustive"] as const;
/**
 * How the coalitions of each size are chosen.
 *
 * - `proportional`: windows of that length, cyclic, in a random order of the players: after n of them every player was in
 *   equally many
 * - `uniform`: independent draws
 * - `permutation`: the first players of random orders, the same orders for all sizes
 * - `exhaustive`: all coalitions, for few players
 */
export type CoalitionSampling = (typeof SAMPLINGS)[number];

export interface CoalitionOptions {
  /** Default "proportional". */
  readonly sampling?: CoalitionSampling;
  /** Coalitions of each size, but that there is only one empty coalition. Default: the number n of players. */
  readonly perSize?: number;
  /** Sizes of coalitions, which all count the same. Default 0 to n - 1. */
  readonly sizes?: readonly number[];
  /** Default 0. */
  readonly seed?: number;
}

/** Most players whose coalitions are enumerated: 4096 rows of one batch. */
const MAX_ENUMERATED = 12;

export const wordsFor = (players: number): number => Math.max(1, Math.ceil(players / 32));

export function assertEnumerable(players: number, instead: string): void {
  if (players > MAX_ENUMERATED)
    throw new LimitError(
      `${players} players have 2^${players} coalitions; all of them are evaluated for up to ${MAX_ENUMERATED} players: ${instead}, or make groups of features the players`,
    );
}

/** @param members players of every coalition */
export function coalitionsOf(members: readonly (readonly number[])[], players: number): Coalitions {
  const width = wordsFor(players);
  const words = new Int32Array(members.length * width);
  members.forEach((coalition, row) => coalition.forEach((i) => (words[row * width + (i >> 5)]! |= 1 << (i & 31))));
  return { count: members.length, width, words };
}

export const has = ({ words, width }: Coalitions, row: number, player: number): boolean =>
  ((words[row * width + (player >> 5)]! >>> (player & 31)) & 1) === 1;

/** All coalitions of n <= 12 players; the number of a coalition is its bits. */
export const everyCoalition = (players: number): Coalitions => ({
  count: 2 ** players,
  width: 1,
  words: Int32Array.from({ length: 2 ** players }, (_, mask) => mask),
});

/**
 * Coalitions of the asked sizes. Every size has the same total weight, and every coalition of a size an equal share of it.
 * @throws ArgumentError for an unknown sampling, or numbers that do not fit
 * @throws LimitError if too many players are to be enumerated
 */
export function sampledCoalitions(players: number, options: CoalitionOptions): WeightedCoalitions {
  const { sampling = "proportional", perSize = players, seed = 0 } = options;
  const sizes = options.sizes ?? Array.from({ length: players }, (_, s) => s);
  assertChoice("sampling", sampling, ...SAMPLINGS);
  assertWhole("perSize", perSize, 1);
  const wrong = sizes.find((s) => !Number.isInteger(s) || s < 0 || s >= players);
  if (sizes.length === 0 || wrong !== undefined || new Set(sizes).size < sizes.length)
    throw new ArgumentError(
      `sizes: expected different whole numbers from 0 to ${players - 1}, got ${sizes.join(", ") || "none"}`,
    );
  const drawn = drawers[sampling](players, perSize, randomNumbers(seed));
  const bySize = sizes.map((size) => (size === 0 ? [[]] : drawn(size)));
  return {
    ...coalitionsOf(bySize.flat(), players),
    players,
    sizes: bySize.flatMap((some, s) => some.map(() => sizes[s]!)),
    weights: Float64Array.from(bySize.flatMap((some) => some.map(() => 1 / (sizes.length * some.length)))),
  };
}

/** Says how the coalitions of any size from 1 on are drawn. */
type Drawer = (
  players: number,
  count: number,
  random: () => number,
) => (size: number) => readonly (readonly number[])[];

const drawers: Readonly<Record<CoalitionSampling, Drawer>> = {
  proportional: (n, count, random) => (size) => {
    let order: readonly number[] = [];
    return Array.from({ length: count }, (_, k) => {
      if (k % n === 0) order = shuffled(n, random);
      return Array.from({ length: size }, (_, j) => order[(k + j) % n]!);
    });
  },
  uniform: (n, count, random) => (size) => Array.from({ length: count }, () => shuffled(n, random).slice(0, size)),
  permutation: (n, count, random) => {
    const orders = Array.from({ length: count }, () => shuffled(n, random));
    return (size) => orders.map((order) => order.slice(0, size));
  },
  exhaustive: (n) => {
    assertEnumerable(n, "sample them");
    return (size) =>
      Array.from({ length: 2 ** n }, (_, mask) =>
        Array.from({ length: n }, (_, i) => i).filter((i) => (mask >> i) & 1),
      ).filter((members) => members.length === size);
  },
};

/**
 * Weight of every coalition for every player, [M, n]; each player's weights sum to 1.
 *
 * `excluded`: a player averages only over the coalitions without it, again with equal weights for all sizes of which there
 * are some; then the coalitions with it have weight 0.
 */
export function playerWeights(coalitions: WeightedCoalitions, average: "all" | "excluded"): Float32Array {
  const { count, players, weights, sizes } = coalitions;
  if (average === "all")
    return Float32Array.from({ length: count * players }, (_, k) => weights[Math.floor(k / players)]!);
  const result = new Float32Array(count * players);
  for (let i = 0; i < players; i++) {
    const without = Array.from({ length: count }, (_, row) => row).filter((row) => !has(coalitions, row, i));
    const ofSize = new Map<number, number>();
    for (const row of without) ofSize.set(sizes[row]!, (ofSize.get(sizes[row]!) ?? 0) + 1);
    for (const row of without) result[row * players + i] = 1 / (ofSize.size * ofSize.get(sizes[row]!)!);
  }
  return result;
}
