// What training makes small. Each is a mean over the batch, a scalar.
import { lift, type Operand } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { abs, add, mul, neg, square, sub } from "../kernels/arithmetic.ts";
import { maximum } from "../kernels/choice.ts";
import { softplus } from "../kernels/functions.ts";
import { takeTarget } from "../kernels/gather.ts";
import { mean } from "../kernels/reduce.ts";
import { logSoftmax } from "../kernels/softmax.ts";

/**
 * Mean of -log softmax(logits)[target].
 * @param logits [..., classes]
 * @param targets [...] i32, each in 0..classes-1
 */
export function crossEntropy(logits: Operand, targets: Operand): Value {
  return neg(mean(takeTarget(logSoftmax(logits), targets)));
}

/** Mean of (prediction - target)^2 over all elements. */
export const meanSquaredError = (prediction: Operand, target: Operand): Value => mean(square(sub(prediction, target)));

/**
 * Mean cross entropy of sigmoid(logits) against labels, in the form that stays finite for any logit:
 * max(z, 0) - z y + log(1 + exp(-|z|)).
 * @param labels 0 or 1, or a probability, of the shape of `logits`
 */
export function binaryCrossEntropy(logits: Operand, labels: Operand): Value {
  const z = lift(logits);
  return mean(add(sub(maximum(z, 0), mul(z, labels)), softplus(neg(abs(z)))));
}
