// How alike two maps are: the measures of sanity checks. All are functions of arrays, computed in double precision.
import { ArgumentError, ShapeError } from "../../tensor/errors.ts";
import type { HostArray } from "../../tensor/host.ts";
import { formatShape } from "../../tensor/shape.ts";
import { assertWhole } from "../../tensor/checks.ts";

/** Two numbers or more that belong together pairwise. */
type Numbers = ArrayLike<number>;

function assertPairs(name: string, a: Numbers, b: Numbers): void {
  if (a.length !== b.length || a.length < 2)
    throw new ShapeError(`${name}: expected as many elements of both, at least two, got ${a.length} and ${b.length}`);
}

/** Ranks from 1 on; equal values share the mean of theirs. */
export function ranks(values: Numbers): Float64Array {
  const order = Uint32Array.from(values, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const result = new Float64Array(values.length);
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let i = from; i < to; i++) result[order[i]!] = (from + 1 + to) / 2;
  }
  return result;
}

/**
 * Pearson's correlation, -1 to 1; 0 if all elements of one are equal, which says nothing about the other.
 * @throws ShapeError unless both have as many elements, two or more
 */
export function pearson(a: Numbers, b: Numbers): number {
  assertPairs("pearson", a, b);
  const mean = (x: Numbers): number => {
    let total = 0;
    for (let i = 0; i < x.length; i++) total += x[i]!;
    return total / x.length;
  };
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [u, v] = [a[i]! - ma, b[i]! - mb];
    ab += u * v;
    aa += u * u;
    bb += v * v;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}

/**
 * Spearman's rank correlation: {@link pearson} of the ranks, equal values sharing theirs.
 * @param options.absolute ranks magnitudes instead of signed values. Maps that are multiplied with the input keep the
 *   ranks of their magnitudes whatever the network does: look at the signed ones, too
 */
export function spearman(a: Numbers, b: Numbers, { absolute = false }: { readonly absolute?: boolean } = {}): number {
  assertPairs("spearman", a, b);
  const ranked = (x: Numbers): Float64Array => ranks(absolute ? Float64Array.from(x, Math.abs) : x);
  return pearson(ranked(a), ranked(b));
}

/** A picture [H, W], in double precision. */
export interface Plane {
  readonly height: number;
  readonly width: number;
  readonly data: Float64Array;
}

/**
 * A map as one plane: channels of [C, H, W] are summed.
 * @throws ShapeError for arrays with other numbers of axes
 */
export function planeOf({ shape, data }: HostArray): Plane {
  const [height, width] = shape.slice(-2);
  if (shape.length < 2 || shape.length > 3 || !height || !width)
    throw new ShapeError(`expected a map [H, W] or [C, H, W], got ${formatShape(shape)}`);
  const plane = new Float64Array(height * width);
  data.forEach((v, i) => (plane[i % plane.length] = plane[i % plane.length]! + v));
  return { height, width, data: plane };
}

export interface SsimOptions {
  /** Difference between the largest and the smallest possible value. Default: between those that there are. */
  readonly range?: number;
  /** Standard deviation of the Gaussian window, in pixels. Default 1.5. */
  readonly sigma?: number;
  /** Pixels on each side of a window's centre. Default 5, or as many as the map has room for. */
  readonly radius?: number;
}

/**
 * Structural similarity (Wang et al. 2004, K1 = 0.01, K2 = 0.03): the mean over all windows that lie inside the map, -1 to 1.
 *
 * @param a map [H, W], or [C, H, W] whose channels are summed
 * @throws ShapeError unless both maps have the same height and width
 * @throws ArgumentError if the window does not fit
 */
export function ssim(a: HostArray, b: HostArray, options: SsimOptions = {}): number {
  const [x, y] = [planeOf(a), planeOf(b)];
  if (x.height !== y.height || x.width !== y.width) {
    throw new ShapeError(`ssim: expected maps of one size, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
  }
  const { height, width } = x;
  const room = Math.floor((Math.min(height, width) - 1) / 2);
  const { sigma = 1.5, radius = Math.min(5, room) } = options;
  if (!(sigma > 0)) throw new ArgumentError(`ssim: sigma must be > 0, got ${sigma}`);
  assertWhole("ssim: radius", radius, 0, room);
  const { range = extent(x.data, y.data) } = options;
  const [c1, c2] = [(0.01 * range) ** 2, (0.03 * range) ** 2];
  const smooth = (of: (i: number) => number): Float64Array =>
    inside({ height, width, data: x.data.map((_, i) => of(i)) }, sigma, radius);
  const [mx, my] = [smooth((i) => x.data[i]!), smooth((i) => y.data[i]!)];
  const [xx, yy, xy] = [
    smooth((i) => x.data[i]! ** 2),
    smooth((i) => y.data[i]! ** 2),
    smooth((i) => x.data[i]! * y.data[i]!),
  ];
  const total = mx.reduce((sum, u, i) => {
    const v = my[i]!;
    const [vx, vy, covariance] = [xx[i]! - u * u, yy[i]! - v * v, xy[i]! - u * v];
    const [above, below] = [(2 * u * v + c1) * (2 * covariance + c2), (u * u + v * v + c1) * (vx + vy + c2)];
    // Two maps of zeros are the same map.
    return sum + (below === 0 ? 1 : above / below);
  }, 0);
  return total / mx.length;
}

function extent(...arrays: readonly Float64Array[]): number {
  let [low, high] = [Infinity, -Infinity];
  for (const array of arrays) {
    for (const v of array) {
      if (v < low) low = v;
      if (v > high) high = v;
    }
  }
  return high - low;
}

/** Gaussian means of all windows that lie inside a plane. */
function inside({ height, width, data }: Plane, sigma: number, radius: number): Float64Array {
  const size = 2 * radius + 1;
  const raw = Float64Array.from({ length: size }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)));
  const sum = raw.reduce((a, b) => a + b, 0);
  const along = (x: Float64Array, count: number, at: (i: number) => number, stride: number): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => {
      let total = 0;
      for (let k = 0; k < size; k++) total += raw[k]! * x[at(i) + k * stride]!;
      return total / sum;
    });
  const inner = width - 2 * radius;
  const rows = along(data, height * inner, (i) => Math.floor(i / inner) * width + (i % inner), 1);
  return along(rows, (height - 2 * radius) * inner, (i) => i, inner);
}

export interface HogOptions {
  /** Directions between 0 and 180 degrees. Default 9. */
  readonly orientations?: number;
  /** Pixels along a side of a cell. Default 8, or a third of the map's shorter side if that is less. */
  readonly cell?: number;
  /** Cells along a side of a block. Default 3. */
  readonly block?: number;
}

/**
 * Histograms of oriented gradients (Dalal and Triggs 2005): magnitudes of central differences by direction, averaged over
 * cells, normalised over overlapping blocks (L2, clipped at 0.2, L2 again).
 *
 * @param map [H, W], or [C, H, W] whose channels are summed
 * @returns [blocks down, blocks across, block, block, orientations], flat
 * @throws ArgumentError when the map is smaller than a block
 */
export function hog(map: HostArray, options: HogOptions = {}): Float64Array {
  const plane = planeOf(map);
  const side = Math.min(plane.height, plane.width);
  const { orientations = 9, block = 3, cell = Math.max(1, Math.min(8, Math.floor(side / block))) } = options;
  for (const [name, value] of Object.entries({ orientations, cell, block })) assertWhole(`hog: ${name}`, value, 1);
  const [down, across] = [Math.floor(plane.height / cell), Math.floor(plane.width / cell)];
  if (Math.min(down, across) < block)
    throw new ArgumentError(
      `hog: a block of ${block * cell} pixels does not fit ${formatShape(map.shape)}; use smaller cells`,
    );
  const cells = cellHistograms(plane, orientations, cell, [down, across]);
  const result: number[] = [];
  for (let r = 0; r + block <= down; r++) {
    for (let c = 0; c + block <= across; c++) {
      const rows = Array.from({ length: block }, (_, i) => ((r + i) * across + c) * orientations);
      result.push(...clipped(rows.flatMap((from) => Array.from(cells.subarray(from, from + block * orientations)))));
    }
  }
  return Float64Array.from(result);
}

/** Mean magnitude of every direction in every cell. */
function cellHistograms(
  { height, width, data }: Plane,
  orientations: number,
  cell: number,
  [down, across]: readonly [number, number],
): Float64Array {
  const cells = new Float64Array(down * across * orientations);
  // Central differences; 0 at the border, where one neighbour is missing.
  const difference = (i: number, at: number, count: number, stride: number): number =>
    at > 0 && at < count - 1 ? data[i + stride]! - data[i - stride]! : 0;
  for (let y = 0; y < down * cell; y++) {
    for (let x = 0; x < across * cell; x++) {
      const i = y * width + x;
      const [dy, dx] = [difference(i, y, height, width), difference(i, x, width, 1)];
      const turn = (Math.atan2(dy, dx) / Math.PI + 1) % 1;
      const bin = Math.min(orientations - 1, Math.floor(turn * orientations));
      const at = (Math.floor(y / cell) * across + Math.floor(x / cell)) * orientations + bin;
      cells[at] = cells[at]! + Math.hypot(dx, dy) / (cell * cell);
    }
  }
  return cells;
}

function clipped(block: readonly number[]): number[] {
  const unit = (v: readonly number[]): number[] => {
    const norm = Math.sqrt(v.reduce((s, e) => s + e * e, 1e-10));
    return v.map((e) => e / norm);
  };
  return unit(unit(block).map((v) => Math.min(v, 0.2)));
}

/**
 * Correlation between the {@link hog} of two maps: of ranks (default), or of the values themselves.
 * @throws ShapeError, ArgumentError as {@link hog}
 */
export function hogSimilarity(
  a: HostArray,
  b: HostArray,
  { correlation = "spearman", ...options }: HogOptions & { readonly correlation?: "spearman" | "pearson" } = {},
): number {
  return (correlation === "pearson" ? pearson : spearman)(hog(a, options), hog(b, options));
}
