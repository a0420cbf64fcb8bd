// Symbols as pens draw them: white strokes on black.
import type { Raster } from "../../src/view/index.ts";

type Point = readonly [x: number, y: number];
/** Points that straight lines join, in a square from (0, 0) to (1, 1), y downwards. */
export type Stroke = readonly Point[];

const SIDE = 224;
/** Pixels. */
const PEN = 8;

/** A curve as a stroke of many points. */
const curve = (at: (t: number) => Point): Stroke => Array.from({ length: 65 }, (_, k) => at(k / 64));
const { PI, cos, sin } = Math;

const SYMBOLS: Readonly<Record<string, readonly Stroke[]>> = {
  infinity: [curve((t) => [0.5 + 0.35 * cos(2 * PI * t), 0.5 + 0.17 * sin(4 * PI * t)])],
  pi: [curve((t) => [0.2 + 0.6 * t, 0.28 - 0.03 * sin(PI * t)]), curve((t) => [0.4 - 0.06 * t * t, 0.28 + 0.47 * t]), curve((t) => [0.62 + 0.09 * t * t, 0.28 + 0.47 * t])], // prettier-ignore
  integral: [[[0.66, 0.24], [0.6, 0.17], [0.54, 0.22], [0.5, 0.5], [0.46, 0.78], [0.4, 0.83], [0.34, 0.76]]], // prettier-ignore
  theta: [curve((t) => [0.5 + 0.19 * sin(2 * PI * t), 0.5 - 0.32 * cos(2 * PI * t)]), [[0.32, 0.5], [0.68, 0.5]]], // prettier-ignore
  root: [[[0.16, 0.55], [0.24, 0.5], [0.38, 0.78], [0.5, 0.24], [0.84, 0.24]]], // prettier-ignore
  "for all": [[[0.22, 0.2], [0.5, 0.8], [0.78, 0.2]], [[0.34, 0.46], [0.66, 0.46]]], // prettier-ignore
};

export const drawnSymbols = (): { name: string; picture: Raster }[] =>
  Object.entries(SYMBOLS).map(([name, strokes]) => ({ name, picture: drawStrokes(strokes, SIDE, PEN) }));

/** @param pen width of the strokes in pixels, whose ends are round */
export function drawStrokes(strokes: readonly Stroke[], side: number, pen: number): Raster {
  const pieces = strokes.flatMap((stroke) => stroke.slice(1).map((to, k) => [stroke[k]!, to] as const));
  const data = new Uint8ClampedArray(4 * side * side).fill(255);
  for (let i = 0; i < side * side; i++) {
    const at = [(i % side) + 0.5, Math.floor(i / side) + 0.5] as const;
    const nearest = pieces.reduce((least, piece) => Math.min(least, distance(at, piece, side)), Infinity);
    // One pixel of grey at the edge.
    data.fill(255 * Math.min(1, Math.max(0, pen / 2 + 0.5 - nearest)), 4 * i, 4 * i + 3);
  }
  return { width: side, height: side, data };
}

/** From a point, in pixels, to a straight line between two points of the unit square. */
function distance([x, y]: Point, [from, to]: readonly [Point, Point], side: number): number {
  const [ax, ay, dx, dy] = [from[0] * side, from[1] * side, (to[0] - from[0]) * side, (to[1] - from[1]) * side];
  const along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1);
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
