// The graphs of a path integral. On z(a) = x' + a (x - x') all nodes of the quadrature are rows of one batch:
//
//   prelude  boundary values A (at x') and T (their tangent along x - x'), scores at both ends, the predicted class; a
//            graph of its own only in path-chunks.ts
//   chunk    gradients of the score at A + a T for a chunk of nodes, and their weighted sum, added to an accumulator
//   finale   back through the affine prefix, times (x - x'), summed over baselines
//
// The boundary is where the network stops being affine in its input: all linear work before it happens once per
// baseline instead of once per node (exact up to rounding). Shapes: M baselines, S nodes, B examples, K classes.
import type { Shape } from "../tensor/shape.ts";
import { batchAll } from "../autograd/batch.ts";
import { fill, input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { replacing } from "../graph/trace.ts";
import { add, mul, sub } from "../kernels/arithmetic.ts";
import { reshape } from "../kernels/movement.ts";
import { sliceAxis } from "../kernels/slice.ts";
import {
  addMeans,
  aligned,
  boundaryGradients,
  boundaryInputs,
  classesOf,
  finaleInputs,
  leafLike,
  nodeInputs,
  pathGraph,
  pullBack,
  pushForward,
  timesEach,
  type Integrand,
  type PathGraph,
  type PathShape,
} from "./path-parts.ts";
import { pathRamps } from "./path-ramps.ts";
import { attributionNames } from "./problem.ts";

/**
 * What paths start from: the baselines (leaves), and made of them boundary values A and their tangents T along D = x - x'.
 * @param starting the values that baselines are given for: the inputs, or the attributed values themselves
 * @param zero whether all baselines are zeros, which are then no leaves: what they are multiplied with is not computed
 */
export function pathStarts(shape: PathShape, starting: readonly Node[], baselines: number, zero = false) {
  const { problem, boundary } = shape;
  const { ends, score } = problem;
  const baseline = starting.map((x) =>
    zero ? fill([baselines, ...x.shape], 0) : leafLike(x, [baselines], "baseline"),
  );
  const at = batchAll(ends, replacing(starting, baseline), baselines);
  const [startScore, ...starts] = batchAll([score, ...boundary], replacing(ends, at), baselines) as [Node, ...Node[]];
  const differences = ends.map((end, j) => sub(end, at[j]!));
  const along = pushForward(shape, differences, baselines);
  return { baseline, startScore, starts, along, differences };
}

/** Integrated Gradients: sums of weighted gradients at the boundary, then the product with x - x'. */
export function gradientIntegrand(shape: PathShape): Integrand {
  return {
    key: "gradients",
    shared: true,
    results: attributionNames(shape.problem),
    chunk: (baselines, steps, perExample, more) => chunkGraph(shape, { baselines, steps, more }, perExample),
    finale: (baselines) =>
      finaleGraph(shape, baselines, (gradients, differences) => gradients.map((g, j) => timesEach(g, differences[j]!))),
  };
}

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
  const ends = boundaryInputs(shape, baselines);
  const { nodes, weights } = nodeInputs(shape, baselines, steps, perExample, { more });
  const sums = accumulatorShapes(shape, baselines).map((s) => input(s, "f32", "sum"));
  const all = steps + more;
  const { rows, pull } = pathRamps(shape, ends, nodes, all);
  const outputs = batchAll(boundaryGradients(shape, [...rows.keys()]), rows, baselines * all).map((g, k) => {
    // Left out rather than weighted by 0: a gradient at an end may be infinite.
    const whole = sliceAxis(reshape(g, [baselines, all, ...g.shape.slice(1)]), 1, 0, steps);
    return add(sums[k]!, pull(mul(whole, aligned(weights, whole.shape)), k));
  });
  return pathGraph(shape.problem, [...ends.starts, ...ends.along, nodes, weights, ...sums], outputs);
}

/** @param values what is averaged over the baselines, of sums of gradients [M, (K,) ...] and D [M, ...] */
export function finaleGraph(
  shape: PathShape,
  baselines: number,
  values: (gradients: readonly Node[], differences: readonly Node[]) => Node[],
): PathGraph {
  const { problem } = shape;
  const sums = accumulatorShapes(shape, baselines).map((s) => input(s, "f32", "sum"));
  const { differences, startScores, p } = finaleInputs(shape, baselines);
  const gradients = pullBack(shape, sums, [baselines, ...classesOf(problem)]);
  const { totals, outputs } = addMeans([...values(gradients, differences), startScores], p);
  return pathGraph(problem, [...sums, ...differences, startScores, p, ...totals], outputs);
}
