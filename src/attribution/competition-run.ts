// Runs competitive gradient x input on the device: maps of all classes compete block by block.
import type { HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Device } from "../tensor/device.ts";
import type { CgiOptions, CgiResult } from "./competition-cgi.ts";
import { Contest, entry } from "./competition.ts";
import { beforeAll, cutSize, mapShape } from "./competition-graphs.ts";
import { planRun, type Run } from "./competition-plan.ts";
import { sharesOf, type SharesForm } from "./competition-shares.ts";
import { inSession } from "./in-session.ts";
import { classArray } from "./path-inputs.ts";
import { asGiven, formOf, type Problem } from "./problem.ts";
import type { Session } from "./session.ts";
import type { ArrayInput, Input } from "./types.ts";

/** Plans and compiles what the memory budget allows, and runs it. */
export async function runCgi<I extends Input>(
  problem: Problem,
  device: Device,
  arrays: Readonly<Record<string, ArrayInput>>,
  input: I,
  options: CgiOptions,
): Promise<CgiResult<I>> {
  const run = planRun(problem, device, options);
  const programs = run.programs.map(({ program }) => program);
  return inSession({ device, options }, programs, (session) => execute(run, session, arrays, input, options));
}

async function execute<I extends Input>(
  run: Run,
  session: Session,
  arrays: Readonly<Record<string, ArrayInput>>,
  input: I,
  options: CgiOptions,
): Promise<CgiResult<I>> {
  const { of, device, start, classes } = run;
  const { problem } = of;
  const inputs = problem.names.map((name) => {
    const x = arrays[name]!;
    return x instanceof Tensor ? x : session.keep(device.tensor(x));
  });
  const named = classArray(options.target, problem.target.batch);
  const given = named ? [session.keep(device.tensor(named))] : [];
  if (named) options.recorder?.noteTarget(given[0]!, named);
  const [output, score, index, ...rest] = session.encode(start.program, [...inputs, ...given]);
  const slopes = run.rows ? rest.splice(0, 1) : [];
  let total = (run.rows ? cutSize(of) : 0) + problem.target.classes;
  let done = 0;
  const progress = (more: number): void => options.onProgress?.({ done: (done += more), total });
  const add = (more: number): void => void (total += more);
  const job: Job = { run, session, inputs: [...inputs, ...rest], slopes, index: index!, progress, add };
  const all = options.target === "all";
  const form: SharesForm = {
    ...formOf(problem, input),
    all,
    center: of.center,
    classes: problem.target.classes,
    maps: problem.endNames.map((name, j) => ({ name, shape: mapShape(of, j) })),
  };
  options.recorder?.noteResult("cgi", form);
  const { from, read } = await contest(job, all, [output!, score!, ...(all ? [] : [index!])]);
  const { maps = await everyMap(job, from), ...ends } = sharesOf(read, form);
  return {
    attributions: asGiven<I>(form, maps),
    ...ends,
    plan: {
      cotangents: cutSize(of),
      blocks: classes.chunksPerGroup,
      classesPerBlock: classes.stepsPerChunk,
      bytes: run.bytes,
      ...session.spent,
    },
  };
}

interface Job {
  readonly run: Run;
  readonly session: Session;
  /** With the values of the forward pass. */
  readonly inputs: readonly Tensor[];
  readonly slopes: readonly Tensor[];
  readonly index: Tensor;
  progress(more: number): void;
  /** There is more to do. */
  add(more: number): void;
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

/** Runs all blocks: `visit` gets the first class of each as a tensor, and how many there are. */
async function forBlocks(
  { run, session, progress }: Job,
  visit: (first: Tensor, count: number, last: boolean) => Promise<void>,
): Promise<void> {
  const { classes } = run.of.problem.target;
  const size = run.classes.stepsPerChunk;
  for (let at = 0; at < classes; at += size) {
    const first = session.keep(run.device.tensor([at], [1], "i32"));
    const count = Math.min(size, classes - at);
    await visit(first, count, at + count >= classes);
    session.drop([first]);
    progress(count);
  }
}

/** A few values per element travel from block to block; the rule is applied to them at the end. */
async function contest(job: Job, all: boolean, ends: readonly Tensor[]) {
  const { run, session, index } = job;
  const { of, device, block } = run;
  const initial = beforeAll(of, all);
  const per = initial.length;
  const from = await sources(job);
  let state = block.graph.outputs.map(({ shape }, i) =>
    session.keep(device.tensor(new Float32Array(numel(shape)).fill(initial[i % per]!), shape)),
  );
  await forBlocks(job, async (first, _, last) => {
    const next = session.encode(block.program, [...from, first, ...(all ? [] : [index]), ...state]);
    session.drop(state);
    state = next;
    if (!last) await session.flush();
  });
  return { from, read: await session.read([...state, ...ends]) };
}

/** Where labels tie: all maps come to the host, block by block, and compete there. */
async function everyMap(job: Job, from: readonly Tensor[]): Promise<HostArray[]> {
  const { run, session } = job;
  const { problem, center } = run.of;
  const { program } = run.maps();
  await program.ready();
  const contests = problem.ends.map((_, j) => new Contest(mapShape(run.of, j), "all", { center }));
  job.add(problem.target.classes);
  await forBlocks(job, async (first, count) => {
    const outputs = session.encode(program, [...from, first]);
    session.drop(outputs);
    (await session.read(outputs)).forEach((maps, j) => {
      for (let k = 0; k < count; k++) contests[j]!.enter(entry(maps, k).data);
    });
  });
  return contests.map((each) => each.result());
}
