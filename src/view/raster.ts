// Pictures as plain bytes, and the way from arrays of numbers to them. No canvas: the same code runs in a page, a worker and Node.
import { assertWhole } from "../tensor/checks.ts";
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { checkFinite, rangeOf } from "./numbers.ts";

/** Anything with a shape and numbers: a HostArray, or an object written by hand. */
export interface NumericArray {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** 8-bit RGBA pixels, row by row, not premultiplied. An `ImageData` of a browser is one. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** Order of the axes of an image array: channels first (this library, PyTorch) or last (TensorFlow). */
export type Layout = "CHW" | "HWC";

/** Channels of equal size, channel after channel. */
export interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float64Array;
}

/** [C,H,W], [H,W] or the same with leading ones -> planes, channels first. Every number is checked to be finite. */
export function planesOf(what: string, array: NumericArray, layout: Layout): Planes {
  const given = `[${array.shape.join(", ")}]`;
  const shape = [...array.shape];
  while (shape.length > 3 && shape[0] === 1) shape.shift();
  if (shape.length === 2) shape.splice(layout === "CHW" ? 0 : 2, 0, 1);
  if (shape.length !== 3 || shape.some((n) => n < 1)) {
    const wanted = layout === "CHW" ? "[C, H, W]" : "[H, W, C]";
    throw new ShapeError(`${what}: shape ${given} is not one image; give ${wanted} or [H, W] (one example at a time)`);
  }
  const [a, b, c] = shape as [number, number, number];
  if (array.data.length !== a * b * c) {
    throw new ShapeError(`${what}: shape ${given} needs ${a * b * c} numbers, but data holds ${array.data.length}`);
  }
  checkFinite(what, array.data);
  if (layout === "CHW") return { channels: a, height: b, width: c, data: Float64Array.from(array.data) };
  const data = new Float64Array(a * b * c);
  for (let pixel = 0; pixel < a * b; pixel++) {
    for (let k = 0; k < c; k++) data[k * a * b + pixel] = array.data[pixel * c + k]!;
  }
  return { channels: c, height: a, width: b, data };
}

export interface ImageOptions {
  /** The values that mean black and white. Default [0, 1], or [0, 255] for bytes. */
  range?: readonly [number, number];
  /** Default "CHW". */
  layout?: Layout;
}

/**
 * An image as a model sees it -> pixels. A Raster is returned as it is.
 *
 * @param image [C,H,W] or [H,W], leading ones allowed, C = 1 (grey), 3 (RGB) or 4 (RGBA); or a Raster.
 * @throws ArgumentError when values lie outside `range` (a normalised input needs its own range: nothing is guessed).
 */
export function rasterOf(image: NumericArray | Raster, options: ImageOptions = {}): Raster {
  if ("width" in image) return checkRaster(image);
  const { layout = "CHW" } = options;
  const { channels, height, width, data } = planesOf("image", image, layout);
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    const other = layout === "CHW" ? "HWC" : "CHW";
    throw new ShapeError(
      `image: ${channels} channels in shape [${image.shape.join(", ")}]; expected 1, 3 or 4. ` +
        `Is its layout "${other}"? This call reads it as "${layout}"`,
    );
  }
  const bytes = image.data instanceof Uint8Array || image.data instanceof Uint8ClampedArray;
  const [black, white] = options.range ?? (bytes ? [0, 255] : [0, 1]);
  checkRange(data, black, white);
  const size = width * height;
  const out = new Uint8ClampedArray(size * 4);
  const level = (v: number) => (255 * (v - black)) / (white - black);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < 3; k++) out[4 * i + k] = level(data[(channels === 1 ? 0 : k) * size + i]!);
    out[4 * i + 3] = channels === 4 ? level(data[3 * size + i]!) : 255;
  }
  return { width, height, data: out };
}

function checkRaster(image: Raster): Raster {
  const { width, height, data } = image;
  assertWhole("image width", width, 1);
  assertWhole("image height", height, 1);
  if (data.length !== width * height * 4) {
    throw new ShapeError(
      `image: ${width} x ${height} pixels need ${width * height * 4} RGBA bytes, not ${data.length}`,
    );
  }
  return image;
}

function checkRange(data: Float64Array, black: number, white: number): void {
  if (!Number.isFinite(black) || !Number.isFinite(white) || black === white) {
    throw new ArgumentError(`image: range [${black}, ${white}] needs two different finite numbers`);
  }
  const [least, most] = rangeOf(data);
  // Rounding of a resize or a normalisation may overshoot a little; that is clipped.
  const slack = 1e-3 * Math.abs(white - black);
  if (least < Math.min(black, white) - slack || most > Math.max(black, white) + slack) {
    throw new ArgumentError(
      `image: values from ${least} to ${most} do not fit range [${black}, ${white}]; ` +
        `pass range: [value of black, value of white]`,
    );
  }
}

/** How to enlarge: "nearest" keeps the pixels of the input visible, "bilinear" is smooth. */
export type Interpolation = "nearest" | "bilinear";

/** Resizes one plane [height, width] to [newHeight, newWidth]; pixel centres are at half-integers, edges are repeated. */
export function resizePlane(
  plane: Float64Array,
  [height, width]: readonly [number, number],
  [newHeight, newWidth]: readonly [number, number],
  interpolation: Interpolation,
): Float64Array {
  if (height === newHeight && width === newWidth) return plane;
  const rows = samples(height, newHeight, interpolation);
  const columns = samples(width, newWidth, interpolation);
  const out = new Float64Array(newHeight * newWidth);
  let i = 0;
  for (const y of rows) {
    for (const x of columns) {
      const top = mix(plane[y.low * width + x.low]!, plane[y.low * width + x.high]!, x.part);
      const bottom = mix(plane[y.high * width + x.low]!, plane[y.high * width + x.high]!, x.part);
      out[i++] = mix(top, bottom, y.part);
    }
  }
  return out;
}

function samples(from: number, to: number, interpolation: Interpolation) {
  return Array.from({ length: to }, (_, i) => {
    const at = ((i + 0.5) * from) / to;
    if (interpolation === "nearest") {
      const low = Math.min(from - 1, Math.floor(at));
      return { low, high: low, part: 0 };
    }
    const low = Math.max(0, Math.floor(at - 0.5));
    return { low, high: Math.min(from - 1, low + 1), part: Math.max(0, at - 0.5 - low) };
  });
}

/**
 * Resizes pixels to width x height. Colours are interpolated as stored (sRGB); nothing is averaged when a picture shrinks.
 *
 * @param interpolation default "nearest".
 */
export function resizeRaster(
  image: Raster,
  width: number,
  height: number,
  interpolation: Interpolation = "nearest",
): Raster {
  assertWhole("resizeRaster: width", width, 1);
  assertWhole("resizeRaster: height", height, 1);
  if (image.width === width && image.height === height) return image;
  const data = new Uint8ClampedArray(width * height * 4);
  for (let k = 0; k < 4; k++) {
    const plane = Float64Array.from({ length: image.width * image.height }, (_, i) => image.data[4 * i + k]!);
    const grown = resizePlane(plane, [image.height, image.width], [height, width], interpolation);
    grown.forEach((v, i) => (data[4 * i + k] = v));
  }
  return { width, height, data };
}

/** Brightness of a stored pixel whose bytes begin at `at`. */
export const lumaAt = (data: Raster["data"], at: number): number =>
  0.2126 * data[at]! + 0.7152 * data[at + 1]! + 0.0722 * data[at + 2]!;

export function mix(a: number, b: number, part: number): number {
  return a + (b - a) * part;
}
