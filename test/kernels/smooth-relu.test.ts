// Softplus and its first two derivatives on the device: what Hessians of smoothed networks are made of.
import { describe, expect, test } from "vitest";
import { grad, hvp } from "../../src/autograd/index.ts";
import { fill } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import * as k from "../../src/kernels/index.ts";
import { array64, evaluate } from "../../src/reference/index.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { relative, run, worst } from "./run.ts";

const N = 3001;
const linear = (low: number, high: number): number[] =>
  Array.from({ length: N }, (_, i) => low + ((high - low) * i) / (N - 1));
const geometric = (low: number, high: number): number[] => linear(Math.log(low), Math.log(high)).map(Math.exp);
const mirrored = (x: readonly number[]): number[] => [...x, ...x.map((v) => -v)];

const BETAS = [0.1, 1, 10, 100, 1000];

/** Value, first and second derivative of softplus at every element. */
function threefold(beta: number): (z: Value) => Value[] {
  const total = (v: Value): Value => k.sum(k.smoothRelu(v, { beta }));
  // The Hessian is diagonal: its product with ones holds the second derivatives.
  return (z) => [k.smoothRelu(z, { beta }), grad(total)(z), hvp(total)(z, fill(z.shape, 1))];
}

/** The same from the definition, in double precision, with beta as the device holds it. */
function truth(z: number, beta: number): [number, number, number] {
  const b = Math.fround(beta);
  const t = Math.abs(b * z);
  const e = Math.exp(-t);
  const [upper, lower] = [1 / (1 + e), e / (1 + e)];
  return [Math.max(z, 0) + Math.log1p(e) / b, z > 0 ? upper : lower, b * upper * lower];
}

describe.each(BETAS)("beta %s", (beta) => {
  const compare = async (x: readonly number[], limits: readonly [number, number, number]): Promise<void> => {
    const z = hostArray(x);
    const results = await run(threefold(beta), z);
    results.forEach(({ data }, order) => {
      const expected = Array.from(z.data, (v) => truth(v, beta)[order]!);
      expect(worst(data, expected, relative), `derivative ${order}`).toBeLessThan(limits[order]!);
    });
  };

  test("near the kink, relative error at most 1e-6", () =>
    compare(mirrored([0, ...linear(0, 3 / beta), ...geometric(1e-30, 1 / beta)]), [1e-6, 1e-6, 1e-6]));

  // WGSL lets exp(-t) lose 3 + 2 t units in the last place.
  test("in the tails, up to the smallest normal numbers, at most 1e-5", () =>
    compare(mirrored(linear(3 / beta, 85 / beta)), [1e-5, 1e-5, 1e-5]));

  test("far beyond, finite and at the limits", async () => {
    const z = hostArray(mirrored(geometric(105 / beta, 1e4 / beta).concat(1e6 / beta, 1e30, 3.3e38)));
    const [value, first, second] = await run(threefold(beta), z);
    expect([...value!.data]).toEqual(Array.from(z.data, (v) => Math.max(v, 0)));
    expect([...first!.data]).toEqual(Array.from(z.data, (v) => (v > 0 ? 1 : 0)));
    expect(Math.max(...second!.data)).toBeLessThan(1e-38);
    expect(Math.min(...second!.data)).toBeGreaterThanOrEqual(0);
  });

  test("at 0 the first derivative is 1/2 and the second beta / 4, to the last bit", async () => {
    const [value, first, second] = await run(threefold(beta), hostArray([0, -0]));
    expect(worst(value!.data, [Math.LN2 / beta, Math.LN2 / beta], relative)).toBeLessThan(2e-7);
    expect([...first!.data]).toEqual([0.5, 0.5]);
    expect([...second!.data]).toEqual([Math.fround(beta) / 4, Math.fround(beta) / 4]);
  });

  test("the same in double precision", () => {
    const z = mirrored([0, ...linear(0, 40 / beta), ...geometric(41 / beta, 700 / beta)]);
    const b = Math.fround(beta);
    const results = evaluate(trace(threefold(b), [{ shape: [z.length] }]), [array64(z)]);
    results.forEach(({ data }, order) => {
      const expected = z.map((v) => truth(v, b)[order]!);
      expect(
        worst(data, expected, (y) => Math.abs(y) + 1e-300),
        `derivative ${order}`,
      ).toBeLessThan(1e-12);
    });
    const far = evaluate(trace(threefold(b), [{ shape: [4] }]), [array64([-1e4 / b, 1e4 / b, -1e300, 1e300])]);
    expect(far.every(({ data }) => data.every(Number.isFinite))).toBe(true);
  });
});
