// One run on the device: what it encodes, what it has to free.
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Commands } from "../compiler/commands.ts";
import type { Executable } from "../compiler/executable.ts";
import type { Plan, RunOptions } from "./types.ts";

/** Tensors and commands of one run: everything is freed at the end, whatever happens. */
export class Session {
  #commands: Commands;
  readonly #spent = { dispatches: 0, submits: 0, flops: 0 };
  #readbacks = 0;
  readonly #kernels = new Set<string>();
  readonly #tensors: Tensor[] = [];
  readonly #dropped: Tensor[] = [];
  #pending: Promise<unknown> = Promise.resolve();

  readonly #device: Device;
  readonly #signal: AbortSignal | undefined;

  constructor(device: Device, { signal }: RunOptions) {
    this.#device = device;
    this.#signal = signal;
    this.#commands = new Commands(device);
    signal?.throwIfAborted();
  }

  /** Builds what will be encoded. */
  async ready(programs: readonly Executable[]): Promise<void> {
    await Promise.all(programs.map((program) => program.ready()));
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

  encode(program: Executable, inputs: readonly Tensor[]): Tensor[] {
    this.count(program);
    return program.encode(this.#commands, inputs).map((t) => this.keep(t));
  }

  protected count({ plan, recipe: { kernels, dispatches } }: Executable): void {
    this.#spent.flops += plan.flops;
    this.#spent.dispatches += plan.dispatches;
    dispatches.forEach(({ kernel }) => this.#kernels.add(kernels[kernel]!));
  }

  /** Begins anew after a submit, and after a readback if that was one. */
  protected renew(readbacks: 0 | 1): void {
    this.#spent.submits++;
    this.#readbacks += readbacks;
    this.#commands = new Commands(this.#device);
    this.#dropped.splice(0).forEach((t) => t.dispose());
  }

  /** Submits what was encoded. Waits for the submit before this one, so that two are in flight and progress is real. */
  async flush(): Promise<void> {
    this.#commands.submit();
    this.renew(0);
    const previous = this.#pending;
    this.#pending = this.#device.gpu.queue.onSubmittedWorkDone();
    await previous;
    this.#device.assertAlive();
    this.#signal?.throwIfAborted();
  }

  /** Submits what was encoded and copies tensors to the host, with one wait for both. */
  async read(tensors: readonly Tensor[]): Promise<HostArray[]> {
    const arrays = await this.#commands.submitAndRead(tensors);
    this.renew(1);
    this.#signal?.throwIfAborted();
    return arrays;
  }

  /** What was run so far. */
  get spent(): Pick<Plan, "dispatches" | "submits" | "pipelines" | "flops"> {
    return { ...this.#spent, pipelines: this.#kernels.size };
  }

  get readbacks(): number {
    return this.#readbacks;
  }

  close(): void {
    this.#commands.abandon();
    this.#tensors.splice(0).forEach((t) => t.dispose());
  }
}

/** A session; one that only takes down what it is told, if that is asked for. */
export const openSession = (device: Device, options: RunOptions): Session =>
  options.recorder?.session() ?? new Session(device, options);

/** Adds up what is done, and tells `onProgress`. */
export function reporting({ onProgress }: RunOptions, total: number, done = 0): (more: number) => void {
  return (more) => onProgress?.({ done: (done += more), total });
}
