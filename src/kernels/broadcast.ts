// Broadcasting and summing: each other's transposes.
import { ShapeError } from "../tensor/errors.ts";
import { broadcastShapes, checkedShape, formatShape, numel, sameShape, type Shape } from "../tensor/shape.ts";
import { Index } from "../graph/index-map.ts";
import { fill, fillValue, lift, withoutRule, type Operand } from "../graph/leaves.ts";
import { apply, is, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";
import { refill, reshape } from "./movement.ts";
import {
  foldSingle,
  kept,
  LONG,
  reduceAxes,
  reduction,
  remaining,
  split,
  type Axes,
  type AxisRange,
  type ReduceOptions,
} from "./reduction.ts";
import sumWgsl from "./wgsl/reduce_sum.wgsl";

export const broadcastPrimitive: Primitive<{ shape: Shape }> = /* @__PURE__ */ primitive({
  name: "broadcast",
  aval: ([x], { shape }) => {
    if (!sameShape(broadcastShapes("broadcastTo", x!.shape, shape), shape)) {
      throw new ShapeError(`broadcastTo: ${formatShape(x!.shape)} does not broadcast to ${formatShape(shape)}`);
    }
    return { shape, dtype: x!.dtype };
  },
  lowering: {
    kind: "view",
    pieces: ({ inputs }, at) => [{ argument: 0, index: at.unbroadcast(inputs[0]!.shape) }],
  },
  multilinear: true,
  transpose: (ct, { inputs }) => sumTo(ct, inputs[0]!.shape),
  batch: ([x], _, { shape }, size) => {
    const inner = x!.shape.slice(1);
    const ones = Array<number>(shape.length - inner.length).fill(1);
    return broadcastTo(reshape(x!, [size, ...ones, ...inner]), [size, ...shape]);
  },
  fold: ([x], { shape }) => {
    // Nothing is repeated where only axes of extent 1 are new.
    if (numel(x!.shape) === numel(shape)) return reshape(x!, shape);
    if (is(x!, broadcastPrimitive)) return broadcastTo(x.inputs[0]!, shape);
    return refill(x!, shape);
  },
});

/**
 * Repeats x along new leading axes and axes of extent 1 (NumPy rules).
 * @throws ShapeError when `x` does not broadcast to `shape`
 */
export const broadcastTo = (x: Operand, shape: Shape): Value =>
  apply(broadcastPrimitive, [lift(x)], { shape: checkedShape("broadcastTo", shape) });

/** A reduced value at every position of `shape` that it was reduced from. */
export const spread = (y: Node, shape: Shape, range: AxisRange): Node =>
  broadcastTo(reshape(y, kept(shape, range)), shape);

export const sumPrimitive: Primitive<AxisRange> = /* @__PURE__ */ reduction("sum", sumWgsl, 1, {
  expand: (node) => longSum(node),
  wide: true,
  multilinear: true,
  transpose: (ct, node) => spread(ct, node.inputs[0]!.shape, node.attrs),
  fold(inputs, range) {
    const { shape } = inputs[0]!;
    const length = numel(shape.slice(range.start, range.end));
    const value = fillValue(inputs[0]!);
    if (value !== undefined || length === 0) return fill(remaining(shape, range), (value ?? 0) * length);
    return foldSingle(inputs, range);
  },
});

/**
 * Sum over `axes` (default: all; negative ones count from the end); [] sums nothing, an empty axis gives 0. The f32 error
 * stays near one rounding of the sum of magnitudes.
 * @throws DTypeError unless x is f32
 * @throws ArgumentError when an axis does not exist or is named twice
 */
export function sum(x: Operand, axes?: Axes, options: ReduceOptions = {}): Value {
  return reduceAxes("sum", lift(x), axes, options, sumRange);
}

/** Sum over neighbouring axes. */
export const sumRange = (x: Value, range: AxisRange): Value => apply(sumPrimitive, [x], range);

/**
 * Sums a value down to a shape that broadcasts to its own: the transpose of NumPy broadcasting.
 * @throws ShapeError when `shape` does not broadcast to the shape of `x`
 */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const offset = x.shape.length - shape.length;
  const axes = x.shape.flatMap((extent, axis) => {
    const target = axis < offset ? 1 : shape[axis - offset]!;
    if (target === extent) return axis < offset ? [axis] : [];
    if (target !== 1) doesNotBroadcast(x.shape, shape);
    return [axis];
  });
  if (offset < 0) doesNotBroadcast(x.shape, shape);
  return reshape(sum(x, axes), shape);
}

function doesNotBroadcast(from: Shape, to: Shape): never {
  throw new ShapeError(`sumTo: ${formatShape(to)} does not broadcast to ${formatShape(from)}`);
}

/** Zeros added at the end of the middle axis of [outer, n, inner]: made after differentiation, so that it needs no rules. */
const lengthened: Primitive<{ length: number }> = /* @__PURE__ */ primitive<{ length: number }>({
  name: "lengthened",
  aval: ([x], { length }) => ({ shape: [x!.shape[0]!, length, x!.shape[2]!], dtype: "f32" }),
  lowering: {
    kind: "view",
    pieces({ inputs: [x] }, at, context) {
      const axes = at.axes();
      const when = `${axes[1]!} < ${context.u32("length", x!.shape[1]!)}`;
      return [{ argument: 0, index: Index.ofAxes(x!.shape, axes, context), when }];
    },
  },
  batch: /* @__PURE__ */ withoutRule("lengthened"),
});

/** A long sum in two stages. It is lengthened with zeros to a rectangle; they are index arithmetic. */
function longSum(node: Node<AxisRange>): Node | undefined {
  const x = node.inputs[0]!;
  const { outer, length, inner } = split(x.shape, node.attrs);
  if (length <= LONG) return undefined;
  const columns = Math.ceil(Math.sqrt(length));
  const rows = Math.ceil(length / columns);
  const flat = apply(lengthened, [reshape(x, [outer, length, inner])], { length: rows * columns });
  const stage = (y: Node): Node => apply(sumPrimitive, [y], { start: 1, end: 2 });
  return reshape(stage(stage(reshape(flat, [outer, rows, columns, inner]))), node.shape);
}
