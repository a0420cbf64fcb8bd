// Pictures as the models of the tests want them.
import type { Picture } from "./materials.ts";

/** A rectangle of a picture. */
export interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The largest square around the middle. */
export function centreCrop({ width, height }: Picture): Crop {
  const size = Math.min(width, height);
  return { left: Math.floor((width - size) / 2), top: Math.floor((height - size) / 2), width: size, height: size };
}

/**
 * Resized bilinearly, pixel centres at one half, in planes [channels, height, width] of 0..255.
 * @param antialias widens the filter when shrinking, as Pillow does
 */
export function resized(picture: Picture, crop: Crop, width: number, height: number, antialias = true): Float32Array {
  const rows = weights(crop.height, height, antialias);
  const columns = weights(crop.width, width, antialias);
  const planes = new Float32Array(3 * width * height);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (const [i, wy] of rows[y]!) {
          for (const [j, wx] of columns[x]!) {
            sum += wy * wx * picture.data[((crop.top + i) * picture.width + crop.left + j) * picture.channels + c]!;
          }
        }
        planes[(c * height + y) * width + x] = sum;
      }
    }
  }
  return planes;
}

/** For each output position, the input positions that it mixes and how much of each. */
function weights(from: number, to: number, antialias: boolean): [number, number][][] {
  const scale = from / to;
  const support = antialias ? Math.max(1, scale) : 1;
  return Array.from({ length: to }, (_, k) => {
    const centre = (k + 0.5) * scale - 0.5;
    const taps: [number, number][] = [];
    for (let i = Math.floor(centre - support); i <= Math.ceil(centre + support); i++) {
      const weight = 1 - Math.abs(i - centre) / support;
      if (weight > 0) taps.push([Math.min(Math.max(i, 0), from - 1), weight]);
    }
    const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
    return taps.map(([i, weight]) => [i, weight / total]);
  });
}

/** One plane of brightness (ITU-R 601). */
export function grey(planes: Float32Array): Float32Array {
  const size = planes.length / 3;
  return Float32Array.from(
    { length: size },
    (_, i) => 0.299 * planes[i]! + 0.587 * planes[size + i]! + 0.114 * planes[2 * size + i]!,
  );
}
