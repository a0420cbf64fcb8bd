// Programs as text.
import type { Node } from "../graph/node.ts";
import { reachable, type Graph } from "../graph/trace.ts";
import { formatBytes } from "../tensor/pool.ts";
import { formatShape } from "../tensor/shape.ts";
import type { MemoryPlan } from "./plan.ts";
import type { ProgramPlan } from "./program.ts";
import type { Step } from "./step.ts";

export function explain(
  graph: Graph,
  steps: readonly Step[],
  memory: MemoryPlan,
  plan: ProgramPlan,
  { wgsl = false },
): string {
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
