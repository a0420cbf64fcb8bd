// Runs adaptive paths: every step is one program whose result the next one reads, and nothing is read back before the end.
import type { HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { firstState, stateLength } from "../kernels/adaptive-step.ts";
import { carriedOf, planAdaptive, type AdaptiveRequest, type PlannedPaths, type Row } from "./adaptive-plan.ts";
import { coordinatesOf } from "./coordinates.ts";
import { inSession } from "./in-session.ts";
import { encodePrelude, sideTensors } from "./path-chunks.ts";
import type { PathIntegral, PathResult } from "./path.ts";
import { readsOf } from "./path-values.ts";
import { attributionNames, type Problem } from "./problem.ts";
import { chunkRows } from "./rows.ts";
import type { Session } from "./session.ts";
import type { Plan } from "./types.ts";

/** What ran. A chunk is a submit of several dependent steps, so that its dispatches grow with them. */
export interface AdaptivePlan extends Plan {
  /** Baselines x classes x segments that advance side by side, each with all examples. */
  readonly rows: number;
  /** How many such groups ran one after another. */
  readonly groups: number;
  readonly dispatchesPerStep: number;
  readonly readbacks: number;
}

export interface AdaptiveResult extends PathResult {
  readonly plan: AdaptivePlan;
  /** Points [segments x steps, ...end] of each attributed value; only if asked for. */
  readonly positions: readonly HostArray[] | undefined;
}

interface Job extends PlannedPaths {
  readonly path: PathIntegral;
  readonly request: AdaptiveRequest;
  readonly session: Session;
  /** For the kernel: steps, rank, half width of the corridor. */
  readonly settings: Tensor;
  readonly report: (rows: number, steps: number) => void;
}

/** @throws LimitError if not even one row fits the memory budget */
export async function runAdaptive(path: PathIntegral, request: AdaptiveRequest): Promise<AdaptiveResult> {
  const { device, problem } = path;
  const { steps, fraction, maxDist, progress } = request;
  const planned = planAdaptive(path, request);
  const { prelude, step, finale } = planned.programs;
  return inSession(path, [prelude.program, step.program, finale.program], async (session) => {
    const rank = Math.floor((coordinatesOf(problem) - 1) * fraction);
    const settings = session.keep(device.tensor([steps, rank, maxDist]));
    const total = planned.rows.length * steps;
    let done = 0;
    const report = (count: number, taken: number): void => progress?.({ done: (done += count * taken), total });
    return await runGroups({ ...planned, path, request, session, settings, report });
  });
}

async function runGroups(job: Job): Promise<AdaptiveResult> {
  const { path, session, programs, request, rows, rowsPerGroup } = job;
  const { problem } = path;
  const groups = Math.ceil(rows.length / rowsPerGroup);
  let totals = programs.finale.graph.outputs.map((y) => session.zeros(y.shape));
  let ends: readonly Tensor[] = [];
  const positions: Tensor[][] = [];
  for (let group = 0; group < groups; group++) {
    const members = rows.slice(group * rowsPerGroup, (group + 1) * rowsPerGroup);
    const done = await runGroup(job, members, totals);
    session.drop(totals);
    ({ totals, ends } = done);
    positions.push(done.positions.flat());
    if (group < groups - 1) await session.flush();
  }
  const sums = readsOf(totals, ends);
  const read = await session.read([...sums, ...positions.flat()]);
  const points = read.splice(sums.length);
  return {
    ...path.valuesOf(read, { results: attributionNames(problem), parts: true }),
    plan: whatRan(job),
    positions: request.positions ? ordered(problem, points, request, rowsPerGroup) : undefined,
  };
}

function whatRan(job: Job): AdaptivePlan {
  const { session, programs, request, rows, rowsPerGroup, stepsPerSubmit, bytes } = job;
  const groups = Math.ceil(rows.length / rowsPerGroup);
  const { dispatches: dispatchesPerStep } = programs.step.program.plan;
  return {
    rows: rowsPerGroup,
    groups,
    chunks: groups * Math.ceil(request.steps / stepsPerSubmit),
    stepsPerChunk: stepsPerSubmit,
    bytes,
    dispatchesPerStep,
    dispatchesPerChunk: dispatchesPerStep * stepsPerSubmit,
    readbacks: session.readbacks,
    ...session.spent,
  };
}

/** All steps of some rows. Where fewer rows are left than a program takes, the last one is repeated, with weight 0. */
async function runGroup(job: Job, members: readonly Row[], totals: readonly Tensor[]) {
  const { path, session, programs, request, rowsPerGroup, stepsPerSubmit, settings } = job;
  const { problem } = path;
  const rows = Array.from({ length: rowsPerGroup }, (_, i) => members[i] ?? { ...members.at(-1)!, weight: 0 });
  const numbers = rows.map(({ baseline }) => baseline);
  const { ends, index, startScore, values } = encodePrelude(path, session, programs.prelude.program, numbers);
  const count = problem.ends.length;
  const { segment, classes, mixing } = rowTensors(job, rows);
  // Boundary and tangent of the prelude are start and difference of the attributed values here.
  const shared = [...index, ...values.slice(0, count), ...values.slice(2 * count), segment, ...classes];
  let carried = firstCarried(job);
  const carriedCount = carried.length;
  const positions: Tensor[][] = [];
  for (let at = 0; at < request.steps; at++) {
    const given = [...sideTensors(path, programs.step.graph), ...shared, settings, ...carried];
    const next = session.encode(programs.step.program, given);
    session.drop(carried);
    carried = next.slice(0, carriedCount);
    positions.push(next.slice(carriedCount));
    const last = at + 1 === request.steps;
    if (!last && (at + 1) % stepsPerSubmit > 0) continue;
    if (!last) await session.flush();
    job.report(members.length, at + 1 - Math.floor(at / stepsPerSubmit) * stepsPerSubmit);
  }
  const given = [...sideTensors(path, programs.finale.graph), ...shared, startScore, mixing, ...carried, ...totals];
  const result = session.encode(programs.finale.program, given);
  session.drop([...carried, ...values, startScore, segment, ...classes, mixing]);
  return { totals: result, ends, positions };
}

/** The state of the kernel, and zeros for what IDGI adds up. */
function firstCarried({ path, programs, request, session }: Job): Tensor[] {
  const [state, ...sums] = carriedOf(programs, request);
  const length = coordinatesOf(path.problem);
  const rows = numel(state!.shape) / stateLength(length);
  const first = path.device.tensor(firstState(rows, length), state!.shape);
  return [session.keep(first), ...sums.map((y) => session.zeros(y.shape))];
}

/** What tells the rows of a group apart, beside their baselines. */
function rowTensors({ path, session, request: { segments } }: Job, rows: readonly Row[]) {
  const { target } = path.problem;
  const count = rows.length;
  const kinds = target.kind === "all" ? target.classes : 1;
  const upload = (data: readonly number[], shape: readonly number[]): Tensor =>
    session.keep(path.device.tensor(data, shape));
  const flags = rows.map((row) => Array.from({ length: kinds }, (_, k) => (row.class === k ? 1 : 0)));
  /** Weights of the rows for each class. */
  const weights = (of: (row: Row) => number): number[] =>
    Array.from({ length: kinds }, (_, k) => rows.map((row, i) => flags[i]![k]! * of(row))).flat();
  // Of the attributions, and of the scores where paths start.
  const mixing = [weights((row) => row.weight), weights((row) => (row.segment === 0 ? row.weight : 0))];
  const places = rows.flatMap(({ segment }) => [segment / segments, 1 / segments]);
  return {
    segment: upload(places, [count, 2]),
    classes: target.kind === "all" ? [upload(flags.flat(), [count, kinds])] : [],
    mixing: upload(mixing.flat(), [2, kinds, count]),
  };
}

/** From one array per group, step and attributed value to one per attributed value, in the order of the path. */
function ordered(
  problem: Problem,
  points: readonly HostArray[],
  { steps, segments }: AdaptiveRequest,
  rows: number,
): HostArray[] {
  const count = problem.ends.length;
  return problem.ends.map((end, j) => {
    const size = numel(end.shape);
    const parts = Array.from({ length: segments * steps }, (_, i): HostArray => {
      const segment = Math.floor(i / steps);
      const { data } = points[(Math.floor(segment / rows) * steps + (i % steps)) * count + j]!;
      const at = (segment % rows) * size;
      return { shape: [1, ...end.shape], dtype: "f32", data: data.subarray(at, at + size) };
    });
    return chunkRows(parts, parts.length);
  });
}
