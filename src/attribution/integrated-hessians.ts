// Integrated Hessians (Janizek, Sturmfels, Lee: arXiv 2002.04138): interactions between pairs of features.
import { assertWhole } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import { firstKink } from "../compiler/affine.ts";
import { featureCount, HESSIAN_SUMS } from "./hessian-parts.ts";
import { checkSize, chooseForm, type FormOptions, type HessianChoice, type HessianRows } from "./hessian-plan.ts";
import { interactionsOf, residualsOf, sumsOf, type HessianSums } from "./hessian-result.ts";
import { chosenRows } from "./hessian-rows.ts";
import { hessianQuadrature, type HessianQuadrature, type HessianRule } from "./hessian-rules.ts";
import {
  assertSmooth,
  largestOf,
  relative,
  smoothingReport,
  smoothModel,
  type SmoothingOptions,
  type SmoothingReport,
} from "./hessian-smooth.ts";
import { formOf } from "./problem.ts";
import { PathIntegral, type PathResult } from "./path.ts";
import type { PathPoints } from "./path-inputs.ts";
import type { Attributions, Input, ModelLike, PathOptions, Plan } from "./types.ts";
import { reporting } from "./session.ts";

export interface IntegratedHessiansOptions extends PathOptions, FormOptions, SmoothingOptions {
  /** Default `gauss-legendre`; `bins` for very sharp networks (beta of 100 and more). */
  readonly rule?: HessianRule;
  /** Number of nodes. Default 16. With `tolerance`: the number to start from, default 8. */
  readonly nodes?: number;
  /** Explicit nodes and weights instead of a rule; `productRule` makes those of other programs. */
  readonly points?: HessianQuadrature;
  /**
   * Doubles the number of nodes until no interaction changes by more than this fraction of the largest one, and no row
   * misses its attribution by more.
   */
  readonly tolerance?: number;
  /** Most nodes that `tolerance` may lead to. Default 512. */
  readonly maxNodes?: number;
  /** Only these rows of the matrix, as numbers of features: one Hessian-vector product each. */
  readonly rows?: readonly number[];
  /**
   * Interactions between groups of features (patches, tokens, columns): the group 0, 1, ... of every element of one
   * example, -1 for none. Costs one Hessian-vector product for each group.
   */
  readonly groups?: ArrayLike<number>;
  /** Only these pairs of features. */
  readonly pairs?: readonly (readonly [number, number])[];
}

export interface HessianPlan extends Plan {
  /** How Hessians were summed up: Hessian-vector products, or products of Jacobians. */
  readonly form: "hvp" | "gram";
  /** What the tangents were: rows of the matrix, or the coordinates of the first nonlinear layer, if those are fewer. */
  readonly tangents: "rows" | "boundary";
  /** Rows that ran at once. */
  readonly rowsPerRun: number;
}

export interface FeatureBlock {
  readonly name: string;
  /** Number of the first feature; the others follow in row-major order. */
  readonly start: number;
  /** Of one example. */
  readonly shape: Shape;
}

export interface IntegratedHessiansResult<I extends Input = Input> {
  /**
   * G [B, N, N]; of some rows [B, R, N]; of groups [B, G, G]; of pairs [B, P]. Without B if the score has no batch axis.
   * Half of an interaction stands at i, j and half at j, i.
   */
  readonly interactions: HostArray;
  /** Which feature is which, if there are several inputs. */
  readonly features: readonly FeatureBlock[];
  /** Integrated Gradients from the same nodes, of the input's shape. */
  readonly attributions: Attributions<I>;
  /** Sum of every row minus its attribution, [B, T]: how far the quadrature is from exact. T counts the computed rows. */
  readonly residuals: HostArray;
  /** Sum of all interactions - (f(x) - f(x')); sum of the attributions instead where not all interactions are asked for. */
  readonly delta: HostArray;
  /** Largest |G_ij - G_ji| relative to the largest entry, over the rows that were computed. */
  readonly symmetryError: number;
  readonly scores: { readonly input: HostArray; readonly baseline: HostArray };
  readonly targets: HostArray | undefined;
  readonly outputs: HostArray;
  readonly rule: HessianRule | "explicit";
  readonly nodes: number;
  /** Points at which Hessians were taken, per example: nodes times baselines. */
  readonly evaluations: number;
  /** Largest change in the last doubling relative to the largest entry; only with `tolerance`. */
  readonly change?: number;
  /** Only with `beta`. */
  readonly smoothing?: SmoothingReport;
  readonly plan: HessianPlan;
}

const DEFAULT_NODES = 16;

/**
 * G_ij = D_i D_j (double integral over a, b in [0, 1] of a b H_ij(x' + a b D)), D = x - x', and on the diagonal besides
 * D_i (double integral of g_i(x' + a b D)). Integrated Gradients of Integrated Gradients: symmetric, rows sum to IG_i,
 * all entries sum to f(x) - f(x').
 *
 * The integrands depend on u = a b alone, whose density is -ln u, so one integral is left:
 * G_ij = D_i D_j (integral of -u ln u H_ij(x' + u D) du), + D_i (integral of -ln u g_i du). All nodes and rows run as
 * leading axes of one batch, chunked by memory on the device; only the result is read back.
 *
 * @param input examples along the first axis
 * @throws DerivativeError when the network has kinks and neither `beta` nor `kinks: "ignore"` is given
 * @throws LimitError, with the planned bytes, when the matrix is too large
 * @throws ArgumentError, ShapeError, NumericError for arguments that do not fit, before anything runs
 */
export async function integratedHessians<I extends Input>(
  model: ModelLike,
  input: I,
  options: IntegratedHessiansOptions = {},
): Promise<IntegratedHessiansResult<I>> {
  checkOptions(options);
  const smoothed = options.beta === undefined ? undefined : smoothModel(model, options.beta, options.pool ?? false);
  const path = await PathIntegral.open(smoothed ?? model, input, options);
  try {
    assertSmooth(model, path, options);
    const rows = chosenRows(featureCount(path.problem), options);
    checkSize(path, rows);
    const run = options.tolerance ? await refine(path, rows, options) : await once(path, rows, options);
    const result = summarise(path, run, rows, input, options);
    if (!smoothed) return result;
    return {
      ...result,
      smoothing: await smoothingReport(
        model,
        smoothed,
        firstKink([path.problem.score], path.problem.ends),
        input,
        options,
        result,
      ),
    };
  } finally {
    path.dispose();
  }
}

function checkOptions(options: IntegratedHessiansOptions): void {
  const { target, points, rule, nodes, tolerance, maxNodes, beta, pool } = options;
  if (target === "all")
    throw new ArgumentError(
      'target: interactions are those of one score; give a class, or a function, instead of "all"',
    );
  if (points && (rule !== undefined || nodes !== undefined || tolerance !== undefined))
    throw new ArgumentError("points: explicit nodes and weights exclude rule, nodes and tolerance");
  if (nodes !== undefined) assertWhole("nodes", nodes, 1);
  if (tolerance !== undefined && !(tolerance > 0))
    throw new ArgumentError(`tolerance: expected a number > 0, got ${tolerance}`);
  if (maxNodes !== undefined) assertWhole("maxNodes", maxNodes, 1);
  if (pool && beta === undefined) throw new ArgumentError("pool: smoothing max pooling needs beta");
  if (points) checkPoints(points);
}

function checkPoints({ nodes, weights, gradientWeights, hessianWeights }: HessianQuadrature): void {
  const lists = [nodes, weights, gradientWeights, hessianWeights];
  if (nodes.length === 0 || lists.some((list) => list.length !== nodes.length))
    throw new ArgumentError(
      `points: got ${lists.map((list) => list.length).join(", ")} nodes, weights, gradientWeights and hessianWeights; expected as many of each, at least one`,
    );
  if (!lists.every((list) => list.every(Number.isFinite)))
    throw new ArgumentError("points: nodes and weights must be finite");
}

// ---- running -------------------------------------------------------------------------------------------------------

interface Run {
  /** Of every block of rows. */
  readonly results: readonly PathResult[];
  readonly sums: HessianSums;
  readonly choice: HessianChoice;
  readonly rule: HessianRule | "explicit";
  readonly nodes: number;
  readonly evaluations: number;
  readonly change?: number;
}

function weightedNodes(path: PathIntegral, rule: HessianQuadrature): PathPoints {
  const { nodes, weights, gradientWeights, hessianWeights } = rule;
  const each = nodes.flatMap((_, k) => [weights[k]!, gradientWeights[k]!, hessianWeights[k]!]);
  return { ...path.points({ nodes, weights: each }), sums: HESSIAN_SUMS };
}

async function once(
  path: PathIntegral,
  rows: HessianRows,
  options: IntegratedHessiansOptions,
  nodes = options.nodes ?? DEFAULT_NODES,
  before = 0,
): Promise<Run> {
  const { rule = "gauss-legendre" } = options;
  const quadrature = options.points ?? hessianQuadrature(rule, nodes);
  const points = weightedNodes(path, quadrature);
  const choice = await chooseForm(path, points, rows, options);
  const count = quadrature.nodes.length;
  const evaluations = before + count * path.baselineCount;
  const runs = Math.ceil(rows.ids.length / choice.rows);
  const progress = reporting(options, evaluations * runs, before * runs);
  const results: PathResult[] = [];
  for (let at = 0; at < rows.ids.length; at += choice.rows) {
    results.push(await runRows(path, points, choice, rows, at, progress));
  }
  return {
    results,
    sums: sumsOf(results, rows),
    choice,
    rule: options.points ? "explicit" : rule,
    nodes: count,
    evaluations,
  };
}

async function runRows(
  path: PathIntegral,
  points: PathPoints,
  { integrand, rows: size }: HessianChoice,
  { ids, labels }: HessianRows,
  at: number,
  progress: (done: number) => void,
): Promise<PathResult> {
  // A block that the rows do not fill repeats the last one.
  const block = Array.from({ length: size }, (_, t) => ids[Math.min(at + t, ids.length - 1)]!);
  const given = [path.device.tensor(block, [size], "i32")];
  try {
    if (labels) given.push(path.device.tensor(labels, [labels.length], "i32"));
    return await path.integrate(points, { integrand, given, progress });
  } finally {
    given.forEach((t) => t.dispose());
  }
}

async function refine(path: PathIntegral, rows: HessianRows, options: IntegratedHessiansOptions): Promise<Run> {
  const { tolerance = 0, maxNodes = 512 } = options;
  let run = await once(path, rows, options, options.nodes ?? 8);
  let change = Infinity;
  let worst = Infinity;
  while (Math.max(change, worst) > tolerance && run.nodes * 2 <= maxNodes) {
    const finer = await once(path, rows, options, run.nodes * 2, run.evaluations);
    const { data } = finer.sums.block.matrix;
    const largest = largestOf(data);
    const residuals = residualsOf(finer.sums, rows);
    const before = run.sums.block.matrix.data;
    change = relative(largestOf(data.map((v, i) => v - before[i]!)), largest);
    worst = relative(largestOf(residuals.data), largest);
    run = finer;
  }
  return change === Infinity ? run : { ...run, change };
}

// ---- result --------------------------------------------------------------------------------------------------------

function summarise<I extends Input>(
  { problem, options: { recorder } }: PathIntegral,
  { results, sums, choice, rule, nodes, evaluations, change }: Run,
  rows: HessianRows,
  input: I,
  { pairs }: IntegratedHessiansOptions,
): IntegratedHessiansResult<I> {
  const complete = pairs === undefined && coversAll(rows, featureCount(problem));
  const form = { ...formOf(problem, input), rows, pairs, complete };
  recorder?.noteResult("hessians", form);
  return {
    ...interactionsOf<I>(sums, form),
    features: featureBlocks(problem.endNames, sums.attributions, problem.score.shape.length),
    rule,
    nodes,
    evaluations,
    ...(change !== undefined && { change }),
    plan: { ...results.at(-1)!.plan, form: choice.sum, tangents: choice.tangents, rowsPerRun: choice.rows },
  };
}

const coversAll = ({ ids, labels }: HessianRows, features: number): boolean =>
  labels ? !labels.includes(-1) : ids.length === features;

function featureBlocks(names: readonly string[], values: readonly HostArray[], batchAxes: number): FeatureBlock[] {
  let start = 0;
  return values.map(({ shape }, j) => {
    const own = shape.slice(batchAxes);
    const block = { name: names[j]!, start, shape: own };
    start += numel(own);
    return block;
  });
}
