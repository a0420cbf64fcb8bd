// Times one workload on a device of its own, so that the first call meets no pipeline compiled before.
import { openDevice, type AdapterInfo } from "../src/tensor/index.ts";
import type { PrepareOptions, Workload } from "./workload.ts";

export interface Measurement {
  readonly name: string;
  readonly source: string;
  readonly adapter: AdapterInfo;
  /** Milliseconds of the first call: tracing, planning, compiling, running. */
  readonly first: number;
  /** Milliseconds of the calls after it, in order. */
  readonly times: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly evaluations: number;
  /** Of one call. */
  readonly dispatches: number;
  readonly submits: number;
  readonly readbacks: number;
  /** Compiled by the first call. */
  readonly pipelines: number;
  /** Planned device memory of a chunk, and the most that was in use beside weights and inputs. */
  readonly plannedBytes: number;
  readonly peakBytes: number;
  readonly flops: number;
}

const WARM_UPS = 1;

export async function measure(workload: Workload, reps: number, options: PrepareOptions): Promise<Measurement> {
  const device = await openDevice();
  const prepared = await workload.prepare(device, options);
  try {
    const compiledBefore = device.counters.pipelines;
    const first = await timed(() => prepared.run());
    const pipelines = device.counters.pipelines - compiledBefore;
    for (let i = 0; i < WARM_UPS; i++) await prepared.run();
    device.resetPeak();
    const { live } = device.memory;
    const before = { ...device.counters };
    const times: number[] = [];
    for (let i = 0; i < reps; i++) times.push((await timed(() => prepared.run())).time);
    const perCall = (counter: keyof typeof before): number => (device.counters[counter] - before[counter]) / reps;
    const sorted = [...times].sort((a, b) => a - b);
    return {
      name: workload.name,
      source: prepared.source,
      adapter: device.info,
      first: first.time,
      times,
      median: median(sorted),
      min: sorted[0]!,
      max: sorted.at(-1)!,
      evaluations: first.result.evaluations,
      dispatches: perCall("dispatches"),
      submits: perCall("submits"),
      readbacks: perCall("readbacks"),
      pipelines,
      plannedBytes: first.result.plan.bytes,
      peakBytes: device.memory.peak - live,
      flops: first.result.plan.flops,
    };
  } finally {
    prepared.dispose();
    device.destroy();
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ time: number; result: T }> {
  const start = performance.now();
  const result = await work();
  return { time: performance.now() - start, result };
}

function median(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
