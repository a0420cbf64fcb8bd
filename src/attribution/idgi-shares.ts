// IDGI (Yang, Wang, Bilgic: arXiv 2303.14242): what the score gains in a step is shared out by squared derivatives.
import type { Node } from "../graph/node.ts";
import { abs, div, mul, square } from "../kernels/arithmetic.ts";
import { sum } from "../kernels/broadcast.ts";
import { equal, select } from "../kernels/choice.ts";

/** What the coordinates get of a step: `gradient` times their move, or `idgi`. */
export const WEIGHTINGS = ["gradient", "idgi"] as const;
export type Weighting = (typeof WEIGHTINGS)[number];

/**
 * g_i^2 / |g|^2 over the last axis; 0 where the gradient vanishes.
 * Scaled first: squares of the tiny gradients of a saturated probability would underflow.
 */
export function idgiShares(gradient: Node): Node {
  const total = (x: Node): Node => sum(x, -1, { keepDims: true });
  const scale = total(abs(gradient));
  const squares = square(div(gradient, select(equal(scale, 0), 1, scale)));
  const norm = total(squares);
  return mul(squares, select(equal(norm, 0), 0, div(1, norm)));
}
