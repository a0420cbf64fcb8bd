// Bits and small integers between forward and backward pass: the same results, fewer bytes, more steps at once.
import { describe, expect, test } from "vitest";
import { integratedGradients } from "../../src/attribution/index.ts";
import { planChunks } from "../../src/attribution/chunks.ts";
import { chunkPrograms, groupCost, planPath } from "../../src/attribution/path-chunks.ts";
import { gradientIntegrand } from "../../src/attribution/path-graphs.ts";
import { PathIntegral } from "../../src/attribution/path.ts";
import { hvp, jacobian, vjpGraph } from "../../src/autograd/index.ts";
import { compile, type Program, type ProgramOptions } from "../../src/compiler/program.ts";
import { packSaved } from "../../src/compiler/saved.ts";
import { input, lift } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { dependents, reachable, trace, type Graph } from "../../src/graph/trace.ts";
import {
  abs,
  add,
  clamp,
  conv2d,
  greater,
  leakyRelu,
  logicalAnd,
  matmul,
  maxPool2d,
  maximum,
  mul,
  relu,
  reshape,
  select,
  sum,
  tanh,
  transpose,
} from "../../src/kernels/index.ts";
import { fromHost } from "../../src/reference/array.ts";
import { evaluate } from "../../src/reference/evaluate.ts";
import { generator, randomArray, type Range } from "../../src/reference/random.ts";
import { hostArray, numel, type Device, type HostArray, type Shape, type Tensor } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { expectClose } from "../kernels/harness.ts";

type Fn = (x: Value, ...weights: Value[]) => Value;

/** The gradient of `ct . fn(x, ...weights)` by x; `ct` is the last input. */
function gradientOf(fn: Fn, shapes: readonly Shape[]): Graph {
  const { inputs, outputs } = trace(fn, shapes.map((shape) => ({ shape }))); // prettier-ignore
  const ct = input(outputs[0]!.shape, "f32", "ct");
  return { inputs: [...inputs, ct], outputs: [vjpGraph(outputs, [inputs[0]!], [ct])[0]!] };
}

const lenet: Fn = (x, k1, k2, w, v) => {
  const first = maxPool2d(relu(conv2d(x, k1)), { kernel: 2 });
  const second = maxPool2d(relu(conv2d(first, k2)), { kernel: 2 });
  return matmul(relu(matmul(reshape(second, [x.shape[0]!, -1]), w)), v);
};
const lenetWeights: readonly Shape[] = [
  [8, 1, 5, 5],
  [16, 8, 5, 5],
  [256, 64],
  [64, 10],
];

/** Five pairs of a convolution and a rectifier on 32 x 32, a pooling after every second. */
const deep: Fn = (x, ...kernels) => {
  const last = kernels.pop()!;
  const y = kernels.reduce((v, k, i) => {
    const z = relu(conv2d(v, k, { padding: 1 }));
    return i % 2 === 1 ? maxPool2d(z, { kernel: 2 }) : z;
  }, x);
  return matmul(reshape(y, [x.shape[0]!, -1]), last);
};
const deepWeights: readonly Shape[] = [
  [8, 3, 3, 3],
  [8, 8, 3, 3],
  [16, 8, 3, 3],
  [16, 16, 3, 3],
  [16, 16, 3, 3],
  [1024, 10],
];

/** Bytes of what dispatches that depend on the cotangent read of those that do not, weights and inputs apart. */
function savedBytes({ steps, graph }: Program): number {
  const ct = graph.inputs.at(-1)!;
  const backward = dependents(reachable(steps.flatMap(({ writes }) => writes)), [ct]);
  const isBackward = ({ writes }: Program["steps"][number]): boolean => writes.some((y) => backward.has(y));
  const forward = new Set(steps.filter((step) => !isBackward(step)).flatMap(({ writes }) => writes));
  const read = new Set(steps.filter(isBackward).flatMap(({ reads }) => reads.filter((x) => forward.has(x))));
  return [...read].reduce((bytes, x) => bytes + 4 * numel(x.shape), 0);
}

/** Runs a graph on the device, with other random arrays for another `seed`. */
const arraysFor = ({ inputs }: Graph, ranges: readonly Omit<Range, "shape">[] = [], seed = 5): HostArray[] => {
  const random = generator(seed);
  return inputs.map(({ shape }, i) => hostArray(randomArray({ shape, ...ranges[i] }, random).data, shape));
};

async function run(
  device: Device,
  graph: Graph,
  arrays: readonly HostArray[],
  options: ProgramOptions = {},
): Promise<{ readonly program: Program; readonly results: HostArray[] }> {
  const program = compile(device, graph, [], options);
  const tensors = arrays.map((a) => device.tensor(a));
  try {
    return { program, results: await program.runAndRead(tensors) };
  } finally {
    tensors.forEach((t) => t.dispose());
  }
}

/** Equal to the bit with and without packing, and close to double precision. */
async function expectSame(graph: Graph, saved: "bits" | "values"): Promise<void> {
  await withCleanDevice(async (device) => {
    const arrays = arraysFor(graph);
    const plain = await run(device, graph, arrays);
    const packed = await run(device, graph, arrays, { saved: packSaved });
    expect(plain.program.plan.saved).toBe("values");
    expect(packed.program.plan.saved).toBe(saved);
    const truth = evaluate(graph, arrays.map(fromHost));
    packed.results.forEach(({ data }, i) => {
      expect(data).toEqual(plain.results[i]!.data);
      expectClose(data, truth[i]!.data, 2e-5);
      expect(data.some((v) => v !== 0)).toBe(true);
    });
  });
}

describe("the same gradients", () => {
  const square = (extent: number): Shape => [extent, extent];
  const dense = (f: (x: Value) => Value): Fn => {
    return (x, ...ws) => ws.reduce((y, w, i) => (i < ws.length - 1 ? f(matmul(y, w)) : matmul(y, w)), x);
  };
  const layers: Shape[] = [[3, 7], [7, 7], square(7), square(7), [7, 2]];
  const wide: Shape[] = [[5, 8], [8, 64], square(64), square(64), [64, 4]];
  const pooled =
    (options: Parameters<typeof maxPool2d>[1]): Fn =>
    (x, k1, k2, w) => {
      const y = maxPool2d(conv2d(x, k1, { padding: 1 }), options);
      return matmul(reshape(relu(conv2d(relu(y), k2, { padding: 1 })), [x.shape[0]!, -1]), w);
    };

  const networks: Readonly<Record<string, [Fn, ...Shape[]]>> = {
    "three examples of a convolutional network": [lenet, [3, 1, 13, 13], [3, 1, 2, 2], [2, 3, 3, 3], [8, 5], [5, 3]],
    "dense layers of odd sizes": [dense(relu), ...layers],
    "dense layers, four elements at once": [dense(relu), ...wide],
    "leaky rectifiers": [dense((x) => leakyRelu(x, { slope: 0.2 })), ...layers],
    "rectifiers with two limits": [dense((x) => clamp(x, -0.2, 0.3)), ...layers],
    "maxima of two values": [dense((x) => maximum(x, mul(x, 0.3))), ...layers],
    "choices written by hand": [
      dense((x) => select(logicalAnd(greater(x, -0.5), greater(0.4, x)), mul(x, 2), mul(x, 0.1))),
      ...wide,
    ],
    "a transposed mask": [
      (x, w, v) => matmul(transpose(relu(matmul(matmul(relu(matmul(x, w)), v), v))), x),
      [6, 6],
      [6, 6],
      [6, 6],
    ],
    "overlapping windows with padding": [
      pooled({ kernel: 3, stride: 2, padding: 1 }),
      [2, 2, 9, 11],
      [3, 2, 3, 3],
      [2, 3, 3, 3],
      [2 * 5 * 6, 3],
    ],
    "dilated windows of 25 elements": [
      pooled({ kernel: 5, stride: [2, 3], dilation: [1, 2], padding: [2, 1] }),
      [2, 1, 12, 13],
      [2, 1, 3, 3],
      [2, 2, 3, 3],
      [2 * 6 * 3, 3],
    ],
    "a residual connection": [
      (x, w, v) => matmul(add(relu(matmul(relu(matmul(x, w)), w)), relu(matmul(x, w))), v),
      [5, 9],
      [9, 9],
      [9, 3],
    ],
  };
  for (const [name, [fn, ...shapes]] of Object.entries(networks)) {
    test(name, () => expectSame(gradientOf(fn, shapes), "bits"));
  }

  test("for all outputs at once: masks without the axis of outputs", () => {
    const specs = layers.map((shape) => ({ shape }));
    const all = trace((x, ...ws) => jacobian((y: Value) => dense(relu)(y, ...ws))(x), specs);
    return expectSame(all, "bits");
  });

  test("and Hessian-vector products", () => {
    const specs = [layers[0]!, ...layers].map((shape) => ({ shape }));
    const squares = (y: Value): Value => sum(mul(y, y));
    const product = trace((v, x, ...ws) => hvp((y: Value) => squares(dense(relu)(y, ...ws)))(x, v), specs);
    return expectSame(product, "bits");
  });

  test("where nothing is only compared: no further dispatch", () =>
    expectSame(gradientOf(dense(tanh), layers), "values"));

  test("where values are needed anyway", () =>
    // The derivative of the square reads what the mask is made of.
    expectSame(gradientOf((x, w) => matmul(mul(abs(matmul(x, w)), relu(matmul(x, w))), w), [[4, 4], [4, 4]]), "values")); // prettier-ignore
});

describe("memory", () => {
  test("between the passes of a ReLU network falls by an order of magnitude", () =>
    withCleanDevice((device) => {
      const [values, bits] = [undefined, packSaved].map((saved) =>
        compile(device, gradientOf(lenet, [[50, 1, 28, 28], ...lenetWeights]), [], { saved }),
      ) as [Program, Program];
      // Rectified values 8 x 24 x 24, 16 x 8 x 8 and 64, and indices 8 x 12 x 12 and 16 x 4 x 4, of 50 examples.
      expect(savedBytes(values)).toBe(50 * 4 * (4608 + 1024 + 64 + 1152 + 256));
      // One bit for each of the former, two for each of the latter; the dense layer's values are soon read.
      const words = [4608, 1024, 2 * 1152, 2 * 256].map((n) => 16 * Math.ceil((50 * n) / 128));
      expect(savedBytes(bits)).toBe(words.reduce((a, b) => a + b) + 50 * 4 * 64);
      expect(savedBytes(values) / savedBytes(bits)).toBeGreaterThan(20);
      expect(bits.plan.bytes).toBeLessThan(0.85 * values.plan.bytes);
      expect(bits.plan.dispatches).toBe(values.plan.dispatches + 4);
    }));

  test("of a deeper network falls by more than half, and with it the number of chunks", () =>
    withNetwork(deep, deepWeights, [1, 3, 32, 32], async (model, x, device) => {
      const memoryBudget = 2 ** 20;
      using path = await PathIntegral.open(model, x, { memoryBudget, target: 0 });
      const integrand = gradientIntegrand(path.shape);
      const cost = (saved?: ProgramOptions["saved"]) => (m: number, steps: number) =>
        groupCost(chunkPrograms(path, integrand, m, steps, false, { saved }));
      expect(cost(packSaved)(1, 50).bytes).toBeLessThan(0.6 * cost()(1, 50).bytes);
      const values = planChunks({ device, baselines: 1, steps: 50, budget: memoryBudget, cost: cost() });
      expect(values.memoryBound).toBe(true);
      const { plan, programs } = planPath(path, { steps: 50, nodes: [], weights: [] }, integrand);
      expect(programs.chunk.program.plan.saved).toBe("bits");
      expect(plan.chunksPerGroup).toBeLessThan(0.7 * values.chunksPerGroup);
      expect(groupCost(programs).bytes).toBeLessThanOrEqual(memoryBudget);
    }));
});

/** A network with its weights on the device. */
const withNetwork = (
  fn: Fn,
  weights: readonly Shape[],
  example: Shape,
  work: (model: (x: Value) => Value, x: HostArray, device: Device) => Promise<void>,
): Promise<void> =>
  withCleanDevice(async (device) => {
    const random = generator(8);
    const tensors: Tensor[] = weights.map((shape) => {
      const limit = 1.7 / Math.sqrt(numel(shape.slice(1)));
      return device.tensor(randomArray({ shape, low: -limit, high: limit }, random).data, shape);
    });
    const x = hostArray(randomArray({ shape: example }, random).data, example);
    try {
      await work((y) => fn(y, ...tensors.map((t) => lift(t))), x, device);
    } finally {
      tensors.forEach((t) => t.dispose());
    }
  });

describe("Integrated Gradients", () => {
  const weights: readonly Shape[] = [
    [4, 1, 3, 3],
    [6, 4, 3, 3],
    [150, 3],
  ];
  const small: Fn = (x, k1, k2, w) => {
    const second = maxPool2d(relu(conv2d(relu(conv2d(x, k1)), k2)), { kernel: 2 });
    return matmul(reshape(second, [x.shape[0]!, -1]), w);
  };
  test("keep bits only where memory is short, with the same result", () =>
    withNetwork(small, weights, [2, 1, 14, 14], async (model, x) => {
      const plain = await integratedGradients(model, x, { steps: 30 });
      expect(plain.plan).toMatchObject({ saved: "values", chunks: 1 });
      const packed = await integratedGradients(model, x, { steps: 30, memoryBudget: plain.plan.bytes - 1 });
      expect(packed.plan).toMatchObject({ saved: "bits", chunks: 1, submits: 1 });
      expect(packed.plan.bytes).toBeLessThan(plain.plan.bytes);
      expect(packed.attributions.data).toEqual(plain.attributions.data);
      expect(packed.delta.data).toEqual(plain.delta.data);
      const chunked = await integratedGradients(model, x, { steps: 30, memoryBudget: 0.3 * plain.plan.bytes });
      expect(chunked.plan.chunks).toBeGreaterThan(1);
      expect(chunked.plan.bytes).toBeLessThanOrEqual(0.3 * plain.plan.bytes);
      expectClose(chunked.attributions.data, plain.attributions.data, 1e-5);
    }));
});
