// Path integrals along any differentiable curve.
import { assertChoice } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { hasKinks } from "../compiler/affine.ts";
import { assertExamples } from "./coordinates.ts";
import { curveIntegrand, straight, traceCurve, type Curve } from "./curve-graphs.ts";
import { WEIGHTINGS, type Weighting } from "./idgi-shares.ts";
import { summarise } from "./integrated-gradients.ts";
import { PathIntegral } from "./path.ts";
import { assertSteps, quadrature, type Quadrature, type Rule } from "./quadrature.ts";
import type { Attribution, Input, ModelLike, PathOptions } from "./types.ts";
import { reporting } from "./session.ts";

export type { Curve, CurveState } from "./curve-graphs.ts";

export interface CurvePathOptions extends Omit<PathOptions, "hoist"> {
  /** The path: it must be at the baseline for alpha = 0, and at the input for alpha = 1. Default: the straight line. */
  readonly curve?: Curve;
  /** Nodes of the quadrature; with IDGI, steps between equally spaced nodes. Default 50. */
  readonly steps?: number;
  /** Default: as for `integratedGradients`. Not with IDGI. */
  readonly rule?: Rule;
  /**
   * What the coordinates get: `gradient` (default) times the tangent of the curve, or `idgi`, what the score gains in each
   * step, shared out by the squared derivatives at its beginning.
   */
  readonly weighting?: Weighting;
}

const DEFAULT_STEPS = 50;

/**
 * Attribution_i = integral over a in [0, 1] of the derivative of f by input i at z(a), times dz_i/da; the tangent is that of
 * the traced curve, not a difference of points. For the straight line this is Integrated Gradients. With the weighting
 * "idgi" (arXiv 2303.14242): sum over steps of g_i^2 (f(z(a + 1/n)) - f(z(a))) / |g|^2, with g the gradient at z(a).
 *
 * @param input examples along the first axis
 * @returns attributions of the input's shape; `delta` compares their sum with f(x) - f(x'): with IDGI it is rounding alone,
 * unless the gradient vanishes at a node
 * @throws ArgumentError, ShapeError, NumericError for arguments that do not fit, before anything runs
 */
export async function curvePath<I extends Input>(
  model: ModelLike,
  input: I,
  options: CurvePathOptions = {},
): Promise<Attribution<I>> {
  const { curve = straight, steps = DEFAULT_STEPS, weighting = "gradient", rule } = options;
  assertSteps(steps);
  assertChoice("weighting", weighting, ...WEIGHTINGS);
  if (weighting === "idgi" && rule !== undefined)
    throw new ArgumentError('rule: with the weighting "idgi" nodes are equally spaced; give one or the other');
  const path = await PathIntegral.open(model, input, { ...options, hoist: false });
  try {
    const { problem, shape } = path;
    assertExamples(problem);
    const traced = traceCurve(problem, curve);
    const kinks = hasKinks([problem.score], problem.ends);
    const points =
      weighting === "idgi" ? ends(steps) : quadrature(rule ?? (kinks ? "midpoint" : "gauss-legendre"), steps);
    const evaluations = points.nodes.length * path.baselineCount;
    const progress = reporting(options, evaluations);
    const integrand = curveIntegrand(shape, traced, weighting);
    const result = await path.integrate(path.points(points), { integrand, progress });
    return summarise(path, result, input, steps, evaluations);
  } finally {
    path.dispose();
  }
}

/** Both ends of all steps; nothing is weighted. */
function ends(steps: number): Quadrature {
  const nodes = Array.from({ length: steps + 1 }, (_, k) => k / steps);
  return { nodes, weights: nodes.map(() => 0) };
}
