// Which way up a photograph is: cameras store what the sensor saw, and a note in the file (EXIF 2.3) how it was held.
import type { Raster } from "../view/index.ts";

/** The orientation tag of a JPEG file, 1 to 8; 1 (upright) where there is none. */
export function orientationOf(jpeg: Uint8Array): number {
  const view = new DataView(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  let at = 2;
  // Segments: marker and length; pictures begin with the marker FFDA.
  while (at + 10 <= view.byteLength && view.getUint8(at) === 0xff && view.getUint8(at + 1) !== 0xda) {
    const length = view.getUint16(at + 2);
    const isExif = view.getUint8(at + 1) === 0xe1 && view.getUint32(at + 4) === 0x45786966;
    if (isExif)
      return tagOf(
        new DataView(
          view.buffer,
          view.byteOffset + at + 10,
          Math.max(0, Math.min(length - 8, view.byteLength - at - 10)),
        ),
      );
    at += 2 + length;
  }
  return 1;
}

/** The tag in the first directory of a TIFF block. */
function tagOf(tiff: DataView): number {
  if (tiff.byteLength < 8) return 1;
  const little = tiff.getUint16(0) === 0x4949;
  const start = tiff.getUint32(4, little);
  if (start + 2 > tiff.byteLength) return 1;
  const count = tiff.getUint16(start, little);
  for (let at = start + 2; at < start + 2 + 12 * count && at + 12 <= tiff.byteLength; at += 12) {
    if (tiff.getUint16(at, little) !== 0x0112) continue;
    const value = tiff.getUint16(at + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** Where the pixel (x, y) of the upright picture is stored in one of this width and height. */
const STORED: readonly ((x: number, y: number, width: number, height: number) => readonly [number, number])[] = [
  (x, y) => [x, y],
  (x, y, w) => [w - 1 - x, y],
  (x, y, w, h) => [w - 1 - x, h - 1 - y],
  (x, y, _w, h) => [x, h - 1 - y],
  (x, y) => [y, x],
  (x, y, _w, h) => [y, h - 1 - x],
  (x, y, w, h) => [w - 1 - y, h - 1 - x],
  (x, y, w) => [w - 1 - y, x],
];

/** A picture with this orientation tag, turned upright. */
export function upright(picture: Raster, orientation: number): Raster {
  if (orientation === 1) return picture;
  const stored = STORED[orientation - 1]!;
  const [width, height] = orientation > 4 ? [picture.height, picture.width] : [picture.width, picture.height];
  const data = new Uint8ClampedArray(picture.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [column, row] = stored(x, y, picture.width, picture.height);
      const from = 4 * (row * picture.width + column);
      data.set(picture.data.subarray(from, from + 4), 4 * (y * width + x));
    }
  }
  return { width, height, data };
}
