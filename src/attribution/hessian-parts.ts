// Sizes and shapes that the graphs of second order share.
import type { Node } from "../graph/node.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import type { PathShape } from "./path-parts.ts";
import type { Problem } from "./problem.ts";

/** Batch axis of the values of a problem: [B], or [] if the whole input is one example. */
export const batchAxis = ({ score }: Problem): Shape => score.shape;
/** Elements of one example of all attributed values. */
export const featureCount = (problem: Problem): number =>
  problem.ends.reduce((n, end) => n + exampleSize(problem, end), 0);
export const exampleShape = (problem: Problem, value: Node): Shape => value.shape.slice(batchAxis(problem).length);
/** Right for one example of any layout, too: all of the value belongs to it, wherever the axis of length 1 is. */
export const exampleSize = (problem: Problem, value: Node): number => numel(value.shape) / numel(batchAxis(problem));
/** H: elements of one example of the boundary. */
export const boundarySize = ({ problem, boundary }: PathShape): number =>
  boundary.reduce((n, z) => n + exampleSize(problem, z), 0);

/** Makes rows [M * S, ...] of values that depend on the boundary. */
export type AtNodes = (values: readonly Node[]) => Node[];

/** Makes rows [M * S, T, ...] of values that depend on the boundary and linearly on one tangent of it. */
export type OnRows = (values: readonly Node[]) => Node[];

/** The same with the tangents outside: [M, T, S, ...], so that what is summed over nodes lies together. */
export type ByTangent = (values: readonly Node[]) => Node[];

export interface TangentRows {
  readonly count: number;
  /** What each tangent of the boundary is replaced by: [T, ...z]. */
  readonly perTangent: ReadonlyMap<Node, Node>;
  /** What of that differs between the nodes of different baselines: [M * S, T, ...z]. */
  readonly perRow: ReadonlyMap<Node, Node>;
}

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

/** Number of tangents: T, or H for the unit vectors of the boundary. */
export const tangentCount = (shape: PathShape, { tangents, rows }: HessianRequest): number =>
  tangents === "rows" ? rows : boundarySize(shape);

export function accumulatorShapes(shape: PathShape, request: HessianRequest, m: number): Shape[] {
  const { problem, boundary } = shape;
  const count = tangentCount(shape, request);
  const second =
    request.sum === "gram" ? [[m, ...batchAxis(problem), count, count]] : boundary.map((z) => [m, count, ...z.shape]);
  return [...second, ...boundary.map((z) => [m, 2, ...z.shape])];
}
