// Comparisons, choices between values, and the rectifiers and maxima whose derivatives are choices.
import { ArgumentError, DTypeError } from "../tensor/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { broadcastShapes } from "../tensor/shape.ts";
import { lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive, type Tangent } from "../graph/primitive.ts";
import { mul } from "./arithmetic.ts";
import { broadcastTo } from "./broadcast.ts";
import { alignBatch, binary, elementwise, unary } from "./elementwise.ts";

const comparison = (
  name: string,
  operator: string,
  operand: "numeric" | "any" = "numeric",
): Primitive<Record<never, never>> =>
  elementwise(name, { wgsl: ([a, b]) => `(${a} ${operator} ${b})`, operand, result: "bool", kink: true });

export const greaterPrimitive = /* @__PURE__ */ comparison("greater", ">");
/** a > b, broadcast; bool. Operands of one dtype, f32 or i32. */
export const greater = (a: Operand, b: Operand): Value => binary(greaterPrimitive, a, b);
export const greaterEqualPrimitive = /* @__PURE__ */ comparison("greaterEqual", ">=");
/** a >= b, broadcast; bool. */
export const greaterEqual = (a: Operand, b: Operand): Value => binary(greaterEqualPrimitive, a, b);
/** a < b, broadcast; bool. */
export const less = (a: Operand, b: Operand): Value => greater(b, a);
/** a <= b, broadcast; bool. */
export const lessEqual = (a: Operand, b: Operand): Value => greaterEqual(b, a);
export const equalPrimitive = /* @__PURE__ */ comparison("equal", "==", "any");
/** a == b, broadcast; bool. Operands of one dtype. */
export const equal = (a: Operand, b: Operand): Value => binary(equalPrimitive, a, b);
/** a != b, broadcast; bool. */
export const notEqual = (a: Operand, b: Operand): Value => logicalNot(equal(a, b));

export const logicalNotPrimitive = /* @__PURE__ */ elementwise("logicalNot", {
  wgsl: ([a]) => `(!${a})`,
  operand: "bool",
});
/** Logical negation of a bool value. */
export const logicalNot = (x: Operand): Value => unary(logicalNotPrimitive, x, {});
export const logicalAndPrimitive = /* @__PURE__ */ elementwise("logicalAnd", {
  wgsl: ([a, b]) => `(${a} && ${b})`,
  operand: "bool",
});
/** Both of two bool values. */
export const logicalAnd = (a: Operand, b: Operand): Value => binary(logicalAndPrimitive, a, b);
/** At least one of two bool values. */
export const logicalOr = (a: Operand, b: Operand): Value => logicalNot(logicalAnd(logicalNot(a), logicalNot(b)));

const same = (a: Node, b: Node): boolean => a === b;

export const selectPrimitive: Primitive<Record<never, never>> = /* @__PURE__ */ primitive({
  name: "select",
  aval([condition, a, b]) {
    if (condition!.dtype !== "bool")
      throw new DTypeError(
        `select: expected a bool condition, got ${condition!.dtype}; compare with greater() or equal()`,
      );
    if (a!.dtype !== b!.dtype)
      throw new DTypeError(`select: branches have dtypes ${a!.dtype} and ${b!.dtype}; use cast()`);
    return { shape: a!.shape, dtype: a!.dtype };
  },
  lowering: { kind: "elementwise", wgsl: ([c, a, b]) => `select(${b}, ${a}, ${c})`, cost: 1 },
  jointlyLinear: [1, 2],
  jvp: ({ inputs }, [, a, b]) => chosen(inputs[0]!, [a!, b!]),
  transpose: (ct, { inputs }, argument) => (argument === 1 ? select(inputs[0]!, ct, 0) : select(inputs[0]!, 0, ct)),
  batch: (inputs, batched, attrs, size) => apply(selectPrimitive, alignBatch(inputs, batched, size), attrs),
  fold: ([, a, b]) => (same(a!, b!) ? a : undefined),
});
/**
 * a where the bool `condition` holds, else b; all broadcast. The branch not taken never spoils the result.
 * @throws DTypeError when the condition is not bool, or a and b differ in dtype
 */
export function select(condition: Operand, a: Operand, b: Operand): Value {
  const dtype = typeof a === "object" ? a.dtype : typeof b === "object" ? b.dtype : "f32";
  const lifted = [lift(condition, "bool"), lift(a, dtype), lift(b, dtype)];
  const shape = lifted.map((x) => x.shape).reduce((u, v) => broadcastShapes("select", u, v));
  return apply(
    selectPrimitive,
    lifted.map((x) => broadcastTo(x, shape)),
    {},
  );
}

export const castPrimitive: Primitive<{ to: DType }> = /* @__PURE__ */ primitive({
  name: "cast",
  aval: ([x], { to }) => ({ shape: x!.shape, dtype: to }),
  // dtypes are named as WGSL names its types
  lowering: { kind: "elementwise", wgsl: ([a], _, { to }) => `${to}(${a})`, cost: 1 },
  jvp: () => null,
  batch: ([x], _, attrs) => apply(castPrimitive, [x!], attrs),
  fold: ([x], { to }) => (x!.dtype === to ? x : undefined),
});
/** Converts between f32 (towards zero), i32 and bool (not zero). Not differentiable. */
export const cast = (x: Operand, to: DType): Value => apply(castPrimitive, [lift(x)], { to });

export const stopGradientPrimitive: Primitive<Record<never, never>> = /* @__PURE__ */ primitive({
  name: "stopGradient",
  aval: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  lowering: { kind: "elementwise", wgsl: ([a]) => a!, cost: 0 },
  jvp: () => null,
  batch: ([x], _, attrs) => apply(stopGradientPrimitive, [x!], attrs),
});
/** x, taken as a constant by every derivative. */
export const stopGradient = (x: Operand): Value => apply(stopGradientPrimitive, [lift(x)], {});

// ---- rectifiers ----------------------------------------------------------------------------------------------------

export const reluPrimitive = /* @__PURE__ */ elementwise("relu", {
  kink: true,
  wgsl: ([a]) => `max(${a}, 0.0)`,
  // The mask comes from the result, so that only one of z and relu(z) is kept for the backward pass.
  jvp: (y, [t]) => (t ? select(greater(y as unknown as Node, 0), t, 0) : null),
});
/** max(x, 0); derivative 0 at 0. */
export const relu = (x: Operand): Value => unary(reluPrimitive, x, {});

export const leakyReluPrimitive = /* @__PURE__ */ elementwise<{ slope: number }>("leakyRelu", {
  kink: true,
  wgsl: ([a], [slope]) => `select(${a} * ${slope}, ${a}, ${a} > 0.0)`,
  params: ({ slope }) => [slope],
  jvp: (y, [t]) => (t ? select(greater(y.inputs[0]!, 0), t, mul(t, y.attrs.slope)) : null),
});
/** x where x > 0, else slope x; derivative `slope` at 0. */
export const leakyRelu = (x: Operand, { slope = 0.01 }: { slope?: number } = {}): Value =>
  unary(leakyReluPrimitive, x, { slope });

export const maximumPrimitive = /* @__PURE__ */ elementwise("maximum", {
  kink: true,
  wgsl: ([a, b]) => `max(${a}, ${b})`,
  operand: "numeric",
  jvp: ({ inputs }, t) => chosen(greaterEqual(inputs[0]!, inputs[1]!), t),
});
/** The larger of a and b; where equal, the derivative goes to a. */
export const maximum = (a: Operand, b: Operand): Value => binary(maximumPrimitive, a, b);

export const minimumPrimitive = /* @__PURE__ */ elementwise("minimum", {
  kink: true,
  wgsl: ([a, b]) => `min(${a}, ${b})`,
  operand: "numeric",
  jvp: ({ inputs }, t) => chosen(lessEqual(inputs[0]!, inputs[1]!), t),
});
/** The smaller of a and b; where equal, the derivative goes to a. */
export const minimum = (a: Operand, b: Operand): Value => binary(minimumPrimitive, a, b);

/**
 * x limited to [low, high], either of which may be infinite; derivative 0 at and beyond the limits.
 * @throws ArgumentError unless low <= high
 */
export function clamp(x: Operand, low: number, high: number): Value {
  if (!(low <= high)) throw new ArgumentError(`clamp: expected low <= high, got ${low} and ${high}`);
  return maximum(low, minimum(high, x));
}

function chosen(condition: Node, [a, b]: readonly Tangent[]): Tangent {
  return a || b ? select(condition, a ?? 0, b ?? 0) : null;
}
