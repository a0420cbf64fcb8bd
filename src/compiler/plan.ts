// Memory plan: which results share a buffer. Known before anything is allocated.
import type { Node } from "../graph/node.ts";
import { sizeClass } from "../tensor/pool.ts";
import { numel } from "../tensor/shape.ts";
import type { Step } from "./step.ts";

export interface MemoryPlan {
  /** Bytes of every scratch buffer. */
  readonly slots: readonly number[];
  /** Scratch buffer of a stored node; absent for inputs, constants and outputs. */
  readonly slotOf: ReadonlyMap<Node, number>;
  readonly scratchBytes: number;
  readonly outputBytes: number;
}

/** Bytes of a node's buffer: 4 an element, rounded up as the pool does. */
export const bytesOf = (node: Node): number => sizeClass(4 * numel(node.shape));

/**
 * Colours lifetimes: a buffer is free again after the last dispatch that reads it. A dispatch's results are placed
 * before its operands are freed, so that no buffer is ever bound read-only and read-write at once.
 */
export function planMemory(steps: readonly Step[], outputs: ReadonlySet<Node>): MemoryPlan {
  const last = new Map<Node, number>();
  steps.forEach((step, t) => [...step.reads, ...step.writes].forEach((node) => last.set(node, t)));
  const slots: number[] = [];
  const free: number[] = [];
  const slotOf = new Map<Node, number>();
  steps.forEach((step, t) => {
    for (const node of step.writes) {
      if (!outputs.has(node)) slotOf.set(node, takeSlot(slots, free, bytesOf(node)));
    }
    for (const node of new Set([...step.reads, ...step.writes])) {
      const slot = slotOf.get(node);
      if (slot !== undefined && last.get(node) === t) free.push(slot);
    }
  });
  return {
    slots,
    slotOf,
    scratchBytes: slots.reduce((a, b) => a + b, 0),
    outputBytes: [...outputs].reduce((sum, node) => sum + bytesOf(node), 0),
  };
}

/** The smallest free buffer that is large enough, else the largest one, grown. */
function takeSlot(slots: number[], free: number[], bytes: number): number {
  free.sort((a, b) => slots[a]! - slots[b]!);
  const at = free.findIndex((slot) => slots[slot]! >= bytes);
  const slot = at >= 0 ? free.splice(at, 1)[0] : free.pop();
  if (slot === undefined) return slots.push(bytes) - 1;
  slots[slot] = Math.max(slots[slot]!, bytes);
  return slot;
}
