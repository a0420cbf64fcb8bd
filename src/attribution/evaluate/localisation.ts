// Whether attributions lie where the object is, and on how little. The model takes no part.
import { ArgumentError, ShapeError } from "../../tensor/errors.ts";
import { hostArray, type HostArray } from "../../tensor/host.ts";
import { formatShape, sameShape } from "../../tensor/shape.ts";
import { assertChoice } from "../../tensor/checks.ts";
import { assertFinite } from "../problem.ts";
import { ranks } from "./similarity.ts";
import { pixelMaps, rowsOf, type PerExample } from "./subject.ts";

/** Pixels; the right and lower edges are x + width and y + height. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Mapped {
  /** [B, C, H, W] or [B, H, W]; channels are summed. */
  readonly attributions: HostArray;
}

export interface RegionOptions {
  /** [B, H, W]: not 0 where the object is. */
  readonly regions: HostArray;
}

/**
 * Regions out of boxes.
 * @param boxes of every example, at least one each
 * @throws ArgumentError for a box that lies outside the picture, or an example without one
 */
export function boxRegions(boxes: readonly (readonly Box[])[], height: number, width: number): HostArray {
  const data = new Float32Array(boxes.length * height * width);
  boxes.forEach((own, b) => {
    if (own.length === 0) throw new ArgumentError(`boxes: example ${b} has none`);
    for (const { x, y, width: w, height: h } of own) {
      if (!(x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= width && y + h <= height))
        throw new ArgumentError(
          `boxes: ${w} x ${h} at ${x}, ${y} (example ${b}) is not inside a picture of ${width} x ${height}`,
        );
      for (let row = Math.floor(y); row < Math.ceil(y + h); row++)
        data.fill(1, (b * height + row) * width + Math.floor(x), (b * height + row) * width + Math.ceil(x + w));
    }
  });
  return hostArray(data, [boxes.length, height, width]);
}

/** Rows of maps and of regions, which must be alike. */
function pairs({ attributions }: Mapped, { regions }: RegionOptions) {
  const maps = pixelMaps(attributions);
  if (!sameShape(maps.shape, regions.shape))
    throw new ShapeError(`regions: expected ${formatShape(maps.shape)}, got ${formatShape(regions.shape)}`);
  const inside = rowsOf(regions);
  const empty = inside.findIndex((row) => row.every((v) => v === 0));
  if (empty >= 0) throw new ArgumentError(`regions: that of example ${empty} is empty`);
  return { maps: rowsOf(maps), inside, width: maps.shape[2]! };
}

const perExample = (
  maps: readonly Float64Array[],
  f: (map: Float64Array, b: number) => number,
): { values: Float64Array } => ({ values: Float64Array.from(maps, f) });

/**
 * Pointing game (Zhang et al., arXiv 1608.00507): 1 if the largest attribution lies in the region, else 0.
 * @param options.tolerance pixels by which it may miss the region; default 0 (the paper has 15, in pictures of 224 or more)
 */
export function pointingGame(
  subject: Mapped,
  { tolerance = 0, ...options }: RegionOptions & { readonly tolerance?: number },
): PerExample {
  const { maps, inside, width } = pairs(subject, options);
  return perExample(maps, (map, b) => {
    const top = map.reduce((best, v, i) => (v > map[best]! ? i : best), 0);
    const near = (_: number, i: number): boolean =>
      Math.hypot((i % width) - (top % width), Math.floor(i / width) - Math.floor(top / width)) <= tolerance;
    return inside[b]!.some((v, i) => v !== 0 && near(v, i)) ? 1 : 0;
  });
}

/**
 * Localisation AUC: the chance that a pixel of the region has a larger attribution than one outside; equal ones count half.
 * NaN for a region that covers the whole picture.
 */
export function localisationAUC(subject: Mapped, options: RegionOptions): PerExample {
  const { maps, inside } = pairs(subject, options);
  return perExample(maps, (map, b) => {
    // By the Mann-Whitney statistic: the rank sum of the region.
    const all = ranks(map);
    const count = inside[b]!.reduce((n, v) => n + (v === 0 ? 0 : 1), 0);
    const sum = all.reduce((s, rank, i) => s + (inside[b]![i] === 0 ? 0 : rank), 0);
    return (sum - (count * (count + 1)) / 2) / (count * (map.length - count));
  });
}

/**
 * Share of the attribution inside the region.
 * @param options.part `positive` (default): of positive attributions; `magnitude`: of magnitudes. NaN where there are none.
 */
export function boxShare(
  subject: Mapped,
  { part = "positive", ...options }: RegionOptions & { readonly part?: "positive" | "magnitude" },
): PerExample {
  assertChoice("part", part, "positive", "magnitude");
  const { maps, inside } = pairs(subject, options);
  const weight = (v: number): number => (part === "positive" ? Math.max(0, v) : Math.abs(v));
  return perExample(maps, (map, b) => {
    const all = map.reduce((s, v) => s + weight(v), 0);
    return map.reduce((s, v, i) => s + (inside[b]![i] ? weight(v) : 0), 0) / all;
  });
}

/**
 * Gini coefficient of the magnitudes of every example's attributions (Chalasani et al., arXiv 1810.06583): 0 if all are the
 * same, 1 - 1/N if all but one are 0. NaN where all are 0.
 */
export function gini({ attributions }: Mapped): PerExample {
  assertFinite("attributions", attributions);
  return perExample(rowsOf(attributions), (row) => {
    const sorted = row.map(Math.abs).sort();
    const [n, total] = [sorted.length, sorted.reduce((a, b) => a + b, 0)];
    return sorted.reduce((s, v, i) => s + (2 * i + 1 - n) * v, 0) / (n * total);
  });
}
