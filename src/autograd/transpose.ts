// Reverse mode is the transpose of forward mode: push a symbolic tangent through the graph, then run the linear part,
// which is everything reachable from that tangent, backwards. All other nodes are residuals shared with the primal.
import { DerivativeError } from "../tensor/errors.ts";
import { input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import type { Tangent } from "../graph/primitive.ts";
import { dependents, reachable } from "../graph/trace.ts";
import { add } from "../kernels/arithmetic.ts";
import { jvpGraph } from "./jvp.ts";

/**
 * Cotangents of `inputs` for cotangents of `outputs`.
 * @returns null for an input that no output with a cotangent depends on
 */
export function vjpGraph(outputs: readonly Node[], inputs: readonly Node[], cotangents: readonly Tangent[]): Tangent[] {
  const tangents = inputs.map((x) => (x.dtype === "f32" ? input(x.shape, "f32", "tangent") : null));
  const linear = jvpGraph(outputs, inputs, tangents);
  return transposeLinear(linear, tangents, cotangents);
}

/** Transposes outputs that are linear in `inputs`. */
export function transposeLinear(
  outputs: readonly Tangent[],
  inputs: readonly Tangent[],
  cotangents: readonly Tangent[],
): Tangent[] {
  const roots = outputs.filter((y): y is Node => y !== null);
  const nodes = reachable(roots);
  const linear = dependents(
    nodes,
    inputs.filter((x): x is Node => x !== null),
  );
  const of = new Map<Node, Node>();
  const accumulate = (node: Node, ct: Node): void => {
    const known = of.get(node);
    of.set(node, known ? add(known, ct) : ct);
  };
  outputs.forEach((y, i) => y && linear.has(y) && cotangents[i] && accumulate(y, cotangents[i]));
  for (const node of nodes.reverse()) {
    const ct = of.get(node);
    if (!ct || !linear.has(node)) continue;
    node.inputs.forEach((x, i) => linear.has(x) && accumulate(x, transposeRule(node, ct, i)));
  }
  return inputs.map((x) => (x && of.get(x)) ?? null);
}

function transposeRule(node: Node, cotangent: Node, argument: number): Node {
  const { primitive } = node;
  if (!primitive.transpose) {
    throw new DerivativeError(
      `${primitive.name} has no transpose rule for argument ${argument}; what appears in tangents needs one`,
    );
  }
  return primitive.transpose(cotangent, node, argument);
}
