// Small networks with one scalar each, for tests of second derivatives: together they meet every family of operations.
import { batchGraph } from "../../src/autograd/batch.ts";
import { jvpGraph } from "../../src/autograd/jvp.ts";
import { vjpGraph } from "../../src/autograd/transpose.ts";
import { fill, input } from "../../src/graph/leaves.ts";
import type { Node, Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import {
  add,
  avgPool2d,
  concat,
  conv2d,
  embedding,
  flip,
  gelu,
  index,
  layerNorm,
  localResponseNorm,
  logSumExp,
  matmul,
  max,
  maxPool2d,
  mean,
  mul,
  pad,
  power,
  reshape,
  scatterAdd,
  sigmoid,
  sliceAxis,
  softmax,
  softplus,
  square,
  sum,
  tanh,
  transpose,
} from "../../src/kernels/index.ts";
import { numel } from "../../src/tensor/shape.ts";
import type { Array64 } from "../../src/reference/array.ts";
import { randomArray, type Range } from "../../src/reference/random.ts";

/** A scalar function; the first argument is the one that derivatives are taken by. */
export interface Network {
  readonly inputs: readonly Range[];
  readonly score: (x: Value, ...rest: Value[]) => Value;
}

const weights = (...shape: number[]): Range => ({ shape, low: -0.6, high: 0.6 });

export const networks: Readonly<Record<string, Network>> = {
  "convolution, local response norm, maximum, average, softmax": {
    inputs: [{ shape: [1, 2, 6, 6], distinct: true }, weights(3, 2, 3, 3), weights(4, 3, 2, 2), weights(4, 5)],
    score: (x, first, second, dense) => {
      const normal = localResponseNorm(softplus(conv2d(x, first, { padding: 1 }), { beta: 5 }), {
        size: 3,
        alpha: 0.5,
      });
      const features = avgPool2d(tanh(conv2d(maxPool2d(normal, { kernel: 2 }), second)), { kernel: 2 });
      return index(softmax(matmul(reshape(features, [1, 4]), dense)), 1, 2);
    },
  },
  "embedding, layer norm, attention, scattered sums": {
    inputs: [
      { shape: [6, 4], distinct: true },
      { shape: [5], dtype: "i32", high: 6 },
      { shape: [5], dtype: "i32", high: 3 },
      weights(4, 3),
      weights(4, 3),
      weights(4),
    ],
    score: (table, tokens, segments, q, k, out) => {
      const words = embedding(table, tokens);
      const normal = layerNorm(words, { epsilon: 0.1 });
      const attention = softmax(matmul(matmul(normal, q), matmul(normal, k), { transposeB: true }));
      const mixed = gelu(add(words, matmul(attention, words)));
      return sum(square(sum(mul(scatterAdd(segments, mixed, 3), out), -1)));
    },
  },
  "slices, concatenation, powers, a maximum and gates": {
    inputs: [{ shape: [3, 4], low: 0.3, high: 2, distinct: true }, weights(4, 4)],
    score: (x, w) => {
      const mirrored = concat(
        [
          flip(x, 1),
          transpose(
            pad(
              sliceAxis(x, 1, 1, 3),
              [
                [0, 1],
                [0, 0],
              ],
              0.7,
            ),
          ),
        ],
        0,
      );
      const gated = mul(sigmoid(matmul(mirrored, w)), power(mirrored, add(mirrored, 0.5)));
      return add(logSumExp(reshape(gated, [-1])), mul(max(reshape(x, [-1])), mean(square(gated))));
    },
  },
};

/** A Hessian-vector product as nodes, before and after it gets axes for tangents and for points. */
export interface Products {
  readonly inputs: readonly Node[];
  readonly tangent: Node;
  readonly gradient: Node;
  /** [...x] */
  readonly single: Node;
  /** [T, ...x], of tangents [T, ...x] */
  readonly batched: Node;
  readonly tangents: Node;
  /** [S, T, ...x], of points [S, ...x] that share the tangents */
  readonly atPoints: Node;
  readonly points: Node;
}

export function productsOf({ inputs: specs, score }: Network, count: number, points: number): Products {
  const { inputs, outputs } = trace((x, ...rest) => score(x, ...rest), specs);
  const [x, y] = [inputs[0]!, outputs[0]!];
  const gradient = vjpGraph([y], [x], [fill(y.shape, 1)])[0]!;
  const tangent = input(x.shape, "f32", "tangent");
  const single = jvpGraph([gradient], [x], [tangent])[0]!;
  const tangents = input([count, ...x.shape], "f32", "tangents");
  const batched = batchGraph([single], new Map([[tangent, tangents]]), count)[0]!.node;
  const xs = input([points, ...x.shape], "f32", "points");
  const atPoints = batchGraph([batched], new Map([[x, xs]]), points)[0]!.node;
  return { inputs, tangent, gradient, single, batched, tangents, atPoints, points: xs };
}

/** Arrays along a new first axis. */
export function stacked(rows: readonly Array64[]): Array64 {
  const { shape } = rows[0]!;
  const data = new Float64Array(rows.length * numel(shape));
  rows.forEach((row, i) => data.set(row.data, i * numel(shape)));
  return { shape: [rows.length, ...shape], data };
}

export const drawn = (range: Range, count: number, random: () => number): Array64[] =>
  Array.from({ length: count }, () => randomArray(range, random));
