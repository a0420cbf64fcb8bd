// Quadrature of Integrated Hessians against closed forms and an independent quadrature, in double precision.
import { describe, expect, test } from "vitest";
import {
  HESSIAN_RULES,
  hessianQuadrature,
  productRule,
  tripleWeights,
  type HessianQuadrature,
  type HessianRule,
} from "../../src/attribution/hessian-rules.ts";
import { gaussLegendre, quadrature } from "../../src/attribution/quadrature.ts";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { expectNear } from "./networks.ts";

type Integrand = (u: number) => number;
type Weights = "weights" | "gradientWeights" | "hessianWeights";

const DENSITIES: Readonly<Record<Weights, Integrand>> = {
  weights: () => 1,
  gradientWeights: (u) => -Math.log(u),
  hessianWeights: (u) => -u * Math.log(u),
};
const NAMES = Object.keys(DENSITIES) as Weights[];
const triple: Integrand = (u) => Math.log(u) ** 2 / 2;

/** ∫ density u^p du */
const MOMENTS: Readonly<Record<Weights, (p: number) => number>> = {
  weights: (p) => 1 / (p + 1),
  gradientWeights: (p) => 1 / (p + 1) ** 2,
  hessianWeights: (p) => 1 / (p + 2) ** 2,
};

const sum = (nodes: readonly number[], weights: readonly number[], h: Integrand): number =>
  nodes.reduce((total, u, k) => total + weights[k]! * h(u), 0);
const apply = (rule: HessianQuadrature, name: Weights, h: Integrand): number => sum(rule.nodes, rule[name], h);

/** Double exponential rule on (0, 1): logarithms at the ends do not hurt it. Nodes near 0 keep their relative accuracy. */
function reference(f: Integrand): number {
  const step = 1 / 64;
  let total = 0;
  for (let k = -240; k <= 240; k++) {
    const s = (Math.PI / 2) * Math.sinh(k * step);
    const u = 1 / (1 + Math.exp(-2 * s));
    if (u < 1) total += f(u) * ((Math.PI / 4) * Math.cosh(k * step)) * Math.cosh(s) ** -2 * step;
  }
  return total;
}

/** Largest error on 1, u, ..., u^degree. */
const worstMoment = (rule: HessianQuadrature, name: Weights, degree: number): number =>
  Math.max(
    ...Array.from({ length: degree + 1 }, (_, p) => Math.abs(apply(rule, name, (u) => u ** p) - MOMENTS[name](p))),
  );

const legendre =
  (degree: number): Integrand =>
  (u) => {
    let [before, current] = [0, 1];
    for (let j = 0; j < degree; j++)
      [before, current] = [current, ((2 * j + 1) * (2 * u - 1) * current - j * before) / (j + 1)];
    return current;
  };

const smooth: readonly Integrand[] = [
  (u) => Math.exp(2 * u),
  (u) => Math.cos(3 * u + 1),
  (u) => 1 / (3 - 2 * u),
  (u) => Math.tanh(2 * u - 0.7),
];

test("the reference knows integrals with logarithms", () => {
  expect(reference((u) => -Math.log(u))).toBeCloseTo(1, 13);
  expect(reference(triple)).toBeCloseTo(1, 13);
  // ∫ ln u / (u - 1) du = pi^2 / 6
  expect(reference((u) => Math.log(u) / (u - 1))).toBeCloseTo(Math.PI ** 2 / 6, 13);
});

describe("degrees of exactness", () => {
  const degrees: Readonly<Record<HessianRule, (n: number) => Readonly<Record<Weights, number>>>> = {
    "gauss-legendre": (n) => ({ weights: 2 * n - 1, gradientWeights: n - 1, hessianWeights: n - 2 }),
    "gauss-log": (n) => ({ weights: n - 1, gradientWeights: 2 * n - 1, hessianWeights: 2 * n - 2 }),
    bins: () => ({ weights: 1, gradientWeights: 0, hessianWeights: 0 }),
  };

  for (const rule of HESSIAN_RULES) {
    test(rule, () => {
      for (const n of [1, 2, 3, 5, 16, 64, 200]) {
        const made = hessianQuadrature(rule, n);
        for (const name of NAMES) {
          const degree = degrees[rule](n)[name];
          if (degree >= 0) expect(worstMoment(made, name, degree)).toBeLessThan(2e-15 * Math.sqrt(n));
          // And no further.
          if (n <= 5) expect(worstMoment(made, name, degree + 1)).toBeGreaterThan(1e-8);
        }
      }
    });
  }

  test("third order: u^p gives 1 / (p + 1)^3 up to p = n - 1", () => {
    for (const n of [1, 2, 3, 5, 16, 64, 200]) {
      const { nodes } = gaussLegendre(n);
      const error = (p: number): number => Math.abs(sum(nodes, tripleWeights(n), (u) => u ** p) - 1 / (p + 1) ** 3);
      for (let p = 0; p < n; p++) expect(error(p)).toBeLessThan(1e-14);
      if (n <= 5) expect(error(n)).toBeGreaterThan(1e-8);
    }
  });

  test("Legendre moments of the densities are those of an independent quadrature", () => {
    const n = 24;
    const rule = hessianQuadrature("gauss-legendre", n);
    for (let j = 0; j < n; j++) {
      const p = legendre(j);
      expect(apply(rule, "gradientWeights", p)).toBeCloseTo(
        reference((u) => -Math.log(u) * p(u)),
        12,
      );
      expect(sum(rule.nodes, tripleWeights(n), p)).toBeCloseTo(
        reference((u) => triple(u) * p(u)),
        12,
      );
    }
  });
});

describe("all rules", () => {
  test("hold as many weights as nodes, all positive, at increasing nodes within [0, 1]", () => {
    for (const rule of HESSIAN_RULES) {
      for (const n of [1, 2, 7, 16, 64, 512]) {
        const made = hessianQuadrature(rule, n);
        expect(made.nodes).toHaveLength(n);
        expect(made.nodes.every((u, k) => u > (made.nodes[k - 1] ?? 0) && u < 1)).toBe(true);
        for (const name of NAMES) {
          expect(made[name]).toHaveLength(n);
          expect(Math.min(...made[name])).toBeGreaterThan(0);
        }
      }
    }
  });

  test("integrate smooth functions that are not polynomials", () => {
    for (const h of smooth) {
      for (const name of NAMES) {
        const truth = reference((u) => DENSITIES[name](u) * h(u));
        for (const rule of ["gauss-legendre", "gauss-log"] as const)
          expect(Math.abs(apply(hessianQuadrature(rule, 32), name, h) - truth)).toBeLessThan(1e-13);
        expect(Math.abs(apply(hessianQuadrature("bins", 512), name, h) - truth)).toBeLessThan(3e-5);
      }
    }
  });

  // d/du (-u ln u g) integrates to zero: ∫ -u ln u g' + ∫ -ln u g = ∫ g, which is what makes the rows of the interactions
  // add up to Integrated Gradients.
  test("rows add up: exactly for polynomials, else within the error of the rule", () => {
    const residual = (rule: HessianQuadrature, g: Integrand, slope: Integrand): number =>
      Math.abs(apply(rule, "hessianWeights", slope) + apply(rule, "gradientWeights", g) - apply(rule, "weights", g));
    for (const rule of ["gauss-legendre", "gauss-log"] as const) {
      for (let p = 1; p < 8; p++) {
        const power = hessianQuadrature(rule, 8);
        expect(
          residual(
            power,
            (u) => u ** p,
            (u) => p * u ** (p - 1),
          ),
        ).toBeLessThan(1e-15);
      }
    }
    for (const [rule, bound] of [
      ["gauss-legendre", 1e-14],
      ["gauss-log", 1e-14],
      ["bins", 4e-3],
    ] as const)
      expect(residual(hessianQuadrature(rule, 24), Math.sin, Math.cos)).toBeLessThan(bound);
  });
});

describe("orders of convergence", () => {
  const errorsOf = (rule: HessianRule, name: Weights, h: Integrand): number[] => {
    const truth = reference((u) => DENSITIES[name](u) * h(u));
    return [8, 16, 32].map((n) => Math.abs(apply(hessianQuadrature(rule, n), name, h) - truth));
  };
  // A pole at u = -1/5 lets the error fall by this factor for every degree that is exact.
  const pole: Integrand = (u) => 1 / (u + 0.2);
  const factor = 1.4 + Math.sqrt(1.4 ** 2 - 1);

  for (const [rule, name, perNode] of [
    ["gauss-legendre", "weights", 2],
    ["gauss-legendre", "gradientWeights", 1],
    ["gauss-legendre", "hessianWeights", 1],
    ["gauss-log", "weights", 1],
    ["gauss-log", "gradientWeights", 2],
    ["gauss-log", "hessianWeights", 2],
  ] as const) {
    test(`${rule}, ${name}: geometric, ${perNode} degrees a node`, () => {
      const errors = errorsOf(rule, name, pole);
      errors.forEach((error, i) => expect(error).toBeLessThan(20 * factor ** (-perNode * 8 * 2 ** i) + 1e-14));
      expect(errors[0]).toBeGreaterThan(1e-2 * factor ** (-perNode * 8));
    });
  }

  test("bins: second order on a smooth function", () => {
    for (const h of smooth) {
      for (const [name, low] of [
        ["weights", 3.9],
        ["gradientWeights", 2.8],
        ["hessianWeights", 3.4],
      ] as const) {
        const [a, b, c] = errorsOf("bins", name, h) as [number, number, number];
        for (const ratio of [a / b, b / c]) {
          expect(ratio).toBeGreaterThan(low);
          expect(ratio).toBeLessThan(4.6);
        }
      }
    }
  });

  test("third order: geometric", () => {
    const truth = reference((u) => triple(u) * pole(u));
    for (const n of [8, 16, 32]) {
      const error = Math.abs(sum(gaussLegendre(n).nodes, tripleWeights(n), pole) - truth);
      expect(error).toBeLessThan(20 * factor ** -n + 1e-14);
    }
  });
});

describe("known rules", () => {
  test("gauss-log with one and two nodes", () => {
    const one = hessianQuadrature("gauss-log", 1);
    expectNear(
      [one.nodes[0]!, one.weights[0]!, one.gradientWeights[0]!, one.hessianWeights[0]!],
      [0.25, 1, 1, 0.25],
      1e-15,
    );
    const two = hessianQuadrature("gauss-log", 2);
    expectNear(two.nodes, [0.11200881, 0.60227691], 1e-8);
    expectNear(two.gradientWeights, [0.71853932, 0.28146068], 1e-8);
    // The same from the orthogonal polynomial u^2 - (5/7) u + 17/252.
    const [middle, half] = [5 / 14, Math.sqrt(25 / 196 - 17 / 252)];
    expectNear(two.nodes, [middle - half, middle + half], 1e-15);
    // Both weights must give 1 and their first moment, 1/4 or 1/2.
    expectNear(
      two.gradientWeights,
      [(middle + half - 1 / 4) / (2 * half), (1 / 4 - middle + half) / (2 * half)],
      1e-15,
    );
    expectNear(two.weights, [(middle + half - 1 / 2) / (2 * half), (1 / 2 - middle + half) / (2 * half)], 1e-15);
  });

  test("gauss-legendre: its nodes and weights are those of Integrated Gradients", () => {
    const { nodes, weights, gradientWeights } = hessianQuadrature("gauss-legendre", 2);
    expect({ nodes, weights }).toEqual(gaussLegendre(2));
    // Two weights that give 1 and the first moment 1/4.
    const [a, b] = nodes as [number, number];
    expectNear(gradientWeights, [(b - 1 / 4) / (b - a), (1 / 4 - a) / (b - a)], 1e-15);
  });

  test("bins with two nodes", () => {
    const { nodes, weights, gradientWeights, hessianWeights } = hessianQuadrature("bins", 2);
    expect({ nodes, weights }).toEqual({ nodes: [0.25, 0.75], weights: [0.5, 0.5] });
    const left = 0.5 + 0.5 * Math.LN2;
    expectNear(gradientWeights, [left, 1 - left], 1e-15);
    const below = 1 / 16 + Math.LN2 / 8;
    expectNear(hessianWeights, [below, 1 / 4 - below], 1e-15);
  });
});

describe("product rules", () => {
  test("are the double sums of their factors", () => {
    const [a, b] = [quadrature("midpoint", 5), quadrature("right", 7)];
    const rule = productRule(a, b);
    for (const h of smooth) {
      let [gradient, hessian] = [0, 0];
      a.nodes.forEach((alpha, i) =>
        b.nodes.forEach((beta, j) => {
          const share = a.weights[i]! * b.weights[j]! * h(alpha * beta);
          gradient += share;
          hessian += alpha * beta * share;
        }),
      );
      expect(apply(rule, "gradientWeights", h)).toBeCloseTo(gradient, 13);
      expect(apply(rule, "hessianWeights", h)).toBeCloseTo(hessian, 13);
      expect(apply(rule, "weights", h)).toBeCloseTo(sum(a.nodes, a.weights, h), 13);
    }
  });

  test("of Gauss-Legendre rules integrate polynomials exactly", () => {
    const rule = productRule(gaussLegendre(4), gaussLegendre(4));
    expect(worstMoment(rule, "weights", 7)).toBeLessThan(1e-15);
    expect(worstMoment(rule, "gradientWeights", 7)).toBeLessThan(1e-15);
    expect(worstMoment(rule, "hessianWeights", 6)).toBeLessThan(1e-15);
  });

  test("merge nodes of equal value", () => {
    const right = quadrature("right", 4);
    const { nodes, weights, gradientWeights, hessianWeights } = productRule(right, right);
    const sixteenths = (values: readonly number[]) => values.map((v) => 16 * v);
    // Products of 1..4 by 1..4; the nodes of the rule itself, 4, 8, 12 and 16, are among them.
    const order = nodes.map((_, k) => k).sort((i, j) => nodes[i]! - nodes[j]!);
    const sorted = (values: readonly number[]) => order.map((k) => values[k]!);
    expect(sixteenths(sorted(nodes))).toEqual([1, 2, 3, 4, 6, 8, 9, 12, 16]);
    expect(sixteenths(sorted(gradientWeights))).toEqual([1, 2, 2, 3, 2, 2, 1, 2, 1]);
    expect(sorted(weights)).toEqual([0, 0, 0, 0.25, 0, 0.25, 0, 0.25, 0.25]);
    expect(hessianWeights).toEqual(nodes.map((u, k) => u * gradientWeights[k]!));
  });

  test("refuse rules without nodes or with other numbers of weights", () => {
    const one = gaussLegendre(1);
    expect(() => productRule({ nodes: [], weights: [] }, one)).toThrow(/a: expected .* got 0 nodes and 0 weights/);
    expect(() => productRule(one, { nodes: [0.1, 0.2], weights: [1] })).toThrow(/b: .* got 2 nodes and 1 weights/);
    expect(() => productRule(one, { nodes: [], weights: [] })).toThrow(ArgumentError);
  });
});

test("refuses rules and numbers that do not exist", () => {
  expect(() => hessianQuadrature("midpoint" as never, 3)).toThrow(
    /rule: expected one of gauss-legendre.* got midpoint/,
  );
  expect(() => hessianQuadrature("midpoint" as never, 3)).toThrow(ArgumentError);
  for (const n of [0, -1, 1.5, NaN, Infinity]) {
    for (const rule of HESSIAN_RULES) expect(() => hessianQuadrature(rule, n)).toThrow(ArgumentError);
    expect(() => tripleWeights(n)).toThrow(/nodes: expected a whole number >= 1/);
  }
});
