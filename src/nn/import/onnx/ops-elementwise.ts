// Arithmetic, comparisons and activations. Between constants they are computed at once: models do arithmetic on shapes.
import * as ops from "../../../kernels/index.ts";
import { lift, type Operand } from "../../../graph/leaves.ts";
import { Node, type Value } from "../../../graph/node.ts";
import type { DType } from "../../../tensor/dtype.ts";
import { broadcastShapes } from "../../../tensor/shape.ts";
import { constantOf, expandConstant, mapConstant, numbersOf, zipConstants, type Constant } from "../constant.ts";
import {
  allConstant,
  attribute,
  constant,
  fail,
  float,
  int,
  isConstant,
  isSequence,
  item,
  operand,
  text,
  value,
} from "./call.ts";
import type { Call, Item, Operator } from "./call.ts";
import { elementDType } from "./tensor.ts";

/** One argument. `known` computes it on the host where the argument is a constant. */
function unary(emit: (x: Value, call: Call) => Value, known?: (x: number) => number): Operator {
  return (call) => {
    const x = item(call, 0);
    return known && isConstant(x) ? mapConstant(known, x) : emit(value(call, 0), call);
  };
}

/** Two arguments or more (Sum, Max), folded from the left. */
function binary(
  emit: (a: Operand, b: Operand) => Value,
  known: (a: number, b: number) => number,
  result?: DType,
): Operator {
  return (call) => {
    const constants = allConstant(call);
    if (constants) return constants.reduce((a, b) => zipConstants(call.node.opType, known, a, b, result));
    const operands = call.inputs.map((_, i) => operand(call, i));
    return lift(operands.reduce((a, b) => emit(a, b)));
  };
}

/** Integer division truncates in ONNX. */
const divide: Operator = (call) => {
  const constants = allConstant(call);
  if (constants?.[0]?.dtype === "i32")
    return zipConstants("Div", (a, b) => Math.trunc(a / b), constants[0], constants[1]!);
  return binary(ops.div, (a, b) => a / b)(call);
};

const remainder: Operator = (call) => {
  const constants = allConstant(call);
  if (!constants) return fail(call, "of values that depend on the model's input is not supported");
  // fmod = 0: the sign of the divisor.
  const mod = int(call, "fmod", 0)
    ? (a: number, b: number) => a % b
    : (a: number, b: number) => a - b * Math.floor(a / b);
  return zipConstants("Mod", mod, constants[0]!, constants[1]!);
};

const power: Operator = (call) => {
  const exponent = item(call, 1);
  if (allConstant(call)) return binary(ops.power, Math.pow)(call);
  if (isConstant(exponent) && exponent.data.length === 1 && value(call, 0).dtype === "f32")
    return ops.pow(value(call, 0), exponent.data[0]!);
  const base = value(call, 0);
  if (base.dtype !== "f32") fail(call, "raises integers to a power that is not known beforehand");
  return ops.power(
    base,
    isConstant(exponent) ? call.store.operand(mapConstant((v) => v, exponent, "f32")) : value(call, 1),
  );
};

/** Nothing to do in inference. */
const dropout: Operator = (call) => {
  const training = call.inputs[2];
  if (training && (!isConstant(training) || training.data[0]))
    fail(call, "is in training mode; export the model for inference");
  const x = item(call, 0);
  if (call.node.output.length === 1) return x;
  const shape = isSequence(x) ? [] : x.shape;
  return [x, expandConstant(constantOf([1], [], "bool"), shape)];
};

const prelu: Operator = (call) => {
  const x = value(call, 0);
  return ops.add(ops.relu(x), ops.mul(ops.minimum(x, 0), operand(call, 1)));
};

/** Bounds are attributes up to operator set 10, inputs after it. */
const clip: Operator = (call) => {
  const bound = (i: number, name: string, none: number): number =>
    call.inputs[i] === undefined ? float(call, name, none) : constant(call, i).data[0]!;
  const [low, high] = [bound(1, "min", -Infinity), bound(2, "max", Infinity)];
  const x = item(call, 0);
  if (isConstant(x)) return mapConstant((v) => Math.min(Math.max(v, low), high), x);
  const v = value(call, 0);
  const below = high === Infinity ? v : ops.minimum(v, high);
  return low === -Infinity ? below : low === 0 && high === Infinity ? ops.relu(v) : ops.maximum(below, low);
};

const castTo = (call: Call, to: DType): Item => {
  const x = item(call, 0);
  if (!isConstant(x)) return x instanceof Node && x.dtype === to ? x : ops.cast(value(call, 0), to);
  const convert = { f32: (v: number) => v, i32: Math.trunc, bool: (v: number) => Number(v !== 0) }[to];
  return mapConstant(convert, x, to);
};

const cast: Operator = (call) => castTo(call, elementDType("the result of Cast", attribute(call, "to")?.i ?? 0));

const castLike: Operator = (call) => {
  const like = item(call, 1);
  return isSequence(like) ? fail(call, "cannot cast to a sequence") : castTo(call, like.dtype);
};

const where: Operator = (call) => {
  const constants = allConstant(call);
  if (!constants) return ops.select(operand(call, 0), operand(call, 1), operand(call, 2));
  const shape = constants.map((c) => c.shape).reduce((a, b) => broadcastShapes("Where", a, b));
  const [condition, yes, no] = constants.map((c) => expandConstant(c, shape)) as [Constant, Constant, Constant];
  return constantOf(
    numbersOf(yes).map((v, i) => (condition.data[i] ? v : no.data[i]!)),
    shape,
    yes.dtype,
  );
};

const compare = (emit: (a: Operand, b: Operand) => Value, known: (a: number, b: number) => boolean): Operator =>
  binary(emit, (a, b) => Number(known(a, b)), "bool");

const hardSigmoid = (x: Value, call: Call): Value =>
  ops.hardSigmoid(x, { alpha: float(call, "alpha", 0.2), beta: float(call, "beta", 0.5) });

const selu = (x: Value, call: Call): Value => {
  const [alpha, gamma] = [
    float(call, "alpha", 1.67326319217681884765625),
    float(call, "gamma", 1.05070102214813232421875),
  ];
  return ops.mul(ops.elu(x, { alpha }), gamma);
};

export const elementwiseOperators: Readonly<Record<string, Operator>> = {
  Add: binary(ops.add, (a, b) => a + b),
  Sub: binary(ops.sub, (a, b) => a - b),
  Mul: binary(ops.mul, (a, b) => a * b),
  Div: divide,
  Mod: remainder,
  Pow: power,
  Sum: binary(ops.add, (a, b) => a + b),
  Max: binary(ops.maximum, Math.max),
  Min: binary(ops.minimum, Math.min),
  Neg: unary(ops.neg, (x) => -x),
  Abs: unary(ops.abs, Math.abs),
  Sign: unary(ops.sign, Math.sign),
  Sqrt: unary(ops.sqrt, Math.sqrt),
  Reciprocal: unary(ops.reciprocal, (x) => 1 / x),
  Exp: unary(ops.exp, Math.exp),
  Log: unary(ops.log, Math.log),
  Sin: unary(ops.sin, Math.sin),
  Cos: unary(ops.cos, Math.cos),
  Erf: unary(ops.erf),
  // Only for shape arithmetic: on the device their derivative is zero wherever it exists.
  Floor: (call) => mapConstant(Math.floor, constant(call, 0)),
  Ceil: (call) => mapConstant(Math.ceil, constant(call, 0)),
  Equal: compare(ops.equal, (a, b) => a === b),
  Greater: compare(ops.greater, (a, b) => a > b),
  GreaterOrEqual: compare(ops.greaterEqual, (a, b) => a >= b),
  Less: compare(ops.less, (a, b) => a < b),
  LessOrEqual: compare(ops.lessEqual, (a, b) => a <= b),
  And: compare(ops.logicalAnd, (a, b) => a !== 0 && b !== 0),
  Or: compare(ops.logicalOr, (a, b) => a !== 0 || b !== 0),
  Not: unary(ops.logicalNot, (x) => Number(x === 0)),
  Where: where,
  Cast: cast,
  CastLike: castLike,
  Clip: clip,
  Relu: unary(ops.relu, (x) => Math.max(x, 0)),
  LeakyRelu: unary((x, call) => ops.leakyRelu(x, { slope: float(call, "alpha", 0.01) })),
  PRelu: prelu,
  Elu: unary((x, call) => ops.elu(x, { alpha: float(call, "alpha", 1) })),
  Selu: unary(selu),
  Gelu: unary((x, call) => ops.gelu(x, { approximate: text(call, "approximate", "none") as "none" | "tanh" })),
  Mish: unary((x) => ops.mul(x, ops.tanh(ops.softplus(x)))),
  Sigmoid: unary(ops.sigmoid),
  Tanh: unary(ops.tanh),
  Softplus: unary((x) => ops.softplus(x)),
  Softsign: unary((x) => ops.div(x, ops.add(ops.abs(x), 1))),
  HardSigmoid: unary(hardSigmoid),
  HardSwish: unary(ops.hardSwish),
  Identity: (call) => item(call, 0),
  Dropout: dropout,
};
