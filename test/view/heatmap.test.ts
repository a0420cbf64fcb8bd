import { describe, expect, it } from "vitest";
import { ArgumentError, NumericError, ShapeError } from "../../src/tensor/errors.ts";
import {
  type Raster,
  attributedImage,
  blueWhiteRed,
  colorAt,
  grey,
  heatMap,
  inferno,
  rasterOf,
  signedOverlay,
  viridis,
} from "../../src/view/index.ts";

const at = ({ width, data }: Raster, x: number, y: number) =>
  Array.from(data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4));
const plane = (height: number, width: number, data: number[]) => ({ shape: [height, width], data });

describe("heatMap", () => {
  it("maps -limit, 0 and limit to the ends and the middle", () => {
    const map = heatMap(plane(1, 3, [-2, 0, 2]), { percentile: 100 });
    expect([map.low, map.high]).toEqual([-2, 2]);
    [0, 0.5, 1].forEach((t, x) => expect(at(map, x, 0)).toEqual([...colorAt(blueWhiteRed, t), 255]));
  });

  it("is symmetric about zero, even if the data are not", () => {
    const map = heatMap(plane(1, 3, [-1, 0, 4]), { percentile: 100 });
    expect(map.low).toBe(-map.high);
    expect(at(map, 1, 0)).toEqual([...colorAt(blueWhiteRed, 0.5), 255]);
  });

  it("clips at the percentile", () => {
    const values = Array.from({ length: 101 }, (_, i) => i);
    const map = heatMap(plane(1, 101, values), { colors: grey });
    expect([map.low, map.high]).toEqual([0, 99]);
    expect(at(map, 100, 0)).toEqual(at(map, 99, 0));
    expect(heatMap(plane(1, 101, values), { percentile: 50 }).high).toBe(50);
    expect(heatMap(plane(1, 101, values), { limit: 7 }).high).toBe(7);
  });

  it("reduces channels", () => {
    const values = { shape: [1, 2, 1, 2], data: [1, -3, -1, -4] };
    const high = (reduce: "sum" | "absSum" | "max") => heatMap(values, { reduce, percentile: 100 });
    expect(high("sum").high).toBe(7);
    expect(at(high("sum"), 0, 0)).toEqual([...colorAt(blueWhiteRed, 0.5), 255]);
    expect(high("absSum").high).toBe(7);
    expect(at(high("absSum"), 0, 0)).toEqual([...colorAt(viridis, 2 / 7), 255]);
    expect(high("max").high).toBe(4);
    expect(at(high("max"), 0, 0)).toEqual([...colorAt(viridis, 1 / 4), 255]);
  });

  it("reads both layouts", () => {
    const first = heatMap({ shape: [2, 2, 3], data: [1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60] });
    const last = heatMap({ shape: [2, 3, 2], data: [1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60] }, { layout: "HWC" });
    expect(last).toEqual(first);
    const flat = plane(2, 3, [1, 2, 3, 4, 5, 6]);
    expect(heatMap(flat, { layout: "HWC" })).toEqual(heatMap(flat));
  });

  it("enlarges by nearest and bilinear", () => {
    const options = { colors: grey, limit: 1, scale: 2 };
    const row = (o: object) =>
      Array.from({ length: 4 }, (_, x) => at(heatMap(plane(1, 2, [0, 1]), { ...options, ...o }), x, 1)[0]);
    expect(row({})).toEqual([0, 0, 255, 255]);
    expect(row({ interpolation: "bilinear" })).toEqual([0, 64, 191, 255]);
  });

  it("blurs without moving the sum of a spot or changing a constant", () => {
    const spot = plane(
      9,
      9,
      Array.from({ length: 81 }, (_, i) => (i === 40 ? 1 : 0)),
    );
    const blurred = heatMap(spot, { blur: 1, percentile: 100 });
    expect(blurred.high).toBeCloseTo(1 / (2 * Math.PI), 2); // the peak of a Gaussian of width 1
    expect(at(blurred, 3, 4)).toEqual(at(blurred, 4, 5));
    expect(heatMap(plane(3, 3, Array<number>(9).fill(2)), { blur: 2, percentile: 100 }).high).toBeCloseTo(2, 12);
  });

  it("shows sparse and empty attributions", () => {
    const sparse = heatMap(plane(1, 200, [5, ...Array<number>(199).fill(0)]));
    expect(sparse.high).toBe(5);
    expect(at(heatMap(plane(1, 2, [0, 0])), 0, 0)).toEqual([...colorAt(blueWhiteRed, 0.5), 255]);
  });

  it("shows negative values on a sequential map from -limit", () => {
    const map = heatMap(plane(1, 2, [-1, 1]), { colors: inferno, percentile: 100 });
    expect([map.low, map.high]).toEqual([-1, 1]);
  });

  it("refuses what it cannot draw", () => {
    expect(() => heatMap(plane(1, 2, [0, NaN]))).toThrow(NumericError);
    expect(() => heatMap(plane(1, 2, [Infinity, 0]))).toThrow(NumericError);
    expect(() => heatMap(plane(1, 3, [0, 1]))).toThrow(ShapeError);
    expect(() => heatMap({ shape: [2, 1, 1, 1], data: [0, 1] })).toThrow(/one example at a time/);
    expect(() => heatMap({ shape: [4], data: [0, 1, 2, 3] })).toThrow(ShapeError);
    expect(() => heatMap(plane(1, 1, [1]), { scale: 0.5 })).toThrow(ArgumentError);
    expect(() => heatMap(plane(1, 1, [1]), { percentile: 101 })).toThrow(ArgumentError);
    expect(() => heatMap(plane(1, 1, [1]), { limit: 0 })).toThrow(ArgumentError);
    expect(() => heatMap(plane(1, 1, [1]), { blur: -1 })).toThrow(ArgumentError);
  });
});

describe("rasterOf", () => {
  it("takes grey, RGB, RGBA, bytes and a range", () => {
    expect(at(rasterOf(plane(1, 1, [0.2])), 0, 0)).toEqual([51, 51, 51, 255]);
    expect(at(rasterOf({ shape: [3, 1, 1], data: [0, 0.2, 1] }), 0, 0)).toEqual([0, 51, 255, 255]);
    expect(at(rasterOf({ shape: [1, 4, 1, 1], data: Uint8Array.of(1, 2, 3, 4) }), 0, 0)).toEqual([1, 2, 3, 4]);
    expect(at(rasterOf({ shape: [3, 1, 1], data: [-1, 0, 1] }, { range: [-1, 1] }), 0, 0)).toEqual([0, 128, 255, 255]);
    expect(at(rasterOf({ shape: [1, 1, 3], data: [0, 0.2, 1] }, { layout: "HWC" }), 0, 0)).toEqual([0, 51, 255, 255]);
  });

  it("guesses nothing", () => {
    expect(() => rasterOf(plane(1, 2, [0, 130]))).toThrow(/pass range/);
    expect(() => rasterOf(plane(1, 2, [-0.5, 1]))).toThrow(ArgumentError);
    expect(() => rasterOf(plane(1, 1, [0]), { range: [1, 1] })).toThrow(ArgumentError);
    expect(() => rasterOf({ shape: [4, 4, 3], data: new Float32Array(48) }, { layout: "HWC" })).not.toThrow();
    expect(() => rasterOf({ shape: [5, 4, 3], data: new Float32Array(60) })).toThrow(/layout "HWC"/);
    expect(() => rasterOf({ width: 2, height: 2, data: new Uint8ClampedArray(12) })).toThrow(ShapeError);
  });

  it("returns a raster as it is", () => {
    const raster = { width: 1, height: 1, data: Uint8ClampedArray.of(1, 2, 3, 4) };
    expect(rasterOf(raster)).toBe(raster);
  });
});

describe("signedOverlay", () => {
  const image = { shape: [3, 1, 3], data: [1, 1, 1, 0, 0, 0, 0, 0, 0] }; // pure red

  it("covers by magnitude: nothing at 0, all at the limit", () => {
    const overlay = signedOverlay(plane(1, 3, [-2, 0, 2]), image, { opacity: 1, percentile: 100 });
    expect(at(overlay, 0, 0)).toEqual([...colorAt(blueWhiteRed, 0), 255]);
    expect(at(overlay, 1, 0)).toEqual([54, 54, 54, 255]); // Rec. 709 luma of red: 0.2126 * 255
    expect(at(overlay, 2, 0)).toEqual([...colorAt(blueWhiteRed, 1), 255]);
    expect([overlay.low, overlay.high]).toEqual([-2, 2]);
  });

  it("keeps the image's colours if asked", () => {
    expect(at(signedOverlay(plane(1, 3, [0, 0, 0]), image, { saturation: 1 }), 0, 0)).toEqual([255, 0, 0, 255]);
  });

  it("mirrors colours when the sign flips", () => {
    const white = { shape: [1, 1, 1], data: [1] };
    const of = (v: number) => at(signedOverlay(plane(1, 1, [v]), white, { limit: 2 }), 0, 0);
    expect(of(1)[0]).toBeGreaterThan(of(1)[2]!);
    expect(of(-1)[2]).toBeGreaterThan(of(-1)[0]!);
  });

  it("enlarges a coarse map to the image, and both by scale", () => {
    const square = { shape: [1, 4, 4], data: new Float32Array(16).fill(0.5) };
    const overlay = signedOverlay(plane(2, 2, [1, -1, 0, 0]), square, { opacity: 1, scale: 3, percentile: 100 });
    expect([overlay.width, overlay.height]).toEqual([12, 12]);
    expect(at(overlay, 5, 5)).toEqual([...colorAt(blueWhiteRed, 1), 255]);
    expect(at(overlay, 6, 5)).toEqual([...colorAt(blueWhiteRed, 0), 255]);
    expect(at(overlay, 6, 6)).toEqual([128, 128, 128, 255]);
  });

  it("refuses a map larger than the image, a sequential map, and odd options", () => {
    const dot = { shape: [1, 1, 1], data: [1] };
    expect(() => signedOverlay(plane(1, 3, [0, 0, 0]), dot)).toThrow(ShapeError);
    expect(() => signedOverlay(plane(1, 1, [0]), dot, { colors: viridis })).toThrow(ArgumentError);
    expect(() => signedOverlay(plane(1, 1, [0]), dot, { opacity: 2 })).toThrow(ArgumentError);
    expect(() => signedOverlay(plane(1, 1, [NaN]), dot)).toThrow(NumericError);
  });
});

describe("attributedImage", () => {
  it("is the image times the clipped sum of |attribution| over the 99th percentile", () => {
    // 100 pixels, magnitudes 1 to 100 split over two channels of opposite sign: the 99th percentile is 99.01.
    const magnitudes = Array.from({ length: 100 }, (_, i) => i + 1);
    const attributions = {
      shape: [1, 2, 10, 10],
      data: [...magnitudes.map((v) => v / 4), ...magnitudes.map((v) => (-3 * v) / 4)],
    };
    const image = { shape: [3, 10, 10], data: [0.2, 0.6, 1].flatMap((v) => Array<number>(100).fill(v)) };
    const picture = attributedImage(attributions, image);
    expect(picture.high).toBeCloseTo(99.01, 10);
    magnitudes.forEach((m, i) => {
      const share = Math.min(1, m / 99.01);
      const got = at(picture, i % 10, Math.floor(i / 10));
      [51, 153, 255].forEach((v, k) => expect(Math.abs(got[k]! - v * share)).toBeLessThanOrEqual(0.5 + 1e-9));
      expect(got[3]).toBe(255);
    });
  });
});
