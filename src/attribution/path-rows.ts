// Values at single nodes of a path, instead of sums over them.
import type { HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import { batchAll } from "../autograd/batch.ts";
import { input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { planChunks } from "./chunks.ts";
import { encodePrelude, preludeProgram, sideTensors } from "./path-chunks.ts";
import type { PathIntegral } from "./path.ts";
import {
  boundaryGradients,
  boundaryInputs,
  pathGraph,
  pathPoints,
  pathShape,
  type PathGraph,
  type PathShape,
} from "./path-parts.ts";
import { inSession } from "./in-session.ts";
import type { Problem } from "./problem.ts";
import { compiled, programCost } from "./programs.ts";
import { rowsOfChunks } from "./rows.ts";

/**
 * Rows of a graph along the path from the first baseline: outputs for every node, read back chunk by chunk.
 * @param name identifies the graph among the cached programs
 * @param graph a graph made by `rowGraph` for a number of nodes
 */
export async function pathRows(
  path: PathIntegral,
  name: string,
  graph: (count: number) => PathGraph,
  nodes: readonly number[],
  progress?: (done: number) => void,
): Promise<HostArray[]> {
  const { device, options, problem } = path;
  const { program: prelude } = preludeProgram(path, pathShape(problem, false), 1);
  const rowsOf = (count: number) => compiled(problem, device, `${name} ${count}`, () => graph(count));
  const plan = planChunks({
    device,
    baselines: 1,
    steps: nodes.length,
    budget: options.memoryBudget,
    cost: (_, count) => programCost([prelude, rowsOf(count).program], 0),
  });
  const rows = rowsOf(plan.stepsPerChunk);
  const size = plan.stepsPerChunk;
  return inSession(path, [prelude, rows.program], async (session) => {
    const { index, values } = encodePrelude(path, session, prelude, [0]);
    const boundary = values.slice(0, 2 * problem.ends.length);
    const parts: HostArray[][] = [];
    for (let at = 0; at < nodes.length; at += size) {
      const chunk = Array.from({ length: size }, (_, s) => nodes[Math.min(at + s, nodes.length - 1)]!);
      const tensor = session.keep(device.tensor(chunk, [1, size]));
      const outputs = session.encode(rows.program, [...sideTensors(path, rows.graph), ...index, ...boundary, tensor]);
      parts.push(await session.read(outputs));
      session.drop([tensor, ...outputs]);
      progress?.(Math.min(size, nodes.length - at));
    }
    return rowsOfChunks(parts, nodes.length);
  });
}

/**
 * inputs: side inputs, target, x' [1, ...], x - x' [1, ...], nodes [1, S] -> rows of `outputs`, [S, ...], at those nodes
 * @param outputs values that depend on the attributed values
 */
export function rowGraph(problem: Problem, steps: number, outputs: readonly Node[]): PathGraph {
  const shape: PathShape = { problem, boundary: problem.ends };
  const { starts, along } = boundaryInputs(shape, 1);
  const nodes = input([1, steps], "f32", "nodes");
  const rows = pathPoints(shape, { starts, along }, nodes, steps);
  return pathGraph(problem, [...starts, ...along, nodes], batchAll(outputs, rows, steps));
}

/** Gradients of the score with respect to the attributed values; zeros where it ignores one. */
export const endGradients = (problem: Problem): Node[] => boundaryGradients({ problem, boundary: problem.ends });

/** Points at which a path is probed for the variation of its score. */
const PROBE = 65;

/** How the score changes along a path, summed over examples: one set of nodes serves all of them. */
export async function probedVariation(path: PathIntegral): Promise<number[]> {
  const { problem } = path;
  const grid = Array.from({ length: PROBE }, (_, k) => k / (PROBE - 1));
  const [scores] = await pathRows(path, "probe", (count) => rowGraph(problem, count, [problem.score]), grid);
  return variation(scores!);
}

/** Cumulative change along rows [S, ...], summed over everything but the rows. */
function variation({ shape, data }: HostArray): number[] {
  const size = numel(shape.slice(1));
  const total = [0];
  for (let k = 1; k < shape[0]!; k++) {
    let change = 0;
    for (let i = 0; i < size; i++) change += Math.abs(data[k * size + i]! - data[(k - 1) * size + i]!);
    total.push(total[k - 1]! + change);
  }
  return total;
}
