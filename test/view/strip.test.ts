import { decode } from "fast-png";
import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { blueWhiteRed, labelledStrip, pictureSvg, strip, viridis } from "../../src/view/index.ts";
import { elementsOf, parseXml } from "./xml.ts";

const solid = (width: number, height: number, value: number) => ({
  width,
  height,
  data: new Uint8ClampedArray(width * height * 4).fill(value),
});

describe("strip", () => {
  it("places pictures in rows with gaps, the last row as it comes", () => {
    const sheet = strip([solid(2, 1, 10), solid(2, 1, 20), solid(2, 1, 30)], { columns: 2, gap: 1 });
    expect([sheet.width, sheet.height]).toEqual([5, 3]);
    const red = Array.from({ length: 15 }, (_, i) => sheet.data[4 * i]);
    expect(red).toEqual([10, 10, 0, 20, 20, 0, 0, 0, 0, 0, 30, 30, 0, 0, 0]);
  });

  it("centres smaller pictures", () => {
    const sheet = strip([solid(3, 3, 1), solid(1, 1, 9)], { gap: 0 });
    expect([sheet.width, sheet.height]).toEqual([6, 3]);
    expect(sheet.data[4 * (6 + 4)]).toBe(9);
    expect(sheet.data.filter((v) => v === 9).length).toBe(4);
  });

  it("refuses an empty list and odd options", () => {
    expect(() => strip([])).toThrow(ArgumentError);
    expect(() => strip([solid(1, 1, 0)], { columns: 0 })).toThrow(ArgumentError);
    expect(() => strip([solid(1, 1, 0)], { gap: -1 })).toThrow(ArgumentError);
  });
});

describe("labelledStrip", () => {
  it("carries every picture and label", async () => {
    const images = [solid(40, 30, 10), solid(40, 30, 20), solid(40, 30, 30)];
    const svg = parseXml(await labelledStrip({ title: "t", images, labels: ["α = 0", "<b>", "1"], columns: 2 }));
    const shown = elementsOf(svg, "image");
    expect(
      shown.map(({ attributes }) => decode(Buffer.from(attributes["href"]!.split(",")[1]!, "base64")).data[0]),
    ).toEqual([10, 20, 30]);
    expect(elementsOf(svg, "text").map(({ text }) => text)).toEqual(["t", "α = 0", "<b>", "1"]);
    expect(new Set(shown.map(({ attributes }) => attributes["y"])).size).toBe(2);
  });

  it("has a legend below, if asked", async () => {
    const options = { title: "t", images: [solid(40, 30, 10)], labels: ["a"] };
    const legend = { title: "what the colours say", colors: blueWhiteRed, low: -2, high: 2 };
    const [plain, legended] = [await labelledStrip(options), await labelledStrip({ ...options, legend })].map(parseXml);
    expect(elementsOf(legended!, "text").map(({ text }) => text)).toEqual([
      "t",
      "a",
      "what the colours say",
      "-2",
      "0",
      "2",
    ]);
    expect(Number(legended!.attributes["height"])).toBe(Number(plain!.attributes["height"]) + 80);
  });

  it("refuses labels that do not match", async () => {
    await expect(labelledStrip({ title: "t", images: [solid(1, 1, 0)], labels: [] })).rejects.toThrow(ArgumentError);
  });
});

describe("pictureSvg", () => {
  it("shows a picture, and the legend of its colours if it has any", async () => {
    const plain = parseXml(await pictureSvg(solid(200, 30, 10), { title: "a picture" }));
    expect([plain.attributes["width"], plain.attributes["height"]]).toEqual(["200", "30"]);
    expect(elementsOf(plain, "text")).toEqual([]);
    const legended = parseXml(await pictureSvg({ ...solid(200, 30, 10), low: -1, high: 1 }, { title: "map" }));
    expect(legended.attributes["height"]).toBe("110");
    expect(elementsOf(legended, "text").map(({ text }) => text)).toEqual(["map", "-1", "0", "1"]);
  });

  it("makes room for the legend of a small picture", async () => {
    const small = parseXml(
      await pictureSvg({ ...solid(8, 8, 10), low: 0, high: 1 }, { title: "map", colors: viridis }),
    );
    expect(small.attributes["width"]).toBe("120");
  });
});
