// The affine prefix of a graph: what depends on its inputs only through additions and linear maps. On a straight path
// x' + a D such a value is A + a T, with A its value at x' and T its tangent along D: computed once, not once per step.
import { formatShape } from "../tensor/shape.ts";
import type { Node } from "../graph/node.ts";
import { dependents, reachable } from "../graph/trace.ts";

/**
 * The last affine values on every way from `sources` to `outputs`: the rest of the graph depends on the sources only
 * through them. A source that is used non-affinely is part of its own boundary.
 */
export function affineBoundary(outputs: readonly Node[], sources: readonly Node[]): Node[] {
  const nodes = reachable(outputs);
  const dependent = dependents(nodes, sources);
  const affine = new Set<Node>(sources);
  for (const node of nodes) {
    if (dependent.has(node) && !affine.has(node) && isAffineIn(node, dependent, affine)) affine.add(node);
  }
  const boundary = new Set<Node>(outputs.filter((y) => affine.has(y)));
  for (const node of nodes) {
    if (!dependent.has(node) || affine.has(node)) continue;
    node.inputs.forEach((x) => affine.has(x) && boundary.add(x));
  }
  return [...boundary].sort((a, b) => a.id - b.id);
}

function isAffineIn(node: Node, dependent: ReadonlySet<Node>, affine: ReadonlySet<Node>): boolean {
  if (node.dtype !== "f32") return false;
  const varying = node.inputs.flatMap((x, i) => (dependent.has(x) ? [i] : []));
  if (!varying.every((i) => affine.has(node.inputs[i]!))) return false;
  const { multilinear, jointlyLinear } = node.primitive;
  if (multilinear && varying.length === 1) return true;
  return jointlyLinear === "all" || (jointlyLinear !== undefined && varying.every((i) => jointlyLinear.includes(i)));
}

/** The first node, in order of computation, where the derivative of `outputs` along `sources` may jump; see {@link kinkText}. */
export function firstKink(outputs: readonly Node[], sources: readonly Node[]): Node | undefined {
  const nodes = reachable(outputs);
  const dependent = dependents(nodes, sources);
  return nodes.find((node) => node.primitive.kink && node.inputs.some((x) => dependent.has(x)));
}

/** Whether the derivative of `outputs` along `sources` may jump. */
export const hasKinks = (outputs: readonly Node[], sources: readonly Node[]): boolean =>
  firstKink(outputs, sources) !== undefined;

/** What a message calls a kinked node: "relu of shape [1, 64]". The shape is that of the result. */
export const kinkText = ({ primitive, shape }: Node): string => `${primitive.name} of shape ${formatShape(shape)}`;
