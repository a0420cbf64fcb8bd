// Batched graphs against loops over their unbatched originals.
import { batchGraph } from "../autograd/batch.ts";
import { input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { reachable } from "../graph/trace.ts";
import { numel } from "../tensor/shape.ts";
import { worstError, type Array64 } from "./array.ts";
import type { Probe } from "./check.ts";
import { evaluateNodes } from "./evaluate.ts";
import { randomArray } from "./random.ts";

const SIZE = 3;

/** Largest relative error over all subsets of the arguments (and the tangents and cotangents alone) that get a batch axis. */
export function batchError(probe: Probe, nodes: readonly Node[]): number {
  const seeds = [...probe.vs, ...probe.us].filter((node) => node !== null);
  const used = new Set(reachable(nodes));
  const sets = [...subsets(probe.xs), seeds, [...probe.xs, ...seeds]].map((set) => set.filter((x) => used.has(x)));
  return Math.max(0, ...sets.map((set) => subsetError(probe, nodes, set)), nestedError(probe, nodes, [...probe.xs]));
}

function subsets(xs: readonly Node[]): Node[][] {
  const masks = Array.from({ length: 2 ** xs.length - 1 }, (_, i) => i + 1);
  return masks.map((mask) => xs.filter((_, i) => mask & (1 << i)));
}

interface Batched {
  readonly nodes: readonly { readonly node: Node; readonly batched: boolean }[];
  readonly inputs: ReadonlyMap<Node, Node>;
}

function withBatchAxis(nodes: readonly Node[], set: readonly Node[]): Batched {
  const inputs = new Map(set.map((x) => [x, input([SIZE, ...x.shape], x.dtype, "batched")]));
  return { nodes: batchGraph(nodes, inputs, SIZE), inputs };
}

function subsetError(probe: Probe, nodes: readonly Node[], set: readonly Node[]): number {
  if (set.length === 0) return 0;
  const { nodes: results, inputs } = withBatchAxis(nodes, set);
  const rows = variations(probe, set);
  const known = new Map(probe.values);
  for (const [x, X] of inputs) known.set(X, stacked(rows.map((row) => row.get(x)!)));
  const got = evaluateNodes(
    results.map(({ node }) => node),
    known,
    probe.definitions,
  );
  const errors = rows.flatMap((row, i) =>
    evaluateNodes(nodes, row, probe.definitions).map((expected, k) =>
      worstError(results[k]!.batched ? rowOf(got[k]!, i) : got[k]!, expected),
    ),
  );
  return Math.max(0, ...errors);
}

/** A batch of batches: what attribution over path steps of a Jacobian over classes needs. */
function nestedError(probe: Probe, nodes: readonly Node[], set: readonly Node[]): number {
  const inner = withBatchAxis(nodes, set);
  const live = inner.nodes.filter(({ batched }) => batched).map(({ node }) => node);
  if (live.length === 0) return 0;
  const rows = variations(probe, set);
  const [values, ranges] = [new Map(probe.values), new Map(probe.ranges)];
  for (const [x, X] of inner.inputs) {
    values.set(X, stacked(rows.map((row) => row.get(x)!)));
    ranges.set(X, { ...probe.ranges.get(x)!, shape: X.shape });
  }
  return subsetError({ ...probe, values, ranges }, live, [...inner.inputs.values()]);
}

/** Copies of the bindings in which each of `set` holds other numbers of its range. */
function variations({ values, ranges, random }: Probe, set: readonly Node[]): Map<Node, Array64>[] {
  return Array.from({ length: SIZE }, () => {
    const row = new Map(values);
    for (const x of set) row.set(x, randomArray(ranges.get(x)!, random));
    return row;
  });
}

function stacked(rows: readonly Array64[]): Array64 {
  const { shape } = rows[0]!;
  const data = new Float64Array(rows.length * numel(shape));
  rows.forEach((row, i) => data.set(row.data, i * numel(shape)));
  return { shape: [rows.length, ...shape], data };
}

function rowOf({ shape, data }: Array64, i: number): Array64 {
  const length = data.length / SIZE;
  return { shape: shape.slice(1), data: data.slice(i * length, (i + 1) * length) };
}
