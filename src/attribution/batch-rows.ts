// Scores of many variants of an input: rows of one batch, cut into chunks only where memory asks for it, read back once.
import type { HostArray } from "../tensor/host.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Program } from "../compiler/program.ts";
import type { Graph } from "../graph/trace.ts";
import { planChunks } from "./chunks.ts";
import { inSession } from "./in-session.ts";
import type { PathIntegral } from "./path.ts";
import { assertFinite } from "./problem.ts";
import { compiled, costOf, type Compiled, type Cost } from "./programs.ts";
import { rowsOfChunks } from "./rows.ts";
import type { Session } from "./session.ts";
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
  const cost = (_: number, m: number): Cost => costOf(of(m), task.own);
  const { stepsPerChunk: size, chunksPerGroup: chunks } = planChunks({
    device,
    baselines: 1,
    steps: count,
    budget: options.memoryBudget,
    cost,
  });
  const { program } = of(size);
  const lead = problem.index ? 2 : 1;
  const chunk = { chunks, stepsPerChunk: size, bytes: cost(1, size).bytes };
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
  const rows = rowsOfChunks(
    Array.from({ length: chunks }, (_, k) => result.slice(k * kinds, (k + 1) * kinds)),
    count,
  );
  rows.forEach((array) => assertFinite("the score of a row", array));
  return { rows, outputs: outputs!, targets, plan };
}

/** Runs `work` with a session, and says what it took. */
export async function running<T>(
  path: PathIntegral,
  program: Program,
  chunk: Pick<Plan, "chunks" | "stepsPerChunk" | "bytes">,
  work: (session: Session) => Promise<T>,
): Promise<{ result: T; plan: Plan }> {
  return inSession(path, [program], async (session) => {
    const result = await work(session);
    return { result, plan: { ...chunk, dispatchesPerChunk: program.plan.dispatches, ...session.spent } };
  });
}
