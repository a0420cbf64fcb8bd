// Orders of the pairs of features, strongest interaction first, one for every row.
import { compile } from "../../src/compiler/program.ts";
import { hvp } from "../../src/autograd/index.ts";
import { integratedHessians } from "../../src/attribution/integrated-hessians.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { modelFunction, type Model } from "../../src/nn/model.ts";
import type { Random } from "../../src/nn/random.ts";
import { smooth } from "../../src/nn/smooth.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { allPairs } from "./simulate.ts";
import { descending, largestMagnitude, meanSquaredDifference, standardDeviation } from "./statistics.ts";

/** Strength of every pair in every row, [rows, pairs]. */
export type Strengths = Float64Array;

export interface IntegratedStrengths {
  readonly strengths: Strengths;
  /** Largest |row sum - attribution| of any row of any matrix, relative to the largest |interaction|. */
  readonly residual: number;
  /** Root mean square of the change of the network's output by smoothing, relative to the output's own deviation. */
  readonly moved: number;
}

/** |G_ij + G_ji| of the smoothed network, from a baseline of zeros: the mean of the features. */
export async function integratedStrengths(
  model: Model,
  x: HostArray,
  { beta, nodes, signal }: { readonly beta: number; readonly nodes: number; readonly signal?: AbortSignal },
): Promise<IntegratedStrengths> {
  const result = await integratedHessians(model, x, {
    beta,
    nodes,
    baseline: 0,
    ...(signal && { signal }),
  });
  const { interactions, residuals, scores } = result;
  const plain = result.smoothing!.scores.input.data;
  return {
    strengths: ofMatrices(interactions.data, x.shape[1]!),
    residual: largestMagnitude(residuals.data) / largestMagnitude(interactions.data),
    moved: Math.sqrt(meanSquaredDifference(scores.input.data, plain)) / standardDeviation(plain),
  };
}

/** |H_ij + H_ji| of the smoothed network at the rows themselves, without any path. */
export async function hessianStrengths(model: Model, x: HostArray, beta: number): Promise<Strengths> {
  const [rows, width] = x.shape as [number, number];
  const score = modelFunction(smooth(model, { beta }));
  // Rows do not influence each other, so one product with the same unit vector in all rows gives a Hessian row of each.
  const program = compile(model.device, (value, along) => hvp((v) => sum(score(v)))(value, along), [x, x]);
  const input = model.device.tensor(x);
  const matrices = new Float32Array(rows * width * width);
  try {
    for (let i = 0; i < width; i++) {
      const unit = Float32Array.from({ length: rows * width }, (_, at) => (at % width === i ? 1 : 0));
      const along = model.device.tensor(hostArray(unit, [rows, width]));
      const [products] = await program.runAndRead([input, along]);
      along.dispose();
      for (let row = 0; row < rows; row++) {
        matrices.set(products!.data.subarray(row * width, (row + 1) * width), (row * width + i) * width);
      }
    }
  } finally {
    input.dispose();
  }
  return ofMatrices(matrices, width);
}

/** |(H_ij + H_ji) x_i x_j|: the Hessian's counterpart of gradient times input. */
export function timesInputs(hessians: Strengths, x: HostArray): Strengths {
  const width = x.shape[1]!;
  const pairs = allPairs(width);
  return hessians.map((value, at) => {
    const row = Math.floor(at / pairs.length) * width;
    const [i, j] = pairs[at % pairs.length]!;
    return Math.abs(value * x.data[row + i]! * x.data[row + j]!);
  });
}

export const randomStrengths = (rows: number, pairs: number, stream: Random): Strengths =>
  Float64Array.from({ length: rows * pairs }, () => stream.uniform());

/** Magnitudes of both halves of each pair together, from matrices [rows, width, width]. */
export function ofMatrices(matrices: ArrayLike<number>, width: number): Strengths {
  const pairs = allPairs(width);
  return Float64Array.from({ length: (matrices.length / width ** 2) * pairs.length }, (_, at) => {
    const matrix = Math.floor(at / pairs.length) * width ** 2;
    const [i, j] = pairs[at % pairs.length]!;
    return Math.abs(matrices[matrix + i * width + j]! + matrices[matrix + j * width + i]!);
  });
}

/** The pairs of every row, strongest first: [rows, pairs]. */
export function ordersOf(strengths: Strengths, pairs: number): Int32Array {
  const orders = new Int32Array(strengths.length);
  for (let at = 0; at < strengths.length; at += pairs) orders.set(descending(strengths.subarray(at, at + pairs)), at);
  return orders;
}

/** Mean strength of every pair over the rows. */
export function meanStrengths(strengths: Strengths, pairs: number): Float64Array {
  const sums = new Float64Array(pairs);
  strengths.forEach((value, at) => (sums[at % pairs]! += value));
  return sums.map((value) => value / (strengths.length / pairs));
}
