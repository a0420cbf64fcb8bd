// Explanations that were compiled ahead: what a page needs to run them, and no more.
import { ArgumentError, AumannError, FormatError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Executable } from "../compiler/executable.ts";
import { checkSaved, withWeights, type Bytes } from "../compiler/load.ts";
import { classArray } from "./path-inputs.ts";
import { assertFinite, checkIds } from "./problem.ts";
import {
  lastReads,
  problemOfExplanation,
  recipeOf,
  type Finish,
  type Kind,
  type Reads,
  type Results,
  type SavedExplanation,
} from "./saved-explanation.ts";
import { checkClasses } from "./score.ts";
import { Session } from "./session.ts";
import type { ArrayInput, Input, RunOptions } from "./types.ts";

export interface ExplainOptions extends Pick<RunOptions, "onProgress" | "signal"> {
  /** Other classes than those that were saved, if classes were. */
  readonly target?: number | readonly number[];
}

/** An explanation that was compiled ahead, with its weights on a device. */
export class LoadedExplanation<K extends Kind = Kind> {
  readonly #programs: readonly Executable[];
  readonly #constants: readonly Tensor[];
  readonly #finish: Finish<K>;
  readonly #lastReads: readonly (readonly number[])[];

  /** @internal Use `loadAttributions` and the like. */
  constructor(
    readonly device: Device,
    readonly saved: SavedExplanation,
    constants: readonly Tensor[],
    finish: Finish<K>,
  ) {
    const { run } = saved;
    this.#programs = run.programs.map((program, i) => {
      const own = program.constants.map((number) => constants[-number - 1]!);
      return new Executable(device, recipeOf(run, i), own);
    });
    this.#constants = constants;
    this.#finish = finish;
    this.#lastReads = lastReads(saved);
  }

  /**
   * The result that the saved method gives for this input.
   * @param input of the shapes that were saved
   * @throws ArgumentError, ShapeError, DTypeError, NumericError for an input that does not fit
   */
  async explain<I extends Input>(input: I, options: ExplainOptions = {}): Promise<Results<I>[K]> {
    const { saved, device } = this;
    const arrays = this.#arrays(input);
    const classes = this.#classes(options.target);
    const owned: Tensor[] = [];
    const upload = (x: ArrayInput): Tensor => {
      if (x instanceof Tensor) return x;
      owned.push(device.tensor(x));
      return owned.at(-1)!;
    };
    try {
      const tensors = arrays.map(upload);
      const reads = await this.#run([...tensors, classes && upload(classes)], options);
      return { ...saved.fixed, ...this.#result({ reads, forms: saved.forms, classes }) } as Results<I>[K];
    } finally {
      owned.forEach((tensor) => tensor.dispose());
    }
  }

  /** All steps, the last of which is a read. The scope closes before that is waited for: one round trip less. */
  async #run(inputs: readonly (Tensor | undefined)[], options: ExplainOptions): Promise<HostArray[][]> {
    const { device, saved } = this;
    const { steps } = saved.run;
    const session = new Session(device, options);
    const tensors = [...inputs];
    const of = (number: number): Tensor => (number < 0 ? this.#constants[-number - 1]! : tensors[number]!);
    const reads: Promise<HostArray[]>[] = [];
    try {
      await session.ready(this.#programs);
      await device.withErrorScope("the explanation", async () => {
        for (const [at, step] of steps.entries()) {
          if (step === "submit") await session.flush();
          else if ("run" in step) tensors.push(...session.encode(this.#programs[step.run]!, step.of.map(of)));
          else {
            reads.push(session.read(step.read.map(of)));
            if (at + 1 < steps.length) await reads.at(-1);
            // Where the scope reports an error, nobody waits for it.
            else reads.at(-1)!.catch(() => undefined);
          }
          session.drop(this.#lastReads[at]!.map((number) => tensors[number]!));
          if (step === "submit") options.onProgress?.({ done: at + 1, total: steps.length });
        }
      });
      const arrays = await Promise.all(reads);
      options.onProgress?.({ done: steps.length, total: steps.length });
      return arrays;
    } finally {
      session.close();
    }
  }

  #result(reads: Reads): Partial<Results[K]> {
    try {
      return this.#finish.result(reads, this.saved.form as never);
    } catch (error) {
      if (error instanceof AumannError) throw error;
      throw new FormatError("this explanation does not belong to its programs; save it again", { cause: error });
    }
  }

  /** Inputs in their order, checked as far as programs do not do so themselves. */
  #arrays(input: Input): ArrayInput[] {
    const { inputs, single } = this.saved;
    const given = (single ? { [inputs[0]!.name]: input } : input) as Readonly<Record<string, ArrayInput>> | undefined;
    return inputs.map(({ name, rows }) => {
      const x = given?.[name];
      if (!x?.shape) throw new ArgumentError(`input "${name}": expected a tensor or hostArray(numbers, [batch, ...])`);
      if (!(x instanceof Tensor)) assertFinite(`input "${name}"`, x);
      if (rows !== undefined) checkIds(new Map([[name, rows]]), { [name]: x });
      return x;
    });
  }

  #classes(target: number | readonly number[] | undefined): HostArray | undefined {
    const { target: known } = this.saved;
    if (!known) {
      if (target === undefined) return undefined;
      throw new ArgumentError("target: this explanation was saved without numbers of classes");
    }
    const [batch, classes] = known.output as [number, number];
    if (target !== undefined) checkClasses(target, batch, classes);
    return classArray(target ?? known.classes, batch);
  }

  /** Frees the weights. */
  dispose(): void {
    this.#constants.forEach((tensor) => tensor.dispose());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The function that loads explanations of one kind: see `loadAttributions`. */
export const loading =
  <K extends Kind>(finish: Finish<K>) =>
  (device: Device, saved: SavedExplanation, weights: Bytes): LoadedExplanation<K> => {
    checkSaved("explanation of saveExplanation()", () => problemOfExplanation(saved, finish.kind));
    return withWeights(
      device,
      saved,
      saved.run.constants,
      weights,
      (tensors) => new LoadedExplanation(device, saved, tensors, finish),
    );
  };
