import { decode } from "fast-png";
import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { dataUrl, encodePng, pngDataUrl } from "../../src/view/index.ts";

// Each kind of content makes another row filter win; noise makes none win.
const contents: Record<string, (x: number, y: number, k: number) => number> = {
  constant: () => 200,
  "ramp to the right": (x, _, k) => 3 * x + k,
  "ramp down": (_, y, k) => 5 * y + 40 * k,
  plane: (x, y, k) => 2 * x + 3 * y + k,
  noise: (x, y, k) => (Math.imul(x * 7919 + y * 104729 + k * 1299709 + 1, 2654435761) >>> 13) & 255,
};

function pixels(width: number, height: number, channels: number, value: (x: number, y: number, k: number) => number) {
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / channels);
    data[i] = value(pixel % width, Math.floor(pixel / width), i % channels);
  }
  return { width, height, data };
}

describe("encodePng", () => {
  for (const channels of [1, 2, 3, 4]) {
    for (const [name, value] of Object.entries(contents)) {
      it(`is read back by another decoder: ${channels} channels, ${name}`, async () => {
        const image = pixels(23, 17, channels, value);
        if (channels === 4) image.data[3] = 7; // not opaque
        const read = decode(await encodePng(image), { checkCrc: true });
        expect([read.width, read.height, read.channels, read.depth]).toEqual([23, 17, channels, 8]);
        expect(Array.from(read.data)).toEqual(Array.from(image.data));
      });
    }
  }

  it("stores opaque RGBA as RGB", async () => {
    const image = pixels(5, 4, 4, (x, y, k) => (k === 3 ? 255 : 10 * x + y + k));
    const read = decode(await encodePng(image), { checkCrc: true });
    expect(read.channels).toBe(3);
    expect(Array.from(read.data)).toEqual(Array.from(image.data).filter((_, i) => i % 4 !== 3));
  });

  it("filters: a smooth picture takes a small part of its bytes", async () => {
    const png = await encodePng(pixels(128, 128, 3, (x, y, k) => x + y + k));
    expect(png.length).toBeLessThan(128 * 128 * 3 * 0.02);
  });

  it("encodes a single pixel", async () => {
    const read = decode(await encodePng({ width: 1, height: 1, data: Uint8Array.of(1, 2, 3) }), { checkCrc: true });
    expect(Array.from(read.data)).toEqual([1, 2, 3]);
  });

  it.each([
    [2, 2, 5],
    [2, 2, 20],
    [0, 2, 0],
    [1.5, 2, 9],
  ])("refuses %d x %d pixels with %d bytes", async (width, height, length) => {
    await expect(encodePng({ width, height, data: new Uint8Array(length) })).rejects.toThrow(ArgumentError);
  });
});

describe("data URLs", () => {
  it("hold the file, however long", async () => {
    const image = pixels(100, 90, 3, contents["noise"]!);
    const [head, body] = (await pngDataUrl(image)).split(",") as [string, string];
    expect(head).toBe("data:image/png;base64");
    expect(Array.from(decode(Buffer.from(body, "base64")).data)).toEqual(Array.from(image.data));
  });

  it("name their type", () => {
    expect(dataUrl(Uint8Array.of(104, 105), "text/plain")).toBe("data:text/plain;base64,aGk=");
  });
});
