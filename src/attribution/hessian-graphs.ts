// The graphs of Integrated Hessians (arXiv 2002.04138), with one integral instead of two (see {@link integratedHessians}).
// With D = x - x', and v_t = D on the features of row t, elsewhere 0:
//
//   rows_t = D * (integral of -u ln u H(u) v_t) + [diagonal] D * (integral of -ln u g(u)) on the features of row t
//
// Both integrals are taken at the boundary z of the affine prefix x -> W x + b, where H = W^T H_z W. Tangents there are
// either the pushed rows W v_t, or, if that is fewer, the unit vectors of z, which give H_z itself. Two forms of the sum:
//
//   hvp   H_z times every tangent, forward over reverse: [T, z] per node
//   gram  H_z = sum over nonlinear nodes a of J_a^T diag(c phi''(a)) J_a, for networks whose only nonlinear nodes are
//         elementwise functions of one value: a product of tangents [T, T] per node, no pass backwards for them
//
// Shapes: M baselines, S nodes, B examples (absent if the score is a scalar), T rows, N features, H elements of z.
import { batchAll } from "../autograd/batch.ts";
import { jvpGraph } from "../autograd/jvp.ts";
import { input, iota } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { dependents, reachable, replacing } from "../graph/trace.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import { add, mul } from "../kernels/arithmetic.ts";
import { broadcastTo, sum } from "../kernels/broadcast.ts";
import { moveAxis, reshape } from "../kernels/movement.ts";
import { sliceAxis } from "../kernels/slice.ts";
import { besideBatch, memberships, prepareGraph, spreadRows } from "./hessian-features.ts";
import { finaleGraph } from "./hessian-finale.ts";
import { gramNodes, gramSum } from "./hessian-gram.ts";
import {
  accumulatorShapes,
  batchAxis,
  boundarySize,
  exampleShape,
  exampleSize,
  HESSIAN_SUMS,
  tangentCount,
  type AtNodes,
  type ByTangent,
  type HessianRequest,
  type OnRows,
  type TangentRows,
} from "./hessian-parts.ts";
import {
  aligned,
  boundaryGradients,
  boundaryInputs,
  leafLike,
  nodeInputs,
  pathGraph,
  pathPoints,
  type Integrand,
  type PathGraph,
  type PathShape,
} from "./path-parts.ts";
import { attributionNames } from "./problem.ts";

/** Interactions [B, T, N], or [B, T, G] of groups and the sums of rows [B, T]; then IG of every attributed value. */
export function hessianIntegrand(shape: PathShape, request: HessianRequest): Integrand {
  const { sum: form, tangents, rows, groups } = request;
  const rowSums = groups === undefined ? [] : ["the sums of their rows"];
  return {
    key: `hessians ${form} ${tangents} ${rows} ${groups}`,
    results: ["the interactions", ...rowSums, ...attributionNames(shape.problem)],
    // Elsewhere kernels read what is kept of the nodes, which the further ones would have to be cut from.
    shared: gramNodes(shape) !== undefined,
    prepare: (m) => prepareGraph(shape, request, m),
    chunk: (m, steps, perExample, more = 0) => chunkGraph(shape, request, { m, steps, more }, perExample),
    finale: (m) => finaleGraph(shape, request, m),
  };
}

// ---- chunk: sums over nodes ------------------------------------------------------------------------------------------

interface ChunkSize {
  readonly m: number;
  readonly steps: number;
  /** Nodes behind the others for which nothing is summed. */
  readonly more: number;
}

function chunkGraph(shape: PathShape, request: HessianRequest, size: ChunkSize, perExample: boolean): PathGraph {
  const { boundary } = shape;
  const { m, steps, more } = size;
  const ends = boundaryInputs(shape, m);
  const extras = boundary.map((z) => leafLike(z, [m, request.rows], "pushed"));
  const { nodes, weights } = nodeInputs(shape, m, steps, perExample, { sums: HESSIAN_SUMS, more });
  const sums = accumulatorShapes(shape, request, m).map((s) => input(s, "f32", "sum"));
  const points = pathPoints(shape, ends, nodes, steps + more);
  const atNodes: AtNodes = (values) =>
    batchAll(values, points, m * (steps + more)).map((rows) => firstNodes(rows, size));

  const gradients = boundaryGradients(shape);
  const seeds = boundary.map((z) => leafLike(z, [], "tangent"));
  const tangents = tangentRows(shape, request, seeds, extras, size);
  /** What depends on no tangent is the same for all of them. */
  const shared = (values: readonly Node[], own: readonly Node[]): [Node, Node][] => {
    const nodes = untouched(values, boundary, own);
    return atNodes(nodes).map((row, i) => [nodes[i]!, row]);
  };
  const onRows: OnRows = (values) => {
    const rows = batchAll(values, tangents.perTangent, tangents.count);
    const known = shared(rows, [...tangents.perTangent.values()]);
    return batchAll(rows, new Map([...known, ...tangents.perRow]), m * steps);
  };
  const byTangent: ByTangent = (values) => {
    const whole = (rows: Node, ...lead: number[]): Node => reshape(rows, [...lead, ...rows.shape.slice(2)]);
    if (m > 1) return onRows(values).map((rows) => moveAxis(whole(rows, m, steps, tangents.count), 1, 2));
    const rows = batchAll(values, new Map(shared(values, seeds)), steps);
    return batchAll(rows, tangents.perTangent, tangents.count).map((x) => whole(x, 1, tangents.count, steps));
  };
  const hessianWeights = reshape(sliceAxis(weights, 2, 2, 3), [m, steps]);
  const second =
    request.sum === "gram"
      ? [gramSum(shape, { m, steps, seeds, weights: hessianWeights, atNodes, byTangent, tangents })]
      : weightedProducts(shape, { gradients, seeds, weights: hessianWeights, onRows, size });
  const first = weightedGradients({ gradients, atNodes, weights: sliceAxis(weights, 2, 0, 2), size });
  const outputs = [...second, ...first].map((v, i) => (v ? add(sums[i]!, v) : sums[i]!));
  return pathGraph(shape.problem, [...ends.starts, ...ends.along, ...extras, nodes, weights, ...sums], outputs);
}

/** Rows [M * S, ...] of rows for all nodes. */
function firstNodes(rows: Node, { m, steps, more }: ChunkSize): Node {
  const rest = rows.shape.slice(1);
  return reshape(sliceAxis(reshape(rows, [m, steps + more, ...rest]), 1, 0, steps), [m * steps, ...rest]);
}

/** What depends on the boundary and on no tangent: the same for all tangents. */
function untouched(rows: readonly Node[], boundary: readonly Node[], tangents: readonly Node[]): Node[] {
  const nodes = reachable(rows);
  const [varying, touched] = [dependents(nodes, boundary), dependents(nodes, tangents)];
  return nodes.filter((node) => varying.has(node) && !touched.has(node));
}

/** Unit vectors, and rows of a single baseline, are shared by all nodes; rows of several baselines differ. */
function tangentRows(
  shape: PathShape,
  request: HessianRequest,
  seeds: readonly Node[],
  pushed: readonly Node[],
  { m, steps }: ChunkSize,
): TangentRows {
  const count = tangentCount(shape, request);
  const pairs = (values: readonly Node[]): [Node, Node][] => seeds.map((seed, k) => [seed, values[k]!]);
  if (request.tangents === "boundary") {
    return { count, perTangent: new Map(pairs(unitTangents(shape))), perRow: new Map() };
  }
  if (m === 1) {
    const only = pushed.map((p) => reshape(p, p.shape.slice(1)));
    return { count, perTangent: new Map(pairs(only)), perRow: new Map() };
  }
  const leaves = seeds.map((seed) => leafLike(seed, [count], "rows"));
  const spread = pushed.map((p) => spreadRows(p, m, steps));
  return { count, perTangent: new Map(pairs(leaves)), perRow: replacing(leaves, spread) };
}

/** Unit vectors of all values of the boundary together, [H, ...z] for each of them. Never stored. */
function unitTangents(shape: PathShape): Node[] {
  const { problem, boundary } = shape;
  const count = boundarySize(shape);
  let at = 0;
  return boundary.map((z) => {
    const size = exampleSize(problem, z);
    const own = sliceAxis(iota(count), 0, at, (at += size));
    const units = memberships(iota(count), own);
    // One example may have any layout; of several, the boundary has the examples along its first axis.
    if (numel(batchAxis(problem)) === 1) return reshape(units, [count, ...z.shape]);
    const each = reshape(units, [count, ...exampleShape(problem, z)]);
    return broadcastTo(besideBatch(shape, each), [count, ...z.shape]);
  });
}

interface Products {
  readonly gradients: readonly (Node | null)[];
  readonly seeds: readonly Node[];
  /** [M, S] */
  readonly weights: Node;
  readonly onRows: OnRows;
  readonly size: ChunkSize;
}

/** Sums over nodes of H_z times every tangent, [M, T, ...z]; null where they vanish. */
function weightedProducts({ boundary }: PathShape, { gradients, seeds, weights, onRows, size }: Products) {
  const { m, steps } = size;
  const present = gradients.flatMap((g, k) => (g ? [{ g, k }] : []));
  const tangents = jvpGraph(
    present.map(({ g }) => g),
    boundary,
    seeds,
  );
  const varying = present.flatMap(({ k }, i) => (tangents[i] ? [{ k, t: tangents[i] }] : []));
  const rows = onRows(varying.map(({ t }) => t));
  const sums = new Map(varying.map(({ k }, i) => [k, overNodes(rows[i]!, weights, [m, steps])]));
  return boundary.map((_, k) => sums.get(k) ?? null);
}

/** sum over s of weights [M, S] times rows [M * S, ...], [M, ...] */
function overNodes(rows: Node, weights: Node, lead: Shape): Node {
  const whole = reshape(rows, [...lead, ...rows.shape.slice(1)]);
  return sum(mul(whole, aligned(weights, whole.shape)), 1);
}

interface Gradients {
  readonly gradients: readonly (Node | null)[];
  readonly atNodes: AtNodes;
  /** [M, S, 2] */
  readonly weights: Node;
  readonly size: ChunkSize;
}

/** Both weighted sums of gradients, [M, 2, ...z]; null where the score ignores a value. */
function weightedGradients({ gradients, atNodes, weights, size: { m, steps } }: Gradients) {
  const present = gradients.filter((g): g is Node => g !== null);
  const rows = atNodes(present);
  return gradients.map((g) => {
    if (!g) return null;
    const whole = reshape(rows[present.indexOf(g)]!, [m, steps, 1, ...g.shape]);
    return sum(mul(whole, aligned(weights, whole.shape)), 1);
  });
}
