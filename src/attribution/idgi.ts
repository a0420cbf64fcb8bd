// IDGI: Integrated Directional Gradients (Yang, Wang, Bilgic: arXiv 2303.14242).
import { curvePath, type CurvePathOptions } from "./curve-path.ts";
import type { Attribution, Input, ModelLike } from "./types.ts";

/**
 * What the score gains in each step along a path is shared out by squared derivatives: the part of a step across the
 * gradient, which changes nothing, gives nothing. Attributions sum to f(x) - f(x') with any number of steps, and have the
 * sign of the gain, not that of x - x'. For adaptive paths, give them `weighting: "idgi"`.
 * @throws as {@link curvePath}
 */
export const idgi = <I extends Input>(
  model: ModelLike,
  input: I,
  options: Omit<CurvePathOptions, "weighting" | "rule"> = {},
): Promise<Attribution<I>> => curvePath(model, input, { ...options, weighting: "idgi" });
