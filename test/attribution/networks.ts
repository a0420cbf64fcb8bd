// Small networks twice: as functions that are traced, and in plain double-precision loops that nothing else uses.
import { expect } from "vitest";
import type { Value } from "../../src/graph/node.ts";
import type { Tap } from "../../src/nn/model.ts";
import { add, matmul, relu, tanh } from "../../src/kernels/index.ts";
import { hostArray, type Device, type HostArray, type Shape } from "../../src/tensor/index.ts";

export type Vector = readonly number[];

/** Reproducible f32 numbers in [-scale, scale). */
export function draw(count: number, seed: number, scale = 1): number[] {
  let state = seed * 2654435761;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround((state / 2 ** 31 - 1) * scale);
  });
}

export const drawArray = (shape: Shape, seed: number, scale = 1): HostArray =>
  hostArray(
    draw(
      shape.reduce((a, b) => a * b, 1),
      seed,
      scale,
    ),
    shape,
  );

/** Inputs -> hidden units -> classes, all in double precision. */
export class Mlp {
  readonly w1: number[];
  readonly b1: number[];
  readonly w2: number[];
  readonly b2: number[];

  constructor(
    readonly kind: "tanh" | "relu",
    readonly inputs = 4,
    readonly hidden = 5,
    readonly classes = 3,
    seed = 1,
  ) {
    this.w1 = draw(inputs * hidden, seed, 1.5);
    this.b1 = draw(hidden, seed + 1, 0.5);
    this.w2 = draw(hidden * classes, seed + 2, 1.5);
    this.b2 = draw(classes, seed + 3, 0.5);
  }

  private activations(x: Vector): { value: number; slope: number }[] {
    return Array.from({ length: this.hidden }, (_, h) => {
      let z = this.b1[h]!;
      for (let i = 0; i < this.inputs; i++) z += x[i]! * this.w1[i * this.hidden + h]!;
      if (this.kind === "relu") return { value: Math.max(z, 0), slope: z > 0 ? 1 : 0 };
      return { value: Math.tanh(z), slope: 1 - Math.tanh(z) ** 2 };
    });
  }

  logits(x: Vector): number[] {
    const a = this.activations(x);
    return Array.from({ length: this.classes }, (_, k) =>
      a.reduce((sum, { value }, h) => sum + value * this.w2[h * this.classes + k]!, this.b2[k]!),
    );
  }

  /** Gradient of `seed . logits` by the inputs. */
  gradient(x: Vector, seed: Vector): number[] {
    const back = this.activations(x).map(
      ({ slope }, h) => slope * seed.reduce((sum, s, k) => sum + s * this.w2[h * this.classes + k]!, 0),
    );
    return Array.from({ length: this.inputs }, (_, i) =>
      back.reduce((sum, b, h) => sum + b * this.w1[i * this.hidden + h]!, 0),
    );
  }

  /** The same network on a device; dispose of it with `using`. */
  on(device: Device): DeviceMlp {
    const [w1, b1, w2, b2] = [
      device.tensor(this.w1, [this.inputs, this.hidden]),
      device.tensor(this.b1),
      device.tensor(this.w2, [this.hidden, this.classes]),
      device.tensor(this.b2),
    ];
    const activate = this.kind === "relu" ? relu : tanh;
    return {
      model: (x, tap = (_, value) => value) => {
        const hidden = tap("hidden", activate(add(matmul(x, w1), b1)));
        return add(matmul(hidden, w2), b2);
      },
      [Symbol.dispose]: () => [w1, b1, w2, b2].forEach((t) => t.dispose()),
    };
  }
}

export interface DeviceMlp extends Disposable {
  readonly model: (x: Value, tap?: Tap) => Value;
}

/** Which number of the logits is explained, with its derivative by the logits. */
export interface ScoreTruth {
  value(logits: Vector): number;
  slope(logits: Vector): number[];
}

const softmax = (z: Vector): number[] => {
  const e = z.map((v) => Math.exp(v - Math.max(...z)));
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / total);
};

export const scoreTruth = {
  logit: (k: number): ScoreTruth => ({ value: (z) => z[k]!, slope: (z) => z.map((_, j) => (j === k ? 1 : 0)) }),
  probability: (k: number): ScoreTruth => ({
    value: (z) => softmax(z)[k]!,
    slope: (z) => softmax(z).map((p, j, all) => all[k]! * ((j === k ? 1 : 0) - p)),
  }),
  logProbability: (k: number): ScoreTruth => ({
    value: (z) => Math.log(softmax(z)[k]!),
    slope: (z) => softmax(z).map((p, j) => (j === k ? 1 : 0) - p),
  }),
};

/** Integrated Gradients with given nodes and weights, straight from the definition. */
export function integrate(
  net: Mlp,
  score: ScoreTruth,
  x: Vector,
  from: Vector,
  nodes: Vector,
  weights: Vector,
): number[] {
  const sum = x.map(() => 0);
  nodes.forEach((a, k) => {
    const z = x.map((v, i) => from[i]! + a * (v - from[i]!));
    net.gradient(z, score.slope(net.logits(z))).forEach((g, i) => (sum[i]! += weights[k]! * g));
  });
  return sum.map((s, i) => s * (x[i]! - from[i]!));
}

/** The integral itself: Simpson's rule with so many points that smooth integrands are exact to about 1e-12. */
export function integral(net: Mlp, score: ScoreTruth, x: Vector, from: Vector, cells = 2000): number[] {
  const nodes = Array.from({ length: cells + 1 }, (_, k) => k / cells);
  const weights = nodes.map((_, k) => (k === 0 || k === cells ? 1 : k % 2 === 1 ? 4 : 2) / (3 * cells));
  return integrate(net, score, x, from, nodes, weights);
}

/** Rows of a [B, n] array. */
export function rows({ data, shape }: HostArray): number[][] {
  const size = data.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, b) => Array.from(data.slice(b * size, (b + 1) * size)));
}

/** Largest difference, relative to the largest expected magnitude. */
export function worst(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1e-6, ...Array.from(expected, Math.abs));
  return Math.max(...Array.from(actual, (v, i) => Math.abs(v - expected[i]!))) / scale;
}

export function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(worst(actual, expected)).toBeLessThan(tolerance);
}

export const argmax = (z: ArrayLike<number>): number => Array.from(z).indexOf(Math.max(...Array.from(z)));
