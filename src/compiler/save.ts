// Programs as files: compiled ahead on one machine, run by pages that then need neither graph nor compiler.
import { ArgumentError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { sameShape } from "../tensor/shape.ts";
import type { Executable } from "./executable.ts";
import { PROGRAM_FORMAT, type SavedProgram } from "./load.ts";
import type { Launch } from "./recipe.ts";

/** A program in two parts. */
export interface ProgramFiles {
  /** Plain data, for JSON. */
  readonly program: SavedProgram;
  /** Elements of the tensors that the program captured, one after another, 4 bytes each. */
  readonly weights: ArrayBuffer;
}

/**
 * What `loadProgram` makes the same program from, on another machine or page: its kernels, and its weights as they are now.
 * The kernels are those for the adapter at hand. `openDevice({ kernels: "hardware" })` chooses portable ones for all GPUs,
 * `"software"` those for all CPU adapters.
 * @param fixed values for some inputs, by place: the loaded program does not ask for them any more
 * @throws ArgumentError if a value does not fit its input
 */
export async function saveProgram(
  { device, recipe, constants }: Executable,
  fixed: readonly (HostArray | undefined)[] = [],
): Promise<ProgramFiles> {
  const { inputs } = recipe;
  fixed.forEach((array, i) => {
    const input = inputs[i];
    if (array && !(input && input.dtype === array.dtype && sameShape(input.shape, array.shape)))
      throw new ArgumentError(`saveProgram: fixed value ${i} is not of the shape and type of an input`);
  });
  const free = inputs.flatMap((_, i) => (fixed[i] ? [] : [i]));
  const bound = inputs.flatMap((_, i) => (fixed[i] ? [i] : []));
  const captured = constants.map((_, i) => inputs.length + i);
  const arrays = [...bound.map((i) => fixed[i]!), ...(constants.length > 0 ? await device.read(constants) : [])];
  const order = new Map([...free, ...bound, ...captured].map((buffer, i) => [buffer, i]));
  const software = device.info.software;
  return {
    program: {
      format: PROGRAM_FORMAT,
      software,
      subgroups: needsSubgroups(recipe.kernels),
      recipe: {
        ...recipe,
        dispatches: recipe.dispatches.map((dispatch) => ({
          ...dispatch,
          ...renumbered(dispatch, order),
        })),
        inputs: free.map((i) => inputs[i]!),
        constants: arrays.map(({ shape, dtype }) => ({ shape, dtype })),
      },
    },
    weights: concatenated(arrays.map(({ data }) => data)),
  };
}

/** Whether a kernel is for adapters with subgroups only. */
export const needsSubgroups = (kernels: readonly string[]): boolean =>
  kernels.some((text) => text.startsWith("enable subgroups"));

function renumbered({ bindings, quick, ...rest }: Launch, order: ReadonlyMap<number, number>): Launch {
  return {
    ...rest,
    bindings: bindings.map(([binding, source]) => [
      binding,
      typeof source === "number" ? (order.get(source) ?? source) : source,
    ]),
    ...(quick && { quick: renumbered(quick, order) }),
  };
}

/** The bytes of arrays, one after another. */
export function concatenated(arrays: readonly HostArray["data"][]): ArrayBuffer {
  const bytes = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes.buffer;
}
