// Symbols drawn by formula, as detypify's canvas would draw them: white strokes 8 pixels wide on black, 224 x 224, the
// longer side 204 pixels, centred.
type Point = readonly [number, number];
export type Stroke = readonly Point[];

export const DRAWING_SIZE = 224;
const MARGIN = 10;
const HALF_WIDTH = 4;

const curve = (f: (t: number) => Point, from: number, to: number, count = 48): Stroke =>
  Array.from({ length: count + 1 }, (_, i) => f(from + ((to - from) * i) / count));

export const drawings: Readonly<Record<string, readonly Stroke[]>> = {
  // The fish that a pen makes: a loop on the left, two tails on the right.
  α: [curve((t) => [t * t - 0.3, 0.75 * t * (1.2 - t * t)], -1.32, 1.32)],
  "∞": [
    curve(
      (t) => [Math.cos(t) / (1 + Math.sin(t) ** 2), (1.2 * Math.sin(t) * Math.cos(t)) / (1 + Math.sin(t) ** 2)],
      0,
      2 * Math.PI,
    ),
  ],
  "→": [
    [
      [-1, 0],
      [1, 0],
    ],
    [
      [0.6, -0.35],
      [1, 0],
      [0.6, 0.35],
    ],
  ],
  "∑": [
    [
      [0.7, -0.75],
      [0.7, -1],
      [-0.7, -1],
      [0.1, 0],
      [-0.7, 1],
      [0.7, 1],
      [0.7, 0.75],
    ],
  ],
};

/** Grey values 0..1, row-major, edges smoothed over one pixel. */
export function drawStrokes(strokes: readonly Stroke[]): Float32Array {
  const segments = strokes.flatMap((stroke) =>
    fit(strokes, stroke).flatMap((p, i, all) => (i === 0 ? [] : [[all[i - 1]!, p] as const])),
  );
  return Float32Array.from({ length: DRAWING_SIZE * DRAWING_SIZE }, (_, i) => {
    const centre: Point = [(i % DRAWING_SIZE) + 0.5, Math.floor(i / DRAWING_SIZE) + 0.5];
    const distance = Math.min(...segments.map(([a, b]) => distanceTo(centre, a, b)));
    // Steps of 1/255, as a canvas stores them.
    return Math.round(255 * Math.min(1, Math.max(0, HALF_WIDTH + 0.5 - distance))) / 255;
  });
}

function fit(all: readonly Stroke[], stroke: Stroke): Point[] {
  const range = (axis: 0 | 1): readonly [number, number] => {
    const values = all.flat().map((p) => p[axis]);
    return [Math.min(...values), Math.max(...values)];
  };
  const [[left, right], [top, bottom]] = [range(0), range(1)];
  const scale = (DRAWING_SIZE - 2 * MARGIN) / Math.max(right - left, bottom - top);
  const place = (v: number, low: number, high: number): number =>
    Math.round((v - (low + high) / 2) * scale + DRAWING_SIZE / 2);
  return stroke.map(([x, y]) => [place(x, left, right), place(y, top, bottom)]);
}

/** Distance of a point to a segment. */
function distanceTo([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** Strokes of a pen that shakes (two slow waves) and slants: drawings by formula are too even for a hand. */
export function unsteady(strokes: readonly Stroke[], { shake, slant }: { shake: number; slant: number }): Stroke[] {
  return strokes.map((stroke, k) => {
    const phase = 1.7 * k + 0.8;
    return subdivided(stroke).map(([x, y], i): Point => {
      const dx = shake * (Math.sin(i * 0.31 + phase) + 0.6 * Math.sin(i * 0.13 + 2 * phase));
      const dy = shake * (Math.cos(i * 0.27 + 1.3 * phase) + 0.6 * Math.sin(i * 0.11 + phase));
      return [x + dx - slant * y, y + dy + 0.5 * slant * x];
    });
  });
}

/** The same stroke with a point every 0.05 units or so. */
function subdivided(stroke: Stroke): Point[] {
  return stroke.flatMap((from, i) => {
    const to = stroke[i + 1];
    if (!to) return [from];
    const count = Math.max(1, Math.round(Math.hypot(to[0] - from[0], to[1] - from[1]) / 0.05));
    return Array.from({ length: count }, (_, k): Point => {
      const part = k / count;
      return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
    });
  });
}

/** The symbols in the folder assets: file name -> grey values 0..1. */
export const examples: Readonly<Record<string, () => Float32Array>> = {
  "alpha.png": () => drawStrokes(unsteady(drawings["α"]!, { shake: 0.016, slant: 0.08 })),
  "sum.png": () => drawStrokes(unsteady(drawings["∑"]!, { shake: 0.022, slant: 0.07 })),
  "arrow.png": () => drawStrokes(unsteady(drawings["→"]!, { shake: 0.016, slant: -0.05 })),
};
