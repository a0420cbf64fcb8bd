// Activations composed of elementwise primitives: fusion makes them single kernels, the rules of their parts
// give derivatives of every order.
import type { Operand } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { add, mul } from "./arithmetic.ts";
import { clamp, greater, minimum, select } from "./choice.ts";
import { erf, expm1, sigmoid, tanh } from "./functions.ts";

/** min(max(x, 0), 6). */
export const relu6 = (x: Operand): Value => clamp(x, 0, 6);

/** x where x > 0, else alpha (e^x - 1). */
export function elu(x: Operand, { alpha = 1 }: { alpha?: number } = {}): Value {
  // min(x, 0) keeps the branch not taken finite: infinity times the zero of the mask would be NaN.
  return select(greater(x, 0), x, mul(expm1(minimum(x, 0)), alpha));
}

/** Gaussian error linear unit: x Phi(x), or its tanh approximation (arXiv 1606.08415). */
export function gelu(x: Operand, { approximate = "none" }: { approximate?: "none" | "tanh" } = {}): Value {
  const gate =
    approximate === "none"
      ? erf(mul(x, Math.SQRT1_2))
      : tanh(mul(add(x, mul(mul(mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI)));
  return mul(mul(x, 0.5), add(gate, 1));
}

/** x s(x), also called swish. */
export const silu = (x: Operand): Value => mul(x, sigmoid(x));

/** clamp(alpha x + beta, 0, 1); the defaults are those of hard-swish (relu6(x + 3) / 6). */
export const hardSigmoid = (x: Operand, { alpha = 1 / 6, beta = 0.5 }: { alpha?: number; beta?: number } = {}): Value =>
  clamp(add(mul(x, alpha), beta), 0, 1);

/** x hardSigmoid(x). */
export const hardSwish = (x: Operand): Value => mul(x, hardSigmoid(x));
