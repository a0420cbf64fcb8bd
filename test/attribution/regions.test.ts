// Ranked regions against the greedy choice by brute force over masks, planted regions, and sums.
import { describe, expect, test } from "vitest";
import {
  integratedGradients,
  rankRegions,
  segmentations,
  superpixelGroups,
  superpixels,
  shapleyIG,
  topRegions,
  xrai,
  type RankedRegions,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, matmul, reshape, square, sum } from "../../src/kernels/index.ts";
import { ArgumentError, ShapeError, hostArray, type Device, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { draw, drawArray, expectNear } from "./networks.ts";

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

/** The definition: masks of truth values, means taken anew for every candidate in every round. */
function greedyByDefinition(
  map: readonly number[],
  [height, width]: readonly [number, number],
  segments: readonly ArrayLike<number>[],
  { dilation, minArea, areaThreshold }: { dilation: number; minArea: number; areaThreshold: number },
): { gain: number; pixels: number[] }[] {
  const pixels = [...map.keys()];
  const near = (p: number, q: number): boolean =>
    Math.hypot(Math.floor(p / width) - Math.floor(q / width), (p % width) - (q % width)) <= dilation;
  let masks = segments.flatMap((labels) =>
    [...new Set(Array.from(labels))].map((l) =>
      pixels.filter((p) => pixels.some((q) => labels[q] === l && near(p, q))),
    ),
  );
  const mean = (of: readonly number[]): number => total(of.map((p) => map[p]!)) / of.length;
  const covered = new Set<number>();
  const chosen: { gain: number; pixels: number[] }[] = [];
  while (covered.size / (height * width) <= areaThreshold) {
    masks = masks.map((mask) => mask.filter((p) => !covered.has(p))).filter((mask) => mask.length >= minArea);
    if (masks.length === 0) break;
    const gains = masks.map(mean);
    const best = gains.indexOf(Math.max(...gains));
    chosen.push({ gain: gains[best]!, pixels: masks[best]! });
    masks[best]!.forEach((p) => covered.add(p));
  }
  chosen.sort((a, b) => b.gain - a.gain);
  const rest = pixels.filter((p) => !covered.has(p));
  return rest.length > 0 ? [...chosen, { gain: mean(rest), pixels: rest }] : chosen;
}

function expectRanked({ regions, ranks, heat }: RankedRegions, truth: readonly { gain: number; pixels: number[] }[]) {
  expectNear(regions.map(({ gain }) => gain), truth.map(({ gain }) => gain)); // prettier-ignore
  expect(regions.map(({ area }) => area)).toEqual(truth.map(({ pixels }) => pixels.length));
  truth.forEach(({ gain, pixels }, rank) => {
    for (const p of pixels) expect(ranks.data[p]).toBe(rank);
    expectNear(pixels.map((p) => heat.data[p]!), pixels.map(() => gain)); // prettier-ignore
  });
}

describe("the greedy choice", () => {
  const [height, width] = [9, 11];
  const image = drawArray([1, height, width], 3);
  const segments = segmentations(image, { scales: [1, 30, 120], minSize: 5 });

  test.each([1, 2, 3, 4])("equals the definition on overlapping segments (seed %i)", (seed) => {
    const map = draw(height * width, seed);
    for (const dilation of [0, 1, 2.5])
      for (const minArea of [1, 6])
        for (const areaThreshold of [1, 0.4]) {
          const options = { dilation, minArea, areaThreshold };
          const truth = greedyByDefinition(map, [height, width], segments, options);
          expect(truth.length).toBeGreaterThanOrEqual(2);
          expectRanked(rankRegions(hostArray(map, [height, width]), segments, options), truth);
        }
  });

  test("areas sum to the picture, gains times areas and the heat to the attributions", () => {
    for (const areaThreshold of [1, 0.3, 0]) {
      const map = drawArray([height, width], 8);
      const { regions, heat, ranks } = rankRegions(map, segments, { minArea: 4, dilation: 1, areaThreshold });
      expect(total(regions.map(({ area }) => area))).toBe(height * width);
      expect(new Set(ranks.data)).toEqual(new Set(regions.keys()));
      expect(total(regions.map(({ area, gain }) => area * gain))).toBeCloseTo(total(map.data), 5);
      expect(total(heat.data)).toBeCloseTo(total(map.data), 4);
      expect(regions.map(({ rest }) => rest).slice(0, -1)).not.toContain(true);
      // No segment: all of the rest is one region.
      if (areaThreshold === 0) expect(regions.length).toBe(2);
    }
  });

  test("equal calls give equal results", () => {
    const map = drawArray([height, width], 8);
    expect(rankRegions(map, segments)).toEqual(rankRegions(map, segments));
  });
});

/** 12 x 16 pixels in four quarters, numbered row by row. */
const quarters = Int32Array.from({ length: 192 }, (_, p) => (p < 96 ? 0 : 2) + (p % 16 < 8 ? 0 : 1));

describe("planted regions", () => {
  test("the segment that holds the attributions is the first, then by density", () => {
    const density = [0.25, -1, 2, 0.5];
    const map = hostArray(Array.from(quarters, (l) => density[l]!), [12, 16]); // prettier-ignore
    const ranked = rankRegions(map, [quarters], { dilation: 0, minArea: 1 });
    expect(ranked.regions).toEqual([2, 0.5, 0.25, -1].map((gain) => ({ gain, area: 48, rest: false })));
    expect([...ranked.ranks.data]).toEqual(Array.from(quarters, (l) => [2, 3, 0, 1][l]));
    expect([...topRegions(ranked, 0.25).data]).toEqual(Array.from(quarters, (l) => (l === 2 ? 1 : 0)));
    expect([...topRegions(ranked, 0.26).data]).toEqual(Array.from(quarters, (l) => (l >= 2 ? 1 : 0)));
    expect(total(topRegions(ranked, 1).data)).toBe(192);
  });

  test("segments grow by a disk: 5 pixels around one are 81", () => {
    const labels = new Int32Array(441).fill(-1);
    labels[220] = 0; // the centre of 21 x 21
    const { regions } = rankRegions(hostArray(new Float32Array(441).fill(1), [21, 21]), [labels]);
    expect(regions).toEqual([
      { gain: 1, area: 81, rest: false },
      { gain: 1, area: 360, rest: true },
    ]);
  });

  test("a segment that would add too little is passed over, and stays in the rest", () => {
    const labels = Int32Array.from({ length: 192 }, (_, p) => (p < 16 ? 0 : 1));
    const map = hostArray(Array.from(labels, (l) => (l === 0 ? 3 : 1)), [12, 16]); // prettier-ignore
    const regions = (minArea: number) => rankRegions(map, [labels], { dilation: 0, minArea }).regions;
    expect(regions(16).map(({ gain, rest }) => [gain, rest])).toEqual([[3, false], [1, false]]); // prettier-ignore
    expect(regions(17).map(({ gain, rest }) => [gain, rest])).toEqual([[1, false], [3, true]]); // prettier-ignore
  });

  test("channels: the largest by default, or the sum; channels first or last", () => {
    const map = hostArray([1, -4, -2, 5, 0, 0], [3, 1, 2]);
    const gains = (options: Parameters<typeof rankRegions>[2], of = map) =>
      rankRegions(of, [[0, 1]], { dilation: 0, minArea: 1, ...options }).regions.map(({ gain }) => gain);
    expect(gains({})).toEqual([5, 1]);
    expect(gains({ reduce: "sum" })).toEqual([1, -1]);
    const last = hostArray([1, -2, 0, -4, 5, 0], [1, 2, 3]);
    expect(gains({ reduce: "sum", layout: "NHWC" }, last)).toEqual([1, -1]);
  });
});

describe("xrai", () => {
  /** Two pictures whose quarters have flat colours; the score sees one quarter of each only. */
  const seen = Array.from(quarters, (l) => (l === 2 ? 1 : 0));
  const colours = [[0.2, 0.9, 0.7, 0.4], [0, 0.3, 1, 0.6]]; // prettier-ignore
  const pictures = hostArray(
    colours.flatMap((c) => Array.from(quarters, (l) => c[l]!)),
    [2, 1, 12, 16],
  );
  /** Runs with a score of two classes: plus and minus the squares of what is seen. */
  const withScore = (work: (score: (x: Value) => Value, device: Device) => Promise<void>): Promise<void> =>
    withCleanDevice(async (device) => {
      const weights = device.tensor(seen.flatMap((v) => [v, -v]), [192, 2]); // prettier-ignore
      await work((x) => matmul(reshape(square(x), [-1, 192]), weights), device);
      weights.dispose();
    });

  test("averages over the least and the largest value of each picture, and finds what the score sees", () =>
    withScore(async (score, device) => {
      const options = { device, target: 0, sigma: 0, dilation: 0, minArea: 1 } as const;
      const { attributions, ranked, steps } = await xrai(score, pictures, options);
      expect(steps).toBe(100);
      // x^2 - b^2 at every seen pixel, averaged over b.
      const truth = colours.flatMap((c) => {
        const [low, high] = [Math.min(...c), Math.max(...c)];
        return Array.from(quarters, (l, p) => seen[p]! * (c[l]! ** 2 - (low ** 2 + high ** 2) / 2));
      });
      expectNear(attributions.data, truth, 1e-4);
      ranked.forEach(({ regions }, b) => {
        const gain = truth[b * 192 + 96]!;
        expect(regions[0]!.gain).toBeCloseTo(gain, 4);
        expect(regions[0]!.area).toBe(48);
      });
      const [first] = ranked;
      expect([...topRegions(first!, 0.2).data]).toEqual(seen);
    }));

  test("is the ranking of Integrated Gradients; options of either pass; tensors as well as arrays", () =>
    withScore(async (score, device) => {
      const x = device.tensor(pictures);
      const options = { device, target: 1, baseline: "zero", steps: 7 } as const;
      const region = { dilation: 1, minArea: 3, areaThreshold: 0.5 };
      const own = [[quarters], segmentations(hostArray(pictures.data.slice(192), [1, 12, 16]), { minSize: 2 })];
      const result = await xrai(score, x, { ...options, ...region, segments: own });
      const plain = await integratedGradients(score, pictures, options);
      expect(result.attributions.data).toEqual(plain.attributions.data);
      result.ranked.forEach((ranked, b) => {
        const map: HostArray = hostArray(plain.attributions.data.slice(b * 192, (b + 1) * 192), [12, 16]);
        expect(ranked).toEqual(rankRegions(map, own[b]!, region));
      });
      x.dispose();
    }));

  test("superpixels are players: an additive score's (n + 1) / 2n of what each is worth", () =>
    withCleanDevice(async (device) => {
      const picture = hostArray(pictures.data.slice(0, 192), [1, 1, 12, 16]);
      const groups = superpixelGroups(superpixels(picture, { sigma: 0 }), [1, 12, 16]);
      const additive = (v: Value): Value => sum(add(v, square(v)), [1, 2, 3]);
      const { players } = await shapleyIG(additive, picture, { device, groups });
      expectNear(players.data, colours[0]!.map((c) => (48 * (c + c * c) * 5) / 8), 1e-3); // prettier-ignore
    }));

  test("bad input", async () => {
    const score = (v: Value): Value => sum(v, [1, 2, 3]);
    await expect(xrai(score, pictures, { target: "all" })).rejects.toThrow(/one class at a time/);
    await expect(xrai(score, hostArray([1, 2], [1, 2]))).rejects.toThrow(ShapeError);
    await expect(xrai(score, pictures, { segments: [[quarters]] })).rejects.toThrow(/each of 2 examples, got 1/);
  });
});

test("bad input", () => {
  const map = drawArray([12, 16], 1);
  const refused = (options: Parameters<typeof rankRegions>[2], message: RegExp): void => {
    expect(() => rankRegions(map, [quarters], options)).toThrow(ArgumentError);
    expect(() => rankRegions(map, [quarters], options)).toThrow(message);
  };
  refused({ dilation: -1 }, /dilation: expected a finite number >= 0, got -1/);
  refused({ minArea: 0 }, /minArea: expected a finite number >= 1, got 0/);
  refused({ areaThreshold: 1.5 }, /areaThreshold: expected a fraction from 0 to 1, got 1.5/);
  expect(() => rankRegions(map, [[0, 1]])).toThrow(/a label for each of 12 x 16 pixels, got 2/);
  expect(() => rankRegions(map, [Float32Array.from(quarters, (l) => l + 0.5)])).toThrow(/whole numbers from 0 on/);
  expect(() => rankRegions(drawArray([2, 1, 12, 16], 1), [quarters])).toThrow(/one picture/);
  expect(() => topRegions(rankRegions(map, [quarters]), 0)).toThrow(/share: expected a fraction in \(0, 1\], got 0/);
});
