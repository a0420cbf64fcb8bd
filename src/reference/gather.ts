// f64 definitions of gather and scatter: [shared, before, length, after] and positions [shared, ...].
import { numel, type Shape } from "../tensor/shape.ts";
import { gatherPrimitive, placePrimitive, scatterAddPrimitive } from "../kernels/gather.ts";
import { element, offsetOf, positions, tabulate, type Array64 } from "./array.ts";
import { define } from "./definition.ts";

type Choice = { readonly axis: number; readonly shared: number };

/** Coordinates [shared, before, chosen position, after] of what belongs to [shared, before, ...axes of indices, after]. */
function chosen(indices: Array64, { axis, shared }: Choice, at: readonly number[]): number[] {
  const count = indices.shape.length - shared;
  const position = element(indices, [...at.slice(0, shared), ...at.slice(axis, axis + count)]);
  return [...at.slice(0, axis), position, ...at.slice(axis + count)];
}

function scatterAdd(
  { shape, attrs }: { shape: Shape; attrs: Choice },
  [indices, updates]: readonly Array64[],
): Float64Array {
  const result = new Float64Array(numel(shape));
  let i = 0;
  for (const at of positions(updates!.shape)) {
    const target = offsetOf(shape, chosen(indices!, attrs, at));
    if (target !== undefined) result[target]! += updates!.data[i]!;
    i++;
  }
  return result;
}

export const gatherDefinitions = [
  define(gatherPrimitive, ({ shape, attrs }, [x, indices]) =>
    tabulate(shape, (at) => element(x!, chosen(indices!, attrs, at))),
  ),
  define(scatterAddPrimitive, scatterAdd),
  define(placePrimitive, scatterAdd),
];
