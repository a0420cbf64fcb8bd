// Measures the kernels that can compute a node, on the device at hand, and remembers the fastest.
import type { Node, Value } from "../graph/node.ts";
import type { KernelCall, KernelLowering, Attrs } from "../graph/primitive.ts";
import { reachable, trace, type Graph, type InputSpec } from "../graph/trace.ts";
import type { Device } from "../tensor/device.ts";
import { assertWhole } from "../tensor/checks.ts";
import { numel } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { normalise } from "./normalise.ts";
import { timeDispatches } from "./profile.ts";
import { splitWorkgroups } from "./executable.ts";
import { specialise } from "./specialise.ts";
import { capabilitiesOf, tunedOf } from "./tuning.ts";
import { uniformWords } from "./uniforms.ts";

export interface TuneOptions {
  /** Times each variant is measured, the variants taking turns; their medians are compared. Default 7. */
  readonly repetitions?: number;
}

/** What was measured for one kind of node. */
export interface TuneResult {
  readonly key: string;
  /** Name of the variant that programs compiled from now on use. */
  readonly chosen: string;
  /** Median time of one dispatch, in milliseconds, by name of the variant. */
  readonly milliseconds: Readonly<Record<string, number>>;
}

/** Shorter spans say more about the clock than about the kernel: browsers round timestamps to about 0.1 ms. */
const LEAST_MS = 3;
const MOST_DISPATCHES = 500;
/** The variant that is used without measurements stays unless another one needs less than this part of its time. */
const BETTER = 0.95;

/**
 * Runs every variant of each node that has several (matrix products), apart from its neighbours, and remembers the fastest
 * for this device. Programs compiled afterwards use it; `tuningOf(device)` gives the choices as plain data.
 * Time is read from timestamp queries where the adapter has them, else from the clock around submits. The device should be
 * idle.
 * @param work a traced graph, or a function like that of `compile()`, with the very shapes that will be used
 * @param specs shape, dtype (default f32) and name of each argument of a function
 * @returns one entry for each distinct kind of node; none if nothing in the graph has variants
 * @throws ArgumentError if `repetitions` is not a positive whole number
 */
export async function tune(
  device: Device,
  work: Graph | ((...inputs: Value[]) => Value | readonly Value[]),
  specs: readonly InputSpec[] = [],
  { repetitions = 7 }: TuneOptions = {},
): Promise<TuneResult[]> {
  assertWhole("tune: repetitions", repetitions, 1);
  const { outputs } = typeof work === "function" ? trace(work, specs) : work;
  const distinct = new Map<string, Node>();
  for (const node of reachable(normalise(outputs))) {
    const tuning = tuningFor(node);
    if (tuning) distinct.set(tuning.key(node), node);
  }
  const results: TuneResult[] = [];
  for (const [key, node] of distinct) {
    const milliseconds = await measure(device, node, repetitions);
    const chosen = choose(device, node, milliseconds);
    tunedOf(device).set(key, chosen);
    results.push({ key, chosen, milliseconds });
  }
  return results;
}

function tuningFor({ primitive: { lowering } }: Node): KernelLowering<Attrs>["tuning"] {
  return lowering.kind === "kernel" ? lowering.tuning : undefined;
}

function choose(device: Device, node: Node, milliseconds: Readonly<Record<string, number>>): string {
  const [fastest] = Object.entries(milliseconds).sort(([, a], [, b]) => a - b);
  const usual = usualVariant(device, node);
  return usual !== undefined && fastest![1] > BETTER * milliseconds[usual]! ? usual : fastest![0];
}

/** Name of the variant that is used without measurements. */
function usualVariant(device: Device, node: Node): string | undefined {
  const { lowering, name } = node.primitive;
  if (lowering.kind !== "kernel") return undefined;
  const capabilities = capabilitiesOf(device);
  const usual = specialise(name, lowering.call(node, capabilities));
  const variants = Object.entries(lowering.tuning!.variants(node, capabilities));
  return variants.find(([, call]) => specialise(name, call) === usual)?.[0];
}

/** Median time of one dispatch of each variant. */
async function measure(device: Device, node: Node, repetitions: number): Promise<Record<string, number>> {
  const variants = Object.entries(tuningFor(node)!.variants(node, capabilitiesOf(device)));
  const tensors = [...node.inputs, node].map((x) => filled(device, x));
  const benches: Bench[] = [];
  try {
    for (const [, call] of variants) benches.push(await Bench.make(device, node, call, tensors));
    const spans = benches.map((): number[] => []);
    for (let r = 0; r < repetitions; r++) {
      for (const [i, bench] of benches.entries()) spans[i]!.push(await bench.span());
    }
    return Object.fromEntries(variants.map(([name], i) => [name, median(spans[i]!)]));
  } finally {
    benches.forEach((bench) => bench.dispose());
    tensors.forEach((tensor) => tensor.dispose());
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Ordinary numbers: zeros and subnormal numbers may take another time. */
function filled(device: Device, { shape, dtype }: Node): Tensor {
  const n = numel(shape);
  return device.tensor(dtype === "f32" ? new Float32Array(n).fill(0.5) : new Int32Array(n), shape, dtype);
}

/** One variant, ready to run. */
class Bench {
  private repeats = 1;

  private constructor(
    private readonly device: Device,
    private readonly pipeline: GPUComputePipeline,
    private readonly group: GPUBindGroup,
    private readonly workgroups: number,
    private readonly uniforms: Tensor,
  ) {}

  static async make(device: Device, node: Node, call: KernelCall, tensors: readonly Tensor[]): Promise<Bench> {
    const pipeline = await device.pipeline(specialise(node.primitive.name, call), node.primitive.name);
    const words = uniformWords(call.uniforms);
    const uniforms = device.tensor(Int32Array.from(words), undefined, "i32");
    const buffers = [uniforms, ...tensors].map((tensor) => ({ buffer: tensor.allocation.buffer }));
    const group = device.gpu.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((resource, binding) => ({
        binding,
        resource: binding === 0 ? { ...resource, size: 4 * words.length } : resource,
      })),
    });
    const bench = new Bench(device, pipeline, group, call.workgroups, uniforms);
    await bench.calibrate();
    return bench;
  }

  /** As many dispatches to a span as its length asks for; the first run, which may still compile, does not count. */
  private async calibrate(): Promise<void> {
    await this.span();
    const each = await this.span();
    this.repeats = Math.min(MOST_DISPATCHES, Math.max(1, Math.ceil(LEAST_MS / each)));
  }

  /** Milliseconds of one dispatch among several. */
  async span(): Promise<number> {
    const time = this.device.features.timestampQuery ? await this.byTimestamps() : await this.byClock();
    // A clock that stands still for one dispatch must not make infinitely many of them.
    return Math.max(1e-4, time) / this.repeats;
  }

  private async byTimestamps(): Promise<number> {
    const [time] = await timeDispatches(this.device, 1, (pass) => this.encode(pass));
    return time!;
  }

  private async byClock(): Promise<number> {
    const { gpu } = this.device;
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.encode(pass);
    pass.end();
    const start = performance.now();
    this.device.submit(encoder);
    await gpu.queue.onSubmittedWorkDone();
    return performance.now() - start;
  }

  private encode(pass: GPUComputePassEncoder): void {
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.group);
    const size = splitWorkgroups(this.workgroups, this.device.limits.maxComputeWorkgroupsPerDimension);
    for (let i = 0; i < this.repeats; i++) pass.dispatchWorkgroups(...size);
  }

  dispose(): void {
    this.uniforms.dispose();
  }
}
