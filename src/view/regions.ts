// Segments of a picture, drawn over it.
import { assertWhole } from "../tensor/checks.ts";
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import {
  type ImageOptions,
  type Interpolation,
  type NumericArray,
  type Raster,
  lumaAt,
  rasterOf,
  resizeRaster,
} from "./raster.ts";

export interface OutlineOptions extends ImageOptions {
  /** Of the lines, 0 to 255 each. Default yellow, [255, 220, 0]. */
  color?: readonly [number, number, number];
  /** Labels whose pixels are made grey and dark. Default none. */
  fade?: readonly number[];
  /** Pixels of the result for each pixel of the image; lines are one pixel wide. Default 1. */
  scale?: number;
  /** How the image is enlarged. Default "nearest". */
  interpolation?: Interpolation;
}

/**
 * An image with lines where the labels of neighbouring pixels differ: segments, or a mask of 0 and 1.
 *
 * @param image [C,H,W] or [H,W] with C = 1, 3 or 4, or a Raster.
 * @param labels one for each pixel, row by row.
 * @returns RGBA pixels, scale times the size of the image.
 */
export function outlinedRegions(
  image: NumericArray | Raster,
  labels: ArrayLike<number>,
  options: OutlineOptions = {},
): Raster {
  const { color = [255, 220, 0], fade = [], scale = 1, interpolation } = options;
  assertWhole("outlinedRegions: scale", scale, 1);
  if (!color.every((c) => c >= 0 && c <= 255)) {
    throw new ArgumentError(`outlinedRegions: color must be three numbers from 0 to 255, not ${color.join(", ")}`);
  }
  const pixels = rasterOf(image, options);
  if (labels.length !== pixels.width * pixels.height) {
    throw new ShapeError(`${labels.length} labels for an image of ${pixels.width} x ${pixels.height} pixels`);
  }
  const [width, height] = [pixels.width * scale, pixels.height * scale];
  const data = new Uint8ClampedArray(resizeRaster(pixels, width, height, interpolation).data);
  const labelAt = (x: number, y: number) => labels[Math.floor(y / scale) * pixels.width + Math.floor(x / scale)]!;
  const faded = new Set(fade);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const label = labelAt(x, y);
    const border =
      label !== labelAt(Math.min(width - 1, x + 1), y) || label !== labelAt(x, Math.min(height - 1, y + 1));
    if (border) data.set([...color, 255], 4 * i);
    else if (faded.has(label)) {
      data.fill(0.35 * lumaAt(data, 4 * i), 4 * i, 4 * i + 3);
    }
  }
  return { width, height, data };
}
