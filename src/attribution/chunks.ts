// How many nodes of a quadrature fit into one submit.
import type { Device } from "../tensor/device.ts";
import { LimitError } from "../tensor/errors.ts";
import { formatBytes } from "../tensor/pool.ts";
import { Program } from "../compiler/program.ts";
import type { Graph } from "../graph/trace.ts";
import { chunkGraph, type PathShape } from "./path-graphs.ts";

export interface ChunkPlan {
  /** Baselines that are integrated side by side, and how many such groups there are. */
  readonly baselinesPerGroup: number;
  readonly groups: number;
  readonly stepsPerChunk: number;
  readonly chunksPerGroup: number;
  /** Planned bytes of one chunk. */
  readonly bytes: number;
}

export const DEFAULT_MEMORY_BUDGET = 512 * 2 ** 20;

/** Operations per submit: about 0.2 s or less on real GPUs; a software adapter takes seconds for as many. */
const FLOPS_PER_SUBMIT = { hardware: 2e11, software: 6e9 };

type Cost = {
  readonly bytes: readonly number[];
  readonly largest: readonly number[];
  readonly flops: readonly number[];
};

/**
 * Chooses the chunk by planned bytes and operations: the costs of one and two rows are planned, what lies between grows
 * linearly with the rows.
 * @throws LimitError if even one row does not fit the budget
 */
export function planChunks(
  shape: PathShape,
  baselines: number,
  steps: number,
  perExample: boolean,
  device: Device,
  budget = DEFAULT_MEMORY_BUDGET,
  graph: (rows: number) => Graph = (rows) => chunkGraph(shape, 1, rows, perExample),
  name = "chunk",
): ChunkPlan {
  const cost = costOf(shape, `${name} ${perExample}`, device, graph);
  const rows = rowsThatFit(cost, baselines * steps, device, budget);
  const baselinesPerGroup = Math.max(1, Math.min(baselines, Math.floor(rows.count / steps)));
  const groups = Math.ceil(baselines / baselinesPerGroup);
  const chunksPerGroup = Math.ceil(steps / Math.min(steps, rows.count));
  const stepsPerChunk = Math.ceil(steps / chunksPerGroup);
  // Even sizes: the last chunk is at most a few steps short.
  const even = Math.ceil(baselines / groups);
  return { baselinesPerGroup: even, groups, stepsPerChunk, chunksPerGroup, bytes: rows.bytes(even * stepsPerChunk) };
}

const costs = new WeakMap<PathShape["problem"], Map<string, Cost>>();

function costOf({ problem, boundary }: PathShape, name: string, device: Device, graph: (rows: number) => Graph): Cost {
  const known = costs.get(problem) ?? new Map<string, Cost>();
  costs.set(problem, known);
  const key = `${name} ${boundary.map((z) => z.id).join()}`;
  let cost = known.get(key);
  if (!cost) {
    const two = [1, 2].map((rows) => new Program(device, graph(rows)));
    cost = {
      bytes: two.map((p) => p.plan.bytes),
      largest: two.map((p) => Math.max(16, ...p.memory.slots)),
      flops: two.map((p) => p.plan.flops),
    };
    known.set(key, cost);
  }
  return cost;
}

function rowsThatFit(
  cost: Cost,
  wanted: number,
  device: Device,
  budget: number,
): { count: number; bytes(rows: number): number } {
  const line =
    ([one, two]: readonly number[]) =>
    (n: number): number =>
      one! + (n - 1) * Math.max(0, two! - one!);
  const bytes = line(cost.bytes);
  const within = (of: (n: number) => number, limit: number): number => {
    const slope = of(2) - of(1);
    if (slope <= 0) return of(1) <= limit ? wanted : 0;
    return Math.floor((limit - of(1)) / slope) + 1;
  };
  const limit = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  const memory = Math.min(within(bytes, budget), within(line(cost.largest), limit));
  if (memory < 1) {
    throw new LimitError(
      `one step of this model needs ${formatBytes(bytes(1))}; the memory budget is ${formatBytes(budget)}, raise memoryBudget or use fewer examples`,
    );
  }
  const work = within(line(cost.flops), device.info.software ? FLOPS_PER_SUBMIT.software : FLOPS_PER_SUBMIT.hardware);
  return { count: Math.max(1, Math.min(wanted, memory, work)), bytes };
}
