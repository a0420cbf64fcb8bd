import { describe, expect, test } from "vitest";
import { compile } from "../../src/compiler/program.ts";
import { relu } from "../../src/kernels/choice.ts";
import { tanh } from "../../src/kernels/functions.ts";
import * as nn from "../../src/nn/index.ts";
import { AumannError, hostArray, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";

function* repeated(batch: readonly HostArray[], steps: number): Generator<readonly HostArray[]> {
  for (let i = 0; i < steps; i++) yield batch;
}

describe("training", () => {
  test("an MLP learns XOR with Adam", () =>
    withCleanDevice(async (device) => {
      const network = nn.sequential([
        ["hidden", nn.dense(2, 8, { initialiser: nn.xavierUniform })],
        ["tanh", nn.activation(tanh)],
        ["out", nn.dense(8, 1, { initialiser: nn.xavierUniform })],
      ]);
      const x = hostArray([0, 0, 0, 1, 1, 0, 1, 1], [4, 2]);
      const y = hostArray([0, 1, 1, 0], [4, 1]);
      const reports: number[] = [];
      const { parameters, steps, losses } = await nn.train(device, {
        parameters: network.init(device, "xor"),
        loss: (p, input, label) => nn.binaryCrossEntropy(network.apply(p, input), label),
        optimiser: nn.adam({ learningRate: 0.1 }),
        batches: repeated([x, y], 120),
        reportEvery: 40,
        onProgress: ({ step }) => reports.push(step),
      });
      expect(steps).toBe(120);
      expect(reports).toEqual([40, 80, 120]);
      expect(losses.at(-1)).toBeLessThan(0.05);
      const model = nn.modelOf(network, parameters, [2]);
      const input = device.tensor(x);
      const [logits] = await compile(device, nn.modelFunction(model), [x]).runAndRead([input]);
      expect([...logits!.data].map((z) => z > 0)).toEqual([false, true, true, false]);
      input.dispose();
      model.dispose();
    }));

  test("a CNN overfits a handful of pictures with momentum", () =>
    withCleanDevice(async (device) => {
      const network = nn.sequential([
        ["conv", nn.conv(1, 4, { kernel: 3, padding: "same" })],
        ["relu", nn.activation(relu)],
        ["pool", nn.maxPooling({ kernel: 2 })],
        ["flat", nn.flatten()],
        ["out", nn.dense(4 * 4 * 4, 3)],
      ]);
      const noise = nn.random("pictures");
      const x = hostArray(
        Float32Array.from({ length: 6 * 64 }, () => noise.normal()),
        [6, 1, 8, 8],
      );
      const labels = hostArray([0, 1, 2, 0, 1, 2], [6], "i32");
      const { parameters, losses } = await nn.train(device, {
        parameters: network.init(device, 1),
        loss: (p, input, label) => nn.crossEntropy(network.apply(p, input), label),
        optimiser: nn.sgd({ learningRate: 0.05, momentum: 0.9 }),
        batches: repeated([x, labels], 60),
        reportEvery: 20,
      });
      expect(losses[0]).toBeGreaterThan(losses.at(-1)!);
      expect(losses.at(-1)).toBeLessThan(0.05);
      for (const tensor of Object.values(parameters)) tensor.dispose();
    }));

  test("a signal ends training and keeps what was learnt", () =>
    withCleanDevice(async (device) => {
      const controller = new AbortController();
      const { parameters, steps } = await nn.train(device, {
        parameters: { w: device.tensor([3]) },
        loss: (p) => nn.meanSquaredError(p["w"]!, 0),
        optimiser: nn.sgd({ learningRate: 0.25 }),
        batches: repeated([], 10),
        reportEvery: 1,
        onProgress: ({ step }) => step === 2 && controller.abort(),
        signal: controller.signal,
      });
      expect(steps).toBe(2);
      // w <- w - 0.25 * 2 w, twice.
      expect([...(await parameters["w"]!.read()).data]).toEqual([0.75]);
      parameters["w"]!.dispose();
    }));

  test("a batch of another shape is refused, and nothing leaks", () =>
    withCleanDevice(async (device) => {
      const training = nn.train(device, {
        parameters: { w: device.tensor([1]) },
        loss: (p, x) => nn.meanSquaredError(p["w"]!, x),
        optimiser: nn.sgd({ learningRate: 0.1 }),
        batches: [[hostArray([1, 2])], [hostArray([1, 2, 3])]],
      });
      await expect(training).rejects.toThrow(AumannError);
    }));

  test("a loss that is not finite is reported, and nothing leaks", () =>
    withCleanDevice(async (device) => {
      const diverging = nn.train(device, {
        parameters: { w: device.tensor([1]) },
        loss: (p) => nn.meanSquaredError(p["w"]!, 0),
        optimiser: nn.sgd({ learningRate: 1e30 }),
        batches: repeated([], 10),
        reportEvery: 5,
      });
      await expect(diverging).rejects.toThrow(/loss is .* after 5 steps/);
    }));
});
