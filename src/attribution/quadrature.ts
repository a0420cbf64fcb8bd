// One-dimensional quadrature on [0, 1]: the rules that path methods integrate gradients with.
import { assertWhole } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";

/** Nodes in [0, 1] and their weights; a rule of this package has weights that sum to 1. */
export interface Quadrature {
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

export const RULES = ["gauss-legendre", "midpoint", "left", "right", "trapezoid"] as const;
/** `gauss-legendre` for smooth integrands, `midpoint` for those with kinks; all are exact for linear models at any n. */
export type Rule = (typeof RULES)[number];

/** Where in its cell the node of an evenly weighted rule is. */
const OFFSETS: Readonly<Partial<Record<Rule, number>>> = { left: 0, midpoint: 0.5, right: 1, trapezoid: 0.5 };

/**
 * @param steps number of nodes, at least 1 (a trapezoid with one node is the midpoint rule)
 * @throws ArgumentError for another rule or number
 */
export function quadrature(rule: Rule, steps: number): Quadrature {
  assertSteps(steps);
  if (rule === "gauss-legendre") return gaussLegendre(steps);
  if (rule === "trapezoid" && steps > 1) return trapezoid(steps);
  const offset = OFFSETS[rule];
  if (offset === undefined) throw new ArgumentError(`rule: expected one of ${RULES.join(", ")}, got ${String(rule)}`);
  return {
    nodes: Array.from({ length: steps }, (_, k) => (k + offset) / steps),
    weights: Array<number>(steps).fill(1 / steps),
  };
}

export const assertSteps = (steps: number): void => assertWhole("steps", steps, 1);

function trapezoid(n: number): Quadrature {
  const inner = 1 / (n - 1);
  return {
    nodes: Array.from({ length: n }, (_, k) => k * inner),
    weights: Array.from({ length: n }, (_, k) => (k === 0 || k === n - 1 ? inner / 2 : inner)),
  };
}

/** Gauss-Legendre on [0, 1]: roots of the Legendre polynomial P_n by Newton's method, exact to rounding. */
export function gaussLegendre(n: number): Quadrature {
  const nodes = new Array<number>(n);
  const weights = new Array<number>(n);
  for (let k = 0; k < Math.ceil(n / 2); k++) {
    let z = Math.cos((Math.PI * (k + 0.75)) / (n + 0.5));
    for (let iteration = 0; iteration < 100; iteration++) {
      const [p, slope] = legendre(n, z);
      const step = p / slope;
      z -= step;
      if (Math.abs(step) < 1e-16) break;
    }
    if (2 * k + 1 === n) z = 0;
    const [, slope] = legendre(n, z);
    const weight = 1 / ((1 - z * z) * slope * slope);
    nodes[k] = (1 - z) / 2;
    nodes[n - 1 - k] = (1 + z) / 2;
    weights[k] = weights[n - 1 - k] = weight;
  }
  return { nodes, weights };
}

/** P_n(z) and P_n'(z), by the three-term recurrence. */
function legendre(n: number, z: number): [number, number] {
  let [previous, current] = [1, z];
  for (let j = 2; j <= n; j++) [previous, current] = [current, ((2 * j - 1) * z * current - (j - 1) * previous) / j];
  return [current, (n * (z * current - previous)) / (z * z - 1)];
}

/**
 * Cells of [0, 1] that each hold an equal share of half the length and half the variation of `values`, with their
 * midpoints as nodes and their widths as weights: for scores that saturate. Exact for linear models.
 * @param values the score at equally spaced points of the path, both ends included
 */
export function equidistributed(values: ArrayLike<number>, steps: number): Quadrature {
  const cells = values.length - 1;
  const change = Array.from({ length: cells }, (_, i) => Math.abs(values[i + 1]! - values[i]!));
  const variation = change.reduce((a, b) => a + b, 0);
  const share = change.map((c) => 0.5 / cells + (variation > 0 ? (0.5 * c) / variation : 0.5 / cells));
  const edges = [0];
  let cell = 0;
  let before = 0;
  for (let k = 1; k < steps; k++) {
    const target = k / steps;
    while (cell < cells - 1 && before + share[cell]! < target) before += share[cell++]!;
    edges.push((cell + Math.min(1, (target - before) / share[cell]!)) / cells);
  }
  edges.push(1);
  return {
    nodes: Array.from({ length: steps }, (_, k) => (edges[k]! + edges[k + 1]!) / 2),
    weights: Array.from({ length: steps }, (_, k) => edges[k + 1]! - edges[k]!),
  };
}
