// Which features the rows of a matrix of interactions stand for, and those rows as tangents of the boundary.
import { input, iota } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { mul } from "../kernels/arithmetic.ts";
import { broadcastTo } from "../kernels/broadcast.ts";
import { cast, equal } from "../kernels/choice.ts";
import { expandDims, reshape } from "../kernels/movement.ts";
import { sliceAxis } from "../kernels/slice.ts";
import { batchAxis, exampleShape, exampleSize, featureCount, type HessianRequest } from "./hessian-parts.ts";
import { finaleInputs, pathGraph, pushForward, type PathGraph, type PathShape } from "./path-parts.ts";

export interface Given {
  readonly inputs: readonly Node[];
  /** Rows as numbers of features, or of groups, [T]. */
  readonly ids: Node;
  /** What every feature is called by them, [N]. */
  readonly labels: Node;
}

export function givenInputs({ problem }: PathShape, { rows, groups }: Pick<HessianRequest, "rows" | "groups">): Given {
  const count = featureCount(problem);
  const ids = input([rows], "i32", "rows");
  if (groups === undefined) return { inputs: [ids], ids, labels: iota(count) };
  const labels = input([count], "i32", "groups");
  return { inputs: [ids, labels], ids, labels };
}

/** 1 where a feature of an attributed value belongs to a row: [T, ...example] for each of them. Never stored. */
export function masks({ problem }: PathShape, { ids, labels }: Given): Node[] {
  let at = 0;
  return problem.ends.map((end) => {
    const size = exampleSize(problem, end);
    const own = sliceAxis(labels, 0, at, (at += size));
    return reshape(memberships(ids, own), [ids.shape[0]!, ...exampleShape(problem, end)]);
  });
}

export const memberships = (ids: Node, labels: Node): Node => cast(equal(expandDims(ids, 1), labels), "f32");

/** Puts the axis of an example [k, ...example] beside those of all examples: [k, B or nothing, ...example]. */
export function besideBatch({ problem }: PathShape, value: Node): Node {
  const [count, ...example] = value.shape as [number, ...number[]];
  return reshape(value, [count, ...batchAxis(problem).map(() => 1), ...example]);
}

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
  const { ends } = problem;
  const given = givenInputs(shape, request);
  const { differences } = finaleInputs(shape, m);
  const directions = masks(shape, given).map((mask, j) => {
    const whole = mul(expandDims(differences[j]!, 1), besideBatch(shape, mask));
    return reshape(whole, [m * request.rows, ...ends[j]!.shape]);
  });
  const pushed = pushForward(shape, directions, m * request.rows);
  const outputs = pushed.map((t, k) => reshape(t, [m, request.rows, ...boundary[k]!.shape]));
  return pathGraph(problem, [...given.inputs, ...unused, ...differences], outputs);
}

/** What belongs to a baseline, [M, ...], for every node of it: [M * S, ...]. */
export function spreadRows(value: Node, m: number, steps: number): Node {
  const rest = value.shape.slice(1);
  return reshape(broadcastTo(expandDims(value, 1), [m, steps, ...rest]), [m * steps, ...rest]);
}
