// Functions whose Integrated Gradients are known in closed form.
import { describe, expect, test } from "vitest";
import { gradientXInput, integratedGradients, RULES, saliency } from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, index, matmul, mul, relu, sub, sum } from "../../src/kernels/index.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { draw, expectNear } from "./networks.ts";

const component = (x: Value, i: number): Value => index(x, 1, i);
const point = (...values: number[]) => hostArray(values, [1, values.length]);

describe("closed forms", () => {
  const product = (x: Value): Value => add(mul(component(x, 0), component(x, 1)), component(x, 2));

  test("x y + z at (1, 1, 1) from 0: a product shares equally", () =>
    withCleanDevice(async (device) => {
      const { attributions, delta, scores } = await integratedGradients(product, point(1, 1, 1), { device });
      expectNear(attributions.data, [0.5, 0.5, 1], 1e-6);
      expectNear(scores.input.data, [2]);
      expect(scores.baseline.data[0]).toBe(0);
      expect(Math.abs(delta.data[0]!)).toBeLessThan(1e-6);
    }));

  test("x y from any baseline: the mean of the other factor times the difference", () =>
    withCleanDevice(async (device) => {
      const f = (x: Value): Value => mul(component(x, 0), component(x, 1));
      const { attributions } = await integratedGradients(f, point(3, -2), { device, baseline: point(1, 5), steps: 4 });
      expectNear(attributions.data, [(3 - 1) * 1.5, (-2 - 5) * 2]);
    }));

  test("1 - relu(1 - x) at 2: the gradient vanishes, the integral does not", () =>
    withCleanDevice(async (device) => {
      const f = (x: Value): Value => sum(sub(1, relu(sub(1, x))), 1);
      const x = point(2);
      expect(Math.abs((await saliency(f, x, { device })).attributions.data[0]!)).toBe(0);
      const result = await integratedGradients(f, x, { device });
      expect(result.rule).toBe("midpoint");
      expectNear(result.attributions.data, [1], 1e-6);
      const product = await gradientXInput(f, x, { device });
      expect(Math.abs(product.attributions.data[0]!)).toBe(0);
      expectNear(product.delta.data, [-1]);
    }));

  test("a cube: x'^3 to x^3, exact for Gauss-Legendre with two nodes", () =>
    withCleanDevice(async (device) => {
      const f = (x: Value): Value => sum(mul(x, mul(x, x)), 1);
      const { attributions } = await integratedGradients(f, point(2, -1), {
        device,
        baseline: 0.5,
        rule: "gauss-legendre",
        steps: 2,
      });
      expectNear(attributions.data, [8 - 0.125, -1 - 0.125], 1e-6);
    }));

  test("a scalar result makes the whole input one example, of any rank", () =>
    withCleanDevice(async (device) => {
      const f = (x: Value): Value => sum(mul(x, x));
      const x = hostArray(draw(12, 3), [2, 3, 2]);
      const { attributions, delta, scores } = await integratedGradients(f, x, { device });
      expect(attributions.shape).toEqual([2, 3, 2]);
      expect(delta.shape).toEqual([]);
      expect(scores.input.shape).toEqual([]);
      expectNear(
        attributions.data,
        Array.from(x.data, (v) => v * v),
      );
    }));

  test("an input that the score ignores gets zeros", () =>
    withCleanDevice(async (device) => {
      const f = (x: Value): Value => mul(component(x, 0), component(x, 0));
      expect([...(await integratedGradients(f, point(2, 7), { device })).attributions.data]).toEqual([4, 0]);
      const constant = await integratedGradients((x: Value) => mul(component(x, 0), 0), point(2, 7), { device });
      expect([...constant.attributions.data]).toEqual([0, 0]);
    }));

  test("at the baseline itself everything is zero", () =>
    withCleanDevice(async (device) => {
      const { attributions, delta } = await integratedGradients(product, point(1, 2, 3), {
        device,
        baseline: point(1, 2, 3),
      });
      expect([...attributions.data, ...delta.data]).toEqual([0, 0, 0, 0]);
    }));
});

describe("a linear model is exact", () => {
  const w = draw(12, 5);
  const x = hostArray(draw(8, 6), [2, 4]);
  const baseline = draw(4, 7);
  const expected = Array.from(x.data, (v, i) => (v - baseline[i % 4]!) * w[(i % 4) * 3 + 1]!);

  for (const hoist of [true, false]) {
    for (const rule of [...RULES, "equidistributed"] as const) {
      test(`${rule}, 1 to 7 steps, linear work ${hoist ? "hoisted" : "in every step"}`, () =>
        withCleanDevice(async (device) => {
          using weight = device.tensor(w, [4, 3]);
          const model = (z: Value): Value => add(matmul(z, weight), 0.25);
          for (const steps of [1, 2, 7]) {
            const result = await integratedGradients(model, x, {
              target: 1,
              baseline: hostArray(baseline),
              rule,
              steps,
              hoist,
            });
            expectNear(result.attributions.data, expected, 3e-6);
            expect(result.steps).toBe(steps);
          }
        }));
    }
  }
});
