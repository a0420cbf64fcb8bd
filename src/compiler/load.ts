// Programs that were compiled ahead.
import { FormatError, LimitError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import { elementsOf } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Executable } from "./executable.ts";
import type { Launch, Recipe } from "./recipe.ts";

/** What a file must say of itself; the number changes with what a recipe means. */
export const PROGRAM_FORMAT = "aumann program 1";

/** What `saveProgram` makes: plain data, for JSON. */
export interface SavedProgram {
  readonly format: typeof PROGRAM_FORMAT;
  /** Whether its kernels suit adapters that compute on the CPU; they are right on all. */
  readonly software: boolean;
  /** Whether it needs subgroups of four. */
  readonly subgroups: boolean;
  readonly recipe: Recipe;
}

/** A program with weights of its own. */
export class LoadedProgram extends Executable {
  /** Frees the weights. */
  dispose(): void {
    this.constants.forEach((tensor) => tensor.dispose());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * A program that was compiled ahead: it runs as if it had been compiled here, without the code that compiles.
 * @param saved, weights what `saveProgram` returned, or the files made from it
 * @throws FormatError if they are not that, or not of this version, or cut short
 * @throws LimitError if this adapter lacks what the kernels need
 */
export function loadProgram(
  device: Device,
  saved: SavedProgram,
  weights: ArrayBuffer | ArrayBufferView<ArrayBuffer>,
): LoadedProgram {
  check(saved);
  const { recipe } = saved;
  const { subgroups } = device.features;
  if (saved.subgroups && !(subgroups && device.info.subgroupSize === 4))
    throw new LimitError("the program was saved for adapters with subgroups of four; save one for others as well");
  const bytes = ArrayBuffer.isView(weights)
    ? weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength)
    : weights;
  const sizes = recipe.constants.map(({ shape }) => 4 * numel(shape));
  const total = sizes.reduce((a, b) => a + b, 0);
  if (bytes.byteLength !== total) fail(`its weights are ${total} bytes, ${bytes.byteLength} were given`);
  const tensors: Tensor[] = [];
  let at = 0;
  try {
    recipe.constants.forEach(({ shape, dtype }, i) => {
      const data = elementsOf(bytes.slice(at, (at += sizes[i]!)), dtype);
      tensors.push(device.tensor({ shape, dtype, data }));
    });
    return new LoadedProgram(device, recipe, tensors);
  } catch (error) {
    tensors.forEach((tensor) => tensor.dispose());
    throw error;
  }
}

const fail = (why: string): never => {
  throw new FormatError(`this is no program of saveProgram(): ${why}; save it again with this version`);
};

const DTYPES: readonly string[] = ["f32", "i32", "bool"];

/** Whole numbers of 32 bits: all that WGSL and dispatches know. */
const isCount = (n: unknown): n is number => Number.isInteger(n) && (n as number) >= 0 && (n as number) < 2 ** 32;

function check(saved: SavedProgram): void {
  let wrong: string | undefined;
  try {
    wrong = (saved.format as string) === PROGRAM_FORMAT ? problemOf(saved.recipe) : `it is not "${PROGRAM_FORMAT}"`;
  } catch {
    wrong = "a part is missing";
  }
  if (wrong) fail(wrong);
}

/** Checks the shapes of arrays, and the numbers of kernels and buffers: WebGPU then judges the rest. */
function problemOf({ kernels, dispatches, inputs, constants, scratch, outputs }: Recipe): string | undefined {
  const arrays = [inputs, constants, outputs].flat();
  const buffers = arrays.length + scratch.length;
  const isSource = (source: unknown): boolean =>
    Array.isArray(source) ? source.length % 4 === 0 && source.every(isCount) : isCount(source) && source < buffers;
  const isLaunch = ({ kernel, workgroups, bindings }: Launch): boolean =>
    typeof kernels[kernel] === "string" &&
    isCount(workgroups) &&
    bindings.every(([binding, source]) => isCount(binding) && isSource(source));
  if (!arrays.every(({ shape, dtype }) => shape.every(isCount) && DTYPES.includes(dtype)))
    return "an array is of no shape";
  return scratch.every(isCount) && launchesOf(dispatches).every(isLaunch)
    ? undefined
    : "a dispatch lacks what it names";
}

const launchesOf = (launches: readonly Launch[]): Launch[] =>
  launches.flatMap((launch) => (launch.quick ? [launch, ...launchesOf([launch.quick])] : [launch]));
