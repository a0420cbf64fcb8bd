// The graphs of a game: a score of coalitions of players, which are features or groups of them. Baselines are made on the
// device out of bit masks. Shapes: M coalitions of W words, S nodes, B examples, K classes, N features, n players.
import { batchAll } from "../autograd/batch.ts";
import { input } from "../graph/leaves.ts";
import { apply, type Node } from "../graph/node.ts";
import { replacing, rewrite, type Graph } from "../graph/trace.ts";
import { add, mul, sub } from "../kernels/arithmetic.ts";
import { broadcastTo, sum } from "../kernels/broadcast.ts";
import { select } from "../kernels/choice.ts";
import { elementwise } from "../kernels/elementwise.ts";
import { gather } from "../kernels/gather.ts";
import { reshape } from "../kernels/movement.ts";
import { sliceAxis } from "../kernels/slice.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import {
  aligned,
  boundaryGradients,
  classesOf,
  leafLike,
  pathPoints,
  pullBack,
  pushForward,
  timesEach,
  type PathShape,
} from "./path-parts.ts";
import type { Problem } from "./problem.ts";

/** Whether bit `position` mod 32 of a word is set. */
const bitPrimitive = /* @__PURE__ */ elementwise("bit", {
  wgsl: ([word, position]) => `(((${word} >> (u32(${position}) & 31u)) & 1) != 0)`,
  operand: "i32",
  result: "bool",
  jvp: () => null,
});

export interface GameShape extends PathShape {
  /** The values that x' is given for. */
  readonly starting: readonly Node[];
  readonly targetGiven: boolean;
}

/** [B], or [] if the whole input is one example. */
export const examplesOf = ({ score, target }: Problem): Shape => (target.kind === "all" ? [target.batch] : score.shape);

/** Leading axes of results: [B], or [K, B] for all classes. */
export const resultAxes = (problem: Problem): Shape => [...classesOf(problem), ...examplesOf(problem)];

/** Elements of one example of every attributed value. */
export const featuresOf = (problem: Problem): number[] =>
  problem.ends.map(({ shape }) => numel(shape) / numel(examplesOf(problem)));

/** Inputs of the model, and classes where the caller names them. */
export const baseInputs = ({ problem: { inputs, index }, targetGiven }: GameShape): Node[] => [
  ...inputs,
  ...(index && targetGiven ? [index] : []),
];

/** The attributed values at x', from x' as inputs [1, ...]. */
export function referenceEnds({ problem, starting }: GameShape) {
  const references = starting.map((x) => leafLike(x, [1], "reference"));
  const given = new Map(starting.map((x, i) => [x, reshape(references[i]!, x.shape)]));
  return { references, atReference: rewrite(problem.ends, given) };
}

/**
 * -> output, target, scores [m, ...] of variants of the attributed values, and
 * with `classes` those predicted there, if there are any
 * @param variants [m, ...end] each
 */
export function variantOutputs(shape: GameShape, variants: readonly Node[], m: number, classes = false): Node[] {
  const { ends, score, output, index, predicted } = shape.problem;
  const asked = [score, ...(classes && predicted ? [predicted] : [])];
  const rows = batchAll(asked, replacing(ends, variants), m);
  return pinned(shape, [output, ...(index ? [index] : []), ...rows]);
}

/** What all graphs of a game start from: the same inputs, bound in this order. */
function coalitionStarts(shape: GameShape, width: number, m: number) {
  const { problem } = shape;
  const { ends } = problem;
  const sizes = featuresOf(problem);
  const features = sizes.reduce((a, b) => a + b, 0);
  const { references, atReference } = referenceEnds(shape);
  const labels = input([features], "i32", "players");
  const wordOf = input([features], "i32", "word of player");
  const words = input([m, width], "i32", "coalitions");
  let at = 0;
  const own = sizes.map((size) => {
    const from = at;
    at += size;
    return [labels, wordOf].map((x) => sliceAxis(x, 0, from, at)) as [Node, Node];
  });
  const examples = examplesOf(problem).map(() => 1);
  const onExamples = (value: Node, j: number): Node =>
    reshape(value, [m, ...examples, ...ends[j]!.shape.slice(examples.length)]);
  const starts = ends.map((end, j) => {
    const [label, word] = own[j]!;
    const chosen = gather(words, word, 1);
    const member = apply(bitPrimitive, [chosen, broadcastTo(label, chosen.shape)], {});
    return select(onExamples(member, j), end, atReference[j]!);
  });
  return {
    inputs: [...baseInputs(shape), ...references, labels, wordOf, words],
    starts,
    /** A number of each player [m, n], for its features. */
    ofFeatures: (perPlayer: Node, j: number): Node => onExamples(gather(perPlayer, own[j]![0], 1), j),
  };
}

/** The class stays that of the input for all coalitions. */
function pinned({ problem: { index, predicted }, targetGiven }: GameShape, values: readonly Node[]): Node[] {
  return rewrite(values, new Map(index && !targetGiven ? [[index, predicted!]] : []));
}

/** Outputs as those of {@link variantOutputs}, for m coalitions. */
export function valueGraph(shape: GameShape, width: number, m: number): Graph {
  const { inputs, starts } = coalitionStarts(shape, width, m);
  return { inputs, outputs: variantOutputs(shape, starts, m) };
}

/**
 * Integrated Gradients from m coalitions, with weights [m, n] for the players of each and [m] for its score.
 * Further inputs: both weights, nodes and weights of the quadrature [s], totals -> output, score, target, totals.
 */
export function coalitionGradientGraph(shape: GameShape, width: number, players: number, m: number, s: number): Graph {
  const { problem, boundary } = shape;
  const { ends, score, output, index } = problem;
  const { inputs, starts, ofFeatures } = coalitionStarts(shape, width, m);
  const ofPlayers = input([m, players], "f32", "player weights");
  const ofScores = input([m], "f32", "score weights");
  const nodes = input([s], "f32", "nodes");
  const weights = input([s], "f32", "weights");

  const atStarts = batchAll([score, ...boundary], replacing(ends, starts), m);
  const differences = ends.map((end, j) => sub(end, starts[j]!));
  const along = pushForward(shape, differences, m);
  const rows = pathPoints(shape, { starts: atStarts.slice(1), along }, broadcastTo(nodes, [m, s]), s);
  const sums = batchAll(boundaryGradients(shape), rows, m * s).map((g) => {
    const whole = reshape(g, [m, s, ...g.shape.slice(1)]);
    return sum(mul(whole, aligned(reshape(weights, [1, s]), whole.shape)), 1);
  });
  const products = pullBack(shape, sums, [m, ...classesOf(problem)]).map((g, j) =>
    sum(timesEach(g, mul(differences[j]!, ofFeatures(ofPlayers, j))), 0),
  );
  const means = [...products, sum(mul(atStarts[0]!, aligned(ofScores, atStarts[0]!.shape)), 0)];
  const totals = means.map((v) => input(v.shape, "f32", "total"));
  const results = [output, score, ...(index ? [index] : []), ...means.map((v, i) => add(v, totals[i]!))];
  return {
    inputs: [...inputs, ofPlayers, ofScores, nodes, weights, ...totals],
    outputs: pinned(shape, results),
  };
}
