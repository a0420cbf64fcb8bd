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
import { vjpGraph } from "../autograd/transpose.ts";
import { unitVectors } from "../autograd/api.ts";
import { affineBoundary } from "../compiler/affine.ts";
import { fill, input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { reachable, rewrite, type Graph } from "../graph/trace.ts";
import { add, mul, sub } from "../kernels/arithmetic.ts";
import { broadcastTo, sum } from "../kernels/broadcast.ts";
import { reshape } from "../kernels/movement.ts";
import type { Problem } from "./problem.ts";

/** Where paths are evaluated: at the boundary of the affine prefix, or at the attributed values themselves. */
export interface PathShape {
  readonly problem: Problem;
  readonly boundary: readonly Node[];
}

export function pathShape(problem: Problem, hoist: boolean): PathShape {
  const { ends, score } = problem;
  return { problem, boundary: hoist ? affineBoundary([score], ends) : ends };
}

const leafLike = (node: Node, lead: Shape, name: string): Node => input([...lead, ...node.shape], node.dtype, name);

/** Axes of extent 1 behind those of `lead`, so that a per-node number multiplies a whole value. */
const aligned = (lead: Node, value: Shape): Node =>
  reshape(lead, [...lead.shape, ...Array<number>(value.length - lead.shape.length).fill(1)]);

/**
 * inputs: X, target if given, X' [M, ...] -> outputs: output, target, score, score' [M, ...], A, T, D [M, ...]
 * @param starting the values that baselines are given for: the inputs, or the attributed values themselves
 */
export function preludeGraph(
  { problem, boundary }: PathShape,
  starting: readonly Node[],
  baselines: number,
  targetGiven: boolean,
): Graph {
  const { inputs, ends, output, score, index, predicted } = problem;
  const baseline = starting.map((x) => leafLike(x, [baselines], "baseline"));
  const starts = batchAll(ends, new Map(starting.map((x, i) => [x, baseline[i]!])), baselines);
  const atStarts = batchAll([score, ...boundary], new Map(ends.map((end, j) => [end, starts[j]!])), baselines);
  const differences = ends.map((end, j) => sub(end, starts[j]!));
  const seeds = ends.map((end) => leafLike(end, [], "direction"));
  const tangents = jvpGraph(boundary, ends, seeds).map((t, k) => t ?? fill(boundary[k]!.shape, 0));
  const along = batchAll(tangents, new Map(seeds.map((s, j) => [s, differences[j]!])), baselines);
  const results = [output, ...(index ? [index] : []), score, ...atStarts, ...along, ...differences];
  // The class stays that of the input all along the path.
  const pinned = new Map(index && !targetGiven ? [[index, predicted!]] : []);
  return {
    inputs: [...inputs, ...(index && targetGiven ? [index] : []), ...baseline],
    outputs: rewrite(results, pinned),
  };
}

/** A graph that also reads some inputs of the problem: `side`, in the order in which they are bound. */
export interface PathGraph extends Graph {
  readonly side: readonly Node[];
}

/** Inputs that the network reads otherwise than through the boundary. */
function sideInputs({ problem, boundary }: PathShape): Node[] {
  const cut = new Set(boundary);
  const seen = new Set<Node>();
  const stack = [problem.score];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node) || cut.has(node)) continue;
    seen.add(node);
    stack.push(...node.inputs);
  }
  return problem.inputs.filter((x) => seen.has(x));
}

/** Gradient of the score with respect to the boundary; [K, ...] for all classes. Absent where the score ignores a value. */
function boundaryGradients({ problem, boundary }: PathShape): (Node | null)[] {
  const { score, target } = problem;
  if (target.kind !== "all") return vjpGraph([score], boundary, [fill(score.shape, 1)]);
  const seed = leafLike(score, [], "class");
  const one = vjpGraph([score], boundary, [seed]);
  const { batch, classes } = target;
  const seeds = broadcastTo(reshape(unitVectors(fill([classes], 0)), [classes, 1, classes]), [classes, batch, classes]);
  const present = one.filter((g): g is Node => g !== null);
  const all = batchAll(present, new Map([[seed, seeds]]), classes);
  return one.map((g) => (g ? all[present.indexOf(g)]! : null));
}

/** Shapes of the accumulators: what {@link chunkGraph} adds to. */
export function accumulatorShapes(shape: PathShape, baselines: number): Shape[] {
  const lead = shape.problem.target.kind === "all" ? [baselines, shape.problem.target.classes] : [baselines];
  return shape.boundary.map((z) => [...lead, ...z.shape]);
}

/**
 * inputs: A, T [M, ...], side inputs, target, nodes [M, S] or [M, S, B], weights [M, S], accumulators
 * -> accumulators
 */
export function chunkGraph(shape: PathShape, baselines: number, steps: number, perExample: boolean): PathGraph {
  const { boundary, problem } = shape;
  const starts = boundary.map((z) => leafLike(z, [baselines], "start"));
  const along = boundary.map((z) => leafLike(z, [baselines], "along"));
  const nodes = input(perExample ? [baselines, steps, problem.target.batch] : [baselines, steps], "f32", "nodes");
  const weights = input([baselines, steps], "f32", "weights");
  const sums = accumulatorShapes(shape, baselines).map((s) => input(s, "f32", "sum"));
  const rows = pathPoints(shape, starts, along, nodes, steps);
  const gradients = boundaryGradients(shape);
  const present = gradients.filter((g): g is Node => g !== null);
  const batched = batchAll(present, rows, baselines * steps);
  const outputs = gradients.map((g, k) => {
    if (!g) return sums[k]!;
    const whole = reshape(batched[present.indexOf(g)]!, [baselines, steps, ...g.shape]);
    return add(sums[k]!, sum(mul(whole, aligned(weights, whole.shape)), 1));
  });
  const { index } = problem;
  const side = sideInputs(shape);
  return { inputs: [...side, ...(index ? [index] : []), ...starts, ...along, nodes, weights, ...sums], outputs, side };
}

/** A + a T for all nodes, as rows [M * S, ...]. */
function pathPoints(
  { boundary }: PathShape,
  starts: readonly Node[],
  along: readonly Node[],
  nodes: Node,
  steps: number,
): Map<Node, Node> {
  return new Map(
    boundary.map((z, k) => {
      const [baselines, ...rest] = starts[k]!.shape as [number, ...number[]];
      const whole = [baselines, steps, ...rest];
      const spread = (v: Node): Node => broadcastTo(reshape(v, [baselines, 1, ...rest]), whole);
      const point = add(spread(starts[k]!), mul(aligned(nodes, whole), spread(along[k]!)));
      return [z, reshape(point, [baselines * steps, ...rest])];
    }),
  );
}

/** inputs: side inputs, target, accumulators, D [M, ...], score' [M, ...], p [M], totals -> totals (attributions, then mean score') */
export function finaleGraph(shape: PathShape, baselines: number): PathGraph {
  const { problem, boundary } = shape;
  const { ends, score, target, inputs, index } = problem;
  const sums = accumulatorShapes(shape, baselines).map((s) => input(s, "f32", "sum"));
  const differences = ends.map((end) => leafLike(end, [baselines], "difference"));
  const startScores = leafLike(score, [baselines], "baseline score");
  const weights = input([baselines], "f32", "baseline weights");
  const gradients = pullBack(boundary, ends, sums, baselines, target.kind === "all" ? target.classes : undefined);
  const classes = target.kind === "all" ? [target.classes] : [];
  const products = gradients.map((g, j) => {
    const d = differences[j]!;
    const [m, ...rest] = d.shape;
    return mul(g, reshape(d, [m!, ...classes.map(() => 1), ...rest]));
  });
  const weighted = [...products, startScores].map((v) => sum(mul(v, aligned(weights, v.shape)), 0));
  const totals = weighted.map((v) => input(v.shape, "f32", "total"));
  const read = new Set(reachable(weighted));
  const side = inputs.filter((x) => read.has(x));
  return {
    inputs: [...side, ...(index ? [index] : []), ...sums, ...differences, startScores, weights, ...totals],
    outputs: weighted.map((v, i) => add(v, totals[i]!)),
    side,
  };
}

/** The transposed affine prefix applied to sums of gradients, [M, (K), ...]. */
function pullBack(
  boundary: readonly Node[],
  ends: readonly Node[],
  sums: readonly Node[],
  baselines: number,
  classes: number | undefined,
): Node[] {
  const seeds = boundary.map((z) => leafLike(z, [], "cotangent"));
  const cotangents = vjpGraph(boundary, ends, seeds).map((g, j) => g ?? fill(ends[j]!.shape, 0));
  if (classes === undefined) return batchAll(cotangents, new Map(seeds.map((s, k) => [s, sums[k]!])), baselines);
  const perClass = boundary.map((z) => leafLike(z, [classes], "cotangent"));
  const inner = batchAll(cotangents, new Map(seeds.map((s, k) => [s, perClass[k]!])), classes);
  return batchAll(inner, new Map(perClass.map((s, k) => [s, sums[k]!])), baselines);
}

/**
 * inputs: side inputs, target, x' [1, ...], x - x' [1, ...], nodes [1, S] -> rows of `outputs`, [S, ...], at those nodes
 * @param outputs values that depend on the attributed values
 */
export function rowGraph(problem: Problem, steps: number, outputs: readonly Node[]): PathGraph {
  const shape: PathShape = { problem, boundary: problem.ends };
  const starts = problem.ends.map((z) => leafLike(z, [1], "start"));
  const along = problem.ends.map((z) => leafLike(z, [1], "along"));
  const nodes = input([1, steps], "f32", "nodes");
  const rows = pathPoints(shape, starts, along, nodes, steps);
  const { index } = problem;
  const side = sideInputs(shape);
  return {
    inputs: [...side, ...(index ? [index] : []), ...starts, ...along, nodes],
    outputs: batchAll(outputs, rows, steps),
    side,
  };
}

/** Gradients of the score with respect to the attributed values; zeros where it ignores one. */
export function endGradients(problem: Problem): Node[] {
  return boundaryGradients({ problem, boundary: problem.ends }).map((g, j) => g ?? fill(problem.ends[j]!.shape, 0));
}
