// Whole models on the device against double precision: fusion, memory reuse and shared residuals across many kernels.
import { describe, expect, test } from "vitest";
import { grad, hessian, hvp, jacobian } from "../../src/autograd/api.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { conv2d } from "../../src/kernels/conv.ts";
import { add, matmul, mean, mul, relu, reshape, softplus, sum, tanh } from "../../src/kernels/index.ts";
import { layerNorm } from "../../src/kernels/norm.ts";
import { avgPool2d, maxPool2d } from "../../src/kernels/pool.ts";
import { logSoftmax, softmax } from "../../src/kernels/softmax.ts";
import { generator, randomArray, type Range } from "../../src/reference/random.ts";
import { verify } from "../../src/reference/verify.ts";
import { fromHost } from "../../src/reference/array.ts";
import { evaluate, readConstants } from "../../src/reference/evaluate.ts";
import { hostArray } from "../../src/tensor/host.ts";
import { NumericError } from "../../src/tensor/errors.ts";
import { testDevice, withCleanDevice } from "../gpu.ts";

const small = (...shape: number[]): Range => ({ shape, low: -0.5, high: 0.5 });

async function worst(fn: (...xs: Value[]) => Value | readonly Value[], ranges: readonly Range[]): Promise<number> {
  const random = generator(3);
  const inputs = ranges.map((range) => hostArray(randomArray(range, random).data, range.shape, range.dtype ?? "f32"));
  const errors = await verify(await testDevice(), trace(fn, ranges), inputs);
  return Math.max(...errors.map(({ error }) => error));
}

const passes = (fn: (...xs: Value[]) => Value | readonly Value[], ranges: readonly Range[]) => () =>
  withCleanDevice(async () => expect(await worst(fn, ranges)).toBeLessThan(3e-5));

/** Images [N, 2, 6, 6] to log probabilities [N, 4]. */
function convolutional(image: Value, kernel: Value, pointwise: Value, dense: Value): Value {
  const first = maxPool2d(softplus(conv2d(image, kernel, { padding: 1 }), { beta: 5 }), { kernel: 2 });
  const second = avgPool2d(tanh(conv2d(first, pointwise)), { kernel: 3 });
  return logSoftmax(matmul(reshape(second, [-1, 5]), dense));
}
const convolutionalRanges = (images: number): Range[] => [
  { shape: [images, 2, 6, 6], distinct: true },
  small(3, 2, 3, 3),
  small(5, 3, 1, 1),
  small(5, 4),
];

function recurrent(h: Value, a: Value, b: Value): Value {
  let state = h;
  for (let step = 0; step < 4; step++) state = tanh(add(matmul(state, a), b));
  return sum(mul(state, state));
}

function attention(tokens: Value, q: Value, k: Value): Value {
  const normal = layerNorm(tokens, { epsilon: 0.01 });
  const weights = softmax(matmul(matmul(normal, q), matmul(normal, k), { transposeB: true }));
  return mean(matmul(weights, relu(tokens)), [-2, -1]);
}

describe("programs", () => {
  test(
    "a convolutional network with the gradients of all its arguments",
    passes((image, kernel, pointwise, dense) => {
      const score = (a: Value, b: Value, c: Value, d: Value): Value => sum(convolutional(a, b, c, d));
      const gradient = (argument: number): Value => grad(score, { argument })(image, kernel, pointwise, dense);
      return [convolutional(image, kernel, pointwise, dense), ...[0, 1, 2, 3].map(gradient)];
    }, convolutionalRanges(2)),
  );
  test(
    "the jacobian of a convolutional network",
    passes((x, a, b, c) => jacobian((image) => convolutional(image, a, b, c))(x), convolutionalRanges(1)),
  );
  test(
    "Hessian-vector product and hessian of a recurrent network",
    passes(
      (h, a, b, v) => {
        const f = (x: Value): Value => recurrent(x, a, b);
        return [hvp(f)(h, v), hessian(f)(h)];
      },
      [small(2, 3), small(3, 3), small(3), small(2, 3)],
    ),
  );
  test(
    "attention with its jacobian",
    passes(
      (x, q, k) => [attention(x, q, k), jacobian((t) => attention(t, q, k))(x)],
      [{ shape: [2, 3, 4], avoid: [0] }, small(4, 2), small(4, 2)],
    ),
  );
});

describe("verify", () => {
  test("reads captured tensors", () =>
    withCleanDevice(async (device) => {
      using w = device.tensor([1, 2, 3, 4, 5, 6], [3, 2]);
      const graph = trace((x) => matmul(x, w), [{ shape: [1, 3] }]);
      const input = hostArray([1, 0, -1], [1, 3]);
      expect(await verify(device, graph, [input], { tolerance: 1e-6 })).toEqual([{ shape: [1, 2], error: 0 }]);
      const constants = await readConstants(graph.outputs);
      expect([...evaluate(graph, [fromHost(input)], { constants })[0]!.data]).toEqual([-4, -4]);
    }));
  test("complains beyond a tolerance", () =>
    withCleanDevice(async (device) => {
      // 2^24 + 1 is not an f32.
      const graph = trace((x) => sum(x), [{ shape: [2] }]);
      const failing = verify(device, graph, [hostArray([16777216, 1])], { tolerance: 1e-9 });
      await expect(failing).rejects.toThrow(NumericError);
    }));
});
