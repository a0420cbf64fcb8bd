// What an attribution costs, in numbers that do not depend on the machine: dispatches, submits, readbacks, pipelines,
// operations, bytes.
import { describe, expect, test } from "vitest";
import { integratedGradients, type Plan } from "../../src/attribution/index.ts";
import { lift } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, conv2d, index, matmul, maxPool2d, relu, reshape } from "../../src/kernels/index.ts";
import { lstmSequence } from "../../src/nn/index.ts";
import { numel, type Device, type Shape, type Tensor } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { drawArray } from "./networks.ts";

interface Network {
  readonly model: (x: Value) => Value;
  readonly x: Tensor;
}

type Weights = (...shape: number[]) => Value;
type Build = (weights: Weights) => { readonly input: Shape; readonly model: (x: Value) => Value };

const mlp =
  (...sizes: number[]): Build =>
  (weights) => {
    const layers = sizes.slice(1).map((out, i) => ({ w: weights(sizes[i]!, out), b: weights(out) }));
    const model = (x: Value): Value => layers.reduce((v, { w, b }, i) => add(matmul(i > 0 ? relu(v) : v, w), b), x);
    return { input: [sizes[0]!], model };
  };

const cnn: Build = (weights) => {
  const [first, second, last] = [weights(4, 2, 3, 3), weights(6, 4, 3, 3), weights(6 * 4 * 4, 3)];
  const model = (x: Value): Value => {
    const pooled = maxPool2d(relu(conv2d(x, first, { padding: 1 })), { kernel: 2 });
    const deep = maxPool2d(relu(conv2d(pooled, second, { padding: 1 })), { kernel: 2 });
    return matmul(reshape(deep, [x.shape[0]!, -1]), last);
  };
  return { input: [2, 16, 16], model };
};

const lstm =
  (time: number): Build =>
  (weights) => {
    const of = { input: weights(3, 16), recurrent: weights(4, 16), bias: weights(16) };
    const last = weights(4, 3);
    return { input: [time, 3], model: (x) => matmul(index(lstmSequence(x, of).sequence, 1, time - 1), last) };
  };

/** A network and an example on a device of its own. */
const withNetwork = (build: Build, work: (network: Network, device: Device) => Promise<void>): Promise<void> =>
  withCleanDevice(async (device) => {
    const tensors: Tensor[] = [];
    const upload = (shape: Shape): Tensor => {
      const tensor = device.tensor(drawArray(shape, tensors.length + 1, 1 / Math.sqrt(numel(shape.slice(0, -1)) || 1)));
      tensors.push(tensor);
      return tensor;
    };
    const { input, model } = build((...shape) => lift(upload(shape)));
    try {
      await work({ model, x: upload([1, ...input]) }, device);
    } finally {
      tensors.forEach((tensor) => tensor.dispose());
    }
  });

const networks: Readonly<Record<string, Build>> = {
  "dense layers": mlp(8, 32, 32, 3),
  convolutions: cnn,
  "an LSTM": lstm(6),
};

describe.each(Object.entries(networks))("Integrated Gradients of %s", (name, build) => {
  test("take as many dispatches for 3 steps as for 60, hardly another pipeline, one submit, one readback", () =>
    withNetwork(build, async ({ model, x }, device) => {
      const run = async (steps: number) => {
        const before = { ...device.counters };
        const { plan } = await integratedGradients(model, x, { steps });
        const did = (name: keyof typeof before): number => device.counters[name] - before[name];
        expect(plan).toMatchObject({ chunks: 1, submits: 1, dispatches: did("dispatches") });
        expect([did("submits"), did("readbacks")]).toEqual([1, 1]);
        return { ...plan, compiled: did("pipelines") };
      };
      const few = await run(3);
      for (const steps of [20, 60]) {
        const { dispatches, dispatchesPerChunk, pipelines, compiled } = await run(steps);
        expect([dispatches, dispatchesPerChunk]).toEqual([few.dispatches, few.dispatchesPerChunk]);
        // Products of more rows may take other tiles.
        expect(pipelines).toBeLessThanOrEqual(few.pipelines + 2);
        expect(compiled).toBeLessThanOrEqual(1);
      }
      // Many more elements may take other kernels than few: larger tiles, an activation in the product's kernel.
      const many = await run(1000);
      expect(many.dispatches).toBeLessThanOrEqual(few.dispatches);
      expect(many.pipelines).toBeLessThanOrEqual(few.pipelines + 4);
    }));

  test("in chunks take at most one submit for each, one readback, and the same dispatches however many", () =>
    withNetwork(build, async ({ model, x }, device) => {
      const { plan: whole } = await integratedGradients(model, x, { steps: 60 });
      // Where bits are kept for the backward pass, there are dispatches that pack them.
      const dispatches = { values: new Set<number>(), bits: new Set<number>() };
      // A single step of the LSTM takes half of what all take.
      for (const share of name === "an LSTM" ? [0.8, 0.6] : [0.45, 0.4]) {
        const before = { ...device.counters };
        const { plan } = await integratedGradients(model, x, {
          steps: 60,
          memoryBudget: share * whole.bytes,
        });
        expect(plan.chunks).toBeGreaterThan(1);
        expect(plan.submits).toBe(device.counters.submits - before.submits);
        expect(plan.submits).toBeLessThanOrEqual(plan.chunks);
        expect(device.counters.readbacks - before.readbacks).toBe(1);
        dispatches[plan.saved!].add(plan.dispatchesPerChunk);
      }
      for (const counts of Object.values(dispatches)) expect(counts.size).toBeLessThanOrEqual(1);
    }));

  test("take the memory that was planned, within 5 %", () =>
    withNetwork(build, async ({ model, x }, device) => {
      const run = () => integratedGradients(model, x, { steps: 256 });
      await run();
      device.resetPeak();
      const { live } = device.memory;
      const { plan } = await run();
      const share = (device.memory.peak - live) / plan.bytes;
      expect(share).toBeLessThan(1.05);
      expect(share).toBeGreaterThan(0.95);
    }));
});

test("a longer sequence takes at most five dispatches a step, and hardly another pipeline", async () => {
  const plans: Plan[] = [];
  const times = [12, 24, 48];
  for (const time of times) {
    await withNetwork(lstm(time), async ({ model, x }) => {
      plans.push((await integratedGradients(model, x, { steps: 5 })).plan);
    });
  }
  times.slice(1).forEach((time, i) => {
    const [before, after] = [plans[i]!, plans[i + 1]!];
    expect((after.dispatches - before.dispatches) / (time - times[i]!)).toBeLessThanOrEqual(5);
  });
  // Sums over many steps are taken in several stages.
  expect(plans[2]!.pipelines - plans[0]!.pipelines).toBeLessThanOrEqual(2);
});

/**
 * Operations that dense layers cannot do without, a multiply-add counted as two. Once: the first layer at both ends and its
 * transpose, and the scores at both ends. Each step: the layers between the first and the last, forwards and backwards; the
 * output itself is not needed, and the last layer backwards is a row of weights.
 */
function leastOperations(sizes: readonly number[], steps: number): number {
  const products = sizes.slice(1).map((out, i) => 2 * sizes[i]! * out);
  const total = products.reduce((a, b) => a + b);
  const [first, last] = [products[0]!, products.at(-1)!];
  return 2 * total + first + steps * 2 * (total - first - last);
}

describe.each([
  [[64, 96, 96, 10], 50],
  [[32, 64, 48, 64, 5], 80],
] as const)("Integrated Gradients of dense layers %j with %i steps", (sizes, steps) => {
  test("take at most 1.1 times the operations that are needed", () =>
    withNetwork(mlp(...sizes), async ({ model, x }) => {
      const least = leastOperations(sizes, steps);
      const { plan } = await integratedGradients(model, x, { steps, target: 1 });
      expect(plan.flops).toBeGreaterThan(least);
      expect(plan.flops).toBeLessThan(1.1 * least);
      const everyStep = await integratedGradients(model, x, { steps, target: 1, hoist: false });
      expect(everyStep.plan.flops).toBeGreaterThan(least + steps * 2 * sizes[0] * sizes[1]);
    }));
});

test("the second product of a dense network costs hardly more for many steps than for few", () =>
  withNetwork(mlp(64, 256, 256, 10), async ({ model, x }) => {
    const [few, many] = [50, 400];
    const flops = async (steps: number) => (await integratedGradients(model, x, { steps, target: 1 })).plan.flops;
    expect(await flops(few)).toBeLessThan(leastOperations([64, 256, 256, 10], few) / 10);
    expect(await flops(many)).toBeLessThan(3 * (await flops(few)));
  }));
