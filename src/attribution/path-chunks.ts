// Path integrals that do not fit into one submit: prelude, chunks and finale are encoded one after another, with nothing
// read back in between.
import type { Tensor } from "../tensor/tensor.ts";
import { LimitError } from "../tensor/errors.ts";
import type { Program, ProgramOptions } from "../compiler/program.ts";
import { packSaved } from "../compiler/saved.ts";
import type { Node } from "../graph/node.ts";
import { rewrite, type Graph } from "../graph/trace.ts";
import { planChunks, type ChunkPlan } from "./chunks.ts";
import { pathStarts } from "./path-graphs.ts";
import { pointTensors, targetGiven, type PathPoints } from "./path-inputs.ts";
import type { Integrand, PathGraph, PathShape } from "./path-parts.ts";
import type { PathIntegral, PathResult, PathTask } from "./path.ts";
import { inSession } from "./in-session.ts";
import { readsOf } from "./path-values.ts";
import { boundaryKey, compiled, ownBytes, programCost, type Compiled, type Cost } from "./programs.ts";
import type { Session } from "./session.ts";

export { packSaved };

/** What integrates one group of baselines. */
export interface Programs {
  readonly prelude: Compiled<Graph>;
  readonly prepare?: Compiled<PathGraph>;
  readonly chunk: Compiled<PathGraph>;
  readonly finale: Compiled<PathGraph>;
}

export const partsOf = (programs: Programs): Program[] =>
  Object.values(programs).map(({ program }: Compiled<Graph>) => program);

/** What a group of baselines takes, a chunk of its steps at a time. */
export function groupCost(programs: Programs): Cost {
  const { prelude, chunk, finale } = programs;
  const own = [chunk, finale].reduce((bytes, { graph }) => bytes + ownBytes(graph.inputs), 0);
  const starts = prelude.graph.inputs.filter((x) => x.attrs["name"] === "baseline");
  return { ...programCost(partsOf(programs), own + ownBytes(starts)), flops: chunk.program.plan.flops };
}

export interface PlannedPath {
  readonly plan: ChunkPlan;
  readonly programs: Programs;
}

/** One integration: what is asked, how it is cut, and what runs it. */
interface Job extends PlannedPath {
  readonly path: PathIntegral;
  readonly points: PathPoints;
  readonly integrand: Integrand;
  readonly given: readonly Tensor[];
  readonly session: Session;
  readonly progress: ((done: number) => void) | undefined;
}

export async function integrateInChunks(
  path: PathIntegral,
  points: PathPoints,
  { integrand, given = [], progress }: PathTask & { readonly integrand: Integrand },
): Promise<PathResult> {
  const planned = planPath(path, points, integrand);
  return inSession(path, partsOf(planned.programs), (session) =>
    run({ ...planned, path, points, integrand, given, session, progress }),
  );
}

/**
 * How an integral would run in chunks, without running it. Where memory bounds the chunk, bits may be kept for the backward
 * pass instead of values, if that makes fewer chunks.
 * @throws LimitError if not even one step fits
 */
export function planPath(path: PathIntegral, points: PathPoints, integrand: Integrand): PlannedPath {
  const plans: PlannedPath[] = [];
  let tooLarge: LimitError | undefined;
  for (const saved of [undefined, packSaved]) {
    try {
      const planned = planSaving(path, points, integrand, { saved });
      plans.push(planned);
      if (!planned.plan.memoryBound) break;
    } catch (error) {
      if (!(error instanceof LimitError)) throw error;
      tooLarge = error;
    }
  }
  const chunks = ({ plan }: PlannedPath): number => plan.groups * plan.chunksPerGroup;
  const best = plans.sort((a, b) => chunks(a) - chunks(b))[0];
  if (!best) throw tooLarge!;
  return best;
}

function planSaving(
  path: PathIntegral,
  points: PathPoints,
  integrand: Integrand,
  options: ProgramOptions,
): PlannedPath {
  const perExample = path.perExample(points);
  const programs = (baselines: number, steps: number): Programs =>
    chunkPrograms(path, integrand, baselines, steps, perExample, options);
  const plan = planChunks({
    device: path.device,
    baselines: path.baselineCount,
    steps: points.steps,
    budget: path.options.memoryBudget,
    cost: (baselines, steps) => groupCost(programs(baselines, steps)),
  });
  return { plan, programs: programs(plan.baselinesPerGroup, plan.stepsPerChunk) };
}

/** inputs: X, target if given, X' [M, ...] -> outputs: output, target, score, score' [M, ...], A, T, D [M, ...] */
export function preludeGraph(
  shape: PathShape,
  starting: readonly Node[],
  baselines: number,
  targetGiven: boolean,
): Graph {
  const { inputs, output, score, index, predicted } = shape.problem;
  const { baseline, startScore, starts, along, differences } = pathStarts(shape, starting, baselines);
  const results = [output, ...(index ? [index] : []), score, startScore, ...starts, ...along, ...differences];
  // The class stays that of the input all along the path.
  const pinned = new Map(index && !targetGiven ? [[index, predicted!]] : []);
  return {
    inputs: [...inputs, ...(index && targetGiven ? [index] : []), ...baseline],
    outputs: rewrite(results, pinned),
  };
}

/** The program that computes what the paths start from, for a number of baselines. */
export function preludeProgram(
  { options, problem, device, starting }: PathIntegral,
  shape: PathShape,
  baselines: number,
) {
  const given = targetGiven(options);
  const key = `prelude ${options.baselineOf} ${baselines} ${given} ${boundaryKey(shape)}`;
  return compiled(problem, device, key, () => preludeGraph(shape, starting, baselines, given));
}

/** Programs that integrate `m` baselines side by side, `steps` nodes at a time. */
export function chunkPrograms(
  path: PathIntegral,
  integrand: Integrand,
  m: number,
  steps: number,
  perExample: boolean,
  options?: ProgramOptions,
): Programs {
  const { shape, problem, device } = path;
  const { prepare } = integrand;
  const key = (part: string): string => `${integrand.key} ${part} ${m} ${boundaryKey(shape)}`;
  return {
    prelude: preludeProgram(path, shape, m),
    ...(prepare && { prepare: compiled(problem, device, key("prepare"), () => prepare(m)) }),
    chunk: compiled(
      problem,
      device,
      `${key("chunk")} ${steps} ${perExample}`,
      () => integrand.chunk(m, steps, perExample),
      options,
    ),
    finale: compiled(problem, device, key("finale"), () => integrand.finale(m)),
  };
}

async function run(job: Job): Promise<PathResult> {
  const { path, session, plan, programs, integrand } = job;
  let totals = programs.finale.graph.outputs.map((y) => session.zeros(y.shape));
  let ends: readonly Tensor[] = [];
  for (let group = 0; group < plan.groups; group++) {
    const done = await runGroup(job, group, totals);
    session.drop(totals);
    ({ totals, ends } = done);
  }
  const read = await session.read(readsOf(totals, ends));
  return {
    ...path.valuesOf(read, { results: integrand.results, parts: true }),
    plan: {
      chunks: plan.groups * plan.chunksPerGroup,
      stepsPerChunk: plan.stepsPerChunk * plan.baselinesPerGroup,
      bytes: groupCost(programs).bytes,
      dispatchesPerChunk: programs.chunk.program.plan.dispatches,
      ...session.spent,
      saved: programs.chunk.program.plan.saved,
    },
  };
}

/** All nodes of one group of baselines: prelude, chunks, finale. Beyond the last baseline it is repeated, with weight 0. */
async function runGroup(job: Job, group: number, totals: readonly Tensor[]) {
  const { path, session, programs, plan, points, given } = job;
  const { device, problem, shape, set, baselineCount: count } = path;
  const members = Array.from({ length: plan.baselinesPerGroup }, (_, i) => group * plan.baselinesPerGroup + i);
  const rows = members.map((member) => Math.min(member, count - 1));
  const { ends, index, startScore, values } = encodePrelude(path, session, programs.prelude.program, rows);
  const run = ({ program, graph }: Compiled<PathGraph>, inputs: readonly Tensor[]): Tensor[] =>
    session.encode(program, [...sideTensors(path, graph), ...index, ...inputs]);
  const boundary = values.slice(0, 2 * shape.boundary.length);
  const differences = values.slice(boundary.length);
  const extras = programs.prepare ? run(programs.prepare, [...given, ...differences]) : [];
  let sums = programs.chunk.graph.outputs.map((y) => session.zeros(y.shape));
  for (let at = 0; at < points.steps; at += plan.stepsPerChunk) {
    const batch = path.perExample(points) ? problem.target.batch : undefined;
    const chunk = { at, count: plan.stepsPerChunk, batch };
    const used = pointTensors(device, points, rows, chunk).map((t) => session.keep(t));
    const next = run(programs.chunk, [...boundary, ...extras, ...used, ...sums]);
    session.drop([...used, ...sums]);
    sums = next;
    const last = at + plan.stepsPerChunk >= points.steps;
    if (!last || group < plan.groups - 1) await session.flush();
    // Without the evaluations that only fill the chunk up.
    job.progress?.(members.filter((m) => m < count).length * Math.min(plan.stepsPerChunk, points.steps - at));
  }
  const weights = session.keep(device.tensor(members.map((m) => set.weights[m] ?? 0)));
  const next = run(programs.finale, [...given, ...extras, ...sums, ...differences, startScore, weights, ...totals]);
  session.drop([...sums, ...values, ...extras, weights]);
  return { totals: next, ends };
}

/**
 * Boundary values, their tangents and x - x' for some baselines; the scores there; and at the input (`ends`) output, score
 * and target, if there is one.
 */
export function encodePrelude(path: PathIntegral, session: Session, program: Program, members: readonly number[]) {
  const { problem } = path;
  const own = [...path.target(), ...path.starts(members)].map((t) => session.keep(t));
  const [output, ...rest] = session.encode(program, [...path.inputs, ...own]);
  session.drop(own);
  const index = problem.index ? rest.splice(0, 1) : [];
  const [score, startScore, ...values] = rest;
  return { ends: [output!, score!, ...index], index, startScore: startScore!, values };
}

export const sideTensors = ({ inputs, problem }: PathIntegral, { side }: PathGraph): Tensor[] =>
  side.map((x) => inputs[problem.inputs.indexOf(x)]!);
