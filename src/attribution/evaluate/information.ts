// Performance information curves (Kapishnikov et al., arXiv 1906.02825): the score of a blurred picture in which the pixels
// that count most are shown, against how much information that picture holds.
import { ArgumentError, ShapeError } from "../../tensor/errors.ts";
import { hostArray, type HostArray } from "../../tensor/host.ts";
import { formatShape } from "../../tensor/shape.ts";
import { assertChoice } from "../../tensor/checks.ts";
import { blur } from "../baselines.ts";
import type { Game } from "../shapley-game.ts";
import { assertFractions, meanHeight, revealed, type RemovalCurve, type RemovalOptions } from "./removal.ts";
import { rowsOf, withSubject, type Explained, type PerExample } from "./subject.ts";

/** What measures information. Results depend on it: state its name with them. */
export interface Compressor {
  readonly name: string;
  /** Bytes of a compressed picture, whose pixels are given row by row with their channels side by side. */
  readonly size: (pixels: Uint8Array, width: number, height: number, channels: number) => number | Promise<number>;
}

export interface InformationOptions extends RemovalOptions {
  readonly compressor: Compressor;
  /** Input values that are 0 and 255 in a byte; others are clipped. Default [0, 1]. */
  readonly range?: readonly [number, number];
  /** `probability` (default): softmax information curve, SIC. `accuracy`: accuracy information curve, AIC. */
  readonly measure?: "probability" | "accuracy";
  /**
   * What `insertion` gave for the same subject with the same baseline, groups and order, at fractions from 0 to 1: both
   * curves can be drawn from its scores without asking the model again. Its fractions are used, and its score.
   */
  readonly inserted?: RemovalCurve;
}

/** `values` is the area under each example's curve; NaN where the blurred picture scores no less than the picture, or holds no less. */
export interface InformationCurve extends PerExample {
  readonly compressor: string;
  readonly measure: "probability" | "accuracy";
  /** Information, 0 (blurred) to 1 (the picture): 101 equally spaced numbers. */
  readonly information: readonly number[];
  /** Performance there, [B, 101]: of the blurred picture 0, of the picture 1. */
  readonly curves: HostArray;
}

/**
 * Information is the compressed size of the blurred and revealed picture, relative to those of the blurred and the whole
 * picture, clipped to [0, 1]. Performance is scaled in the same way, and does not fall while information grows: a picture
 * that shows more counts at least as much as one that shows less [the rule of the published program].
 * AIC: 1 where the explained class is predicted, else 0; not scaled.
 * The baseline is a blur with a standard deviation of a tenth of the shorter side, unless one is given.
 * @throws ShapeError unless the input is one array of pictures [B, C, H, W]
 */
export async function informationCurve(subject: Explained, options: InformationOptions): Promise<InformationCurve> {
  const { compressor, range = [0, 1], measure = "probability", order, inserted } = options;
  const fractions = inserted?.fractions ?? options.fractions ?? Array.from({ length: 26 }, (_, s) => (s / 25) ** 2);
  assertFractions(fractions);
  assertChoice("measure", measure, "probability", "accuracy");
  if (!(range[0] < range[1])) throw new ArgumentError(`range: expected two ascending numbers, got ${range.join(", ")}`);
  const picture = shapeOf(subject);
  const baseline = options.baseline ?? blur(Math.min(picture.height, picture.width) / 10);
  // Both ends are needed to scale by.
  const shares = [...new Set([0, ...fractions, 1])];
  if (inserted && shares.length > fractions.length)
    throw new ArgumentError(`inserted: expected fractions from 0 to 1, got ${fractions.join(", ")}`);
  return withSubject(subject, { score: "probability", ...options, baseline }, async (game) => {
    const counts = shares.map((share) => Math.round(share * game.players));
    const { scores, predicted, targets, orders } = inserted ?? (await revealed(game, subject, counts, true, order));
    if (measure === "accuracy" && !predicted)
      throw new ArgumentError("measure: accuracy needs an output with classes, and no target function");
    const performance = rowsOf(measure === "accuracy" ? correct(predicted!, targets!) : scores);
    const [x, blurred] = [await game.path.inputs[0]!.read(), game.path.set.baselines[0]![0]!];
    const grid = Array.from({ length: 101 }, (_, i) => i / 100);
    const curves: number[][] = [];
    for (const [b, own] of orders.entries()) {
      const sizes: number[] = [];
      for (const count of counts)
        sizes.push(await compressor.size(shown(game, { x, blurred }, b, own.subarray(0, count), range, picture), picture.width, picture.height, picture.channels)); // prettier-ignore
      const heights = performance.map((row) => row[b]!);
      curves.push(informationCurveOf(sizes, heights, measure === "probability", grid));
    }
    return {
      values: Float64Array.from(curves, (y) => meanHeight(grid, y)),
      compressor: compressor.name,
      measure,
      information: grid,
      curves: hostArray(curves.flat(), [curves.length, grid.length]),
    };
  });
}

/**
 * Performance at the given information; the first size and height are those of the blurred picture, the last those of the
 * whole one.
 */
export function informationCurveOf(
  sizes: readonly number[],
  heights: readonly number[],
  scaled: boolean,
  grid: readonly number[],
): number[] {
  const unit = (v: number, all: readonly number[]): number => {
    const [low, high] = [all[0]!, all.at(-1)!];
    return high > low ? Math.min(1, Math.max(0, (v - low) / (high - low))) : NaN;
  };
  const points = sizes.map((size, s) => ({
    x: unit(size, sizes),
    y: scaled ? unit(heights[s]!, heights) : heights[s]!,
  }));
  let best = 0;
  points.sort((a, b) => a.x - b.x).forEach((p) => (best = p.y = Math.max(best, p.y)));
  return grid.map((at) => {
    if (Number.isNaN(points[0]!.x)) return NaN;
    // Where several pictures hold as much, the best one counts.
    const after = points.findIndex(({ x }) => x > at);
    if (after < 0) return points.at(-1)!.y;
    const [p, q] = [points[after - 1]!, points[after]!];
    return p.y + ((q.y - p.y) * (at - p.x)) / (q.x - p.x);
  });
}

interface Picture {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

function shapeOf({ input }: Explained): Picture {
  const shape = "shape" in input ? (input.shape as readonly number[]) : [];
  if (shape.length !== 4)
    throw new ShapeError(`input: information curves are of pictures [B, C, H, W], got ${formatShape(shape)}`);
  return { channels: shape[1]!, height: shape[2]!, width: shape[3]! };
}

/** 1 where the explained class is predicted, [S, B]. */
function correct(predicted: HostArray, targets: HostArray): HostArray {
  const batch = targets.data.length;
  return hostArray(
    Array.from(predicted.data, (v, i) => (v === targets.data[i % batch] ? 1 : 0)),
    predicted.shape,
  );
}

/** The blurred picture with some players shown, as bytes. */
function shown(
  { labels, players }: Game,
  { x, blurred }: { readonly x: HostArray; readonly blurred: HostArray },
  example: number,
  present: Int32Array,
  [low, high]: readonly [number, number],
  { channels, height, width }: Picture,
): Uint8Array {
  const reveals = new Uint8Array(players + 1).fill(0);
  present.forEach((player) => (reveals[player] = 1));
  reveals[players] = 1;
  const size = height * width;
  const bytes = new Uint8Array(size * channels);
  for (let i = 0; i < bytes.length; i++) {
    const at = example * bytes.length + i;
    const value = (reveals[labels[i]!] ? x : blurred).data[at]!;
    const byte = Math.round((255 * (value - low)) / (high - low));
    bytes[(i % size) * channels + Math.floor(i / size)] = Math.min(255, Math.max(0, byte));
  }
  return bytes;
}
