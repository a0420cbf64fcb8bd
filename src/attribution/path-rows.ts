// Values at single nodes of a path, instead of sums over them.
import type { HostArray } from "../tensor/host.ts";
import { planChunks } from "./chunks.ts";
import { encodePrelude, preludeProgram, sideTensors } from "./path-chunks.ts";
import type { PathIntegral } from "./path.ts";
import { pathShape, type PathGraph } from "./path-parts.ts";
import { compiled, programCost, type Compiled } from "./programs.ts";
import { firstRows, joinRows } from "./rows.ts";
import { Session } from "./session.ts";
import type { Program } from "../compiler/program.ts";

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
  await Promise.all([prelude.ready(), rows.program.ready()]);
  return device.withErrorScope(name, () => runRows(path, prelude, rows, nodes, plan.stepsPerChunk, progress));
}

async function runRows(
  path: PathIntegral,
  prelude: Program,
  rows: Compiled<PathGraph>,
  nodes: readonly number[],
  size: number,
  progress?: (done: number) => void,
): Promise<HostArray[]> {
  const { device, problem } = path;
  const session = new Session(device, path.options);
  try {
    const { index, values } = encodePrelude(path, session, prelude, [0]);
    const boundary = values.slice(0, 2 * problem.ends.length);
    const parts: HostArray[][] = [];
    for (let at = 0; at < nodes.length; at += size) {
      const chunk = Array.from({ length: size }, (_, s) => nodes[Math.min(at + s, nodes.length - 1)]!);
      const tensor = session.keep(device.tensor(chunk, [1, size]));
      const outputs = session.encode(rows.program, [...sideTensors(path, rows.graph), ...index, ...boundary, tensor]);
      const used = Math.min(size, nodes.length - at);
      parts.push((await session.read(outputs)).map((a) => firstRows(a, used)));
      session.drop([tensor, ...outputs]);
      progress?.(used);
    }
    return parts[0]!.map((_, i) => joinRows(parts.map((p) => p[i]!)));
  } finally {
    session.close();
  }
}
