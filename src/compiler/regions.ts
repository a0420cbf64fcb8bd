// Which buffers the code that computes a node reads, given which nodes have one.
import { reshapePrimitive } from "../kernels/movement.ts";
import { constantPrimitive, inputPrimitive } from "../graph/leaves.ts";
import { is, type Node } from "../graph/node.ts";

export const isKernel = (node: Node): boolean => node.primitive.lowering.kind === "kernel";
export const isBound = (node: Node): boolean => is(node, inputPrimitive) || is(node, constantPrimitive);
export const isLeaf = (node: Node): boolean => node.primitive.lowering.kind === "leaf";

/** What a chain of reshapes is a view of. */
export function base(node: Node): Node {
  let at = node;
  while (is(at, reshapePrimitive)) at = at.inputs[0]!;
  return at;
}

/** A buffer read by a region; `flat` if every read is at the position of the element being computed. */
export interface Read {
  readonly node: Node;
  flat: boolean;
}

/** What a hand-written kernel binds to read: one binding for each stored argument, and one for each buffer of its prologues. */
export interface KernelReads {
  readonly args: readonly Node[];
  readonly inline: ReadonlySet<Node>;
}

/** What the region below a node reads. */
export class Regions {
  readonly #known = new Map<Node, Read[]>();

  constructor(readonly stored: ReadonlySet<Node>) {}

  storageOf(node: Node): Node | undefined {
    if (isLeaf(node) && !isBound(node)) return undefined;
    if (this.stored.has(node)) return node;
    return is(node, reshapePrimitive) ? this.storageOf(node.inputs[0]!) : undefined;
  }

  /** Reads of the expression that computes `node` (not a read of `node` itself). */
  reads(node: Node): Read[] {
    const found = this.#known.get(node);
    if (found) return found;
    const merged = new Map<Node, Read>();
    const add = (read: Node, flat: boolean): void => {
      const old = merged.get(read);
      if (old) old.flat &&= flat;
      else merged.set(read, { node: read, flat });
    };
    const { lowering } = node.primitive;
    node.inputs.forEach((x, i) => {
      const inPlace = lowering.kind === "view" ? lowering.inPlace?.(node, i) : lowering.kind === "elementwise";
      const keepsPosition = inPlace || is(node, reshapePrimitive);
      const storage = this.storageOf(x);
      if (storage) add(storage, keepsPosition);
      else this.reads(x).forEach((r) => add(r.node, r.flat && keepsPosition));
    });
    const result = [...merged.values()];
    this.#known.set(node, result);
    return result;
  }

  /** Reads of a hand-written kernel. */
  kernelReads(kernel: Node): KernelReads {
    const args: Node[] = [];
    const inline = new Set<Node>();
    for (const x of kernel.inputs) {
      const storage = this.storageOf(x);
      if (storage) args.push(storage);
      else this.reads(x).forEach((r) => inline.add(r.node));
    }
    return { args, inline };
  }
}
