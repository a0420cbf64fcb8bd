// Operators that move elements or ask about shapes. On constants they are the shape arithmetic of exporters.
import * as ops from "../../../kernels/index.ts";
import { gather } from "../../../kernels/gather.ts";
import { broadcastShapes, normalizeAxis, numel, stridesOf, type Shape } from "../../../tensor/shape.ts";
import {
  concatConstants,
  constantOf,
  expandConstant,
  gatherConstant,
  isIdentityIndex,
  mapConstant,
  numbersOf,
  resolveShape,
  scalarOf,
  sliceConstant,
  transposeConstant,
  type Constant,
} from "../constant.ts";
import {
  allConstant,
  attribute,
  axesOf,
  constant,
  fail,
  int,
  ints,
  isConstant,
  item,
  numbers,
  operandOf,
  shapeOf,
  tensorAttribute,
  text,
  value,
} from "./call.ts";
import type { Call, Item, Operator } from "./call.ts";

/** The same elements in another shape. */
function reshaped(call: Call, shape: Shape): Item {
  const x = item(call, 0);
  return isConstant(x) ? constantOf(x.data, shape, x.dtype) : ops.reshape(value(call, 0), shape);
}

const reshape: Operator = (call) => {
  const own = shapeOf(item(call, 0));
  const asked = ints(call, "shape") ?? numbers(call, 1);
  // 0 keeps an axis, unless allowzero says that it means zero.
  const wanted = asked.map((n, axis) => (n === 0 && !int(call, "allowzero", 0) ? (own[axis] ?? 0) : n));
  return reshaped(call, resolveShape(`Reshape "${call.node.output[0]}"`, numel(own), wanted));
};

const flatten: Operator = (call) => {
  const shape = shapeOf(item(call, 0));
  const axis = int(call, "axis", 1);
  const split = axis < 0 ? axis + shape.length : axis;
  return reshaped(call, [numel(shape.slice(0, split)), numel(shape.slice(split))]);
};

const unsqueeze: Operator = (call) => {
  const shape = [...shapeOf(item(call, 0))];
  const axes = axesOf(call, 1) ?? fail(call, "lacks axes");
  const rank = shape.length + axes.length;
  for (const axis of axes.map((a) => normalizeAxis("Unsqueeze", a, rank)).sort((a, b) => a - b))
    shape.splice(axis, 0, 1);
  return reshaped(call, shape);
};

const squeeze: Operator = (call) => {
  const shape = shapeOf(item(call, 0));
  const axes = axesOf(call, 1)?.map((a) => normalizeAxis("Squeeze", a, shape.length));
  const drop = axes ?? shape.flatMap((length, axis) => (length === 1 ? [axis] : []));
  if (drop.some((axis) => shape[axis] !== 1))
    fail(call, `cannot drop axes ${drop.join(", ")} of [${shape.join(", ")}]`);
  return reshaped(
    call,
    shape.filter((_, axis) => !drop.includes(axis)),
  );
};

const transpose: Operator = (call) => {
  const x = item(call, 0);
  const perm = ints(call, "perm") ?? shapeOf(x).map((_, axis, all) => all.length - 1 - axis);
  return isConstant(x) ? transposeConstant(x, perm) : ops.transpose(value(call, 0), perm);
};

const concat: Operator = (call) => {
  const axis = normalizeAxis("Concat", int(call, "axis", 1), shapeOf(item(call, 0)).length);
  return concatenated(call, call.inputs as readonly Item[], axis);
};

/** Joins items along an axis, on the host if all are known. */
export function concatenated(call: Call, items: readonly Item[], axis: number): Item {
  // Empty parts are what Slice leaves of a shape that it used up.
  const parts = items.filter((x) => numel(shapeOf(x)) > 0);
  if (parts.length === 0) return items[0]!;
  if (parts.every(isConstant)) return concatConstants(parts, axis);
  return ops.concat(
    parts.map((x) => (isConstant(x) ? call.store.tensor(x) : operandOf(call, x))),
    axis,
  );
}

/** Starts and stops clamped as NumPy does; a negative step runs backwards. */
function sliceBounds(call: Call, shape: Shape): { starts: number[]; lengths: number[]; steps: number[] } {
  const given = (i: number, name: string): number[] | undefined =>
    call.inputs[i] === undefined ? ints(call, name) : numbers(call, i);
  const [from, to] = [given(1, "starts") ?? fail(call, "lacks starts"), given(2, "ends") ?? fail(call, "lacks ends")];
  const axes = (given(3, "axes") ?? from.map((_, axis) => axis)).map((a) => normalizeAxis("Slice", a, shape.length));
  const by = given(4, "steps");
  const [starts, lengths, steps] = [shape.map(() => 0), [...shape], shape.map(() => 1)];
  axes.forEach((axis, k) => {
    const length = shape[axis]!;
    const step = by?.[k] ?? 1;
    if (step === 0) fail(call, "has step 0");
    const bound = (n: number): number => {
      const at = n < 0 ? n + length : n;
      return step > 0 ? Math.min(Math.max(at, 0), length) : Math.min(Math.max(at, -1), length - 1);
    };
    // A stop far below zero means "through the first element"; adding the length must not bring it back.
    const start = bound(from[k]!);
    starts[axis] = start;
    lengths[axis] = Math.max(0, Math.ceil((bound(to[k]!) - start) / step));
    steps[axis] = step;
  });
  return { starts, lengths, steps };
}

const slice: Operator = (call) => {
  const x = item(call, 0);
  const { starts, lengths, steps } = sliceBounds(call, shapeOf(x));
  if (isConstant(x)) return sliceConstant(x, starts, lengths, steps);
  const backwards = steps.flatMap((step, axis) => (step < 0 ? [axis] : []));
  const flipped = backwards.length > 0 ? ops.flip(value(call, 0), backwards) : value(call, 0);
  const first = starts.map((start, axis) => (steps[axis]! < 0 ? flipped.shape[axis]! - 1 - start : start));
  const strides = steps.map(Math.abs);
  return ops.slice(
    flipped,
    first,
    first.map((s, axis) => Math.min(s + lengths[axis]! * strides[axis]!, flipped.shape[axis]!)),
    strides,
  );
};

const split: Operator = (call) => {
  const x = value(call, 0);
  const axis = normalizeAxis("Split", int(call, "axis", 0), x.shape.length);
  const length = x.shape[axis]!;
  const parts = call.node.output.length;
  const even = Math.ceil(length / parts);
  const sizes =
    ints(call, "split") ??
    (call.inputs[1] === undefined
      ? call.node.output.map((_, i) => Math.min(even, length - i * even))
      : numbers(call, 1));
  let start = 0;
  return sizes.map((size) => ops.sliceAxis(x, axis, start, (start += size)));
};

/** Gathering 0, 1, ..., n - 1 only reshapes; one index is a slice; the rest is a gather on the device. */
const gatherOperator: Operator = (call) => {
  const constants = allConstant(call);
  const shape = shapeOf(item(call, 0));
  const axis = normalizeAxis("Gather", int(call, "axis", 0), shape.length);
  if (constants) return gatherConstant(constants[0]!, constants[1]!, axis);
  const wanted = item(call, 1);
  if (!isConstant(wanted)) return gather(value(call, 0), value(call, 1), axis);
  const length = shape[axis]!;
  const indices = mapConstant((i) => (i < 0 ? i + length : i), wanted);
  const x = value(call, 0);
  if (isIdentityIndex(indices, length)) return ops.reshape(x, shape.toSpliced(axis, 1, ...indices.shape));
  if (indices.shape.length === 0) return ops.index(x, axis, indices.data[0]!);
  return gather(x, call.store.tensor(indices), axis);
};

const pad: Operator = (call) => {
  const shape = shapeOf(item(call, 0));
  const mode = text(call, "mode", "constant");
  if (mode !== "constant") fail(call, `has mode "${mode}"; supported is "constant"`);
  const widths = ints(call, "pads") ?? numbers(call, 1);
  const fillWith = call.inputs[2] === undefined ? (attribute(call, "value")?.f ?? 0) : numbers(call, 2)[0]!;
  const axes = call.inputs[3] === undefined ? shape.map((_, axis) => axis) : numbers(call, 3);
  const low = shape.map(() => 0);
  const high = shape.map(() => 0);
  axes.forEach((a, k) => {
    const axis = normalizeAxis("Pad", a, shape.length);
    low[axis] = widths[k]!;
    high[axis] = widths[k + axes.length]!;
  });
  const cropped = ops.slice(
    value(call, 0),
    low.map((n) => Math.max(0, -n)),
    shape.map((length, axis) => length + Math.min(0, high[axis]!)),
  );
  return ops.pad(
    cropped,
    low.map((n, axis) => [Math.max(0, n), Math.max(0, high[axis]!)] as const),
    fillWith,
  );
};

const expand: Operator = (call) => {
  const x = item(call, 0);
  const shape = broadcastShapes("Expand", shapeOf(x), numbers(call, 1));
  return isConstant(x) ? expandConstant(x, shape) : ops.broadcastTo(value(call, 0), shape);
};

const range: Operator = (call) => {
  const [start, limit, delta] = [numbers(call, 0)[0]!, numbers(call, 1)[0]!, numbers(call, 2)[0]!];
  const length = Math.max(0, Math.ceil((limit - start) / delta));
  if (!(length <= MAX_RANGE)) fail(call, `has ${length} elements; at most ${MAX_RANGE} are built beforehand`);
  return constantOf(
    Array.from({ length }, (_, i) => start + i * delta),
    [length],
    constant(call, 0).dtype,
  );
};
const MAX_RANGE = 1e7;

const constantOfShape: Operator = (call) => {
  const filler: Constant = tensorAttribute(call, "value") ?? constantOf([0], [1], "f32");
  return expandConstant({ ...filler, shape: [] }, numbers(call, 0));
};

const constantNode: Operator = (call) => {
  const a = call.node.attribute[0] ?? fail(call, "lacks a value");
  if (a.t) return tensorAttribute(call, a.name)!;
  if (a.name === "value_int") return scalarOf(a.i ?? 0);
  if (a.name === "value_float") return scalarOf(a.f ?? 0, "f32");
  if (a.name === "value_ints") return constantOf(a.ints);
  return a.name === "value_floats"
    ? constantOf(a.floats, [a.floats.length], "f32")
    : fail(call, `has a ${a.name}, which is not supported`);
};

const shape: Operator = (call) => {
  const all = shapeOf(item(call, 0));
  return constantOf(all.slice(int(call, "start", 0), int(call, "end", all.length)));
};

/** [b, c, h, w] to [b, c / s², h s, w s]; DCR and CRD differ in where the block axes sit among the channels. */
const depthToSpace: Operator = (call) => {
  const x = value(call, 0);
  const [b, c, h, w] = x.shape as [number, number, number, number];
  const s = int(call, "blocksize", 1);
  const depth = c / s ** 2;
  const blocks =
    text(call, "mode", "DCR") === "DCR"
      ? ops.transpose(ops.reshape(x, [b, s, s, depth, h, w]), [0, 3, 4, 1, 5, 2])
      : ops.transpose(ops.reshape(x, [b, depth, s, s, h, w]), [0, 1, 4, 2, 5, 3]);
  return ops.reshape(blocks, [b, depth, h * s, w * s]);
};

const tile: Operator = (call) => {
  const x = value(call, 0);
  const repeats = numbers(call, 1);
  const spread = ops.broadcastTo(
    ops.reshape(
      x,
      x.shape.flatMap((n) => [1, n]),
    ),
    x.shape.flatMap((n, axis) => [repeats[axis]!, n]),
  );
  return ops.reshape(
    spread,
    x.shape.map((n, axis) => n * repeats[axis]!),
  );
};

/** Positions of elements that are not zero, one row per axis. */
const nonZero: Operator = (call) => {
  const x = constant(call, 0);
  const strides = stridesOf(x.shape);
  const found = numbersOf(x).flatMap((v, i) => (v === 0 ? [] : [i]));
  const rows = x.shape.map((length, axis) => found.map((i) => Math.floor(i / strides[axis]!) % length));
  return constantOf(rows.flat(), [x.shape.length, found.length]);
};

export const movementOperators: Readonly<Record<string, Operator>> = {
  Reshape: reshape,
  Flatten: flatten,
  Unsqueeze: unsqueeze,
  Squeeze: squeeze,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  Split: split,
  Gather: gatherOperator,
  Pad: pad,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  Range: range,
  Constant: constantNode,
  ConstantOfShape: constantOfShape,
  Shape: shape,
  Size: (call) => scalarOf(numel(shapeOf(item(call, 0)))),
  NonZero: nonZero,
};
