// Names around a circle that neither overlap nor leave the picture.

/** A feature's place on the circle, and the place of its name. */
export interface Node {
  readonly feature: number;
  readonly x: number;
  readonly y: number;
  readonly name: {
    readonly x: number;
    /** Centre of the line of text. */
    readonly y: number;
    readonly anchor: "start" | "end";
    /** Pixels for the name, up to the edge of the picture. */
    readonly room: number;
    /** End of the thread from the disc to a name that had to move away from it. */
    readonly leader?: readonly [number, number];
  };
}

export interface CircleLayout {
  readonly nodes: readonly Node[];
  readonly centre: readonly [number, number];
  /** Below all of it. */
  readonly bottom: number;
}

const ROW = 17;
const MARGIN = 16;
/** Pixels kept for names at either side of the circle; at most a quarter of the width. */
const NAMES = 180;

/** The width at which the names of `m` features stand beside a circle, and not above and below it as well. */
export function widthFor(m: number, disc: number): number {
  const radius = (Math.ceil(m / 2) * ROW) / 2;
  return 2 * (radius + disc + MARGIN + NAMES);
}

/**
 * Features clockwise from the top. A name stands outside the circle beside its disc; where the names of one half
 * would come closer than a line, they give way up and down, and the picture grows if there are too many for the circle.
 */
export function placeNodes(features: readonly number[], width: number, top: number, disc: number): CircleLayout {
  const m = features.length;
  const radius = Math.max(60, Math.min(width / 2 - Math.min(NAMES, width / 4) - MARGIN - disc, 40 + 14 * m));
  const column = Math.ceil(m / 2) * ROW;
  const outer = radius + disc + 9;
  const half = Math.max(outer + ROW / 2, column / 2);
  const [cx, cy] = [width / 2, top + half];

  const spots = features.map((feature, k) => {
    const angle = ((k + 0.5) / m) * 2 * Math.PI;
    return { feature, x: cx + radius * Math.sin(angle), y: cy - radius * Math.cos(angle) };
  });
  const nodes = ([1, -1] as const).flatMap((side) => {
    const own = spots.filter((_, k) => (side === 1 ? 2 * k + 1 <= m : 2 * k + 1 > m));
    const down = side === 1 ? own : [...own].reverse();
    // On the outer circle, on the ray through the disc.
    const wanted = down.map(({ y }) => cy + ((y - cy) * outer) / radius);
    const heights = spread(wanted, cy - half + ROW / 2, cy + half - ROW / 2);
    return down.map((spot, k): Node => {
      const y = heights[k]!;
      const reach = Math.sqrt(Math.max(0, outer * outer - (y - cy) ** 2));
      const x = cx + side * Math.max(6, reach);
      const moved = Math.abs(y - wanted[k]!) > ROW / 2;
      const leader = moved ? { leader: [x - side * 3, y] as const } : {};
      const room = side === 1 ? width - MARGIN - x : x - MARGIN;
      return { ...spot, name: { x, y, anchor: side === 1 ? "start" : "end", room, ...leader } };
    });
  });
  return { nodes, centre: [cx, cy], bottom: cy + half };
}

/** Heights at least ROW apart inside [low, high], close to the wanted ones (ascending): first pushed down, then back up. */
function spread(wanted: readonly number[], low: number, high: number): number[] {
  const n = wanted.length;
  const down: number[] = [];
  const up: number[] = new Array<number>(n);
  for (let k = 0; k < n; k++) down.push(Math.max(wanted[k]!, k === 0 ? low : down[k - 1]! + ROW));
  for (let k = n - 1; k >= 0; k--) up[k] = Math.min(wanted[k]!, k === n - 1 ? high : up[k + 1]! - ROW);
  // The mean of the two is as evenly spread as both, and favours neither direction; then the ends are enforced.
  const heights = down.map((v, k) => (v + up[k]!) / 2);
  for (let k = 0; k < n; k++) heights[k] = Math.max(heights[k]!, low + k * ROW);
  for (let k = n - 1; k >= 0; k--) heights[k] = Math.min(heights[k]!, high - (n - 1 - k) * ROW);
  return heights;
}
