// Which number of a model's output is explained.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import { iota } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { sub } from "../kernels/arithmetic.ts";
import { sum } from "../kernels/broadcast.ts";
import { equal, select } from "../kernels/choice.ts";
import { exp } from "../kernels/functions.ts";
import { expandDims } from "../kernels/movement.ts";
import { argmax, logSumExp } from "../kernels/reduce.ts";

/**
 * The explained class: one index for all examples, one per example, the class with the highest output at the input, all
 * classes at once (results get a leading class axis), or any function of the output that gives one score per example.
 */
export type Target = "predicted" | "all" | number | readonly number[] | ((output: Value) => Value);

/** What of a class is explained: its output as it is, or softmax or log-softmax of it over the last axis. */
export type Score = "logit" | "probability" | "logProbability";

/**
 * Scores of the classes in `index` [B], or of all classes [B, K].
 * @throws ArgumentError for another kind of score
 */
export function classScores(output: Value, score: Score, index: Value | undefined): Value {
  const logits = index ? ofClass(output, index) : output;
  if (score === "logit") return logits;
  if (score !== "probability" && score !== "logProbability")
    throw new ArgumentError(`score: expected "logit", "probability" or "logProbability", got ${String(score)}`);
  const log = sub(logits, logSumExp(output, -1, { keepDims: !index }));
  return score === "probability" ? exp(log) : log;
}

/** The element of each row of x [B, K] that index [B] names, as a sum: its derivatives are sums and masks again. */
function ofClass(x: Value, index: Value): Value {
  return sum(select(equal(expandDims(index, 1), iota(x.shape[1]!)), x, 0), 1);
}

/** How the target is given to programs. */
export interface TargetPlan {
  /** `function`: no class is chosen; `index`: a class index per example travels as an input; `all`: every class. */
  readonly kind: "function" | "index" | "all";
  readonly batch: number;
  readonly classes: number;
}

/** Checks a target against the shape of the output. */
export function planTarget(output: Value, target: Target): TargetPlan {
  const { shape } = output;
  const [batch = 1, classes = 0] = shape;
  const hasClasses = shape.length > 1;
  if (typeof target === "function" || (!hasClasses && target === "predicted"))
    return { kind: "function", batch, classes: 0 };
  if (!hasClasses) {
    throw new ArgumentError(
      `target: the output ${formatShape(shape)} has no class axis; leave the target out, or give a function`,
    );
  }
  if (shape.length > 2) {
    throw new ShapeError(
      `target: the output is ${formatShape(shape)}; expected [batch, classes], or a function that gives one score per example`,
    );
  }
  if (target === "all") return { kind: "all", batch, classes };
  if (target !== "predicted") checkClasses(target, batch, classes);
  return { kind: "index", batch, classes };
}

/** @throws ArgumentError unless there is one class of those that exist for every example */
export function checkClasses(target: number | readonly number[] | string, batch: number, classes: number): void {
  if (typeof target === "string") {
    throw new ArgumentError(
      `target: expected a class index, a list of them, "predicted", "all" or a function, got "${target}"`,
    );
  }
  const given = typeof target === "number" ? Array<number>(batch).fill(target) : target;
  const wrong = given.find((t) => !Number.isInteger(t) || t < 0 || t >= classes);
  if (wrong !== undefined) {
    throw new ArgumentError(
      `target: class ${wrong} does not exist; the output has ${classes} classes, 0 to ${classes - 1}`,
    );
  }
  if (given.length !== batch)
    throw new ArgumentError(`target: ${given.length} classes were given for ${batch} examples`);
}

/** Class index of every example, computed on the device where it is the predicted one. */
export const predicted = (output: Value): Value => argmax(output, -1);

/** One score per example: [B], or [] if the output is a scalar. */
export function chosenScore(output: Value, target: Target, score: Score, index: Value | undefined): Value {
  if (typeof target !== "function") return index ? classScores(output, score, index) : output;
  const y = target(output);
  const scores = output.shape.slice(0, 1);
  if (!sameShape(y.shape, scores) && y.shape.length > 0) {
    throw new ShapeError(
      `target: the function must give one score per example, shape ${formatShape(scores)}, got ${formatShape(y.shape)}`,
    );
  }
  return y;
}
