// Competitive gradient x input, CGI (arXiv 1905.12152), on the device: maps of all classes compete block by block.
import { ArgumentError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkLabels, Contest, entry, share, type CompetitionRules, type CompetitionTarget } from "./competition.ts";
import { BEYOND, cutSize, mapShape } from "./competition-graphs.ts";
import { planRun, type Run } from "./competition-plan.ts";
import { classArray } from "./path-inputs.ts";
import {
  asGiven,
  assertFinite,
  checkDeclared,
  chooseDevice,
  namedInputs,
  traceProblem,
  type Problem,
} from "./problem.ts";
import { Session } from "./session.ts";
import type { ArrayInput, Attributions, Input, ModelLike, RunOptions, ScoreOptions } from "./types.ts";

export interface CgiOptions extends RunOptions, ScoreOptions, CompetitionRules {
  /** Default "predicted". */
  readonly target?: CompetitionTarget;
  /** Attributes to a named intermediate value instead of the input. */
  readonly layer?: string;
}

/** What ran. */
export interface CgiPlan {
  /** Cotangents per example: the number of classes, or of elements of a bottleneck that all maps were combined from. */
  readonly cotangents: number;
  /** Submits that the classes took, and classes in each. */
  readonly blocks: number;
  readonly classesPerBlock: number;
  /** Device memory beside weights and inputs. */
  readonly bytes: number;
  readonly dispatches: number;
  readonly submits: number;
  readonly pipelines: number;
  readonly flops: number;
}

export interface CgiResult<I extends Input = Input> {
  /** Shape of the input without a summed axis; with target "all" a leading class axis. */
  readonly attributions: Attributions<I>;
  /** Scores of all classes: [B, K]. */
  readonly scores: HostArray;
  /** Output of the model at the input. */
  readonly outputs: HostArray;
  /** The explained class of every example; absent for target "all". */
  readonly targets: HostArray | undefined;
  readonly plan: CgiPlan;
}

/**
 * Competitive gradient x input: h_y = x * d score_y / dx for every label y. A label keeps an element if h_y is positive
 * there and no other label has a larger one, or negative and none has a smaller one; the others are 0.
 *
 * All classes of a block share one forward pass, blocks leave only three values per element behind, and one readback ends
 * the run (with target "all", whose result has a map for every class: one per block). Where the network is narrower
 * than its classes are many, gradients of the narrow value are combined instead: `plan.cotangents` says so.
 *
 * @param input examples along the first axis
 * @throws ArgumentError if the model has fewer than two classes, or the target is a function
 * @throws ArgumentError, ShapeError, NumericError, LimitError as the other methods
 */
export async function cgi<I extends Input>(
  model: ModelLike,
  input: I,
  options: CgiOptions = {},
): Promise<CgiResult<I>> {
  const { signal, target = "predicted" } = options;
  signal?.throwIfAborted();
  const arrays = namedInputs(model, input);
  checkDeclared(model, arrays);
  for (const [name, x] of Object.entries(arrays)) if (!(x instanceof Tensor)) assertFinite(`input "${name}"`, x);
  const problem = traceProblem(model, input, arrays, { ...options, target: "all" });
  checkLabels(target, problem.target.batch, problem.target.classes);
  checkEnds(problem);
  const device = chooseDevice(problem, arrays, options.device);
  const run = planRun(problem, device, options);
  await Promise.all(run.programs.map(({ program }) => program.ready()));
  return device.withErrorScope("cgi", () => execute(run, arrays, input, options));
}

function checkEnds({ target: { batch }, ends, endNames }: Problem): void {
  const at = ends.findIndex(({ shape }) => batch > 1 && shape[0] !== batch);
  if (at < 0) return;
  throw new ArgumentError(
    `"${endNames[at]}": its first axis has ${ends[at]!.shape[0]} elements, expected one for each of ${batch} examples`,
  );
}

async function execute<I extends Input>(
  run: Run,
  arrays: Readonly<Record<string, ArrayInput>>,
  input: I,
  options: CgiOptions,
): Promise<CgiResult<I>> {
  const { of, device, start, programs, classes } = run;
  const { problem } = of;
  const { counters } = device;
  const before = { ...counters };
  const session = new Session(device, options);
  try {
    const inputs = problem.names.map((name) => {
      const x = arrays[name]!;
      return x instanceof Tensor ? x : session.keep(device.tensor(x));
    });
    const named = classArray(options.target, problem.target.batch);
    const given = named ? [session.keep(device.tensor(named))] : [];
    const [output, score, index, ...rest] = session.encode(start.program, [...inputs, ...given]);
    const slopes = run.rows ? rest.splice(0, 1) : [];
    const total = (run.rows ? cutSize(of) : 0) + problem.target.classes;
    let done = 0;
    const progress = (more: number): void => options.onProgress?.({ done: (done += more), total });
    const job: Job = { run, session, inputs: [...inputs, ...rest], slopes, index: index!, progress };
    const { maps, ends } =
      options.target === "all"
        ? await everyClass(job, [output!, score!])
        : await oneClass(job, [output!, score!, index!]);
    const [outputs, scores, targets] = ends;
    assertFinite("the score", scores!);
    const steps = programs.flatMap(({ program }) => program.steps);
    return {
      attributions: asGiven(problem, input, maps),
      scores: scores!,
      outputs: outputs!,
      targets,
      plan: {
        cotangents: cutSize(of),
        blocks: classes.chunksPerGroup,
        classesPerBlock: classes.stepsPerChunk,
        bytes: run.bytes,
        dispatches: counters.dispatches - before.dispatches,
        submits: counters.submits - before.submits,
        pipelines: new Set(steps.map(({ wgsl }) => wgsl)).size,
        flops: session.flops,
      },
    };
  } finally {
    session.close();
  }
}

interface Job {
  readonly run: Run;
  readonly session: Session;
  /** With the values of the forward pass. */
  readonly inputs: readonly Tensor[];
  readonly slopes: readonly Tensor[];
  readonly index: Tensor;
  progress(more: number): void;
}

/** What every block reads: the inputs, or the rows of the bottleneck, which are made here. */
async function sources({ run, session, inputs, slopes, progress }: Job): Promise<Tensor[]> {
  const { rows, device } = run;
  if (!rows) return [...inputs];
  const parts: Tensor[] = [];
  for (let p = 0; p < rows.parts; p++) {
    const first = session.keep(device.tensor([p * rows.size], [1], "i32"));
    parts.push(...session.encode(rows.make.program, [...inputs, first]));
    session.drop([first]);
    if (rows.parts > 1) await session.flush();
    progress(Math.min(rows.size, cutSize(run.of) - p * rows.size));
  }
  return [...slopes, ...parts];
}

/** Runs all blocks; `visit` gets a block's number of classes and its encoder. */
async function forBlocks(
  job: Job,
  visit: (encode: (more: readonly Tensor[]) => Tensor[], count: number, last: boolean) => Promise<void>,
): Promise<void> {
  const { run, session } = job;
  const { classes } = run.of.problem.target;
  const from = await sources(job);
  const size = run.classes.stepsPerChunk;
  for (let at = 0; at < classes; at += size) {
    const first = session.keep(run.device.tensor([at], [1], "i32"));
    const count = Math.min(size, classes - at);
    await visit((more) => session.encode(run.block.program, [...from, first, ...more]), count, at + size >= classes);
    session.drop([first]);
    job.progress(count);
  }
}

interface Outcome {
  readonly maps: HostArray[];
  readonly ends: HostArray[];
}

/** Three values per element travel from block to block; the rule is applied to them at the end. */
async function oneClass(job: Job, ends: readonly Tensor[]): Promise<Outcome> {
  const { run, session } = job;
  const { of, device, block } = run;
  const { problem, center } = of;
  const per = center ? 4 : 3;
  const initial = [0, -BEYOND, BEYOND, 0];
  const count = block.graph.outputs.length;
  let state = block.graph.outputs.map((y, i) =>
    session.keep(device.tensor(new Float32Array(numel(y.shape)).fill(initial[i % per]!), y.shape)),
  );
  await forBlocks(job, async (encode, _, last) => {
    const next = encode([job.index, ...state]);
    session.drop(state);
    state = next;
    if (!last) await session.flush();
  });
  const read = await session.read([...state, ...ends]);
  read.slice(0, count).forEach((a, i) => assertFinite(`the map of "${problem.endNames[Math.floor(i / per)]}"`, a));
  const maps = problem.ends.map((_, j) => {
    const [own, above, below, total] = read.slice(per * j, per * (j + 1)).map(({ data }) => data);
    return hostArray(share(own!, above!, below!, total, problem.target.classes), mapShape(of, j));
  });
  return { maps, ends: read.slice(count) };
}

/** The result has a map for every class anyway: they compete where it is. */
async function everyClass(job: Job, ends: readonly Tensor[]): Promise<Outcome> {
  const { run, session } = job;
  const { problem, center } = run.of;
  const contests = problem.ends.map((_, j) => new Contest(mapShape(run.of, j), "all", { center }));
  let rest: HostArray[] = [];
  await forBlocks(job, async (encode, count, last) => {
    const outputs = encode([]);
    session.drop(outputs);
    const read = await session.read([...outputs, ...(last ? ends : [])]);
    rest = read.splice(outputs.length);
    read.forEach((maps, j) => {
      assertFinite(`the maps of "${problem.endNames[j]}"`, maps);
      for (let k = 0; k < count; k++) contests[j]!.enter(entry(maps, k).data);
    });
  });
  return { maps: contests.map((contest) => contest.result()), ends: rest };
}
