// Dense networks of any depth twice: traced, and in double precision loops that nothing else uses.
import type { Value } from "../../src/graph/node.ts";
import * as k from "../../src/kernels/index.ts";
import type { Device } from "../../src/tensor/index.ts";
import { draw, type ScoreTruth, type Vector } from "./networks.ts";

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

/** As it is traced, and in double precision: value and derivative. */
export const ACTIVATIONS = {
  relu: [k.relu, (z: number) => Math.max(z, 0), (z: number) => Number(z > 0)],
  tanh: [k.tanh, Math.tanh, (z: number) => 1 - Math.tanh(z) ** 2],
  sigmoid: [k.sigmoid, sigmoid, (z: number) => sigmoid(z) * sigmoid(-z)],
  softplus: [
    (x: Value) => k.softplus(x, { beta: 3 }),
    (z: number) => Math.log1p(Math.exp(3 * z)) / 3,
    (z: number) => sigmoid(3 * z),
  ],
  silu: [k.silu, (z: number) => z * sigmoid(z), (z: number) => sigmoid(z) * (1 + z * sigmoid(-z))],
  leakyRelu: [
    (x: Value) => k.leakyRelu(x, { slope: 0.2 }),
    (z: number) => (z > 0 ? z : 0.2 * z),
    (z: number) => (z > 0 ? 1 : 0.2),
  ],
} as const;
export type ActivationName = keyof typeof ACTIVATIONS;

/** A dense network of any depth: in double precision, and traced. */
export class Network {
  readonly weights: number[][];
  readonly biases: number[][];

  constructor(
    readonly widths: readonly number[],
    readonly kind: ActivationName = "relu",
    readonly biased = true,
  ) {
    this.weights = widths.slice(1).map((n, l) => draw(widths[l]! * n, 7 + l, 2 / Math.sqrt(widths[l]!)));
    this.biases = widths.slice(1).map((n, l) => draw(n, 70 + l, biased ? 0.5 : 0));
  }

  /** Values before the activations of all layers; the last are the outputs. */
  private forward(x: Vector): number[][] {
    const [, f] = ACTIVATIONS[this.kind];
    const all: number[][] = [];
    this.weights.forEach((w, l) => {
      const below = l === 0 ? x : all[l - 1]!.map(f);
      const n = this.widths[l + 1]!;
      all.push(
        Array.from({ length: n }, (_, j) => below.reduce((sum, a, i) => sum + a * w[i * n + j]!, this.biases[l]![j]!)),
      );
    });
    return all;
  }

  logits = (x: Vector): number[] => this.forward(x).at(-1)!;

  gradient(x: Vector, score: ScoreTruth): number[] {
    const [, , slope] = ACTIVATIONS[this.kind];
    const all = this.forward(x);
    let back = score.slope(all.at(-1)!);
    for (let l = this.weights.length - 1; l >= 0; l--) {
      const w = this.weights[l]!;
      const above = back;
      back = Array.from({ length: this.widths[l]! }, (_, i) => {
        const sum = above.reduce((s, d, j) => s + d * w[i * above.length + j]!, 0);
        return l === 0 ? sum : sum * slope(all[l - 1]![i]!);
      });
    }
    return back;
  }

  integral(score: ScoreTruth, x: Vector, from: Vector, nodes: Vector, weights: Vector): number[] {
    const sums = x.map(() => 0);
    nodes.forEach((a, s) => {
      const at = x.map((v, i) => from[i]! + a * (v - from[i]!));
      this.gradient(at, score).forEach((g, i) => (sums[i]! += weights[s]! * g));
    });
    return sums.map((g, i) => g * (x[i]! - from[i]!));
  }

  on(device: Device): Disposable & { readonly model: (x: Value) => Value } {
    const [activate] = ACTIVATIONS[this.kind];
    const layers = this.weights.map((w, l) => ({
      w: device.tensor(w, this.widths.slice(l, l + 2)),
      b: device.tensor(this.biases[l]!),
    }));
    const dense = (x: Value, l: number): Value =>
      this.biased ? k.add(k.matmul(x, layers[l]!.w), layers[l]!.b) : k.matmul(x, layers[l]!.w);
    return {
      model: (x) => layers.reduce((y, _, l) => dense(l === 0 ? y : activate(y), l), x),
      [Symbol.dispose]: () => layers.forEach(({ w, b }) => [w, b].forEach((t) => t.dispose())),
    };
  }
}
