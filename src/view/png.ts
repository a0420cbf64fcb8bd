// PNG (ISO/IEC 15948) without a canvas: 8-bit grey, grey + alpha, RGB or RGBA; zlib comes from the platform's CompressionStream.
import { assertWhole } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";

/** Pixels to encode: 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) bytes each, row by row; the count follows from the length. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOR_TYPE = [undefined, 0, 4, 2, 6] as const;

/**
 * Encodes pixels as a PNG file. RGBA that is opaque everywhere is stored as RGB.
 *
 * @throws ArgumentError when the length of the data is not 1 to 4 bytes for each pixel.
 */
export async function encodePng(image: Pixels): Promise<Uint8Array> {
  const { width, height } = image;
  assertWhole("encodePng: width", width, 1);
  assertWhole("encodePng: height", height, 1);
  const given = image.data.length / (width * height);
  if (COLOR_TYPE[given] === undefined) {
    throw new ArgumentError(
      `encodePng: ${image.data.length} bytes for ${width} x ${height} pixels; ` +
        "expected 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) bytes a pixel",
    );
  }
  const opaque = given === 4 && image.data.every((v, i) => i % 4 < 3 || v === 255);
  const channels = opaque ? 3 : given;
  const data = opaque ? image.data.filter((_, i) => i % 4 < 3) : image.data;

  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOR_TYPE[channels]!], 8); // bit depth, colour type; compression, filter method and interlace stay 0
  const parts = [
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("sRGB", new Uint8Array(1)),
    chunk("IDAT", await deflate(filtered(data, width * channels, height, channels))),
    chunk("IEND", new Uint8Array(0)),
  ];
  return bytesOf(new Blob(parts));
}

/** Pixels -> "data:image/png;base64,...". */
export async function pngDataUrl(image: Pixels): Promise<string> {
  return dataUrl(await encodePng(image), "image/png");
}

/** Bytes -> a data URL. */
export function dataUrl(bytes: Uint8Array, type: string): string {
  let binary = "";
  // In pieces: the number of arguments of a call is limited.
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return `data:${type};base64,${btoa(binary)}`;
}

/** Each row gets the filter whose residuals have the least sum of magnitudes: the heuristic that the standard recommends. */
function filtered(data: ArrayLike<number>, stride: number, height: number, bytesPerPixel: number) {
  const out = new Uint8Array((stride + 1) * height);
  const tries = Array.from({ length: 5 }, () => new Uint8Array(stride));
  for (let y = 0; y < height; y++) {
    let best = 0;
    let least = Infinity;
    tries.forEach((row, type) => {
      let cost = 0;
      for (let x = 0; x < stride; x++) {
        const at = y * stride + x;
        const left = x >= bytesPerPixel ? data[at - bytesPerPixel]! : 0;
        const up = y > 0 ? data[at - stride]! : 0;
        const upLeft = x >= bytesPerPixel && y > 0 ? data[at - stride - bytesPerPixel]! : 0;
        const residual = (data[at]! - predicted(type, left, up, upLeft)) & 255;
        row[x] = residual;
        cost += residual < 128 ? residual : 256 - residual;
      }
      if (cost < least) [best, least] = [type, cost];
    });
    out[y * (stride + 1)] = best;
    out.set(tries[best]!, y * (stride + 1) + 1);
  }
  return out;
}

function predicted(type: number, left: number, up: number, upLeft: number): number {
  if (type === 0) return 0;
  if (type === 1) return left;
  if (type === 2) return up;
  if (type === 3) return (left + up) >> 1;
  const guess = left + up - upLeft; // Paeth: the neighbour nearest to the plane through all three
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - upLeft)];
  return a <= b && a <= c ? left : b <= c ? up : upLeft;
}

const deflate = (bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> =>
  bytesOf(new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"))));

const bytesOf = async (body: Blob | Response): Promise<Uint8Array> => new Uint8Array(await body.arrayBuffer());

function chunk(type: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(body.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(body, 8);
  view.setUint32(8 + body.length, crc32(out.subarray(4, 8 + body.length)));
  return out;
}

let crcTable: Uint32Array | undefined;

function crc32(bytes: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
