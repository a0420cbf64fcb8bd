// Gradients at random points around or on the way to an input: SmoothGrad, VarGrad and GradientSHAP. Each sample is a baseline
// of a path integral that is evaluated at its first point, where all samples are rows of one batch.
import { assertAtLeast, assertChoice, assertPositive, assertWhole } from "../tensor/checks.ts";
import { cached } from "../tensor/cached.ts";
import { ShapeError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { formatShape, numel, sameShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Value } from "../graph/node.ts";
import { square } from "../kernels/arithmetic.ts";
import { modelOutput, type Tap } from "../nn/model.ts";
import { gaussianNoise, randomNumbers, type WeightedBaseline } from "./baselines.ts";
import { shuffled } from "./expected-gradients.ts";
import { finaleGraph, gradientIntegrand } from "./path-graphs.ts";
import { PathIntegral } from "./path.ts";
import { timesEach, type Integrand, type PathShape } from "./path-parts.ts";
import { isModel, namedInputs } from "./problem.ts";
import type { GradientOptions } from "./saliency.ts";
import type { ArrayInput, ModelLike, Plan } from "./types.ts";
import { reporting } from "./session.ts";

export interface NoisyGradients {
  /** Shape of the input; with target "all" a leading class axis. */
  readonly attributions: HostArray;
  /** Score at the input: [B]. */
  readonly scores: HostArray;
  readonly targets: HostArray | undefined;
  /** Gradient evaluations per example. */
  readonly evaluations: number;
  readonly plan: Plan;
}

export interface SmoothGradOptions extends Omit<GradientOptions, "layer"> {
  /** Standard deviation of the noise, relative to the range of each example's elements. Default 0.15. */
  readonly level?: number;
  /** Standard deviation of the noise itself, instead of `level`. */
  readonly sigma?: number;
  /** Default 50. */
  readonly samples?: number;
  /** Default 0. */
  readonly seed?: number;
  /** `mean` (default): SmoothGrad. `square`: mean of squared gradients. `variance`: VarGrad, without Bessel's correction. */
  readonly statistic?: "mean" | "square" | "variance";
}

/**
 * SmoothGrad (Smilkov et al., arXiv 1706.03825): the mean gradient of the score over inputs with Gaussian noise. All samples
 * explain the class of the input itself.
 * @throws ArgumentError for numbers that do not fit
 */
export async function smoothGrad(
  model: ModelLike,
  input: ArrayInput,
  options: SmoothGradOptions = {},
): Promise<NoisyGradients> {
  const { level = 0.15, sigma, samples = 50, seed = 0, statistic = "mean" } = options;
  assertWhole("samples", samples, 1);
  assertPositive(sigma === undefined ? "level" : "sigma", sigma ?? level);
  assertChoice("statistic", statistic, "mean", "square", "variance");
  const x = await hostOf(input);
  const deviations = sigma === undefined ? ranges(x).map((r) => level * r) : ranges(x).map(() => sigma);
  const size = x.data.length / deviations.length;
  const baseline = Array.from({ length: samples }, (_, k) => {
    const noise = normal(x, seed, k);
    return { baseline: like(x, (i) => x.data[i]! + deviations[Math.floor(i / size)]! * noise.data[i]!) };
  });
  const { totals, ...result } = await meanOverSamples(model, input, { ...options, baseline }, momentsIntegrand);
  const [mean, squares] = totals as [HostArray, HostArray];
  // Rounding may leave a variance of nothing a little below 0.
  const variance = (): HostArray => like(mean, (i) => Math.max(0, squares.data[i]! - mean.data[i]! ** 2));
  return { attributions: statistic === "mean" ? mean : statistic === "square" ? squares : variance(), ...result };
}

/** VarGrad (Adebayo et al., arXiv 1810.03307): the variance of the gradient over inputs with Gaussian noise. */
export const varGrad = (
  model: ModelLike,
  input: ArrayInput,
  options: Omit<SmoothGradOptions, "statistic"> = {},
): Promise<NoisyGradients> => smoothGrad(model, input, { ...options, statistic: "variance" });

export interface GradientShapOptions extends Omit<GradientOptions, "layer"> {
  /** Background examples [N, ...example]. */
  readonly references: HostArray;
  /** Standard deviation of the noise on the input. Default 0.1; 0 leaves expected gradients. */
  readonly sigma?: number;
  /** Default 50. */
  readonly samples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * GradientSHAP (Lundberg's GradientExplainer): the mean over samples of (x + e - r) * gradient at r + a (x + e - r), with a
 * random reference r, Gaussian noise e and a position a for each; positions are stratified.
 * @throws ArgumentError, ShapeError for numbers or references that do not fit
 */
export async function gradientShap(
  model: ModelLike,
  input: ArrayInput,
  options: GradientShapOptions,
): Promise<NoisyGradients> {
  const { references, sigma = 0.1, samples = 50, seed = 0 } = options;
  assertWhole("samples", samples, 1);
  assertAtLeast("sigma", sigma, 0);
  const example = input.shape.slice(1);
  if (!sameShape(references.shape.slice(1), example) || references.shape[0] === 0)
    throw new ShapeError(
      `references: expected [N, ...${formatShape(example)}] with N >= 1, got ${formatShape(references.shape)}`,
    );
  const x = await hostOf(input);
  const name = Object.keys(namedInputs(model, input))[0]!;
  const size = numel(example);
  const random = randomNumbers(seed);
  const strata = Array.from({ length: x.shape[0] ?? 1 }, () => shuffled(samples, random));
  const baseline = Array.from({ length: samples }, (_, k): WeightedBaseline => {
    const noise = normal(x, seed, k);
    const drawn = strata.map((order) => ({
      row: Math.floor(random() * references.shape[0]!) * size,
      alpha: (order[k]! + random()) / samples,
    }));
    const start = (i: number): number => references.data[drawn[Math.floor(i / size)]!.row + (i % size)]!;
    const way = (i: number): number => x.data[i]! + sigma * noise.data[i]! - start(i);
    const point = like(x, (i) => start(i) + drawn[Math.floor(i / size)]!.alpha * way(i));
    return { baseline: { [name]: point, [FACTOR]: like(x, (i) => -way(i)) } };
  });
  const pair = { [name]: input, [FACTOR]: like(x, () => 0) };
  const { totals, ...result } = await meanOverSamples(
    withFactor(model, name, options.output),
    pair,
    { ...options, baseline },
    factorIntegrand,
  );
  return { attributions: totals[0]!, ...result };
}

/** Not a name that an input of a model has. */
const FACTOR = " factor";

const factored = new WeakMap<ModelLike, Map<string | undefined, ModelLike>>();

/** The model with a second input that it does not read: its difference between both ends is what gradients are multiplied with. */
function withFactor(model: ModelLike, name: string, output: string | undefined): ModelLike {
  const known = cached(factored, model, () => new Map<string | undefined, ModelLike>());
  return cached(known, output, () => (inputs: Readonly<Record<string, Value>>, tap: Tap = (_name, value) => value) => {
    const x = inputs[name]!;
    return isModel(model)
      ? modelOutput(model, { [name]: x }, output, tap)
      : (model as (x: Value, tap: Tap) => Value)(x, tap);
  });
}

async function meanOverSamples(
  model: ModelLike,
  input: ArrayInput | Readonly<Record<string, ArrayInput>>,
  options: GradientOptions & { readonly baseline: readonly WeightedBaseline[] },
  integrand: (shape: PathShape) => Integrand,
) {
  // With one node to a baseline there is nothing to hoist.
  const path = await PathIntegral.open(model, input, { ...options, hoist: false });
  try {
    const samples = path.baselineCount;
    const points = path.points({ nodes: [0], weights: [1] });
    const progress = reporting(options, samples);
    const { totals, score, targets, plan } = await path.integrate(points, {
      integrand: integrand(path.shape),
      progress,
    });
    return { totals, scores: score, targets, evaluations: samples, plan };
  } finally {
    path.dispose();
  }
}

/** Means of the gradients, and of their squares. */
const momentsIntegrand = (shape: PathShape): Integrand => ({
  ...gradientIntegrand(shape),
  key: "moments",
  results: ["the mean gradient", "the mean squared gradient"],
  finale: (baselines) => finaleGraph(shape, baselines, ([gradient]) => [gradient!, square(gradient!)]),
});

/** Means of the gradients of the first value times the difference of the second. */
const factorIntegrand = (shape: PathShape): Integrand => ({
  ...gradientIntegrand(shape),
  key: "factor",
  results: ["the attribution"],
  finale: (baselines) => finaleGraph(shape, baselines, ([gradient], [, factor]) => [timesEach(gradient!, factor!)]),
});

const hostOf = (x: ArrayInput): Promise<HostArray> => (x instanceof Tensor ? x.read() : Promise.resolve(x));

const like = ({ shape }: HostArray, value: (i: number) => number): HostArray =>
  hostArray(Float32Array.from({ length: numel(shape) }, (_, i) => value(i)), shape); // prettier-ignore

/** Standard normal numbers of sample k. */
const normal = (x: HostArray, seed: number, k: number): HostArray =>
  gaussianNoise({ sigma: 1, mean: 0, seed: seed * 65537 + k + 1 })(x, "x");

/** Largest minus smallest element of every example. */
function ranges({ shape, data }: HostArray): number[] {
  const size = numel(shape.slice(1));
  return Array.from({ length: data.length / size }, (_, b) => {
    const own = Array.from(data.subarray(b * size, (b + 1) * size));
    return own.reduce((a, v) => Math.max(a, v)) - own.reduce((a, v) => Math.min(a, v));
  });
}
