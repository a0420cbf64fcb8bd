// From what the device sums up to interactions as users see them. Sums here are in double precision.
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import type { HessianRows } from "./hessian-plan.ts";
import type { IntegratedHessiansResult } from "./integrated-hessians.ts";
import type { PathValues } from "./path-values.ts";
import { asGiven, type ResultForm } from "./problem.ts";
import type { Input } from "./types.ts";

/** What all blocks of rows add up to. */
export interface HessianSums {
  readonly block: RowBlock;
  /** Integrated Gradients of every attributed value. */
  readonly attributions: readonly HostArray[];
  /** Scores, outputs and classes, which all blocks have. */
  readonly ends: PathValues;
}

/** @param results of every block of rows: totals as `hessianIntegrand` names them */
export function sumsOf(results: readonly PathValues[], { ids, labels }: HessianRows): HessianSums {
  const blocks = results.map(({ totals: [matrix, sums] }) => ({
    matrix: matrix!,
    // Of features, all columns are there; of groups, some features may be in none.
    rowSums: labels ? sums! : rowSumsOf(matrix!),
  }));
  const attributions = results[0]!.totals.slice(labels ? 2 : 1);
  return { block: stackBlocks(blocks, ids.length), attributions, ends: results.at(-1)! };
}

export interface InteractionsForm extends ResultForm {
  readonly rows: HessianRows;
  /** If only these are asked for. */
  readonly pairs: readonly (readonly [number, number])[] | undefined;
  /** Whether all interactions are there. */
  readonly complete: boolean;
}

/** What of Integrated Hessians follows from what the device summed up. */
export function interactionsOf<I extends Input>(sums: HessianSums, form: InteractionsForm) {
  const { block, attributions, ends } = sums;
  const { rows, pairs, complete } = form;
  const { score, baselineScore, targets, outputs } = ends;
  return {
    interactions: pairs ? pickPairs(block, rows, pairs) : block.matrix,
    attributions: asGiven<I>(form, attributions),
    residuals: residualsOf(sums, rows),
    delta: deltaOf(sums, complete),
    symmetryError: symmetryErrorOf(block, rows),
    scores: { input: score, baseline: baselineScore },
    targets,
    outputs,
  } satisfies Partial<IntegratedHessiansResult<I>>;
}

/** Interactions of some rows, for one or more examples. */
export interface RowBlock {
  /** [B, T, C] */
  readonly matrix: HostArray;
  /** [B, T] */
  readonly rowSums: HostArray;
}

/** [B, T, C] -> [B, T] */
function rowSumsOf({ data, shape }: HostArray): HostArray {
  const columns = shape.at(-1)!;
  const sums = new Float64Array(data.length / columns);
  data.forEach((v, i) => (sums[Math.floor(i / columns)]! += v));
  return hostArray(Float32Array.from(sums), shape.slice(0, -1));
}

/** Blocks of rows one below the other; what fills up the last one is dropped. */
function stackBlocks(blocks: readonly RowBlock[], rows: number): RowBlock {
  if (blocks.length === 1 && blocks[0]!.rowSums.shape.at(-1) === rows) return blocks[0]!;
  return {
    matrix: stackRows(
      blocks.map(({ matrix }) => matrix),
      rows,
      blocks[0]!.matrix.shape.at(-1)!,
      2,
    ),
    rowSums: stackRows(
      blocks.map(({ rowSums }) => rowSums),
      rows,
      1,
      1,
    ),
  };
}

/** Joins [B, t, size] along t and keeps `rows` of the result; `trailing` axes follow the batch. */
function stackRows(parts: readonly HostArray[], rows: number, size: number, trailing: number): HostArray {
  const first = parts[0]!;
  const lead = first.shape.slice(0, first.shape.length - trailing);
  const batch = numel(lead);
  const per = first.data.length / batch / size;
  const data = new Float32Array(batch * rows * size);
  for (let b = 0; b < batch; b++) {
    parts.forEach((part, i) => {
      const count = Math.min(per, rows - i * per);
      data.set(part.data.subarray(b * per * size, (b * per + count) * size), (b * rows + i * per) * size);
    });
  }
  return hostArray(data, trailing === 1 ? [...lead, rows] : [...lead, rows, size]);
}

/** Row sums minus the attributions of the rows, [B, T]. */
export function residualsOf(
  { block: { rowSums }, attributions }: Pick<HessianSums, "block" | "attributions">,
  rows: HessianRows,
): HostArray {
  const { ids } = rows;
  const batch = rowSums.data.length / ids.length;
  const data = Float32Array.from(rowSums.data);
  for (let b = 0; b < batch; b++) {
    const own = perLabel(attributions, b, batch, rows);
    ids.forEach((id, t) => (data[b * ids.length + t]! -= own[id] ?? 0));
  }
  return hostArray(data, rowSums.shape);
}

/** Attributions of one example, by feature or summed over every group. */
function perLabel(attributions: readonly HostArray[], b: number, batch: number, { labels, groups }: HessianRows) {
  const flat = attributions.flatMap(({ data }) => {
    const size = data.length / batch;
    return Array.from(data.subarray(b * size, (b + 1) * size));
  });
  if (!labels) return flat;
  const sums = new Float64Array(groups!);
  labels.forEach((label, i) => label >= 0 && (sums[label]! += flat[i]!));
  return sums;
}

/** max |G_ij - G_ji| over rows that are columns too, relative to the largest entry. */
function symmetryErrorOf({ matrix }: RowBlock, { ids }: HessianRows): number {
  const columns = matrix.shape.at(-1)!;
  const rows = ids.length;
  let [worst, largest] = [0, 0];
  for (let from = 0; from < matrix.data.length; from += rows * columns) {
    for (let t = 0; t < rows; t++) {
      for (let s = 0; s < t; s++) {
        const difference = matrix.data[from + t * columns + ids[s]!]! - matrix.data[from + s * columns + ids[t]!]!;
        worst = Math.max(worst, Math.abs(difference));
      }
    }
  }
  for (const v of matrix.data) largest = Math.max(largest, Math.abs(v));
  return largest === 0 ? 0 : worst / largest;
}

/** sum - (f(x) - f(x')) for every example, of the interactions if they are all there, else of the attributions. */
function deltaOf({ block, attributions, ends }: HessianSums, complete: boolean): HostArray {
  const { score: at, baselineScore: from } = ends;
  const batch = at.data.length;
  const terms = complete ? [block.rowSums] : attributions;
  const data = Float32Array.from({ length: batch }, (_, b) => {
    let total = 0;
    for (const { data } of terms) {
      const size = data.length / batch;
      for (let i = b * size; i < (b + 1) * size; i++) total += data[i]!;
    }
    return total - (at.data[b]! - from.data[b]!);
  });
  return hostArray(data, at.shape);
}

/** Entries of single pairs, [B, P]. Row `t` of the matrix belongs to feature `ids[t]`. */
function pickPairs(
  { matrix }: RowBlock,
  { ids }: HessianRows,
  pairs: readonly (readonly [number, number])[],
): HostArray {
  const columns = matrix.shape.at(-1)!;
  const lead = matrix.shape.slice(0, -2);
  const rowOf = new Map(ids.map((id, t) => [id, t]));
  const data = Float32Array.from({ length: numel(lead) * pairs.length }, (_, k) => {
    const b = Math.floor(k / pairs.length);
    const [i, j] = pairs[k % pairs.length]!;
    return matrix.data[(b * ids.length + rowOf.get(i)!) * columns + j]!;
  });
  return hostArray(data, [...lead, pairs.length]);
}
