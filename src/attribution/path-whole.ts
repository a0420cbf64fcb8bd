// Prelude, chunk and finale of a path integral joined into one graph, for paths whose nodes all fit at once. What one part
// hands to the next needs no buffer of its own then, and both ends of the path are further rows of the same batch.
import { batchAll, batchGraph } from "../autograd/batch.ts";
import { fill, input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { numel } from "../tensor/shape.ts";
import { reachable, replacing, rewrite } from "../graph/trace.ts";
import { reshape } from "../kernels/movement.ts";
import { index as indexed, sliceAxis } from "../kernels/slice.ts";
import { pathStarts } from "./path-graphs.ts";
import { pathPoints, type Integrand, type PathGraph, type PathShape } from "./path-parts.ts";
import { pathRamps } from "./path-ramps.ts";

export interface WholeSize {
  readonly baselines: number;
  readonly steps: number;
  readonly perExample: boolean;
  /** Whether all baselines are zeros. */
  readonly zero: boolean;
  /** Whether the caller names the classes. */
  readonly targetGiven: boolean;
}

/** Nodes that the ends of paths add. Several paths have their own beginnings, but end at the same input. */
export const endNodesOf = (baselines: number): readonly number[] => (baselines === 1 ? [0, 1] : [0]);

/** Up to this many outputs are read back for both ends of a path, rather than cut by a dispatch more. */
const FEW_OUTPUTS = 4096;

/**
 * inputs: side inputs, target if given, given, X' [M, ...], nodes [M, S + E(, B)] of which the last are {@link endNodesOf},
 * weights [M, S(, C)], p [M] if M > 1 -> totals, output (or few at both ends, those at the input last), scores at the ends
 * [M, E, ...] unless they are picked from few outputs, score at the input if M > 1, the predicted classes if the target is them
 */
export function wholeGraph(
  shape: PathShape,
  starting: readonly Node[],
  integrand: Integrand,
  { baselines, steps, perExample, zero, targetGiven }: WholeSize,
): PathGraph {
  const { problem } = shape;
  const { inputs, output, score, index, predicted } = problem;
  const more = endNodesOf(baselines).length;
  const { baseline, starts, along, differences } = pathStarts(shape, starting, baselines, zero);
  const prepare = integrand.prepare?.(baselines);
  const chunk = integrand.chunk(baselines, steps, perExample, integrand.shared ? more : 0);
  const finale = integrand.finale(baselines);

  // What the parts call their own inputs, in the order that Integrand documents.
  const own = (graph: PathGraph): Node[] => graph.inputs.slice(graph.side.length + (index ? 1 : 0));
  const ownFinale = own(finale);
  const [extraCount, sumCount, totalCount] = [
    prepare?.outputs.length ?? 0,
    chunk.outputs.length,
    finale.outputs.length,
  ];
  const givenCount = ownFinale.length - extraCount - sumCount - differences.length - 2 - totalCount;
  const given = ownFinale.slice(0, givenCount);
  const bind = (graph: PathGraph, values: readonly Node[]): Node[] =>
    rewrite(graph.outputs, replacing(own(graph), values));
  const zeros = (leaves: readonly Node[]): Node[] => leaves.map((x) => fill(x.shape, 0));

  const [chunkNodes, weights] = own(chunk).slice(-sumCount - 2) as [Node, Node];
  const nodes = input([baselines, steps + more, ...chunkNodes.shape.slice(2)], "f32", "nodes");
  const used = integrand.shared ? nodes : sliceAxis(nodes, 1, 0, steps);
  const extras = prepare ? bind(prepare, [...given, ...differences]) : [];
  const sums = bind(chunk, [...starts, ...along, ...extras, used, weights, ...zeros(own(chunk).slice(-sumCount))]);

  // The backward pass has most of the forward pass at all nodes; only what is behind that is computed for the ends alone.
  const lastNodes = (y: Node): Node => sliceAxis(y, 1, steps, steps + more);
  const atEnds = pathPoints(shape, { starts, along }, lastNodes(nodes), more);
  if (integrand.shared) {
    const forward = reachable([output, score]);
    const { rows: everywhere } = pathRamps(shape, { starts, along }, nodes, steps + more);
    const needed = new Set(reachable(sums));
    batchGraph(forward, everywhere, baselines * (steps + more)).forEach(({ node, batched }, i) => {
      if (!batched || !needed.has(node) || atEnds.has(forward[i]!)) return;
      const rest = node.shape.slice(1);
      const ends = lastNodes(reshape(node, [baselines, steps + more, ...rest]));
      atEnds.set(forward[i]!, reshape(ends, [baselines * more, ...rest]));
    });
  }
  const rows = batchAll([output, score], atEnds, baselines * more);
  const [outputs, scores] = rows.map((y) => reshape(y, [baselines, more, ...y.shape.slice(1)])) as [Node, Node];
  const atInput = (y: Node, direct: Node): Node => (baselines > 1 ? direct : indexed(indexed(y, 1, more - 1), 0, 0));
  const p = baselines > 1 ? input([baselines], "f32", "baseline weights") : fill([1], 1);
  const totals = bind(finale, [
    ...[...given, ...extras, ...sums, ...differences, indexed(scores, 1, 0), p],
    ...zeros(ownFinale.slice(-totalCount)),
  ]);
  // The class stays that of the input all along the path.
  const pinned = index && !targetGiven ? rewrite([predicted!], new Map([[output, atInput(outputs, output)]])) : [];
  const few = baselines === 1 && numel(outputs.shape) <= FEW_OUTPUTS;
  const pick = few ? problem.pick : undefined;
  const results = [
    ...totals.slice(0, -1),
    few ? outputs : atInput(outputs, output),
    ...(pick ? [] : [scores]),
    ...(baselines > 1 ? [score] : []),
  ];
  return {
    inputs: [
      ...[...inputs, ...(index && targetGiven ? [index] : []), ...given, ...(zero ? [] : baseline), nodes, weights],
      ...(baselines > 1 ? [p] : []),
    ],
    outputs: [...rewrite(results, new Map(pinned.map((y) => [index!, y]))), ...pinned],
    side: inputs,
    pick,
  };
}
