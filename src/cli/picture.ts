// Picture files as pixels, and pixels as the input of a model.
import { decode as decodeJpeg } from "jpeg-js";
import { decode as decodePng, hasPngSignature, type DecodedPng } from "fast-png";
import { FormatError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { orientationOf, upright } from "./orientation.ts";
import type { Layout, Raster } from "../view/index.ts";

/** How a picture becomes an input: element = channel value in 0..255 * scale + offset. */
export interface PictureFormat {
  /** Order of the input's axes. */
  readonly layout: Layout;
  readonly width: number;
  readonly height: number;
  readonly channels: "grey" | "rgb" | "bgr";
  readonly scale: number;
  readonly offset: number;
}

const MAX_MEGAPIXELS = 100;

/**
 * Decodes a PNG or JPEG file. Transparent pixels are laid on white paper, photographs turned upright.
 * @param name of the file, for messages
 * @throws FormatError when the bytes are no picture, or a damaged one
 */
export function decodePicture(bytes: Uint8Array, name: string): Raster {
  const png = hasPngSignature(bytes);
  const jpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  if (!png && !jpeg) throw new FormatError(`${name} is neither a PNG nor a JPEG picture`);
  try {
    if (png) return rasterOfPng(decodePng(sized(bytes)));
    const { width, height, data } = decodeJpeg(bytes, { useTArray: true, maxResolutionInMP: MAX_MEGAPIXELS });
    return upright({ width, height, data: Uint8ClampedArray.from(data) }, orientationOf(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${name} cannot be decoded: ${reason}`, { cause });
  }
}

/** A few bytes of a PNG can stand for any number of pixels; width and height are the first numbers of its header. */
function sized(png: Uint8Array): Uint8Array {
  if (png.length < 24) return png;
  const view = new DataView(png.buffer, png.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (width * height <= MAX_MEGAPIXELS * 1e6) return png;
  throw new FormatError(`${width} x ${height} pixels are more than ${MAX_MEGAPIXELS} million; make it smaller`);
}

function rasterOfPng(png: DecodedPng): Raster {
  const { width, height, channels, depth, palette } = png;
  const most = 2 ** depth - 1;
  const data = new Uint8ClampedArray(4 * width * height);
  const transparent = palette ? undefined : png.transparency;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const samples = Array.from({ length: channels }, (_, c) => sampleOf(png, y, x * channels + c));
      const [r = 0, g = r, b = r, a = 255] = palette ? palette[samples[0]!]! : colorOf(samples, most);
      const alpha = transparent && samples.every((v, c) => v === transparent[c]) ? 0 : a / 255;
      const over = (v: number): number => v * alpha + 255 * (1 - alpha);
      data.set([over(r), over(g), over(b), 255], 4 * (y * width + x));
    }
  }
  return { width, height, data };
}

/** Samples of fewer than 8 bits are packed, and every row begins with a new byte. */
function sampleOf({ width, channels, depth, data }: DecodedPng, row: number, at: number): number {
  if (depth >= 8) return data[row * width * channels + at]!;
  const stride = Math.ceil((width * channels * depth) / 8);
  const bit = at * depth;
  return (data[row * stride + (bit >> 3)]! >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
}

/** Grey, grey and alpha, RGB or RGBA -> RGBA in 0..255. */
function colorOf(samples: readonly number[], most: number): number[] {
  const values = samples.map((v) => (255 * v) / most);
  return values.length > 2 ? values : [values[0]!, values[0]!, values[0]!, values[1] ?? 255];
}

/**
 * A picture as a model takes it: the largest centred part of the right proportions, resized bilinearly (with a wider filter
 * when it shrinks, as Pillow and browsers have it).
 * @returns the input, one example [1, channels, height, width] or [1, height, width, channels]
 */
export function pictureInput(picture: Raster, format: PictureFormat): HostArray {
  const { width, height, channels, scale, offset, layout } = format;
  const rgb = resizedPlanes(picture, width, height);
  const [r, g, b] = rgb;
  const planes = channels === "grey" ? [greyOf(rgb)] : channels === "bgr" ? [b, g, r] : [r, g, b];
  const count = planes.length;
  const size = width * height;
  const data = new Float32Array(count * size);
  planes.forEach((plane, c) => {
    for (let i = 0; i < size; i++) data[layout === "CHW" ? c * size + i : i * count + c] = plane[i]! * scale + offset;
  });
  return hostArray(data, layout === "CHW" ? [1, count, height, width] : [1, height, width, count]);
}

/** What the model saw, as pixels again. */
export function shownPicture(input: HostArray, format: PictureFormat): Raster {
  const { width, height, channels, scale, offset, layout } = format;
  const count = channels === "grey" ? 1 : 3;
  const size = width * height;
  const data = new Uint8ClampedArray(4 * size).fill(255);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < 3; k++) {
      const c = count === 1 ? 0 : channels === "bgr" ? 2 - k : k;
      data[4 * i + k] = (input.data[layout === "CHW" ? c * size + i : i * count + c]! - offset) / scale;
    }
  }
  return { width, height, data };
}

type Rgb = readonly [Float32Array, Float32Array, Float32Array];

/** Brightness (ITU-R BT.601). */
const greyOf = ([r, g, b]: Rgb): Float32Array => r.map((v, i) => 0.299 * v + 0.587 * g[i]! + 0.114 * b[i]!);

function resizedPlanes(picture: Raster, width: number, height: number): Rgb {
  const crop = centreCrop(picture, width, height);
  const rows = resampling(crop.height, height);
  const columns = resampling(crop.width, width);
  const plane = (c: number): Float32Array => {
    const narrow = new Float32Array(crop.height * width);
    for (let y = 0; y < crop.height; y++) {
      const row = (crop.top + y) * picture.width + crop.left;
      columns.forEach((taps, x) => {
        narrow[y * width + x] = taps.reduce((sum, [j, weight]) => sum + weight * picture.data[4 * (row + j) + c]!, 0);
      });
    }
    const result = new Float32Array(height * width);
    rows.forEach((taps, y) => {
      for (let x = 0; x < width; x++)
        result[y * width + x] = taps.reduce((sum, [i, weight]) => sum + weight * narrow[i * width + x]!, 0);
    });
    return result;
  };
  return [plane(0), plane(1), plane(2)];
}

function centreCrop(picture: Raster, width: number, height: number) {
  const scale = Math.min(picture.width / width, picture.height / height);
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  return { left: (picture.width - w) >> 1, top: (picture.height - h) >> 1, width: w, height: h };
}

/** For every position of the result, the positions that it mixes, and how much of each. */
function resampling(from: number, to: number): (readonly [number, number])[][] {
  const scale = from / to;
  const reach = Math.max(1, scale);
  return Array.from({ length: to }, (_, k) => {
    const centre = (k + 0.5) * scale - 0.5;
    const taps: [number, number][] = [];
    for (let i = Math.max(0, Math.ceil(centre - reach)); i <= Math.min(from - 1, Math.floor(centre + reach)); i++) {
      const weight = 1 - Math.abs(i - centre) / reach;
      if (weight > 0) taps.push([i, weight]);
    }
    const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
    return taps.map(([i, weight]) => [i, weight / total] as const);
  });
}
