// Attributions as pictures. Every function returns the values at the two ends of its colour scale, so that a legend can say them.
import { assertAtLeast, assertPositive, assertWhole } from "../tensor/checks.ts";
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { type ColorMap, blueWhiteRed, colorAt, viridis } from "./color.ts";
import { largest } from "./numbers.ts";
import {
  type ImageOptions,
  type Interpolation,
  type Layout,
  type NumericArray,
  type Planes,
  type Raster,
  lumaAt,
  mix,
  planesOf,
  rasterOf,
  resizePlane,
  resizeRaster,
} from "./raster.ts";
import { percentile as percentileOf } from "./scale.ts";

/** How the channels of a pixel become one number: their sum, the sum of their magnitudes, or the largest magnitude. */
export type Reduction = "sum" | "absSum" | "max";

/** A picture of attributions; `low` and `high` are the attributions at the ends of its colour scale (beyond them it is clipped). */
export interface Picture extends Raster {
  readonly low: number;
  readonly high: number;
}

export interface ScaleOptions {
  /** Magnitudes above this percentile are clipped; 100 clips nothing. Default 99. */
  percentile?: number;
  /** The magnitude at the end of the scale, instead of a percentile: give several pictures the same to compare them. */
  limit?: number;
  /**
   * Standard deviation, in pixels of the attributions, of a Gaussian blur before drawing: shows regions where single pixels of
   * both signs cancel. Default 0 (the attributions as they are). Say so in a caption when you use it.
   */
  blur?: number;
  /** Pixels of the picture for each pixel of the attributions (or of the image, where there is one). Default 1. */
  scale?: number;
  /** Default "nearest". */
  interpolation?: Interpolation;
  /** Axes of the attributions (and of the image). Default "CHW". */
  layout?: Layout;
}

export interface HeatMapOptions extends ScaleOptions {
  /** Default "sum", which keeps the sign. */
  reduce?: Reduction;
  /** Default: blueWhiteRed for "sum", viridis for the others. A diverging map is always symmetric about zero. */
  colors?: ColorMap;
}

/**
 * Attributions as colours.
 *
 * @param attributions [C,H,W] or [H,W], leading ones allowed.
 * @returns RGBA pixels, scale * H by scale * W, opaque.
 * @throws ShapeError, NumericError (NaN or infinity), ArgumentError (options).
 */
export function heatMap(attributions: NumericArray, options: HeatMapOptions = {}): Picture {
  const { reduce = "sum", scale = 1, interpolation = "nearest" } = options;
  const colors = options.colors ?? (reduce === "sum" ? blueWhiteRed : viridis);
  assertWhole("heatMap: scale", scale, 1);
  const { values, size, limit } = mapOf(attributions, reduce, options);
  const low = colors.kind === "diverging" || values.some((v) => v < 0) ? -limit : 0;
  const [height, width] = [size[0] * scale, size[1] * scale];
  const data = new Uint8ClampedArray(width * height * 4);
  resizePlane(values, size, [height, width], interpolation).forEach((v, i) => {
    data.set(colorAt(colors, (v - low) / (limit - low)), 4 * i);
    data[4 * i + 3] = 255;
  });
  return { width, height, data, low, high: limit };
}

export interface OverlayOptions extends ScaleOptions, ImageOptions {
  /** Default blueWhiteRed. */
  colors?: ColorMap;
  /** Cover of the strongest attributions, 0 to 1. Default 0.9. */
  opacity?: number;
  /** What is left of the image's own colours, 0 (grey) to 1. Default 0. */
  saturation?: number;
}

/**
 * Signed attributions (summed over channels) over the image they explain: colour tells the sign, cover the magnitude, on a
 * scale symmetric about zero. The image is made grey so that its colours are not taken for attributions.
 *
 * @param attributions [C,H,W] or [H,W]; a map coarser than the image is enlarged to it.
 * @param image [C,H,W] or [H,W] with C = 1, 3 or 4, or a Raster.
 * @returns RGBA pixels, scale times the size of the image.
 */
export function signedOverlay(
  attributions: NumericArray,
  image: NumericArray | Raster,
  options: OverlayOptions = {},
): Picture {
  const { colors = blueWhiteRed, opacity = 0.9, saturation = 0 } = options;
  checkUnit("signedOverlay: opacity", opacity);
  checkUnit("signedOverlay: saturation", saturation);
  if (colors.kind !== "diverging") throw new ArgumentError("signedOverlay: colors must be a diverging map");
  const { values, limit, backdrop } = overImage(attributions, image, "sum", options);
  const { width, height } = backdrop;
  const data = new Uint8ClampedArray(backdrop.data);
  for (let i = 0; i < width * height; i++) {
    const v = Math.min(1, Math.max(-1, values[i]! / limit));
    const color = colorAt(colors, (v + 1) / 2);
    const luma = lumaAt(data, 4 * i);
    color.forEach((c, k) => {
      data[4 * i + k] = mix(mix(luma, data[4 * i + k]!, saturation), c, opacity * Math.abs(v));
    });
  }
  return { width, height, data, low: -limit, high: limit };
}

/**
 * The picture of "Gradients of Counterfactuals" (arXiv 1611.02639): the sum over channels of |attribution|, divided by its 99th
 * percentile and clipped to 1, times the image. What stays visible is what the network looked at.
 *
 * @param attributions [C,H,W] or [H,W].
 * @param image [C,H,W] or [H,W] with C = 1, 3 or 4, or a Raster.
 * @returns RGBA pixels, scale times the size of the image.
 */
export function attributedImage(
  attributions: NumericArray,
  image: NumericArray | Raster,
  options: ScaleOptions & ImageOptions = {},
): Picture {
  const { values, limit, backdrop } = overImage(attributions, image, "absSum", options);
  const data = backdrop.data.map((v, i) => (i % 4 === 3 ? v : v * Math.min(1, values[i >> 2]! / limit)));
  return { width: backdrop.width, height: backdrop.height, data, low: 0, high: limit };
}

/** Attributions and image, both brought to the size of the result. */
function overImage(
  attributions: NumericArray,
  image: NumericArray | Raster,
  reduce: Reduction,
  options: ScaleOptions & ImageOptions,
) {
  const { scale = 1, interpolation = "nearest" } = options;
  assertWhole("scale", scale, 1);
  const pixels = rasterOf(image, options);
  const { values, size, limit } = mapOf(attributions, reduce, options);
  if (size[0] > pixels.height || size[1] > pixels.width) {
    throw new ShapeError(
      `attributions of ${size.join(" x ")} (height x width) are larger than the image of ` +
        `${pixels.height} x ${pixels.width}; give the image at the size that the model saw`,
    );
  }
  const [height, width] = [pixels.height * scale, pixels.width * scale];
  return {
    limit,
    values: resizePlane(values, size, [height, width], interpolation),
    backdrop: resizeRaster(pixels, width, height, interpolation),
  };
}

/** One number for each pixel, and the magnitude at the end of their scale. */
function mapOf(attributions: NumericArray, reduce: Reduction, options: ScaleOptions) {
  const planes = planesOf("attributions", attributions, options.layout ?? "CHW");
  const size = [planes.height, planes.width] as const;
  const values = blurred(reduceChannels(planes, reduce), size, options.blur);
  return { values, size, limit: limitOf(values, options) };
}

function reduceChannels({ channels, height, width, data }: Planes, reduce: Reduction): Float64Array {
  const size = height * width;
  const out = new Float64Array(size);
  for (let k = 0; k < channels; k++) {
    for (let i = 0; i < size; i++) {
      const v = data[k * size + i]!;
      if (reduce === "sum") out[i]! += v;
      else if (reduce === "absSum") out[i]! += Math.abs(v);
      else out[i] = Math.max(out[i]!, Math.abs(v));
    }
  }
  return out;
}

/** Gaussian blur along both axes; at the edges only the weights inside count, so a constant stays constant. */
function blurred(values: Float64Array, [height, width]: readonly [number, number], sigma = 0): Float64Array {
  assertAtLeast("blur", sigma, 0);
  if (sigma === 0) return values;
  const reach = Math.ceil(3 * sigma);
  const along = (from: Float64Array, step: number, length: number) =>
    from.map((_, i) => {
      const at = Math.floor(i / step) % length;
      let [sum, total] = [0, 0];
      for (let d = Math.max(-reach, -at); d <= Math.min(reach, length - 1 - at); d++) {
        const weight = Math.exp((-d * d) / (2 * sigma * sigma));
        sum += weight * from[i + d * step]!;
        total += weight;
      }
      return sum / total;
    });
  return along(along(values, 1, width), width, height);
}

/** The magnitude at the end of the scale. */
function limitOf(values: Float64Array, { percentile = 99, limit }: ScaleOptions): number {
  if (limit !== undefined) {
    assertPositive("limit", limit);
    return limit;
  }
  // A percentile of 0 means that nearly all are exactly 0: the largest then sets the scale. All zero: any scale will do.
  return percentileOf(values.map(Math.abs), percentile) || largest(values) || 1;
}

function checkUnit(what: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw new ArgumentError(`${what} must lie in [0, 1], not ${value}`);
}
