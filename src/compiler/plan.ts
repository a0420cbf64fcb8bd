// Memory plan: which results share a buffer. Known before anything is allocated.
import type { Node } from "../graph/node.ts";
import { sizeClass } from "../tensor/pool.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import type { Step } from "./step.ts";

export interface MemoryPlan {
  /** Bytes of every scratch buffer. */
  readonly slots: readonly number[];
  /** Scratch buffer of a stored node; absent for inputs, constants and outputs. */
  readonly slotOf: ReadonlyMap<Node, number>;
  readonly scratchBytes: number;
}

/** Bytes of an array's buffer: 4 an element, rounded up as the pool does. */
export const bytesOf = ({ shape }: { readonly shape: Shape }): number => sizeClass(4 * numel(shape));

/** Dispatches from the one that writes a result to the last one that reads it. */
interface Life {
  readonly node: Node;
  readonly from: number;
  to: number;
}

/**
 * Colours lifetimes, the largest results first: a small result that lives long then takes a gap that large ones leave, and
 * never the place of one. A dispatch's results and its operands are never in one buffer: none may be bound read-only and
 * read-write at once.
 */
export function planMemory(steps: readonly Step[], outputs: ReadonlySet<Node>): MemoryPlan {
  const lives = new Map<Node, Life>();
  steps.forEach((step, t) => {
    for (const node of step.writes) if (!outputs.has(node)) lives.set(node, { node, from: t, to: t });
    for (const node of step.reads) if (lives.has(node)) lives.get(node)!.to = t;
  });
  const slots: number[] = [];
  const slotOf = new Map<Node, number>();
  const held: Life[][] = [];
  for (const life of [...lives.values()].sort((a, b) => bytesOf(b.node) - bytesOf(a.node))) {
    // From the smallest slot on: they were made in order of size.
    let slot = held.findLastIndex((others) => others.every(({ from, to }) => to < life.from || life.to < from));
    if (slot < 0) {
      slot = slots.push(bytesOf(life.node)) - 1;
      held.push([]);
    }
    held[slot]!.push(life);
    slotOf.set(life.node, slot);
  }
  return {
    slots,
    slotOf,
    scratchBytes: slots.reduce((a, b) => a + b, 0),
  };
}
