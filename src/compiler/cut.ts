// Parts of a result along one axis, written by the dispatch that makes the result: kernels with several results pack them
// along an axis, and their readers find each part in a buffer of its own.
import { numel } from "../tensor/shape.ts";
import type { Node } from "../graph/node.ts";

/** Elements [outer, start <= k < start + length, inner] of [outer, extent, inner]. */
export interface Cut {
  readonly source: Node;
  readonly extent: number;
  readonly inner: number;
  readonly start: number;
  readonly length: number;
}

/** What a slice cuts out, if it takes neighbouring positions of one axis and all of the others. */
export function cutOf(node: Node): Cut | undefined {
  const { lowering } = node.primitive;
  const cut = lowering.kind === "view" ? lowering.cut?.(node) : undefined;
  if (!cut) return undefined;
  const { axis, start } = cut;
  const source = node.inputs[0]!;
  const inner = numel(source.shape.slice(axis + 1));
  return { source, extent: source.shape[axis]!, inner, start, length: node.shape[axis]! };
}
