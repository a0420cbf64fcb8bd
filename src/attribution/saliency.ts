// Plain gradients: the local explanations that path methods are compared with.
import type { HostArray } from "../tensor/host.ts";
import { PathIntegral } from "./path.ts";
import { summarise } from "./integrated-gradients.ts";
import { asGiven, formOf } from "./problem.ts";
import type { Attribution, Attributions, Input, ModelLike, RunOptions, ScoreOptions } from "./types.ts";

export interface GradientOptions extends RunOptions, ScoreOptions {
  /** Attributes to a named intermediate value instead of the input. */
  readonly layer?: string;
}

export interface SaliencyResult<I extends Input = Input> {
  /** The gradient of the score, signed; shape of the input. */
  readonly attributions: Attributions<I>;
  /** Score at the input: [B]. */
  readonly scores: HostArray;
}

/** Gradient of the score at the input (Simonyan et al., arXiv 1312.6034, before taking magnitudes). */
export async function saliency<I extends Input>(
  model: ModelLike,
  input: I,
  options: GradientOptions = {},
): Promise<SaliencyResult<I>> {
  const path = await PathIntegral.open(model, input, options);
  try {
    const { problem } = path;
    const { endGradients, pathRows, rowGraph } = await import("./on-demand.ts");
    const [scores, ...gradients] = await pathRows(
      path,
      "saliency",
      (count) => rowGraph(problem, count, [problem.score, ...endGradients(problem)]),
      [1],
    );
    const arrays = gradients.map((g) => ({ ...g, shape: g.shape.slice(1) }));
    return {
      attributions: asGiven<I>(formOf(problem, input), arrays),
      scores: { ...scores!, shape: scores!.shape.slice(1) },
    };
  } finally {
    path.dispose();
  }
}

/**
 * Gradient times input: Integrated Gradients with a zero baseline and the single node a = 1.
 * `delta` says how far the sum is from f(x) - f(0): zero only for linear models without bias.
 */
export async function gradientXInput<I extends Input>(
  model: ModelLike,
  input: I,
  options: GradientOptions = {},
): Promise<Attribution<I>> {
  const path = await PathIntegral.open(model, input, options);
  try {
    const result = await path.integrate(path.points({ nodes: [1], weights: [1] }));
    return summarise(path, result, input, 1, 1);
  } finally {
    path.dispose();
  }
}
