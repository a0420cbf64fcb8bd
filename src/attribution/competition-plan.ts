// How competitive gradient x input runs: which value is differentiated, and how many classes at a time.
import { LimitError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import { BYTES_PER_ELEMENT } from "../tensor/dtype.ts";
import { numel } from "../tensor/shape.ts";
import type { Graph } from "../graph/trace.ts";
import { planChunks, type ChunkPlan } from "./chunks.ts";
import { summedAxis, type CompetitionRules, type CompetitionTarget } from "./competition.ts";
import { bottlenecks } from "./competition-cut.ts";
import {
  beforeAll,
  blockGraph,
  cutSize,
  mapShape,
  mapsGraph,
  rowsGraph,
  startGraph,
  type Contestants,
  type Rows,
} from "./competition-graphs.ts";
import { targetGiven } from "./path-inputs.ts";
import type { Problem } from "./problem.ts";
import { compiled, programCost, type Compiled, type Cost } from "./programs.ts";

export interface Request extends CompetitionRules {
  readonly target?: CompetitionTarget;
  readonly memoryBudget?: number;
}

export interface Run {
  readonly of: Contestants;
  readonly device: Device;
  readonly start: Compiled<Graph>;
  /** Through a bottleneck: what makes its rows. */
  readonly rows: MadeRows | undefined;
  readonly block: Compiled<Graph>;
  /** Maps of a block's classes as they are, where labels tie. */
  readonly maps: () => Compiled<Graph>;
  readonly classes: ChunkPlan;
  readonly programs: readonly Compiled<Graph>[];
  readonly bytes: number;
}

interface MadeRows extends Rows {
  readonly make: Compiled<Graph>;
}

/** The way with the fewest operations among those that fit. */
export function planRun(problem: Problem, device: Device, request: Request): Run {
  const axes = problem.ends.map(({ shape }) => summedAxis(request, shape));
  const center = request.center ?? false;
  const runs = [problem.score, ...bottlenecks(problem)].flatMap((cut) => {
    try {
      return [runThrough({ problem, cut, axes, center }, device, request)];
    } catch (error) {
      if (error instanceof LimitError && cut !== problem.score) return [];
      throw error;
    }
  });
  return runs.reduce((a, b) => (flopsOf(b) < flopsOf(a) ? b : a));
}

function runThrough(of: Contestants, device: Device, { target, memoryBudget }: Request): Run {
  const { problem, cut, axes, center } = of;
  const program = (name: string, graph: () => Graph): Compiled<Graph> =>
    compiled(problem, device, `cgi ${cut.id} ${axes.join()} ${center} ${name}`, graph);
  const given = targetGiven({ target });
  const start = program(`start ${given}`, () => startGraph(of, given));
  const mapBytes = problem.ends.reduce((n, _, j) => n + BYTES_PER_ELEMENT * numel(mapShape(of, j)), 0);
  /** As many of `steps` at a time as fit, beside what else is kept. */
  const fitting = (steps: number, part: (count: number) => Compiled<Graph>, besides: (count: number) => number) => {
    const cost = (_: number, count: number): Cost => ({
      ...programCost([start.program, part(count).program], besides(count)),
      flops: part(count).program.plan.flops,
    });
    const plan = planChunks({ device, baselines: 1, steps, budget: memoryBudget, cost });
    return { plan, bytes: cost(1, plan.stepsPerChunk).bytes, make: part(plan.stepsPerChunk) };
  };
  const madeRows = (): MadeRows => {
    const size = cutSize(of);
    const make = (count: number): Compiled<Graph> => program(`rows ${count}`, () => rowsGraph(of, count));
    const some = fitting(size, make, (count) => (size - count) * mapBytes);
    return { parts: some.plan.chunksPerGroup, size: some.plan.stepsPerChunk, make: some.make };
  };
  const rows = cut === problem.score ? undefined : madeRows();
  const all = target === "all";
  const named = (kind: string, count: number, graph: () => Graph): Compiled<Graph> =>
    program(`${kind} ${count} ${rows?.parts} ${rows?.size}`, graph);
  const block = (count: number): Compiled<Graph> => named(`${all}`, count, () => blockGraph(of, all, count, rows));
  // Rows stay; what is carried from block to block exists twice while one is read and the other written.
  const kept = ((rows ? rows.parts * rows.size : 0) + beforeAll(of, all).length) * mapBytes;
  const { plan: classes, bytes, make } = fitting(problem.target.classes, block, () => kept);
  return {
    of,
    device,
    start,
    rows,
    block: make,
    maps: () => named("maps", classes.stepsPerChunk, () => mapsGraph(of, classes.stepsPerChunk, rows)),
    classes,
    bytes,
    programs: [start, ...(rows ? [rows.make] : []), make],
  };
}

const flopsOf = ({ start, rows, block, classes }: Run): number =>
  start.program.plan.flops +
  (rows ? rows.parts * rows.make.program.plan.flops : 0) +
  classes.chunksPerGroup * block.program.plan.flops;
