import { crc32, deflateSync } from "node:zlib";
import { encode as encodeJpeg } from "jpeg-js";
import { describe, expect, test } from "vitest";
import { decodePicture, pictureInput, shownPicture, type PictureFormat } from "../../src/cli/picture.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import { encodePng } from "../../src/view/index.ts";

/** A PNG file of these scan lines (without filter bytes). */
function png(
  width: number,
  depth: number,
  type: number,
  lines: readonly (readonly number[])[],
  ...extra: [string, number[]][]
): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(lines.length, 4);
  header.set([depth, type], 8);
  const body = deflateSync(Uint8Array.from(lines.flatMap((line) => [0, ...line])));
  const chunks: [string, Uint8Array][] = [
    ["IHDR", header],
    ...extra.map(([n, b]): [string, Uint8Array] => [n, Uint8Array.from(b)]),
    ["IDAT", body],
    ["IEND", Buffer.alloc(0)],
  ];
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    ...chunks.map(([name, bytes]) => {
      const named = Buffer.concat([Buffer.from(name, "latin1"), bytes]);
      const chunk = Buffer.alloc(named.length + 8);
      chunk.writeUInt32BE(bytes.length, 0);
      chunk.set(named, 4);
      chunk.writeUInt32BE(crc32(named), named.length + 4);
      return chunk;
    }),
  ]);
}

/** Red, green and blue of every pixel; alpha must be 255. */
function rgb(bytes: Uint8Array): number[][] {
  const { width, height, data } = decodePicture(bytes, "test");
  return Array.from({ length: width * height }, (_, i) => {
    expect(data[4 * i + 3]).toBe(255);
    return [...data.slice(4 * i, 4 * i + 3)];
  });
}

describe("decodePicture", () => {
  test("8-bit grey, RGB, RGBA", async () => {
    expect(rgb(await encodePng({ width: 2, height: 1, data: Uint8Array.of(7, 200) }))).toEqual([
      [7, 7, 7],
      [200, 200, 200],
    ]);
    expect(rgb(await encodePng({ width: 1, height: 2, data: Uint8Array.of(1, 2, 3, 4, 5, 6) }))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const half = await encodePng({ width: 2, height: 1, data: Uint8Array.of(10, 20, 30, 0, 0, 0, 255, 102) });
    expect(rgb(half)).toEqual([
      [255, 255, 255],
      [153, 153, 255],
    ]);
  });

  test("1, 2 and 4 bits a sample: rows begin with a new byte", () => {
    expect(rgb(png(3, 1, 0, [[0b10100000], [0b01000000]])).map(([v]) => v)).toEqual([255, 0, 255, 0, 255, 0]);
    expect(rgb(png(3, 2, 0, [[0b00011000]])).map(([v]) => v)).toEqual([0, 85, 170]);
    expect(rgb(png(3, 4, 0, [[0x0f, 0x30]])).map(([v]) => v)).toEqual([0, 255, 51]);
  });

  test("16 bits, palettes, a transparent colour", () => {
    expect(rgb(png(2, 16, 0, [[0xff, 0xff, 0x80, 0x80]])).map(([v]) => v)).toEqual([255, 128]);
    expect(rgb(png(3, 2, 3, [[0b00011000]], ["PLTE", [9, 8, 7, 255, 0, 0, 0, 255, 0]]))).toEqual([
      [9, 8, 7],
      [255, 0, 0],
      [0, 255, 0],
    ]);
    expect(rgb(png(3, 8, 2, [[1, 2, 3, 4, 5, 6, 1, 2, 4]], ["tRNS", [0, 1, 0, 2, 0, 3]]))).toEqual([
      [255, 255, 255],
      [4, 5, 6],
      [1, 2, 4],
    ]);
  });

  test("JPEG", () => {
    const data = Buffer.alloc(16 * 16 * 4, 255);
    for (let i = 0; i < 256; i++) data.set([200, 100, 50], 4 * i);
    const [first] = rgb(encodeJpeg({ width: 16, height: 16, data }, 95).data);
    [200, 100, 50].forEach((v, c) => expect(Math.abs(first![c]! - v)).toBeLessThan(4));
  });

  // The left half of what is stored is dark. 6: turn right by a quarter; 8: turn left.
  test.each([
    [1, 16, 8, [true, false, true, false]],
    [3, 16, 8, [false, true, false, true]],
    [6, 8, 16, [true, true, false, false]],
    [8, 8, 16, [false, false, true, true]],
  ] as const)("a photograph with the orientation %i is turned upright", (tag, width, height, corners) => {
    const data = Buffer.from(
      Array.from({ length: 16 * 8 }, (_, i) => (i % 16 < 8 ? [0, 0, 0, 255] : [255, 255, 255, 255])).flat(),
    );
    const jpeg = encodeJpeg({ width: 16, height: 8, data }, 95).data;
    const exif = [
      0xff,
      0xe1,
      0,
      34,
      ...Buffer.from("Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", "latin1"),
      tag,
      0,
      0,
      0,
      0,
      0,
      0,
    ];
    const picture = decodePicture(
      Buffer.concat([jpeg.subarray(0, 2), Uint8Array.from(exif), jpeg.subarray(2)]),
      "test",
    );
    expect(picture).toMatchObject({ width, height });
    const dark = (x: number, y: number): boolean => picture.data[4 * (y * width + x)]! < 128;
    expect([dark(0, 0), dark(width - 1, 0), dark(0, height - 1), dark(width - 1, height - 1)]).toEqual(corners);
  });

  test.each([
    ["text", new TextEncoder().encode("hello"), /test is neither a PNG nor a JPEG/],
    ["an empty file", new Uint8Array(0), /neither/],
    ["half a JPEG", Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16), /cannot be decoded/],
    [
      "a PNG of a trillion pixels",
      png(2 ** 20, 8, 0, Array<number[]>(1).fill([1]))
        .with(17, 16)
        .with(21, 16),
      /more than 100 million/,
    ],
    ["half a PNG", png(2, 8, 0, [[1, 2]]).subarray(0, 40), /cannot be decoded/],
  ])("%s is refused", (_what, bytes, message) => {
    expect(() => decodePicture(bytes, "test")).toThrow(FormatError);
    expect(() => decodePicture(bytes, "test")).toThrow(message);
  });
});

const format = (options: Partial<PictureFormat>): PictureFormat => ({
  layout: "CHW",
  width: 2,
  height: 2,
  channels: "rgb",
  scale: 1,
  offset: 0,
  ...options,
});
const raster = (width: number, height: number, pixel: (i: number) => readonly number[]) => ({
  width,
  height,
  data: Uint8ClampedArray.from({ length: 4 * width * height }, (_, k) => pixel(k >> 2)[k & 3] ?? 255),
});

describe("pictureInput", () => {
  const colours = raster(2, 2, (i) => [10 * i, 100 + i, 200 + i]);

  test("planes of the channels, scaled", () => {
    const { shape, data } = pictureInput(colours, format({ scale: 2, offset: -1 }));
    expect(shape).toEqual([1, 3, 2, 2]);
    expect([...data]).toEqual([-1, 19, 39, 59, 199, 201, 203, 205, 399, 401, 403, 405]);
  });

  test("blue first, channels last", () => {
    const { shape, data } = pictureInput(colours, format({ channels: "bgr", layout: "HWC" }));
    expect(shape).toEqual([1, 2, 2, 3]);
    expect([...data.slice(0, 6)]).toEqual([200, 100, 0, 201, 101, 10]);
  });

  test("grey is brightness", () => {
    const { data } = pictureInput(colours, format({ channels: "grey" }));
    expect(data[1]).toBeCloseTo(0.299 * 10 + 0.587 * 101 + 0.114 * 201, 4);
  });

  test("the middle of a wide picture", () => {
    const wide = raster(6, 2, (i) => [i % 6, 0, 0]);
    expect([...pictureInput(wide, format({})).data.slice(0, 4)]).toEqual([2, 3, 2, 3]);
  });

  test("shrinking averages with a triangle, enlarging keeps the range", () => {
    // Weights of the four columns for the left result: distance to 0.5 over 2.
    const ramp = raster(4, 4, (i) => [100 * (i % 4), 0, 0]);
    const left = (0.75 * 0 + 0.75 * 100 + 0.25 * 200) / 1.75;
    expect(pictureInput(ramp, format({})).data[0]).toBeCloseTo(left, 3);
    const large = pictureInput(
      raster(2, 2, (i) => [i % 2 ? 90 : 10, 0, 0]),
      format({ width: 8, height: 8 }),
    ).data.slice(0, 64);
    expect(Math.min(...large)).toBeCloseTo(10, 4);
    expect(Math.max(...large)).toBeCloseTo(90, 4);
  });

  test.each([
    ["rgb", "CHW"],
    ["bgr", "HWC"],
  ] as const)("shownPicture undoes it (%s, %s)", (channels, layout) => {
    const style = format({ channels, layout, scale: 1 / 127.5, offset: -1 });
    expect(shownPicture(pictureInput(colours, style), style)).toEqual(colours);
  });
});
