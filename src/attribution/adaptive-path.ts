// Adaptive paths: which coordinates move next is decided on the way, by the gradient met there.
import { assertAtLeast, assertChoice, assertWhole } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import type { Choose } from "./adaptive-graphs.ts";
import { runAdaptive, type AdaptivePlan } from "./adaptive-run.ts";
import { assertArrays } from "./baseline-set.ts";
import { assertExamples } from "./coordinates.ts";
import { WEIGHTINGS, type Weighting } from "./idgi-shares.ts";
import { summarise } from "./integrated-gradients.ts";
import { PathIntegral } from "./path.ts";
import { asGiven, formOf } from "./problem.ts";
import { assertSteps } from "./quadrature.ts";
import type { Attribution, Attributions, Input, ModelLike, PathOptions } from "./types.ts";

export type { Choose, PathState } from "./adaptive-graphs.ts";
export type { AdaptivePlan } from "./adaptive-run.ts";

export interface AdaptiveOptions extends Omit<PathOptions, "hoist"> {
  /** Gradients one after another on a path. Default 200. */
  readonly steps?: number;
  /** Part of all coordinates that may move at a time, in (0, 1]: those of least cost. Default 0.25. */
  readonly fraction?: number;
  /** How far a coordinate's progress may be from that of the straight path, >= 0. Default 0.02; 1 is no bound. */
  readonly maxDist?: number;
  /**
   * Points on the straight path that the path must meet, equally spaced. The segments between them advance side by side,
   * each without a bound, and share out the steps (rounded up). Default 0; the authors of Guided IG use 20.
   */
  readonly anchors?: number;
  /** What a step gives to the coordinates: `gradient` (default) times their move, or the gain of the score by IDGI. */
  readonly weighting?: Weighting;
  /** Whether to return the points at which gradients were taken. For one class and one baseline. */
  readonly returnPath?: boolean;
}

export interface AdaptivePathOptions extends AdaptiveOptions {
  /** Cost of moving, of every coordinate. */
  readonly choose: Choose;
}

export interface AdaptivePathResult<I extends Input = Input> extends Attribution<I> {
  readonly plan: AdaptivePlan;
  /** Points at which gradients were taken, [steps, ...input]: the first is the baseline. Only with `returnPath`. */
  readonly path?: Attributions<I>;
}

const DEFAULT_STEPS = 200;

/**
 * Integrates gradients along a path that is found on the way. In each of n steps the mean progress of the coordinates from
 * x' to x, weighted by |x - x'|, grows by 1 / n; those of least cost move first, within a corridor around the straight
 * path; each gets its move times the derivative at the beginning of the step (as Guided IG does, arXiv 2106.09788).
 *
 * Examples, classes, baselines and segments advance side by side on the device, with one readback at the end.
 *
 * @param input examples along the first axis; with several inputs, the coordinates of all of them compete
 * @returns attributions of the input's shape, and the completeness error `delta`: a few percent, as the steps are few
 * @throws ArgumentError, ShapeError, NumericError for arguments that do not fit; LimitError if one row does not fit the
 * memory budget
 */
export async function adaptivePath<I extends Input>(
  model: ModelLike,
  input: I,
  options: AdaptivePathOptions,
): Promise<AdaptivePathResult<I>> {
  const { choose, fraction = 0.25, weighting = "gradient", returnPath = false, anchors = 0 } = options;
  checkOptions(options);
  const segments = anchors + 1;
  const maxDist = anchors > 0 ? 1 : (options.maxDist ?? 0.02);
  const steps = Math.ceil((options.steps ?? DEFAULT_STEPS) / segments);
  const path = await PathIntegral.open(model, input, { ...options, hoist: false });
  try {
    const { problem } = path;
    assertExamples(problem);
    if (path.starting.every(({ dtype }) => dtype !== "f32")) assertArrays(options.baseline);
    if (returnPath && (path.baselineCount > 1 || problem.target.kind === "all")) {
      throw new ArgumentError(
        'returnPath: every baseline and class has a path of its own; call once for each, without target "all"',
      );
    }
    const { onProgress: progress } = options;
    const request = { choose, weighting, fraction, maxDist, steps, segments, positions: returnPath, progress };
    const result = await runAdaptive(path, request);
    const evaluations = steps * segments * path.baselineCount;
    return {
      ...summarise(path, result, input, steps * segments, evaluations),
      plan: result.plan,
      ...(result.positions && { path: asGiven<I>(formOf(problem, input), result.positions) }),
    };
  } finally {
    path.dispose();
  }
}

function checkOptions(options: AdaptivePathOptions): void {
  const { choose, fraction = 0.25, maxDist = 0, anchors = 0, steps = DEFAULT_STEPS, weighting } = options;
  assertSteps(steps);
  if (typeof choose !== "function")
    throw new ArgumentError("choose: expected a function that gives the cost of moving");
  if (!(fraction > 0 && fraction <= 1))
    throw new ArgumentError(`fraction: expected a number in (0, 1], got ${fraction}`);
  assertAtLeast("maxDist", maxDist, 0);
  assertWhole("anchors", anchors, 0);
  if (anchors > 0 && options.maxDist !== undefined)
    throw new ArgumentError("maxDist: segments between anchors have no corridor; give anchors or maxDist");
  assertChoice("weighting", weighting, ...WEIGHTINGS);
}
