import { describe, expect, it } from "vitest";
import { blueWhiteRed, colorAt, grey, inferno, viridis } from "../../src/view/index.ts";

// The truths here are CIELAB (the maps are built in OKLab), published colours, and a published model of colour blindness.
type Rgb = readonly number[];

const linear = (v: number) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);

function labOfLinear([r, g, b]: Rgb): [number, number, number] {
  const f = (t: number) => (t > (6 / 29) ** 3 ? Math.cbrt(t) : t / (3 * (6 / 29) ** 2) + 4 / 29);
  const x = f((0.4124 * r! + 0.3576 * g! + 0.1805 * b!) / 0.9505);
  const y = f(0.2126 * r! + 0.7152 * g! + 0.0722 * b!);
  const z = f((0.0193 * r! + 0.1192 * g! + 0.9505 * b!) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const lab = (rgb: Rgb) => labOfLinear(rgb.map(linear));
const distance = (a: Rgb, b: Rgb) => Math.hypot(...a.map((v, i) => v - b[i]!));
const lightnesses = (map: typeof grey) => Array.from({ length: 257 }, (_, i) => lab(colorAt(map, i / 256))[0]);

// Machado, Oliveira, Fernandes (2009), severity 1.
const BLINDNESS = {
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
};

const seen = (m: Rgb, rgb: Rgb) => {
  const [r, g, b] = rgb.map(linear);
  return labOfLinear([0, 3, 6].map((k) => Math.max(0, m[k]! * r! + m[k + 1]! * g! + m[k + 2]! * b!)));
};

describe("sequential maps", () => {
  it.each([
    ["viridis", viridis, [33, 145, 140]],
    ["inferno", inferno, [188, 55, 84]],
  ] as const)("%s has the published colour in its middle", (_, map, middle) => {
    expect(distance(colorAt(map, 0.5), middle)).toBeLessThan(6);
  });

  it.each([
    ["viridis", viridis],
    ["inferno", inferno],
    ["grey", grey],
  ])("%s never gets darker", (_, map) => {
    // A step of a byte may go back by a rounding.
    lightnesses(map).forEach((l, i, all) => expect(l - (all[i - 1] ?? 0)).toBeGreaterThan(-0.15));
  });

  it("clips outside [0, 1]", () => {
    expect(colorAt(grey, -3)).toEqual([0, 0, 0]);
    expect(colorAt(grey, 9)).toEqual([255, 255, 255]);
  });
});

describe("blueWhiteRed", () => {
  it("is neutral and lightest at zero, blue below, red above", () => {
    const [r, g, b] = colorAt(blueWhiteRed, 0.5);
    expect(Math.max(r, g, b) - Math.min(r, g, b)).toBeLessThanOrEqual(1);
    expect(Math.min(r, g, b)).toBeGreaterThan(240);
    const [low, high] = [colorAt(blueWhiteRed, 0), colorAt(blueWhiteRed, 1)];
    expect(low[2] - low[0]).toBeGreaterThan(100);
    expect(high[0] - high[2]).toBeGreaterThan(100);
  });

  it("has arms of like lightness that darken outwards", () => {
    const all = lightnesses(blueWhiteRed);
    for (let i = 1; i <= 128; i++) {
      expect(Math.abs(all[128 - i]! - all[128 + i]!)).toBeLessThan(7);
      expect(all[128 + i]!).toBeLessThan(all[127 + i]! + 0.3);
      expect(all[128 - i]!).toBeLessThan(all[129 - i]! + 0.3);
    }
  });

  it.each(Object.entries(BLINDNESS))("keeps its signs apart with %s", (_, matrix) => {
    const at = (t: number) => seen(matrix, colorAt(blueWhiteRed, t));
    expect(distance(at(0), at(1))).toBeGreaterThan(60);
    expect(distance(at(0.25), at(0.75))).toBeGreaterThan(30);
  });
});
