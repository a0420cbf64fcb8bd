// Hessians of networks that are affine but for elementwise functions of one value (dense and convolutional stacks, also
// with skip connections), as a sum of Gram matrices. Let a = a(z) be the argument of such a function phi, J_a its Jacobian
// and c the derivative of the score by phi(a). Differentiating the score twice,
//
//   d^2 f = sum over nonlinear nodes of c * phi''(a) * (da)^2        (second derivatives of affine values vanish)
//   H_z   = sum J_a^T diag(c phi''(a)) J_a
//
// so that rows of J_a, which one pass forwards gives for all tangents, suffice: no tangent is carried backwards.
import { batchAll } from "../autograd/batch.ts";
import { jvpGraph } from "../autograd/jvp.ts";
import { vjpGraph } from "../autograd/transpose.ts";
import { fill } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { dependents, reachable } from "../graph/trace.ts";
import { addPresent, mul } from "../kernels/arithmetic.ts";
import { sum } from "../kernels/broadcast.ts";
import { matmul } from "../kernels/matmul.ts";
import { moveAxis, reshape } from "../kernels/movement.ts";
import { batchAxis, type AtNodes, type ByTangent, type TangentRows } from "./hessian-parts.ts";
import { aligned, type PathShape } from "./path-parts.ts";

/** The nonlinear nodes after the boundary, or undefined if one of them is not an elementwise function of one value. */
export function gramNodes({ problem, boundary }: PathShape): Node[] | undefined {
  const nodes = reachable([problem.score]);
  const varying = dependents(nodes, boundary);
  const cut = new Set(boundary);
  const found: Node[] = [];
  for (const node of nodes) {
    if (!varying.has(node) || cut.has(node)) continue;
    const own = node.inputs.filter((x) => varying.has(x));
    const { multilinear, jointlyLinear, lowering } = node.primitive;
    const linear = (multilinear && own.length === 1) || jointlyLinear === "all" || isLinearIn(node, varying);
    if (linear && node.dtype === "f32") continue;
    if (lowering.kind !== "elementwise" || own.length !== 1 || node.dtype !== "f32") return undefined;
    found.push(node);
  }
  return found;
}

function isLinearIn(node: Node, varying: ReadonlySet<Node>): boolean {
  const { jointlyLinear } = node.primitive;
  if (!Array.isArray(jointlyLinear)) return false;
  return node.inputs.every((x, i) => !varying.has(x) || (jointlyLinear as readonly number[]).includes(i));
}

interface GramSum {
  readonly m: number;
  readonly steps: number;
  /** Tangents of the boundary that the rows replace. */
  readonly seeds: readonly Node[];
  /** [M, S] */
  readonly weights: Node;
  readonly atNodes: AtNodes;
  readonly byTangent: ByTangent;
  readonly tangents: TangentRows;
}

/** Sum over nodes of the Gram form for all pairs of tangents: [M, B, T, T]; null for affine networks. */
export function gramSum(shape: PathShape, gram: GramSum): Node | null {
  const { problem, boundary } = shape;
  const nonlinear = gramNodes(shape)!;
  const values = nonlinear.map((node) => argumentOf(node, shape));
  const jacobians = jvpGraph(values, boundary, gram.seeds);
  const parts = nonlinear.map((node, i) => {
    const curvature = curvatureOf(node, values[i]!, problem.score);
    return curvature && jacobians[i] ? gramPart(shape, gram, jacobians[i], curvature) : null;
  });
  return addPresent(parts);
}

function argumentOf(node: Node, { boundary }: PathShape): Node {
  const varying = dependents(reachable([node]), boundary);
  return node.inputs.find((x) => varying.has(x))!;
}

/** c phi''(a); null for a function that bends nowhere. */
function curvatureOf(node: Node, argument: Node, score: Node): Node | null {
  const ones = fill(argument.shape, 1);
  const alone = (y: Node | null | undefined): Node | null =>
    y ? (jvpGraph([y], [argument], [ones])[0] ?? null) : null;
  const bend = alone(alone(node));
  const cotangent = vjpGraph([score], [node], [fill(score.shape, 1)])[0];
  return bend && cotangent ? mul(cotangent, bend) : null;
}

/** @param jacobian tangent of a for one tangent of the boundary; @param curvature of the shape of a */
function gramPart(shape: PathShape, gram: GramSum, jacobian: Node, curvature: Node): Node {
  const { m, steps, weights, atNodes, byTangent, tangents } = gram;
  const [weighted] = atNodes([curvature]).map((c) => {
    const whole = reshape(c, [m, steps, ...curvature.shape]);
    return mul(whole, aligned(weights, whole.shape));
  });
  const fixed = !dependents(reachable([jacobian]), shape.boundary).has(jacobian);
  if (!fixed || m > 1) return product(shape, byTangent([jacobian])[0]!, weighted!);
  // The same for all nodes: their weights are summed before, not after, the product.
  const rows = batchAll([jacobian], tangents.perTangent, tangents.count)[0]!;
  const once = reshape(rows, [1, tangents.count, 1, ...jacobian.shape]);
  return product(shape, once, sum(weighted!, 1, { keepDims: true }));
}

/** Sum over nodes of J diag(w) J^T, as one product for each example: [M, T, S, B, ...a] and [M, S, B, ...a] -> [M, B, T, T] */
function product({ problem }: PathShape, jacobian: Node, weights: Node): Node {
  const batch = batchAxis(problem);
  const [m, count, steps] = jacobian.shape as [number, number, number];
  const examples = (x: Node): Node => (batch.length === 0 ? x : moveAxis(x, -2, 1));
  const flat = reshape(examples(reshape(jacobian, [m, count, steps, ...batch, -1])), [m, ...batch, count, -1]);
  const across = reshape(examples(reshape(weights, [m, steps, ...batch, -1])), [m, ...batch, 1, -1]);
  return matmul(mul(flat, across), flat, { transposeB: true });
}
