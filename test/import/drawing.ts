// Symbols drawn by formula, as detypify's canvas would draw them: white strokes 8 pixels wide on black, 224 x 224, the
// longer side 204 pixels, centred.
type Point = readonly [number, number];
export type Stroke = readonly Point[];

const SIZE = 224;
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
  return Float32Array.from({ length: SIZE * SIZE }, (_, i) => {
    const centre: Point = [(i % SIZE) + 0.5, Math.floor(i / SIZE) + 0.5];
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
  const scale = (SIZE - 2 * MARGIN) / Math.max(right - left, bottom - top);
  const place = (v: number, low: number, high: number): number => Math.round((v - (low + high) / 2) * scale + SIZE / 2);
  return stroke.map(([x, y]) => [place(x, left, right), place(y, top, bottom)]);
}

/** Distance of a point to a segment. */
function distanceTo([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
