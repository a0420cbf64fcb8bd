// Competitive gradient x input, CGI (arXiv 1905.12152).
import type { HostArray } from "../tensor/host.ts";
import { checkLabels, type CompetitionRules, type CompetitionTarget } from "./competition.ts";
import { checkExampleAxis, chooseDevice, namedInputs, traceProblem } from "./problem.ts";
import type { Attributions, Input, ModelLike, RunOptions, ScoreOptions } from "./types.ts";
import { runCgi } from "./competition-run.ts";

export interface CgiOptions extends RunOptions, ScoreOptions, CompetitionRules {
  /** Default "predicted". */
  readonly target?: CompetitionTarget;
  /** Attributes to a named intermediate value instead of the input. */
  readonly layer?: string;
}

/** What ran. */
export interface CgiPlan {
  /** Cotangents per example: the number of classes, or of elements of a bottleneck that all maps were combined from. */
  readonly cotangents: number;
  /** Submits that the classes took, and classes in each. */
  readonly blocks: number;
  readonly classesPerBlock: number;
  /** Device memory beside weights and inputs. */
  readonly bytes: number;
  readonly dispatches: number;
  readonly submits: number;
  readonly pipelines: number;
  readonly flops: number;
}

export interface CgiResult<I extends Input = Input> {
  /** Shape of the input without a summed axis; with target "all" a leading class axis. */
  readonly attributions: Attributions<I>;
  /** Scores of all classes: [B, K]. */
  readonly scores: HostArray;
  /** Output of the model at the input. */
  readonly outputs: HostArray;
  /** The explained class of every example; absent for target "all". */
  readonly targets: HostArray | undefined;
  readonly plan: CgiPlan;
}

/**
 * Competitive gradient x input: h_y = x * d score_y / dx for every label y. A label keeps an element if h_y is positive
 * there and no other label has a larger one, or negative and none has a smaller one; the others are 0.
 *
 * All classes of a block share one forward pass, blocks leave only a few values per element behind, and one readback ends
 * the run. (With target "all" and labels whose maps are exactly equal somewhere, all blocks are run and read once more.)
 * Where the network is narrower than its classes are many, gradients of the narrow value are combined instead:
 * `plan.cotangents` says so.
 *
 * @param input examples along the first axis
 * @throws ArgumentError if the model has fewer than two classes, or the target is a function
 * @throws ArgumentError, ShapeError, NumericError, LimitError as the other methods
 */
export async function cgi<I extends Input>(
  model: ModelLike,
  input: I,
  options: CgiOptions = {},
): Promise<CgiResult<I>> {
  const { signal, target = "predicted" } = options;
  signal?.throwIfAborted();
  const arrays = namedInputs(model, input);
  const problem = traceProblem(model, input, arrays, { ...options, target: "all" });
  checkLabels(target, problem.target.batch, problem.target.classes);
  const { batch } = problem.target;
  if (batch > 1) checkExampleAxis(problem, batch);
  const device = chooseDevice(problem, arrays, options.device);
  return runCgi(problem, device, arrays, input, options);
}
