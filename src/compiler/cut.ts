// Parts of a result along one axis, written by the dispatch that makes the result: kernels with several results pack them
// along an axis, and their readers find each part in a buffer of its own.
import { numel } from "../tensor/shape.ts";
import { is, type Node } from "../graph/node.ts";
import { slicePrimitive } from "../kernels/slice.ts";

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
  if (!is(node, slicePrimitive)) return undefined;
  const source = node.inputs[0]!;
  const cut = node.shape.flatMap((length, axis) => (length === source.shape[axis] ? [] : [axis]));
  const axis = cut[0];
  if (axis === undefined || cut.length > 1 || node.attrs.steps[axis] !== 1) return undefined;
  return {
    source,
    extent: source.shape[axis]!,
    inner: numel(source.shape.slice(axis + 1)),
    start: node.attrs.starts[axis]!,
    length: node.shape[axis]!,
  };
}
