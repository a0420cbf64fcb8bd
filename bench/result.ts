// What a run found, as plain data: it crosses from the browser to Node, and is what `--json` writes.
import type { AdapterInfo } from "../src/tensor/index.ts";
import type { Cell, Table } from "../src/view/index.ts";
import type { Counts } from "./counters.ts";
import type { Recorded } from "./workload.ts";

/**
 * `failed`: it threw. `wrong`: a result is further from the truth than the workload tolerates. `absent`: it could not take
 * part.
 */
export type Verdict = "correct" | "wrong" | "failed" | "absent";

export interface ContestantResult {
  readonly name: string;
  readonly verdict: Verdict;
  /** What it threw, or why it is absent. */
  readonly failure?: string;
  /** Largest error of any call, of the largest entry of the truth; null stands for infinity, which JSON lacks. */
  readonly error?: number | null;
  /** Milliseconds of the first call: tracing, planning, compiling, running. */
  readonly first?: number;
  /** Milliseconds of the measured calls, in order. */
  readonly times?: readonly number[];
  readonly median?: number;
  readonly min?: number;
  readonly max?: number;
  /** Of one measured call; pipelines, and the time in which they were built, are those of the first call. */
  readonly counts?: Counts;
  /** Most bytes of its buffers that existed until the end of the first call, uploads of weights included. */
  readonly memory?: number;
  readonly facts?: Readonly<Record<string, Cell>>;
}

export interface WorkloadResult {
  readonly name: string;
  readonly about: string;
  readonly source: string;
  readonly truth: string;
  readonly tolerance: number;
  readonly flops?: number;
  /** This library's own first. */
  readonly contestants: readonly ContestantResult[];
  readonly recorded?: Recorded;
  readonly tables: readonly Table[];
}

/** What the adapter can do at best. */
export interface ControlResult {
  /** Multiply-adds counted as two, per second. */
  readonly flopsPerSecond: number;
  /** Bytes read plus bytes written, per second. */
  readonly bytesPerSecond: number;
  /** Of one more dispatch of one workgroup in a pass. */
  readonly microsecondsPerDispatch: number;
}

export interface Environment {
  readonly runtime: "chrome" | "node";
  /** Versions of the browser and of Node; peers have theirs in their names. */
  readonly versions: Readonly<Record<string, string>>;
  readonly adapter: AdapterInfo;
  readonly reps: number;
  /** Where golden networks are looked for; absent: seeded weights only. */
  readonly nets?: string;
}

export interface RunResult {
  readonly environment: Environment;
  /** Measured before the workloads: "of peak" refers to it. */
  readonly control: ControlResult;
  /** The same after them: what differs says how quiet the machine was. */
  readonly controlAfter: ControlResult;
  readonly workloads: readonly WorkloadResult[];
}
