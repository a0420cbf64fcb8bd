// Runs path integrals: prelude, chunks and finale are encoded one after another, with nothing read back in between.
import { ArgumentError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Graph } from "../graph/trace.ts";
import { Commands } from "../compiler/commands.ts";
import { Program } from "../compiler/program.ts";
import { resolveBaseline, type Baseline, type SingleBaseline, type WeightedBaseline } from "./baselines.ts";
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
import type { Quadrature } from "./quadrature.ts";
import type { ArrayInput, Input, ModelLike, PathOptions, Plan } from "./types.ts";

/** Nodes per baseline; per example too, if `nodes` holds M * S * B numbers. */
export interface PathPoints {
  readonly steps: number;
  /** [M, S] or [M, S, B] */
  readonly nodes: ArrayLike<number>;
  /** [M, S] */
  readonly weights: ArrayLike<number>;
}

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
    /** For every baseline, one array per input. */
    private readonly baselines: readonly (readonly ArrayInput[])[],
    private readonly weights: readonly number[],
  ) {}

  /**
   * Checks arguments, traces the model and uploads the input.
   * @throws ArgumentError, ShapeError, NumericError that name what does not fit; nothing is left on the device then
   */
  static async open(model: ModelLike, input: Input, options: PathOptions): Promise<PathIntegral> {
    const arrays = namedInputs(model, input);
    checkDeclared(model, arrays);
    for (const [name, x] of Object.entries(arrays)) if (!(x instanceof Tensor)) assertFinite(`input "${name}"`, x);
    const problem = traceProblem(model, input, arrays, options);
    const device = chooseDevice(problem, arrays, options.device);
    const { baselines, weights } = await baselineSet(options.baseline ?? "zero", arrays);
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
    const perExample =
      points.nodes.length === this.baselines.length * points.steps * this.problem.target.batch &&
      this.problem.target.batch > 1;
    const plan = planChunks(this.shape, this.baselines.length, points.steps, perExample, device, options.memoryBudget);
    const programs = await this.programs(plan, perExample);
    return device.withErrorScope("attribution", () => this.run(points, plan, programs, perExample, progress));
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
    const plan = planChunks(shape, 1, nodes.length, false, device, options.memoryBudget, (count) => graph(count), name);
    const prelude = this.compiled(`prelude 1 ${given} false`, () => preludeGraph(shape, 1, given));
    const rows = this.compiled(`${name} ${plan.stepsPerChunk}`, () => graph(plan.stepsPerChunk));
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
    const cache = cacheOf(this.problem, this.device);
    let known = cache.get(key) as Compiled<G> | undefined;
    if (!known) {
      const made = graph();
      cache.set(key, (known = { program: new Program(this.device, made), graph: made }));
    }
    return known;
  }

  private async programs(plan: ChunkPlan, perExample: boolean): Promise<Programs> {
    const { shape, options } = this;
    const given = targetGiven(options);
    const hoist = options.hoist ?? true;
    const { baselinesPerGroup: m, stepsPerChunk } = plan;
    const all = {
      prelude: this.compiled(`prelude ${m} ${given} ${hoist}`, () => preludeGraph(shape, m, given)),
      chunk: this.compiled(`chunk ${m} ${stepsPerChunk} ${perExample} ${hoist}`, () =>
        chunkGraph(shape, m, stepsPerChunk, perExample),
      ),
      finale: this.compiled(`finale ${m} ${hoist}`, () => finaleGraph(shape, m)),
    };
    await Promise.all(Object.values(all).map((p) => p.program.ready()));
    return all;
  }

  private async run(
    points: PathPoints,
    plan: ChunkPlan,
    programs: Programs,
    perExample: boolean,
    progress?: (done: number) => void,
  ): Promise<PathResult> {
    const { device } = this;
    const session = new Session(device, this.options);
    const before = { submits: device.counters.submits, dispatches: device.counters.dispatches };
    try {
      const lengths = programs.finale.graph.outputs.map((y) => y.shape);
      let totals = lengths.map((s) => session.keep(device.tensor(new Float32Array(numel(s)), s)));
      let first: readonly Tensor[] | undefined;
      for (let group = 0; group < plan.groups; group++) {
        const done = await this.runGroup(session, group, totals, points, plan, programs, perExample, progress);
        totals = done.totals;
        first ??= done.prelude;
      }
      const { index } = this.problem;
      const results = await session.read([...totals, ...first!.slice(0, index ? 3 : 2)]);
      const attributions = results.slice(0, this.problem.ends.length);
      const [baselineScore, outputs, ...rest] = results.slice(this.problem.ends.length);
      attributions.forEach((a, j) => assertFinite(`the attribution of "${this.problem.endNames[j]}"`, a));
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

  private async runGroup(
    session: Session,
    group: number,
    totals: Tensor[],
    points: PathPoints,
    plan: ChunkPlan,
    programs: Programs,
    perExample: boolean,
    progress?: (done: number) => void,
  ): Promise<{ totals: Tensor[]; prelude: readonly Tensor[] }> {
    const { device, shape } = this;
    const m = plan.baselinesPerGroup;
    const members = Array.from({ length: m }, (_, i) => group * m + i);
    const { prelude, index, startScore, values } = this.encodePrelude(session, programs.prelude.program, members);
    const count = shape.boundary.length;
    const along = values.slice(count, 2 * count);
    let sums = accumulatorShapes(shape, m).map((s) => session.keep(device.tensor(new Float32Array(numel(s)), s)));
    for (let chunk = 0; chunk < plan.chunksPerGroup; chunk++) {
      const at = chunk * plan.stepsPerChunk;
      const [nodes, weights] = this.pointTensors(points, members, at, plan.stepsPerChunk, perExample).map((t) =>
        session.keep(t),
      );
      const side = this.side(programs.chunk.graph.side);
      sums = session.encode(programs.chunk.program, [
        ...side,
        ...index,
        ...values.slice(0, count),
        ...along,
        nodes!,
        weights!,
        ...sums,
      ]);
      const last = group === plan.groups - 1 && chunk === plan.chunksPerGroup - 1;
      if (!last) await session.flush();
      progress?.(Math.min(m, this.baselines.length - group * m) * Math.min(plan.stepsPerChunk, points.steps - at));
    }
    const weights = device.tensor(members.map((i) => this.weights[i] ?? 0));
    const side = this.side(programs.finale.graph.side);
    return {
      totals: session.encode(programs.finale.program, [
        ...side,
        ...index,
        ...sums,
        ...values.slice(2 * count),
        startScore,
        session.keep(weights),
        ...totals,
      ]),
      prelude,
    };
  }

  private encodePrelude(session: Session, program: Program, members: readonly number[]) {
    const { problem } = this;
    const starts = problem.names.map((_, i) => session.keep(this.stack(members, i)));
    const target = targetGiven(this.options) && problem.index ? [session.keep(this.targetTensor())] : [];
    const prelude = session.encode(program, [...this.inputs, ...target, ...starts]);
    const index = problem.index ? [prelude[1]!] : [];
    const [, startScore, ...values] = prelude.slice(1 + index.length);
    return { prelude, index, startScore: startScore!, values };
  }

  private side(nodes: PathGraph["side"]): Tensor[] {
    return nodes.map((x) => this.inputs[this.problem.inputs.indexOf(x)]!);
  }

  /** Baselines of a group, stacked; beyond the last one it is repeated, with weight 0. */
  private stack(members: readonly number[], input: number): Tensor {
    const { shape, dtype } = this.problem.inputs[input]!;
    const size = numel(shape);
    const data = dtype === "i32" ? new Int32Array(members.length * size) : new Float32Array(members.length * size);
    members.forEach((i, at) => {
      const baseline = this.baselines[Math.min(i, this.baselines.length - 1)]![input]! as HostArray;
      data.set(baseline.data, at * size);
    });
    return this.device.tensor(data, [members.length, ...shape], dtype);
  }

  private targetTensor(): Tensor {
    const { target } = this.options;
    const { batch } = this.problem.target;
    const classes = typeof target === "number" ? Array<number>(batch).fill(target) : (target as readonly number[]);
    return this.device.tensor(classes, [batch], "i32");
  }

  /** Nodes and weights of one chunk. Beyond the last step the last node is repeated, with weight 0. */
  private pointTensors(
    points: PathPoints,
    members: readonly number[],
    at: number,
    count: number,
    perExample: boolean,
  ): [Tensor, Tensor] {
    const { steps } = points;
    const batch = perExample ? this.problem.target.batch : 1;
    const nodes = new Float32Array(members.length * count * batch);
    const weights = new Float32Array(members.length * count);
    members.forEach((m, i) => {
      const row = Math.min(m, this.baselines.length - 1);
      for (let s = 0; s < count; s++) {
        const step = Math.min(at + s, steps - 1);
        for (let b = 0; b < batch; b++)
          nodes[(i * count + s) * batch + b] = points.nodes[(row * steps + step) * batch + b]!;
        weights[i * count + s] = at + s < steps ? points.weights[row * steps + step]! : 0;
      }
    });
    const shape = [members.length, count];
    const { device } = this;
    return [device.tensor(nodes, perExample ? [...shape, batch] : shape), device.tensor(weights, shape)];
  }

  private report(
    plan: ChunkPlan,
    { prelude, chunk, finale }: Programs,
    before: { submits: number; dispatches: number },
  ): Plan {
    const parts = [prelude, chunk, finale].map((p) => p.program);
    const texts = new Set(parts.flatMap((p) => p.steps.map((s) => s.wgsl)));
    const chunks = plan.groups * plan.chunksPerGroup;
    return {
      chunks,
      stepsPerChunk: plan.stepsPerChunk * plan.baselinesPerGroup,
      // Scratch memory is handed from one program to the next; results live to the end.
      bytes:
        Math.max(...parts.map((p) => p.memory.scratchBytes)) + parts.reduce((sum, p) => sum + p.memory.outputBytes, 0),
      dispatchesPerChunk: chunk.program.plan.dispatches,
      dispatches: this.device.counters.dispatches - before.dispatches,
      submits: this.device.counters.submits - before.submits,
      pipelines: texts.size,
      flops: plan.groups * (prelude.program.plan.flops + finale.program.plan.flops) + chunks * chunk.program.plan.flops,
    };
  }
}

interface Compiled<G extends Graph> {
  readonly program: Program;
  readonly graph: G;
}

interface Programs {
  readonly prelude: Compiled<Graph>;
  readonly chunk: Compiled<PathGraph>;
  readonly finale: Compiled<PathGraph>;
}

function firstRows({ shape, dtype, data }: HostArray, count: number): HostArray {
  const rest = shape.slice(1);
  return { shape: [count, ...rest], dtype, data: data.subarray(0, count * numel(rest)) };
}

function joinRows(parts: readonly HostArray[]): HostArray {
  const rest = parts[0]!.shape.slice(1);
  const data = new Float32Array(parts.reduce((n, p) => n + p.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return hostArray(data, [parts.reduce((n, p) => n + p.shape[0]!, 0), ...rest]);
}

const caches = new WeakMap<Problem, WeakMap<Device, Map<string, unknown>>>();

function cacheOf(problem: Problem, device: Device): Map<string, unknown> {
  const perDevice = caches.get(problem) ?? new WeakMap<Device, Map<string, unknown>>();
  caches.set(problem, perDevice);
  const cache = perDevice.get(device) ?? new Map<string, unknown>();
  perDevice.set(device, cache);
  return cache;
}

const targetGiven = ({ target }: PathOptions): boolean => typeof target === "number" || Array.isArray(target);

/** Tensors and commands of one run: everything is freed at the end, whatever happens. */
class Session {
  private commands: Commands;
  private readonly tensors: Tensor[] = [];
  private pending: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly device: Device,
    private readonly options: PathOptions,
  ) {
    this.commands = new Commands(device);
    options.signal?.throwIfAborted();
  }

  keep(tensor: Tensor): Tensor {
    this.tensors.push(tensor);
    return tensor;
  }

  encode(program: Program, inputs: readonly Tensor[]): Tensor[] {
    return program.encode(this.commands, inputs).map((t) => this.keep(t));
  }

  /** Submits what was encoded. Waits for the submit before this one, so that two are in flight and progress is real. */
  async flush(): Promise<void> {
    this.commands.submit();
    this.commands = new Commands(this.device);
    const previous = this.pending;
    this.pending = this.device.gpu.queue.onSubmittedWorkDone();
    await previous;
    this.device.assertAlive();
    this.options.signal?.throwIfAborted();
  }

  /** Submits what was encoded and copies tensors to the host, with one wait for both. */
  async read(tensors: readonly Tensor[]): Promise<HostArray[]> {
    const arrays = await this.commands.submitAndRead(tensors);
    this.commands = new Commands(this.device);
    this.options.signal?.throwIfAborted();
    return arrays;
  }

  close(): void {
    this.commands.abandon();
    this.tensors.splice(0).forEach((t) => t.dispose());
  }
}

/** Baselines and their weights, scaled to sum to 1. */
async function baselineSet(
  baseline: Baseline | readonly WeightedBaseline[],
  arrays: Readonly<Record<string, ArrayInput>>,
): Promise<{ baselines: HostArray[][]; weights: number[] }> {
  const set: readonly WeightedBaseline[] = Array.isArray(baseline) ? baseline : [{ baseline: baseline as Baseline }];
  const weights = set.map(({ weight = 1 }) => weight);
  const total = weights.reduce((a, b) => a + b, 0);
  if (set.length === 0 || weights.some((w) => !(w >= 0)) || !(total > 0)) {
    throw new ArgumentError("baseline: expected at least one baseline, and weights >= 0 with a positive sum");
  }
  const hosts = await readInputs(arrays);
  const baselines = await Promise.all(
    set.map(({ baseline: b }) => Promise.all(Object.entries(hosts).map(([name, x]) => resolveFor(b, x, name)))),
  );
  return { baselines, weights: weights.map((w) => w / total) };
}

async function readInputs(arrays: Readonly<Record<string, ArrayInput>>): Promise<Record<string, HostArray>> {
  const entries = Object.entries(arrays).map(
    async ([name, x]) => [name, x instanceof Tensor ? await x.read() : x] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function resolveFor(baseline: Baseline, input: HostArray, name: string): Promise<HostArray> {
  const single = isRecord(baseline) ? baseline[name] : baseline;
  if (single === undefined) {
    if (input.dtype !== "f32") return input;
    throw new ArgumentError(`baseline: none is given for input "${name}"`);
  }
  // Whole numbers (token ids) have no meaningful zero: unless an array is given, they stay as they are.
  if (input.dtype !== "f32" && (typeof single === "string" || typeof single === "number")) return input;
  const array = resolveBaseline(single instanceof Tensor ? await single.read() : single, input, name);
  assertFinite(`the baseline of input "${name}"`, array);
  return array.dtype === input.dtype ? array : hostArray(array.data, array.shape, input.dtype);
}

const isRecord = (b: Baseline): b is Readonly<Record<string, SingleBaseline>> =>
  typeof b === "object" && !(b instanceof Tensor) && !("data" in b);
