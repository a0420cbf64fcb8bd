// Nodes without inputs: function inputs, captured tensors, uniform fills.
import { cached } from "../tensor/cached.ts";
import { ArgumentError, DTypeError } from "../tensor/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { checkedShape, type Shape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { leaf, Node, is, numberText, type Value } from "./node.ts";
import { primitive, type Attrs, type Primitive } from "./primitive.ts";

/** Anything an operation accepts: a value, a tensor on the device (captured as a constant), or a number. */
export type Operand = Value | Tensor | number;

/** For rules that nothing should ask for. */
export const withoutRule = (name: string) => (): never => {
  throw new ArgumentError(`${name}: nodes of this primitive have no such rule`);
};

const leafPrimitive = <A extends Attrs>(name: string): Primitive<A> => {
  const none = withoutRule(name);
  return primitive<A>({ name, aval: none, batch: none, lowering: { kind: "leaf" } });
};

/** A function input, bound at run time. */
export const inputPrimitive = /* @__PURE__ */ leafPrimitive<{ name: string }>("input");

/** A tensor captured by a traced function; its contents are read when the program runs. */
export const constantPrimitive = /* @__PURE__ */ leafPrimitive<{ tensor: Tensor }>("constant");

/** One number at every position; never stored, always part of the kernels that use it. */
export const fillPrimitive = /* @__PURE__ */ leafPrimitive<{ value: number }>("fill");

/** 0, 1, 2, ... along one axis, i32; never stored, always part of the kernels that use it. */
export const iotaPrimitive = /* @__PURE__ */ leafPrimitive<Record<never, never>>("iota");

/**
 * A free value, for graphs that are built by hand; {@link trace} makes those of a function.
 * @param name appears in messages
 * @throws ShapeError when the shape is not made of whole numbers >= 0
 */
export function input(shape: Shape, dtype: DType = "f32", name = "x"): Value {
  return leaf(inputPrimitive, { name }, checkedShape(`input ${name}`, shape), dtype);
}

const constants = new WeakMap<Tensor, Value>();

function captured(tensor: Tensor): Value {
  return cached(constants, tensor, () => leaf(constantPrimitive, { tensor }, tensor.shape, tensor.dtype));
}

const fills = new Map<string, Value>();
/** Only a bound on memory: a forgotten fill costs one missed common subexpression. */
const MAX_FILLS = 4096;

/**
 * A value of the given shape with `value` at every position. It takes no memory.
 * @param dtype default f32; i32 takes whole numbers only, and for bool every number but 0 is true
 * @throws ShapeError when the shape is not made of whole numbers >= 0
 * @throws DTypeError when the number does not fit i32
 */
export function fill(shape: Shape, value: number, dtype: DType = "f32"): Value {
  if (dtype === "i32" && (value | 0) !== value)
    throw new DTypeError(`i32 cannot hold ${value}; round it, or cast() the i32 operand beside it to f32`);
  return cached(fills, `${dtype}|${shape.join()}|${numberText(value)}`, () => {
    if (fills.size >= MAX_FILLS) fills.clear();
    return leaf(fillPrimitive, { value }, checkedShape("fill", shape), dtype);
  });
}

const iotas = new Map<number, Value>();

/**
 * The whole numbers 0 to n - 1, as i32 [n]. It takes no memory.
 * @throws ShapeError when n is not a whole number >= 0
 */
export function iota(n: number): Value {
  return cached(iotas, n, () => leaf(iotaPrimitive, {}, checkedShape("iota", [n]), "i32"));
}

/** The number at every position of `node`, if it is a fill. */
export function fillValue(node: Node): number | undefined {
  return is(node, fillPrimitive) ? node.attrs.value : undefined;
}

/** For products: nothing times whatever is nothing. */
export const foldZero = (inputs: readonly Node[], shape: Shape): Value | undefined =>
  inputs.some((x) => fillValue(x) === 0) ? fill(shape, 0) : undefined;

/**
 * Turns what an operation was given into a value. Numbers become scalars of dtype `dtype`.
 * @throws ArgumentError for anything that is not an operand
 */
export function lift(x: Operand, dtype: DType = "f32"): Value {
  if (x instanceof Node) return x;
  if (x instanceof Tensor) return captured(x);
  if (typeof x === "number") return fill([], x, dtype);
  throw new ArgumentError(`expected a value, a tensor or a number, got ${x === null ? "null" : typeof x}`);
}
