// Adaptive paths in double precision, written from the definition in coordinates of the input rather than in progress.
import type { Vector } from "./networks.ts";

export interface AdaptiveCase {
  readonly gradient: (z: Vector) => number[];
  readonly x: Vector;
  readonly baseline: Vector;
  readonly steps: number;
  readonly fraction: number;
  readonly maxDist: number;
  /** Cost of moving each coordinate at `z`; default: |gradient|. */
  readonly cost?: (g: Vector, z: Vector) => number[];
}

const l1 = (a: Vector, b: Vector): number => a.reduce((s, v, i) => s + Math.abs(v - b[i]!), 0);

/** Attributions, and the points at which gradients were taken. */
export function adaptiveTruth(given: AdaptiveCase): { attributions: number[]; path: number[][] } {
  const { gradient, x, baseline, steps, fraction, maxDist, cost = (g) => g.map(Math.abs) } = given;
  const n = x.length;
  const total = l1(x, baseline);
  const at = (a: number): number[] => x.map((v, i) => baseline[i]! + a * (v - baseline[i]!));
  let z = [...baseline];
  const attributions = Array<number>(n).fill(0);
  const path: number[][] = [];
  for (let s = 0; s < steps; s++) {
    const g = gradient(z);
    const costs = cost(g, z);
    path.push(z);
    const a = (s + 1) / steps;
    const [low, high] = [Math.max(0, a - maxDist), Math.min(1, a + maxDist)];
    const [lower, upper] = [at(low), at(high)];
    const target = total * (1 - a);
    for (let gamma = Infinity; gamma > 1;) {
      const old = z;
      z = z.map((v, i) => {
        const way = x[i]! - baseline[i]!;
        return way !== 0 && (v - baseline[i]!) / way < low ? lower[i]! : v;
      });
      const missing = l1(z, x) - target;
      const share = (): void => z.forEach((v, i) => (attributions[i]! += (v - old[i]!) * g[i]!));
      if (Math.abs(missing) <= 1e-9 * Math.max(1, target)) {
        share();
        break;
      }
      const keys = costs.map((c, i) => (z[i] === upper[i] ? Infinity : c));
      const threshold = [...keys].sort((p, q) => p - q)[Math.floor((n - 1) * fraction)]!;
      const chosen = keys.map((c) => c <= threshold && c !== Infinity);
      const room = z.reduce((t, v, i) => t + (chosen[i] ? Math.abs(v - upper[i]!) : 0), 0);
      gamma = room > 0 ? missing / room : Infinity;
      z = z.map((v, i) => (!chosen[i] ? v : gamma > 1 ? upper[i]! : v + gamma * (upper[i]! - v)));
      share();
      if (room === 0) break;
    }
  }
  return { attributions, path };
}
