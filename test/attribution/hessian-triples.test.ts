// Interactions of three features against closed forms, and the sweep of beta against the exact limit of ReLU networks.
import { describe, expect, test } from "vitest";
import { betaSweep, integratedHessians, integratedTriples, type Triple } from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, exp, index, matmul, mul, relu, softplus, square } from "../../src/kernels/index.ts";
import { hostArray, type Tensor } from "../../src/tensor/index.ts";
import { array64 } from "../../src/reference/index.ts";
import { reluLimitHessians } from "../../src/reference/relu-limit.ts";
import { withCleanDevice } from "../gpu.ts";

const feature = (x: Value, i: number): Value => index(x, -1, i);
const waves = (n: number, seed: number, size = 0.5): number[] =>
  Array.from({ length: n }, (_, i) => size * Math.sin(12.9898 * i + seed));
const allTriples = (n: number): Triple[] =>
  Array.from({ length: n ** 3 }, (_, q) => [Math.floor(q / n ** 2), Math.floor(q / n) % n, q % n]);

function expectNear(actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  expected.forEach((v, i) => expect(Math.abs(actual[i]! - v) / scale).toBeLessThan(tolerance));
}

describe("triples", () => {
  test("of a product of three share it by 27", () =>
    withCleanDevice(async (device) => {
      const product = (x: Value): Value => mul(mul(feature(x, 0), feature(x, 1)), feature(x, 2));
      const x = hostArray([2, 3, 5, 1, -1, 4], [2, 3]);
      const { interactions, scores } = await integratedTriples(product, x, { device, triples: allTriples(3) });
      // From 0 the product u^3 x y z: each of the 27 ways to apply IG three times takes a third, three times.
      expect(interactions.shape).toEqual([2, 27]);
      expectNear(
        interactions.data,
        [30, -4].flatMap((f) => Array<number>(27).fill(f / 27)),
        1e-6,
      );
      expect(Array.from(scores.input.data)).toEqual([30, -4]);
    }));

  test("of powers of single features are all on the diagonal", () =>
    withCleanDevice(async (device) => {
      const powers = (x: Value): Value => mul(square(feature(x, 0)), feature(x, 0));
      const triples: Triple[] = [
        [0, 0, 0],
        [0, 0, 1],
        [1, 1, 1],
      ];
      const { interactions } = await integratedTriples(powers, hostArray([2, 3], [1, 2]), { device, triples });
      expectNear(interactions.data, [8, 0, 0], 1e-6);
    }));

  test("of x^2 y follow from theta (x^2 y) = 2 x^2 y and x^2 y", () =>
    withCleanDevice(async (device) => {
      const f = (x: Value): Value => mul(square(feature(x, 0)), feature(x, 1));
      const triples = allTriples(2);
      const { interactions } = await integratedTriples(f, hostArray([2, 3], [2]), { device, triples, nodes: 8 });
      // theta_x = 2, theta_y = 1 on a homogeneous function of degree 3, and each application divides by 3.
      expectNear(
        interactions.data,
        triples.map((t) => (12 * t.reduce((p, i) => p * (i === 0 ? 2 : 1), 1)) / 27),
        1e-6,
      );
    }));

  type Network = (x: Value, w: readonly Tensor[]) => Value;
  const networks: [string, Network][] = [
    [
      "a softplus network",
      (x, [w1, w2, w3]) => matmul(softplus(matmul(softplus(matmul(x, w1!), { beta: 2 }), w2!), { beta: 2 }), w3!),
    ],
    ["an exponential of a product", (x) => exp(mul(feature(x, 0), mul(feature(x, 1), feature(x, 2))))],
  ];
  test.each(networks)("%s: sums over the third are the interactions of the pair, in any order", (name, f) =>
    withCleanDevice(async (device) => {
      const shapes = [
        [3, 6],
        [6, 5],
        [5, 2],
      ] as const;
      const weights = shapes.map(([k, n], l) => device.tensor(waves(k * n, l + 1, 1), [k, n]));
      const network = (v: Value): Value => f(v, weights);
      const x = hostArray(waves(6, 4, 1), [2, 3]);
      const target = name.startsWith("a softplus") ? { target: 1 } : {};
      const baseline = [{ baseline: 0.1 }, { baseline: -0.5, weight: 2 }];
      const shared = { device, baseline, nodes: 24, ...target };
      const triples = allTriples(3);
      const { interactions } = await integratedTriples(network, x, { ...shared, triples });
      const pairs = await integratedHessians(network, x, shared);
      const at = (b: number, i: number, j: number, k: number): number => interactions.data[b * 27 + i * 9 + j * 3 + k]!;
      const sums = Array.from({ length: 18 }, (_, q) =>
        [0, 1, 2].reduce((s, k) => s + at(Math.floor(q / 9), Math.floor(q / 3) % 3, q % 3, k), 0),
      );
      expectNear(sums, Array.from(pairs.interactions.data), 1e-5);
      for (const b of [0, 1]) {
        expectNear([at(b, 0, 1, 2), at(b, 0, 0, 2)], [at(b, 2, 0, 1), at(b, 0, 2, 0)], 1e-5);
      }
      const unhoisted = await integratedTriples(network, x, { ...shared, triples, hoist: false });
      expectNear(unhoisted.interactions.data, Array.from(interactions.data), 1e-5);
      weights.forEach((w) => w.dispose());
    }),
  );

  test("refuse what is no triple, and networks with kinks", () =>
    withCleanDevice(async (device) => {
      const x = hostArray([1, 2], [1, 2]);
      const linear = (v: Value): Value => feature(v, 0);
      const bent = (v: Value): Value => relu(feature(v, 0));
      const run = (model: typeof linear, triples: readonly (readonly number[])[]) =>
        integratedTriples(model, x, { device, triples: triples as Triple[] });
      await expect(run(linear, [[0, 1, 2]])).rejects.toThrow(/\[0, 1, 2\] is not three of the features 0 to 1/);
      await expect(run(linear, [[0, 1]])).rejects.toThrow(/\[0, 1\] is not three/);
      await expect(run(linear, [])).rejects.toThrow(/triples: expected at least one/);
      await expect(run(bent, [[0, 0, 0]])).rejects.toThrow(/relu .* has a kink/);
    }));
});

describe("the sweep of beta", () => {
  const sizes = [3, 6, 4];
  const weights = sizes
    .slice(1)
    .map((n, l) => ({ data: waves(sizes[l]! * n, l + 1, 1), shape: [sizes[l]!, n] as const }));
  const last = waves(4, 9, 1);
  const x = [0.9, -0.7, 0.4];
  const baseline = [-0.3, 0.5, -0.8];

  test("approaches the exact limit of a ReLU network", () =>
    withCleanDevice(async (device) => {
      const [w1, w2] = weights.map(({ data, shape }) => device.tensor(data, shape));
      const w3 = device.tensor(last, [4, 1]);
      const biases = [6, 4].map((n) => device.tensor(Array<number>(n).fill(0.25), [n]));
      const layer = (v: Value, l: number): Value => relu(add(matmul(v, [w1!, w2!][l]!), biases[l]!));
      const network = (v: Value): Value => feature(matmul(layer(layer(v, 0), 1), w3), 0);
      const sweep = await betaSweep(network, hostArray(x, [1, 3]), {
        device,
        baseline: hostArray(baseline, [3]),
        betas: [10, 50, 250],
        nodes: 512,
      });
      const f32 = (values: readonly number[]): Float64Array => Float64Array.from(Float32Array.from(values));
      const exact = reluLimitHessians(
        [...weights, { data: last, shape: [4, 1] as const }].map(({ data, shape }, l) => ({
          weight: array64(f32(data), [...shape]),
          ...(l < 2 && { bias: array64(Array<number>(shape[1]).fill(0.25), [shape[1]]) }),
        })),
        f32(x),
        f32(baseline),
      );
      const limit = Array.from(exact.interactions.data);
      const scale = Math.max(...limit.map(Math.abs));
      const errors = sweep.map(({ result }) =>
        Math.max(...limit.map((v, i) => Math.abs(v - result.interactions.data[i]!) / scale)),
      );
      expect(errors[1]!).toBeLessThan(errors[0]! / 3);
      expect(errors[2]!).toBeLessThan(0.02);
      expect(sweep.map(({ beta }) => beta)).toEqual([10, 50, 250]);
      expect(sweep[0]!.change).toBeUndefined();
      expect(sweep[1]!.change!).toBeGreaterThan(sweep[2]!.change!);
      sweep.forEach(({ result }) => expect(result.smoothing!.replaced).toEqual({ relu: 2 }));
      [w1!, w2!, w3, ...biases].forEach((w) => w.dispose());
    }));

  test("refuses betas that do not rise", () =>
    withCleanDevice(async (device) => {
      const network = (v: Value): Value => relu(feature(v, 0));
      const input = hostArray([1, 2], [1, 2]);
      for (const betas of [[], [0, 1], [2, 2], [NaN]])
        await expect(betaSweep(network, input, { device, betas })).rejects.toThrow(/betas: expected positive rising/);
    }));
});
