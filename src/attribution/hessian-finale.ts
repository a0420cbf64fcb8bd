// From sums over nodes to rows of interactions: back through the affine prefix, times D, with the diagonal, by groups.
import { iota, input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { add, addPresent, mul } from "../kernels/arithmetic.ts";
import { sum } from "../kernels/broadcast.ts";
import { concat } from "../kernels/join.ts";
import { matmul } from "../kernels/matmul.ts";
import { expandDims, moveAxis, reshape } from "../kernels/movement.ts";
import { sliceAxis } from "../kernels/slice.ts";
import { besideBatch, givenInputs, masks, memberships, type Given } from "./hessian-features.ts";
import { accumulatorShapes, batchAxis, exampleSize, type HessianRequest } from "./hessian-parts.ts";
import { addMeans, finaleInputs, leafLike, pathGraph, pullBack, type PathGraph, type PathShape } from "./path-parts.ts";

export function finaleGraph(shape: PathShape, request: HessianRequest, m: number): PathGraph {
  const { problem, boundary } = shape;
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
  const rowMasks = masks(shape, given);
  const { matrix, rowSums } =
    request.sum === "gram" && request.tangents === "rows"
      ? rowsOfGram(shape, request, second[0]!, diagonal!, rowMasks)
      : rowsOfProducts(shape, { second, extras, differences, diagonal: diagonal!, own: rowMasks, given, request, m });
  const { totals, outputs } = addMeans([matrix, ...rowSums, ...attributions!, startScores], p);
  const own = [...given.inputs, ...extras, ...sums, ...differences, startScores, p, ...totals];
  return pathGraph(problem, own, outputs);
}

/** The matrix [M, B, T, T] is there already, but for its diagonal. */
function rowsOfGram(
  shape: PathShape,
  request: HessianRequest,
  gram: Node,
  diagonal: readonly Node[],
  own: readonly Node[],
) {
  const rows = iota(request.rows);
  const onDiagonal = request.groups === undefined ? beside(shape, diagonal) : sumsOfGroups(shape, diagonal, own);
  const matrix = add(gram, mul(expandDims(onDiagonal, -1), memberships(rows, rows)));
  return { matrix, rowSums: request.groups === undefined ? [] : [sum(matrix, -1)] };
}

/** [M, B, ...] for each attributed value -> [M, B, N] */
function beside({ problem }: PathShape, values: readonly Node[]): Node {
  const flat = values.map((v, j) =>
    reshape(v, [v.shape[0]!, ...batchAxis(problem), exampleSize(problem, problem.ends[j]!)]),
  );
  return concat(flat, -1);
}

/** [M, B, ...] for each attributed value -> [M, B, G] */
function sumsOfGroups(shape: PathShape, values: readonly Node[], own: readonly Node[]): Node {
  const parts = values.map((v, j) => {
    const product = mul(expandDims(v, 1), besideBatch(shape, own[j]!));
    return sum(reshape(product, [...product.shape.slice(0, 2 + batchAxis(shape.problem).length), -1]), -1);
  });
  return moveAxis(addPresent(parts)!, 1, -1);
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
  if (groups === undefined) return { matrix: features, rowSums: [] };
  const matrix = matmul(features, memberships(iota(groups), given.labels), { transposeB: true });
  return { matrix, rowSums: [sum(features, -1)] };
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
