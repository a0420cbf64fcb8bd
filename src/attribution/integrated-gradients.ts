// Integrated Gradients (Sundararajan, Taly, Yan: arXiv 1703.01365; arXiv 1611.02639).
import { ArgumentError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { hasKinks } from "../compiler/affine.ts";
import { PathIntegral, type PathResult } from "./path.ts";
import { attributionOf } from "./path-values.ts";
import { assertSteps, equidistributed, quadrature, type Quadrature, type Rule } from "./quadrature.ts";
import { formOf } from "./problem.ts";
import type { Attribution, Input, ModelLike, PathOptions } from "./types.ts";
import { reporting } from "./session.ts";

export interface IntegratedGradientsOptions extends PathOptions {
  /**
   * How the integral is approximated. Default: `gauss-legendre` if the network is smooth, `midpoint` if it has kinks.
   * `equidistributed` first probes the score at 65 points and puts more nodes where it changes: for saturated scores.
   */
  readonly rule?: Rule | "equidistributed";
  /** Number of nodes. Default 50. With `tolerance`: the number to start from, default 8. */
  readonly steps?: number;
  /** Explicit nodes and weights instead of a rule; they may repeat, and the weights need not sum to 1. */
  readonly points?: Quadrature;
  /**
   * Doubles the number of nodes until no attribution changes by more than this fraction of the largest one.
   * Completeness never decides: on networks with kinks a small sum error says little about single features.
   */
  readonly tolerance?: number;
  /** Most nodes that `tolerance` may lead to. Default 4096. */
  readonly maxSteps?: number;
}

export interface IntegratedGradientsResult<I extends Input = Input> extends Attribution<I> {
  readonly rule: Rule | "equidistributed" | "explicit";
  /** Largest change of an attribution in the last doubling, relative to the largest one; only with `tolerance`. */
  readonly change?: number;
}

export const DEFAULT_STEPS = 50;

/**
 * IG_i = (x_i - x'_i) * integral over a in [0, 1] of the derivative of f by input i at x' + a (x - x').
 *
 * Interpolation, all passes, the weighted sum over nodes and the product with x - x' run on the device, all nodes in one
 * batch (per chunk, if memory bounds it), with one readback at the end.
 *
 * @param input examples along the first axis
 * @returns attributions of the input's shape; the completeness error `delta` is always reported
 * @throws ArgumentError, ShapeError, NumericError for arguments that do not fit, before anything runs
 */
export async function integratedGradients<I extends Input>(
  model: ModelLike,
  input: I,
  options: IntegratedGradientsOptions = {},
): Promise<IntegratedGradientsResult<I>> {
  checkOptions(options);
  const path = await PathIntegral.open(model, input, options);
  try {
    const rule = ruleOf(path, options);
    const { tolerance, maxSteps = 4096 } = options;
    let run = await once(path, rule, options.steps ?? (tolerance ? 8 : DEFAULT_STEPS), options);
    let change = Infinity;
    while (tolerance && change > tolerance && run.steps * 2 <= maxSteps) {
      const finer = await once(path, rule, run.steps * 2, options, run.evaluations);
      change = relativeChange(run.result.totals, finer.result.totals);
      run = finer;
    }
    return {
      ...summarise(path, run.result, input, run.steps, run.evaluations),
      rule,
      ...(tolerance !== undefined && { change }),
    };
  } finally {
    path.dispose();
  }
}

/** @throws ArgumentError for options that exclude each other, and for numbers that make no quadrature */
export function checkOptions({ points, rule, steps, tolerance }: IntegratedGradientsOptions): void {
  if (steps !== undefined) assertSteps(steps);
  if (tolerance !== undefined && !(tolerance > 0))
    throw new ArgumentError(`tolerance: expected a number > 0, got ${tolerance}`);
  if (!points) return;
  if (rule !== undefined || steps !== undefined || tolerance !== undefined)
    throw new ArgumentError("points: explicit nodes and weights exclude rule, steps and tolerance");
  const { nodes, weights } = points;
  if (nodes.length === 0 || nodes.length !== weights.length || ![...nodes, ...weights].every(Number.isFinite)) {
    throw new ArgumentError(
      `points: ${nodes.length} nodes and ${weights.length} weights; expected as many of both, at least one, all finite`,
    );
  }
}

type RuleName = IntegratedGradientsResult["rule"];

/** How the integral is approximated. */
export function ruleOf({ problem }: PathIntegral, { points, rule }: IntegratedGradientsOptions): RuleName {
  if (points) return "explicit";
  return rule ?? (hasKinks([problem.score], problem.ends) ? "midpoint" : "gauss-legendre");
}

interface Run {
  readonly result: PathResult;
  readonly steps: number;
  readonly evaluations: number;
}

async function once(
  path: PathIntegral,
  rule: RuleName,
  steps: number,
  options: IntegratedGradientsOptions,
  before = 0,
): Promise<Run> {
  const points = await pointsOf(path, rule, steps, options);
  const count = points.nodes.length;
  const total = before + count * path.baselineCount;
  const progress = reporting(options, total, before);
  const result = await path.integrate(path.points(points), { progress });
  return { result, steps: count, evaluations: total };
}

async function pointsOf(
  path: PathIntegral,
  rule: RuleName,
  steps: number,
  options: IntegratedGradientsOptions,
): Promise<Quadrature> {
  if (rule === "explicit") return options.points!;
  if (rule !== "equidistributed") return quadrature(rule, steps);
  const { probedVariation } = await import("./on-demand.ts");
  return equidistributed(await probedVariation(path), steps);
}

function relativeChange(before: readonly HostArray[], after: readonly HostArray[]): number {
  let [largest, difference] = [0, 0];
  after.forEach(({ data }, j) =>
    data.forEach((v, i) => {
      largest = Math.max(largest, Math.abs(v));
      difference = Math.max(difference, Math.abs(v - before[j]!.data[i]!));
    }),
  );
  return largest === 0 ? 0 : difference / largest;
}

/** The result of a path integral as users see it. */
export function summarise<I extends Input>(
  path: PathIntegral,
  result: PathResult,
  input: I,
  steps: number,
  evaluations: number,
): Attribution<I> {
  const { problem, options } = path;
  const form = { ...formOf(problem, input), perClass: problem.target.kind === "all" };
  options.recorder?.noteResult("attributions", form);
  return { ...attributionOf<I>(result, form), steps, evaluations, plan: result.plan };
}
