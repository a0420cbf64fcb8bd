// Larger values from smaller ones.
import { refuseShapes } from "../tensor/checks.ts";
import { ArgumentError, DTypeError, ShapeError } from "../tensor/errors.ts";
import { formatShape, normalizeAxis } from "../tensor/shape.ts";
import { Index } from "../graph/index-map.ts";
import { fill, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";
import { broadcastTo } from "./broadcast.ts";
import { select } from "./choice.ts";
import { expandDims } from "./movement.ts";
import { padPrimitive, sliceAxis } from "./slice.ts";

export const concatPrimitive: Primitive<{ axis: number }> = /* @__PURE__ */ primitive({
  name: "concat",
  aval(inputs, { axis }) {
    const first = inputs[0]!;
    for (const x of inputs) {
      const fits = x.shape.length === first.shape.length && x.shape.every((n, i) => i === axis || n === first.shape[i]);
      if (!fits) refuseShapes("concat", `shapes that are equal but for axis ${axis}`, first, x);
      if (x.dtype !== first.dtype)
        throw new DTypeError(`concat: dtypes ${first.dtype} and ${x.dtype} differ; use cast()`);
    }
    const extent = inputs.reduce((n, x) => n + x.shape[axis]!, 0);
    return { shape: first.shape.map((n, i) => (i === axis ? extent : n)), dtype: first.dtype };
  },
  lowering: {
    kind: "view",
    pieces: ({ inputs, attrs: { axis } }, at, context) => {
      let start = 0;
      return inputs.map((x, argument) => {
        const offset = start;
        start += x.shape[axis]!;
        const axes = at.axes();
        const end = context.u32(`end${argument}`, start);
        const when = `${axes[axis]!} < ${end}`;
        if (offset > 0) axes[axis] = context.let(`${axes[axis]!} - ${context.u32(`end${argument - 1}`, offset)}`);
        return { argument, index: Index.ofAxes(x.shape, axes, context), ...(argument < inputs.length - 1 && { when }) };
      });
    },
  },
  jointlyLinear: "all",
  jvp: ({ inputs, attrs }, tangents) =>
    concat(
      tangents.map((t, i) => t ?? fill(inputs[i]!.shape, 0)),
      attrs.axis,
    ),
  transpose: (ct, { inputs, attrs: { axis } }, argument) => {
    const start = inputs.slice(0, argument).reduce((n, x) => n + x.shape[axis]!, 0);
    return sliceAxis(ct, axis, start, start + inputs[argument]!.shape[axis]!);
  },
  batch: (inputs, batched, { axis }, size) =>
    concat(
      inputs.map((x, i) => (batched[i] ? x : broadcastTo(x, [size, ...x.shape]))),
      axis + 1,
    ),
  fold: (inputs) => (inputs.length === 1 ? inputs[0] : undefined),
});

/**
 * Joins values along an existing axis (negative: from the end); all other axes must be equal.
 * @throws ShapeError, DTypeError when the values do not fit each other
 * @throws ArgumentError for an empty list or an axis that does not exist
 */
export function concat(xs: readonly Operand[], axis: number): Value {
  if (xs.length === 0) throw new ArgumentError("concat: expected at least one value");
  // Each source is one binding of the kernel, and an adapter grants at least eight.
  if (xs.length > 6) return concat([concat(xs.slice(0, 6), axis), ...xs.slice(6)], axis);
  const nodes = xs.map((x) => lift(x));
  return apply(concatPrimitive, nodes, { axis: normalizeAxis("concat", axis, nodes[0]!.shape.length) });
}

/** Joins values of equal shape along a new axis (default 0; negative: from the end of the result). */
export const stack = (xs: readonly Operand[], axis = 0): Value =>
  concat(
    xs.map((x) => expandDims(x, axis)),
    axis,
  );

/**
 * Surrounds x with `value` (default 0; of the dtype of x).
 * @param widths [low, high] for each axis, none negative
 * @throws ShapeError unless there is one pair of whole numbers >= 0 per axis
 */
export function pad(x: Operand, widths: readonly (readonly [number, number])[], value = 0): Value {
  const node = lift(x);
  if (widths.length !== node.shape.length || widths.flat().some((n) => !Number.isInteger(n) || n < 0)) {
    throw new ShapeError(
      `pad: expected ${node.shape.length} pairs of widths >= 0 for ${formatShape(node.shape)}, got ${JSON.stringify(widths)}`,
    );
  }
  const attrs = { low: widths.map((w) => w[0]), high: widths.map((w) => w[1]), interior: widths.map(() => 0) };
  const zeros = apply(padPrimitive, [node], attrs);
  if (value === 0) return zeros;
  // A choice, not a sum: infinities outside must not meet the zeros of a mask.
  return select(apply(padPrimitive, [fill(node.shape, 1, "bool")], attrs), zeros, value);
}
