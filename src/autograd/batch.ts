// Adds a leading axis. Only nodes that depend on a batched input get it; everything else is computed once and shared.
import type { Node } from "../graph/node.ts";
import { dependents, reachable } from "../graph/trace.ts";
import { broadcastTo } from "../kernels/broadcast.ts";

export interface Batched {
  readonly node: Node;
  /** Whether the node has the new axis. */
  readonly batched: boolean;
}

/**
 * Rebuilds `outputs` with some inputs replaced by values that have one more leading axis, of extent `size`.
 * @param inputs what each batched input is replaced by
 */
export function batchGraph(outputs: readonly Node[], inputs: ReadonlyMap<Node, Node>, size: number): Batched[] {
  const nodes = reachable(outputs);
  const affected = dependents(nodes, [...inputs.keys()]);
  const of = new Map(inputs);
  for (const node of nodes) {
    if (of.has(node) || !affected.has(node)) continue;
    const flags = node.inputs.map((x) => affected.has(x));
    of.set(
      node,
      node.primitive.batch(
        node.inputs.map((x) => of.get(x) ?? x),
        flags,
        node.attrs,
        size,
      ),
    );
  }
  return outputs.map((y) => ({ node: of.get(y) ?? y, batched: affected.has(y) }));
}

/** As {@link batchGraph}, with outputs that do not depend on the new axis repeated along it. */
export function batchAll(outputs: readonly Node[], inputs: ReadonlyMap<Node, Node>, size: number): Node[] {
  return batchGraph(outputs, inputs, size).map(({ node, batched }) =>
    batched ? node : broadcastTo(node, [size, ...node.shape]),
  );
}
