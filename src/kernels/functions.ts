// Transcendental functions, in forms that stay finite and exact wherever their mathematics does.
import { ArgumentError } from "../tensor/errors.ts";
import { fill, fillValue, type Operand } from "../graph/leaves.ts";
import { apply, type Value } from "../graph/node.ts";
import { add, div, mul, neg, reciprocal, scaled, square } from "./arithmetic.ts";
import { broadcasted, elementwise, unary } from "./elementwise.ts";
import erfWgsl from "./wgsl/erf.wgsl";
import expm1Wgsl from "./wgsl/expm1.wgsl";
import log1pWgsl from "./wgsl/log1p.wgsl";
import logWgsl from "./wgsl/log.wgsl";
import powWgsl from "./wgsl/pow.wgsl";
import sigmoidWgsl from "./wgsl/sigmoid.wgsl";
import softplusWgsl from "./wgsl/softplus.wgsl";
import tanhWgsl from "./wgsl/tanh.wgsl";
import trigWgsl from "./wgsl/trig.wgsl";

/** Operations per element that a transcendental function is taken to cost when fusion weighs recomputing it. */
const TRANSCENDENTAL = 20;

export const expPrimitive = /* @__PURE__ */ elementwise("exp", {
  wgsl: ([a]) => `exp(${a})`,
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => y),
});
/** e^x. Overflows to infinity above 88.7. */
export const exp = (x: Operand): Value => unary(expPrimitive, x, {});

export const expm1Primitive = /* @__PURE__ */ elementwise("expm1", {
  wgsl: ([a]) => `safe_expm1(${a})`,
  helpers: [expm1Wgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => exp(y.inputs[0]!)),
});
/** e^x - 1, exact to rounding near 0. */
export const expm1 = (x: Operand): Value => unary(expm1Primitive, x, {});

export const logPrimitive = /* @__PURE__ */ elementwise("log", {
  wgsl: ([a]) => `safe_log(${a})`,
  helpers: [logWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => (t ? div(t, y.inputs[0]!) : null),
});
/** Natural logarithm; -infinity at 0, NaN below. */
export const log = (x: Operand): Value => unary(logPrimitive, x, {});

export const log1pPrimitive = /* @__PURE__ */ elementwise("log1p", {
  wgsl: ([a]) => `safe_log1p(${a})`,
  helpers: [logWgsl, log1pWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => (t ? div(t, add(y.inputs[0]!, 1)) : null),
});
/** log(1 + x), exact to rounding near 0. */
export const log1p = (x: Operand): Value => unary(log1pPrimitive, x, {});

export const sqrtPrimitive = /* @__PURE__ */ elementwise("sqrt", {
  wgsl: ([a]) => `sqrt(${a})`,
  cost: 4,
  jvp: (y, [t]) => (t ? div(mul(t, 0.5), y) : null),
});
/** Square root. */
export const sqrt = (x: Operand): Value => unary(sqrtPrimitive, x, {});

export const powConstantPrimitive = /* @__PURE__ */ elementwise<{ exponent: number }>("pow", {
  wgsl: ([a], [e]) => `safe_pow(${a}, ${e})`,
  params: ({ exponent }) => [exponent],
  helpers: [logWgsl, powWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => {
    const { exponent } = y.attrs;
    return scaled(t!, () => mul(power(y.inputs[0]!, exponent - 1), exponent));
  },
  fold: ([x], { exponent }) => {
    if (exponent === 0) return fill(x!.shape, 1);
    if (exponent === 1) return x;
    if (exponent === 2) return square(x!);
    if (exponent === 0.5) return sqrt(x!);
    // The usual exponent of local response normalisation: roots are exact to rounding, and cheaper.
    if (exponent === 0.75) return mul(sqrt(x!), sqrt(sqrt(x!)));
    if (exponent === -0.75) return reciprocal(mul(sqrt(x!), sqrt(sqrt(x!))));
    return exponent === -1 ? reciprocal(x!) : undefined;
  },
});
/** x^y. A constant exponent allows a negative base where the exponent is an integer; a variable one needs x > 0. */
export function power(x: Operand, y: Operand): Value {
  const [base, exponent] = broadcasted("power", [x, y]);
  const constant = fillValue(exponent!);
  return constant === undefined
    ? exp(mul(exponent!, log(base!)))
    : apply(powConstantPrimitive, [base!], { exponent: constant });
}
/** x^exponent; the same function as {@link power}. */
export const pow = power;

// ---- trigonometric and sigmoidal -----------------------------------------------------------------------------------

export const sinPrimitive = /* @__PURE__ */ elementwise("sin", {
  wgsl: ([a]) => `safe_sin(${a})`,
  helpers: [trigWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => cos(y.inputs[0]!)),
});
/** Sine of x radians. */
export const sin = (x: Operand): Value => unary(sinPrimitive, x, {});

export const cosPrimitive = /* @__PURE__ */ elementwise("cos", {
  wgsl: ([a]) => `safe_cos(${a})`,
  helpers: [trigWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => neg(sin(y.inputs[0]!))),
});
/** Cosine of x radians. */
export const cos = (x: Operand): Value => unary(cosPrimitive, x, {});

export const sigmoidPrimitive = /* @__PURE__ */ elementwise("sigmoid", {
  wgsl: ([a]) => `safe_sigmoid(${a})`,
  helpers: [sigmoidWgsl],
  cost: TRANSCENDENTAL,
  // s' = s(x) s(-x): no cancellation in 1 - s for large x
  jvp: (y, [t]) => scaled(t!, () => mul(y, sigmoid(neg(y.inputs[0]!)))),
});
/** 1 / (1 + e^-x). */
export const sigmoid = (x: Operand): Value => unary(sigmoidPrimitive, x, {});

export const tanhPrimitive = /* @__PURE__ */ elementwise("tanh", {
  wgsl: ([a]) => `safe_tanh(${a})`,
  helpers: [tanhWgsl],
  cost: TRANSCENDENTAL,
  // sech^2 x = 4 s(2x) s(-2x): 1 - y^2 would lose all digits where |y| approaches 1
  jvp: (y, [t]) => scaled(t!, () => mul(mul(sigmoid(mul(y.inputs[0]!, 2)), sigmoid(mul(y.inputs[0]!, -2))), 4)),
});
/** Hyperbolic tangent, finite for every finite x. */
export const tanh = (x: Operand): Value => unary(tanhPrimitive, x, {});

export const softplusPrimitive = /* @__PURE__ */ elementwise<{ beta: number }>("softplus", {
  wgsl: ([a], [beta]) => `safe_softplus(${a}, ${beta})`,
  params: ({ beta }) => [beta],
  helpers: [softplusWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => sigmoid(mul(y.inputs[0]!, y.attrs.beta))),
});
/**
 * Softplus log(1 + e^(beta x)) / beta, which is also the smoothed ReLU of the Integrated Hessians paper
 * (arXiv 2002.04138). First derivative s(beta x), second beta s(beta x) s(-beta x): exactly beta / 4 at 0.
 * @throws ArgumentError unless beta (default 1) is positive and finite
 */
export function softplus(x: Operand, { beta = 1 }: { beta?: number } = {}): Value {
  if (!(beta > 0 && beta < Infinity))
    throw new ArgumentError(`softplus: beta must be positive and finite, got ${beta}`);
  return unary(softplusPrimitive, x, { beta });
}
/** {@link softplus} with the default beta 10 of smoothing at explanation time. */
export const smoothRelu = (x: Operand, { beta = 10 }: { beta?: number } = {}): Value => softplus(x, { beta });

export const erfPrimitive = /* @__PURE__ */ elementwise("erf", {
  wgsl: ([a]) => `safe_erf(${a})`,
  helpers: [erfWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => mul(exp(neg(square(y.inputs[0]!))), 2 / Math.sqrt(Math.PI))),
});
/** Gauss error function. */
export const erf = (x: Operand): Value => unary(erfPrimitive, x, {});
