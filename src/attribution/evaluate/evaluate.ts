// Several methods judged by several metrics on the same inputs.
import { ArgumentError } from "../../tensor/errors.ts";
import type { Device } from "../../tensor/device.ts";
import { hostArray, type HostArray } from "../../tensor/host.ts";
import type { Target } from "../score.ts";
import type { ModelLike, Progress } from "../types.ts";
import { insertion } from "./removal.ts";
import type { Explainable } from "./stability.ts";
import type { Explained, PerExample } from "./subject.ts";

/** What a method is told: pass it on to the functions of this package. */
export interface ExplainerOptions {
  readonly device?: Device;
  readonly target?: Target;
  readonly signal?: AbortSignal;
}

/**
 * Attributions of a model, shaped as the input. The number of examples varies, so that baselines should be recipes or arrays
 * of one example.
 */
export type Explainer = (
  model: ModelLike,
  input: HostArray,
  options: ExplainerOptions,
) => Promise<{ readonly attributions: HostArray }>;

/** What a metric sees: one method's attributions, and how to get more. */
export interface Subject extends Explained, Explainable {
  readonly input: HostArray;
  readonly attributions: HostArray;
}

/** One number per example; NaN where it has no meaning. */
export type Metric = (subject: Subject) => PerExample | Promise<PerExample>;

export interface EvaluationData {
  readonly model: ModelLike;
  /** [B, ...] */
  readonly input: HostArray;
  /** The class of every example that is explained. Default: the one that the model predicts. */
  readonly targets?: readonly number[];
  /** Needed if the model does not live on a device. */
  readonly device?: Device;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export interface Judgement {
  /** Mean over the examples for which the metric has a meaning; NaN if there are none. */
  readonly mean: number;
  /** How many those are. */
  readonly count: number;
  /** One number per example. */
  readonly values: Float64Array;
}

export interface Evaluation<M extends string = string, Q extends string = string> {
  readonly methods: readonly M[];
  readonly metrics: readonly Q[];
  readonly results: Readonly<Record<M, Readonly<Record<Q, Judgement>>>>;
  /** A row for each method: its name, and the mean of every metric. */
  readonly rows: readonly (readonly [M, ...number[]])[];
  readonly targets: readonly number[] | undefined;
}

/**
 * Runs every method once on all examples and every metric on its attributions.
 * @example
 * const table = await evaluate(
 *   { gradient: saliency, IG: (m, x, o) => integratedGradients(m, x, { ...o, steps: 50 }) },
 *   { model, input: pictures },
 *   { deletion: (s) => deletion(s, { baseline: 0 }), gini },
 * );
 * @throws ArgumentError without methods or metrics, or when either does not give what it should
 */
export async function evaluate<M extends string, Q extends string>(
  methods: Readonly<Record<M, Explainer>>,
  data: EvaluationData,
  metrics: Readonly<Record<Q, Metric>>,
): Promise<Evaluation<M, Q>> {
  const [names, columns] = [Object.keys(methods) as M[], Object.keys(metrics) as Q[]];
  if (names.length === 0 || columns.length === 0)
    throw new ArgumentError(
      `evaluate: ${names.length} methods and ${columns.length} metrics; expected one of each at least`,
    );
  const { model, input, device, signal } = data;
  signal?.throwIfAborted();
  const given = { ...(device && { device }), ...(signal && { signal }) };
  const targets = data.targets ?? (await predictedClasses(data));
  const results = {} as Record<M, Record<Q, Judgement>>;
  const total = names.length * columns.length;
  let done = 0;
  const everyone = Array.from({ length: input.shape[0] ?? 1 }, (_, b) => b);
  for (const name of names) {
    const explain = async (x: HostArray, examples: readonly number[]): Promise<HostArray> => {
      const target = targets && { target: examples.map((b) => targets[b]!) };
      return (await methods[name](model, x, { ...given, ...target })).attributions;
    };
    const attributions = await explain(input, everyone);
    const subject = { model, input, attributions, targets, explain };
    results[name] = {} as Record<Q, Judgement>;
    for (const metric of columns) {
      signal?.throwIfAborted();
      const { values } = await metrics[metric](subject);
      if (values.length !== everyone.length)
        throw new ArgumentError(`${metric}: ${values.length} numbers for ${everyone.length} examples`);
      results[name][metric] = judgement(values);
      data.onProgress?.({ done: ++done, total });
    }
  }
  const rows = names.map((name) => [name, ...columns.map((metric) => results[name][metric].mean)] as const);
  return { methods: names, metrics: columns, results, rows, targets };
}

function judgement(values: Float64Array): Judgement {
  const known = values.filter((v) => !Number.isNaN(v));
  return { mean: known.reduce((a, b) => a + b, 0) / known.length, count: known.length, values };
}

/** The class of every example; undefined if the output has no classes. */
async function predictedClasses({ model, input, device, signal }: EvaluationData): Promise<number[] | undefined> {
  const none = hostArray(new Float32Array(input.data.length), input.shape);
  const subject = { model, input, attributions: none };
  const { targets } = await insertion(subject, {
    fractions: [0, 1],
    ...(device && { device }),
    ...(signal && { signal }),
  });
  return targets && Array.from(targets.data);
}
