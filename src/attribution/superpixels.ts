// Superpixels: efficient graph-based segmentation (Felzenszwalb, Huttenlocher: IJCV 59(2), 2004).
import { assertAtLeast } from "../tensor/checks.ts";
import { ArgumentError, NumericError, ShapeError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { formatShape, numel, type Shape } from "../tensor/shape.ts";
import { blur } from "./baselines.ts";

export interface PictureOptions {
  /** "NHWC" for pictures [H, W, C]. Default "NCHW": [C, H, W]. */
  readonly layout?: "NCHW" | "NHWC";
}

export interface SegmentationOptions extends PictureOptions {
  /** Standard deviation, in pixels, of the Gaussian blur before the segmentation; 0 for none. Default 0.8. */
  readonly sigma?: number;
  /** Least number of pixels of a segment. Default 150 in a picture of 224 x 224, in others as many in proportion. */
  readonly minSize?: number;
  /** Two values that become -1 and 1. Default: the least and the largest of the picture. */
  readonly range?: readonly [number, number];
}

export interface SuperpixelOptions extends SegmentationOptions {
  /** The larger, the larger the segments; 0 joins pixels of the same colour only. Default 250. */
  readonly scale?: number;
}

export interface SegmentationsOptions extends SegmentationOptions {
  /** Default 50, 100, 150, 250, 500, 1200: those of XRAI. */
  readonly scales?: readonly number[];
}

/**
 * Segments of a picture. Two of them stay apart if the smallest colour difference between neighbours across their border
 * exceeds, in either, the largest one that holds it together (that of its minimum spanning tree) plus scale / (255 size).
 * Neighbours are the eight around a pixel, differences Euclidean over channels, values scaled to [-1, 1]. Programs that
 * segment pictures in [0, 1] mean half of it by the same scale.
 *
 * @param image one picture [C, H, W] or [1, C, H, W], any number of channels
 * @returns the segment of every pixel, row by row; segments are connected and numbered from 0 by their first pixel
 * @throws ShapeError, ArgumentError, NumericError
 */
export function superpixels(image: HostArray, { scale = 250, ...options }: SuperpixelOptions = {}): Int32Array {
  return segmentations(image, { ...options, scales: [scale] })[0]!;
}

/** {@link superpixels} at several scales, blurred and sorted only once. */
export function segmentations(image: HostArray, options: SegmentationsOptions = {}): Int32Array[] {
  const { scales = [50, 100, 150, 250, 500, 1200], sigma = 0.8, range } = options;
  const picture = pictureOf("image", image, options.layout);
  const pixels = picture.height * picture.width;
  const { minSize = Math.round((150 * pixels) / 224 ** 2) } = options;
  if (scales.length === 0) throw new ArgumentError("scales: expected at least one, got none");
  for (const scale of scales) assertAtLeast("scale", scale, 0);
  assertAtLeast("sigma", sigma, 0);
  assertAtLeast("minSize", minSize, 0);
  const edges = sortedEdges(normalised(picture, range, sigma));
  return scales.map((scale) => segmented(edges, pixels, scale / 255, minSize));
}

/** Channel after channel, [C, H, W]. */
export interface PicturePlanes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: ArrayLike<number>;
}

/**
 * @param what names the array in messages
 * @param array [C, H, W], the same behind leading axes of length 1, or [H, W]; channels last if the layout says so
 */
export function pictureOf(
  what: string,
  { shape, data }: HostArray,
  layout: PictureOptions["layout"] = "NCHW",
): PicturePlanes {
  const last = layout === "NHWC" && shape.length > 2;
  const [height = 0, width = 0] = last ? shape.slice(-3, -1) : shape.slice(-2);
  const channels = (last ? shape.at(-1) : shape.at(-3)) ?? 1;
  if (!(height * width * channels > 0) || numel(shape) !== channels * height * width)
    throw new ShapeError(
      `${what}: expected one picture, ${layout === "NHWC" ? "[H, W, C]" : "[C, H, W]"} or [H, W], got ${formatShape(shape)}`,
    );
  const wrong = data.findIndex((v) => !Number.isFinite(v));
  if (wrong >= 0) throw new NumericError(`${what}: element ${wrong} is ${data[wrong]}; expected finite numbers`);
  const pixels = height * width;
  const planes = last
    ? Float32Array.from(data, (_, i) => data[(i % pixels) * channels + Math.floor(i / pixels)]!)
    : data;
  return { channels, height, width, data: planes };
}

function normalised(picture: PicturePlanes, range: SegmentationOptions["range"], sigma: number): PicturePlanes {
  const values = Array.from(picture.data);
  const [low, high] =
    range ?? values.reduce<[number, number]>(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  if (range && !(Number.isFinite(low) && Number.isFinite(high) && low !== high))
    throw new ArgumentError(`range: expected two different finite numbers, got ${low} and ${high}`);
  // A picture of one colour has no range, and no borders.
  const spread = high - low || 1;
  const { channels, height, width } = picture;
  const scaled = hostArray(
    values.map((v) => (2 * (v - low)) / spread - 1),
    [channels, height, width],
  );
  return { ...picture, data: (sigma > 0 ? blur(sigma)(scaled, "image") : scaled).data };
}

/** Pairs of neighbouring pixels, most alike first. */
interface Edges {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly weights: Float64Array;
}

function sortedEdges({ channels, height, width, data }: PicturePlanes): Edges {
  const pixels = height * width;
  const pairs: number[] = [];
  for (let p = 0; p < pixels; p++) {
    const x = p % width;
    const below = p + width < pixels;
    if (x + 1 < width) pairs.push(p, p + 1);
    if (below) pairs.push(p, p + width);
    if (below && x + 1 < width) pairs.push(p, p + width + 1);
    if (below && x > 0) pairs.push(p, p + width - 1);
  }
  const unsorted = Float64Array.from({ length: pairs.length / 2 }, (_, e) => {
    let squares = 0;
    for (let c = 0; c < channels; c++)
      squares += (data[c * pixels + pairs[2 * e]!]! - data[c * pixels + pairs[2 * e + 1]!]!) ** 2;
    return Math.sqrt(squares);
  });
  const order = Int32Array.from(unsorted.keys()).sort((a, b) => unsorted[a]! - unsorted[b]! || a - b);
  return {
    from: order.map((e) => pairs[2 * e]!),
    to: order.map((e) => pairs[2 * e + 1]!),
    weights: unsorted.map((_, i) => unsorted[order[i]!]!),
  };
}

function segmented({ from, to, weights }: Edges, pixels: number, scale: number, minSize: number): Int32Array {
  const parent = Int32Array.from({ length: pixels }, (_, p) => p);
  const size = new Int32Array(pixels).fill(1);
  // What an edge may weigh to be no border of the segment: the heaviest edge within it, which is the last one, plus k / size.
  const limit = new Float64Array(pixels).fill(scale);
  const find = (p: number): number => {
    while (parent[p] !== p) p = parent[p] = parent[parent[p]!]!;
    return p;
  };
  const joinIf = (wanted: (a: number, b: number, weight: number) => boolean): void =>
    weights.forEach((weight, e) => {
      const [a, b] = [find(from[e]!), find(to[e]!)];
      if (a === b || !wanted(a, b, weight)) return;
      const [small, large] = size[a]! < size[b]! ? [a, b] : [b, a];
      parent[small] = large;
      size[large]! += size[small]!;
      limit[large] = weight + scale / size[large]!;
    });
  joinIf((a, b, weight) => weight <= Math.min(limit[a]!, limit[b]!));
  joinIf((a, b) => Math.min(size[a]!, size[b]!) < minSize);
  const numbers = new Map<number, number>();
  return parent.map((_, p) => {
    const root = find(p);
    if (!numbers.has(root)) numbers.set(root, numbers.size);
    return numbers.get(root)!;
  });
}

/**
 * Groups of features for `integratedHessians`, `shapleyIG` and metrics: all channels of a pixel belong to its segment.
 * @param labels the segment of every pixel, as {@link superpixels} or any other program gives them
 * @param shape of one example, [..., H, W], or [H, W, C] if the layout is NHWC
 * @throws ShapeError if there is not one label for each pixel
 */
export function superpixelGroups(
  labels: ArrayLike<number>,
  shape: Shape,
  { layout = "NCHW" }: PictureOptions = {},
): Int32Array {
  const pixels = numel(layout === "NCHW" ? shape.slice(-2) : shape.slice(-3, -1));
  if (shape.length < 2 || pixels !== labels.length)
    throw new ShapeError(`superpixelGroups: ${labels.length} labels do not fit an example ${formatShape(shape)}`);
  const channels = layout === "NCHW" ? 1 : shape.at(-1)!;
  return Int32Array.from({ length: numel(shape) }, (_, i) => labels[Math.floor(i / channels) % pixels]!);
}
