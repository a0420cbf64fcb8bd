// Which elementwise kernels can compute four neighbouring elements per invocation. A load of four floats takes hardly longer
// than one of a single float, and index arithmetic is then done once for all four.
import { numel, type Shape } from "../tensor/shape.ts";
import { fillPrimitive } from "../graph/leaves.ts";
import { is, type Node } from "../graph/node.ts";
import { broadcastPrimitive } from "../kernels/broadcast.ts";
import { reshapePrimitive } from "../kernels/movement.ts";
import { slicePrimitive } from "../kernels/slice.ts";

/** Elements per invocation. */
export const LANES = 4;

/** What four neighbouring results read of a buffer: four neighbouring elements, one and the same, or one for every two. */
export type LaneRead = "each" | "same" | "pair";

/** Estimated operations per element beyond which four copies of the code would be too long. */
const LONG_CODE = 60;

/**
 * How every buffer is read, if all reads of all roots are of one of these kinds; else undefined.
 * @param storageOf the node whose buffer holds a node's elements, or undefined if it is computed in place
 * @param asArguments whether the roots are arguments of a kernel, which may be in memory themselves
 */
export function laneReads(
  roots: readonly Node[],
  storageOf: (node: Node) => Node | undefined,
  asArguments = false,
): ReadonlyMap<Node, LaneRead> | undefined {
  const count = numel(roots[0]!.shape);
  if (count % LANES !== 0 || roots.some((root) => numel(root.shape) !== count)) return undefined;
  const reads = new Map<Node, LaneRead>();
  const seen = new Map<Node, LaneRead>();
  let cost = 0;
  const visit = (node: Node, kind: LaneRead): boolean => {
    const storage = storageOf(node);
    const known = storage ? reads.get(storage) : seen.get(node);
    if (known) return known === kind;
    (storage ? reads : seen).set(storage ?? node, kind);
    const { lowering } = node.primitive;
    if (lowering.kind === "elementwise" && !storage) cost += lowering.cost;
    return Boolean(storage) || is(node, fillPrimitive) || visitInputs(node, kind);
  };
  const visitInputs = (node: Node, kind: LaneRead): boolean => {
    const next = kind === "each" ? below(node) : kind;
    return next !== undefined && node.inputs.every((x) => visit(x, next));
  };
  const fits = roots.every((root) => (asArguments ? visit(root, "each") : visitInputs(root, "each")));
  return fits && cost <= LONG_CODE ? reads : undefined;
}

/** What four neighbouring elements of a node read of its inputs; undefined if it is none of {@link LaneRead}. */
function below(node: Node): LaneRead | undefined {
  const { lowering } = node.primitive;
  if (lowering.kind === "elementwise" || is(node, reshapePrimitive)) return "each";
  if (is(node, slicePrimitive)) {
    const { starts, steps } = node.attrs;
    const whole = steps.every((step) => step === 1) && keepsGroups(node.inputs[0]!.shape, node.shape, starts);
    return whole ? "each" : undefined;
  }
  if (lowering.kind === "view" && lowering.pairs?.(node)) return "pair";
  return is(node, broadcastPrimitive) ? broadcastRead(node.inputs[0]!.shape, node.shape) : undefined;
}

/** Whether the innermost axis that is cut starts and ends between two groups. */
function keepsGroups(source: Shape, shape: Shape, starts: readonly number[]): boolean {
  const axis = source.findLastIndex((extent, i) => extent !== shape[i]);
  const inner = numel(source.slice(axis + 1));
  return [source[axis]!, shape[axis]!, starts[axis]!].every((n) => (n * inner) % LANES === 0);
}

/** The innermost axes that are all kept, or all repeated, decide. */
function broadcastRead(source: Shape, shape: Shape): LaneRead | undefined {
  const lead = shape.length - source.length;
  const kept = shape.flatMap((extent, i) => (extent === 1 ? [] : [source[i - lead] === extent]));
  const extents = shape.filter((extent) => extent !== 1);
  const first = kept.lastIndexOf(!kept.at(-1)) + 1;
  if (numel(extents.slice(first)) % LANES !== 0 && first > 0) return undefined;
  return kept.at(-1) === false ? "same" : "each";
}
