// How fast the rules of Integrated Hessians converge on a network as smoothing makes them, and what a tolerance buys.
import { expect, test } from "vitest";
import { HESSIAN_RULES, integratedHessians, type HessianRule } from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, matmul, mul, softplus, sum } from "../../src/kernels/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { Weights } from "./hessian-truth.ts";
import { drawArray, worst } from "./networks.ts";

/** 10-64-64-64-1 with softplus of sharpness 10. */
const network =
  (w: Weights) =>
  (x: Value): Value => {
    const layer = (v: Value, seed: number, inputs: number): Value =>
      softplus(add(matmul(v, w.of(seed, inputs, 64)), mul(w.of(seed + 1, 64), 0.3)), { beta: 10 });
    return sum(matmul(layer(layer(layer(x, 41, 10), 43, 64), 45, 64), w.of(47, 64, 1)), 1);
  };

// Far enough from zero for the path to cross many bends.
const x = drawArray([2, 10], 48, 4);

test("rules agree as nodes are added, each at its order, and tolerance adds as many as it needs", () =>
  withCleanDevice(async (device) => {
    using w = new Weights(device);
    const model = network(w);
    const truth = (await integratedHessians(model, x, { nodes: 256 })).interactions.data;
    // Largest relative error at 8, 16 and 32 nodes.
    const bounds: Readonly<Record<HessianRule, readonly number[]>> = {
      "gauss-legendre": [2e-2, 5e-4, 5e-6],
      "gauss-log": [1e-2, 3e-4, 5e-6],
      bins: [1e-1, 3e-2, 1e-2],
    };
    for (const rule of HESSIAN_RULES) {
      const errors: number[] = [];
      for (const nodes of [8, 16, 32]) {
        const result = await integratedHessians(model, x, { rule, nodes });
        expect(result).toMatchObject({ rule, nodes, evaluations: nodes });
        errors.push(worst(result.interactions.data, truth));
      }
      errors.forEach((error, k) => expect(error, `${rule}, ${8 << k} nodes`).toBeLessThan(bounds[rule][k]!));
      // Second order makes 16; Gauss rules do better than any fixed order until f32 ends it.
      if (rule === "bins") expect(errors[0]! / errors[2]!).toBeGreaterThan(7);
      else expect(errors[0]! / errors[1]!).toBeGreaterThan(15);
    }

    const tolerance = 1e-3;
    const { nodes, change, evaluations, interactions, residuals } = await integratedHessians(model, x, { tolerance });
    expect(nodes).toBeLessThanOrEqual(32);
    expect(evaluations).toBe(2 * nodes - 8);
    expect(change).toBeLessThan(tolerance);
    expect(worst(interactions.data, truth)).toBeLessThan(tolerance);
    const largest = Math.max(...Array.from(truth, Math.abs));
    expect(Math.max(...Array.from(residuals.data, Math.abs))).toBeLessThan(tolerance * largest);
    const limited = await integratedHessians(model, x, { tolerance, nodes: 4, maxNodes: 8 });
    expect(limited.nodes).toBe(8);
    expect(limited.change).toBeGreaterThan(tolerance);
  }));
