// From what a path integral reads back to what users see of it.
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import { assertFinite } from "./problem.ts";
import type { Attribution } from "./types.ts";

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
}

/**
 * The results of `wholeGraph`, in its order.
 * @param classes those that the caller named
 * @throws NumericError if a total is not finite
 */
export function pathValues(
  read: readonly HostArray[],
  { results, output, p, pick }: PathForm,
  classes: HostArray | undefined,
): PathValues {
  const arrays = [...read];
  const totals = arrays.splice(0, results.length);
  totals.forEach((a, i) => assertFinite(results[i]!, a));
  const outputs = arrays.shift()!;
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

/**
 * Scores at both ends, and the completeness error, summed in double precision.
 * @param perClass whether scores are those of all classes, [B, K]: results lead with the class
 */
export function completeness(
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
