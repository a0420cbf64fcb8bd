// Similarities of maps: closed forms, plain loops, and numbers of scikit-image 0.26 and SciPy 1.17.
import { describe, expect, test } from "vitest";
import { hog, hogSimilarity, pearson, ranks, spearman, ssim } from "../../../src/attribution/evaluate/index.ts";
import { hostArray, type HostArray } from "../../../src/tensor/index.ts";
import { draw } from "../networks.ts";

const map = (height: number, width: number, f: (y: number, x: number) => number): HostArray =>
  hostArray(
    Array.from({ length: height * width }, (_, i) => f(Math.floor(i / width), i % width)),
    [height, width],
  );
const wave = (p: number, q: number, r: number): HostArray =>
  map(26, 31, (y, x) => Math.sin(p * y + q * x) + (r * y * x) / (26 * 31));
const [a, b] = [wave(0.7, 1.3, 0.4), wave(0.6, 1.1, -0.3)];
const times = ({ shape, data }: HostArray, factor: number): HostArray =>
  hostArray(
    data.map((v) => factor * v),
    shape,
  );

describe("correlation", () => {
  const [u, v] = [
    [1, 3, 2, 3, -5, 0, 3, 2],
    [2, 2, -1, 5, 0, -7, 8, 2],
  ];

  test("ranks share the places of equal values", () => {
    expect([...ranks([10, -3, 10, 7, 10])]).toEqual([4, 1, 4, 2, 4]);
    expect([...ranks([])]).toEqual([]);
  });

  test("equals SciPy, ties included", () => {
    expect(pearson(u, v)).toBeCloseTo(0.4405098701038165, 12);
    expect(spearman(u, v)).toBeCloseTo(0.7421530430042759, 12);
    expect(spearman(u, v, { absolute: true })).toBeCloseTo(-0.2515773027133138, 12);
  });

  test("without ties is 1 - 6 sum d^2 / n (n^2 - 1)", () => {
    const [p, q] = [draw(50, 1), draw(50, 2)];
    const [rp, rq] = [ranks(p), ranks(q)];
    const squares = rp.reduce((s, r, i) => s + (r - rq[i]!) ** 2, 0);
    expect(spearman(p, q)).toBeCloseTo(1 - (6 * squares) / (50 * (2500 - 1)), 12);
  });

  test("depends on the order only, and a sign turns it", () => {
    const p = draw(40, 3);
    expect(
      spearman(
        p,
        p.map((x) => x ** 3),
      ),
    ).toBeCloseTo(1, 12);
    expect(
      spearman(
        p,
        p.map((x) => -Math.exp(x)),
      ),
    ).toBeCloseTo(-1, 12);
    expect(
      spearman(
        p,
        p.map((x) => -x),
        { absolute: true },
      ),
    ).toBeCloseTo(1, 12);
  });

  test("of a constant is 0; other lengths are refused", () => {
    expect(spearman([1, 1, 1], [1, 2, 3])).toBe(0);
    expect(() => spearman([1, 2], [1, 2, 3])).toThrow("got 2 and 3");
    expect(() => pearson([1], [1])).toThrow("at least two");
  });
});

describe("structural similarity", () => {
  test("equals scikit-image with a Gaussian window", () => {
    expect(ssim(a, b, { range: 2 })).toBeCloseTo(0.06314490559625839, 10);
    expect(ssim(a, b)).toBeCloseTo(0.05297307499832412, 10);
    const near = hostArray(
      a.data.map((v, i) => v + 0.1 * b.data[i]!),
      a.shape,
    );
    expect(ssim(a, near, { range: 2 })).toBeCloseTo(0.9510805038622999, 6);
  });

  test("of constants has a closed form", () => {
    const [c, d] = [0.5, 0.2];
    const c1 = 0.01 ** 2;
    const got = ssim(
      map(12, 12, () => c),
      map(12, 12, () => d),
      { range: 1 },
    );
    expect(got).toBeCloseTo((2 * c * d + c1) / (c * c + d * d + c1), 6);
  });

  test("is 1 for equal maps, zeros and small ones included, and symmetric", () => {
    for (const size of [2, 5, 11, 16]) {
      const some = map(size, size, (y, x) => Math.sin(3 * y + x));
      expect(ssim(some, some)).toBeCloseTo(1, 12);
    }
    expect(
      ssim(
        map(4, 4, () => 0),
        map(4, 4, () => 0),
      ),
    ).toBe(1);
    expect(ssim(a, b)).toBeCloseTo(ssim(b, a), 12);
  });

  test("sums channels", () => {
    const channels = hostArray([...a.data, ...a.data], [2, 26, 31]);
    expect(ssim(channels, b, { range: 2 })).toBeCloseTo(ssim(times(a, 2), b, { range: 2 }), 6);
  });

  test("refuses what it cannot compare", () => {
    expect(() =>
      ssim(
        a,
        map(26, 30, () => 0),
      ),
    ).toThrow("[26, 31] and [26, 30]");
    expect(() => ssim(hostArray([1, 2]), hostArray([1, 2]))).toThrow("expected a map [H, W] or [C, H, W], got [2]");
    expect(() => ssim(a, b, { radius: 13 })).toThrow("radius: expected a whole number from 0 to 12");
    expect(() => ssim(a, b, { sigma: 0 })).toThrow("sigma must be > 0");
  });
});

describe("histograms of oriented gradients", () => {
  test("equal scikit-image", () => {
    const own = hog(a);
    expect(own.length).toBe(81);
    [0.05233832, 0.33083101, 0, 0].forEach((v, i) => expect(own[i]).toBeCloseTo(v, 6));
    expect(own.reduce((s, v) => s + v, 0)).toBeCloseTo(3.2723781203647144, 6);
    const options = { orientations: 6, cell: 5, block: 2 };
    const other = hog(a, options);
    expect(other.length).toBe(480);
    [0.17081446, 0.46746606, 0, 0.11730828].forEach((v, i) => expect(other[i]).toBeCloseTo(v, 6));
    expect(other.reduce((s, v) => s + v, 0)).toBeCloseTo(42.76043174912717, 5);
    expect(hogSimilarity(a, b)).toBeCloseTo(0.8456987838540747, 6);
    expect(hogSimilarity(a, b, { ...options, correlation: "pearson" })).toBeCloseTo(0.9997428747134233, 6);
    expect(hogSimilarity(a, b, options)).toBeCloseTo(0.8385603064050838, 6);
  });

  test("put a slope into the bin of its direction", () => {
    // Rising to the right, downwards, and along the diagonal: 0, 90 and 45 degrees, in bins of 45.
    for (const [dy, dx, bin] of [
      [0, 1, 0],
      [1, 0, 2],
      [1, 1, 1],
      [-1, 1, 3],
    ] as const) {
      const histogram = hog(
        map(9, 9, (y, x) => dy * y + dx * x),
        { orientations: 4, cell: 3, block: 1 },
      );
      // Of the middle cell: all neighbours are inside the map.
      const middle = histogram.subarray(4 * 4, 5 * 4);
      expect(middle.indexOf(Math.max(...middle))).toBe(bin);
      expect([...middle].filter((v) => v > 0.01)).toHaveLength(1);
    }
  });

  test("refuse blocks that do not fit", () => {
    expect(() => hog(a, { cell: 9 })).toThrow("a block of 27 pixels does not fit [26, 31]");
    expect(() => hog(a, { orientations: 0 })).toThrow("orientations: expected a whole number >= 1");
    expect(() => hog(map(2, 9, () => 0))).toThrow("does not fit [2, 9]");
  });
});
