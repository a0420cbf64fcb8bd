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
import { fill, input, iota } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import { add, addPresent, mul } from "../kernels/arithmetic.ts";
import { broadcastTo, sum } from "../kernels/broadcast.ts";
import { cast, equal } from "../kernels/choice.ts";
import { concat } from "../kernels/join.ts";
import { matmul } from "../kernels/matmul.ts";
import { expandDims, moveAxis, reshape } from "../kernels/movement.ts";
import { sliceAxis } from "../kernels/slice.ts";
import { gramSum } from "./hessian-gram.ts";
import {
  batchAxis,
  boundarySize,
  exampleShape,
  exampleSize,
  featureCount,
  type OnRows,
  type TangentRows,
} from "./hessian-parts.ts";
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

/** How many weights every node has: for the gradients of IG, for those of the diagonal, for the Hessian. */
export const HESSIAN_SUMS = 3;

export interface HessianForm {
  readonly sum: "hvp" | "gram";
  readonly tangents: "rows" | "boundary";
}

export interface HessianRequest extends HessianForm {
  /** T: rows that are computed at once; which ones is given at run time. */
  readonly rows: number;
  /** Number of groups if rows and columns are groups of features, whose labels are given at run time. */
  readonly groups: number | undefined;
}

/** Interactions [B, T, N] (or [B, T, G] of groups), row sums [B, T], and IG of every attributed value. */
export function hessianIntegrand(shape: PathShape, request: HessianRequest): Integrand {
  const { sum: form, tangents, rows, groups } = request;
  const names = shape.problem.endNames.map((name) => `the attribution of "${name}"`);
  return {
    key: `hessians ${form} ${tangents} ${rows} ${groups}`,
    results: ["the interactions", "the sums of their rows", ...names],
    prepare: (m) => prepareGraph(shape, request, m),
    chunk: (m, steps, perExample) => chunkGraph(shape, request, { m, steps, perExample }),
    finale: (m) => finaleGraph(shape, request, m),
  };
}

/** Number of tangents: T, or H for the unit vectors of the boundary. */
const tangentCount = (shape: PathShape, { tangents, rows }: HessianRequest): number =>
  tangents === "rows" ? rows : boundarySize(shape);

function accumulatorShapes(shape: PathShape, request: HessianRequest, m: number): Shape[] {
  const { problem, boundary } = shape;
  const count = tangentCount(shape, request);
  const second =
    request.sum === "gram" ? [[m, ...batchAxis(problem), count, count]] : boundary.map((z) => [m, count, ...z.shape]);
  return [...second, ...boundary.map((z) => [m, 2, ...z.shape])];
}

// ---- which features a row stands for -------------------------------------------------------------------------------

interface Given {
  readonly inputs: readonly Node[];
  /** Rows as numbers of features, or of groups, [T]. */
  readonly ids: Node;
  /** What every feature is called by them, [N]. */
  readonly labels: Node;
}

function givenInputs({ problem }: PathShape, { rows, groups }: Pick<HessianRequest, "rows" | "groups">): Given {
  const count = featureCount(problem);
  const ids = input([rows], "i32", "rows");
  if (groups === undefined) return { inputs: [ids], ids, labels: iota(count) };
  const labels = input([count], "i32", "groups");
  return { inputs: [ids, labels], ids, labels };
}

/** 1 where a feature of an attributed value belongs to a row: [T, ...example] for each of them. Never stored. */
function masks({ problem }: PathShape, { ids, labels }: Given): Node[] {
  let at = 0;
  return problem.ends.map((end) => {
    const size = exampleSize(problem, end);
    const own = sliceAxis(labels, 0, at, (at += size));
    return reshape(memberships(ids, own), [ids.shape[0]!, ...exampleShape(problem, end)]);
  });
}

const memberships = (ids: Node, labels: Node): Node => cast(equal(expandDims(ids, 1), labels), "f32");

/** Puts the axis of an example [k, ...example] beside those of all examples: [k, B or nothing, ...example]. */
function besideBatch({ problem }: PathShape, value: Node): Node {
  const [count, ...example] = value.shape as [number, ...number[]];
  return reshape(value, [count, ...batchAxis(problem).map(() => 1), ...example]);
}

// ---- prepare: the rows, pushed to the boundary ------------------------------------------------------------------------

/**
 * -> W v_t, [M, T, ...z] for every value of the boundary
 * @param unused what else the integrand is given, for its other graphs
 */
export function prepareGraph(
  shape: PathShape,
  request: Pick<HessianRequest, "rows" | "groups">,
  m: number,
  unused: readonly Node[] = [],
): PathGraph {
  const { problem, boundary } = shape;
  const { ends, index } = problem;
  const given = givenInputs(shape, request);
  const { differences } = finaleInputs(shape, m);
  const directions = masks(shape, given).map((mask, j) => {
    const whole = mul(expandDims(differences[j]!, 1), besideBatch(shape, mask));
    return reshape(whole, [m * request.rows, ...ends[j]!.shape]);
  });
  const seeds = ends.map((end) => leafLike(end, [], "direction"));
  const tangents = jvpGraph(boundary, ends, seeds).map((t, k) => t ?? fill(boundary[k]!.shape, 0));
  const pushed = batchAll(tangents, new Map(seeds.map((s, j) => [s, directions[j]!])), m * request.rows);
  const outputs = pushed.map((t, k) => reshape(t, [m, request.rows, ...boundary[k]!.shape]));
  const side = sideOf(problem, outputs);
  const inputs = [...side, ...(index ? [index] : []), ...given.inputs, ...unused, ...differences];
  return { inputs, outputs, side };
}

// ---- chunk: sums over nodes ------------------------------------------------------------------------------------------

interface ChunkSize {
  readonly m: number;
  readonly steps: number;
  readonly perExample: boolean;
}

function chunkGraph(shape: PathShape, request: HessianRequest, size: ChunkSize): PathGraph {
  const { boundary, problem } = shape;
  const { m, steps, perExample } = size;
  const ends = boundaryInputs(shape, m);
  const extras = boundary.map((z) => leafLike(z, [m, request.rows], "pushed"));
  const { nodes, weights } = nodeInputs(shape, m, steps, perExample, HESSIAN_SUMS);
  const sums = accumulatorShapes(shape, request, m).map((s) => input(s, "f32", "sum"));
  const points = pathPoints(shape, ends, nodes, steps);

  const gradients = boundaryGradients(shape);
  const seeds = boundary.map((z) => leafLike(z, [], "tangent"));
  const tangents = tangentRows(shape, request, seeds, extras, size);
  const onRows: OnRows = (values) =>
    batchAll(
      batchAll(values, tangents.perTangent, tangents.count),
      new Map([...points, ...tangents.perRow]),
      m * steps,
    );
  const hessianWeights = reshape(sliceAxis(weights, 2, 2, 3), [m, steps]);
  const second =
    request.sum === "gram"
      ? [gramSum(shape, { m, steps, seeds, weights: hessianWeights, points, onRows, tangents })]
      : weightedProducts(shape, { gradients, seeds, weights: hessianWeights, onRows, size });
  const first = weightedGradients(shape, { gradients, points, weights: sliceAxis(weights, 2, 0, 2), size });
  const outputs = [...second, ...first].map((v, i) => (v ? add(sums[i]!, v) : sums[i]!));
  const side = sideInputs(shape);
  const { index } = problem;
  const inputs = [
    ...side,
    ...(index ? [index] : []),
    ...ends.starts,
    ...ends.along,
    ...extras,
    nodes,
    weights,
    ...sums,
  ];
  return { inputs, outputs, side };
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
  return { count, perTangent: new Map(pairs(leaves)), perRow: new Map(leaves.map((leaf, k) => [leaf, spread[k]!])) };
}

/** What belongs to a baseline, [M, ...], for every node of it: [M * S, ...]. */
export function spreadRows(value: Node, m: number, steps: number): Node {
  const rest = value.shape.slice(1);
  return reshape(broadcastTo(expandDims(value, 1), [m, steps, ...rest]), [m * steps, ...rest]);
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
  readonly points: ReadonlyMap<Node, Node>;
  /** [M, S, 2] */
  readonly weights: Node;
  readonly size: ChunkSize;
}

/** Both weighted sums of gradients, [M, 2, ...z]; null where the score ignores a value. */
function weightedGradients(_: PathShape, { gradients, points, weights, size: { m, steps } }: Gradients) {
  const present = gradients.filter((g): g is Node => g !== null);
  const rows = batchAll(present, points, m * steps);
  return gradients.map((g) => {
    if (!g) return null;
    const whole = reshape(rows[present.indexOf(g)]!, [m, steps, 1, ...g.shape]);
    return sum(mul(whole, aligned(weights, whole.shape)), 1);
  });
}

// ---- finale: rows of interactions ------------------------------------------------------------------------------------

function finaleGraph(shape: PathShape, request: HessianRequest, m: number): PathGraph {
  const { problem, boundary } = shape;
  const { index } = problem;
  const given = givenInputs(shape, request);
  const extras = boundary.map((z) => leafLike(z, [m, request.rows], "pushed"));
  const sums = accumulatorShapes(shape, request, m).map((s) => input(s, "f32", "sum"));
  const { differences, startScores, p } = finaleInputs(shape, m);
  const [second, first] = [sums.slice(0, sums.length - boundary.length), sums.slice(-boundary.length)];

  // D * (integral of weights * g): [M, 2, ...end], the attributions and the diagonal.
  const gradients = pullBack(shape, first, [m, 2]).map((g, j) => mul(g, expandDims(differences[j]!, 1)));
  const [attributions, diagonal] = [0, 1].map((c) =>
    gradients.map((g) => reshape(sliceAxis(g, 1, c, c + 1), [m, ...g.shape.slice(2)])),
  );
  const own = masks(shape, given);
  const { matrix, rowSums } =
    request.sum === "gram" && request.tangents === "rows"
      ? rowsOfGram(shape, second[0]!, diagonal!, own)
      : rowsOfProducts(shape, { second, extras, differences, diagonal: diagonal!, own, given, request, m });
  const { totals, outputs } = addMeans([matrix, rowSums, ...attributions!, startScores], p);
  const side = sideOf(problem, outputs);
  return {
    inputs: [
      ...[...side, ...(index ? [index] : []), ...given.inputs, ...extras],
      ...[...sums, ...differences, startScores, p, ...totals],
    ],
    outputs,
    side,
  };
}

/** The matrix [M, B, T, T] is there already, but for its diagonal. */
function rowsOfGram(shape: PathShape, gram: Node, diagonal: readonly Node[], own: readonly Node[]) {
  const { problem } = shape;
  const rows = own[0]!.shape[0]!;
  // sum over the features of a row: [M, T, B]
  const parts = diagonal.map((d, j) => {
    const product = mul(expandDims(d, 1), besideBatch(shape, own[j]!));
    return sum(reshape(product, [...product.shape.slice(0, 2 + batchAxis(problem).length), -1]), -1);
  });
  const onDiagonal = moveAxis(addPresent(parts)!, 1, -1);
  const matrix = add(gram, mul(expandDims(onDiagonal, -1), memberships(iota(rows), iota(rows))));
  return { matrix, rowSums: sum(matrix, -1) };
}

interface Rows {
  /** Weighted sums of products [M, T or H, ...z], or H_z [M, B, H, H]. */
  readonly second: readonly Node[];
  /** W v_t, [M, T, ...z] */
  readonly extras: readonly Node[];
  readonly differences: readonly Node[];
  readonly diagonal: readonly Node[];
  /** Features of every row, [T, ...example]. */
  readonly own: readonly Node[];
  readonly given: Given;
  readonly request: HessianRequest;
  readonly m: number;
}

/** Back through the affine prefix and times D: [M, B, T, N]; summed over the features of every group: [M, B, T, G]. */
function rowsOfProducts(shape: PathShape, { second, extras, differences, diagonal, own, given, request, m }: Rows) {
  const { problem, boundary } = shape;
  const batch = batchAxis(problem);
  const { rows, groups } = request;
  const products =
    request.tangents === "rows"
      ? second
      : throughBoundary(shape, extras, request.sum === "gram" ? second[0]! : joined(shape, second)).map((r, k) =>
          reshape(r, [m, rows, ...boundary[k]!.shape]),
        );
  const parts = pullBack(shape, products, [m, rows]).map((g, j) => {
    const d = expandDims(differences[j]!, 1);
    const mask = besideBatch(shape, own[j]!);
    const row = add(mul(g, d), mul(expandDims(diagonal[j]!, 1), mask));
    return reshape(row, [m, rows, ...batch, exampleSize(problem, problem.ends[j]!)]);
  });
  const features = moveAxis(concat(parts, -1), 1, -2);
  const matrix =
    groups === undefined ? features : matmul(features, memberships(iota(groups), given.labels), { transposeB: true });
  return { matrix, rowSums: sum(features, -1) };
}

/** Values of the boundary beside one another: [M, k, B, H] -> [M, B, k, H]. */
function joined({ problem, boundary }: PathShape, values: readonly Node[]): Node {
  const batch = batchAxis(problem);
  const flat = values.map((v, k) => reshape(v, [...v.shape.slice(0, 2), ...batch, exampleSize(problem, boundary[k]!)]));
  return moveAxis(concat(flat, -1), 1, -2);
}

/** (W v_t)^T H_z: [M, T, B, ...] for each value of the boundary. H_z is symmetric. */
function throughBoundary(shape: PathShape, pushed: readonly Node[], hessian: Node): Node[] {
  const { problem, boundary } = shape;
  const products = moveAxis(matmul(joined(shape, pushed), hessian), -2, 1);
  let at = 0;
  return boundary.map((z) => sliceAxis(products, -1, at, (at += exampleSize(problem, z))));
}
