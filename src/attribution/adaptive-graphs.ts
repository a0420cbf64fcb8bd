// The graphs of adaptive paths. Rows are what advances side by side: one for every baseline, explained class and segment,
// each with all examples. Shapes: R rows, B examples, d coordinates of one example, K classes if all are explained.
//
//   step    gradient at all rows, cost of moving each coordinate, and the kernel that moves some of them
//   finale  sums over segments and weighted means over baselines, class by class
import { replacing } from "../graph/trace.ts";
import { ShapeError } from "../tensor/errors.ts";
import { formatShape, numel, sameShape } from "../tensor/shape.ts";
import { batchAll } from "../autograd/batch.ts";
import { vjpGraph } from "../autograd/transpose.ts";
import { fill, input } from "../graph/leaves.ts";
import type { Node, Value } from "../graph/node.ts";
import { adaptiveStep, stateLength } from "../kernels/adaptive-step.ts";
import { add, mul, sub } from "../kernels/arithmetic.ts";
import { broadcastTo, sum } from "../kernels/broadcast.ts";
import { matmul } from "../kernels/matmul.ts";
import { expandDims, reshape, transpose } from "../kernels/movement.ts";
import { index as indexAt, sliceAxis } from "../kernels/slice.ts";
import { coordinatesOf, examplesOf, joined, parted } from "./coordinates.ts";
import { idgiShares, type Weighting } from "./idgi-shares.ts";
import { aligned, classesOf, leafLike, pathGraph, type PathGraph } from "./path-parts.ts";
import type { Problem } from "./problem.ts";

/** Where a path is, for every coordinate of one attributed value [B, ...]. */
export interface PathState {
  /** Derivatives of the score. */
  readonly gradient: Value;
  readonly position: Value;
  /** Ends of the path; of the segment, if there are anchors. */
  readonly baseline: Value;
  readonly input: Value;
  /** How much of its way each coordinate has gone: 0 at the baseline, 1 at the input. */
  readonly progress: Value;
  /** Name of the attributed value. */
  readonly name: string;
}

/** Cost of moving each coordinate, of the shape of the gradient: the lowest move first. Examples must not mix. */
export type Choose = (state: PathState) => Value;

/** The cost of moving, traced once for all attributed values. */
export interface Costs {
  readonly states: readonly Omit<PathState, "name">[];
  readonly costs: readonly Node[];
}

const leaves = new WeakMap<Problem, Costs["states"]>();

/** Equal functions give the same nodes, since their arguments are the same for all calls. */
export function traceCosts(problem: Problem, choose: Choose): Costs {
  const states =
    leaves.get(problem) ??
    problem.ends.map((end) => {
      const leaf = (name: string): Node => leafLike(end, [], name);
      return {
        gradient: leaf("gradient"),
        position: leaf("position"),
        baseline: leaf("baseline"),
        input: leaf("input"),
        progress: leaf("progress"),
      };
    });
  leaves.set(problem, states);
  const costs = problem.ends.map((end, j) => {
    const cost = choose({ ...states[j]!, name: problem.endNames[j]! });
    if (cost.dtype === "f32" && sameShape(cost.shape, end.shape)) return cost;
    throw new ShapeError(
      `choose: expected a cost for every coordinate, f32 ${formatShape(end.shape)}, got ${cost.dtype} ${formatShape(cost.shape)}`,
    );
  });
  return { states, costs };
}

/** What a family of paths needs besides the model. */
export interface AdaptiveGraphOptions {
  readonly costs: Costs;
  readonly weighting: Weighting;
  /** Whether a step also gives its positions. */
  readonly positions: boolean;
}

/** What the graphs of one group of rows read. */
function rowInputs({ ends, score, target }: Problem, rows: number) {
  return {
    starts: ends.map((end) => leafLike(end, [rows], "start")),
    differences: ends.map((end) => leafLike(end, [rows], "difference")),
    /** Where a row's segment begins on the straight line, and its length. */
    segment: input([rows, 2], "f32", "segment"),
    /** 1 at the class of each row. */
    classes: target.kind === "all" ? [input([rows, target.classes], "f32", "class")] : [],
    startScores: leafLike(score, [rows], "baseline score"),
  };
}
type RowInputs = ReturnType<typeof rowInputs>;

/** Points on the way of each row, given the progress [R, ...end] of their coordinates within the segment. */
function pointsAt({ starts, differences, segment }: RowInputs, progress: readonly Node[] | number): Node[] {
  const [first, length] = [0, 1].map((i) => indexAt(segment, 1, i));
  return starts.map((start, j) => {
    const along = typeof progress === "number" ? progress : progress[j]!;
    const far = add(aligned(first!, start.shape), mul(aligned(length!, start.shape), along));
    return add(start, mul(far, differences[j]!));
  });
}

/** 1 at the class of each row, 0 elsewhere: [R, B, K]. */
const classSeeds = ({ score }: Problem, { classes: [classes] }: RowInputs): Node | undefined =>
  classes && broadcastTo(expandDims(classes, 1), [classes.shape[0]!, ...score.shape]);

/** Scores [R, ...score] as one for every row and example, [R, B]. */
function rowScores(problem: Problem, scores: Node, inputs: RowInputs): Node {
  const seeds = classSeeds(problem, inputs);
  return seeds ? sum(mul(scores, seeds), 2) : reshape(scores, [scores.shape[0]!, examplesOf(problem)]);
}

/** Gradients [R, ...end] and scores [R, B] at points [R, ...end]. */
function derivatives(problem: Problem, points: readonly Node[], inputs: RowInputs) {
  const { ends, score } = problem;
  const seeds = classSeeds(problem, inputs);
  const seed = seeds ? leafLike(score, [], "class") : fill(score.shape, 1);
  const at = replacing(ends, points);
  const gradients = vjpGraph([score], ends, [seed]).map((g, j) => g ?? fill(ends[j]!.shape, 0));
  const [scores, ...rows] = batchAll(
    [score, ...gradients],
    seeds ? new Map([...at, [seed, seeds]]) : at,
    points[0]!.shape[0]!,
  );
  return { gradients: rows, scores: rowScores(problem, scores!, inputs) };
}

const stateOf = (problem: Problem, rows: number): Node =>
  input([rows, examplesOf(problem), stateLength(coordinatesOf(problem))], "f32", "state");

/** What IDGI carries from step to step: the sum, the shares of the step that has begun, the score where it did. */
function idgiInputs(problem: Problem, rows: number) {
  const lead = [rows, examplesOf(problem)];
  const whole = [...lead, coordinatesOf(problem)];
  return { sum: input(whole, "f32", "sum"), shares: input(whole, "f32", "shares"), score: input(lead, "f32", "score") };
}

const withStep = ({ sum: total, shares, score }: ReturnType<typeof idgiInputs>, next: Node): Node =>
  add(total, mul(shares, expandDims(sub(next, score), 2)));

/**
 * inputs: side inputs, target, x' and x - x' [R, ...], segments, classes, settings, carried -> carried, positions
 *
 * Carried from step to step are the state of the kernel, and for IDGI its sums besides.
 */
export function stepGraph(problem: Problem, rows: number, options: AdaptiveGraphOptions): PathGraph {
  const inputs = rowInputs(problem, rows);
  const { starts, differences, segment, classes } = inputs;
  const settings = input([3], "f32", "settings");
  const state = stateOf(problem, rows);
  const progress = parted(problem, sub(1, sliceAxis(state, 2, 0, coordinatesOf(problem))), [rows]);
  const points = pointsAt(inputs, progress);
  const { gradients, scores } = derivatives(problem, points, inputs);
  const [from, to] = [pointsAt(inputs, 0), pointsAt(inputs, 1)];
  const given = options.costs.states.flatMap((s, j): [Node, Node][] => [
    [s.gradient, gradients[j]!],
    [s.position, points[j]!],
    [s.baseline, from[j]!],
    [s.input, to[j]!],
    [s.progress, progress[j]!],
  ]);
  const costs = batchAll(options.costs.costs, new Map(given), rows);
  const ways = differences.map((d) => mul(d, aligned(indexAt(segment, 1, 1), d.shape)));
  const slopes = gradients.map((g, j) => mul(g, ways[j]!));
  const [cost, slope, span] = [costs, slopes, differences].map((values) => joined(problem, values, [rows]));
  const next = adaptiveStep(cost!, slope!, span!, state, settings);
  const idgi = options.weighting === "idgi" ? idgiInputs(problem, rows) : undefined;
  const sums = idgi ? [withStep(idgi, scores), idgiShares(joined(problem, gradients, [rows])), scores] : [];
  const outputs = [next, ...sums, ...(options.positions ? points : [])];
  const carried = [state, ...(idgi ? Object.values(idgi) : [])];
  return pathGraph(problem, [...starts, ...differences, segment, ...classes, settings, ...carried], outputs);
}

/**
 * inputs: side inputs, target, x' and x - x' [R, ...], segments, classes, score' [R, ...], mixing [2, K or 1, R], carried,
 * totals -> totals: attributions, mean score at the baselines
 */
export function finaleGraph(problem: Problem, rows: number, weighting: Weighting): PathGraph {
  const { ends, score } = problem;
  const inputs = rowInputs(problem, rows);
  const { starts, differences, segment, classes, startScores } = inputs;
  const lead = classesOf(problem);
  const mixing = input([2, numel(lead), rows], "f32", "mixing");
  const totals = [
    ...ends.map((end) => input([...lead, ...end.shape], "f32", "total")),
    input(score.shape, "f32", "total"),
  ];
  const state = stateOf(problem, rows);
  const idgi = weighting === "idgi" ? idgiInputs(problem, rows) : undefined;
  const size = coordinatesOf(problem);
  const sums = idgi ? withStep(idgi, endScores(problem, inputs)) : sliceAxis(state, 2, size, 2 * size);
  const mix = (i: number, values: Node): Node => matmul(indexAt(mixing, 0, i), reshape(values, [rows, -1]));
  const attributions = reshape(mix(0, sums), [numel(lead), examplesOf(problem), size]);
  const scores = mix(1, rowScores(problem, startScores, inputs));
  // Scores of all classes are [B, K].
  const means = [...parted(problem, attributions, lead), reshape(transpose(scores), score.shape)];
  const outputs = means.map((v, i) => add(v, totals[i]!));
  const carried = [state, ...(idgi ? Object.values(idgi) : [])];
  const own = [...starts, ...differences, segment, ...classes, startScores, mixing, ...carried, ...totals];
  return pathGraph(problem, own, outputs);
}

/** Scores [R, B] at the ends of all segments. */
function endScores(problem: Problem, inputs: RowInputs): Node {
  const { ends, score } = problem;
  const points = pointsAt(inputs, 1);
  const [scores] = batchAll([score], replacing(ends, points), points[0]!.shape[0]!);
  return rowScores(problem, scores!, inputs);
}
