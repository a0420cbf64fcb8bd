// What happens to the score when the players that count most, by an attribution, are removed or inserted first. All stages
// of all examples are rows of one batch; on the device a row is made out of ranks and one number.
import { ArgumentError } from "../../tensor/errors.ts";
import { hostArray, type HostArray } from "../../tensor/host.ts";
import { input } from "../../graph/leaves.ts";
import type { Graph } from "../../graph/trace.ts";
import { less, select } from "../../kernels/choice.ts";
import { assertChoice, assertWhole } from "../../tensor/checks.ts";
import { batchRows } from "../batch-rows.ts";
import { leafLike, aligned } from "../path-parts.ts";
import { boundaryKey } from "../programs.ts";
import { playersOf, type Game, type GameOptions } from "../shapley-game.ts";
import { baseInputs, examplesOf, referenceEnds, variantOutputs, type GameShape } from "../shapley-graphs.ts";
import type { Plan } from "../types.ts";
import { attributionArrays, rowsOf, withSubject, type Explained, type PerExample } from "./subject.ts";

export interface RemovalOptions extends GameOptions {
  /** Shares of the players that are removed or inserted, ascending. Default 0, 0.05, ..., 1. */
  readonly fractions?: readonly number[];
  /** `signed` (default): largest attribution first. `magnitude`: largest magnitude first. */
  readonly order?: "signed" | "magnitude";
}

/** `values` is the area under the curve: the mean height of the score over the fractions. */
export interface RemovalCurve extends PerExample {
  readonly fractions: readonly number[];
  /** Score at every fraction, [S, B]. */
  readonly scores: HostArray;
  /** The class predicted at every fraction, [S, B], where there are classes. */
  readonly predicted: HostArray | undefined;
  readonly targets: HostArray | undefined;
  /** Players of every example in the order in which they are removed or inserted. */
  readonly orders: readonly Int32Array[];
  readonly plan: Plan;
}

/**
 * Deletion (Petsiuk, Das and Saenko, arXiv 1806.07421): the score while players are replaced by the baseline, those with the
 * largest attribution first. A small area is good. The score is the probability unless `score` says otherwise.
 * @throws ArgumentError for fractions or an order that do not fit; ShapeError for attributions that do not
 */
export const deletion = (subject: Explained, options: RemovalOptions = {}): Promise<RemovalCurve> =>
  curve(subject, options, false);

/** Insertion: the score while players come back into the baseline, largest attribution first. A large area is good. */
export const insertion = (subject: Explained, options: RemovalOptions = {}): Promise<RemovalCurve> =>
  curve(subject, options, true);

export interface AblationOptions extends Omit<RemovalOptions, "fractions"> {
  /** Players that are removed. */
  readonly count: number;
}

/**
 * Ablation of the top players: `values` is f(x) minus the score without the `count` players of largest attribution.
 * @throws ArgumentError unless count is a whole number from 1 to the number of players
 */
export function ablation(subject: Explained, { count, ...options }: AblationOptions): Promise<PerExample> {
  return withSubject(subject, { score: "probability", ...options }, async (game) => {
    assertWhole("count", count, 1, game.players);
    const { scores } = await revealed(game, subject, [0, count], false, options.order);
    const [all, without] = rowsOf(scores);
    return { values: all!.map((v, b) => v - without![b]!) };
  });
}

async function curve(subject: Explained, options: RemovalOptions, insert: boolean): Promise<RemovalCurve> {
  const fractions = options.fractions ?? Array.from({ length: 21 }, (_, s) => s / 20);
  assertFractions(fractions);
  return withSubject(subject, { score: "probability", ...options }, async (game) => {
    const counts = fractions.map((share) => Math.round(share * game.players));
    const result = await revealed(game, subject, counts, insert, options.order);
    const rows = rowsOf(result.scores);
    return {
      ...result,
      fractions,
      values: rows[0]!.map((_, b) =>
        meanHeight(
          fractions,
          rows.map((row) => row[b]!),
        ),
      ),
    };
  });
}

export function assertFractions(fractions: readonly number[]): void {
  const ascending = fractions.every((share, i) => share >= 0 && share <= 1 && (i === 0 || share > fractions[i - 1]!));
  if (fractions.length < 2 || !ascending)
    throw new ArgumentError(
      `fractions: expected at least two ascending numbers from 0 to 1, got ${fractions.join(", ") || "none"}`,
    );
}

/** Area under y(x) by trapezia, divided by the length of x. */
export function meanHeight(x: readonly number[], y: readonly number[]): number {
  let area = 0;
  for (let i = 1; i < x.length; i++) area += ((x[i]! - x[i - 1]!) * (y[i]! + y[i - 1]!)) / 2;
  return area / (x.at(-1)! - x[0]!);
}

/**
 * Scores [S, B] with the first `counts` players of every example's own order removed, or with only them present.
 * @throws ArgumentError, ShapeError for a target or attributions that do not fit
 */
export async function revealed(
  game: Game,
  subject: Explained,
  counts: readonly number[],
  insert: boolean,
  order: "signed" | "magnitude" = "signed",
) {
  const { path, shape } = game;
  const { problem, device } = path;
  if (problem.target.kind === "all")
    throw new ArgumentError('target: metrics judge one class per example; "all" is not possible');
  assertChoice("order", order, "signed", "magnitude");
  const orders = playerOrders(game, attributionArrays(game, subject), order);
  const ranks = featureRanks(game, orders, insert);
  const { rows, targets, plan } = await batchRows(path, {
    key: `revealed ${insert} ${shape.targetGiven} ${path.options.baselineOf} ${boundaryKey(shape)}`,
    count: counts.length,
    own: ["counts"],
    graph: (m) => revealGraph(shape, m, insert),
    common: (session) => [
      ...path.inputs,
      ...[...path.target(), ...path.starts([0]), ...ranks.map((a) => device.tensor(a))].map((t) => session.keep(t)),
    ],
    rows: (at, m) => [device.tensor(Array.from({ length: m }, (_, i) => counts[Math.min(at + i, counts.length - 1)]!))],
  });
  const batch = examplesOf(problem)[0] ?? 1;
  const perExample = (array: HostArray): HostArray => ({ ...array, shape: [counts.length, batch] });
  return { scores: perExample(rows[0]!), predicted: rows[1] && perExample(rows[1]), targets, plan, orders };
}

/** Players of every example, largest attribution first; equal ones in their own order. */
function playerOrders(game: Game, arrays: readonly HostArray[], order: "signed" | "magnitude"): Int32Array[] {
  const { players } = game;
  const all = playersOf(game, arrays).data;
  return Array.from({ length: all.length / players }, (_, b) => {
    const own = Array.from(all.subarray(b * players, (b + 1) * players), (v) => (order === "signed" ? v : Math.abs(v)));
    return Int32Array.from(own, (_, i) => i).sort((i, j) => own[j]! - own[i]! || i - j);
  });
}

/** The position of every feature's player in its example's order, shaped as the attributed values; always-present ones never count. */
function featureRanks(
  { path: { problem }, players, labels }: Game,
  orders: readonly Int32Array[],
  insert: boolean,
): HostArray[] {
  const always = insert ? -1 : 2 ** 24;
  const rankOf = orders.map((order) => {
    const ranks = new Float32Array(players + 1).fill(always);
    order.forEach((player, rank) => (ranks[player] = rank));
    return ranks;
  });
  let first = 0;
  return problem.ends.map(({ shape }) => {
    const size = shape.reduce((a, b) => a * b, 1) / orders.length;
    const from = first;
    first += size;
    const data = Float32Array.from(
      { length: size * orders.length },
      (_, k) => rankOf[Math.floor(k / size)]![labels[from + (k % size)]!]!,
    );
    return hostArray(data, shape);
  });
}

function revealGraph(shape: GameShape, m: number, insert: boolean): Graph {
  const { ends } = shape.problem;
  const { references, atReference } = referenceEnds(shape);
  const ranks = ends.map((end) => leafLike(end, [], "ranks"));
  const counts = input([m], "f32", "counts");
  const variants = ends.map((end, j) => {
    const reached = less(ranks[j]!, aligned(counts, [m, ...end.shape]));
    return insert ? select(reached, end, atReference[j]!) : select(reached, atReference[j]!, end);
  });
  return {
    inputs: [...baseInputs(shape), ...references, ...ranks, counts],
    outputs: variantOutputs(shape, variants, m, true),
  };
}
