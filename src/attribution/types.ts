// What all attribution methods take and give.
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Value } from "../graph/node.ts";
import type { Model, Tap } from "../nn/model.ts";
import type { Baseline, WeightedBaseline } from "./baselines.ts";
import type { PathKernel } from "./path-mlp.ts";
import type { Recorder } from "./recorder.ts";
import type { Score, Target } from "./score.ts";

export type ArrayInput = HostArray | Tensor;
/** One input, or several by name; every array has the examples along its first axis. */
export type Input = ArrayInput | Readonly<Record<string, ArrayInput>>;

/**
 * A network: an imported or written model, or a function of one value (or of a record of them, if the input is one).
 * Examples must not influence each other. A result of shape [] makes the whole input one example.
 */
export type ModelLike =
  Model | ((input: Value, tap?: Tap) => Value) | ((inputs: Readonly<Record<string, Value>>, tap?: Tap) => Value);

export interface Progress {
  readonly done: number;
  readonly total: number;
}

export interface RunOptions {
  /** Needed only if neither the model nor an input lives on a device. */
  readonly device?: Device;
  /** Bytes of device memory that a run may take beside weights and inputs. Default 512 MiB. Results do not depend on it. */
  readonly memoryBudget?: number;
  /** Called after every chunk with the number of gradient evaluations done and planned. */
  readonly onProgress?: (progress: Progress) => void;
  /** Aborts between chunks; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** @internal Takes down what the run does: see `saveExplanation`. */
  readonly recorder?: Recorder;
}

export interface ScoreOptions {
  /** Default "predicted". */
  readonly target?: Target;
  /** Default "logit": the output as it is. */
  readonly score?: Score;
  /** Name of the output, for models with several. */
  readonly output?: string;
}

export interface PathOptions extends RunOptions, ScoreOptions {
  /** Default "zero". Several ones are averaged with their weights. */
  readonly baseline?: Baseline | readonly WeightedBaseline[];
  /** Attributes to a named intermediate value instead of the input: the path runs between its values at both ends. */
  readonly layer?: string;
  /**
   * Whether `baseline` is one of the input (default), or of the layer itself: zero or a mask embedding, say, for token
   * ids, which have no zero of their own.
   */
  readonly baselineOf?: "input" | "layer";
  /** Whether linear work is hoisted out of the steps (exact up to rounding). Default true. */
  readonly hoist?: boolean;
  /**
   * What integrates gradients where it can: {@link wholeNetwork}, one kernel for a whole small dense network. Default: kernels
   * for each layer. See `plan.kernel` of the result.
   */
  readonly kernel?: PathKernel;
}

/** What ran. */
export interface Plan {
  readonly chunks: number;
  readonly stepsPerChunk: number;
  /** Device memory beside weights and inputs. */
  readonly bytes: number;
  /** Dispatches of one chunk: independent of the number of steps in it. */
  readonly dispatchesPerChunk: number;
  readonly dispatches: number;
  readonly submits: number;
  readonly pipelines: number;
  readonly flops: number;
  /**
   * What a path integral keeps for the backward pass: values, or where memory is short, bits and small integers instead of
   * what rectifiers and maxima would only compare. Results are the same.
   */
  readonly saved?: "values" | "bits";
  /** Whether one kernel integrated the gradients of the whole network, or kernels for each layer did. */
  readonly kernel?: "whole" | "layers";
}

/** One array for one input, a record of them for named inputs. */
export type Attributions<I extends Input> = I extends ArrayInput ? HostArray : Readonly<Record<keyof I, HostArray>>;

export interface Attribution<I extends Input = Input> {
  /** Shape of the input (or layer); with target "all" a leading class axis. */
  readonly attributions: Attributions<I>;
  /** Completeness error of every example: sum of attributions - (f(x) - f(x')); [K, B] for target "all". */
  readonly delta: HostArray;
  /** Score at the input and (averaged over) the baselines: [B], or [K, B]. */
  readonly scores: { readonly input: HostArray; readonly baseline: HostArray };
  /** The explained class of every example, where one was chosen. */
  readonly targets: HostArray | undefined;
  /** Output of the model at the input. */
  readonly outputs: HostArray;
  /** Nodes of the quadrature. */
  readonly steps: number;
  /** Gradient evaluations per example. */
  readonly evaluations: number;
  readonly plan: Plan;
}
