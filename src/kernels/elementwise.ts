// Elementwise primitives: one WGSL expression each, fused by the compiler into generated kernels.
import { DTypeError } from "../tensor/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { broadcastShapes, formatShape, sameShape } from "../tensor/shape.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type Attrs, type Primitive, type Tangent } from "../graph/primitive.ts";
import { broadcastTo } from "./broadcast.ts";
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

interface Elementwise<A extends Attrs> {
  wgsl(args: readonly string[], params: readonly string[], attrs: A): string;
  params?(attrs: A): readonly number[];
  helpers?: readonly string[];
  cost?: number;
  result?: DType;
  /** Dtype that the arguments must have; null: any, all equal. */
  operand?: DType | null;
  multilinear?: boolean;
  jointlyLinear?: readonly number[];
  kink?: boolean;
  jvp?(node: Node<A>, tangents: readonly Tangent[]): Tangent;
  transpose?(cotangent: Node, node: Node<A>, argument: number): Node;
  fold?(inputs: readonly Node[], attrs: A): Node | undefined;
}

/** Defines an elementwise primitive. Operands have equal shapes: the public functions insert the broadcasts. */
export function elementwise<A extends Attrs = Record<never, never>>(name: string, e: Elementwise<A>): Primitive<A> {
  const operand = e.operand === undefined ? "f32" : e.operand;
  const self: Primitive<A> = primitive<A>({
    name,
    aval(inputs) {
      const first = inputs[0]!;
      for (const x of inputs) {
        if (!sameShape(x.shape, first.shape)) throw new DTypeError(`${name}: shapes ${formatShape(first.shape)} and ${formatShape(x.shape)} differ`);
        if (x.dtype !== (operand ?? first.dtype)) throw new DTypeError(`${name}: expected ${operand ?? first.dtype} operands, got ${x.dtype}; use cast()`);
      }
      return { shape: first.shape, dtype: e.result ?? first.dtype };
    },
    lowering: {
      kind: "elementwise",
      wgsl: e.wgsl,
      ...(e.params && { params: e.params }),
      ...(e.helpers && { helpers: e.helpers }),
      cost: e.cost ?? 1,
    },
    ...(e.multilinear && { multilinear: true }),
    ...(e.jointlyLinear && { jointlyLinear: e.jointlyLinear }),
    ...(e.kink && { kink: true }),
    ...(e.jvp && { jvp: e.jvp }),
    ...(e.transpose && { transpose: e.transpose }),
    ...(e.fold && { fold: e.fold }),
    batch: (inputs, _batched, attrs, size) => apply(self, alignBatch(inputs, _batched, size), attrs),
  });
  return self;
}

/** Gives unbatched operands the leading axis that the batched ones have; fused, it is an index with stride 0. */
function alignBatch(inputs: readonly Node[], batched: readonly boolean[], size: number): Node[] {
  return inputs.map((x, i) => (batched[i] ? x : broadcastTo(x, [size, ...x.shape])));
}

/** Lifts operands and broadcasts them to their common shape (NumPy rules). */
export function broadcasted(name: string, operands: readonly Operand[], dtype: DType = "f32"): Node[] {
  const guide = operands.find((x) => typeof x !== "number");
  const lifted = operands.map((x) => lift(x, typeof guide === "object" ? guide.dtype : dtype));
  const shape = lifted.map((x) => x.shape).reduce((a, b) => broadcastShapes(name, a, b));
  return lifted.map((x) => broadcastTo(x, shape));
}

const unary = <A extends Attrs>(prim: Primitive<A>, x: Operand, attrs: A): Value => apply(prim, [lift(x)], attrs);
const binary = (prim: Primitive<Record<never, never>>, a: Operand, b: Operand): Value =>
  apply(prim, broadcasted(prim.name, [a, b]), {});

/** Sum of the present terms; null if there is none. */
export function addPresent(terms: readonly Tangent[]): Tangent {
  return terms.reduce<Tangent>((a, b) => (a && b ? add(a, b) : (a ?? b)), null);
}

const scaled = (t: Tangent, factor: () => Node): Tangent => (t ? mul(t, factor()) : null);

// ---- arithmetic ----------------------------------------------------------------------------------------------------

export const addPrimitive = elementwise("add", {
  wgsl: ([a, b]) => `(${a} + ${b})`,
  operand: null,
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

export const negPrimitive: Primitive<Record<never, never>> = elementwise("neg", {
  wgsl: ([a]) => `(-${a})`,
  operand: null,
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

export const subPrimitive = elementwise("sub", {
  wgsl: ([a, b]) => `(${a} - ${b})`,
  operand: null,
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

export const mulPrimitive = elementwise("mul", {
  wgsl: ([a, b]) => `(${a} * ${b})`,
  operand: null,
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

export const divPrimitive = elementwise("div", {
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

export const reciprocalPrimitive = elementwise("reciprocal", {
  wgsl: ([a]) => `(1.0 / ${a})`,
  cost: 4,
  jvp: (y, [t]) => scaled(t!, () => neg(square(y))),
});
/** 1 / x. */
export const reciprocal = (x: Operand): Value => unary(reciprocalPrimitive, x, {});

/** x * x. */
export const square = (x: Operand): Value => mul(x, x);

export const absPrimitive = elementwise("abs", {
  kink: true,
  wgsl: ([a]) => `abs(${a})`,
  jvp: (y, [t]) => scaled(t!, () => sign(y.inputs[0]!)),
});
/** |x|; derivative 0 at 0. */
export const abs = (x: Operand): Value => unary(absPrimitive, x, {});

export const signPrimitive = elementwise("sign", { wgsl: ([a]) => `sign(${a})`, kink: true, jvp: () => null });
/** -1, 0 or 1; derivative 0. */
export const sign = (x: Operand): Value => unary(signPrimitive, x, {});

// ---- exponentials --------------------------------------------------------------------------------------------------

export const expPrimitive = elementwise("exp", {
  wgsl: ([a]) => `exp(${a})`,
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => y),
});
/** e^x. Overflows to infinity above 88.7. */
export const exp = (x: Operand): Value => unary(expPrimitive, x, {});

export const expm1Primitive = elementwise("expm1", {
  wgsl: ([a]) => `safe_expm1(${a})`,
  helpers: [expm1Wgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => exp(y.inputs[0]!)),
});
/** e^x - 1, exact to rounding near 0. */
export const expm1 = (x: Operand): Value => unary(expm1Primitive, x, {});

export const logPrimitive = elementwise("log", {
  wgsl: ([a]) => `safe_log(${a})`,
  helpers: [logWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => (t ? div(t, y.inputs[0]!) : null),
});
/** Natural logarithm; -infinity at 0, NaN below. */
export const log = (x: Operand): Value => unary(logPrimitive, x, {});

export const log1pPrimitive = elementwise("log1p", {
  wgsl: ([a]) => `safe_log1p(${a})`,
  helpers: [logWgsl, log1pWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => (t ? div(t, add(y.inputs[0]!, 1)) : null),
});
/** log(1 + x), exact to rounding near 0. */
export const log1p = (x: Operand): Value => unary(log1pPrimitive, x, {});

export const sqrtPrimitive = elementwise("sqrt", {
  wgsl: ([a]) => `sqrt(${a})`,
  cost: 4,
  jvp: (y, [t]) => (t ? div(mul(t, 0.5), y) : null),
});
/** Square root. */
export const sqrt = (x: Operand): Value => unary(sqrtPrimitive, x, {});

export const powConstantPrimitive = elementwise<{ exponent: number }>("pow", {
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
    return exponent === -1 ? reciprocal(x!) : undefined;
  },
});
/** x^y. A constant exponent allows a negative base where the exponent is an integer; a variable one needs x > 0. */
export function power(x: Operand, y: Operand): Value {
  const [base, exponent] = broadcasted("power", [x, y]);
  const constant = fillValue(exponent!);
  return constant === undefined ? exp(mul(exponent!, log(base!))) : apply(powConstantPrimitive, [base!], { exponent: constant });
}
/** x^exponent; the same function as {@link power}. */
export const pow = power;

// ---- trigonometric and sigmoidal -----------------------------------------------------------------------------------

export const sinPrimitive = elementwise("sin", {
  wgsl: ([a]) => `safe_sin(${a})`,
  helpers: [trigWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => cos(y.inputs[0]!)),
});
/** Sine of x radians. */
export const sin = (x: Operand): Value => unary(sinPrimitive, x, {});

export const cosPrimitive = elementwise("cos", {
  wgsl: ([a]) => `safe_cos(${a})`,
  helpers: [trigWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => neg(sin(y.inputs[0]!))),
});
/** Cosine of x radians. */
export const cos = (x: Operand): Value => unary(cosPrimitive, x, {});

export const sigmoidPrimitive = elementwise("sigmoid", {
  wgsl: ([a]) => `safe_sigmoid(${a})`,
  helpers: [sigmoidWgsl],
  cost: TRANSCENDENTAL,
  // s' = s(x) s(-x): no cancellation in 1 - s for large x
  jvp: (y, [t]) => scaled(t!, () => mul(y, sigmoid(neg(y.inputs[0]!)))),
});
/** 1 / (1 + e^-x). */
export const sigmoid = (x: Operand): Value => unary(sigmoidPrimitive, x, {});

export const tanhPrimitive = elementwise("tanh", {
  wgsl: ([a]) => `safe_tanh(${a})`,
  helpers: [tanhWgsl],
  cost: TRANSCENDENTAL,
  // sech^2 x = 4 s(2x) s(-2x): 1 - y^2 would lose all digits where |y| approaches 1
  jvp: (y, [t]) => scaled(t!, () => mul(mul(sigmoid(mul(y.inputs[0]!, 2)), sigmoid(mul(y.inputs[0]!, -2))), 4)),
});
/** Hyperbolic tangent, finite for every finite x. */
export const tanh = (x: Operand): Value => unary(tanhPrimitive, x, {});

export const softplusPrimitive = elementwise<{ beta: number }>("softplus", {
  wgsl: ([a], [beta]) => `safe_softplus(${a}, ${beta})`,
  params: ({ beta }) => [beta],
  helpers: [softplusWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => sigmoid(mul(y.inputs[0]!, y.attrs.beta))),
});
/**
 * Softplus log(1 + e^(beta x)) / beta, which is also the smoothed ReLU of the Integrated Hessians paper
 * (arXiv 2002.04138). First derivative s(beta x), second beta s(beta x) s(-beta x): exactly beta / 4 at 0.
 */
export const softplus = (x: Operand, { beta = 1 }: { beta?: number } = {}): Value => unary(softplusPrimitive, x, { beta });
/** {@link softplus} with the default beta 10 of smoothing at explanation time. */
export const smoothRelu = (x: Operand, { beta = 10 }: { beta?: number } = {}): Value => softplus(x, { beta });

export const erfPrimitive = elementwise("erf", {
  wgsl: ([a]) => `safe_erf(${a})`,
  helpers: [erfWgsl],
  cost: TRANSCENDENTAL,
  jvp: (y, [t]) => scaled(t!, () => mul(exp(neg(square(y.inputs[0]!))), 2 / Math.sqrt(Math.PI))),
});
/** Gauss error function. */
export const erf = (x: Operand): Value => unary(erfPrimitive, x, {});

// ---- rectifiers ----------------------------------------------------------------------------------------------------

export const reluPrimitive = elementwise("relu", {
  kink: true,
  wgsl: ([a]) => `max(${a}, 0.0)`,
  // The mask comes from the result, so that only one of z and relu(z) is kept for the backward pass.
  jvp: (y, [t]) => (t ? select(greater(y as unknown as Node, 0), t, 0) : null),
});
/** max(x, 0); derivative 0 at 0. */
export const relu = (x: Operand): Value => unary(reluPrimitive, x, {});

export const leakyReluPrimitive = elementwise<{ slope: number }>("leakyRelu", {
  kink: true,
  wgsl: ([a], [slope]) => `select(${a} * ${slope}, ${a}, ${a} > 0.0)`,
  params: ({ slope }) => [slope],
  jvp: (y, [t]) => (t ? select(greater(y.inputs[0]!, 0), t, mul(t, y.attrs.slope)) : null),
});
/** x where x > 0, else slope x; derivative `slope` at 0. */
export const leakyRelu = (x: Operand, { slope = 0.01 }: { slope?: number } = {}): Value =>
  unary(leakyReluPrimitive, x, { slope });

export const maximumPrimitive = elementwise("maximum", {
  kink: true,
  wgsl: ([a, b]) => `max(${a}, ${b})`,
  operand: null,
  jvp: ({ inputs }, t) => chosen(greaterEqual(inputs[0]!, inputs[1]!), t),
});
/** The larger of a and b; where equal, the derivative goes to a. */
export const maximum = (a: Operand, b: Operand): Value => binary(maximumPrimitive, a, b);

export const minimumPrimitive = elementwise("minimum", {
  kink: true,
  wgsl: ([a, b]) => `min(${a}, ${b})`,
  operand: null,
  jvp: ({ inputs }, t) => chosen(lessEqual(inputs[0]!, inputs[1]!), t),
});
/** The smaller of a and b; where equal, the derivative goes to a. */
export const minimum = (a: Operand, b: Operand): Value => binary(minimumPrimitive, a, b);

/** x limited to [low, high]; derivative 0 at and beyond the limits that bind. */
export const clamp = (x: Operand, low: number, high: number): Value => maximum(low, minimum(high, x));

function chosen(condition: Node, [a, b]: readonly Tangent[]): Tangent {
  return a || b ? select(condition, a ?? 0, b ?? 0) : null;
}

// ---- comparison and choice -----------------------------------------------------------------------------------------

const comparison = (name: string, operator: string): Primitive<Record<never, never>> =>
  elementwise(name, { wgsl: ([a, b]) => `(${a} ${operator} ${b})`, operand: null, result: "bool", kink: true });

export const greaterPrimitive = comparison("greater", ">");
/** a > b. */
export const greater = (a: Operand, b: Operand): Value => binary(greaterPrimitive, a, b);
export const greaterEqualPrimitive = comparison("greaterEqual", ">=");
/** a >= b. */
export const greaterEqual = (a: Operand, b: Operand): Value => binary(greaterEqualPrimitive, a, b);
/** a < b. */
export const less = (a: Operand, b: Operand): Value => greater(b, a);
/** a <= b. */
export const lessEqual = (a: Operand, b: Operand): Value => greaterEqual(b, a);
export const equalPrimitive = comparison("equal", "==");
/** a == b. */
export const equal = (a: Operand, b: Operand): Value => binary(equalPrimitive, a, b);
/** a != b. */
export const notEqual = (a: Operand, b: Operand): Value => logicalNot(equal(a, b));

export const logicalNotPrimitive = elementwise("logicalNot", { wgsl: ([a]) => `(!${a})`, operand: "bool" });
/** Logical negation of a bool value. */
export const logicalNot = (x: Operand): Value => unary(logicalNotPrimitive, x, {});
export const logicalAndPrimitive = elementwise("logicalAnd", { wgsl: ([a, b]) => `(${a} && ${b})`, operand: "bool" });
/** Both of two bool values. */
export const logicalAnd = (a: Operand, b: Operand): Value => binary(logicalAndPrimitive, a, b);
/** At least one of two bool values. */
export const logicalOr = (a: Operand, b: Operand): Value => logicalNot(logicalAnd(logicalNot(a), logicalNot(b)));

const same = (a: Node, b: Node): boolean => a === b;

export const selectPrimitive: Primitive<Record<never, never>> = primitive({
  name: "select",
  aval([condition, a, b]) {
    if (condition!.dtype !== "bool") throw new DTypeError(`select: expected a bool condition, got ${condition!.dtype}`);
    if (a!.dtype !== b!.dtype) throw new DTypeError(`select: branches have dtypes ${a!.dtype} and ${b!.dtype}; use cast()`);
    return { shape: a!.shape, dtype: a!.dtype };
  },
  lowering: { kind: "elementwise", wgsl: ([c, a, b]) => `select(${b}, ${a}, ${c})`, cost: 1 },
  jointlyLinear: [1, 2],
  jvp: ({ inputs }, [, a, b]) => chosen(inputs[0]!, [a!, b!]),
  transpose: (ct, { inputs }, argument) => (argument === 1 ? select(inputs[0]!, ct, 0) : select(inputs[0]!, 0, ct)),
  batch: (inputs, batched, attrs, size) => apply(selectPrimitive, alignBatch(inputs, batched, size), attrs),
  fold: ([, a, b]) => (same(a!, b!) ? a : undefined),
});
/** a where the bool `condition` holds, else b; all broadcast. The branch not taken never spoils the result. */
export function select(condition: Operand, a: Operand, b: Operand): Value {
  const dtype = typeof a === "object" ? a.dtype : typeof b === "object" ? b.dtype : "f32";
  const lifted = [lift(condition, "bool"), lift(a, dtype), lift(b, dtype)];
  const shape = lifted.map((x) => x.shape).reduce((u, v) => broadcastShapes("select", u, v));
  return apply(selectPrimitive, lifted.map((x) => broadcastTo(x, shape)), {});
}

export const castPrimitive: Primitive<{ to: DType }> = primitive({
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

export const stopGradientPrimitive: Primitive<Record<never, never>> = primitive({
  name: "stopGradient",
  aval: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  lowering: { kind: "elementwise", wgsl: ([a]) => a!, cost: 0 },
  jvp: () => null,
  batch: ([x], _, attrs) => apply(stopGradientPrimitive, [x!], attrs),
});
/** x, taken as a constant by every derivative. */
export const stopGradient = (x: Operand): Value => apply(stopGradientPrimitive, [lift(x)], {});
