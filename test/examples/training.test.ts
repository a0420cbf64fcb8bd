import { expect, test } from "vitest";
import { predictFleet, reluNetwork, trainFleet } from "../../examples/lib/fleet.ts";
import { hessianStrengths, integratedStrengths } from "../../examples/lib/rankings.ts";
import { index, mul, square, add } from "../../src/kernels/index.ts";
import { random, type Model } from "../../src/nn/index.ts";
import { hostArray, type Device } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";

test("copies of a network learn as they would alone", () =>
  withCleanDevice(async (device) => {
    const stream = random("rows");
    const x = hostArray(
      Float32Array.from({ length: 40 * 3 }, () => stream.normal()),
      [40, 3],
    );
    const targets = [1, 2].map((k) => Float64Array.from({ length: 40 }, (_, row) => k * x.data[3 * row]!));
    const network = reluNetwork([3, 6, 1]);
    const options = { network, x, key: "k", steps: 30, batch: 16, learningRate: 0.02 };
    const predictions = async (wanted: Float64Array[]): Promise<Float32Array[]> => {
      const parameters = await trainFleet(device, { ...options, targets: wanted });
      const found = await predictFleet(network, parameters, x, wanted.length);
      Object.values(parameters).forEach((tensor) => tensor.dispose());
      return found;
    };
    const together = await predictions(targets);
    for (const [k, target] of targets.entries()) {
      const [alone] = await predictions([target]);
      alone!.forEach((value, row) => expect(together[k]![row]).toBeCloseTo(value, 3));
    }
    // They did learn different things.
    expect(Math.abs(together[1]![0]! - together[0]![0]!)).toBeGreaterThan(0.05);
  }));

/** x0 x1 + x1 x2^2 */
const polynomial = (device: Device): Model => ({
  device,
  inputs: [{ name: "x", shape: [3], dtype: "f32" }],
  parameters: {},
  apply({ x }) {
    const [a, b, c] = [0, 1, 2].map((i) => index(x!, 1, i));
    return add(mul(a!, b!), mul(b!, square(c!)));
  },
  dispose: () => undefined,
});

test("strengths of a polynomial, by both methods", () =>
  withCleanDevice(async (device) => {
    const x = hostArray([1, 2, 3, -2, 0.5, 1], [2, 3]);
    const rows = [0, 1].map((row) => [...x.data.subarray(3 * row, 3 * row + 3)] as [number, number, number]);
    const hessian = await hessianStrengths(polynomial(device), x, 10);
    rows.forEach(([, , c], row) => {
      [2, 0, 4 * Math.abs(c)].forEach((value, pair) => expect(hessian[3 * row + pair]).toBeCloseTo(value, 4));
    });
    const { strengths, residual, moved } = await integratedStrengths(polynomial(device), x, { beta: 10, nodes: 8 });
    // With t = ab of density -ln t: both halves of x0 x1 are 2 x0 x1 / 4, of x1 x2^2 they are 2 x1 x2 (2 x2) / 9.
    rows.forEach(([a, b, c], row) => {
      const expected = [Math.abs(a * b) / 2, 0, (4 / 9) * Math.abs(b * c * c)];
      expected.forEach((value, pair) => expect(strengths[3 * row + pair]).toBeCloseTo(value, 3));
    });
    expect(residual).toBeLessThan(1e-4);
    expect(moved).toBe(0);
  }));
