// Baselines: what a path starts from. Each is an array of the input's shape, or a recipe that makes one from the input.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { formatShape, numel, sameShape, type Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Makes a baseline for one named input. */
export type BaselineRecipe = (input: HostArray, name: string) => HostArray;

/** "zero" (also "black"), "white" (ones), a number for every element, an array, a recipe, or one of these per input. */
export type SingleBaseline = "zero" | "black" | "white" | number | HostArray | Tensor | BaselineRecipe;
export type Baseline = SingleBaseline | Readonly<Record<string, SingleBaseline>>;

export interface WeightedBaseline {
  readonly baseline: Baseline;
  /** Relative weight; weights are scaled to sum to 1. Default 1. */
  readonly weight?: number;
}

const like = (input: HostArray, value: (i: number) => number): HostArray =>
  hostArray(
    Float32Array.from(input.data, (_, i) => value(i)),
    input.shape,
  );

/** The same value everywhere. */
export const constantBaseline =
  (value: number): BaselineRecipe =>
  (input) =>
    like(input, () => value);

/**
 * Gaussian blur of pictures [..., H, W]: keeps colours and large shapes, removes detail.
 * @param sigma standard deviation in pixels, > 0; the kernel ends at 3 sigma, edges repeat
 */
export function blur(sigma: number): BaselineRecipe {
  if (!(sigma > 0)) throw new ArgumentError(`blur: expected sigma > 0 pixels, got ${sigma}`);
  const radius = Math.ceil(3 * sigma);
  const taps = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-0.5 * ((i - radius) / sigma) ** 2));
  const total = taps.reduce((a, b) => a + b, 0);
  const kernel = taps.map((t) => t / total);
  return (input) => {
    if (input.shape.length < 2)
      throw new ShapeError(`blur: expected a picture [..., H, W], got ${formatShape(input.shape)}`);
    const [height, width] = input.shape.slice(-2) as [number, number];
    const rows = convolve(input.data, kernel, width, 1, width);
    return hostArray(convolve(rows, kernel, height, width, height * width), input.shape);
  };
}

/** Correlates along an axis of `extent` elements that are `stride` apart, repeating within blocks of `block`. */
function convolve(
  data: ArrayLike<number>,
  kernel: readonly number[],
  extent: number,
  stride: number,
  block: number,
): Float32Array {
  const radius = (kernel.length - 1) / 2;
  const result = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const at = Math.floor((i % block) / stride);
    const base = i - at * stride;
    let sum = 0;
    for (let k = -radius; k <= radius; k++) {
      const neighbour = Math.min(extent - 1, Math.max(0, at + k));
      sum += kernel[k + radius]! * data[base + neighbour * stride]!;
    }
    result[i] = sum;
  }
  return result;
}

/** Uniform noise in [low, high), reproducible by its seed. */
export const uniformNoise =
  ({ low = 0, high = 1, seed = 0 }: { low?: number; high?: number; seed?: number } = {}): BaselineRecipe =>
  (input) => {
    const random = randomNumbers(seed);
    return like(input, () => low + (high - low) * random());
  };

/** Gaussian noise around a mean, or around the input itself if no mean is given; reproducible by its seed. */
export const gaussianNoise =
  ({ sigma = 0.1, mean, seed = 0 }: { sigma?: number; mean?: number; seed?: number } = {}): BaselineRecipe =>
  (input) => {
    const random = randomNumbers(seed);
    return like(input, (i) => {
      const radius = Math.sqrt(-2 * Math.log(1 - random()));
      return (mean ?? input.data[i]!) + sigma * radius * Math.cos(2 * Math.PI * random());
    });
  };

/** A statistic of a data set [N, ...example], the same for every example of the input. */
function statistic(data: HostArray, combine: (column: number[]) => number): BaselineRecipe {
  const count = data.shape[0] ?? 0;
  const size = numel(data.shape.slice(1));
  if (count < 1) throw new ArgumentError("baseline: the data set is empty");
  const example = Array.from({ length: size }, (_, i) =>
    combine(Array.from({ length: count }, (_, n) => data.data[n * size + i]!)),
  );
  return (input) => {
    if (!sameShape(input.shape.slice(1), data.shape.slice(1))) {
      throw new ShapeError(
        `baseline: the data set holds examples ${formatShape(data.shape.slice(1))}, the input ${formatShape(input.shape.slice(1))}`,
      );
    }
    return like(input, (i) => example[i % size]!);
  };
}

/** Mean example of a data set [N, ...example]. */
export const meanOf = (data: HostArray): BaselineRecipe =>
  statistic(data, (c) => c.reduce((a, b) => a + b, 0) / c.length);
/** Smallest value of every feature in a data set. */
export const minimumOf = (data: HostArray): BaselineRecipe =>
  statistic(data, (c) => c.reduce((a, b) => Math.min(a, b)));
/** Largest value of every feature in a data set. */
export const maximumOf = (data: HostArray): BaselineRecipe =>
  statistic(data, (c) => c.reduce((a, b) => Math.max(a, b)));

/** `count` examples drawn from a data set, each a baseline of equal weight. */
export function sampleOf(data: HostArray, count: number, seed = 0): WeightedBaseline[] {
  const total = data.shape[0] ?? 0;
  if (total < 1) throw new ArgumentError("baseline: the data set is empty");
  const random = randomNumbers(seed);
  const size = numel(data.shape.slice(1));
  return Array.from({ length: count }, () => {
    const n = Math.floor(random() * total);
    const example = data.data.slice(n * size, (n + 1) * size);
    return { baseline: (input: HostArray) => like(input, (i) => example[i % size]!) };
  });
}

/** Uniform numbers in [0, 1) by the generator "mulberry32". */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * The array that a baseline stands for. Arrays may leave out the batch axis or have it as 1: they are then repeated.
 * @throws ShapeError if an array has neither the input's shape nor that of one example
 */
export function resolveBaseline(baseline: Exclude<SingleBaseline, Tensor>, input: HostArray, name: string): HostArray {
  if (baseline === "zero" || baseline === "black") return like(input, () => 0);
  if (baseline === "white") return like(input, () => 1);
  if (typeof baseline === "number") return like(input, () => baseline);
  if (typeof baseline === "string") {
    throw new ArgumentError(
      `baseline: expected "zero", "black", "white", a number, an array or a recipe, got "${String(baseline)}"`,
    );
  }
  const array = typeof baseline === "function" ? baseline(input, name) : baseline;
  return repeated(array, input.shape, name);
}

function repeated(array: HostArray, shape: Shape, name: string): HostArray {
  if (sameShape(array.shape, shape)) return array;
  const example = shape.slice(1);
  if (sameShape(array.shape, example) || sameShape(array.shape, [1, ...example])) {
    const size = numel(example);
    return hostArray(
      Float32Array.from({ length: numel(shape) }, (_, i) => array.data[i % size]!),
      shape,
    );
  }
  throw new ShapeError(
    `baseline of input "${name}": expected ${formatShape(shape)} or one example ${formatShape(example)}, got ${formatShape(array.shape)}`,
  );
}
