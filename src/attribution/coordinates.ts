// Coordinates of an example: the elements of all attributed values, in one row. Shapes: B examples, d coordinates of one.
import { ArgumentError } from "../tensor/errors.ts";
import { formatShape, numel, type Shape } from "../tensor/shape.ts";
import type { Node } from "../graph/node.ts";
import { concat } from "../kernels/join.ts";
import { reshape } from "../kernels/movement.ts";
import { sliceAxis } from "../kernels/slice.ts";
import type { Problem } from "./problem.ts";

/** Number of examples; 1 if the whole input is one. */
export const examplesOf = ({ target, score }: Problem): number =>
  target.kind === "all" ? target.batch : numel(score.shape);

/** Coordinates of one example, over all attributed values. */
export const coordinatesOf = (problem: Problem): number =>
  problem.ends.reduce((n, end) => n + numel(end.shape), 0) / examplesOf(problem);

/** @throws ArgumentError where examples cannot be told apart */
export function assertExamples(problem: Problem): void {
  const count = examplesOf(problem);
  problem.ends.forEach(({ shape }, j) => {
    if (count === 1 || shape[0] === count) return;
    throw new ArgumentError(
      `input: the first axis of "${problem.endNames[j]!}" ${formatShape(shape)} does not hold the ${count} examples; give one example at a time`,
    );
  });
}

/** [...lead, ...end] for each attributed value -> [...lead, B, d] */
export function joined(problem: Problem, values: readonly Node[], lead: Shape): Node {
  const flat = values.map((v) => reshape(v, [...lead, examplesOf(problem), -1]));
  return flat.length === 1 ? flat[0]! : concat(flat, lead.length + 1);
}

/** [...any, B, d] -> [...lead, ...end] for each attributed value */
export function parted(problem: Problem, values: Node, lead: Shape): Node[] {
  let at = 0;
  return problem.ends.map(({ shape }) => {
    const size = numel(shape) / examplesOf(problem);
    return reshape(sliceAxis(values, -1, at, (at += size)), [...lead, ...shape]);
  });
}
