// Elementwise operators, and those that move elements.
import * as ops from "../../../kernels/index.ts";
import type { Operand } from "../../../graph/leaves.ts";
import type { Value } from "../../../graph/node.ts";
import { lift } from "../../../graph/leaves.ts";
import { normalizeAxis, numel, type Shape } from "../../../tensor/shape.ts";
import { concatConstants, constantOf, mapConstant, resolveShape, zipConstants, type Constant } from "../constant.ts";
import { aligned, asFile, fileShape, isConstant, laid, storedAxis } from "./layout.ts";
import { constant, fail, fileInput, float, int, ints, item, laidInput, numbers } from "./graph-call.ts";
import type { Call, Operator } from "./graph-call.ts";
import { layerOperators } from "./graph-layers.ts";

function unary(emit: (x: Value, call: Call) => Value): Operator {
  return (call) => {
    const x = laidInput(call, 0);
    return { ...x, value: emit(x.value, call) };
  };
}

function binary(emit: (a: Operand, b: Operand) => Value, known?: (a: number, b: number) => number): Operator {
  return (call) => {
    const items = [item(call, 0), item(call, 1)];
    if (known && items.every(isConstant)) {
      const [a, b] = items as [Constant, Constant];
      return zipConstants(call.node.op, known, a, b);
    }
    const { operands, picture } = aligned(call.store, call.node.name, items);
    return { value: emit(operands[0]!, operands[1]!), picture };
  };
}

const reshapedTo =
  (shapeOf: (call: Call, shape: Shape) => Shape): Operator =>
  (call) => {
    const x = item(call, 0);
    const shape = shapeOf(call, fileShape(x));
    return isConstant(x) ? constantOf(x.data, shape, x.dtype) : laid(ops.reshape(asFile(x), shape));
  };

const resolved = (call: Call, shape: Shape): Shape =>
  resolveShape(`Reshape "${call.node.name}"`, numel(shape), numbers(call, 1));

const squeezed = (call: Call, shape: Shape): Shape => {
  const drop = ints(call, "squeeze_dims").map((axis) => normalizeAxis("Squeeze", axis, shape.length));
  return shape.filter((length, axis) => (drop.length > 0 ? !drop.includes(axis) : length !== 1));
};

const expanded = (call: Call, shape: Shape): Shape => {
  const axis = normalizeAxis("ExpandDims", numbers(call, 1)[0]!, shape.length + 1);
  return shape.toSpliced(axis, 0, 1);
};

const concat: Operator = (call) => {
  const parts = call.inputs.slice(0, -1);
  const rank = fileShape(parts[0]!).length;
  const axis = normalizeAxis("ConcatV2", numbers(call, call.inputs.length - 1)[0]!, rank);
  if (parts.every(isConstant)) return concatConstants(parts, axis);
  const { operands, picture } = aligned(call.store, call.node.name, parts);
  return { value: ops.concat(operands, storedAxis({ value: lift(operands[0]!), picture }, axis)), picture };
};

const pad: Operator = (call) => {
  const x = laidInput(call, 0);
  const widths = numbers(call, 1);
  const stored = x.value.shape.map(() => [0, 0] as [number, number]);
  stored.forEach((_, axis) => (stored[storedAxis(x, axis)] = [widths[2 * axis]!, widths[2 * axis + 1]!]));
  return { ...x, value: ops.pad(x.value, stored, call.inputs[2] ? numbers(call, 2)[0]! : 0) };
};

/** x[begin:end:stride] with NumPy's masks, as exporters use it on shapes and for cropping; strides must be positive. */
const stridedSlice: Operator = (call) => {
  const x = item(call, 0);
  const shape = fileShape(x);
  const [begin, end, steps] = [numbers(call, 1), numbers(call, 2), numbers(call, 3)];
  if (int(call, "ellipsis_mask", 0) || int(call, "new_axis_mask", 0))
    fail(call, "uses an ellipsis or a new axis, which is not supported");
  if (steps.some((step) => step < 1)) fail(call, "has a step below 1, which is not supported");
  const masked = (name: string, axis: number): boolean => ((int(call, name, 0) >> axis) & 1) === 1;
  const at = (n: number, length: number): number => Math.min(Math.max(n < 0 ? n + length : n, 0), length);
  const starts = shape.map((n, axis) => (axis >= begin.length || masked("begin_mask", axis) ? 0 : at(begin[axis]!, n)));
  const dropped = shape.map((_, axis) => axis < begin.length && masked("shrink_axis_mask", axis));
  const stops = shape.map((n, axis) => {
    if (dropped[axis]) return starts[axis]! + 1;
    return axis >= end.length || masked("end_mask", axis) ? n : at(end[axis]!, n);
  });
  const strides = shape.map((_, axis) => steps[axis] ?? 1);
  const kept = (s: Shape): number[] => s.filter((_, axis) => !dropped[axis]);
  if (isConstant(x) && shape.length === 1) {
    const picked = Array.from(x.data).filter(
      (_, i) => i >= starts[0]! && i < stops[0]! && (i - starts[0]!) % strides[0]! === 0,
    );
    return constantOf(picked, kept([picked.length]), x.dtype);
  }
  const cut = ops.slice(fileInput(call, 0), starts, stops, strides);
  return laid(ops.reshape(cut, kept(cut.shape)));
};

const pack: Operator = (call) => {
  const axis = int(call, "axis", 0);
  if (call.inputs.every(isConstant)) {
    const parts = call.inputs.map((x) => constantOf(x.data, [1, ...fileShape(x)], x.dtype));
    return axis === 0
      ? concatConstants(parts, 0)
      : fail(call, "packs constants along an axis other than 0, which is not supported");
  }
  return laid(
    ops.stack(
      call.inputs.map((_, i) => fileInput(call, i)),
      axis,
    ),
  );
};

const cast: Operator = (call) => {
  const x = item(call, 0);
  const to = ({ DT_FLOAT: "f32", DT_INT32: "i32", DT_BOOL: "bool" } as const)[call.node.attr?.["DstT"]?.type ?? ""];
  if (!to) return fail(call, `casts to ${call.node.attr?.["DstT"]?.type}, which is not supported`);
  if (isConstant(x)) return mapConstant(to === "i32" ? Math.trunc : (v) => v, x, to);
  return { ...x, value: x.value.dtype === to ? x.value : ops.cast(x.value, to) };
};

const same: Operator = (call) => item(call, 0);

export const operators: ReadonlyMap<string, Operator> = new Map(
  Object.entries<Operator>({
    ...layerOperators,
    Identity: same,
    StopGradient: same,
    Add: binary(ops.add, (a, b) => a + b),
    AddV2: binary(ops.add, (a, b) => a + b),
    BiasAdd: binary(ops.add),
    Sub: binary(ops.sub, (a, b) => a - b),
    Mul: binary(ops.mul, (a, b) => a * b),
    RealDiv: binary(ops.div, (a, b) => a / b),
    Div: binary(ops.div, (a, b) => a / b),
    Maximum: binary(ops.maximum, Math.max),
    Minimum: binary(ops.minimum, Math.min),
    Pow: binary(ops.power, Math.pow),
    SquaredDifference: binary((a, b) => ops.square(ops.sub(a, b))),
    AddN: (call) => {
      const { operands, picture } = aligned(call.store, call.node.name, call.inputs);
      return { value: operands.map((x) => lift(x)).reduce((a, b) => ops.add(a, b)), picture };
    },
    Neg: unary(ops.neg),
    Abs: unary(ops.abs),
    Exp: unary(ops.exp),
    Log: unary(ops.log),
    Sqrt: unary(ops.sqrt),
    Rsqrt: unary((x) => ops.reciprocal(ops.sqrt(x))),
    Square: unary(ops.square),
    Relu: unary(ops.relu),
    Relu6: unary(ops.relu6),
    Elu: unary((x) => ops.elu(x)),
    LeakyRelu: unary((x, call) => ops.leakyRelu(x, { slope: float(call, "alpha", 0.2) })),
    Prelu: binary((x, slope) => ops.add(ops.relu(x), ops.mul(ops.minimum(x, 0), slope))),
    Sigmoid: unary(ops.sigmoid),
    Tanh: unary(ops.tanh),
    Softplus: unary((x) => ops.softplus(x)),
    Reshape: reshapedTo(resolved),
    Squeeze: reshapedTo(squeezed),
    ExpandDims: reshapedTo(expanded),
    ConcatV2: concat,
    Pad: pad,
    PadV2: pad,
    StridedSlice: stridedSlice,
    Pack: pack,
    Cast: cast,
    Shape: (call) => constantOf([...fileShape(item(call, 0))]),
    NoOp: (call) => constant(call, 0),
  }),
);
