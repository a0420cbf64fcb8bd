// Programs: a graph lowered to dispatches, planned, compiled and run as one pass with one submit.
import { ArgumentError, DTypeError, ShapeError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import { sizeClass, type Allocation } from "../tensor/pool.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { constantPrimitive } from "../graph/leaves.ts";
import { is, type Node, type Value } from "../graph/node.ts";
import { trace, type Graph, type InputSpec } from "../graph/trace.ts";
import { Commands } from "./commands.ts";
import { fuse, type Group } from "./fuse.ts";
import { checkConstants, checkStorageBuffers } from "./limits.ts";
import { normalise } from "./normalise.ts";
import { bytesOf, planMemory, type MemoryPlan } from "./plan.ts";
import { base } from "./regions.ts";
import { lower, type Step } from "./step.ts";
import { capabilitiesOf } from "./tuning.ts";
import { isUniforms, packUniforms, uniformBytes } from "./uniforms.ts";

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

export interface ProgramOptions {
  /**
   * `packSaved` keeps bits and small integers between forward and backward pass, instead of values that are only compared:
   * the same results in less memory, with a dispatch more for each. Default: values.
   */
  readonly saved?: ((outputs: readonly Node[], groups: readonly Group[]) => readonly Node[]) | undefined;
}

/** Operations that the quick kernel takes hardly longer for than the other would take to be built. */
const QUICK_FLOPS = 2e8;

/** A compiled function of tensors. */
export class Program {
  readonly steps: readonly Step[];
  readonly memory: MemoryPlan;
  readonly plan: ProgramPlan;
  readonly #outputs: readonly Node[];
  readonly #offsets: readonly (readonly number[])[];
  readonly #uniformData: Uint32Array;
  /** What runs: some steps may still be quick ones, see {@link ready}. */
  #running: { readonly step: Step; readonly pipeline: GPUComputePipeline }[] | undefined;
  readonly #bound: ({ buffers: GPUBuffer[]; group: GPUBindGroup } | undefined)[] = [];

  constructor(
    readonly device: Device,
    readonly graph: Graph,
    { saved }: ProgramOptions = {},
  ) {
    const capabilities = capabilitiesOf(device);
    checkConstants(graph.outputs, device);
    const values = normalise(graph.outputs);
    let fusion = fuse(values, capabilities);
    this.#outputs = saved?.(values, fusion.groups) ?? values;
    if (this.#outputs !== values) fusion = fuse(this.#outputs, capabilities);
    this.steps = fusion.groups.map((group) => lower(group, fusion.storageOf, capabilities));
    checkStorageBuffers(this.steps, device.limits);
    this.memory = planMemory(this.steps, new Set(this.#outputs.map(base)));
    const { data, offsets } = packUniforms(this.steps);
    this.#uniformData = data;
    this.#offsets = offsets;
    this.plan = {
      dispatches: this.steps.length,
      pipelines: new Set(this.steps.map((s) => s.wgsl)).size,
      bytes: this.memory.scratchBytes + this.memory.outputBytes + sizeClass(data.byteLength),
      flops: this.steps.reduce((sum, s) => sum + s.flops, 0),
      saved: this.#outputs === values ? "values" : "bits",
    };
  }

  /**
   * Compiles all pipelines, in parallel; {@link encode} may be called after this. Where one takes long, a first call gets
   * a quick one that gives the same results; the second call has the other built, without waiting for it.
   * @param best waits for the pipelines that run fastest
   */
  async ready(best = false): Promise<this> {
    const build = async (step: Step) => ({ step, pipeline: await this.device.pipeline(step.wgsl, step.label) });
    const running = this.#running;
    if (!running) this.#running = await Promise.all((best ? this.steps : this.#quickSteps()).map(build));
    else {
      const better = this.steps.map(async (step, i) => {
        if (running[i]!.step === step) return;
        running[i] = await build(step);
        // Its bind group is that of another pipeline.
        this.#bound[i] = undefined;
      });
      if (best) await Promise.all(better);
      // A device that was lost meanwhile is reported by whatever uses it next.
      else better.forEach((built) => void built.catch(() => undefined));
    }
    return this;
  }

  /** Steps that are built soonest, unless running them would cost more than building the others saves. */
  #quickSteps(): Step[] {
    const flops = new Map<string, number>();
    this.steps.forEach((s) => flops.set(s.wgsl, (flops.get(s.wgsl) ?? 0) + s.flops));
    return this.steps.map((s) =>
      s.quick && flops.get(s.wgsl)! < QUICK_FLOPS && !this.device.knows(s.wgsl) ? s.quick : s,
    );
  }

  /**
   * Adds the program to a command buffer and returns its outputs, which are valid after the submit. Inputs must not be
   * disposed of before it.
   * @throws ShapeError, DTypeError, ArgumentError if `inputs` are not what the program was compiled for
   */
  encode(commands: Commands, inputs: readonly Tensor[]): Tensor[] {
    const { outputs, bufferOf, uniforms, slots } = this.bind(commands, inputs);
    try {
      this.steps.forEach((_, i) => this.encodeStep(commands.pass, i, bufferOf, uniforms));
    } catch (error) {
      // A weight may have been disposed of.
      outputs.forEach((y) => y.dispose());
      throw error;
    }
    this.device.counters.dispatches += this.steps.length;
    commands.recycle(slots);
    return outputs;
  }

  /** @internal Takes the memory of one run and says which buffer belongs to which node. */
  bind(commands: Commands, inputs: readonly Tensor[]) {
    this.#checkInputs(inputs);
    if (!this.#running) throw new ArgumentError("program: await program.ready() before encode()");
    const { device } = this;
    const uniforms = commands.take(Math.max(16, this.#uniformData.byteLength), "uniforms").buffer;
    device.gpu.queue.writeBuffer(uniforms, 0, this.#uniformData as Uint32Array<ArrayBuffer>);
    const slots = this.#takeSlots(commands);
    const results = new Map<Node, Allocation>();
    // Before anything is allocated, since an input may have been disposed of.
    const bufferOf = this.#bufferLookup(inputs, slots, results);
    try {
      for (const y of new Set(this.#outputs.map(base))) results.set(y, device.allocate(bytesOf(y), "output"));
    } catch (error) {
      results.forEach((allocation) => device.release(allocation));
      throw error;
    }
    const outputs = this.#outputs.map((y) => new Tensor(device, y.shape, y.dtype, results.get(base(y))!));
    return { outputs, bufferOf, uniforms, slots };
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
  #takeSlots(commands: Commands): Allocation[] {
    const { slots } = this.memory;
    const taken = new Array<Allocation>(slots.length);
    const order = slots.map((_, i) => i).sort((a, b) => slots[b]! - slots[a]!);
    for (const i of order) taken[i] = commands.takeScratch(slots[i]!);
    return taken;
  }

  #checkInputs(inputs: readonly Tensor[]): void {
    const specs = this.graph.inputs;
    if (inputs.length !== specs.length)
      throw new ArgumentError(`program: expected ${specs.length} inputs, got ${inputs.length}; pass a tensor for each`);
    specs.forEach((spec, i) => {
      const given = inputs[i]!;
      const name = String(spec.attrs["name"]);
      if (!sameShape(given.shape, spec.shape)) {
        throw new ShapeError(
          `input ${name}: expected shape ${formatShape(spec.shape)}, got ${formatShape(given.shape)}`,
        );
      }
      if (given.dtype !== spec.dtype) throw new DTypeError(`input ${name}: expected ${spec.dtype}, got ${given.dtype}`);
      if (given.device !== this.device) throw new ArgumentError(`input ${name} is on another device than the program`);
    });
  }

  #bufferLookup(inputs: readonly Tensor[], slots: readonly Allocation[], results: ReadonlyMap<Node, Allocation>) {
    const bound = new Map(this.graph.inputs.map((node, i) => [node, inputs[i]!.allocation.buffer]));
    return (node: Node): GPUBuffer => {
      const slot = this.memory.slotOf.get(node);
      if (slot !== undefined) return slots[slot]!.buffer;
      if (is(node, constantPrimitive)) return node.attrs.tensor.allocation.buffer;
      const buffer = results.get(node)?.buffer ?? bound.get(node);
      if (!buffer) throw new ArgumentError(`program: ${node.toString()} belongs to another function's inputs`);
      return buffer;
    };
  }

  /** @internal Adds one dispatch to a pass. */
  encodeStep(pass: GPUComputePassEncoder, at: number, bufferOf: (node: Node) => GPUBuffer, uniforms: GPUBuffer): void {
    const { step, pipeline } = this.#running![at]!;
    const offsets = this.#offsets[at]!;
    const buffers = step.bindings.map(({ source }) => (isUniforms(source) ? uniforms : bufferOf(source)));
    let known = this.#bound[at];
    if (!known || known.buffers.some((b, i) => b !== buffers[i])) {
      const entries = step.bindings.map(({ binding, source }, i) => ({
        binding,
        resource: isUniforms(source)
          ? { buffer: buffers[i]!, offset: offsets[i]!, size: uniformBytes(source) }
          : { buffer: buffers[i]! },
      }));
      const group = this.device.gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      this.#bound[at] = known = { buffers, group };
    }
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, known.group);
    pass.dispatchWorkgroups(...splitWorkgroups(step.workgroups, this.device.limits.maxComputeWorkgroupsPerDimension));
  }
}

/** x and y extents with x y >= count, both within the limit; kernels guard the excess. */
export function splitWorkgroups(count: number, limit: number): [number, number] {
  if (count <= limit) return [Math.max(1, count), 1];
  const y = Math.ceil(count / limit);
  return [Math.ceil(count / y), y];
}

/**
 * Lowers and plans a function (or a traced graph) for a device. Pipelines are built by the first run, or by `ready()`.
 * @param specs shape, dtype (default f32) and name of each argument of a function; a graph has its own
 * @param options what is kept between forward and backward pass
 * @throws LimitError when a dispatch needs more storage buffers than the adapter binds
 * @throws ArgumentError when the function captures a tensor of another device
 */
export function compile(
  device: Device,
  fn: Graph | ((...inputs: Value[]) => Value | readonly Value[]),
  specs: readonly InputSpec[] = [],
  options: ProgramOptions = {},
): Program {
  return new Program(device, typeof fn === "function" ? trace(fn, specs) : fn, options);
}
