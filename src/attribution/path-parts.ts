// What the graphs of all path integrals are built from. On z(u) = x' + u (x - x') the nodes of a quadrature are rows of
// one batch. Shapes: M baselines, S nodes, B examples, K classes.
import type { HostArray } from "../tensor/host.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import { unitVectors } from "../autograd/api.ts";
import { batchAll } from "../autograd/batch.ts";
import { jvpGraph } from "../autograd/jvp.ts";
import { vjpGraph } from "../autograd/transpose.ts";
import { affineBoundary } from "../compiler/affine.ts";
import { fill, input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { reachable, replacing, type Graph } from "../graph/trace.ts";
import { add, mul } from "../kernels/arithmetic.ts";
import { broadcastTo, sum } from "../kernels/broadcast.ts";
import { reshape } from "../kernels/movement.ts";
import type { rampProduct } from "../kernels/ramp.ts";
import type { Problem } from "./problem.ts";

/** Where paths are evaluated: at the boundary of the affine prefix, or at the attributed values themselves. */
export interface PathShape {
  readonly problem: Problem;
  readonly boundary: readonly Node[];
  /** Kernels for rectified lines, if any may be used, and whether the adapter is a software one: see path-ramps.ts. */
  readonly ramps?: { readonly product: typeof rampProduct; readonly software: boolean };
}

export function pathShape(problem: Problem, hoist: boolean): PathShape {
  const { ends, output, score } = problem;
  return { problem, boundary: hoist ? affineBoundary([output, score], ends) : ends };
}

/** A graph that also reads some inputs of the problem: `side`, in the order in which they are bound. */
export interface PathGraph extends Graph {
  readonly side: readonly Node[];
  /** Set where scores at both ends are no outputs, but follow from those of the network. */
  readonly pick?: Problem["pick"];
  /**
   * Makes what is read back into the outputs of `wholeGraph`, given the weights of baselines, and classes if the caller names
   * them.
   */
  collect?(arrays: readonly HostArray[], p: readonly number[], classes: ArrayLike<number> | undefined): HostArray[];
}

/**
 * What is summed along the paths. Its graphs are bound in this order ({@link PathIntegral} runs them):
 *
 *   prepare   side inputs, target, given, D [M, ...] -> extras, once per group of baselines
 *   chunk     side inputs, target, A, T [M, ...], extras, nodes, weights, accumulators -> accumulators
 *   finale    side inputs, target, given, extras, accumulators, D, score' [M, ...], p [M], totals -> totals
 *
 * The last total is the mean score at the baselines. Where all nodes fit at once, the graphs are joined into one.
 */
export interface Integrand {
  /** Names the graphs among the cached programs. */
  readonly key: string;
  /** What the totals but the last are, for messages. */
  readonly results: readonly string[];
  prepare?(baselines: number): PathGraph;
  /** @param more nodes without weights behind the others, whose gradients are not asked for; only if `shared` */
  chunk(baselines: number, steps: number, perExample: boolean, more?: number): PathGraph;
  finale(baselines: number): PathGraph;
  /** Whether the values at further nodes come at the price of more rows in the network's forward pass. */
  readonly shared?: boolean;
}

export const leafLike = (node: Node, lead: Shape, name: string): Node =>
  input([...lead, ...node.shape], node.dtype, name);

/** Axes of extent 1 behind those of `lead`, so that a per-node number multiplies a whole value. */
export const aligned = (lead: Node, value: Shape): Node =>
  reshape(lead, [...lead.shape, ...Array<number>(value.length - lead.shape.length).fill(1)]);

/** The class axis [K], if all classes are explained. */
export const classesOf = ({ target }: Problem): number[] => (target.kind === "all" ? [target.classes] : []);

/**
 * Gradient of the score with respect to the boundary, or to other values that it depends on through them; [K, ...] for all
 * classes. Zeros where the score ignores a value.
 */
export function boundaryGradients({ problem, boundary }: PathShape, at = boundary): Node[] {
  const { score, target } = problem;
  const gradients = (seed: Node): Node[] => vjpGraph([score], at, [seed]).map((g, k) => g ?? fill(at[k]!.shape, 0));
  if (target.kind !== "all") return gradients(fill(score.shape, 1));
  const seed = leafLike(score, [], "class");
  const { batch, classes } = target;
  const seeds = broadcastTo(reshape(unitVectors(fill([classes], 0)), [classes, 1, classes]), [classes, batch, classes]);
  return batchAll(gradients(seed), new Map([[seed, seeds]]), classes);
}

/** Inputs of a chunk: the boundary at x' and its tangent along x - x', [M, ...]. */
export interface BoundaryInputs {
  readonly starts: readonly Node[];
  readonly along: readonly Node[];
}

export const boundaryInputs = ({ boundary }: PathShape, baselines: number): BoundaryInputs => ({
  starts: boundary.map((z) => leafLike(z, [baselines], "start")),
  along: boundary.map((z) => leafLike(z, [baselines], "along")),
});

/** Inputs of a chunk: nodes [M, S + more] or [M, S + more, B], weights [M, S], or [M, S, C] for several sums. */
export const nodeInputs = (
  { problem }: PathShape,
  m: number,
  steps: number,
  perExample: boolean,
  { sums = 1, more = 0 } = {},
) => ({
  nodes: input(perExample ? [m, steps + more, problem.target.batch] : [m, steps + more], "f32", "nodes"),
  weights: input(sums === 1 ? [m, steps] : [m, steps, sums], "f32", "weights"),
});

/** Inputs of a finale: D and score' [M, ...], weights of the baselines [M]. */
export const finaleInputs = ({ problem }: PathShape, baselines: number) => ({
  differences: problem.ends.map((end) => leafLike(end, [baselines], "difference")),
  startScores: leafLike(problem.score, [baselines], "baseline score"),
  p: input([baselines], "f32", "baseline weights"),
});

/** A + u T for all nodes, as rows [M * S, ...]. */
export function pathPoints(
  { boundary }: PathShape,
  { starts, along }: BoundaryInputs,
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

/** The affine prefix applied to tangents of the attributed values, [rows, ...end] -> [rows, ...z]. */
export function pushForward({ boundary, problem }: PathShape, tangents: readonly Node[], rows: number): Node[] {
  const { ends } = problem;
  const seeds = ends.map((end) => leafLike(end, [], "direction"));
  const pushed = jvpGraph(boundary, ends, seeds).map((t, k) => t ?? fill(boundary[k]!.shape, 0));
  return batchAll(pushed, replacing(seeds, tangents), rows);
}

/** The transposed affine prefix applied to cotangents of the boundary, [...lead, ...z] -> [...lead, ...end]. */
export function pullBack({ boundary, problem }: PathShape, cotangents: readonly Node[], lead: Shape): Node[] {
  const { ends } = problem;
  const rows = numel(lead);
  const seeds = boundary.map((z) => leafLike(z, [], "cotangent"));
  const pulled = vjpGraph(boundary, ends, seeds).map((g, j) => g ?? fill(ends[j]!.shape, 0));
  const given = seeds.map((seed, k) => reshape(cotangents[k]!, [rows, ...seed.shape]));
  return batchAll(pulled, replacing(seeds, given), rows).map((g, j) => reshape(g, [...lead, ...ends[j]!.shape]));
}

/** g [M, (K,) ...] times d [M, ...]. */
export function timesEach(g: Node, d: Node): Node {
  const [m, ...rest] = d.shape;
  return mul(g, reshape(d, [m!, ...Array<number>(g.shape.length - d.shape.length).fill(1), ...rest]));
}

/** A graph of `own` inputs that also reads the class, and what `outputs` need of the problem's inputs. */
export function pathGraph({ inputs, index }: Problem, own: readonly Node[], outputs: readonly Node[]): PathGraph {
  const read = new Set(reachable(outputs));
  const side = inputs.filter((x) => read.has(x));
  return { inputs: [...side, ...(index ? [index] : []), ...own], outputs, side };
}

/** Means over baselines with the weights `p` [M], added to totals: the last step of every integral. */
export function addMeans(values: readonly Node[], p: Node): { totals: Node[]; outputs: Node[] } {
  const means = values.map((v) => sum(mul(v, aligned(p, v.shape)), 0));
  const totals = means.map((v) => input(v.shape, "f32", "total"));
  return { totals, outputs: means.map((v, i) => add(v, totals[i]!)) };
}
