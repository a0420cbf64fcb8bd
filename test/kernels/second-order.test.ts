// Second derivatives on the device against double precision: Hessian-vector products of networks that meet every family
// of kernels, with an axis for tangents and one for points, and a whole Hessian.
import { describe, expect, test } from "vitest";
import { hessian } from "../../src/autograd/api.ts";
import type { Node, Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { avgPool2d, conv2d, index, matmul, maxPool2d, reshape, softmax, softplus } from "../../src/kernels/index.ts";
import { fromHost, worstError, type Array64 } from "../../src/reference/array.ts";
import { evaluate } from "../../src/reference/evaluate.ts";
import { generator, randomArray, type Range } from "../../src/reference/random.ts";
import { verify } from "../../src/reference/verify.ts";
import { hostArray, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { networks, productsOf } from "../rules/second-order-networks.ts";
import { run } from "./run.ts";

const TOLERANCE = 3e-4;
const hostOf = ({ data, shape }: Array64, dtype: Range["dtype"] = "f32"): HostArray => hostArray(data, shape, dtype);

describe("Hessian-vector products of 3 tangents at 2 points", () => {
  for (const [name, network] of Object.entries(networks)) {
    test(name, () =>
      withCleanDevice(async (device) => {
        const { inputs, batched, tangents, atPoints, points } = productsOf(network, 3, 2);
        const random = generator(11);
        const draw = (node: Node, range: Range): HostArray =>
          hostOf(randomArray({ ...range, shape: node.shape }, random), range.dtype);
        const arrays = [
          ...inputs.map((x, i) => draw(x, network.inputs[i]!)),
          draw(tangents, { shape: tangents.shape }),
          draw(points, network.inputs[0]!),
        ];
        const graph = { inputs: [...inputs, tangents, points], outputs: [batched, atPoints] };
        const errors = await verify(device, graph, arrays);
        for (const { error } of errors) expect(error).toBeLessThan(TOLERANCE);
      }),
    );
  }
});

test("the Hessian of convolution, pooling and softmax", async () => {
  const specs: Range[] = [
    { shape: [1, 1, 6, 6], distinct: true },
    { shape: [3, 1, 3, 3] },
    { shape: [3, 4], low: -2, high: 2 },
  ];
  const fn = (x: Value, kernel: Value, dense: Value): Value =>
    hessian((image) => {
      const pooled = maxPool2d(softplus(conv2d(image, kernel), { beta: 10 }), { kernel: 2 });
      return index(softmax(matmul(reshape(avgPool2d(pooled, { kernel: 2 }), [1, 3]), dense)), 1, 1);
    })(x);
  const random = generator(2);
  const values = specs.map((range) => randomArray(range, random));
  const [got] = await run(fn, ...values.map((v) => hostOf(v)));
  const [truth] = evaluate(trace(fn, specs), values);
  expect(got!.shape).toEqual([1, 1, 6, 6, 1, 1, 6, 6]);
  // Something to compare: and the truth itself is symmetric.
  const n = 36;
  const transposed = { ...truth!, data: truth!.data.map((_, k) => truth!.data[(k % n) * n + Math.floor(k / n)]!) };
  expect(Math.max(...truth!.data.map(Math.abs))).toBeGreaterThan(1e-2);
  expect(worstError(transposed, truth!)).toBeLessThan(1e-12);
  expect(worstError(fromHost(got!), truth!)).toBeLessThan(TOLERANCE);
});
