// Quadrature rules by themselves, and what they do to attributions.
import { describe, expect, test } from "vitest";
import { equidistributed, gaussLegendre, integratedGradients, quadrature, RULES } from "../../src/attribution/index.ts";
import { mul } from "../../src/kernels/index.ts";
import { ArgumentError, hostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { argmax, draw, expectNear, integral, integrate, Mlp, rows, scoreTruth, worst } from "./networks.ts";

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe("quadrature", () => {
  test("weights of every rule sum to 1 for every number of nodes, and nodes lie in [0, 1]", () => {
    for (const rule of RULES) {
      for (const n of [1, 2, 3, 10, 50, 257]) {
        const { nodes, weights } = quadrature(rule, n);
        expect(nodes).toHaveLength(n);
        expect(total(weights)).toBeCloseTo(1, 13);
        expect(Math.min(...nodes)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...nodes)).toBeLessThanOrEqual(1);
        expect([...nodes].sort((a, b) => a - b)).toEqual(nodes);
      }
    }
  });

  test("Gauss-Legendre integrates polynomials up to degree 2 n - 1 and no further", () => {
    for (const n of [1, 2, 3, 5, 16, 64]) {
      const { nodes, weights } = gaussLegendre(n);
      const error = (degree: number): number =>
        Math.abs(total(nodes.map((a, k) => weights[k]! * a ** degree)) - 1 / (degree + 1));
      for (let degree = 0; degree < 2 * n; degree++) expect(error(degree)).toBeLessThan(1e-14);
      if (n <= 5) expect(error(2 * n)).toBeGreaterThan(1e-7);
    }
  });

  test("Gauss-Legendre with two and three nodes, by their formulas", () => {
    const [a, b] = [Math.sqrt(1 / 3) / 2, Math.sqrt(3 / 5) / 2];
    expectNear(gaussLegendre(2).nodes, [0.5 - a, 0.5 + a], 1e-15);
    expectNear(gaussLegendre(3).nodes, [0.5 - b, 0.5, 0.5 + b], 1e-15);
    expectNear(gaussLegendre(3).weights, [5 / 18, 8 / 18, 5 / 18], 1e-15);
  });

  test("uniform rules by their formulas", () => {
    expect(quadrature("midpoint", 2)).toEqual({ nodes: [0.25, 0.75], weights: [0.5, 0.5] });
    expect(quadrature("left", 2).nodes).toEqual([0, 0.5]);
    expect(quadrature("right", 2).nodes).toEqual([0.5, 1]);
    expect(quadrature("trapezoid", 3)).toEqual({ nodes: [0, 0.5, 1], weights: [0.25, 0.5, 0.25] });
  });

  test("equidistributed cells hold equal shares of half the length and half the variation", () => {
    expectNear(equidistributed([1, 1, 1, 1, 1], 4).weights, [0.25, 0.25, 0.25, 0.25], 1e-12);
    // All the change is in the last quarter: it gets half the weight besides its own eighth.
    const { nodes, weights } = equidistributed([0, 0, 0, 0, 8], 8);
    expect(total(weights)).toBeCloseTo(1, 12);
    expect(nodes.filter((a) => a > 0.75)).toHaveLength(5);
  });

  test("refuses rules and numbers that do not exist", () => {
    expect(() => quadrature("simpson" as never, 3)).toThrow(/rule: expected one of .* got simpson/);
    for (const n of [0, -1, 1.5, NaN]) expect(() => quadrature("midpoint", n)).toThrow(ArgumentError);
  });
});

describe("rules on networks", () => {
  const smooth = new Mlp("tanh");
  const x = hostArray(draw(8, 11, 2), [2, 4]);
  const targets = rows(x).map((row) => argmax(smooth.logits(row)));

  for (const rule of RULES) {
    test(`${rule} is the weighted sum of gradients at its nodes`, () =>
      withCleanDevice(async (device) => {
        using net = smooth.on(device);
        const { nodes, weights } = quadrature(rule, 6);
        const { attributions } = await integratedGradients(net.model, x, { rule, steps: 6 });
        const expected = rows(x).flatMap((row, b) =>
          integrate(smooth, scoreTruth.logit(targets[b]!), row, [0, 0, 0, 0], nodes, weights),
        );
        expectNear(attributions.data, expected, 3e-6);
      }));
  }

  test("the default is Gauss-Legendre where the network is smooth, midpoint where it has kinks", () =>
    withCleanDevice(async (device) => {
      using net = smooth.on(device);
      const result = await integratedGradients(net.model, x);
      expect([result.rule, result.steps, result.evaluations]).toEqual(["gauss-legendre", 50, 50]);
      const expected = rows(x).flatMap((row, b) => integral(smooth, scoreTruth.logit(targets[b]!), row, [0, 0, 0, 0]));
      expectNear(result.attributions.data, expected, 3e-6);
      expect(Math.max(...Array.from(result.delta.data, Math.abs))).toBeLessThan(1e-5);
      using kinked = new Mlp("relu").on(device);
      expect((await integratedGradients(kinked.model, x)).rule).toBe("midpoint");
    }));

  test("the completeness error is that of the f64 sum with the same nodes", () =>
    withCleanDevice(async (device) => {
      const truth = new Mlp("relu");
      using net = truth.on(device);
      const { delta, targets: chosen, scores } = await integratedGradients(net.model, x, { steps: 3 });
      const { nodes, weights } = quadrature("midpoint", 3);
      rows(x).forEach((row, b) => {
        const score = scoreTruth.logit(chosen!.data[b]!);
        const zero = [0, 0, 0, 0];
        const change = score.value(truth.logits(row)) - score.value(truth.logits(zero));
        expect(delta.data[b]).toBeCloseTo(total(integrate(truth, score, row, zero, nodes, weights)) - change, 5);
        expect(scores.input.data[b]).toBeCloseTo(score.value(truth.logits(row)), 5);
        expect(scores.baseline.data[b]).toBeCloseTo(score.value(truth.logits(zero)), 5);
      });
    }));

  test("explicit points may repeat, and their weights need not sum to 1", () =>
    withCleanDevice(async (device) => {
      using net = smooth.on(device);
      const points = { nodes: [0.1, 0.1, 0.9, 1], weights: [0.3, 0.2, 1, -0.4] };
      const result = await integratedGradients(net.model, x, { target: 2, points });
      const expected = rows(x).flatMap((row) =>
        integrate(smooth, scoreTruth.logit(2), row, [0, 0, 0, 0], points.nodes, points.weights),
      );
      expectNear(result.attributions.data, expected, 3e-6);
      expect([result.rule, result.steps]).toEqual(["explicit", 4]);
    }));

  test("equidistributed nodes beat midpoints on a saturated probability", () =>
    withCleanDevice(async (device) => {
      using net = smooth.on(device);
      // Steep: the probability changes within a small part of the path.
      const steep = (z: Parameters<typeof net.model>[0]) => mul(net.model(mul(z, 6)), 6);
      const one = hostArray(rows(x)[0]!, [1, 4]);
      const target = argmax(smooth.logits(rows(x)[0]!.map((v) => 6 * v)));
      const score = {
        value: (z: readonly number[]) => scoreTruth.probability(target).value(z.map((v) => 6 * v)),
        slope: (z: readonly number[]) =>
          scoreTruth
            .probability(target)
            .slope(z.map((v) => 6 * v))
            .map((s) => 6 * s),
      };
      const scaled = rows(x)[0]!.map((v) => 6 * v);
      const truth = integral(smooth, score, scaled, [0, 0, 0, 0], 20_000);
      const error = async (rule: "equidistributed" | "midpoint"): Promise<number> => {
        const options = { target, score: "probability", rule, steps: 16 } as const;
        return worst((await integratedGradients(steep, one, options)).attributions.data, truth);
      };
      const [ours, midpoint] = [await error("equidistributed"), await error("midpoint")];
      expect(ours).toBeLessThan(midpoint / 2);
    }));
});

describe("tolerance", () => {
  const truth = new Mlp("relu", 4, 16, 3, 21);
  const x = hostArray(draw(4, 12, 2), [1, 4]);

  test("doubles the nodes until attributions stand still, and says so", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const result = await integratedGradients(net.model, x, { target: 0, tolerance: 2e-2 });
      expect(result.change).toBeLessThanOrEqual(2e-2);
      expect(Math.log2(result.steps / 8) % 1).toBe(0);
      // 8 + 16 + ... + steps
      expect(result.evaluations).toBe(2 * result.steps - 8);
      const before = quadrature("midpoint", result.steps / 2);
      const after = quadrature("midpoint", result.steps);
      const at = ({ nodes, weights }: typeof before) =>
        integrate(truth, scoreTruth.logit(0), rows(x)[0]!, [0, 0, 0, 0], nodes, weights);
      expect(result.change).toBeCloseTo(worst(at(before), at(after)), 4);
      expectNear(result.attributions.data, at(after));
    }));

  test("stops at maxSteps and reports the change that is left", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const result = await integratedGradients(net.model, x, { target: 0, tolerance: 1e-9, steps: 4, maxSteps: 20 });
      expect(result.steps).toBe(16);
      expect(result.change).toBeGreaterThan(1e-9);
    }));
});
