// The graphs of a path integral. On z(a) = x' + a (x - x') all nodes of the quadrature are rows of one batch:
//
//   prelude  boundary values A (at x') and T (their tangent along x - x'), scores at both ends, the predicted class
//   chunk    gradients of the score at A + a T for a chunk of nodes, and their weighted sum, added to an accumulator
//   finale   back through the affine prefix, times (x - x'), summed over baselines
//
// The boundary is where the network stops being affine in its input: all linear work before it happens once per
// baseline instead of once per node (exact up to rounding). Shapes: M baselines, S nodes, B examples, K classes.
import type { Shape } from "../tensor/shape.ts";
import { batchAll } from "../autograd/batch.ts";
import { jvpGraph } from "../autograd/jvp.ts";
import { fill, input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { rewrite, type Graph } from "../graph/trace.ts";
import { add, mul, sub } from "../kernels/arithmetic.ts";
import { sum } from "../kernels/broadcast.ts";
import { reshape } from "../kernels/movement.ts";
import { sliceAxis } from "../kernels/slice.ts";
import {
  addMeans,
  aligned,
  boundaryGradients,
  boundaryInputs,
  finaleInputs,
  leafLike,
  nodeInputs,
  pathPoints,
  pullBack,
  sideInputs,
  sideOf,
  type Integrand,
  type PathGraph,
  type PathShape,
} from "./path-parts.ts";
import type { Problem } from "./problem.ts";

/**
 * What paths start from: the baselines (leaves), and made of them boundary values A and their tangents T along D = x - x'.
 * @param starting the values that baselines are given for: the inputs, or the attributed values themselves
 * @param zero whether all baselines are zeros, which are then no leaves: what they are multiplied with is not computed
 */
export function pathStarts(
  { problem, boundary }: PathShape,
  starting: readonly Node[],
  baselines: number,
  zero = false,
) {
  const { ends, score } = problem;
  const baseline = starting.map((x) =>
    zero ? fill([baselines, ...x.shape], 0) : leafLike(x, [baselines], "baseline"),
  );
  const at = batchAll(ends, new Map(starting.map((x, i) => [x, baseline[i]!])), baselines);
  const [startScore, ...starts] = batchAll(
    [score, ...boundary],
    new Map(ends.map((end, j) => [end, at[j]!])),
    baselines,
  ) as [Node, ...Node[]];
  const differences = ends.map((end, j) => sub(end, at[j]!));
  const seeds = ends.map((end) => leafLike(end, [], "direction"));
  const tangents = jvpGraph(boundary, ends, seeds).map((t, k) => t ?? fill(boundary[k]!.shape, 0));
  const along = batchAll(tangents, new Map(seeds.map((s, j) => [s, differences[j]!])), baselines);
  return { baseline, startScore, starts, along, differences };
}

/** inputs: X, target if given, X' [M, ...] -> outputs: output, target, score, score' [M, ...], A, T, D [M, ...] */
export function preludeGraph(
  shape: PathShape,
  starting: readonly Node[],
  baselines: number,
  targetGiven: boolean,
): Graph {
  const { inputs, output, score, index, predicted } = shape.problem;
  const { baseline, startScore, starts, along, differences } = pathStarts(shape, starting, baselines);
  const results = [output, ...(index ? [index] : []), score, startScore, ...starts, ...along, ...differences];
  // The class stays that of the input all along the path.
  const pinned = new Map(index && !targetGiven ? [[index, predicted!]] : []);
  return {
    inputs: [...inputs, ...(index && targetGiven ? [index] : []), ...baseline],
    outputs: rewrite(results, pinned),
  };
}

/** Integrated Gradients: sums of weighted gradients at the boundary, then the product with x - x'. */
export function gradientIntegrand(shape: PathShape): Integrand {
  return {
    key: "gradients",
    shared: true,
    results: shape.problem.endNames.map((name) => `the attribution of "${name}"`),
    chunk: (baselines, steps, perExample, more) => chunkGraph(shape, { baselines, steps, more }, perExample),
    finale: (baselines) => finaleGraph(shape, baselines),
  };
}

const classesOf = ({ target }: Problem): number[] => (target.kind === "all" ? [target.classes] : []);

function accumulatorShapes({ problem, boundary }: PathShape, baselines: number): Shape[] {
  return boundary.map((z) => [baselines, ...classesOf(problem), ...z.shape]);
}

interface ChunkSize {
  readonly baselines: number;
  readonly steps: number;
  /** Nodes behind the others that only the forward pass sees. */
  readonly more: number | undefined;
}

function chunkGraph(shape: PathShape, { baselines, steps, more = 0 }: ChunkSize, perExample: boolean): PathGraph {
  const { problem } = shape;
  const ends = boundaryInputs(shape, baselines);
  const { nodes, weights } = nodeInputs(shape, baselines, steps, perExample, { more });
  const sums = accumulatorShapes(shape, baselines).map((s) => input(s, "f32", "sum"));
  const all = steps + more;
  const rows = pathPoints(shape, ends, nodes, all);
  const outputs = batchAll(boundaryGradients(shape), rows, baselines * all).map((g, k) => {
    // Left out rather than weighted by 0: a gradient at an end may be infinite.
    const whole = sliceAxis(reshape(g, [baselines, all, ...g.shape.slice(1)]), 1, 0, steps);
    return add(sums[k]!, sum(mul(whole, aligned(weights, whole.shape)), 1));
  });
  const { index } = problem;
  const side = sideInputs(shape);
  const inputs = [...side, ...(index ? [index] : []), ...ends.starts, ...ends.along, nodes, weights, ...sums];
  return { inputs, outputs, side };
}

function finaleGraph(shape: PathShape, baselines: number): PathGraph {
  const { problem } = shape;
  const { index } = problem;
  const classes = classesOf(problem);
  const sums = accumulatorShapes(shape, baselines).map((s) => input(s, "f32", "sum"));
  const { differences, startScores, p } = finaleInputs(shape, baselines);
  const gradients = pullBack(shape, sums, [baselines, ...classes]);
  const products = gradients.map((g, j) => {
    const [m, ...rest] = differences[j]!.shape;
    return mul(g, reshape(differences[j]!, [m!, ...classes.map(() => 1), ...rest]));
  });
  const { totals, outputs } = addMeans([...products, startScores], p);
  const side = sideOf(problem, outputs);
  return {
    inputs: [...side, ...(index ? [index] : []), ...sums, ...differences, startScores, p, ...totals],
    outputs,
    side,
  };
}

/**
 * inputs: side inputs, target, x' [1, ...], x - x' [1, ...], nodes [1, S] -> rows of `outputs`, [S, ...], at those nodes
 * @param outputs values that depend on the attributed values
 */
export function rowGraph(problem: Problem, steps: number, outputs: readonly Node[]): PathGraph {
  const shape: PathShape = { problem, boundary: problem.ends };
  const { starts, along } = boundaryInputs(shape, 1);
  const nodes = input([1, steps], "f32", "nodes");
  const rows = pathPoints(shape, { starts, along }, nodes, steps);
  const { index } = problem;
  const side = sideInputs(shape);
  return {
    inputs: [...side, ...(index ? [index] : []), ...starts, ...along, nodes],
    outputs: batchAll(outputs, rows, steps),
    side,
  };
}

/** Gradients of the score with respect to the attributed values; zeros where it ignores one. */
export const endGradients = (problem: Problem): Node[] => boundaryGradients({ problem, boundary: problem.ends });
