// Takes down what a run would do on a device, so that it can be done elsewhere without the code that planned it.
import { cached } from "../tensor/cached.ts";
import type { Executable } from "../compiler/executable.ts";
import type { Device } from "../tensor/device.ts";
import { BYTES_PER_ELEMENT } from "../tensor/dtype.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Kind, Reads, RecordedStep } from "./saved-explanation.ts";
import type { PathForm } from "./path-values.ts";
import { Session } from "./session.ts";

/** What one run would do. Tensors have the numbers that {@link RecordedStep} explains. */
export class Recorder implements Reads {
  readonly steps: RecordedStep[] = [];
  readonly programs: Executable[] = [];
  readonly reads: (readonly HostArray[])[] = [];
  readonly forms: PathForm[] = [];
  classes: HostArray | undefined;
  kind: Kind | undefined;
  form: object = {};
  /** Copies of what the run uploaded, as it was when it was first used; whoever records frees them. */
  readonly uploads: Tensor[] = [];
  readonly #numbers: Map<Tensor, number>;
  readonly #target: number;
  #count: number;

  /** @param inputs tensors that the run is given, in the order of its model's inputs */
  constructor(
    readonly device: Device,
    inputs: readonly Tensor[],
  ) {
    this.#numbers = new Map(inputs.map((tensor, i) => [tensor, i]));
    this.#target = inputs.length;
    this.#count = inputs.length + 1;
  }

  session(): Session {
    return new RecordingSession(this);
  }

  noteRun(program: Executable, inputs: readonly Tensor[], outputs: readonly Tensor[]): void {
    if (!this.programs.includes(program)) this.programs.push(program);
    this.steps.push({ run: this.programs.indexOf(program), of: inputs.map((tensor) => this.#numberOf(tensor)) });
    outputs.forEach((tensor) => this.#numbers.set(tensor, this.#count++));
  }

  noteSubmit(): void {
    this.steps.push("submit");
  }

  noteRead(tensors: readonly Tensor[], arrays: readonly HostArray[]): void {
    this.steps.push({ read: tensors.map((tensor) => this.#numberOf(tensor)) });
    this.reads.push(arrays);
  }

  /** The classes that were named, which another run may name otherwise. */
  noteTarget(tensor: Tensor, classes: HostArray): void {
    this.#numbers.set(tensor, this.#target);
    this.classes = classes;
  }

  /** How what was read becomes values of a path. */
  noteForm(form: PathForm): void {
    this.forms.push(form);
  }

  /** How all that was read becomes the result; a method that goes on where another ends adds to its form. */
  noteResult(kind: Kind, form: object): void {
    this.kind = kind;
    this.form = { ...this.form, ...form };
  }

  #numberOf(tensor: Tensor): number {
    return cached(this.#numbers, tensor, () => -this.uploads.push(this.#copyOf(tensor)));
  }

  #copyOf({ shape, dtype, allocation: { buffer } }: Tensor): Tensor {
    const { gpu } = this.device;
    const bytes = numel(shape) * BYTES_PER_ELEMENT;
    const copy = new Tensor(this.device, shape, dtype, this.device.allocate(bytes));
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, copy.allocation.buffer, 0, bytes);
    gpu.queue.submit([encoder.finish()]);
    return copy;
  }
}

/** Takes down what it is told to do, and does not do it: kernels for another kind of adapter might take long here. */
class RecordingSession extends Session {
  readonly #recorder: Recorder;

  constructor(recorder: Recorder) {
    super(recorder.device, {});
    this.#recorder = recorder;
  }

  override ready(): Promise<void> {
    return Promise.resolve();
  }

  /** @returns tensors without memory for their elements, which nobody reads */
  override encode(program: Executable, inputs: readonly Tensor[]): Tensor[] {
    const { device } = this.#recorder;
    this.count(program);
    const outputs = program.recipe.outputs.map(({ shape, dtype }) =>
      this.keep(new Tensor(device, shape, dtype, device.allocate(BYTES_PER_ELEMENT))),
    );
    this.#recorder.noteRun(program, inputs, outputs);
    return outputs;
  }

  override flush(): Promise<void> {
    this.#recorder.noteSubmit();
    this.renew(0);
    return Promise.resolve();
  }

  /** @returns zeros */
  override read(tensors: readonly Tensor[]): Promise<HostArray[]> {
    const arrays = tensors.map(({ shape, dtype }) => hostArray(new Float32Array(numel(shape)), shape, dtype));
    this.#recorder.noteRead(tensors, arrays);
    this.renew(1);
    return Promise.resolve(arrays);
  }
}
