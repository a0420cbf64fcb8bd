// Programs that were compiled ahead.
import { FormatError, LimitError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import type { DType } from "../tensor/dtype.ts";
import { elementsOf, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Executable } from "./executable.ts";
import type { ArraySpec, Launch, Recipe } from "./recipe.ts";

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
export function loadProgram(device: Device, saved: SavedProgram, weights: Bytes): LoadedProgram {
  checkSaved("program of saveProgram()", () =>
    (saved.format as string) === PROGRAM_FORMAT ? problemOf(saved.recipe) : `it is not "${PROGRAM_FORMAT}"`,
  );
  const { recipe } = saved;
  return withWeights(device, saved, recipe.constants, weights, (tensors) => new LoadedProgram(device, recipe, tensors));
}

/** An array of which only shape and type are known; one with `fill` is of that number throughout. */
export interface Constant extends ArraySpec {
  readonly fill?: number;
}

/** Bytes of a constant among the weights. */
export const weightBytes = ({ shape, fill }: Constant): number => (fill === undefined ? 4 * numel(shape) : 0);

/** What a file was read into: a buffer, or a view of a part of one, as Node's are. */
export type Bytes = ArrayBuffer | ArrayBufferView<ArrayBuffer>;

export const bytesFrom = (file: Bytes): ArrayBuffer =>
  ArrayBuffer.isView(file) ? file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) : file;

/**
 * Uploads weights and makes something of them; where that fails, nothing is left of them.
 * @throws FormatError for another number of bytes
 * @throws LimitError if this adapter lacks what the kernels need
 */
export function withWeights<T>(
  device: Device,
  { subgroups }: Pick<SavedProgram, "subgroups">,
  constants: readonly Constant[],
  weights: Bytes,
  make: (tensors: readonly Tensor[]) => T,
): T {
  if (subgroups && !(device.features.subgroups && device.info.subgroupSize === 4))
    throw new LimitError("the kernels were saved for adapters with subgroups of four; save them for others as well");
  const bytes = bytesFrom(weights);
  const sizes = constants.map(weightBytes);
  const total = sizes.reduce((a, b) => a + b, 0);
  if (bytes.byteLength !== total)
    throw new FormatError(`the weights are ${total} bytes, ${bytes.byteLength} were given; save them again`);
  const tensors: Tensor[] = [];
  let at = 0;
  try {
    constants.forEach(({ shape, dtype, fill }, i) => {
      const part = bytes.slice(at, (at += sizes[i]!));
      const data = fill === undefined ? elementsOf(part, dtype) : filled(device, numel(shape), fill, dtype);
      tensors.push(device.tensor({ shape, dtype, data }));
    });
    return make(tensors);
  } catch (error) {
    tensors.forEach((tensor) => tensor.dispose());
    throw error;
  }
}

function filled(device: Device, count: number, value: number, dtype: DType): HostArray["data"] {
  if (4 * count > device.largestBuffer)
    throw new LimitError(`an array of ${count} elements passes this adapter's limit`);
  return elementsOf(new ArrayBuffer(4 * count), dtype).fill(value);
}

const DTYPES: readonly string[] = ["f32", "i32", "bool"];

/** Whole numbers of 32 bits: all that WGSL and dispatches know. */
const isCount = (n: unknown): n is number => Number.isInteger(n) && (n as number) >= 0 && (n as number) < 2 ** 32;

/**
 * @param problem says what is wrong with a file, if anything; it may stumble over parts that are missing
 * @throws FormatError
 */
export function checkSaved(what: string, problem: () => string | undefined): void {
  let wrong: string | undefined;
  try {
    wrong = problem();
  } catch {
    wrong = "a part is missing";
  }
  if (wrong) throw new FormatError(`this is no ${what}: ${wrong}; save it again with this version`);
}

/** Checks the shapes of arrays, and the numbers of kernels and buffers: WebGPU then judges the rest. */
export function problemOf({ kernels, dispatches, inputs, constants, scratch, outputs }: Recipe): string | undefined {
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
