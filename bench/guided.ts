// Guided Integrated Gradients on the host (arXiv 2106.09788), as its authors' code does it: the truth with gradients in double
// precision, and what a user of a library without the method would write around its gradients.

export interface GuidedRule {
  readonly steps: number;
  readonly fraction: number;
  readonly maxDist: number;
}

/** One path, from zero to x, in double precision. */
export class GuidedPath {
  readonly attributions: Float64Array;
  /** Where the next gradient is needed. */
  readonly at: Float64Array;
  private readonly length: number;
  private step = 0;

  constructor(
    private readonly x: Float64Array,
    private readonly rule: GuidedRule,
  ) {
    this.at = new Float64Array(x.length);
    this.attributions = new Float64Array(x.length);
    this.length = this.distance();
  }

  /** L1 distance from the end of the path. */
  private distance(): number {
    return this.x.reduce((sum, v, i) => sum + Math.abs(v - this.at[i]!), 0);
  }

  /** Moves the coordinates with the smallest gradients until the step's distance from x is reached. */
  advance(gradient: ArrayLike<number>): void {
    const { x, at, attributions, length } = this;
    const { steps, fraction, maxDist } = this.rule;
    const alpha = ++this.step / steps;
    const wanted = length * (1 - alpha);
    const [least, most] = [Math.max(alpha - maxDist, 0), Math.min(alpha + maxDist, 1)];
    const done = new Uint8Array(x.length);
    const moveTo = (i: number, value: number): void => {
      attributions[i]! += (value - at[i]!) * gradient[i]!;
      at[i] = value;
    };
    x.forEach((v, i) => {
      if (v === 0) done[i] = 1;
      else if (at[i]! / v < least) moveTo(i, least * v);
      // What the corridor's end was assigned to is there, whatever its quotient rounds to.
      if (at[i] === most * v) done[i] = 1;
    });
    for (let gamma = Infinity; gamma > 1;) {
      const current = this.distance();
      if (current <= wanted) return;
      const costs = Float64Array.from(x, (_, i) => (done[i] ? Infinity : Math.abs(gradient[i]!)));
      const threshold = costs.slice().sort()[Math.floor((x.length - 1) * fraction)]!;
      // Where most coordinates are done, those that are left move together.
      const chosen = [...costs.keys()].filter((i) => !done[i] && costs[i]! <= threshold);
      const reach = chosen.reduce((sum, i) => sum + Math.abs(most * x[i]! - at[i]!), 0);
      if (reach === 0) return;
      gamma = (current - wanted) / reach;
      for (const i of chosen) {
        const end = most * x[i]!;
        moveTo(i, gamma > 1 ? end : at[i]! + gamma * (end - at[i]!));
        if (gamma > 1) done[i] = 1;
      }
    }
  }
}

/**
 * Attributions [B, N].
 * @param x [B, N]
 * @param gradient of the scores at points [B, N]
 */
export async function guided(
  x: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
  rule: GuidedRule,
  gradient: (points: Float64Array) => ArrayLike<number> | Promise<ArrayLike<number>>,
): Promise<Float64Array> {
  const [batch, n] = x.shape as [number, number];
  const all = Float64Array.from(x.data);
  const paths = Array.from({ length: batch }, (_, b) => new GuidedPath(all.slice(b * n, (b + 1) * n), rule));
  const joined = (part: "at" | "attributions"): Float64Array => {
    const data = new Float64Array(batch * n);
    paths.forEach((path, b) => data.set(path[part], b * n));
    return data;
  };
  for (let step = 0; step < rule.steps; step++) {
    const slopes = Float64Array.from(await gradient(joined("at")));
    paths.forEach((path, b) => path.advance(slopes.subarray(b * n, (b + 1) * n)));
  }
  return joined("attributions");
}
