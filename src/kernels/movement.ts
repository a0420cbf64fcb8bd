// Movement of elements: views that the compiler turns into index arithmetic inside the kernels that read them.
// Reshape and transpose are closed under derivatives; slice.ts holds the movements that choose elements.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { formatShape, normalizeAxes, normalizeAxis, numel, sameShape, type Shape } from "../tensor/shape.ts";
import { Index } from "../graph/index-map.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, is, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";

/** A fill stays a fill when its elements move. */
export const refill = (x: Node, shape: Shape): Node | undefined => {
  const value = fillValue(x);
  return value === undefined ? undefined : fill(shape, value, x.dtype);
};

// ---- reshape -------------------------------------------------------------------------------------------------------

export const reshapePrimitive: Primitive<{ shape: Shape }> = /* @__PURE__ */ primitive({
  name: "reshape",
  aval: ([x], { shape }) => {
    if (numel(shape) !== numel(x!.shape)) {
      throw new ShapeError(
        `reshape: ${formatShape(x!.shape)} has ${numel(x!.shape)} elements, ${formatShape(shape)} has ${numel(shape)}`,
      );
    }
    return { shape, dtype: x!.dtype };
  },
  lowering: { kind: "view", pieces: ({ inputs }, at) => [{ argument: 0, index: at.reshaped(inputs[0]!.shape) }] },
  multilinear: true,
  transpose: (ct, { inputs }) => reshape(ct, inputs[0]!.shape),
  batch: ([x], _, { shape }, size) => reshape(x!, [size, ...shape]),
  fold: ([x], { shape }) => {
    if (sameShape(x!.shape, shape)) return x;
    if (is(x!, reshapePrimitive)) return reshape(x.inputs[0]!, shape);
    return refill(x!, shape);
  },
});

/**
 * The same elements in another shape; one extent may be -1 and is inferred.
 * @throws ShapeError when the shape does not have as many elements as `x`
 * @throws ArgumentError when more than one extent is -1
 */
export function reshape(x: Operand, shape: Shape): Value {
  const node = lift(x);
  const holes = shape.filter((n) => n === -1).length;
  if (holes > 1) throw new ArgumentError(`reshape: at most one extent may be -1, got ${formatShape(shape)}`);
  const rest = numel(shape.filter((n) => n !== -1));
  const inferred = holes === 0 ? shape : shape.map((n) => (n === -1 ? numel(node.shape) / rest : n));
  if (inferred.some((n) => !Number.isInteger(n) || n < 0)) {
    const count = `${numel(node.shape)} elements`;
    throw new ShapeError(
      `reshape: ${formatShape(node.shape)} does not fit ${formatShape(shape)}: no whole number in place of -1 gives ${count}`,
    );
  }
  return apply(reshapePrimitive, [node], { shape: [...inferred] });
}

/**
 * Inserts an axis of extent 1 before position `axis` (negative: from the end of the result).
 * @throws ArgumentError when the result has no such axis
 */
export function expandDims(x: Operand, axis: number): Value {
  const node = lift(x);
  const at = normalizeAxis("expandDims", axis, node.shape.length + 1);
  return reshape(node, [...node.shape.slice(0, at), 1, ...node.shape.slice(at)]);
}

/**
 * Drops axes of extent 1: those named, or all.
 * @throws ShapeError when a named axis has another extent
 */
export function squeeze(x: Operand, axes?: number | readonly number[]): Value {
  const node = lift(x);
  const named =
    axes === undefined
      ? node.shape.flatMap((n, i) => (n === 1 ? [i] : []))
      : normalizeAxes("squeeze", axes, node.shape.length);
  for (const axis of named) {
    if (node.shape[axis] !== 1)
      throw new ShapeError(`squeeze: axis ${axis} of ${formatShape(node.shape)} has more than one element or none`);
  }
  return reshape(
    node,
    node.shape.filter((_, i) => !named.includes(i)),
  );
}

// ---- transpose -----------------------------------------------------------------------------------------------------

export const transposePrimitive: Primitive<{ permutation: readonly number[] }> = /* @__PURE__ */ primitive({
  name: "transpose",
  aval: ([x], { permutation }) => ({ shape: permutation.map((axis) => x!.shape[axis]!), dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: ({ inputs, attrs }, at, context) => {
      const axes = inverse(attrs.permutation).map((axis) => at.axis(axis));
      return [{ argument: 0, index: Index.ofAxes(inputs[0]!.shape, axes, context) }];
    },
  },
  multilinear: true,
  transpose: (ct, { attrs }) => transpose(ct, inverse(attrs.permutation)),
  batch: ([x], _, { permutation }) => transpose(x!, [0, ...permutation.map((axis) => axis + 1)]),
  fold: ([x], { permutation }) => {
    if (permutation.every((axis, i) => axis === i)) return x;
    if (is(x!, transposePrimitive)) {
      const first = x.attrs.permutation;
      return transpose(
        x.inputs[0]!,
        permutation.map((axis) => first[axis]!),
      );
    }
    const moved = permutation.filter((axis) => x!.shape[axis] !== 1);
    // Moving only axes of extent 1 leaves the order of the elements as it is.
    if (moved.every((axis, i) => i === 0 || moved[i - 1]! < axis))
      return reshape(
        x!,
        permutation.map((axis) => x!.shape[axis]!),
      );
    return refill(
      x!,
      permutation.map((axis) => x!.shape[axis]!),
    );
  },
});

const inverse = (permutation: readonly number[]): number[] => {
  const result = new Array<number>(permutation.length);
  permutation.forEach((axis, i) => (result[axis] = i));
  return result;
};

/**
 * Axis i of the result is axis permutation[i] of x; by default the axes are reversed.
 * @throws ArgumentError when the axes are not a permutation of those of `x`
 */
export function transpose(x: Operand, permutation?: readonly number[]): Value {
  const node = lift(x);
  const rank = node.shape.length;
  const order =
    permutation?.map((axis) => normalizeAxis("transpose", axis, rank)) ?? node.shape.map((_, i) => rank - 1 - i);
  if (order.length !== rank || new Set(order).size !== rank) {
    throw new ArgumentError(
      `transpose: [${order.join(", ")}] is not a permutation of the ${rank} axes of ${formatShape(node.shape)}`,
    );
  }
  return apply(transposePrimitive, [node], { permutation: order });
}

/**
 * Moves one axis to another position, the others keeping their order. Negative axes count from the end.
 * @throws ArgumentError when there is no such axis
 */
export function moveAxis(x: Operand, from: number, to: number): Value {
  const node = lift(x);
  const rank = node.shape.length;
  const source = normalizeAxis("moveAxis", from, rank);
  const order = node.shape.map((_, i) => i).filter((i) => i !== source);
  order.splice(normalizeAxis("moveAxis", to, rank), 0, source);
  return transpose(node, order);
}
