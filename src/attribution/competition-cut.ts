// Where a network is narrow: values that everything the scores know of the input passes through. With h elements per
// example there, h cotangents make the maps of any number of classes.
import { numel } from "../tensor/shape.ts";
import type { Node } from "../graph/node.ts";
import { dependents, reachable } from "../graph/trace.ts";
import { keepsBatch } from "./hessian-plan.ts";
import type { Problem } from "./problem.ts";

/** Such values with fewer elements per example than there are classes: from the scores inwards, each smaller than the last. */
export function bottlenecks(problem: Problem): Node[] {
  const { score, ends, target } = problem;
  // Cotangents are taken per example: the first axis must be theirs throughout.
  if (!keepsBatch({ problem, boundary: ends })) return [];
  const nodes = reachable([score]);
  const varying = dependents(nodes, ends);
  const line = nodes.filter((node) => varying.has(node));
  const at = new Map(line.map((node, i) => [node, i]));
  const lastUse = line.map((_, i) => i);
  line.forEach((node, i) => node.inputs.forEach((x) => at.has(x) && (lastUse[at.get(x)!] = i)));
  const lastEnd = Math.max(...ends.map((end) => at.get(end) ?? -1));
  // A node is passed by everything if no value made before it is used after it.
  let reach = 0;
  const passed = line.filter((_, i) => {
    const all = i > lastEnd && reach <= i;
    reach = Math.max(reach, lastUse[i]!);
    return all;
  });
  const sizes = (z: Node): number => numel(z.shape) / target.batch;
  let smallest = target.classes;
  return passed.reverse().filter((z) => {
    const narrower = z.dtype === "f32" && sizes(z) < smallest;
    if (narrower) smallest = sizes(z);
    return narrower;
  });
}
