// Superpixels against the definition of the paper: minimum spanning trees by brute force, and borders between every pair.
import { describe, expect, test } from "vitest";
import { segmentations, superpixelGroups, superpixels } from "../../src/attribution/index.ts";
import { ArgumentError, NumericError, ShapeError, hostArray, type HostArray } from "../../src/tensor/index.ts";
import { draw } from "./networks.ts";

interface Edge {
  readonly a: number;
  readonly b: number;
  readonly weight: number;
}

/** All pairs of the 8-neighbourhood, in f64, of an image that is used as it is. */
function edgesOf({ shape, data }: HostArray): Edge[] {
  const [channels, height, width] = shape as [number, number, number];
  const pixels = height * width;
  const edges: Edge[] = [];
  for (let a = 0; a < pixels; a++)
    for (let b = a + 1; b < pixels; b++) {
      const dy = Math.floor(b / width) - Math.floor(a / width);
      const dx = (b % width) - (a % width);
      if (Math.max(Math.abs(dy), Math.abs(dx)) > 1) continue;
      let squares = 0;
      for (let c = 0; c < channels; c++) squares += (data[c * pixels + a]! - data[c * pixels + b]!) ** 2;
      edges.push({ a, b, weight: Math.sqrt(squares) });
    }
  return edges;
}

/** Int(C): the heaviest edge of the minimum spanning tree of a component, by Prim's algorithm. */
function internalDifference(members: ReadonlySet<number>, edges: readonly Edge[]): number {
  const reached = new Set([Math.min(...members)]);
  let heaviest = 0;
  while (reached.size < members.size) {
    const leaving = edges.filter(({ a, b }) => members.has(a) && members.has(b) && reached.has(a) !== reached.has(b));
    const next = leaving.reduce((x, y) => (y.weight < x.weight ? y : x));
    heaviest = Math.max(heaviest, next.weight);
    reached.add(next.a).add(next.b);
  }
  return heaviest;
}

/** Algorithm 1 of the paper with sets of pixels, Int(C) taken anew at every edge. */
function segmentedByDefinition(image: HostArray, scale: number, minSize: number): number[] {
  const edges = edgesOf(image);
  const sorted = [...edges].sort((x, y) => x.weight - y.weight);
  let components: Set<number>[] = Array.from({ length: image.shape[1]! * image.shape[2]! }, (_, p) => new Set([p]));
  const joinIf = (wanted: (c: Set<number>, d: Set<number>, weight: number) => boolean): void => {
    for (const { a, b, weight } of sorted) {
      const [c, d] = [components.find((s) => s.has(a))!, components.find((s) => s.has(b))!];
      if (c === d || !wanted(c, d, weight)) continue;
      components = [...components.filter((s) => s !== c && s !== d), new Set([...c, ...d])];
    }
  };
  const most = (c: Set<number>): number => internalDifference(c, edges) + scale / 255 / c.size;
  joinIf((c, d, weight) => weight <= Math.min(most(c), most(d)));
  joinIf((c, d) => Math.min(c.size, d.size) < minSize);
  const numbered = components.sort((c, d) => Math.min(...c) - Math.min(...d));
  return numbered.reduce<number[]>((labels, c, i) => (c.forEach((p) => (labels[p] = i)), labels), []);
}

const asIs = { range: [-1, 1], sigma: 0 } as const;
const noisy = (seed: number, [channels, height, width] = [2, 7, 8]): HostArray => {
  const noise = draw(channels * height * width, seed, 0.25);
  // Two flat halves under noise.
  return hostArray(
    noise.map((v, i) => v + (i % width < 4 ? 0.4 : -0.4)),
    [channels, height, width],
  );
};

const sizesOf = (labels: ArrayLike<number>): number[] =>
  Array.from(labels).reduce<number[]>((sizes, l) => ((sizes[l] = (sizes[l] ?? 0) + 1), sizes), []);

describe("the definition", () => {
  test.each([1, 2, 3, 4, 5, 6])("equals the algorithm with spanning trees by brute force (seed %i)", (seed) => {
    const image = noisy(seed);
    for (const [scale, minSize] of [
      [0, 1],
      [20, 1],
      [100, 1],
      [250, 1],
      [60, 5],
      [600, 12],
    ] as const)
      // prettier-ignore
      expect([...superpixels(image, { ...asIs, scale, minSize })]).toEqual(segmentedByDefinition(image, scale, minSize));
  });

  test("all borders are evident: across each, the least difference exceeds what holds one of both together", () => {
    const image = noisy(9, [3, 9, 9]);
    const edges = edgesOf(image);
    const labels = superpixels(image, { ...asIs, scale: 60, minSize: 0 });
    const sizes = sizesOf(labels);
    expect(sizes.length).toBeGreaterThan(3);
    const most = sizes.map((size, l) => {
      const members = new Set([...labels.keys()].filter((p) => labels[p] === l));
      return internalDifference(members, edges) + 60 / 255 / size;
    });
    for (const { a, b, weight } of edges) {
      const [l, m] = [labels[a]!, labels[b]!];
      if (l !== m) expect(weight).toBeGreaterThan(Math.min(most[l]!, most[m]!));
    }
  });
});

describe("pictures whose segments are known", () => {
  /** Rectangles of flat colours: quarters of different sizes, and a frame of one colour inside the last. */
  const [height, width] = [24, 30];
  const truth = Array.from({ length: height * width }, (_, p) => {
    const [y, x] = [Math.floor(p / width), p % width];
    if (y >= 14 && y < 20 && x >= 18 && x < 26) return 4;
    return (y < 10 ? 0 : 2) + (x < 12 ? 0 : 1);
  });
  const colours = [[0.1, 0.9, 0.3], [0.8, 0.2, 0.3], [0.5, 0.5, 0.9], [0.1, 0.1, 0.1], [0.9, 0.9, 0]]; // prettier-ignore
  const flat = hostArray(
    [0, 1, 2].flatMap((c) => truth.map((l) => colours[l]![c]!)),
    [3, height, width],
  );

  test("flat rectangles are exactly the segments", () => {
    for (const scale of [0, 50, 250]) expect([...superpixels(flat, { scale, sigma: 0 })]).toEqual(truth);
    expect([...superpixels({ ...flat, shape: [1, 3, height, width] }, { sigma: 0 })]).toEqual(truth);
  });

  test("a layout with channels last gives the same", () => {
    const last = hostArray(truth.flatMap((l) => colours[l]!), [height, width, 3]); // prettier-ignore
    expect([...superpixels(last, { sigma: 0, layout: "NHWC" })]).toEqual(truth);
  });

  test("one colour is one segment, and so is everything at a huge scale", () => {
    const grey = hostArray(new Float32Array(48).fill(0.7), [1, 6, 8]);
    expect(new Set(superpixels(grey))).toEqual(new Set([0]));
    expect(new Set(superpixels(flat, { scale: 1e7 }))).toEqual(new Set([0]));
  });

  test("two colours of one brightness are told apart", () => {
    const image = hostArray([0.2, 0.2, 0.8, 0.8, 0.8, 0.8, 0.2, 0.2], [2, 1, 4]);
    expect([...superpixels(image, { ...asIs, scale: 10, minSize: 0 })]).toEqual([0, 0, 1, 1]);
  });

  test("diagonal neighbours are neighbours", () => {
    const image = hostArray([1, 0, 0, 1], [1, 2, 2]);
    expect([...superpixels(image, { ...asIs, scale: 1, minSize: 0 })]).toEqual([0, 1, 1, 0]);
  });
});

describe("options", () => {
  const image = noisy(3, [3, 20, 20]);

  test("minSize holds, and its default goes with the number of pixels", () => {
    for (const minSize of [1, 4, 11, 60])
      expect(Math.min(...sizesOf(superpixels(image, { scale: 20, minSize })))).toBeGreaterThanOrEqual(minSize);
    const by = (minSize?: number) => superpixels(noisy(5, [1, 56, 56]), { scale: 5, ...(minSize && { minSize }) });
    expect(by()).toEqual(by(9)); // 150 / 16
    expect(by()).not.toEqual(by(30));
  });

  test("labels are 0 to n - 1 by the first pixel; equal calls give equal labels", () => {
    const labels = superpixels(image, { scale: 20, minSize: 3 });
    const firsts = [...new Set(labels)];
    expect(firsts).toEqual(firsts.map((_, i) => i));
    expect(firsts.length).toBeGreaterThan(3);
    expect(superpixels(image, { scale: 20, minSize: 3 })).toEqual(labels);
  });

  test("scales share one call; values are stretched to [-1, 1] whatever their range was", () => {
    const all = segmentations(image);
    expect(all).toHaveLength(6);
    [50, 100, 150, 250, 500, 1200].forEach((scale, i) => expect(all[i]).toEqual(superpixels(image, { scale })));
    const bytes = hostArray(Array.from(image.data, (v) => 64 * v + 128), image.shape); // prettier-ignore
    expect(segmentations(bytes)).toEqual(all);
    const [low, high] = [Math.min(...image.data), Math.max(...image.data)];
    expect(segmentations(image, { range: [low, high] })).toEqual(all);
    // Half the contrast needs half the scale.
    const half = { range: [2 * low, 2 * high], sigma: 0, minSize: 2 } as const;
    expect(superpixels(image, { ...half, scale: 50 })).toEqual(
      superpixels(image, { range: [low, high], sigma: 0, minSize: 2, scale: 100 }),
    );
  });

  test("sigma blurs with a Gaussian before", () => {
    const sigma = 1.2;
    const [height, width] = [10, 12];
    const plane = hostArray(draw(height * width, 8, 1), [1, height, width]);
    const clamp = (v: number, n: number): number => Math.min(n - 1, Math.max(0, v));
    const blurred = Array.from({ length: height * width }, (_, p) => {
      let [sum, total] = [0, 0];
      for (let dy = -4; dy <= 4; dy++)
        for (let dx = -4; dx <= 4; dx++) {
          const weight = Math.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
          const [y, x] = [clamp(Math.floor(p / width) + dy, height), clamp((p % width) + dx, width)];
          sum += weight * plane.data[y * width + x]!;
          total += weight;
        }
      return sum / total;
    });
    const options = { range: [-1, 1], scale: 10, minSize: 0 } as const;
    const labels = superpixels(plane, { ...options, sigma });
    expect(labels).toEqual(superpixels(hostArray(blurred, plane.shape), { ...options, sigma: 0 }));
    expect(labels).not.toEqual(superpixels(plane, { ...options, sigma: 0 }));
  });
});

describe("groups", () => {
  test("all channels of a pixel belong to its segment", () => {
    const labels = Int32Array.of(0, 0, 1, 2, 2, 1);
    expect([...superpixelGroups(labels, [2, 2, 3])]).toEqual([...labels, ...labels]);
    expect([...superpixelGroups(labels, [2, 3])]).toEqual([...labels]);
    expect([...superpixelGroups(labels, [2, 3, 2], { layout: "NHWC" })]).toEqual([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 1, 1]);
  });

  test("labels that do not fit are refused", () => {
    expect(() => superpixelGroups([0, 1, 2], [3, 2, 2])).toThrow(/3 labels do not fit an example \[3, 2, 2\]/);
    expect(() => superpixelGroups([0, 1], [2])).toThrow(ShapeError);
  });
});

test("bad input", () => {
  const image = noisy(1);
  const refused = (options: Parameters<typeof segmentations>[1], message: RegExp): void => {
    expect(() => segmentations(image, options)).toThrow(ArgumentError);
    expect(() => segmentations(image, options)).toThrow(message);
  };
  refused({ scales: [] }, /scales: expected at least one/);
  refused({ scales: [50, -1] }, /scale: expected a finite number >= 0, got -1/);
  refused({ sigma: NaN }, /sigma/);
  refused({ minSize: -2 }, /minSize/);
  refused({ range: [1, 1] }, /range: expected two different finite numbers, got 1 and 1/);
  const batch = hostArray(new Float32Array(2 * 3 * 4), [2, 1, 3, 4]);
  expect(() => superpixels(batch)).toThrow(/one picture, \[C, H, W\] or \[H, W\], got \[2, 1, 3, 4\]/);
  expect(() => superpixels(hostArray([1, 2, 3]))).toThrow(ShapeError);
  expect(() => superpixels(hostArray([1, NaN, 3, 4], [1, 2, 2]))).toThrow(NumericError);
});
