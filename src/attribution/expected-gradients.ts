// Expected gradients (Erion et al., arXiv 1906.10670): Integrated Gradients averaged over a background data set, as a
// Monte Carlo estimate with one random reference and one random position per sample.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { formatShape, numel, sameShape } from "../tensor/shape.ts";
import { randomNumbers } from "./baselines.ts";
import { summarise } from "./integrated-gradients.ts";
import { PathIntegral } from "./path.ts";
import type { ArrayInput, Attribution, ModelLike, PathOptions } from "./types.ts";
import { reporting } from "./session.ts";

/** Which reference and which position every sample of every example uses. */
export interface Draws {
  /** [B, n] indices into the references. */
  readonly index: ArrayLike<number>;
  /** [B, n] positions in [0, 1]. */
  readonly alpha: ArrayLike<number>;
}

export interface ExpectedGradientsOptions extends Omit<PathOptions, "baseline"> {
  /** Background examples [N, ...example]. */
  readonly references: HostArray;
  /** Samples per example. Default 200. */
  readonly samples?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Explicit draws instead of random ones. */
  readonly draws?: Draws;
}

/**
 * Mean over samples of (x - r) * gradient at r + a (x - r), r drawn from the references and a uniform in [0, 1].
 * Positions are stratified: one in each of n equal parts of [0, 1], in random order.
 * `delta` compares with f(x) minus the mean score of the drawn references; it is the Monte Carlo error of the sum.
 */
export async function expectedGradients(
  model: ModelLike,
  input: ArrayInput,
  options: ExpectedGradientsOptions,
): Promise<Attribution<ArrayInput>> {
  const { references } = options;
  const [batch = 1, ...example] = input.shape;
  if (!sameShape(references.shape.slice(1), example) || references.shape[0] === 0) {
    throw new ShapeError(
      `references: expected [N, ...${formatShape(example)}] with N >= 1, got ${formatShape(references.shape)}`,
    );
  }
  const draws = options.draws ?? randomDraws(batch, references.shape[0]!, options.samples ?? 200, options.seed ?? 0);
  const samples = draws.index.length / batch;
  if (!Number.isInteger(samples) || samples < 1 || draws.alpha.length !== draws.index.length) {
    throw new ArgumentError(
      `draws: expected [${batch}, n] indices and positions, got ${draws.index.length} and ${draws.alpha.length}`,
    );
  }
  const baseline = Array.from({ length: samples }, (_, s) => ({
    baseline: drawn(references, draws, s, samples, input),
  }));
  const path = await PathIntegral.open(model, input, { ...options, baseline });
  try {
    const nodes = Array.from(
      { length: samples * batch },
      (_, i) => draws.alpha[(i % batch) * samples + Math.floor(i / batch)]!,
    );
    const progress = reporting(options, samples);
    const result = await path.integrate({ steps: 1, nodes, weights: Array<number>(samples).fill(1) }, { progress });
    return summarise(path, result, input, 1, samples);
  } finally {
    path.dispose();
  }
}

/** Sample s of every example: the references that it starts from. */
function drawn(references: HostArray, { index }: Draws, s: number, samples: number, input: ArrayInput): HostArray {
  const size = numel(references.shape.slice(1));
  const data = new Float32Array(numel(input.shape));
  for (let b = 0; b < data.length / size; b++) {
    const row = index[b * samples + s]!;
    if (!Number.isInteger(row) || row < 0 || row >= references.shape[0]!) {
      throw new ArgumentError(`draws: reference ${row} does not exist; there are ${references.shape[0]}`);
    }
    data.set(references.data.subarray(row * size, (row + 1) * size), b * size);
  }
  return hostArray(data, input.shape);
}

function randomDraws(batch: number, references: number, samples: number, seed: number): Draws {
  const random = randomNumbers(seed);
  const index = Array.from({ length: batch * samples }, () => Math.floor(random() * references));
  const alpha = Array.from({ length: batch }, () =>
    shuffled(samples, random).map((k) => (k + random()) / samples),
  ).flat();
  return { index, alpha };
}

/** The numbers 0 to n - 1 in random order. */
export function shuffled(n: number, random: () => number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
