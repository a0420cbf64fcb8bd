// A model, an input and a reference as a game of players: opened once, then played with any coalitions.
import { ArgumentError, LimitError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Graph } from "../graph/trace.ts";
import { batchRows, running } from "./batch-rows.ts";
import { planChunks } from "./chunks.ts";
import { chosenRows } from "./hessian-rows.ts";
import { PathIntegral, type PathResult } from "./path.ts";
import { targetGiven } from "./path-inputs.ts";
import { readsOf } from "./path-values.ts";
import { attributionNames } from "./problem.ts";
import { boundaryKey, compiled, costOf, type Compiled, type Cost } from "./programs.ts";
import type { Quadrature } from "./quadrature.ts";
import type { Session } from "./session.ts";
import { wordsFor, type Coalitions } from "./shapley-coalitions.ts";
import { playerSums, type PlayersForm } from "./shapley-players.ts";
import { coalitionGradientGraph, featuresOf, resultAxes, valueGraph, type GameShape } from "./shapley-graphs.ts";
import type { Input, ModelLike, PathOptions, Plan } from "./types.ts";

export interface GameOptions extends Omit<PathOptions, "baseline"> {
  /** What absent players are replaced by, x'. Default "zero". One only. */
  readonly baseline?: PathOptions["baseline"];
  /**
   * The player of every feature of an example, 0 to n - 1, or -1 for those that always stay as in x: patches
   * (`patchGroups`), tokens, columns (`groupsAlong`), superpixels. Default: every feature is a player.
   */
  readonly groups?: ArrayLike<number>;
}

/** Words of masks grow with the square of the number of players. */
const MAX_PLAYERS = 1024;

export interface Game {
  readonly path: PathIntegral;
  readonly shape: GameShape;
  readonly players: number;
  /** Of every feature; n for those that are always present. */
  readonly labels: Int32Array;
}

/**
 * Checks arguments, traces the model, uploads the input, and frees it when `work` is done.
 * @throws ArgumentError, ShapeError, NumericError for what does not fit
 */
export async function withPlayers<T>(
  model: ModelLike,
  input: Input,
  options: GameOptions,
  work: (game: Game) => Promise<T>,
): Promise<T> {
  const path = await PathIntegral.open(model, input, options);
  try {
    return await work(gameOf(path, options));
  } finally {
    path.dispose();
  }
}

/**
 * The same, for as many players as masks of coalitions are made for.
 * @throws LimitError for more
 */
export const withGame = <T>(
  model: ModelLike,
  input: Input,
  options: GameOptions,
  work: (game: Game) => Promise<T>,
): Promise<T> =>
  withPlayers(model, input, options, (game) => {
    if (game.players <= MAX_PLAYERS) return work(game);
    throw new LimitError(
      `${game.players} players; expected at most ${MAX_PLAYERS}: make groups of features the players (patchGroups, groupsAlong)`,
    );
  });

function gameOf(path: PathIntegral, { groups, ...options }: GameOptions): Game {
  if (path.baselineCount > 1)
    throw new ArgumentError(
      `baseline: coalitions start from one reference, got ${path.baselineCount}; call once for each`,
    );
  const features = featuresOf(path.problem).reduce((a, b) => a + b, 0);
  const { ids, labels } = chosenRows(features, groups ? { groups } : {});
  const players = ids.length;
  return {
    path,
    shape: { ...path.shape, starting: path.starting, targetGiven: targetGiven(options) },
    players,
    labels: Int32Array.from(labels ?? ids, (label) => (label < 0 ? players : label)),
  };
}

/** For `playerSums`. */
export const playersForm = ({ path: { problem }, players, labels }: Game): PlayersForm => ({
  lead: resultAxes(problem),
  players,
  labels: [...labels],
});

/** Attributions of features, summed over those of every player: [B, n], or [K, B, n] for all classes. */
export const playersOf = (game: Game, arrays: readonly HostArray[]): HostArray => playerSums(arrays, playersForm(game));

/** Uploads what all runs of a game are bound to. */
function gameInputs({ path, labels }: Game, session: Session): Tensor[] {
  const upload = (data: Int32Array): Tensor => path.device.tensor(data, [data.length], "i32");
  const own = [...path.target(), ...path.starts([0]), upload(labels), upload(labels.map((label) => label >> 5))];
  return [...path.inputs, ...own.map((t) => session.keep(t))];
}

/** Rows `from` to `from + count` of masks [M, W], with the bit n of what is always present; the last one is repeated. */
function uploadMasks({ path, players }: Game, masks: Coalitions, from: number, count: number): Tensor {
  const width = wordsFor(players + 1);
  const words = new Int32Array(count * width);
  for (let i = 0; i < count; i++) {
    const row = Math.min(from + i, masks.count - 1);
    words.set(masks.words.subarray(row * masks.width, (row + 1) * masks.width), i * width);
    words[i * width + (players >> 5)]! |= 1 << (players & 31);
  }
  return path.device.tensor(words, [count, width], "i32");
}

const OWN_INPUTS = ["coalitions", "player weights", "score weights", "nodes", "weights", "total"];

export interface GameValues {
  /** Score of every coalition: [M, B], or [M, B, K] for all classes. */
  readonly values: HostArray;
  readonly outputs: HostArray;
  readonly targets: HostArray | undefined;
  readonly plan: Plan;
}

/** Scores of coalitions: all rows of one batch, cut into chunks only where memory asks for it. */
export async function playValues(game: Game, masks: Coalitions): Promise<GameValues> {
  const width = wordsFor(game.players + 1);
  const { rows, ...result } = await batchRows(game.path, {
    key: `values ${keyOf(game)}`,
    count: masks.count,
    own: OWN_INPUTS,
    graph: (m) => valueGraph(game.shape, width, m),
    common: (session) => gameInputs(game, session),
    rows: (at, m) => [uploadMasks(game, masks, at, m)],
  });
  return { ...result, values: rows[0]! };
}

export interface GradientTask {
  readonly masks: Coalitions;
  /** [M, n] */
  readonly playerWeights: Float32Array;
  /** [M] */
  readonly weights: ArrayLike<number>;
  readonly quadrature: Quadrature;
}

/** Weighted sum of Integrated Gradients from coalitions, and the weighted mean of their scores: one readback. */
export async function playGradients(game: Game, task: GradientTask): Promise<PathResult> {
  const { path, shape, players } = game;
  const { problem, device, options } = path;
  const steps = task.quadrature.nodes.length;
  const width = wordsFor(players + 1);
  const of = (m: number, s: number): Compiled<Graph> =>
    compiled(problem, device, `gradients ${keyOf(game)} ${m} ${s}`, () =>
      coalitionGradientGraph(shape, width, players, m, s),
    );
  const cost = (m: number, s: number): Cost => costOf(of(m, s), OWN_INPUTS);
  const cut = planChunks({ device, baselines: task.masks.count, steps, budget: options.memoryBudget, cost });
  const { baselinesPerGroup: m, stepsPerChunk: s } = cut;
  const { program, graph } = of(m, s);
  const chunk = { chunks: cut.groups * cut.chunksPerGroup, stepsPerChunk: m * s, bytes: cost(m, s).bytes };
  const { result, plan } = await running(path, program, chunk, async (session) => {
    const common = gameInputs(game, session);
    const sums = problem.ends.length + 1;
    let ends: Tensor[] = [];
    let totals = graph.outputs.slice(-sums).map((y) => session.zeros(y.shape));
    const total = task.masks.count * steps;
    for (let k = 0; k < chunk.chunks; k++) {
      const [group, part] = [Math.floor(k / cut.chunksPerGroup), k % cut.chunksPerGroup];
      const own = chunkTensors(game, task, { group, part, m, s }).map((t) => session.keep(t));
      session.drop([...own, ...totals, ...ends]);
      const outputs = session.encode(program, [...common, ...own, ...totals]);
      totals = outputs.splice(-sums);
      ends = outputs;
      if (k < chunk.chunks - 1) await session.flush();
      const groupsDone = Math.min(task.masks.count, group * m);
      const now = Math.min(task.masks.count, (group + 1) * m) - groupsDone;
      options.onProgress?.({ done: groupsDone * steps + now * Math.min(steps, (part + 1) * s), total });
    }
    return session.read(readsOf(totals, ends));
  });
  return { ...path.valuesOf(result, { results: attributionNames(problem), parts: true }), plan };
}

interface Chunk {
  readonly group: number;
  readonly part: number;
  readonly m: number;
  readonly s: number;
}

/** Masks, both weights, nodes and their weights. What only fills the chunk up has weight 0. */
function chunkTensors(game: Game, task: GradientTask, { group, part, m, s }: Chunk): Tensor[] {
  const { path: { device }, players } = game; // prettier-ignore
  const { masks, playerWeights, weights, quadrature } = task;
  const from = group * m;
  const ofPlayers = new Float32Array(m * players);
  ofPlayers.set(playerWeights.subarray(from * players, (from + m) * players));
  // The score of a coalition counts once, not once for every chunk of its steps.
  const ofScores = Float32Array.from({ length: m }, (_, i) => (part === 0 ? (weights[from + i] ?? 0) : 0));
  const at = Array.from({ length: s }, (_, k) => part * s + k);
  const last = quadrature.nodes.length - 1;
  return [
    uploadMasks(game, masks, from, m),
    device.tensor(ofPlayers, [m, players]),
    device.tensor(ofScores),
    device.tensor(at.map((k) => quadrature.nodes[Math.min(k, last)]!)),
    device.tensor(at.map((k) => quadrature.weights[k] ?? 0)),
  ];
}

const keyOf = ({ shape, players, path: { options } }: Game): string =>
  `${players} ${shape.targetGiven} ${options.baselineOf} ${boundaryKey(shape)}`;
