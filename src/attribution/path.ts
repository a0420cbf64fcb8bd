// Path integrals on the device: in one program with one submit where all nodes fit at once, else chunk by chunk.
import type { Device } from "../tensor/device.ts";
import { ArgumentError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Node } from "../graph/node.ts";
import type { Program, ProgramOptions } from "../compiler/program.ts";
import { assertArrays, baselineSet, placeholders, startingValues, type BaselineSet } from "./baseline-set.ts";
import { gradientIntegrand } from "./path-graphs.ts";
import { classArray, pointTensors, stacked, targetGiven, type PathPoints } from "./path-inputs.ts";
import { pathShape, type Integrand, type PathGraph, type PathShape } from "./path-parts.ts";
import { withRamps } from "./path-ramps.ts";
import { pathValues, type PathForm, type PathValues } from "./path-values.ts";
import { endNodesOf, wholeGraph, type WholeSize } from "./path-whole.ts";
import { checkIds, chooseDevice, namedInputs, tableRows, traceProblem, type Problem } from "./problem.ts";
import { boundaryKey, compiled, costOf, limitsOf, type Compiled } from "./programs.ts";
import type { Quadrature } from "./quadrature.ts";
import { openSession, type Session } from "./session.ts";
import type { ArrayInput, Input, ModelLike, PathOptions, Plan } from "./types.ts";

export type { PathPoints } from "./path-inputs.ts";

export interface PathResult extends PathValues {
  readonly plan: Plan;
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

/** A model, an input and its baselines, on the device: ready to be integrated with any number of nodes. */
export class PathIntegral {
  readonly inputs: readonly Tensor[];
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
    this.inputs = problem.names.map((name) => {
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
    const problem = traceProblem(model, input, arrays, options);
    checkIds(tableRows(problem), arrays);
    const device = chooseDevice(problem, arrays, options.device);
    const starting = startingValues(problem, options);
    const set = await baselineSet(options.baseline ?? "zero", placeholders(problem, starting, arrays));
    const shape = await withRamps(pathShape(problem, options.hoist ?? true), set.baselines.length, device.info);
    return new PathIntegral(device, problem, shape, options, arrays, starting, set);
  }

  /** Whether the only baseline is zeros: then it is not even uploaded. */
  get #zero(): boolean {
    const { baseline = "zero" } = this.options;
    return baseline === "zero" && this.starting.every(({ dtype }) => dtype === "f32");
  }

  get baselineCount(): number {
    return this.set.baselines.length;
  }

  /** The same nodes and weights for every baseline and example. */
  points({ nodes, weights }: Quadrature): PathPoints {
    const repeat = (values: readonly number[]): number[] => this.set.baselines.flatMap(() => values);
    return { steps: nodes.length, nodes: repeat(nodes), weights: repeat(weights) };
  }

  /** Whether every example has nodes of its own. */
  perExample({ nodes, steps }: PathPoints): boolean {
    const { batch } = this.problem.target;
    return batch > 1 && nodes.length === this.baselineCount * steps * batch;
  }

  /** Weighted sums along the paths, of gradients unless told otherwise, averaged over baselines: one readback in all. */
  async integrate(points: PathPoints, task: PathTask = {}): Promise<PathResult> {
    const { options } = this;
    if (this.starting.every(({ dtype }) => dtype !== "f32")) assertArrays(options.baseline);
    const { integrand = gradientIntegrand(this.shape) } = task;
    if (options.kernel !== undefined && typeof options.kernel !== "function")
      throw new ArgumentError(`kernel: expected wholeNetwork(), got ${String(options.kernel)}`);
    const fits = (made: Compiled<PathGraph>): boolean => this.#exceeded(made).length === 0;
    const whole =
      options.kernel?.(this, task.integrand ? undefined : this.#size(points), fits) ?? this.whole(points, integrand);
    if (whole) return this.#integrateAtOnce(whole, points, integrand, task);
    const { integrateInChunks, packSaved } = await import("./on-demand.ts");
    const packed = this.whole(points, integrand, packSaved);
    if (packed) return this.#integrateAtOnce(packed, points, integrand, task);
    return integrateInChunks(this, points, { ...task, integrand });
  }

  async #integrateAtOnce(
    whole: Compiled<PathGraph>,
    points: PathPoints,
    integrand: Integrand,
    task: PathTask,
  ): Promise<PathResult> {
    const { options, device } = this;
    const session = openSession(device, options);
    try {
      await session.ready([whole.program]);
      // The scope closes before anything waits for results: one round trip to the device less.
      const results = await device.withErrorScope("attribution", () => {
        const arrays = session.read(this.#encode(session, whole.program, points, task.given));
        // Where the scope reports an error, nobody waits for them.
        arrays.catch(() => undefined);
        return () => arrays;
      });
      task.progress?.(this.baselineCount * points.steps);
      return this.#resultOf(whole, points, integrand, await results(), session);
    } finally {
      session.close();
    }
  }

  /**
   * The program that computes everything in one submit; undefined if that takes more memory or time than it may.
   * @param saved what to do if only the memory does not suffice
   */
  whole(points: PathPoints, integrand: Integrand, saved?: ProgramOptions["saved"]): Compiled<PathGraph> | undefined {
    const { device, options, shape, problem, starting } = this;
    const size = this.#size(points);
    const key = [integrand.key, "whole", JSON.stringify(size), options.baselineOf, boundaryKey(shape)].join();
    const made = compiled(problem, device, key, () => wholeGraph(shape, starting, integrand, size));
    const most = this.#exceeded(made).join();
    if (!most) return made;
    if (!saved || most !== "bytes") return undefined;
    const packed = compiled(problem, device, key, () => made.graph, { saved });
    return this.#exceeded(packed).length === 0 ? packed : undefined;
  }

  #size({ steps, ...points }: PathPoints): WholeSize {
    return {
      baselines: this.baselineCount,
      steps,
      perExample: this.perExample({ steps, ...points }),
      zero: this.#zero,
      targetGiven: targetGiven(this.options),
    };
  }

  /** What of a program is more than one submit may take. */
  #exceeded(made: Compiled<PathGraph>): string[] {
    const cost = costOf(made);
    const limits = limitsOf(this.device, this.options.memoryBudget);
    return (["bytes", "largest", "flops"] as const).filter((key) => cost[key] > limits[key]);
  }

  /** What {@link whole} reads beside inputs, classes and `given`: baselines, nodes and weights, on the device. */
  upload(points: PathPoints): Tensor[] {
    const { device, set, baselineCount, problem } = this;
    const members = set.baselines.map((_, m) => m);
    const batch = this.perExample(points) ? problem.target.batch : undefined;
    return [
      ...(this.#zero ? [] : this.starts(members)),
      ...pointTensors(device, points, members, { at: 0, count: points.steps, batch, more: endNodesOf(baselineCount) }),
      ...(baselineCount > 1 ? [device.tensor(set.weights)] : []),
    ];
  }

  #encode(session: Session, program: Program, points: PathPoints, given: readonly Tensor[] = []): Tensor[] {
    const [classes, path] = [this.target(), this.upload(points)];
    [...classes, ...path].forEach((t) => session.keep(t));
    return session.encode(program, [...this.inputs, ...classes, ...given, ...path]);
  }

  #resultOf(
    whole: Compiled<PathGraph>,
    points: PathPoints,
    { results }: Integrand,
    read: readonly HostArray[],
    session: Session,
  ): PathResult {
    const { program, graph } = whole;
    const values = graph.collect?.(read, this.set.weights, this.#classes?.data) ?? read;
    return {
      ...this.valuesOf(values, { results, pick: graph.pick }),
      plan: {
        chunks: 1,
        stepsPerChunk: points.steps * this.baselineCount,
        bytes: costOf(whole).bytes,
        dispatchesPerChunk: program.plan.dispatches,
        ...session.spent,
        saved: program.plan.saved,
        kernel: graph.collect ? "whole" : "layers",
      },
    };
  }

  /** What was read back, as values of this integral. */
  valuesOf(read: readonly HostArray[], own: Pick<PathForm, "results" | "pick" | "parts">): PathValues {
    const form = { ...own, output: this.problem.output.shape, p: this.set.weights };
    this.options.recorder?.noteForm(form);
    return pathValues(read, form, this.#classes);
  }

  /** Some baselines, stacked: a tensor for each value that they are given for. */
  starts(members: readonly number[]): Tensor[] {
    const { device, starting, set } = this;
    return starting.map((node, i) => {
      const arrays = members.map((m) => set.baselines[m]![i]!);
      return stacked(device, node, arrays);
    });
  }

  /** The classes that the caller named, [B]; none if the network chooses. */
  target(): Tensor[] {
    const classes = this.#classes;
    if (!classes) return [];
    const tensor = this.device.tensor(classes);
    this.options.recorder?.noteTarget(tensor, classes);
    return [tensor];
  }

  get #classes(): HostArray | undefined {
    const { problem, options } = this;
    return problem.index && classArray(options.target, problem.target.batch);
  }

  /** Frees what was uploaded; the caller's own tensors stay. */
  dispose(): void {
    this.#owned.splice(0).forEach((t) => t.dispose());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
