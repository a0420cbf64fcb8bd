// Integrated Gradients that were compiled ahead: what a page needs to run them, and no more.
import { ArgumentError, FormatError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import { Tensor } from "../tensor/tensor.ts";
import { loadProgram, type LoadedProgram, type SavedProgram } from "../compiler/load.ts";
import { classArray } from "./path-inputs.ts";
import { completeness, pathValues, type PathForm } from "./path-values.ts";
import { assertFinite, checkIds } from "./problem.ts";
import { checkClasses } from "./score.ts";
import type { ArrayInput, Attribution, Attributions, Input } from "./types.ts";

/** What a file must say of itself. */
export const GRADIENTS_FORMAT = "aumann integrated gradients 1";

/** What `saveIntegratedGradients` makes: plain data, for JSON. */
export interface SavedGradients extends PathForm {
  readonly format: typeof GRADIENTS_FORMAT;
  readonly program: SavedProgram;
  /** Whether the input is one array, rather than a record. */
  readonly single: boolean;
  /** Names of what is attributed to. */
  readonly names: readonly string[];
  readonly rule: string;
  readonly steps: number;
  /** Whether all classes are explained. */
  readonly perClass: boolean;
  /** The classes that are explained unless others are named; absent where the network chooses. */
  readonly target?: readonly number[];
  /** Rows of the tables that inputs of ids look up, by name. */
  readonly tables: readonly (readonly [name: string, rows: number])[];
}

/** An explanation that was compiled ahead, with its weights on a device. */
export class LoadedGradients {
  /** @internal Use `loadIntegratedGradients`. */
  constructor(
    readonly saved: SavedGradients,
    readonly program: LoadedProgram,
  ) {}

  /**
   * Integrated Gradients of one input, as `integratedGradients` gives them: one submit, one readback.
   * @param input of the shapes that were saved
   * @param options `target`: other classes than those that were saved, if classes were
   * @throws ArgumentError, ShapeError, DTypeError, NumericError for an input that does not fit
   */
  async explain<I extends Input>(
    input: I,
    { target }: { readonly target?: number | readonly number[] } = {},
  ): Promise<Attribution<I>> {
    const { saved, program } = this;
    const arrays = this.#arrays(input);
    const owned: Tensor[] = [];
    const upload = (x: ArrayInput): Tensor => {
      if (x instanceof Tensor) return x;
      owned.push(program.device.tensor(x));
      return owned.at(-1)!;
    };
    try {
      const classes = this.#classes(target);
      const tensors = [...Object.values(arrays), ...(classes ? [classes] : [])].map(upload);
      const { totals, outputs, targets, ...ends } = pathValues(await program.runAndRead(tensors), saved, classes);
      const { plan } = program;
      const attributions = saved.single
        ? totals[0]!
        : Object.fromEntries(saved.names.map((name, j) => [name, totals[j]!]));
      return {
        attributions: attributions as Attributions<I>,
        ...completeness({ totals, ...ends }, saved.perClass),
        targets,
        outputs,
        steps: saved.steps,
        evaluations: saved.steps * saved.p.length,
        plan: {
          ...plan,
          chunks: 1,
          stepsPerChunk: saved.steps * saved.p.length,
          dispatchesPerChunk: plan.dispatches,
          submits: 1,
        },
      };
    } finally {
      owned.forEach((tensor) => tensor.dispose());
    }
  }

  /** Inputs in the order of the program, checked as far as it does not do so itself. */
  #arrays(input: Input): Record<string, ArrayInput> {
    const { saved, program } = this;
    const names = program.recipe.inputs.map(({ name }) => name).slice(0, saved.target ? -1 : undefined);
    const given = (saved.single ? { [names[0]!]: input } : input) as Readonly<Record<string, ArrayInput>>;
    const arrays = Object.fromEntries(names.map((name) => [name, given[name]!]));
    for (const [name, x] of Object.entries(arrays)) {
      if (!(x as ArrayInput | undefined)?.shape)
        throw new ArgumentError(`input "${name}": expected a tensor or hostArray(numbers, [batch, ...])`);
      if (!(x instanceof Tensor)) assertFinite(`input "${name}"`, x);
    }
    checkIds(new Map(saved.tables), arrays);
    return arrays;
  }

  #classes(target: number | readonly number[] | undefined) {
    const { target: known, output } = this.saved;
    if (target === undefined) return classArray(known, output[0]!);
    if (!known) throw new ArgumentError("target: this explanation was saved without numbers of classes");
    checkClasses(target, output[0]!, output[1]!);
    return classArray(target, output[0]!);
  }

  /** Frees the weights. */
  dispose(): void {
    this.program.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * An explanation that `saveIntegratedGradients` compiled, ready to explain inputs on this device.
 * @param saved, weights what was saved, or the files made from it
 * @throws FormatError if they are not that, or not of this version, or cut short
 * @throws LimitError if this adapter lacks what the kernels need
 */
export function loadIntegratedGradients(
  device: Device,
  saved: SavedGradients,
  weights: ArrayBuffer | ArrayBufferView<ArrayBuffer>,
): LoadedGradients {
  if (!isExplanation(saved))
    throw new FormatError(`this is not "${GRADIENTS_FORMAT}"; save it again with this version`);
  const program = loadProgram(device, saved.program, weights);
  const { results, names, p, pick } = saved;
  const needed = results.length + (pick ? 1 : 2) + (p.length > 1 ? 1 : 0);
  if (names.length === results.length && needed <= program.recipe.outputs.length)
    return new LoadedGradients(saved, program);
  program.dispose();
  throw new FormatError("this explanation does not belong to its program; save it again");
}

function isExplanation(saved: unknown): boolean {
  const { format, results, names, output, p, tables, target = [] } = (saved ?? {}) as Partial<SavedGradients>;
  const isListOf = (type: string, list: unknown): boolean =>
    Array.isArray(list) && list.every((x) => typeof x === type);
  return (
    format === GRADIENTS_FORMAT &&
    [results, names].every((list) => isListOf("string", list)) &&
    [output, p, target].every((list) => isListOf("number", list)) &&
    isListOf("object", tables) &&
    tables!.every((row) => isListOf("string", [row?.[0]]) && isListOf("number", [row?.[1]]))
  );
}
