// The graphs of competitive gradient x input, for B examples and K classes. The maps of C classes are rows of one batch;
// all share one forward pass:
//
//   start   the forward pass; with a bottleneck z of h elements also d score / dz, [K, B, h]
//   rows    only with a bottleneck: x * dz/dx for some of its elements, [H, B, ...]
//   block   maps of C classes, and who is ahead for each element, [B, E] each
import { numel, type Shape } from "../tensor/shape.ts";
import { batchAll } from "../autograd/batch.ts";
import { vjpGraph } from "../autograd/transpose.ts";
import { fill, input, iota } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { dependents, reachable, replacing, rewrite, type Graph } from "../graph/trace.ts";
import { add, addPresent, mul, neg, sub } from "../kernels/arithmetic.ts";
import { broadcastTo, sum } from "../kernels/broadcast.ts";
import { cast, equal, greater, less, logicalAnd, maximum, minimum, notEqual, select } from "../kernels/choice.ts";
import { gather, oneHot } from "../kernels/gather.ts";
import { matmul } from "../kernels/matmul.ts";
import { expandDims, moveAxis, reshape } from "../kernels/movement.ts";
import { max, min } from "../kernels/reduce.ts";
import { leafLike } from "./path-parts.ts";
import type { Problem } from "./problem.ts";
import { predicted } from "./score.ts";

/** Beyond every value that competes; an infinity would not survive all shader compilers. */
const BEYOND = 3.4e38;

export interface Contestants {
  readonly problem: Problem;
  /** What is differentiated: the scores, or a bottleneck before them. */
  readonly cut: Node;
  /** For every attributed value the axis that is summed, if any. */
  readonly axes: readonly (number | undefined)[];
  readonly center: boolean;
}

/** Shape of a map of one attributed value. */
export const mapShape = ({ problem, axes }: Contestants, j: number): Shape =>
  problem.ends[j]!.shape.filter((_, axis) => axis !== axes[j]);

/** Elements per example. */
export const cutSize = ({ problem, cut }: Contestants): number => numel(cut.shape) / problem.target.batch;

/** Cotangents of `to` for cotangents `seeds` [N, ...from] of `from`: [N, ...to]. */
const cotangents = (from: Node, to: Node, seeds: Node): Node => {
  const seed = leafLike(from, [], "cotangent");
  const pulled = vjpGraph([from], [to], [seed])[0] ?? fill(to.shape, 0);
  return batchAll([pulled], new Map([[seed, seeds]]), seeds.shape[0]!)[0]!;
};

/** Cotangents that pick the elements `numbers` [N] of every example of `value`, [N, ...value]; zeros beyond the last. */
function units({ target }: Problem, value: Node, numbers: Node): Node {
  const [count, size] = [numbers.shape[0]!, numel(value.shape) / target.batch];
  const rows = broadcastTo(expandDims(oneHot(numbers, size), 1), [count, target.batch, size]);
  return reshape(rows, [count, ...value.shape]);
}

/** x times the gradient for one cotangent `seed` of the cut, axes summed; and the values of the forward pass in it. */
function products({ problem, cut, axes }: Contestants): { seed: Node; maps: Node[]; forward: Node[] } {
  const seed = leafLike(cut, [], "cotangent");
  const maps = vjpGraph([cut], problem.ends, [seed]).map((g, j) => {
    const product = mul(g ?? fill(problem.ends[j]!.shape, 0), problem.ends[j]!);
    return axes[j] === undefined ? product : sum(product, axes[j]);
  });
  return { seed, maps, forward: fixedValues(maps, seed) };
}

/** What `outputs` need whatever `varying` is. Of what costs nothing to repeat (masks, views) its origin is taken. */
function fixedValues(outputs: readonly Node[], varying: Node): Node[] {
  const nodes = reachable(outputs);
  const moving = dependents(nodes, [varying]);
  const origin = (node: Node): Node | undefined => {
    const { lowering } = node.primitive;
    const from = [...new Set(node.inputs.filter((x) => x.inputs.length > 0))];
    if (node.inputs.length === 0) return undefined;
    const cheap = lowering.kind === "view" || (lowering.kind === "elementwise" && lowering.cost === 1);
    return cheap && from.length < 2 ? from[0] && origin(from[0]) : node;
  };
  const used = nodes.filter((node) => moving.has(node)).flatMap((node) => node.inputs.filter((x) => !moving.has(x)));
  return [...new Set(used.map(origin))].filter((node) => node !== undefined).sort((a, b) => a.id - b.id);
}

/**
 * inputs: X, target if given -> outputs: output, scores [B, K], target [B]; d score / d cut [K, B, h] if there is a
 * bottleneck; what the backward passes need of the forward pass
 */
export function startGraph(of: Contestants, targetGiven: boolean): Graph {
  const { problem, cut } = of;
  const { inputs, output, score, target } = problem;
  const index = targetGiven ? input([target.batch], "i32", "target") : predicted(output);
  const slopes = cut === score ? [] : [cotangents(score, cut, units(problem, score, iota(target.classes)))];
  return {
    inputs: [...inputs, ...(targetGiven ? [index] : [])],
    outputs: [
      output,
      score,
      index,
      ...slopes.map((s) => reshape(s, [target.classes, target.batch, -1])),
      ...products(of).forward,
    ],
  };
}

/** inputs: X, forward values, first [1] -> x times the gradient of `count` elements of the cut: [count, ...map] */
export function rowsGraph(of: Contestants, count: number): Graph {
  const { problem, cut } = of;
  const first = input([1], "i32", "first");
  const { seed, maps, forward } = products(of);
  const given = forward.map((value) => leafLike(value, [], "forward"));
  const free = rewrite(maps, replacing(forward, given));
  const seeds = units(problem, cut, add(first, iota(count)));
  return { inputs: [...problem.inputs, ...given, first], outputs: batchAll(free, new Map([[seed, seeds]]), count) };
}

/** How the rows of a bottleneck come: `parts` arrays of `size` rows each. */
export interface Rows {
  readonly parts: number;
  readonly size: number;
}

/**
 * Maps of `count` classes from `first` on, [count, ...map].
 *
 * inputs: X, forward values, first [1] if each class is differentiated; else d score / d cut, rows of all parts, first
 */
export function mapsGraph(of: Contestants, count: number, rows: Rows | undefined): Graph {
  if (!rows) return rowsGraph(of, count);
  const { problem } = of;
  const { batch, classes } = problem.target;
  const first = input([1], "i32", "first");
  const slopes = input([classes, batch, cutSize(of)], "f32", "slopes");
  const mine = moveAxis(gather(slopes, add(first, iota(count)), 0), 1, 0);
  const parts = Array.from({ length: rows.parts }, (_, p) => ({
    slopes: gather(mine, add(iota(rows.size), p * rows.size), 2),
    rows: problem.ends.map((_, j) => input([rows.size, ...mapShape(of, j)], "f32", "rows")),
  }));
  const outputs = problem.ends.map((_, j) => {
    const products = parts.map((part) =>
      matmul(part.slopes, moveAxis(reshape(part.rows[j]!, [rows.size, batch, -1]), 1, 0)),
    );
    return reshape(moveAxis(addPresent(products)!, 1, 0), [count, ...mapShape(of, j)]);
  });
  return { inputs: [slopes, ...parts.flatMap((part) => part.rows), first], outputs };
}

/**
 * What is known of every element before the first block. For targets: the own value, the best and the worst of all
 * others. For all classes: the best value and the number of its class, and both for the negated maps; numbers of several
 * classes with equal values add up to twice the number of classes or more, since each has the number of classes added.
 * With `center` also the sum over all classes.
 */
export const beforeAll = ({ center }: Contestants, all: boolean): number[] => [
  ...(all ? [-BEYOND, 0, -BEYOND, 0] : [0, -BEYOND, BEYOND]),
  ...(center ? [0] : []),
];

/**
 * inputs: those of the maps, target [B] unless all classes are asked for, what is known so far -> what is known then,
 * see {@link beforeAll}; [B, E] each, for every attributed value
 */
export function blockGraph(of: Contestants, all: boolean, count: number, rows: Rows | undefined): Graph {
  const { batch, classes } = of.problem.target;
  const maps = mapsGraph(of, count, rows);
  const index = input([batch], "i32", "target");
  const first = maps.inputs.at(-1)!;
  const numbers = expandDims(add(first, iota(count)), 1);
  const exists = less(numbers, classes);
  const rival = expandDims(logicalAnd(exists, notEqual(numbers, index)), 2);
  const ahead = (map: Node, best: Node, label: Node): Node[] => {
    const values = select(expandDims(exists, 2), map, -BEYOND);
    const top = max(values, 0);
    const labels = sum(select(equal(values, top), cast(expandDims(add(numbers, classes), 2), "f32"), 0), 0);
    const tied = select(equal(top, best), add(label, labels), label);
    return [maximum(best, top), select(greater(top, best), labels, tied)];
  };
  const before = maps.outputs.map((m) =>
    beforeAll(of, all).map((_, i) => input([batch, numel(m.shape) / (count * batch)], "f32", `known ${i}`)),
  );
  const outputs = maps.outputs.flatMap((m, j) => {
    const map = reshape(m, [count, batch, -1]);
    const known = before[j]!;
    const [a, b, c, d] = known as [Node, Node, Node, Node];
    const then = all
      ? [...ahead(map, a, b), ...ahead(neg(map), c, d)]
      : [
          // Zero wherever the target is not among these classes.
          add(a, gather(moveAxis(map, 0, 1), sub(index, first), 1, { shared: 1 })),
          maximum(b, max(select(rival, map, -BEYOND), 0)),
          minimum(c, min(select(rival, map, BEYOND), 0)),
        ];
    return of.center ? [...then, add(known.at(-1)!, sum(map, 0))] : then;
  });
  return { inputs: [...maps.inputs, ...(all ? [] : [index]), ...before.flat()], outputs };
}
