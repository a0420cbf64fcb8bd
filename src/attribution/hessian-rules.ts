// Quadrature for Integrated Hessians. The double integral over a b in [0, 1]^2 depends on u = a b alone, and the product
// of two uniform numbers has the density -ln u. So one line of nodes serves everything, each with three weights:
//   sum weights         h(u_k) ~ ∫        h(u) du   Integrated Gradients
//   sum gradientWeights h(u_k) ~ ∫  -ln u h(u) du   the gradient's term on the diagonal
//   sum hessianWeights  h(u_k) ~ ∫ -u ln u h(u) du  the Hessian's term
// See Janizek, Sturmfels and Lee, "Explaining explanations" (arXiv 2002.04138) for the double integral, and Gautschi,
// "Orthogonal polynomials: computation and approximation", sections 2.1 and 3.1, for the rules with a logarithm.
import { assertWhole } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { gaussLegendre, type Quadrature } from "./quadrature.ts";

/** Nodes in [0, 1] and, equally long, the weights of the three integrals of Integrated Hessians. */
export interface HessianQuadrature extends Quadrature {
  /** For the density -ln u; they sum to 1. */
  readonly gradientWeights: readonly number[];
  /** For the density -u ln u; they sum to 1/4. */
  readonly hessianWeights: readonly number[];
}

export const HESSIAN_RULES = ["gauss-legendre", "gauss-log", "bins"] as const;
/**
 * - `gauss-legendre` (smooth integrands): Gauss-Legendre nodes; the two densities are integrated against the polynomial
 *   through the nodes. Exact up to degree 2 n - 1 for `weights`, n - 1 and n - 2 for the other two.
 * - `gauss-log`: Gauss nodes of the density -ln u. Exact up to degree n - 1 for `weights`, 2 n - 1 and 2 n - 2 for the
 *   other two.
 * - `bins` (kinks and sharp bends): midpoints of n equal bins, with the exact mass of each density in each bin. Exact for
 *   constants; for smooth integrands the error is O(1 / n^2), for `gradientWeights` O(log n / n^2).
 */
export type HessianRule = (typeof HESSIAN_RULES)[number];

/**
 * @param n number of nodes, at least 1
 * @throws ArgumentError for another rule or number
 */
export function hessianQuadrature(rule: HessianRule, n: number): HessianQuadrature {
  assertCount(n);
  switch (rule) {
    case "gauss-legendre":
      return logLegendre(n);
    case "gauss-log":
      return gaussLog(n);
    case "bins":
      return bins(n);
    default:
      throw new ArgumentError(`rule: expected one of ${HESSIAN_RULES.join(", ")}, got ${String(rule)}`);
  }
}

/**
 * The two-dimensional rule that other programs use, as a rule in u = alpha beta: for comparisons with them. Every pair of
 * a node of `a` and a node of `b` gives a node alpha beta with gradientWeights w_a w_b, hessianWeights alpha beta w_a w_b
 * and weights 0. The nodes of `a` follow with their own weights and zero for the other two, so that the same pass yields
 * Integrated Gradients. Nodes of equal value are merged and their weights added: at most |a| (|b| + 1) nodes, about half
 * as many if `a` and `b` are the same rule.
 * @throws ArgumentError when a rule has no nodes, or not as many weights
 */
export function productRule(a: Quadrature, b: Quadrature): HessianQuadrature {
  assertRule("a", a);
  assertRule("b", b);
  const merged = new Map<number, { plain: number; log: number }>();
  const add = (node: number, plain: number, log: number): void => {
    const sums = merged.get(node) ?? { plain: 0, log: 0 };
    merged.set(node, { plain: sums.plain + plain, log: sums.log + log });
  };
  a.nodes.forEach((alpha, i) => {
    b.nodes.forEach((beta, j) => add(alpha * beta, 0, a.weights[i]! * b.weights[j]!));
  });
  a.nodes.forEach((alpha, i) => add(alpha, a.weights[i]!, 0));
  const sums = [...merged.values()];
  return withHessian(
    [...merged.keys()],
    sums.map(({ plain }) => plain),
    sums.map(({ log }) => log),
  );
}

/**
 * Weights at the nodes of {@link gaussLegendre}(n) for the density (ln u)^2 / 2, that of a product of three uniform
 * numbers: sum_k weight_k h(u_k) ~ ∫ (ln u)^2 / 2 h(u) du, exact up to degree n - 1. Third order needs them: for three
 * different features, the interaction is D_i D_j D_k times the integral with h(u) = u^2 d^3 f(x' + u D) / dx_i dx_j dx_k.
 * @throws ArgumentError unless n is a whole number >= 1
 */
export function tripleWeights(n: number): readonly number[] {
  assertCount(n);
  return productWeights(gaussLegendre(n), tripleMoments(n));
}

function assertCount(n: number): void {
  assertWhole("nodes", n, 1);
}

function assertRule(name: string, { nodes, weights }: Quadrature): void {
  if (nodes.length === 0 || nodes.length !== weights.length) {
    throw new ArgumentError(
      `${name}: expected a rule with at least one node and a weight for each, ` +
        `got ${nodes.length} nodes and ${weights.length} weights`,
    );
  }
}

/** The Hessian's density is u times the gradient's, and so are its weights. */
const withHessian = (
  nodes: readonly number[],
  weights: readonly number[],
  gradientWeights: readonly number[],
): HessianQuadrature => ({
  nodes,
  weights,
  gradientWeights,
  hessianWeights: nodes.map((u, k) => u * gradientWeights[k]!),
});

function logLegendre(n: number): HessianQuadrature {
  const rule = gaussLegendre(n);
  return withHessian(rule.nodes, rule.weights, productWeights(rule, logMoments(n)));
}

function bins(n: number): HessianQuadrature {
  const masses = (antiderivative: (u: number) => number): number[] =>
    Array.from({ length: n }, (_, k) => antiderivative((k + 1) / n) - antiderivative(k / n));
  const logarithm = (u: number): number => (u === 0 ? 0 : Math.log(u));
  return {
    nodes: Array.from({ length: n }, (_, k) => (k + 0.5) / n),
    weights: Array<number>(n).fill(1 / n),
    gradientWeights: masses((u) => u - u * logarithm(u)),
    hessianWeights: masses((u) => (u * u) / 4 - ((u * u) / 2) * logarithm(u)),
  };
}

// ---- densities as their moments against the shifted Legendre polynomials P_j(2 u - 1) --------------------------------

/** ∫ -ln u P_j(2 u - 1) du for j < count. */
function logMoments(count: number): number[] {
  return Array.from({ length: count }, (_, j) => (j === 0 ? 1 : alternate(j) / (j * (j + 1))));
}

/** ∫ (ln u)^2 / 2 P_j(2 u - 1) du for j < count: (-1)^j (H_{j-1} + H_{j+1}) / (j (j + 1)), H the harmonic numbers. */
function tripleMoments(count: number): number[] {
  const moments = [1];
  // At the start of round j this is H_{j-1}.
  let harmonic = 0;
  for (let j = 1; j < count; j++) {
    const after = harmonic + 1 / j + 1 / (j + 1);
    moments.push((alternate(j) * (harmonic + after)) / (j * (j + 1)));
    harmonic += 1 / j;
  }
  return moments;
}

const alternate = (j: number): number => (j % 2 === 0 ? 1 : -1);

/**
 * Weights at Gauss-Legendre nodes for the density with these Legendre moments: w_k sum_j (2 j + 1) m_j P_j(2 u_k - 1).
 * They integrate the polynomial through the n nodes exactly, since the rule itself gives its Legendre coefficients.
 */
function productWeights({ nodes, weights }: Quadrature, moments: readonly number[]): number[] {
  return nodes.map((u, k) => {
    const z = 2 * u - 1;
    let [before, current, sum] = [0, 1, 0];
    for (let j = 0; j < moments.length; j++) {
      sum += (2 * j + 1) * moments[j]! * current;
      [before, current] = [current, ((2 * j + 1) * z * current - j * before) / (j + 1)];
    }
    return weights[k]! * sum;
  });
}

// ---- Gauss nodes of the density -ln u --------------------------------------------------------------------------------

/** Monic recurrence p_{k+1} = (x - shift_k) p_k - scale_k p_{k-1}; scale_0 is the density's mass. */
interface Recurrence {
  readonly shift: readonly number[];
  readonly scale: readonly number[];
}

function gaussLog(n: number): HessianQuadrature {
  const recurrence = logRecurrence(n);
  const nodes = Array.from({ length: n }, (_, k) => root(recurrence, k));
  const values = nodes.map((x) => orthonormal(recurrence, x));
  const gradientWeights = values.map((p) => 1 / dot(p, p));
  // The polynomial through the nodes has the coefficients sum_k w_k p_j(u_k) h(u_k), and each p_j an integral that n
  // Gauss-Legendre nodes find exactly.
  const plain = gaussLegendre(n);
  const integrals = new Array<number>(n).fill(0);
  plain.nodes.forEach((u, k) =>
    orthonormal(recurrence, 4 * u).forEach((p, j) => (integrals[j]! += plain.weights[k]! * p)),
  );
  const weights = values.map((p, k) => gradientWeights[k]! * dot(p, integrals));
  return withHessian(
    nodes.map((x) => x / 4),
    weights,
    gradientWeights,
  );
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

/**
 * Recurrence of the polynomials that are orthogonal for -ln u, by the modified Chebyshev algorithm from 2 n Legendre
 * moments. In x = 4 u, where monic polynomials keep the size 1: in u they shrink as 4^-k and underflow for large n.
 */
function logRecurrence(n: number): Recurrence {
  // Monic Legendre polynomials in x: shift 2, scale 4 l^2 / (4 l^2 - 1).
  const legendreScale = (l: number): number => (4 * l * l) / (4 * l * l - 1);
  let monic = 1;
  let current = logMoments(2 * n).map((moment, l) => {
    // Times 4^l / (leading coefficient of P_l(2 u - 1)), which is (2 l)! / l!^2.
    if (l > 0) monic *= (2 * l) / (2 * l - 1);
    return moment * monic;
  });
  let before = new Array<number>(2 * n).fill(0);
  const shift = [2 + current[1]! / current[0]!];
  const scale = [current[0]!];
  for (let k = 1; k < n; k++) {
    const next = new Array<number>(2 * n).fill(0);
    for (let l = k; l < 2 * n - k; l++) {
      next[l] =
        current[l + 1]! -
        (shift[k - 1]! - 2) * current[l]! -
        (k === 1 ? 0 : scale[k - 1]!) * before[l]! +
        legendreScale(l) * current[l - 1]!;
    }
    shift.push(2 + next[k + 1]! / next[k]! - current[k]! / current[k - 1]!);
    scale.push(next[k]! / current[k - 1]!);
    [before, current] = [current, next];
  }
  return { shift, scale };
}

/** The k-th zero of p_n in [0, 4], by bisection: as many zeros lie below x as the ratios p_{j+1}(x) / p_j(x) are positive. */
function root({ shift, scale }: Recurrence, k: number): number {
  let [low, high] = [0, 4];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    let ratio = 1;
    let below = 0;
    for (let j = 0; j < shift.length; j++) {
      ratio = middle - shift[j]! - (j === 0 ? 0 : scale[j]! / ratio);
      if (ratio === 0) ratio = Number.MIN_VALUE ** 0.5;
      if (ratio > 0) below++;
    }
    if (below > k) high = middle;
    else low = middle;
  }
}

/** p_0(x) .. p_{n-1}(x), orthonormal. */
function orthonormal({ shift, scale }: Recurrence, x: number): number[] {
  const values = [1 / Math.sqrt(scale[0]!)];
  for (let j = 1; j < shift.length; j++) {
    const before = j === 1 ? 0 : Math.sqrt(scale[j - 1]!) * values[j - 2]!;
    values.push(((x - shift[j - 1]!) * values[j - 1]! - before) / Math.sqrt(scale[j]!));
  }
  return values;
}
