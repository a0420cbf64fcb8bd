// Programs as text.
import type { Node } from "../graph/node.ts";
import { reachable } from "../graph/trace.ts";
import { formatBytes } from "../tensor/pool.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Program } from "./program.ts";

export interface ExplainOptions {
  /** Adds the WGSL of every kernel, and leaves out the list of nodes. Default false. */
  readonly wgsl?: boolean;
}

/** A program as text: graph, dispatches, bytes and, on request, kernels. */
export function explain({ graph, steps, memory, plan }: Program, { wgsl = false }: ExplainOptions = {}): string {
  const place = (node: Node): string => {
    const slot = memory.slotOf.get(node);
    return `%${node.id}${formatShape(node.shape)}${slot === undefined ? "" : `@${slot}`}`;
  };
  const dispatches = steps.map((step, i) => {
    const line = `${i}. ${step.label}: ${step.reads.map(place).join(" ")} -> ${step.writes.map(place).join(" ")}`;
    const facts = `   ${step.workgroups} workgroups, ${step.flops} flop`;
    return wgsl ? `${line}\n${facts}\n${step.wgsl}` : `${line}\n${facts}`;
  });
  return [
    `graph: ${reachable(graph.outputs).length} nodes`,
    ...(wgsl ? [] : reachable(graph.outputs).map((node) => `  ${node.toString()}`)),
    `${plan.dispatches} dispatches, ${plan.pipelines} pipelines, ${plan.flops} flop`,
    `memory: ${formatBytes(plan.bytes)} in ${memory.slots.length} scratch buffers and the outputs`,
    ...dispatches,
  ].join("\n");
}
