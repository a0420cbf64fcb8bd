// Runs a recipe on a device, as one pass with one submit.
import { ArgumentError, DTypeError, LimitError, ShapeError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import { sizeClass, type Allocation } from "../tensor/pool.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Commands } from "./commands.ts";
import { bytesOf } from "./plan.ts";
import type { Dispatch, Launch, Recipe } from "./recipe.ts";
import { packUniforms } from "./uniforms.ts";

/** What a program will do, known before it runs. */
export interface ProgramPlan {
  readonly dispatches: number;
  /** Distinct kernels, each one pipeline. */
  readonly pipelines: number;
  /** Bytes of scratch and output buffers; inputs and weights are not counted. */
  readonly bytes: number;
  /** Floating point operations, a multiply-add counted as two. */
  readonly flops: number;
  /** What the backward pass reads of the forward pass: its values, or bits packed from them; see {@link ProgramOptions}. */
  readonly saved: "values" | "bits";
}

/** Operations that most quick kernels take hardly longer for than the better one would take to be built. */
const QUICK_FLOPS = 2e8;

/** The buffers of one run. */
interface Bound {
  readonly buffers: readonly GPUBuffer[];
  readonly uniforms: GPUBuffer;
}

interface Running {
  readonly launch: Launch;
  readonly pipeline: GPUComputePipeline;
  bound?: { readonly buffers: readonly GPUBuffer[]; readonly group: GPUBindGroup };
}

/** A function of tensors that a device can run. */
export class Executable {
  readonly plan: ProgramPlan;
  /** What runs: some dispatches may still be quick ones, see {@link ready}. */
  #running: Running[] | undefined;
  /** Whether the first run was encoded: it is not to share the processor with what later ones need. */
  #used = false;
  /** All blocks of uniform values, and where each binding's block begins. */
  readonly #uniforms: Uint32Array<ArrayBuffer>;
  readonly #offsets: readonly (readonly number[])[];

  /**
   * @param constants as many as the recipe has, of its shapes
   * @throws LimitError when a dispatch needs more storage buffers than the adapter binds
   */
  constructor(
    readonly device: Device,
    readonly recipe: Recipe,
    readonly constants: readonly Tensor[],
  ) {
    const { dispatches, scratch, outputs, saved } = recipe;
    const limit = device.limits.maxStorageBuffersPerShaderStage;
    for (const { label, bindings } of dispatches) {
      const count = bindings.filter(([, source]) => typeof source === "number").length;
      if (count <= limit) continue;
      throw new LimitError(
        `dispatch "${label}" binds ${count} storage buffers, and this adapter allows ${limit}; use fewer operands`,
      );
    }
    const { data, offsets } = packUniforms(dispatches);
    this.#uniforms = data;
    this.#offsets = offsets;
    this.plan = {
      dispatches: dispatches.length,
      pipelines: new Set(dispatches.map(({ kernel }) => kernel)).size,
      bytes: [...scratch, ...outputs.map(bytesOf), sizeClass(data.byteLength)].reduce((a, b) => a + b, 0),
      flops: dispatches.reduce((sum, { flops }) => sum + flops, 0),
      saved,
    };
  }

  /**
   * Compiles all pipelines, in parallel; {@link encode} may be called after this. Where one takes long, a first call gets
   * a quick one that gives the same results; once that has run, a call has the other built, without waiting for it.
   * @param best waits for the pipelines that run fastest
   */
  async ready(best = false): Promise<this> {
    const { kernels, dispatches } = this.recipe;
    const build = async (launch: Launch, { label }: Dispatch): Promise<Running> => {
      return { launch, pipeline: await this.device.pipeline(kernels[launch.kernel]!, label) };
    };
    const running = this.#running;
    if (!running) {
      const first = best ? dispatches : this.#quickest();
      this.#running = await Promise.all(first.map((launch, i) => build(launch, dispatches[i]!)));
    } else if (best || this.#used) {
      const better = dispatches.map(async (dispatch, i) => {
        if (running[i]!.launch !== dispatch) running[i] = await build(dispatch, dispatch);
      });
      if (best) await Promise.all(better);
      // A device that was lost meanwhile is reported by whatever uses it next.
      else better.forEach((built) => void built.catch(() => undefined));
    }
    return this;
  }

  /** What is built soonest, unless running it would cost more than building the others saves. */
  #quickest(): Launch[] {
    const { kernels, dispatches } = this.recipe;
    const total = new Map<number, number>();
    dispatches.forEach(({ kernel, flops }) => total.set(kernel, (total.get(kernel) ?? 0) + flops));
    return dispatches.map((best) => {
      let chosen: Launch = best;
      if (this.device.knows(kernels[best.kernel]!)) return chosen;
      const flops = total.get(best.kernel)!;
      while (chosen.quick && flops < (chosen.quick.upTo ?? QUICK_FLOPS)) chosen = chosen.quick;
      return chosen;
    });
  }

  /**
   * Adds the program to a command buffer and returns its outputs, which are valid after the submit. Inputs must not be
   * disposed of before it.
   * @throws ShapeError, DTypeError, ArgumentError if `inputs` are not what the program was compiled for
   */
  encode(commands: Commands, inputs: readonly Tensor[]): Tensor[] {
    const { outputs, bound, scratch } = this.bind(commands, inputs);
    const { dispatches } = this.recipe;
    dispatches.forEach((_, i) => this.encodeDispatch(commands.pass, i, bound));
    this.#used = true;
    this.device.counters.dispatches += dispatches.length;
    commands.recycle(scratch);
    return outputs;
  }

  /** @internal Takes the memory of one run. */
  bind(commands: Commands, inputs: readonly Tensor[]) {
    this.#checkInputs(inputs);
    if (!this.#running) throw new ArgumentError("program: await program.ready() before encode()");
    const { device, recipe } = this;
    // Before anything is allocated, since one of them may have been disposed of.
    const given = [...inputs, ...this.constants].map(({ allocation }) => allocation);
    const uniforms = commands.take(Math.max(16, this.#uniforms.byteLength), "uniforms").buffer;
    device.gpu.queue.writeBuffer(uniforms, 0, this.#uniforms);
    const scratch = this.#takeScratch(commands);
    const results: Allocation[] = [];
    try {
      for (const y of recipe.outputs) results.push(device.allocate(bytesOf(y), "output"));
    } catch (error) {
      results.forEach((allocation) => device.release(allocation));
      throw error;
    }
    const outputs = recipe.outputs.map(({ shape, dtype }, i) => new Tensor(device, shape, dtype, results[i]!));
    const buffers = [...given, ...scratch, ...results].map(({ buffer }) => buffer);
    return { outputs, scratch, bound: { buffers, uniforms } };
  }

  /**
   * Runs once: one submit. The caller owns the returned tensors.
   * @throws ShapeError, DTypeError, ArgumentError if `inputs` are not what the program was compiled for
   */
  async run(inputs: readonly Tensor[]): Promise<Tensor[]> {
    return this.#execute(inputs, (commands, outputs) => {
      commands.submit();
      return Promise.resolve(outputs);
    });
  }

  /** Runs once and copies the outputs to the host: one submit, one readback, nothing left on the device. */
  async runAndRead(inputs: readonly Tensor[]): Promise<HostArray[]> {
    return this.#execute(inputs, async (commands, outputs) => {
      try {
        return await commands.submitAndRead(outputs);
      } finally {
        outputs.forEach((y) => y.dispose());
      }
    });
  }

  async #execute<T>(
    inputs: readonly Tensor[],
    finish: (commands: Commands, outputs: Tensor[]) => Promise<T>,
  ): Promise<T> {
    await this.ready();
    // The scope closes before anything waits for results: programs may run concurrently.
    const result = await this.device.withErrorScope("the program", () => {
      const commands = new Commands(this.device);
      let outputs: Tensor[];
      try {
        outputs = this.encode(commands, inputs);
      } catch (error) {
        commands.abandon();
        throw error;
      }
      const results = finish(commands, outputs);
      // Where the scope reports an error, nobody waits for them.
      results.catch(() => undefined);
      return () => results;
    });
    return result();
  }

  /** Largest first: an idle buffer is then not spent on a small slot that many would fit. */
  #takeScratch(commands: Commands): Allocation[] {
    const { scratch } = this.recipe;
    const taken = new Array<Allocation>(scratch.length);
    const order = scratch.map((_, i) => i).sort((a, b) => scratch[b]! - scratch[a]!);
    for (const i of order) taken[i] = commands.takeScratch(scratch[i]!);
    return taken;
  }

  #checkInputs(inputs: readonly Tensor[]): void {
    const specs = this.recipe.inputs;
    if (inputs.length !== specs.length)
      throw new ArgumentError(`program: expected ${specs.length} inputs, got ${inputs.length}; pass a tensor for each`);
    specs.forEach(({ name, shape, dtype }, i) => {
      const given = inputs[i]!;
      if (!sameShape(given.shape, shape))
        throw new ShapeError(`input ${name}: expected shape ${formatShape(shape)}, got ${formatShape(given.shape)}`);
      if (given.dtype !== dtype) throw new DTypeError(`input ${name}: expected ${dtype}, got ${given.dtype}`);
      if (given.device !== this.device) throw new ArgumentError(`input ${name} is on another device than the program`);
    });
  }

  /** @internal Adds one dispatch to a pass. */
  encodeDispatch(pass: GPUComputePassEncoder, at: number, { buffers, uniforms }: Bound): void {
    const running = this.#running![at]!;
    const { launch, pipeline } = running;
    const used = launch.bindings.map(([, source]) => (typeof source === "number" ? buffers[source]! : uniforms));
    if (!running.bound || running.bound.buffers.some((b, i) => b !== used[i])) {
      const entries = launch.bindings.map(([binding, source], i) => ({
        binding,
        resource:
          typeof source === "number"
            ? { buffer: used[i]! }
            : { buffer: uniforms, offset: this.#offsets[at]![i]!, size: 4 * source.length },
      }));
      const group = this.device.gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      running.bound = { buffers: used, group };
    }
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, running.bound.group);
    pass.dispatchWorkgroups(...splitWorkgroups(launch.workgroups, this.device.limits.maxComputeWorkgroupsPerDimension));
  }
}

/** x and y extents with x y >= count, both within the limit; kernels guard the excess. */
export function splitWorkgroups(count: number, limit: number): [number, number] {
  if (count <= limit) return [Math.max(1, count), 1];
  const y = Math.ceil(count / limit);
  return [Math.ceil(count / y), y];
}
