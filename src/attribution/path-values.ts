// From what a path integral reads back to what users see of it.
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import { asGiven, assertFinite, type ResultForm } from "./problem.ts";
import type { Attribution, Input } from "./types.ts";

export interface PathValues {
  /** What the finale adds up, without the mean score: for Integrated Gradients one array per attributed value. */
  readonly totals: readonly HostArray[];
  readonly outputs: HostArray;
  readonly targets: HostArray | undefined;
  readonly score: HostArray;
  readonly baselineScore: HostArray;
}

/** What tells the results of `wholeGraph` apart. */
export interface PathForm {
  /** What the totals are, for messages. */
  readonly results: readonly string[];
  /** Shape of the model's output. */
  readonly output: Shape;
  /** Weights of the baselines. */
  readonly p: readonly number[];
  /** Whether scores at both ends are the outputs there, or those of the chosen classes, rather than results of their own. */
  readonly pick?: "all" | "class" | undefined;
  /** Whether the results are in the order of {@link readsOf} instead, since several programs made them. */
  readonly parts?: true;
}

/**
 * What is read where several programs make the results.
 * @param sums totals, the last of which is the mean score at the baselines
 * @param ends output, score and, if there is one, class at the input
 */
export const readsOf = <T>(sums: readonly T[], [output, ...ends]: readonly T[]): T[] => [
  ...sums.slice(0, -1),
  output!,
  sums.at(-1)!,
  ...ends,
];

/**
 * The results of `wholeGraph`, in its order, or those that {@link readsOf} puts in order.
 * @param classes those that the caller named
 * @throws NumericError if a total is not finite
 */
export function pathValues(
  read: readonly HostArray[],
  { results, output, p, pick, parts }: PathForm,
  classes: HostArray | undefined,
): PathValues {
  const arrays = [...read];
  const totals = arrays.splice(0, results.length);
  totals.forEach((a, i) => assertFinite(results[i]!, a));
  const outputs = arrays.shift()!;
  if (parts) {
    const [baselineScore, score, targets] = arrays;
    return { totals, outputs, targets, score: score!, baselineScore: baselineScore! };
  }
  const scores = pick ? undefined : arrays.shift();
  const score = p.length > 1 ? arrays.shift() : undefined;
  const targets = arrays[0] ?? classes;
  return {
    totals,
    // Where there are those at both ends, those at the input come last.
    outputs: hostArray(outputs.data.slice(outputs.data.length - numel(output)), output),
    targets,
    ...endScores(scores ?? (pick === "class" ? ofClasses(outputs, targets!) : outputs), p, score),
  };
}

/** Of outputs [1, ends, B, K], those of the classes [B]. */
function ofClasses({ data, shape }: HostArray, { data: classes }: HostArray): HostArray {
  const [, ends = 0, batch = 0, count = 0] = shape;
  const picked = Float32Array.from({ length: ends * batch }, (_, i) => data[i * count + classes[i % batch]!]!);
  return hostArray(picked, [1, ends, batch]);
}

/**
 * Score at the input, and mean score at the baselines with weights p.
 * @param scores [M, nodes, ...]; the last node is the baseline, or, if the score at the input is not given, the input, and
 *   the baseline comes before it
 */
function endScores({ shape: [, nodes = 0, ...rest], data }: HostArray, p: readonly number[], given?: HostArray) {
  const size = numel(rest);
  const at = (m: number, node: number): HostArray["data"] => data.subarray((m * nodes + node) * size).subarray(0, size);
  const starts = p.map((_, m) => at(m, given ? nodes - 1 : nodes - 2));
  const mean = at(0, 0).map((_, i) => p.reduce((sum, weight, m) => sum + weight * starts[m]![i]!, 0));
  return { score: given ?? hostArray(at(0, nodes - 1), rest), baselineScore: hostArray(mean, rest) };
}

export interface AttributionForm extends ResultForm {
  /** Whether all classes are explained. */
  readonly perClass: boolean;
}

/** What of an attribution follows from the values of its path. */
export const attributionOf = <I extends Input>(
  values: PathValues,
  form: AttributionForm,
): Pick<Attribution<I>, "attributions" | "delta" | "scores" | "targets" | "outputs"> => ({
  attributions: asGiven<I>(form, values.totals),
  ...completeness(values, form.perClass),
  targets: values.targets,
  outputs: values.outputs,
});

/**
 * Scores at both ends, and the completeness error, summed in double precision.
 * @param perClass whether scores are those of all classes, [B, K]: results lead with the class
 */
function completeness(
  { totals, score, baselineScore }: Pick<PathValues, "totals" | "score" | "baselineScore">,
  perClass: boolean,
): Pick<Attribution, "delta" | "scores"> {
  const [input, baseline] = perClass ? [transposed(score), transposed(baselineScore)] : [score, baselineScore];
  const groups = numel(input.shape);
  const delta = new Float32Array(groups);
  for (let g = 0; g < groups; g++) {
    const total = totals.reduce((sum, { data }) => {
      const size = data.length / groups;
      let part = 0;
      for (let i = g * size; i < (g + 1) * size; i++) part += data[i]!;
      return sum + part;
    }, 0);
    delta[g] = total - (input.data[g]! - baseline.data[g]!);
  }
  return { delta: hostArray(delta, input.shape), scores: { input, baseline } };
}

function transposed({ shape, data }: HostArray): HostArray {
  const [rows, columns] = shape as [number, number];
  return hostArray(
    Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!),
    [columns, rows],
  );
}
