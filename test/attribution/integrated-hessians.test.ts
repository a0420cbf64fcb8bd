// Integrated Hessians that are known in closed form, and the axioms that they keep.
import { describe, expect, test } from "vitest";
import {
  hessianQuadrature,
  integratedGradients,
  integratedHessians,
  type HessianQuadrature,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, cos, exp, index, matmul, mul, sin, softplus, square, sum } from "../../src/kernels/index.ts";
import { hostArray, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { deepNet, Weights } from "./hessian-truth.ts";
import { draw, drawArray, expectNear, type Vector } from "./networks.ts";

const at = (x: Value, i: number): Value => index(x, 1, i);
const point = (values: Vector): HostArray => hostArray(values, [1, values.length]);
const largest = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));

/** Integral of -ln u times a polynomial with these coefficients: each power gives 1 / (p + 1)^2. */
const log0 = (...c: number[]): number => c.reduce((s, v, p) => s + v / (p + 1) ** 2, 0);
/** The same with -u ln u. */
const log1 = (...c: number[]): number => c.reduce((s, v, p) => s + v / (p + 2) ** 2, 0);

describe("closed forms", () => {
  interface Case {
    readonly f: (x: Value) => Value;
    readonly x: Vector;
    readonly from: Vector;
    readonly matrix: (x: Vector, from: Vector, D: Vector) => Vector;
    readonly value: (x: Vector) => number;
  }
  /** phi(w x + 1 / 2); `derivatives` lists phi, phi', phi'', ... at a point, as many as are asked for. */
  const ridge = (
    phi: (s: Value) => Value,
    derivatives: (s: number, count: number) => number[],
    x: Vector,
    from: Vector,
  ): Case => {
    const w = [0.75, -0.5, 1.25];
    const dot = (z: Vector): number => z.reduce((s, v, i) => s + v * w[i]!, 0.5);
    return {
      f: (z) => phi(add(add(mul(at(z, 0), w[0]!), mul(at(z, 1), w[1]!)), add(mul(at(z, 2), w[2]!), 0.5))),
      x,
      from,
      value: (z) => derivatives(dot(z), 1)[0]!,
      matrix: (to, start, D) => {
        const S = dot(to) - dot(start);
        const at0 = derivatives(dot(start), 40);
        // Taylor series of phi' and phi'' along the path.
        const series = (order: number): number[] => {
          let factor = 1;
          return at0.slice(order).map((d, p) => d * (factor *= p === 0 ? 1 : S / p));
        };
        const [first, second] = [log0(...series(1)), log1(...series(2))];
        return D.flatMap((d, i) => D.map((e, j) => d * w[i]! * (e * w[j]! * second + (i === j ? first : 0))));
      },
    };
  };
  const cases: Readonly<Record<string, Case>> = {
    "x y": {
      f: (x) => mul(at(x, 0), at(x, 1)),
      x: [3, -2],
      from: [1, 5],
      value: ([x, y]) => x! * y!,
      matrix: (_, [a, b], [p, q]) => {
        const shared = (p! * q!) / 4;
        return [p! * b! + shared, shared, shared, q! * a! + shared];
      },
    },
    "x^2 y": {
      f: (x) => mul(square(at(x, 0)), at(x, 1)),
      x: [2, -1.5],
      from: [-0.5, 1],
      value: ([x, y]) => x! * x! * y!,
      matrix: (_, [a, b], [p, q]) => {
        const shared = p! * q! * log1(2 * a!, 2 * p!);
        const first = p! * p! * log1(2 * b!, 2 * q!) + p! * log0(2 * a! * b!, 2 * (a! * q! + b! * p!), 2 * p! * q!);
        return [first, shared, shared, q! * log0(a! * a!, 2 * a! * p!, p! * p!)];
      },
    },
    "x y z from 0: nine equal parts": {
      f: (x) => mul(mul(at(x, 0), at(x, 1)), at(x, 2)),
      x: [3, -2, 1.5],
      from: [0, 0, 0],
      value: ([x, y, z]) => x! * y! * z!,
      matrix: ([x, y, z]) => Array<number>(9).fill((x! * y! * z!) / 9),
    },
    "x y z": {
      f: (x) => mul(mul(at(x, 0), at(x, 1)), at(x, 2)),
      x: [1, -2, 1.5],
      from: [0.5, 1, -1],
      value: ([x, y, z]) => x! * y! * z!,
      matrix: (_, a, D) =>
        D.flatMap((d, i) =>
          D.map((e, j) => {
            const others = [0, 1, 2].filter((k) => k !== i && k !== j);
            const [k, l] = others as [number, number];
            if (i !== j) return d * e * log1(a[k]!, D[k]!);
            return d * log0(a[k]! * a[l]!, a[k]! * D[l]! + a[l]! * D[k]!, D[k]! * D[l]!);
          }),
        ),
    },
    "exp of a sum": ridge(exp, (s, n) => Array<number>(n).fill(Math.exp(s)), [1, 2, -0.5], [-1, 0.25, 0.5]),
    "sin of a sum": ridge(
      sin,
      (s, n) => Array.from({ length: n }, (_, k) => Math.sin(s + (k * Math.PI) / 2)),
      [2, -1, 1],
      [-1, 1, 0],
    ),
    "a sum of functions of one feature": {
      f: (x) => add(add(sin(at(x, 0)), exp(at(x, 1))), mul(square(at(x, 2)), at(x, 2))),
      x: [2, -1, 1.5],
      from: [0.5, 0.75, -1],
      value: ([x, y, z]) => Math.sin(x!) + Math.exp(y!) + z! ** 3,
      matrix: ([x, y, z], [a, b, c]) => [
        ...[Math.sin(x!) - Math.sin(a!), 0, 0],
        ...[0, Math.exp(y!) - Math.exp(b!), 0],
        ...[0, 0, z! ** 3 - c! ** 3],
      ],
    },
    "a linear function": {
      f: (x) => add(sub3(x, [2, -0.5, 3]), 4),
      x: [1, 2, 3],
      from: [-1, 0.5, 2],
      value: ([x, y, z]) => 2 * x! - 0.5 * y! + 3 * z! + 4,
      matrix: (_, __, [p, q, r]) => [2 * p!, 0, 0, 0, -0.5 * q!, 0, 0, 0, 3 * r!],
    },
  };
  for (const [name, { f, x, from, matrix, value }] of Object.entries(cases)) {
    test(name, () =>
      withCleanDevice(async (device) => {
        const expected = matrix(
          x,
          from,
          x.map((v, i) => v - from[i]!),
        );
        const result = await integratedHessians(f, point(x), { device, baseline: point(from) });
        expectNear(result.interactions.data, expected, 2e-6);
        // No interaction is none, not a small one.
        expected.forEach((v, k) => v === 0 && expect(Math.abs(result.interactions.data[k]!)).toBe(0));
        const scale = largest(expected);
        expect(result.scores.input.data[0]! / scale).toBeCloseTo(value(x) / scale, 5);
        expect(result.scores.baseline.data[0]! / scale).toBeCloseTo(value(from) / scale, 5);
        expect(largest(result.delta.data)).toBeLessThan(1e-5 * scale);
        expect(largest(result.residuals.data)).toBeLessThan(1e-5 * scale);
        expect(result).toMatchObject({ rule: "gauss-legendre", nodes: 16, evaluations: 16 });
      }),
    );
  }
});

/** sum of w_i x_i */
function sub3(x: Value, w: Vector): Value {
  return w.map((v, i) => mul(at(x, i), v)).reduce((a, b) => add(a, b));
}

describe("axioms", () => {
  const x = drawArray([3, 5], 31, 2);
  const baseline = hostArray(draw(5, 32));
  const rowSums = ({ data }: HostArray, size: number): number[] =>
    Array.from({ length: data.length / size }, (_, r) =>
      Array.from(data.slice(r * size, r * size + size)).reduce((a, b) => a + b, 0),
    );

  test("rows sum to Integrated Gradients, all to f(x) - f(x'), and the matrix is symmetric", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = deepNet(w, 5, 6);
      const options = { target: 2, baseline };
      const result = await integratedHessians(net, x, { ...options, nodes: 64 });
      const { attributions, scores } = await integratedGradients(net, x, {
        ...options,
        rule: "gauss-legendre",
        steps: 100,
      });
      expectNear(rowSums(result.interactions, 5), attributions.data);
      expectNear(result.attributions.data, attributions.data);
      const change = scores.input.data.map((v, b) => v - scores.baseline.data[b]!);
      expectNear(rowSums(result.interactions, 25), change);
      expect(result.scores).toEqual(scores);
      expect(largest(result.residuals.data)).toBeLessThan(1e-5 * largest(attributions.data));
      expect(largest(result.delta.data)).toBeLessThan(1e-5 * largest(change));
      const { data } = result.interactions;
      const asymmetry = data.map((v, k) => v - data[Math.floor(k / 25) * 25 + (k % 5) * 5 + (Math.floor(k / 5) % 5)]!);
      expect(largest(asymmetry)).toBeLessThan(1e-5 * largest(data));
      expect(result.symmetryError).toBeCloseTo(largest(asymmetry) / largest(data), 8);
    }));

  // Both ends exchanged: D becomes -D, and u becomes 1 - u. Interactions keep their sign, gradients do not.
  test("from x to x' is from x' to x with mirrored nodes and negative gradients", () =>
    withCleanDevice(async (device) => {
      using w = new Weights(device);
      const net = deepNet(w, 5, 6);
      const points = hessianQuadrature("gauss-log", 5);
      const mirrored: HessianQuadrature = {
        nodes: points.nodes.map((u) => 1 - u),
        weights: points.weights.map((v) => -v),
        gradientWeights: points.gradientWeights.map((v) => -v),
        hessianWeights: points.hessianWeights,
      };
      const y = drawArray([3, 5], 33, 2);
      const back = await integratedHessians(net, y, { target: 1, baseline: x, points });
      const there = await integratedHessians(net, x, { target: 1, baseline: y, points: mirrored });
      expectNear(back.interactions.data, there.interactions.data);
      expectNear(back.attributions.data, there.attributions.data);
    }));

  // f = x^T A x / 2 + b x: G_ij = D_i D_j A_ij / 4, and G_ii = D_i (b_i + (A x')_i) + D_i (A D)_i / 4 + D_i^2 A_ii / 4.
  test("a quadratic form from either end: the diagonals take up twice the row's interactions", () =>
    withCleanDevice(async (device) => {
      const A = [2, -1, 0.5, -1, 1, 3, 0.5, 3, -4];
      const b = [1, -2, 0.5];
      using matrix = device.tensor(A, [3, 3]);
      using vector = device.tensor(b, [3]);
      const f = (z: Value): Value => sum(add(mul(mul(z, matmul(z, matrix)), 0.5), mul(z, vector)), 1);
      const [to, from] = [draw(3, 34, 2), draw(3, 35, 2)];
      const D = to.map((v, i) => v - from[i]!);
      const product = (v: Vector, i: number): number => v.reduce((s, e, j) => s + A[3 * i + j]! * e, 0);
      const expected = D.flatMap((d, i) =>
        D.map((e, j) => {
          const shared = (d * e * A[3 * i + j]!) / 4;
          return i === j ? shared + d * (b[i]! + product(from, i) + product(D, i) / 4) : shared;
        }),
      );
      const there = await integratedHessians(f, point(to), { nodes: 4, baseline: point(from) });
      const back = await integratedHessians(f, point(from), { nodes: 4, baseline: point(to) });
      expectNear(there.interactions.data, expected);
      expectNear(
        back.interactions.data,
        expected.map((v, k) => {
          const row = Math.floor(k / 3);
          if (row !== k % 3) return v;
          const others = expected.reduce((s, e, l) => s + (Math.floor(l / 3) === row && l !== k ? e : 0), 0);
          return -v - 2 * others;
        }),
      );
    }));

  test("features of a symmetric function that change places change rows and columns", () =>
    withCleanDevice(async (device) => {
      const f = (z: Value): Value =>
        add(sin(mul(at(z, 0), at(z, 1))), mul(cos(at(z, 2)), add(exp(at(z, 0)), exp(at(z, 1)))));
      const swap = ([p, q, r]: Vector): Vector => [q!, p!, r!];
      const [to, from] = [
        [1, -0.5, 2],
        [0.25, 0.5, -1],
      ];
      const one = await integratedHessians(f, point(to), { device, baseline: point(from) });
      const other = await integratedHessians(f, point(swap(to)), { device, baseline: point(swap(from)) });
      const order = [1, 0, 2];
      const { data } = one.interactions;
      expect(Math.abs(data[0]! - data[4]!)).toBeGreaterThan(0.1);
      expectNear(
        other.interactions.data,
        order.flatMap((i) => order.map((j) => data[3 * i + j]!)),
        2e-6,
      );
    }));

  // Interactions are zero between parts that are added, and those of a part sum to its own change.
  test("independent parts do not interact, and each explains itself", () =>
    withCleanDevice(async (device) => {
      const g = (p: Value, q: Value): Value => exp(mul(sin(p), q));
      const f = (z: Value): Value => add(g(at(z, 0), at(z, 1)), softplus(mul(at(z, 2), at(z, 3))));
      const { interactions } = await integratedHessians(f, point([1, 2, -1, 0.5]), {
        device,
        baseline: point([-0.5, 1, 0.5, 2]),
        nodes: 32,
      });
      const block = (i: number, j: number): number[] =>
        [0, 1].flatMap((p) => [0, 1].map((q) => interactions.data[(2 * i + p) * 4 + 2 * j + q]!));
      expect([...block(0, 1), ...block(1, 0)].every((v) => v === 0)).toBe(true);
      const total = (values: number[]): number => values.reduce((a, v) => a + v, 0);
      const first = (p: number, q: number): number => Math.exp(Math.sin(p) * q);
      const second = (p: number, q: number): number => Math.log1p(Math.exp(p * q));
      expect(total(block(0, 0))).toBeCloseTo(first(1, 2) - first(-0.5, 1), 4);
      expect(total(block(1, 1))).toBeCloseTo(second(-1, 0.5) - second(0.5, 2), 4);
    }));
});
