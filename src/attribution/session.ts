// One run on the device: what it encodes, what it has to free.
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Commands } from "../compiler/commands.ts";
import type { Program } from "../compiler/program.ts";
import type { Plan, RunOptions } from "./types.ts";

/** Tensors and commands of one run: everything is freed at the end, whatever happens. */
export class Session {
  #flops = 0;
  readonly #kernels = new Set<string>();
  #commands: Commands;
  readonly #tensors: Tensor[] = [];
  readonly #dropped: Tensor[] = [];
  #pending: Promise<unknown> = Promise.resolve();

  readonly #device: Device;
  readonly #before: Device["counters"];
  readonly #signal: AbortSignal | undefined;

  constructor(device: Device, { signal }: RunOptions) {
    this.#device = device;
    this.#before = { ...device.counters };
    this.#signal = signal;
    this.#commands = new Commands(device);
    signal?.throwIfAborted();
  }

  keep(tensor: Tensor): Tensor {
    this.#tensors.push(tensor);
    return tensor;
  }

  zeros(shape: Shape): Tensor {
    return this.keep(this.#device.tensor(new Float32Array(numel(shape)), shape));
  }

  /** Frees tensors that nothing encoded later reads, at the next submit: until then, their memory is still needed. */
  drop(tensors: readonly Tensor[]): void {
    this.#dropped.push(...tensors);
  }

  encode(program: Program, inputs: readonly Tensor[]): Tensor[] {
    this.#flops += program.plan.flops;
    program.steps.forEach(({ wgsl }) => this.#kernels.add(wgsl));
    return program.encode(this.#commands, inputs).map((t) => this.keep(t));
  }

  #renew(): void {
    this.#commands = new Commands(this.#device);
    this.#dropped.splice(0).forEach((t) => t.dispose());
  }

  /** Submits what was encoded. Waits for the submit before this one, so that two are in flight and progress is real. */
  async flush(): Promise<void> {
    this.#commands.submit();
    this.#renew();
    const previous = this.#pending;
    this.#pending = this.#device.gpu.queue.onSubmittedWorkDone();
    await previous;
    this.#device.assertAlive();
    this.#signal?.throwIfAborted();
  }

  /** Submits what was encoded and copies tensors to the host, with one wait for both. */
  async read(tensors: readonly Tensor[]): Promise<HostArray[]> {
    const arrays = await this.#commands.submitAndRead(tensors);
    this.#renew();
    this.#signal?.throwIfAborted();
    return arrays;
  }

  /** What was run so far. */
  get spent(): Pick<Plan, "dispatches" | "submits" | "pipelines" | "flops"> {
    const { dispatches, submits } = this.#device.counters;
    return {
      dispatches: dispatches - this.#before.dispatches,
      submits: submits - this.#before.submits,
      pipelines: this.#kernels.size,
      flops: this.#flops,
    };
  }

  close(): void {
    this.#commands.abandon();
    this.#tensors.splice(0).forEach((t) => t.dispose());
  }
}

/** Adds up what is done, and tells `onProgress`. */
export function reporting({ onProgress }: RunOptions, total: number, done = 0): (more: number) => void {
  return (more) => onProgress?.({ done: (done += more), total });
}
