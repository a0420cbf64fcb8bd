// Integrated Hessians in double precision, without a second derivative: gradients by the reference evaluator, and central
// differences of them. Besides, networks that the tests of the forms share.
import { vjpGraph } from "../../src/autograd/index.ts";
import type { HessianQuadrature } from "../../src/attribution/index.ts";
import { fill } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { add, matmul, softplus } from "../../src/kernels/index.ts";
import { array64, evaluate, readConstants } from "../../src/reference/index.ts";
import type { Device, HostArray, Tensor } from "../../src/tensor/index.ts";
import { numel } from "../../src/tensor/shape.ts";
import { draw, type Vector } from "./networks.ts";

/** Scores [B] of examples [B, ...]. */
export type ScoreOf = (x: Value) => Value;

export interface Derivatives {
  readonly gradient: Vector;
  /** [N][N] */
  readonly hessian: readonly Vector[];
}

const STEP = 1 / 512;
/** Fourth order: (8 (g(h) - g(-h)) - (g(2 h) - g(-2 h))) / (12 h). */
const STENCIL = [
  [1, 8],
  [-1, -8],
  [2, -1],
  [-2, 1],
] as const;

/** Gradient and Hessian at each of some points of `example` shape. */
export async function derivatives(
  score: ScoreOf,
  example: readonly number[],
  points: readonly Vector[],
): Promise<Derivatives[]> {
  const size = points[0]!.length;
  const moved = points.flatMap((z) => [
    z,
    ...z.flatMap((_, j) => STENCIL.map(([k]) => z.map((v, i) => (i === j ? v + k * STEP : v)))),
  ]);
  const graph = trace(
    (x) => {
      const y = score(x);
      return vjpGraph([y], [x], [fill(y.shape, 1)])[0] ?? fill(x.shape, 0);
    },
    [{ shape: [moved.length, ...example] }],
  );
  const constants = await readConstants(graph.outputs);
  const [all] = evaluate(graph, [array64(moved.flat(), graph.inputs[0]!.shape)], { constants });
  const gradientAt = (row: number): number[] => Array.from(all!.data.subarray(row * size, (row + 1) * size));
  return points.map((_, p) => {
    const first = p * (1 + 4 * size);
    const columns = Array.from({ length: size }, (_, j) => STENCIL.map((_, s) => gradientAt(first + 1 + 4 * j + s)));
    const hessian = columns.map((column) =>
      column[0]!.map((_, i) => STENCIL.reduce((sum, [, c], s) => sum + (c * column[s]![i]!) / (12 * STEP), 0)),
    );
    return { gradient: gradientAt(first), hessian };
  });
}

export interface HessianTruth {
  /** [B N N] */
  readonly matrix: number[];
  /** [B N] */
  readonly attributions: number[];
}

/** The sums that a rule stands for, for one baseline of one example's shape. */
export async function hessianTruth(
  score: ScoreOf,
  { data, shape }: HostArray,
  from: ArrayLike<number>,
  rule: HessianQuadrature,
): Promise<HessianTruth> {
  const size = data.length / shape[0]!;
  const matrix: number[] = [];
  const attributions: number[] = [];
  for (let b = 0; b < shape[0]!; b++) {
    const D = Array.from({ length: size }, (_, i) => data[b * size + i]! - from[i]!);
    const at = await derivatives(
      score,
      shape.slice(1),
      rule.nodes.map((u) => D.map((d, i) => from[i]! + u * d)),
    );
    const sum = (weights: Vector, of: (d: Derivatives) => number): number =>
      at.reduce((total, d, k) => total + weights[k]! * of(d), 0);
    D.forEach((d, i) => {
      attributions.push(d * sum(rule.weights, ({ gradient }) => gradient[i]!));
      const diagonal = d * sum(rule.gradientWeights, ({ gradient }) => gradient[i]!);
      D.forEach((e, j) => {
        const second = d * e * sum(rule.hessianWeights, ({ hessian }) => hessian[i]![j]!);
        matrix.push(second + (i === j ? diagonal : 0));
      });
    });
  }
  return { matrix, attributions };
}

/** Weighted mean of the truths for several baselines. */
export async function meanTruth(
  score: ScoreOf,
  x: HostArray,
  set: readonly { readonly baseline: HostArray; readonly weight: number }[],
  rule: HessianQuadrature,
): Promise<HessianTruth> {
  const total = set.reduce((sum, { weight }) => sum + weight, 0);
  const truths: HessianTruth[] = [];
  for (const { baseline } of set) truths.push(await hessianTruth(score, x, baseline.data, rule));
  const mean = (of: (t: HessianTruth) => number[]): number[] =>
    of(truths[0]!).map((_, i) => truths.reduce((sum, t, k) => sum + (set[k]!.weight / total) * of(t)[i]!, 0));
  return { matrix: mean((t) => t.matrix), attributions: mean((t) => t.attributions) };
}

/** Reproducible weights on a device, made when first asked for. */
export class Weights implements Disposable {
  private readonly tensors = new Map<string, Tensor>();

  constructor(private readonly device: Device) {}

  /** Numbers in [-scale, scale), scale = sqrt(3 / rows): sums of products keep their size. */
  of(seed: number, ...shape: number[]): Tensor {
    const key = `${seed} ${shape.join()}`;
    let tensor = this.tensors.get(key);
    if (!tensor) {
      const rows = shape.length === 1 ? 6 : shape.length === 4 ? shape[1]! * shape[2]! * shape[3]! : shape.at(-2)!;
      const scale = Math.sqrt(3 / rows);
      tensor = this.device.tensor(draw(numel(shape), seed, scale), shape);
      this.tensors.set(key, tensor);
    }
    return tensor;
  }

  [Symbol.dispose](): void {
    this.tensors.forEach((t) => t.dispose());
  }
}

/** A bend that is gentle enough for few nodes. */
export const bend = (v: Value): Value => softplus(v, { beta: 3 });

/** inputs -> hidden -> 5 -> 3 with bends in between. */
export const deepNet =
  (w: Weights, inputs: number, hidden: number) =>
  (x: Value): Value => {
    const first = bend(add(matmul(x, w.of(1, inputs, hidden)), w.of(2, hidden)));
    return matmul(bend(add(matmul(first, w.of(3, hidden, 5)), w.of(4, 5))), w.of(5, 5, 3));
  };
