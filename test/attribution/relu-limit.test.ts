// Integrated Hessians in the limit of sharp kinks: axioms, closed forms, and softplus networks of growing sharpness.
import { describe, expect, test } from "vitest";
import { hessian } from "../../src/autograd/index.ts";
import { trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/node.ts";
import * as k from "../../src/kernels/index.ts";
import { array64, evaluate, generator, reluLimitHessians, type DenseLayer } from "../../src/reference/index.ts";

/** A network of the given widths; `bias` scales the biases. */
function network(widths: readonly number[], seed: number, bias = 0.5): DenseLayer[] {
  const random = generator(seed);
  const draw = (n: number, scale: number): number[] => Array.from({ length: n }, () => (2 * random() - 1) * scale);
  return widths.slice(1).map((out, l) => ({
    weight: array64(draw(widths[l]! * out, 1.7 / Math.sqrt(widths[l]! / 2)), [widths[l]!, out]),
    bias: array64(draw(out, bias)),
  }));
}

const point = (n: number, seed: number): number[] => {
  const random = generator(seed);
  return Array.from({ length: n }, () => 2 * random() - 1);
};

const softplus = (z: number, beta: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-beta * Math.abs(z))) / beta;
const sigmoid = (z: number): number => (z < 0 ? Math.exp(z) / (1 + Math.exp(z)) : 1 / (1 + Math.exp(-z)));

/** Gradient [n] and Hessian [n n] of the first output of the softplus network, layer by layer. */
function derivatives(layers: readonly DenseLayer[], x: ArrayLike<number>, beta: number): { g: number[]; H: number[] } {
  const n = x.length;
  let a = Array.from(x);
  let rows = a.map((_, i) => a.map((_, j) => Number(i === j)));
  const hidden: { z: number; dz: number[] }[][] = [];
  for (const { weight, bias } of layers) {
    const out = weight.shape[1]!;
    const units = Array.from({ length: out }, (_, o) => ({
      z: a.reduce((sum, v, i) => sum + v * weight.data[i * out + o]!, bias?.data[o] ?? 0),
      dz: Array.from({ length: n }, (_, j) =>
        rows.reduce((sum, row, i) => sum + row[j]! * weight.data[i * out + o]!, 0),
      ),
    }));
    hidden.push(units);
    a = units.map(({ z }) => softplus(z, beta));
    rows = units.map(({ z, dz }) => dz.map((d) => d * sigmoid(beta * z)));
  }
  const H = new Array<number>(n * n).fill(0);
  let adjoint = hidden.at(-1)!.map((_, o) => Number(o === 0));
  for (let l = layers.length - 2; l >= 0; l--) {
    const { data, shape } = layers[l + 1]!.weight;
    const above = hidden[l + 1]!.map(({ z }, o) => adjoint[o]! * (l + 1 === layers.length - 1 ? 1 : sigmoid(beta * z)));
    adjoint = hidden[l]!.map((_, i) => above.reduce((sum, d, o) => sum + d * data[i * shape[1]! + o]!, 0));
    hidden[l]!.forEach(({ z, dz }, i) => {
      const curvature = adjoint[i]! * beta * sigmoid(beta * z) * sigmoid(-beta * z);
      if (curvature !== 0)
        for (let p = 0; p < n; p++) for (let q = 0; q < n; q++) H[p * n + q]! += curvature * dz[p]! * dz[q]!;
    });
  }
  return { g: hidden.at(-1)![0]!.dz, H };
}

/** Integrated Hessians of the softplus network by brute force: bins with the exact integrals of their weights. */
function bruteForce(
  layers: readonly DenseLayer[],
  x: readonly number[],
  from: readonly number[],
  beta: number,
  bins: number,
): number[] {
  const n = x.length;
  const D = x.map((v, i) => v - from[i]!);
  const G = new Array<number>(n * n).fill(0);
  const W0 = (u: number): number => (u === 0 ? 0 : u - u * Math.log(u));
  const W1 = (u: number): number => (u === 0 ? 0 : (u * u) / 4 - ((u * u) / 2) * Math.log(u));
  for (let b = 0; b < bins; b++) {
    const [low, high] = [b / bins, (b + 1) / bins];
    const { g, H } = derivatives(
      layers,
      D.map((d, i) => from[i]! + ((low + high) / 2) * d),
      beta,
    );
    for (let i = 0; i < n; i++) {
      G[i * n + i]! += D[i]! * g[i]! * (W0(high) - W0(low));
      for (let j = 0; j < n; j++) G[i * n + j]! += D[i]! * D[j]! * H[i * n + j]! * (W1(high) - W1(low));
    }
  }
  return G;
}

const largest = (xs: ArrayLike<number>): number => Math.max(...Array.from(xs, Math.abs));
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  largest(Array.from(a, (v, i) => v - b[i]!)) / largest(b);

const CASES = [
  { widths: [3, 6, 1], seed: 1 },
  { widths: [4, 8, 6, 1], seed: 2 },
  { widths: [5, 10, 8, 7, 2], seed: 3 },
  { widths: [10, 32, 32, 1], seed: 4 },
];

describe.each(CASES)("network $widths", ({ widths, seed }) => {
  const layers = network(widths, seed);
  const n = widths[0]!;
  const [x, from] = [point(n, 10 + seed), point(n, 20 + seed)];
  const { interactions, attributions, scores, crossings } = reluLimitHessians(layers, x, from);
  const rows = Array.from({ length: n }, (_, i) => interactions.data.slice(i * n, (i + 1) * n).reduce((a, b) => a + b));

  test("crosses kinks, in order", () => {
    expect(crossings.length).toBeGreaterThan(2);
    expect(crossings.map(({ u }) => u)).toEqual(crossings.map(({ u }) => u).sort((a, b) => a - b));
  });

  test("rows add up to Integrated Gradients, and those to the difference of scores", () => {
    expect(distance(rows, attributions.data)).toBeLessThan(1e-12);
    expect(Math.abs(rows.reduce((a, b) => a + b) - (scores.input - scores.baseline))).toBeLessThan(1e-10);
  });

  test("is symmetric", () => {
    const turned = Array.from(interactions.data, (_, at) => interactions.data[(at % n) * n + Math.floor(at / n)]!);
    expect(distance(turned, interactions.data)).toBeLessThan(1e-15);
  });

  test("Integrated Gradients are those of small steps", () => {
    const steps = 4000;
    const sums = new Array<number>(n).fill(0);
    for (let s = 0; s < steps; s++) {
      const at = x.map((v, i) => from[i]! + ((s + 0.5) / steps) * (v - from[i]!));
      derivatives(layers, at, 1e300).g.forEach((g, i) => (sums[i]! += (g * (x[i]! - from[i]!)) / steps));
    }
    expect(distance(sums, attributions.data)).toBeLessThan((4 * crossings.length) / steps);
  });
});

describe("softplus networks", () => {
  test("the layer-wise Hessian of this test is the one of autodiff", () => {
    const layers = network([4, 8, 6, 1], 2);
    const f = (x: Value, ...weights: Value[]): Value => {
      const [w0, b0, w1, b1, w2] = weights as [Value, Value, Value, Value, Value];
      const first = k.softplus(k.add(k.matmul(k.reshape(x, [1, 4]), w0), b0), { beta: 7 });
      return k.sum(k.matmul(k.softplus(k.add(k.matmul(first, w1), b1), { beta: 7 }), w2));
    };
    const arrays = [array64(point(4, 9)), ...layers.flatMap(({ weight, bias }) => [weight, bias!])].slice(0, 6);
    const graph = trace((...xs) => hessian(f)(...xs), arrays);
    expect(distance(derivatives(layers, point(4, 9), 7).H, evaluate(graph, arrays)[0]!.data)).toBeLessThan(1e-12);
  });

  test.each([
    { widths: [3, 6, 1], seed: 1 },
    { widths: [4, 8, 6, 1], seed: 2 },
    { widths: [4, 6, 6, 5, 1], seed: 7 },
  ])("$widths approaches the limit as beta grows", ({ widths, seed }) => {
    const layers = network(widths, seed);
    const [x, from] = [point(widths[0]!, 10 + seed), point(widths[0]!, 20 + seed)];
    const limit = reluLimitHessians(layers, x, from).interactions.data;
    const errors = [100, 400, 1600].map((beta) => distance(bruteForce(layers, x, from, beta, 40 * beta), limit));
    // s' - step is odd and s - relu has the integral pi^2 / (6 beta^2): the error falls like its square.
    expect(errors[1]).toBeLessThan(errors[0]! / 10);
    expect(errors[2]).toBeLessThan(errors[1]! / 10);
    expect(errors[2]).toBeLessThan(1e-4);
  });

  test("kinks at the baseline itself contribute nothing", () => {
    const layers = network([3, 6, 5, 1], 5, 0);
    const [x, zero] = [point(3, 6), [0, 0, 0]];
    const { interactions, attributions, crossings } = reluLimitHessians(layers, x, zero);
    // Without biases the network is linear along the ray: no crossings, a diagonal matrix.
    expect(crossings).toEqual([]);
    const diagonal = Array.from(interactions.data, (_, at) => (at % 4 === 0 ? attributions.data[at / 4]! : 0));
    expect(distance(interactions.data, diagonal)).toBeLessThan(1e-15);
    const errors = [100, 1600].map((beta) => distance(bruteForce(layers, x, zero, beta, 40 * beta), interactions.data));
    // log(beta) / beta: 10 times less for 16 times the sharpness.
    expect(errors[0]! / errors[1]!).toBeGreaterThan(8);
    expect(errors[0]! / errors[1]!).toBeLessThan(12);
  });
});

const near = (v: number): unknown => expect.closeTo(v, 14);

describe("by hand", () => {
  const layer = (rows: number[][], bias?: number[]): DenseLayer => ({
    weight: array64(rows.flat(), [rows.length, rows[0]!.length]),
    ...(bias && { bias: array64(bias) }),
  });

  test("one unit, crossed upwards and downwards", () => {
    // f = 3 relu(x + 2 y - 1) from 0 to (1, 1): z = 3 u - 1.
    const up = reluLimitHessians([layer([[1], [2]], [-1]), layer([[3]])], [1, 1], [0, 0]);
    const t = 1 / 3;
    const [w, rest] = [-t * Math.log(t), 1 - (t - t * Math.log(t))];
    expect([...up.interactions.data]).toEqual([w + 3 * rest, 2 * w, 2 * w, 4 * w + 6 * rest].map(near));
    expect(up.crossings).toEqual([{ u: expect.closeTo(t, 15) as number, layer: 0, unit: 0 }]);
    // f = 3 relu(1 - x - 2 y): z = 1 - 3 u; the curvature is as positive.
    const down = reluLimitHessians([layer([[-1], [-2]], [1]), layer([[3]])], [1, 1], [0, 0]);
    const before = t - t * Math.log(t);
    expect([...down.interactions.data]).toEqual([w - 3 * before, 2 * w, 2 * w, 4 * w - 6 * before].map(near));
  });

  test("units of one layer may cross together", () => {
    const twice = reluLimitHessians(
      [
        layer(
          [
            [1, 1],
            [2, 2],
          ],
          [-1, -1],
        ),
        layer([[1], [2]]),
      ],
      [1, 1],
      [0, 0],
    );
    const once = reluLimitHessians([layer([[1], [2]], [-1]), layer([[3]])], [1, 1], [0, 0]);
    expect(distance(twice.interactions.data, once.interactions.data)).toBeLessThan(1e-14);
    expect(twice.crossings).toHaveLength(2);
  });

  test("units that nothing moves may rest at 0", () => {
    const dead = reluLimitHessians([layer([[-1], [-1]]), layer([[1]]), layer([[1]])], [1, 1], [0, 0]);
    expect([...dead.interactions.data].map(Math.abs)).toEqual([0, 0, 0, 0]);
  });

  test("what has no limit is refused", () => {
    // relu(x - y) along (1, 1): the interactions grow with beta.
    expect(() => reluLimitHessians([layer([[1], [-1]]), layer([[1]])], [1, 1], [0, 0])).toThrow(
      /stays at 0 .* grow with beta/,
    );
    // relu(relu(x - 1/2)): the second unit starts where the first does.
    const nested = [layer([[1]], [-0.5]), layer([[1]]), layer([[1]])];
    expect(() => reluLimitHessians(nested, [1], [0])).toThrow(/together at u = 0.5/);
    // relu(2 - relu(x)) meets x - 2 at 2.
    const met = [layer([[1, 1]], [-2, 0]), layer([[0], [-1]], [2]), layer([[1]])];
    expect(() => reluLimitHessians(met, [3], [-1])).toThrow(/layers 0 and 1 reach 0 together/);
  });

  test("sizes that do not fit are named", () => {
    const one = [layer([[1], [2]])];
    expect(() => reluLimitHessians(one, [1], [1])).toThrow(/weights \[2, 1\]; expected \[1, out\]/);
    expect(() => reluLimitHessians(one, [1, 2], [1])).toThrow(/baseline 1/);
    expect(() => reluLimitHessians(one, [1, 2], [1, 2], { output: 1 })).toThrow(/no output 1/);
    expect(() => reluLimitHessians([], [1], [1])).toThrow(/no layers/);
  });
});
