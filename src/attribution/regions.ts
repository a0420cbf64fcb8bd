// Regions of a picture by what is attributed to them: XRAI (Kapishnikov, Bolukbasi, Viégas, Terry: arXiv 1906.02825).
import { assertAtLeast, assertChoice } from "../tensor/checks.ts";
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { formatShape, numel } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { BaselineRecipe } from "./baselines.ts";
import { entry } from "./competition.ts";
import {
  integratedGradients,
  type IntegratedGradientsOptions,
  type IntegratedGradientsResult,
} from "./integrated-gradients.ts";
import { pictureOf, segmentations, type PictureOptions, type SegmentationsOptions } from "./superpixels.ts";
import type { ArrayInput, ModelLike } from "./types.ts";

export interface RegionOptions extends PictureOptions {
  /** Pixels by which segments grow on all sides, so that they hold the edges around them. Default 5. */
  readonly dilation?: number;
  /** A segment that would add fewer pixels is passed over. Default 50, at least 1. */
  readonly minArea?: number;
  /** Ends when more than this fraction of the picture is ranked; the rest becomes one last region. Default 1. */
  readonly areaThreshold?: number;
  /** What a pixel gets of its channels. Default "max". */
  readonly reduce?: "max" | "sum";
}

export interface Region {
  /** Mean attribution of its pixels. */
  readonly gain: number;
  /** Number of its pixels. */
  readonly area: number;
  /** Whether it is what no segment was chosen for. */
  readonly rest: boolean;
}

export interface RankedRegions {
  /** By falling gain, the rest last. Each pixel is in one of them. */
  readonly regions: readonly Region[];
  /** i32 [H, W]: which of `regions` a pixel is in, 0 the first. */
  readonly ranks: HostArray;
  /** [H, W]: gain of the region that a pixel is in. Its sum is that of the attributions. */
  readonly heat: HostArray;
}

/**
 * Regions out of overlapping segments, greedily: again and again the one whose pixels that are not yet in a region have the
 * largest mean attribution.
 *
 * @param attributions of one picture: [C, H, W] or [H, W], leading ones allowed; of any method
 * @param segments labels of all pixels, one list for each segmentation ({@link segmentations}); -1 for pixels of none
 * @throws ShapeError, ArgumentError, NumericError for arguments that do not fit
 */
export function rankRegions(
  attributions: HostArray,
  segments: readonly ArrayLike<number>[],
  options: RegionOptions = {},
): RankedRegions {
  const { dilation = 5, minArea = 50, areaThreshold = 1, reduce = "max", layout } = options;
  assertAtLeast("dilation", dilation, 0);
  assertAtLeast("minArea", minArea, 1);
  assertChoice("reduce", reduce, "max", "sum");
  if (!(areaThreshold >= 0 && areaThreshold <= 1))
    throw new ArgumentError(`areaThreshold: expected a fraction from 0 to 1, got ${areaThreshold}`);
  const { height, width, channels, data } = pictureOf("attributions", attributions, layout);
  const pixels = height * width;
  const combine = reduce === "sum" ? (a: number, b: number) => a + b : Math.max;
  const map = Float64Array.from({ length: pixels }, (_, p) => {
    let value = data[p]!;
    for (let c = 1; c < channels; c++) value = combine(value, data[c * pixels + p]!);
    return value;
  });
  const masks = segments.flatMap((labels) => dilated(labels, height, width, dilation));
  const chosen = greedy(map, masks, minArea, areaThreshold * pixels);
  return ranked(map, chosen, [height, width]);
}

/** The pixels of every segment and of what is within a radius of it. */
function dilated(labels: ArrayLike<number>, height: number, width: number, radius: number): number[][] {
  if (labels.length !== height * width)
    throw new ShapeError(`segments: expected a label for each of ${height} x ${width} pixels, got ${labels.length}`);
  const disk: [number, number][] = [];
  for (let dy = -Math.floor(radius); dy <= radius; dy++)
    for (let dx = -Math.floor(radius); dx <= radius; dx++)
      if (dx * dx + dy * dy <= radius * radius) disk.push([dy, dx]);
  const members = new Map<number, number[]>();
  for (let p = 0; p < labels.length; p++) {
    const label = labels[p]!;
    if (!Number.isInteger(label) || label < -1)
      throw new ArgumentError(`segments: expected whole numbers from 0 on, or -1 for none, got ${label}`);
    if (label < 0) continue;
    const own = members.get(label);
    if (own) own.push(p);
    else members.set(label, [p]);
  }
  const seen = new Int32Array(labels.length);
  return [...members.values()].map((own, s) => {
    const mask: number[] = [];
    for (const p of own)
      for (const [dy, dx] of disk) {
        const [y, x] = [Math.floor(p / width) + dy, (p % width) + dx];
        if (y < 0 || y >= height || x < 0 || x >= width || seen[y * width + x] === s + 1) continue;
        seen[y * width + x] = s + 1;
        mask.push(y * width + x);
      }
    return mask;
  });
}

/** The pixels that each chosen segment adds. `enough`: ends when more pixels than this are taken. */
function greedy(map: Float64Array, masks: readonly number[][], minArea: number, enough: number): number[][] {
  const total = (mask: readonly number[]): number => mask.reduce((sum, p) => sum + map[p]!, 0);
  // A segment's open pixels only ever become fewer, so that sums are kept up instead of taken anew.
  const open = masks.map((mask) => ({ mask, area: mask.length, sum: total(mask) }));
  const holders = Array.from(map, (): number[] => []);
  masks.forEach((mask, s) => mask.forEach((p) => holders[p]!.push(s)));
  const taken = new Uint8Array(map.length);
  const chosen: number[][] = [];
  for (let count = 0; count <= enough;) {
    const usable = open.filter(({ area }) => area >= minArea);
    if (usable.length === 0) break;
    const best = usable.reduce((a, b) => (b.sum / b.area > a.sum / a.area ? b : a));
    const added = best.mask.filter((p) => !taken[p]);
    for (const p of added) {
      taken[p] = 1;
      for (const s of holders[p]!) {
        open[s]!.area--;
        open[s]!.sum -= map[p]!;
      }
    }
    count += added.length;
    chosen.push(added);
  }
  return chosen;
}

function ranked(map: Float64Array, chosen: readonly number[][], shape: readonly [number, number]): RankedRegions {
  const ranks = new Int32Array(map.length).fill(-1);
  const heat = new Float32Array(map.length);
  const region = (pixels: readonly number[], rest: boolean) => ({
    pixels,
    rest,
    area: pixels.length,
    gain: pixels.reduce((sum, p) => sum + map[p]!, 0) / pixels.length,
  });
  const all = chosen.map((pixels) => region(pixels, false)).sort((a, b) => b.gain - a.gain);
  const inOne = new Set(chosen.flat());
  const rest = [...map.keys()].filter((p) => !inOne.has(p));
  if (rest.length > 0) all.push(region(rest, true));
  const regions = all.map(({ pixels, ...region }, rank) => {
    for (const p of pixels) [ranks[p], heat[p]] = [rank, region.gain];
    return region;
  });
  return { regions, ranks: hostArray(ranks, shape, "i32"), heat: hostArray(heat, shape) };
}

/**
 * Where the most important regions are.
 * @param share fraction of the picture, in (0, 1]: as many regions, in order, as it takes to cover it
 * @returns i32 [H, W], 1 in these regions and 0 elsewhere
 */
export function topRegions({ regions, ranks }: RankedRegions, share: number): HostArray {
  if (!(share > 0 && share <= 1)) throw new ArgumentError(`share: expected a fraction in (0, 1], got ${share}`);
  let [count, area] = [0, 0];
  // Fractions such as 0.2 * 20 pixels are rounded up by floating point.
  while (count < regions.length && area < share * ranks.data.length - 1e-6) area += regions[count++]!.area;
  return hostArray(
    ranks.data.map((rank) => (rank < count ? 1 : 0)),
    ranks.shape,
    "i32",
  );
}

export interface XraiOptions
  extends Omit<IntegratedGradientsOptions, "layer" | "baselineOf">, SegmentationsOptions, RegionOptions {
  /** Segments of every example, each a list as `rankRegions` takes it. Default: {@link segmentations} of the pictures. */
  readonly segments?: readonly (readonly ArrayLike<number>[])[];
}

export interface XraiResult extends IntegratedGradientsResult<ArrayInput> {
  /** Of every example. */
  readonly ranked: readonly RankedRegions[];
}

/**
 * XRAI: Integrated Gradients from a black and a white picture, averaged, then {@link rankRegions} over segments at six
 * scales. Black and white are the least and the largest value of each picture. Default 100 steps.
 *
 * @param input pictures [B, C, H, W], or [B, H, W, C] if the layout is NHWC
 * @throws as `integratedGradients` and `rankRegions`; ArgumentError for target "all"
 */
export async function xrai(model: ModelLike, input: ArrayInput, options: XraiOptions = {}): Promise<XraiResult> {
  if (options.target === "all") throw new ArgumentError('target "all": regions are ranked for one class at a time');
  if (input.shape.length < 3)
    throw new ShapeError(`xrai: expected pictures [B, C, H, W], got ${formatShape(input.shape)}`);
  const { segments } = options;
  if (segments && segments.length !== input.shape[0])
    throw new ShapeError(`segments: expected a list for each of ${input.shape[0]} examples, got ${segments.length}`);
  const pictures = examplesOf(input instanceof Tensor ? await input.read() : input);
  const parts = segments ?? pictures.map((picture) => segmentations(picture, options));
  const result = await integratedGradients(model, input, {
    baseline: [{ baseline: extreme(Math.min) }, { baseline: extreme(Math.max) }],
    ...(!options.points && !options.tolerance && { steps: 100 }),
    ...options,
  });
  return { ...result, ranked: examplesOf(result.attributions).map((map, b) => rankRegions(map, parts[b]!, options)) };
}

const examplesOf = (array: HostArray): HostArray[] =>
  Array.from({ length: array.shape[0]! }, (_, b) => entry(array, b));

/** Every example filled with its least or largest value. */
const extreme =
  (choose: (a: number, b: number) => number): BaselineRecipe =>
  (input) => {
    const values = examplesOf(input).map(({ data }) => (data as Float32Array).reduce((a, b) => choose(a, b)));
    const size = numel(input.shape.slice(1));
    return hostArray(
      Float32Array.from(input.data, (_, i) => values[Math.floor(i / size)]!),
      input.shape,
    );
  };
