// Integrals along curves from x' to x that are functions of the position a in [0, 1]. Shapes: M baselines, S nodes, B
// examples, d coordinates of one example, K classes if all are explained.
import { replacing } from "../graph/trace.ts";
import { ShapeError } from "../tensor/errors.ts";
import { formatShape, sameShape, type Shape } from "../tensor/shape.ts";
import { batchAll } from "../autograd/batch.ts";
import { jvpGraph } from "../autograd/jvp.ts";
import { fill, input } from "../graph/leaves.ts";
import type { Node, Value } from "../graph/node.ts";
import { add, mul, sub } from "../kernels/arithmetic.ts";
import { broadcastTo, sum } from "../kernels/broadcast.ts";
import { expandDims, moveAxis, reshape } from "../kernels/movement.ts";
import { index as indexAt, sliceAxis } from "../kernels/slice.ts";
import { joined, parted } from "./coordinates.ts";
import { idgiShares, type Weighting } from "./idgi-shares.ts";
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
  timesEach,
  type Integrand,
  type PathGraph,
  type PathShape,
} from "./path-parts.ts";
import { attributionNames, type Problem } from "./problem.ts";

export interface CurveState {
  /** Ends of the path, for one attributed value [B, ...]. */
  readonly baseline: Value;
  readonly input: Value;
  /** Position on the path: a scalar from 0 (baseline) to 1 (input). */
  readonly alpha: Value;
  /** Name of the attributed value. */
  readonly name: string;
}

/** A differentiable path: the point at `alpha`, of the shape of the input. */
export type Curve = (state: CurveState) => Value;

/** A curve, traced once for every attributed value. */
export interface TracedCurve {
  readonly baselines: readonly Node[];
  readonly inputs: readonly Node[];
  readonly alpha: Node;
  readonly points: readonly Node[];
}

const leaves = new WeakMap<Problem, Omit<TracedCurve, "points">>();

/** Equal functions give the same nodes, since their arguments are the same for all calls. */
export function traceCurve(problem: Problem, curve: Curve): TracedCurve {
  const { ends, endNames } = problem;
  const known = leaves.get(problem) ?? {
    baselines: ends.map((end) => leafLike(end, [], "baseline")),
    inputs: ends.map((end) => leafLike(end, [], "input")),
    alpha: input([], "f32", "alpha"),
  };
  leaves.set(problem, known);
  const { baselines, inputs, alpha } = known;
  const points = ends.map((end, j) => {
    const point = curve({ baseline: baselines[j]!, input: inputs[j]!, alpha, name: endNames[j]! });
    if (point.dtype === "f32" && sameShape(point.shape, end.shape)) return point;
    throw new ShapeError(
      `curve: expected a point f32 ${formatShape(end.shape)}, got ${point.dtype} ${formatShape(point.shape)}`,
    );
  });
  return { ...known, points };
}

export const straight: Curve = ({ baseline, input: x, alpha }) => add(baseline, mul(alpha, sub(x, baseline)));

/** What is summed along a curve. Its boundary is that of the attributed values: nothing but straight lines is hoisted. */
export function curveIntegrand(shape: PathShape, curve: TracedCurve, weighting: Weighting): Integrand {
  return {
    key: `curve ${weighting} ${curve.points.map(({ id }) => id).join()}`,
    results: attributionNames(shape.problem),
    chunk: (m, steps) => (weighting === "idgi" ? gainChunk : gradientChunk)(shape, curve, m, steps),
    finale: (m) => finale(shape, m, weighting),
  };
}

/** [M, K if all are explained] */
const leadOf = ({ problem }: PathShape, m: number): number[] => [m, ...classesOf(problem)];

/** Points and tangents [M * S, ...end] of a curve at all nodes, and what else a chunk reads. */
function chunkParts(shape: PathShape, curve: TracedCurve, m: number, steps: number) {
  const rows = m * steps;
  const { starts, along } = boundaryInputs(shape, m);
  const { nodes, weights } = nodeInputs(shape, m, steps, false);
  const spread = (v: Node): Node => {
    const [, ...rest] = v.shape;
    return reshape(broadcastTo(expandDims(v, 1), [m, steps, ...rest]), [rows, ...rest]);
  };
  const given = new Map([
    ...curve.baselines.map((leaf, j) => [leaf, spread(starts[j]!)] as const),
    ...curve.inputs.map((leaf, j) => [leaf, spread(add(starts[j]!, along[j]!))] as const),
    [curve.alpha, reshape(nodes, [rows])] as const,
  ]);
  const tangents = jvpGraph(curve.points, [curve.alpha], [fill([], 1)]).map(
    (t, j) => t ?? fill(shape.boundary[j]!.shape, 0),
  );
  const at = batchAll([...curve.points, ...tangents], given, rows);
  const { ends, score } = shape.problem;
  const [scores, ...gradients] = batchAll([score, ...boundaryGradients(shape)], replacing(ends, at), rows);
  return {
    scores: scores!,
    gradients,
    tangents: at.slice(ends.length),
    weights,
    inputs: [...starts, ...along, nodes, weights],
  };
}

/** Accumulators: sum of weighted gradients times tangents [M, (K,) B, d]. */
function gradientChunk(shape: PathShape, curve: TracedCurve, m: number, steps: number): PathGraph {
  const { problem } = shape;
  const classes = classesOf(problem);
  const { gradients, tangents, weights, inputs } = chunkParts(shape, curve, m, steps);
  const products = gradients.map((g, j) => timesEach(g, tangents[j]!));
  const whole = joined(problem, products, [m, steps, ...classes]);
  const more = sum(mul(whole, aligned(weights, whole.shape)), 1);
  const total = input(more.shape, "f32", "sum");
  return pathGraph(problem, [...inputs, total], [add(total, more)]);
}

/**
 * IDGI: what the score gains between two nodes, shared out by the gradient at the first one.
 * Accumulators: sum and the last node's shares [M, (K,) B, d], the last node's score [M, (K,) B].
 */
function gainChunk(shape: PathShape, curve: TracedCurve, m: number, steps: number): PathGraph {
  const { problem } = shape;
  const classes = classesOf(problem);
  const { gradients, scores, inputs } = chunkParts(shape, curve, m, steps);
  const shares = idgiShares(joined(problem, gradients, [m, steps, ...classes]));
  const perNode: Shape = shares.shape.slice(0, -1);
  // Scores of all classes come as [M * S, B, K].
  const score = reshape(classes.length > 0 ? moveAxis(scores, 2, 1) : scores, perNode);
  const gain = (to: Node, from: Node, share: Node): Node => mul(share, expandDims(sub(to, from), -1));
  const part = (v: Node, from: number, to: number): Node => sliceAxis(v, 1, from, to);
  const [total, pending] = [0, 1].map(() => input(indexAt(shares, 1, 0).shape, "f32", "sum"));
  const before = input(indexAt(score, 1, 0).shape, "f32", "sum");
  const first = gain(indexAt(score, 1, 0), before, pending!);
  const others =
    steps > 1 ? sum(gain(part(score, 1, steps), part(score, 0, steps - 1), part(shares, 0, steps - 1)), 1) : 0;
  const last = [shares, score].map((v) => indexAt(v, 1, steps - 1));
  return pathGraph(problem, [...inputs, total!, pending!, before], [add(total!, add(first, others)), ...last]);
}

function finale(shape: PathShape, m: number, weighting: Weighting): PathGraph {
  const { problem } = shape;
  const lead = leadOf(shape, m);
  const whole = joined(
    problem,
    problem.ends.map((end) => fill([...lead, ...end.shape], 0)),
    lead,
  ).shape;
  const total = input(whole, "f32", "sum");
  const unread = weighting === "idgi" ? [input(whole, "f32", "shares"), input(whole.slice(0, -1), "f32", "sum")] : [];
  const { differences, startScores, p } = finaleInputs(shape, m);
  const { totals, outputs } = addMeans([...parted(problem, total, lead), startScores], p);
  return pathGraph(problem, [total, ...unread, ...differences, startScores, p, ...totals], outputs);
}
