// f64 definitions of the elementwise primitives: one expression each.
import type { Attrs, Primitive } from "../graph/primitive.ts";
import * as k from "../kernels/index.ts";
import { define } from "./definition.ts";
import { erf, sigmoid, softplus } from "./special.ts";

/** The same function at every position. */
function each<A extends Attrs>(primitive: Primitive<A>, f: (attrs: A, ...x: number[]) => number) {
  return define<A>(primitive, ({ attrs }, inputs) =>
    inputs[0]!.data.map((_, i) => f(attrs, ...inputs.map((x) => x.data[i]!))),
  );
}

const toDType = { f32: Number, i32: Math.trunc, bool: (x: number) => Number(x !== 0) };

export const elementwiseDefinitions = [
  each(k.addPrimitive, (_, a, b) => a + b),
  each(k.subPrimitive, (_, a, b) => a - b),
  each(k.mulPrimitive, (_, a, b) => a * b),
  each(k.divPrimitive, (_, a, b) => a / b),
  each(k.negPrimitive, (_, x) => -x),
  each(k.reciprocalPrimitive, (_, x) => 1 / x),
  each(k.absPrimitive, (_, x) => Math.abs(x)),
  each(k.signPrimitive, (_, x) => Math.sign(x)),
  each(k.expPrimitive, (_, x) => Math.exp(x)),
  each(k.expm1Primitive, (_, x) => Math.expm1(x)),
  each(k.logPrimitive, (_, x) => Math.log(x)),
  each(k.log1pPrimitive, (_, x) => Math.log1p(x)),
  each(k.sqrtPrimitive, (_, x) => Math.sqrt(x)),
  each(k.powConstantPrimitive, ({ exponent }, x) => x ** exponent),
  each(k.sinPrimitive, (_, x) => Math.sin(x)),
  each(k.cosPrimitive, (_, x) => Math.cos(x)),
  each(k.sigmoidPrimitive, (_, x) => sigmoid(x)),
  each(k.tanhPrimitive, (_, x) => Math.tanh(x)),
  each(k.softplusPrimitive, ({ beta }, x) => softplus(beta * x) / beta),
  each(k.erfPrimitive, (_, x) => erf(x)),
  each(k.reluPrimitive, (_, x) => Math.max(x, 0)),
  each(k.leakyReluPrimitive, ({ slope }, x) => (x > 0 ? x : slope * x)),
  each(k.maximumPrimitive, (_, a, b) => Math.max(a, b)),
  each(k.minimumPrimitive, (_, a, b) => Math.min(a, b)),
  each(k.greaterPrimitive, (_, a, b) => Number(a > b)),
  each(k.greaterEqualPrimitive, (_, a, b) => Number(a >= b)),
  each(k.equalPrimitive, (_, a, b) => Number(a === b)),
  each(k.logicalNotPrimitive, (_, x) => 1 - x),
  each(k.logicalAndPrimitive, (_, a, b) => a * b),
  each(k.selectPrimitive, (_, condition, a, b) => (condition ? a : b)),
  each(k.castPrimitive, ({ to }, x) => toDType[to](x)),
  each(k.stopGradientPrimitive, (_, x) => x),
];
