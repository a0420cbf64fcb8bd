// Forward mode: pushes tangents through a graph. Nodes without a tangent are left alone; an absent tangent is null.
import { DerivativeError } from "../tensor/errors.ts";
import { apply, type Node } from "../graph/node.ts";
import type { Tangent } from "../graph/primitive.ts";
import { reachable } from "../graph/trace.ts";
import { addPresent } from "../kernels/arithmetic.ts";

/**
 * Tangents of `outputs` for tangents of `inputs`, as nodes of the same graph: primal results are shared, not recomputed.
 * @returns null for an output that does not depend on an input with a tangent
 */
export function jvpGraph(outputs: readonly Node[], inputs: readonly Node[], tangents: readonly Tangent[]): Tangent[] {
  const of = new Map<Node, Tangent>(inputs.map((x, i) => [x, tangents[i] ?? null]));
  for (const node of reachable(outputs)) {
    if (of.has(node)) continue;
    const incoming = node.inputs.map((x) => of.get(x) ?? null);
    of.set(node, node.dtype === "f32" && incoming.some((t) => t !== null) ? tangentOf(node, incoming) : null);
  }
  return outputs.map((y) => of.get(y)!);
}

function tangentOf(node: Node, tangents: readonly Tangent[]): Tangent {
  const { primitive, inputs, attrs } = node;
  if (primitive.jvp) return primitive.jvp(node, tangents);
  if (!primitive.multilinear) {
    throw new DerivativeError(`${primitive.name} has no derivative; give its record a jvp rule, or multilinear: true`);
  }
  return addPresent(
    tangents.map((t, i) =>
      t === null
        ? null
        : apply(
            primitive,
            inputs.map((x, j) => (i === j ? t : x)),
            attrs,
          ),
    ),
  );
}
