// Runs path integrals: prelude, chunks and finale are encoded one after another, with nothing read back in between.
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Node } from "../graph/node.ts";
import type { Graph } from "../graph/trace.ts";
import type { Program } from "../compiler/program.ts";
import { assertArrays, baselineSet, placeholders, startingValues } from "./baseline-set.ts";
import { classIndices, pointTensors, stacked, type PathPoints } from "./path-inputs.ts";
import { planChunks, type ChunkPlan } from "./chunks.ts";
import {
  accumulatorShapes,
  chunkGraph,
  finaleGraph,
  pathShape,
  preludeGraph,
  type PathGraph,
  type PathShape,
} from "./path-graphs.ts";
import { assertFinite, checkDeclared, chooseDevice, namedInputs, traceProblem, type Problem } from "./problem.ts";
import { compiled, costOf, partsOf, programCost, type Compiled, type Programs } from "./programs.ts";
import type { Quadrature } from "./quadrature.ts";
import { firstRows, joinRows } from "./rows.ts";
import { Session } from "./session.ts";
import type { Input, ModelLike, PathOptions, Plan } from "./types.ts";

export type { PathPoints } from "./path-inputs.ts";

export interface PathResult {
  /** One array per attributed value. */
  readonly attributions: readonly HostArray[];
  readonly outputs: HostArray;
  readonly targets: HostArray | undefined;
  readonly score: HostArray;
  readonly baselineScore: HostArray;
  readonly plan: Plan;
}

/** A model, an input and its baselines, on the device: ready to be integrated with any number of nodes. */
export class PathIntegral {
  private readonly owned: Tensor[] = [];

  private constructor(
    readonly device: Device,
    readonly problem: Problem,
    private readonly shape: PathShape,
    private readonly options: PathOptions,
    private readonly inputs: readonly Tensor[],
    /** The values that baselines are given for. */
    private readonly starting: readonly Node[],
    /** For every baseline, one array per starting value. */
    private readonly baselines: readonly (readonly HostArray[])[],
    private readonly weights: readonly number[],
  ) {}

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
    const { baselines, weights } = await baselineSet(
      options.baseline ?? "zero",
      placeholders(problem, starting, arrays),
    );
    const uploaded: Tensor[] = [];
    const inputs = problem.names.map((name) => {
      const x = arrays[name]!;
      if (x instanceof Tensor) return x;
      const tensor = device.tensor(x);
      uploaded.push(tensor);
      return tensor;
    });
    const path = new PathIntegral(
      device,
      problem,
      pathShape(problem, options.hoist ?? true),
      options,
      inputs,
      starting,
      baselines,
      weights,
    );
    path.owned.push(...uploaded);
    return path;
  }

  get baselineCount(): number {
    return this.baselines.length;
  }

  /** The same nodes and weights for every baseline and example. */
  points({ nodes, weights }: Quadrature): PathPoints {
    const repeat = (values: readonly number[]): number[] => this.baselines.flatMap(() => values);
    return { steps: nodes.length, nodes: repeat(nodes), weights: repeat(weights) };
  }

  /** Weighted sums of gradients along the paths, times x - x', averaged over baselines: one readback in all. */
  async integrate(points: PathPoints, progress?: (done: number) => void): Promise<PathResult> {
    const { options, device } = this;
    if (this.starting.every(({ dtype }) => dtype !== "f32")) assertArrays(options.baseline);
    const perExample =
      points.nodes.length === this.baselines.length * points.steps * this.problem.target.batch &&
      this.problem.target.batch > 1;
    const plan = planChunks({
      device,
      baselines: this.baselines.length,
      steps: points.steps,
      budget: options.memoryBudget,
      cost: (baselines, steps) => costOf(this.programs(baselines, steps, perExample)),
    });
    const programs = this.programs(plan.baselinesPerGroup, plan.stepsPerChunk, perExample);
    await Promise.all(partsOf(programs).map((program) => program.ready()));
    return device.withErrorScope("attribution", () => {
      const session = new Session(device, options);
      return this.run({ points, plan, programs, perExample, session, progress });
    });
  }

  /**
   * Rows of a graph along the path from the first baseline: outputs for every node, read back chunk by chunk.
   * @param graph a graph made by {@link rowGraph} for a number of nodes; `name` identifies it among the cached programs
   */
  async rows(
    name: string,
    graph: (count: number) => PathGraph,
    nodes: readonly number[],
    progress?: (done: number) => void,
  ): Promise<HostArray[]> {
    const { device, options, problem } = this;
    const shape = pathShape(problem, false);
    const given = targetGiven(options);
    const prelude = this.compiled(`prelude ${options.baselineOf} 1 ${given} false`, () =>
      preludeGraph(shape, this.starting, 1, given),
    );
    const rowsOf = (count: number) => this.compiled(`${name} ${count}`, () => graph(count));
    const plan = planChunks({
      device,
      baselines: 1,
      steps: nodes.length,
      budget: options.memoryBudget,
      cost: (_, count) => programCost([prelude.program, rowsOf(count).program], 0),
    });
    const rows = rowsOf(plan.stepsPerChunk);
    await Promise.all([prelude.program.ready(), rows.program.ready()]);
    return device.withErrorScope(name, () => this.runRows(prelude.program, rows, nodes, plan.stepsPerChunk, progress));
  }

  private async runRows(
    prelude: Program,
    rows: Compiled<PathGraph>,
    nodes: readonly number[],
    size: number,
    progress?: (done: number) => void,
  ): Promise<HostArray[]> {
    const { device, problem } = this;
    const session = new Session(device, this.options);
    try {
      const { index, values } = this.encodePrelude(session, prelude, [0]);
      const count = problem.ends.length;
      const parts: HostArray[][] = [];
      for (let at = 0; at < nodes.length; at += size) {
        const chunk = Array.from({ length: size }, (_, s) => nodes[Math.min(at + s, nodes.length - 1)]!);
        const tensor = session.keep(device.tensor(chunk, [1, size]));
        const outputs = session.encode(rows.program, [
          ...this.side(rows.graph.side),
          ...index,
          ...values.slice(0, 2 * count),
          tensor,
        ]);
        const used = Math.min(size, nodes.length - at);
        parts.push((await session.read(outputs)).map((a) => firstRows(a, used)));
        session.drop([tensor, ...outputs]);
        progress?.(used);
      }
      return parts[0]!.map((_, i) => joinRows(parts.map((p) => p[i]!)));
    } finally {
      session.close();
    }
  }

  /** Frees what was uploaded; the caller's own tensors stay. */
  dispose(): void {
    this.owned.splice(0).forEach((t) => t.dispose());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private compiled<G extends Graph>(key: string, graph: () => G): Compiled<G> {
    return compiled(this.problem, this.device, key, graph);
  }

  private programs(m: number, steps: number, perExample: boolean): Programs {
    const { shape, options } = this;
    const given = targetGiven(options);
    const hoist = options.hoist ?? true;
    return {
      prelude: this.compiled(`prelude ${options.baselineOf} ${m} ${given} ${hoist}`, () =>
        preludeGraph(shape, this.starting, m, given),
      ),
      chunk: this.compiled(`chunk ${m} ${steps} ${perExample} ${hoist}`, () => chunkGraph(shape, m, steps, perExample)),
      finale: this.compiled(`finale ${m} ${hoist}`, () => finaleGraph(shape, m)),
    };
  }

  private async run(job: Job): Promise<PathResult> {
    const { device, problem } = this;
    const { session, plan, programs } = job;
    const before = { ...device.counters };
    try {
      let totals = programs.finale.graph.outputs.map((y) => session.zeros(y.shape));
      let first: readonly Tensor[] | undefined;
      for (let group = 0; group < plan.groups; group++) {
        const done = await this.runGroup(job, group, totals);
        session.drop(totals);
        totals = done.totals;
        first ??= done.prelude;
      }
      const { index, ends, endNames } = problem;
      const results = await session.read([...totals, ...first!.slice(0, index ? 3 : 2)]);
      const attributions = results.slice(0, ends.length);
      attributions.forEach((a, j) => assertFinite(`the attribution of "${endNames[j]}"`, a));
      const [baselineScore, outputs, ...rest] = results.slice(ends.length);
      return {
        attributions,
        outputs: outputs!,
        targets: index ? rest[0] : undefined,
        score: rest.at(-1)!,
        baselineScore: baselineScore!,
        plan: this.report(plan, programs, before),
      };
    } finally {
      session.close();
    }
  }

  /** All nodes of one group of baselines: prelude, chunks, finale. */
  private async runGroup(job: Job, group: number, totals: readonly Tensor[]) {
    const { session, programs, plan } = job;
    const m = plan.baselinesPerGroup;
    const members = Array.from({ length: m }, (_, i) => group * m + i);
    const { prelude, index, startScore, values } = this.encodePrelude(session, programs.prelude.program, members);
    const boundary = values.slice(0, 2 * this.shape.boundary.length);
    const differences = values.slice(boundary.length);
    let sums = accumulatorShapes(this.shape, m).map((s) => session.zeros(s));
    for (let chunk = 0; chunk < plan.chunksPerGroup; chunk++) {
      const last = group === plan.groups - 1 && chunk === plan.chunksPerGroup - 1;
      const points = this.chunkPoints(job, members, chunk * plan.stepsPerChunk).map((t) => session.keep(t));
      const inputs = [...this.side(programs.chunk.graph.side), ...index, ...boundary, ...points, ...sums];
      const next = session.encode(programs.chunk.program, inputs);
      session.drop([...points, ...sums]);
      sums = next;
      if (!last) await session.flush();
      job.progress?.(this.evaluationsOf(job, group, chunk));
    }
    const weights = session.keep(this.device.tensor(members.map((i) => this.weights[i] ?? 0)));
    const side = this.side(programs.finale.graph.side);
    const inputs = [...side, ...index, ...sums, ...differences, startScore, weights, ...totals];
    const next = session.encode(programs.finale.program, inputs);
    session.drop([...sums, ...values, weights]);
    return { totals: next, prelude };
  }

  /** Gradients per example that a chunk evaluates, without those that only fill it up. */
  private evaluationsOf({ plan, points }: Job, group: number, chunk: number): number {
    const baselines = Math.min(plan.baselinesPerGroup, this.baselines.length - group * plan.baselinesPerGroup);
    return baselines * Math.min(plan.stepsPerChunk, points.steps - chunk * plan.stepsPerChunk);
  }

  private encodePrelude(session: Session, program: Program, members: readonly number[]) {
    const { problem } = this;
    const starts = this.starting.map((node, i) =>
      session.keep(
        stacked(
          this.device,
          node,
          members.map((m) => this.baselineAt(m)[i]!),
        ),
      ),
    );
    const classes = classIndices(this.options.target, problem.target.batch);
    const target = classes && problem.index ? [session.keep(this.device.tensor(classes, [classes.length], "i32"))] : [];
    const prelude = session.encode(program, [...this.inputs, ...target, ...starts]);
    session.drop([...target, ...starts]);
    const index = problem.index ? [prelude[1]!] : [];
    const [, startScore, ...values] = prelude.slice(1 + index.length);
    return { prelude, index, startScore: startScore!, values };
  }

  /** Beyond the last baseline it is repeated, with weight 0. */
  private baselineAt(member: number): readonly HostArray[] {
    return this.baselines[Math.min(member, this.baselines.length - 1)]!;
  }

  private chunkPoints({ points, plan, perExample }: Job, members: readonly number[], at: number): [Tensor, Tensor] {
    const rows = members.map((m) => Math.min(m, this.baselines.length - 1));
    const batch = perExample ? this.problem.target.batch : undefined;
    return pointTensors(this.device, points, rows, { at, count: plan.stepsPerChunk, batch });
  }

  private side(nodes: PathGraph["side"]): Tensor[] {
    return nodes.map((x) => this.inputs[this.problem.inputs.indexOf(x)]!);
  }

  private report(plan: ChunkPlan, programs: Programs, before: { submits: number; dispatches: number }): Plan {
    const { prelude, chunk, finale } = programs;
    const texts = new Set(partsOf(programs).flatMap((p) => p.steps.map((s) => s.wgsl)));
    const chunks = plan.groups * plan.chunksPerGroup;
    return {
      chunks,
      stepsPerChunk: plan.stepsPerChunk * plan.baselinesPerGroup,
      bytes: costOf(programs).bytes,
      dispatchesPerChunk: chunk.program.plan.dispatches,
      dispatches: this.device.counters.dispatches - before.dispatches,
      submits: this.device.counters.submits - before.submits,
      pipelines: texts.size,
      flops: plan.groups * (prelude.program.plan.flops + finale.program.plan.flops) + chunks * chunk.program.plan.flops,
    };
  }
}

/** One integration: what is asked, how it is cut, and what runs it. */
interface Job {
  readonly points: PathPoints;
  readonly plan: ChunkPlan;
  readonly programs: Programs;
  readonly perExample: boolean;
  readonly session: Session;
  readonly progress: ((done: number) => void) | undefined;
}

const targetGiven = ({ target }: PathOptions): boolean => classIndices(target, 0) !== undefined;
