// Leading axes of contractions: both operands may broadcast along them without a copy.
import { numel, type Shape } from "../tensor/shape.ts";

/** Which matrix of an operand belongs to matrix p of the result: (p / div) % mod. */
export interface Planes {
  readonly div: number;
  readonly mod: number;
}

/**
 * How an operand with leading axes `own` is read when the result has leading axes `full`.
 * Undefined if its kept axes are not adjacent ([P, 1, Q] in [P, B, Q]): such an operand has to be broadcast first.
 */
export function planesOf(own: Shape, full: Shape): Planes | undefined {
  const padded = [...Array<number>(full.length - own.length).fill(1), ...own];
  const kept = padded.flatMap((n, i) => (n === 1 ? [] : [i]));
  if (kept.length === 0) return { div: 1, mod: 1 };
  const [first, last] = [kept[0]!, kept[kept.length - 1]!];
  if (full.slice(first, last + 1).some((n, i) => padded[first + i] !== n)) return undefined;
  return { div: numel(full.slice(last + 1)), mod: numel(full.slice(first, last + 1)) };
}
