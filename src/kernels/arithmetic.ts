// Arithmetic, with the rules that all other derivatives are built from.
import { fill, fillValue, type Operand } from "../graph/leaves.ts";
import type { Node, Value } from "../graph/node.ts";
import type { Primitive, Tangent } from "../graph/primitive.ts";
import { binary, elementwise, unary } from "./elementwise.ts";

/** Sum of the present terms; null if there is none. */
export function addPresent(terms: readonly Tangent[]): Tangent {
  return terms.reduce<Tangent>((a, b) => (a && b ? add(a, b) : (a ?? b)), null);
}

/** A tangent times a factor that is only built if there is a tangent. */
export const scaled = (t: Tangent, factor: () => Node): Tangent => (t ? mul(t, factor()) : null);

export const addPrimitive = /* @__PURE__ */ elementwise("add", {
  wgsl: ([a, b]) => `(${a} + ${b})`,
  operand: "numeric",
  jointlyLinear: [0, 1],
  jvp: (_, t) => addPresent(t),
  transpose: (ct) => ct,
  fold: ([a, b]) => {
    const [u, v] = [fillValue(a!), fillValue(b!)];
    if (u !== undefined && v !== undefined) return fill(a!.shape, u + v, a!.dtype);
    if (u === 0) return b;
    return v === 0 ? a : undefined;
  },
});
/** a + b, broadcast. */
export const add = (a: Operand, b: Operand): Value => binary(addPrimitive, a, b);

export const negPrimitive: Primitive<Record<never, never>> = /* @__PURE__ */ elementwise("neg", {
  wgsl: ([a]) => `(-${a})`,
  operand: "numeric",
  multilinear: true,
  transpose: (ct) => neg(ct),
  fold: ([a]) => {
    const u = fillValue(a!);
    if (u !== undefined) return fill(a!.shape, -u, a!.dtype);
    return a!.primitive.uid === negPrimitive.uid ? a!.inputs[0] : undefined;
  },
});
/** -x. */
export const neg = (x: Operand): Value => unary(negPrimitive, x, {});

export const subPrimitive = /* @__PURE__ */ elementwise("sub", {
  wgsl: ([a, b]) => `(${a} - ${b})`,
  operand: "numeric",
  jointlyLinear: [0, 1],
  jvp: (_, [a, b]) => (a && b ? sub(a, b) : (a ?? (b ? neg(b) : null))),
  transpose: (ct, _, argument) => (argument === 0 ? ct : neg(ct)),
  fold: ([a, b]) => {
    const [u, v] = [fillValue(a!), fillValue(b!)];
    if (u !== undefined && v !== undefined) return fill(a!.shape, u - v, a!.dtype);
    if (v === 0) return a;
    return u === 0 ? neg(b!) : undefined;
  },
});
/** a - b, broadcast. */
export const sub = (a: Operand, b: Operand): Value => binary(subPrimitive, a, b);

export const mulPrimitive = /* @__PURE__ */ elementwise("mul", {
  wgsl: ([a, b]) => `(${a} * ${b})`,
  operand: "numeric",
  multilinear: true,
  transpose: (ct, node, argument) => mul(ct, node.inputs[1 - argument]!),
  fold: ([a, b]) => {
    const [u, v] = [fillValue(a!), fillValue(b!)];
    if (u !== undefined && v !== undefined) return fill(a!.shape, u * v, a!.dtype);
    if (u === 0 || v === 0) return fill(a!.shape, 0, a!.dtype);
    if (u === 1) return b;
    return v === 1 ? a : undefined;
  },
});
/** a * b, broadcast. */
export const mul = (a: Operand, b: Operand): Value => binary(mulPrimitive, a, b);

export const divPrimitive = /* @__PURE__ */ elementwise("div", {
  wgsl: ([a, b]) => `(${a} / ${b})`,
  cost: 4,
  jointlyLinear: [0],
  // y = a / b: dy = da / b - y db / b
  jvp: (y, [a, b]) => addPresent([a ? div(a, y.inputs[1]!) : null, b ? neg(div(mul(b, y), y.inputs[1]!)) : null]),
  transpose: (ct, y) => div(ct, y.inputs[1]!),
  fold: ([a, b]) => (fillValue(b!) === 1 ? a : fillValue(a!) === 0 ? a : undefined),
});
/** a / b, broadcast. */
export const div = (a: Operand, b: Operand): Value => binary(divPrimitive, a, b);

export const reciprocalPrimitive = /* @__PURE__ */ elementwise("reciprocal", {
  wgsl: ([a]) => `(1.0 / ${a})`,
  cost: 4,
  jvp: (y, [t]) => scaled(t!, () => neg(square(y))),
});
/** 1 / x. */
export const reciprocal = (x: Operand): Value => unary(reciprocalPrimitive, x, {});

/** x * x. */
export const square = (x: Operand): Value => mul(x, x);

export const absPrimitive = /* @__PURE__ */ elementwise("abs", {
  kink: true,
  wgsl: ([a]) => `abs(${a})`,
  jvp: (y, [t]) => scaled(t!, () => sign(y.inputs[0]!)),
});
/** |x|; derivative 0 at 0. */
export const abs = (x: Operand): Value => unary(absPrimitive, x, {});

export const signPrimitive = /* @__PURE__ */ elementwise("sign", {
  wgsl: ([a]) => `sign(${a})`,
  kink: true,
  jvp: () => null,
});
/** -1, 0 or 1; derivative 0. */
export const sign = (x: Operand): Value => unary(signPrimitive, x, {});
