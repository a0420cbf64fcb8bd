// Runs path integrals: prelude, chunks and finale are encoded one after another, with nothing read back in between.
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Node } from "../graph/node.ts";
import type { Program } from "../compiler/program.ts";
import { assertArrays, baselineSet, placeholders, startingValues, type BaselineSet } from "./baseline-set.ts";
import { classIndices, pointTensors, stacked, type PathPoints } from "./path-inputs.ts";
import { planChunks, type ChunkPlan } from "./chunks.ts";
import { gradientIntegrand, preludeGraph } from "./path-graphs.ts";
import { pathShape, type Integrand, type PathGraph, type PathShape } from "./path-parts.ts";
import { assertFinite, checkDeclared, chooseDevice, namedInputs, traceProblem, type Problem } from "./problem.ts";
import { compiled, costOf, partsOf, type Compiled, type Programs } from "./programs.ts";
import type { Quadrature } from "./quadrature.ts";
import { Session } from "./session.ts";
import type { ArrayInput, Input, ModelLike, PathOptions, Plan } from "./types.ts";

export type { PathPoints } from "./path-inputs.ts";

export interface PathResult {
  /** What the finale adds up, without the mean score: for Integrated Gradients one array per attributed value. */
  readonly totals: readonly HostArray[];
  readonly outputs: HostArray;
  readonly targets: HostArray | undefined;
  readonly score: HostArray;
  readonly baselineScore: HostArray;
  readonly plan: Plan;
}

/** A model, an input and its baselines, on the device: ready to be integrated with any number of nodes. */
export class PathIntegral {
  readonly #inputs: readonly Tensor[];
  /** What was uploaded here. */
  readonly #owned: Tensor[] = [];

  private constructor(
    readonly device: Device,
    readonly problem: Problem,
    readonly shape: PathShape,
    readonly options: PathOptions,
    arrays: Readonly<Record<string, ArrayInput>>,
    /** The values that baselines are given for. */
    readonly starting: readonly Node[],
    readonly set: BaselineSet,
  ) {
    this.#inputs = problem.names.map((name) => {
      const x = arrays[name]!;
      if (x instanceof Tensor) return x;
      const tensor = device.tensor(x);
      this.#owned.push(tensor);
      return tensor;
    });
  }

  /**
   * Checks arguments, traces the model and uploads the input.
   * @throws ArgumentError, ShapeError, NumericError that name what does not fit; nothing is left on the device then
   */
  static async open(model: ModelLike, input: Input, options: PathOptions): Promise<PathIntegral> {
    options.signal?.throwIfAborted();
    const arrays = namedInputs(model, input);
    checkDeclared(model, arrays);
    for (const [name, x] of Object.entries(arrays)) if (!(x instanceof Tensor)) assertFinite(`input "${name}"`, x);
    const problem = traceProblem(model, input, arrays, options);
    const device = chooseDevice(problem, arrays, options.device);
    const starting = startingValues(problem, options);
    const set = await baselineSet(options.baseline ?? "zero", placeholders(problem, starting, arrays));
    return new PathIntegral(device, problem, pathShape(problem, options.hoist ?? true), options, arrays, starting, set);
  }

  get baselineCount(): number {
    return this.set.baselines.length;
  }

  /** The same nodes and weights for every baseline and example. */
  points({ nodes, weights }: Quadrature): PathPoints {
    const repeat = (values: readonly number[]): number[] => this.set.baselines.flatMap(() => values);
    return { steps: nodes.length, nodes: repeat(nodes), weights: repeat(weights) };
  }

  /** Weighted sums along the paths, of gradients unless told otherwise, averaged over baselines: one readback in all. */
  async integrate(points: PathPoints, task: PathTask = {}): Promise<PathResult> {
    const { options, device } = this;
    if (this.starting.every(({ dtype }) => dtype !== "f32")) assertArrays(options.baseline);
    const { integrand = gradientIntegrand(this.shape), given = [], progress } = task;
    const planned = this.plan(points, integrand);
    await Promise.all(partsOf(planned.programs).map((program) => program.ready()));
    return device.withErrorScope("attribution", () => {
      const session = new Session(device, options);
      return this.#run({ ...planned, points, given, results: integrand.results, session, progress });
    });
  }

  /**
   * How an integral would run, without running it.
   * @throws LimitError if not even one step fits
   */
  plan(points: PathPoints, integrand: Integrand = gradientIntegrand(this.shape)): PlannedPath {
    const { batch } = this.problem.target;
    const perExample = batch > 1 && points.nodes.length === this.baselineCount * points.steps * batch;
    const plan = planChunks({
      device: this.device,
      baselines: this.baselineCount,
      steps: points.steps,
      budget: this.options.memoryBudget,
      cost: (baselines, steps) => costOf(this.programs(integrand, baselines, steps, perExample)),
    });
    const programs = this.programs(integrand, plan.baselinesPerGroup, plan.stepsPerChunk, perExample);
    return { plan, programs, perExample };
  }

  /** Frees what was uploaded; the caller's own tensors stay. */
  dispose(): void {
    this.#owned.splice(0).forEach((t) => t.dispose());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The program that computes what the paths start from, for a number of baselines. */
  prelude(shape: PathShape, baselines: number): Programs["prelude"] {
    const { options, problem, device } = this;
    const given = targetGiven(options);
    const key = `prelude ${options.baselineOf} ${baselines} ${given} ${shape.boundary.map(({ id }) => id).join()}`;
    return compiled(problem, device, key, () => preludeGraph(shape, this.starting, baselines, given));
  }

  /** Programs that integrate `m` baselines side by side, `steps` nodes at a time. */
  programs(integrand: Integrand, m: number, steps: number, perExample: boolean): Programs {
    const { shape, problem, device } = this;
    const { prepare } = integrand;
    const key = (part: string): string => `${integrand.key} ${part} ${m} ${shape.boundary.map(({ id }) => id).join()}`;
    return {
      prelude: this.prelude(shape, m),
      ...(prepare && { prepare: compiled(problem, device, key("prepare"), () => prepare(m)) }),
      chunk: compiled(problem, device, `${key("chunk")} ${steps} ${perExample}`, () =>
        integrand.chunk(m, steps, perExample),
      ),
      finale: compiled(problem, device, key("finale"), () => integrand.finale(m)),
    };
  }

  async #run(job: Job): Promise<PathResult> {
    const { session, plan, programs } = job;
    const { counters } = this.device;
    const before = { ...counters };
    try {
      let totals = programs.finale.graph.outputs.map((y) => session.zeros(y.shape));
      let ends: readonly Tensor[] = [];
      for (let group = 0; group < plan.groups; group++) {
        const done = await this.#runGroup(job, group, totals);
        session.drop(totals);
        ({ totals, ends } = done);
      }
      const results = await session.read([...totals, ...ends]);
      const sums = results.slice(0, totals.length - 1);
      sums.forEach((a, i) => assertFinite(job.results[i]!, a));
      const [baselineScore, outputs, score, targets] = results.slice(sums.length);
      return {
        totals: sums,
        outputs: outputs!,
        targets,
        score: score!,
        baselineScore: baselineScore!,
        plan: {
          chunks: plan.groups * plan.chunksPerGroup,
          stepsPerChunk: plan.stepsPerChunk * plan.baselinesPerGroup,
          bytes: costOf(programs).bytes,
          dispatchesPerChunk: programs.chunk.program.plan.dispatches,
          dispatches: counters.dispatches - before.dispatches,
          submits: counters.submits - before.submits,
          pipelines: new Set(partsOf(programs).flatMap((p) => p.steps.map((step) => step.wgsl))).size,
          flops: session.flops,
        },
      };
    } finally {
      session.close();
    }
  }

  /** All nodes of one group of baselines: prelude, chunks, finale. Beyond the last baseline it is repeated, with weight 0. */
  async #runGroup(job: Job, group: number, totals: readonly Tensor[]) {
    const { session, programs, plan, points, given } = job;
    const count = this.baselineCount;
    const members = Array.from({ length: plan.baselinesPerGroup }, (_, i) => group * plan.baselinesPerGroup + i);
    const rows = members.map((member) => Math.min(member, count - 1));
    const { ends, index, startScore, values } = this.encodePrelude(session, programs.prelude.program, rows);
    const run = ({ program, graph }: Compiled<PathGraph>, inputs: readonly Tensor[]): Tensor[] =>
      session.encode(program, [...this.side(graph), ...index, ...inputs]);
    const boundary = values.slice(0, 2 * this.shape.boundary.length);
    const differences = values.slice(boundary.length);
    const extras = programs.prepare ? run(programs.prepare, [...given, ...differences]) : [];
    let sums = programs.chunk.graph.outputs.map((y) => session.zeros(y.shape));
    for (let at = 0; at < points.steps; at += plan.stepsPerChunk) {
      const batch = job.perExample ? this.problem.target.batch : undefined;
      const chunk = { at, count: plan.stepsPerChunk, batch };
      const used = pointTensors(this.device, points, rows, chunk).map((t) => session.keep(t));
      const next = run(programs.chunk, [...boundary, ...extras, ...used, ...sums]);
      session.drop([...used, ...sums]);
      sums = next;
      const last = at + plan.stepsPerChunk >= points.steps;
      if (!last || group < plan.groups - 1) await session.flush();
      // Without the evaluations that only fill the chunk up.
      job.progress?.(members.filter((m) => m < count).length * Math.min(plan.stepsPerChunk, points.steps - at));
    }
    const weights = session.keep(this.device.tensor(members.map((m) => this.set.weights[m] ?? 0)));
    const next = run(programs.finale, [...given, ...extras, ...sums, ...differences, startScore, weights, ...totals]);
    session.drop([...sums, ...values, ...extras, weights]);
    return { totals: next, ends };
  }

  /**
   * Boundary values, their tangents and x - x' for some baselines; the scores there; and at the input (`ends`) output, score
   * and target, if there is one.
   */
  encodePrelude(session: Session, program: Program, members: readonly number[]) {
    const { problem, device } = this;
    const starts = this.starting.map((node, i) => {
      const arrays = members.map((m) => this.set.baselines[m]![i]!);
      return session.keep(stacked(device, node, arrays));
    });
    const classes = classIndices(this.options.target, problem.target.batch);
    const target = classes && problem.index ? [session.keep(device.tensor(classes, [classes.length], "i32"))] : [];
    const [output, ...rest] = session.encode(program, [...this.#inputs, ...target, ...starts]);
    session.drop([...target, ...starts]);
    const index = problem.index ? rest.splice(0, 1) : [];
    const [score, startScore, ...values] = rest;
    return { ends: [output!, score!, ...index], index, startScore: startScore!, values };
  }

  side({ side }: PathGraph): Tensor[] {
    return side.map((x) => this.#inputs[this.problem.inputs.indexOf(x)]!);
  }
}

/** What is integrated. */
export interface PathTask {
  /** Default: gradients. */
  readonly integrand?: Integrand;
  /** Tensors that the integrand's graphs call `given`. */
  readonly given?: readonly Tensor[];
  /** Called with the number of evaluations that were encoded. */
  readonly progress?: ((done: number) => void) | undefined;
}

export interface PlannedPath {
  readonly plan: ChunkPlan;
  readonly programs: Programs;
  /** Whether every example has nodes of its own. */
  readonly perExample: boolean;
}

/** One integration: what is asked, how it is cut, and what runs it. */
interface Job extends PlannedPath {
  readonly points: PathPoints;
  readonly given: readonly Tensor[];
  /** What the totals are, for messages. */
  readonly results: readonly string[];
  readonly session: Session;
  readonly progress: ((done: number) => void) | undefined;
}

const targetGiven = ({ target }: PathOptions): boolean => classIndices(target, 0) !== undefined;
