// How adaptive paths will run: which rows side by side, how many steps in a submit.
import { bytesOf } from "../compiler/plan.ts";
import type { Node } from "../graph/node.ts";
import type { Graph } from "../graph/trace.ts";
import { finaleGraph, stepGraph, traceCosts, type Choose } from "./adaptive-graphs.ts";
import type { Weighting } from "./idgi-shares.ts";
import { planChunks } from "./chunks.ts";
import { preludeProgram } from "./path-chunks.ts";
import type { PathIntegral } from "./path.ts";
import { pathShape, type PathGraph } from "./path-parts.ts";
import type { Problem } from "./problem.ts";
import { compiled, programCost, type Compiled, type Cost } from "./programs.ts";
import type { Progress } from "./types.ts";

export interface AdaptiveRequest {
  readonly choose: Choose;
  readonly weighting: Weighting;
  readonly fraction: number;
  readonly maxDist: number;
  /** Dependent steps: those of one segment. */
  readonly steps: number;
  readonly segments: number;
  /** Whether positions are returned. */
  readonly positions: boolean;
  readonly progress: ((progress: Progress) => void) | undefined;
}

/** A path of its own, of all examples. */
export interface Row {
  readonly baseline: number;
  readonly class: number;
  readonly segment: number;
  readonly weight: number;
}

export interface AdaptivePrograms {
  readonly prelude: Compiled<Graph>;
  readonly step: Compiled<PathGraph>;
  readonly finale: Compiled<PathGraph>;
}

/** What will run. */
export interface PlannedPaths {
  readonly rows: readonly Row[];
  readonly rowsPerGroup: number;
  readonly stepsPerSubmit: number;
  readonly bytes: number;
  readonly programs: AdaptivePrograms;
}

/** Steps in one submit, at most: between submits, progress is reported and a signal is obeyed. */
const STEPS_PER_SUBMIT = 50;

/** @throws LimitError if not even one row fits the memory budget */
export function planAdaptive(path: PathIntegral, request: AdaptiveRequest): PlannedPaths {
  const { device, problem } = path;
  const { memoryBudget: budget } = path.options;
  const rows = rowsOf(path, request);
  const cost = (count: number): Cost => stepCost(programsFor(path, request, count), request, problem);
  const { baselinesPerGroup: rowsPerGroup } = planChunks({ device, baselines: rows.length, steps: 1, budget, cost });
  const programs = programsFor(path, request, rowsPerGroup);
  const submit = (steps: number): Cost => submitCost(cost(rowsPerGroup), carriedOf(programs, request), steps);
  const { stepsPerChunk: stepsPerSubmit } = planChunks({
    device,
    baselines: 1,
    steps: Math.min(request.steps, STEPS_PER_SUBMIT),
    budget,
    cost: (_, steps) => submit(steps),
  });
  return { rows, rowsPerGroup, stepsPerSubmit, programs, bytes: submit(stepsPerSubmit).bytes };
}

function rowsOf({ problem, set }: PathIntegral, { segments }: AdaptiveRequest): Row[] {
  const classes = problem.target.kind === "all" ? problem.target.classes : 1;
  return set.weights.flatMap((weight, baseline) =>
    Array.from({ length: classes * segments }, (_, i) => {
      return { baseline, class: Math.floor(i / segments), segment: i % segments, weight };
    }),
  );
}

function programsFor(path: PathIntegral, request: AdaptiveRequest, rows: number): AdaptivePrograms {
  const { problem, device } = path;
  const { weighting, positions, choose } = request;
  const costs = traceCosts(problem, choose);
  const key = `adaptive ${costs.costs.map(({ id }) => id).join()} ${weighting} ${rows}`;
  return {
    prelude: preludeProgram(path, pathShape(problem, false), rows),
    step: compiled(problem, device, `${key} ${positions}`, () =>
      stepGraph(problem, rows, { costs, weighting, positions }),
    ),
    finale: compiled(problem, device, `${key} end`, () => finaleGraph(problem, rows, weighting)),
  };
}

/** What a step hands to the next one: the state, and for IDGI its sum, shares and score. */
export const carriedOf = ({ step }: AdaptivePrograms, { weighting }: AdaptiveRequest): readonly Node[] =>
  step.graph.outputs.slice(0, weighting === "idgi" ? 4 : 1);

const bytesOfAll = (nodes: readonly Node[]): number => nodes.reduce((n, y) => n + bytesOf(y), 0);

/** One step in a submit. Positions of all rows stay on the device to the end. */
function stepCost(programs: AdaptivePrograms, request: AdaptiveRequest, problem: Problem): Cost {
  const { prelude, step, finale } = programs;
  const positions = request.positions ? request.segments * request.steps * bytesOfAll(problem.ends) : 0;
  const parts = [prelude, step, finale].map(({ program }) => program);
  const cost = programCost(parts, positions + bytesOfAll(carriedOf(programs, request)));
  return { ...cost, flops: step.program.plan.flops };
}

/** Several steps: the results of all of them live until the submit. */
const submitCost = (one: Cost, carried: readonly Node[], steps: number): Cost => ({
  ...one,
  bytes: one.bytes + (steps - 1) * bytesOfAll(carried),
  flops: steps * one.flops,
});
