// f64 definitions of leaves and of the movements of elements, by coordinates; written without the kernels' index maps.
import { fillPrimitive, iotaPrimitive } from "../graph/leaves.ts";
import { numel } from "../tensor/shape.ts";
import * as k from "../kernels/index.ts";
import { element, offsetOf, tabulate, type Array64 } from "./array.ts";
import { define } from "./definition.ts";

export const movementDefinitions = [
  define(fillPrimitive, ({ shape, attrs }) => new Float64Array(numel(shape)).fill(attrs.value)),
  define(iotaPrimitive, ({ shape }) => Float64Array.from({ length: numel(shape) }, (_, i) => i)),
  define(k.reshapePrimitive, (_, [x]) => x!.data.slice()),
  define(k.broadcastPrimitive, ({ shape }, [x]) => {
    const lead = shape.length - x!.shape.length;
    return tabulate(shape, (at) =>
      element(
        x!,
        x!.shape.map((n, axis) => (n === 1 ? 0 : at[axis + lead]!)),
      ),
    );
  }),
  define(k.transposePrimitive, ({ shape, attrs }, [x]) => {
    const source = x!.shape.map(() => 0);
    return tabulate(shape, (at) => {
      attrs.permutation.forEach((axis, i) => (source[axis] = at[i]!));
      return element(x!, source);
    });
  }),
  define(k.slicePrimitive, ({ shape, attrs: { starts, steps } }, [x]) =>
    tabulate(shape, (at) =>
      element(
        x!,
        at.map((i, axis) => starts[axis]! + i * steps[axis]!),
      ),
    ),
  ),
  define(k.padPrimitive, ({ shape, attrs: { low, interior } }, [x]) =>
    tabulate(shape, (at) => {
      const source = at.map((i, axis) => (i - low[axis]!) / (interior[axis]! + 1));
      return source.every(Number.isInteger) ? element(x!, source) : 0;
    }),
  ),
  define(k.flipPrimitive, ({ shape, attrs: { axes } }, [x]) =>
    tabulate(shape, (at) =>
      element(
        x!,
        at.map((i, axis) => (axes.includes(axis) ? shape[axis]! - 1 - i : i)),
      ),
    ),
  ),
  define(k.concatPrimitive, ({ shape, attrs: { axis } }, inputs) => {
    const owner = inputs.flatMap((x) => Array.from({ length: x.shape[axis]! }, (_, i) => ({ x, i })));
    return tabulate(shape, (at) => {
      const { x, i } = owner[at[axis]!] as { x: Array64; i: number };
      return x.data[
        offsetOf(
          x.shape,
          at.map((n, a) => (a === axis ? i : n)),
        )!
      ]!;
    });
  }),
];
