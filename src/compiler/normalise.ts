// What every graph must satisfy before it is lowered: each output has a buffer of its own, kernels read buffers, and
// nothing is computed that has no elements.
import { numel } from "../tensor/shape.ts";
import { fill, fillPrimitive, iotaPrimitive } from "../graph/leaves.ts";
import { Node, is } from "../graph/node.ts";
import { rebuild, rewrite } from "../graph/trace.ts";
import { stopGradientPrimitive } from "../kernels/choice.ts";
import { base, isBound } from "./regions.ts";

const isGenerated = (node: Node): boolean => is(node, fillPrimitive) || is(node, iotaPrimitive);

/** The same elements, computed by an elementwise kernel. Deliberately not interned: each copy is a buffer of its own. */
function copy(node: Node): Node {
  return new Node(stopGradientPrimitive, [node], {}, node.shape, node.dtype);
}

/**
 * Copies what kernels or outputs need in memory but no kernel would write (fills, inputs, repeated outputs), and replaces
 * kernels by several smaller ones where they ask for it.
 */
export function normalise(outputs: readonly Node[]): Node[] {
  const stored = rewrite(outputs, new Map(), (node, inputs) => {
    const { lowering } = node.primitive;
    if (lowering.kind !== "leaf" && numel(node.shape) === 0) return fill(node.shape, 0, node.dtype);
    if (lowering.kind !== "kernel") return rebuild(node, inputs);
    const read = inputs.map((x, i) => (isGenerated(base(x)) && !lowering.prologues?.[i] ? copy(x) : x));
    const rebuilt = rebuild(node, read);
    return lowering.expand?.(rebuilt) ?? rebuilt;
  });
  const taken = new Set<Node>();
  return stored.map((y) => {
    const storage = base(y);
    const own = isBound(storage) || isGenerated(storage) || taken.has(storage) ? copy(y) : y;
    taken.add(base(own));
    return own;
  });
}
