// Scores of many variants of an input: rows of one batch, cut into chunks only where memory asks for it, read back once.
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { bytesOf } from "../compiler/plan.ts";
import type { Program } from "../compiler/program.ts";
import type { Graph } from "../graph/trace.ts";
import { planChunks, type Cost } from "./chunks.ts";
import type { PathIntegral } from "./path.ts";
import { assertFinite } from "./problem.ts";
import { compiled, programCost, type Compiled } from "./programs.ts";
import { Session } from "./session.ts";
import type { Plan } from "./types.ts";

export interface RowTask {
  /** Identifies the graph among the cached programs of a model. */
  readonly key: string;
  readonly count: number;
  /** Names of the inputs that every chunk uploads anew. */
  readonly own: readonly string[];
  /** Graph of m rows; its outputs are output and class of the input, and then rows [m, ...]. */
  graph(m: number): Graph;
  /** Inputs that all chunks share. */
  common(session: Session): readonly Tensor[];
  /** Inputs of the rows from `at` on, m of them; what lies beyond the last row is not looked at. */
  rows(at: number, m: number): readonly Tensor[];
}

export interface Rows {
  /** [count, ...] each. */
  readonly rows: readonly HostArray[];
  /** Output of the model at the input. */
  readonly outputs: HostArray;
  readonly targets: HostArray | undefined;
  readonly plan: Plan;
}

export async function batchRows(path: PathIntegral, task: RowTask): Promise<Rows> {
  const { device, options, problem } = path;
  const { count } = task;
  const of = (m: number): Compiled<Graph> => compiled(problem, device, `${task.key} ${m}`, () => task.graph(m));
  const cost = (_: number, m: number): Cost => chunkCost(of(m), task.own);
  const { stepsPerChunk: size, chunksPerGroup: chunks } = planChunks({
    device,
    baselines: 1,
    steps: count,
    budget: options.memoryBudget,
    cost,
  });
  const { program } = of(size);
  const lead = problem.index ? 2 : 1;
  const chunk = { chunks, rows: size, bytes: cost(1, size).bytes };
  const { result, plan } = await running(path, program, chunk, async (session) => {
    const common = task.common(session);
    const parts: Tensor[] = [];
    let ends: Tensor[] = [];
    for (let at = 0; at < count; at += size) {
      const own = task.rows(at, size).map((t) => session.keep(t));
      session.drop([...own, ...ends]);
      const outputs = session.encode(program, [...common, ...own]);
      ends = outputs.splice(0, lead);
      parts.push(...outputs);
      if (at + size < count) await session.flush();
      options.onProgress?.({ done: Math.min(count, at + size), total: count });
    }
    return session.read([...ends, ...parts]);
  });
  const [outputs, targets] = result.splice(0, lead);
  const kinds = result.length / chunks;
  const rows = Array.from({ length: kinds }, (_, k) => joined(result.filter((_, i) => i % kinds === k), count)); // prettier-ignore
  rows.forEach((array) => assertFinite("the score of a row", array));
  return { rows, outputs: outputs!, targets, plan };
}

/** Chunks of rows, without those that only fill up the last one. */
function joined(parts: readonly HostArray[], count: number): HostArray {
  const [size, ...rest] = parts[0]!.shape as [number, ...number[]];
  const width = numel(rest);
  const data = new Float32Array(count * width);
  parts.forEach((part, k) => data.set(part.data.subarray(0, (count - k * size) * width), k * size * width));
  return hostArray(data, [count, ...rest], parts[0]!.dtype);
}

/** What one chunk takes, with what a run uploads for it. */
export const chunkCost = ({ program, graph }: Compiled<Graph>, own: readonly unknown[]): Cost =>
  programCost(
    [program],
    graph.inputs.reduce((sum, x) => sum + (own.includes(x.attrs["name"]) ? bytesOf(x) : 0), 0),
  );

/** Runs `work` with a session, and says what it took. */
export async function running<T>(
  { device, options }: PathIntegral,
  program: Program,
  chunk: { readonly chunks: number; readonly rows: number; readonly bytes: number },
  work: (session: Session) => Promise<T>,
): Promise<{ result: T; plan: Plan }> {
  await program.ready();
  return device.withErrorScope("rows", async () => {
    const { counters } = device;
    const before = { ...counters };
    const session = new Session(device, options);
    try {
      const result = await work(session);
      const plan = {
        chunks: chunk.chunks,
        stepsPerChunk: chunk.rows,
        bytes: chunk.bytes,
        dispatchesPerChunk: program.plan.dispatches,
        dispatches: counters.dispatches - before.dispatches,
        submits: counters.submits - before.submits,
        pipelines: program.plan.pipelines,
        flops: session.flops,
      };
      return { result, plan };
    } finally {
      session.close();
    }
  });
}
