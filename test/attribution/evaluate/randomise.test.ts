// Layers of a model, and copies of it with other weights.
import { describe, expect, test } from "vitest";
import { integratedGradients } from "../../../src/attribution/index.ts";
import { parameterLayers, randomised, truncatedNormal } from "../../../src/attribution/evaluate/index.ts";
import { copyModel } from "../../../src/attribution/evaluate/randomise.ts";
import { compile } from "../../../src/compiler/program.ts";
import { add, matmul, mul, relu, transpose } from "../../../src/kernels/index.ts";
import {
  activation,
  conv,
  dense,
  flatten,
  modelFunction,
  modelOf,
  random,
  sequential,
  type Model,
} from "../../../src/nn/index.ts";
import type { Device, HostArray } from "../../../src/tensor/index.ts";
import { withCleanDevice } from "../../gpu.ts";
import { draw, drawArray } from "../networks.ts";

const network = sequential([
  ["first", conv(1, 2, { kernel: 3 })],
  ["relu", activation(relu)],
  ["flat", flatten()],
  ["second", dense(32, 5)],
  ["relu again", activation(relu)],
  ["last", dense(5, 3)],
]);
const x = drawArray([2, 1, 6, 6], 1);

async function withModel(work: (model: Model, device: Device) => Promise<void>): Promise<void> {
  await withCleanDevice(async (device) => {
    const model = modelOf(network, network.init(device, 3), [1, 6, 6]);
    try {
      await work(model, device);
    } finally {
      model.dispose();
    }
  });
}

async function outputOf(model: Model, input: HostArray): Promise<number[]> {
  using tensor = model.device.tensor(input);
  const [y] = await compile(model.device, modelFunction(model), [input]).runAndRead([tensor]);
  return Array.from(y!.data);
}

describe("layers", () => {
  test("are found from the output to the input", () =>
    withModel(async (model) => {
      expect(parameterLayers(model)).toEqual([
        { name: "last", parameters: ["last.weight", "last.bias"] },
        { name: "second", parameters: ["second.weight", "second.bias"] },
        { name: "first", parameters: ["first.weight", "first.bias"] },
      ]);
    }));

  test("by use, where names say nothing, and through what is computed of a weight", () =>
    withCleanDevice(async (device) => {
      const tensors = {
        bias_b: device.tensor(draw(2, 1)),
        "onnx::MatMul_7": device.tensor(draw(6, 2), [2, 3]),
        bias_a: device.tensor(draw(3, 3)),
        "onnx::MatMul_9": device.tensor(draw(6, 4), [2, 3]),
        unused: device.tensor([1, 2]),
        table: device.tensor([1, 2], [2], "i32"),
        "blocks/scale:0": device.tensor([2]),
      };
      const model: Model = {
        device,
        inputs: [{ name: "v", shape: [2], dtype: "f32" }],
        parameters: tensors,
        apply: ({ v }) => {
          const hidden = add(matmul(v!, tensors["onnx::MatMul_7"]), tensors.bias_a);
          const out = add(matmul(relu(hidden), transpose(mul(tensors["onnx::MatMul_9"], 2))), tensors.bias_b);
          return mul(out, tensors["blocks/scale:0"]);
        },
        dispose: () => Object.values(tensors).forEach((t) => t.dispose()),
      };
      expect(parameterLayers(model)).toEqual([
        { name: "blocks", parameters: ["blocks/scale:0"] },
        { name: "onnx::MatMul_9", parameters: ["onnx::MatMul_9", "bias_b"] },
        { name: "onnx::MatMul_7", parameters: ["onnx::MatMul_7", "bias_a"] },
      ]);
      model.dispose();
      await Promise.resolve();
    }));
});

describe("a copy", () => {
  test("computes what the model computes, and follows overwritten weights through compiled programs", () =>
    withModel(async (model, device) => {
      const copy = await copyModel(model);
      try {
        const expected = await outputOf(model, x);
        expect(await outputOf(copy, x)).toEqual(expected);
        using input = device.tensor(x);
        const program = compile(device, modelFunction(copy), [x]);
        copy.overwrite("last.weight", { ...copy.originals["last.weight"]!, data: new Float32Array(15) });
        const [y] = await program.runAndRead([input]);
        const bias = Array.from(copy.originals["last.bias"]!.data);
        expect([...y!.data]).toEqual([...bias, ...bias]);
        expect(await outputOf(model, x)).toEqual(expected);
        copy.overwrite("last.weight", copy.originals["last.weight"]!);
        expect(Array.from((await program.runAndRead([input]))[0]!.data)).toEqual(expected);
      } finally {
        copy.dispose();
      }
    }));

  test("shows its layers to a tap, which may replace them", () =>
    withModel(async (model) => {
      const copy = await copyModel(model);
      try {
        const options = { target: 1, layer: "relu again", baselineOf: "layer", steps: 3 } as const;
        const expected = await integratedGradients(model, x, options);
        const got = await integratedGradients(copy, x, options);
        expect(got.attributions).toEqual(expected.attributions);
        copy.overwrite("second.bias", { ...copy.originals["second.bias"]!, data: new Float32Array(5).fill(1) });
        const other = await integratedGradients(copy, x, options);
        expect(other.attributions).not.toEqual(expected.attributions);
      } finally {
        copy.dispose();
      }
    }));
});

describe("randomised", () => {
  test("redraws the named layers only, the same for the same seed", () =>
    withModel(async (model, device) => {
      const names = Object.keys(model.parameters);
      const before = await device.read(names.map((name) => model.parameters[name]!));
      for (const [seed, layers] of [
        [0, ["last"]],
        [5, ["first", "second"]],
      ] as const) {
        const [one, same, other] = [
          await randomised(model, { layers, seed, sigma: 0.5 }),
          await randomised(model, { layers, seed, sigma: 0.5 }),
          await randomised(model, { seed: 9, sigma: 0.5 }),
        ];
        try {
          const [a, b, c] = await Promise.all(
            [one, same, other].map((m) => device.read(names.map((name) => m.parameters[name]!))),
          );
          expect(a).toEqual(b);
          names.forEach((name, i) => {
            const drawn = layers.some((layer) => name.startsWith(`${layer}.`));
            if (drawn) expect(a![i]).not.toEqual(before[i]);
            else expect(a![i]).toEqual(before[i]);
            expect(c![i]).not.toEqual(a![i]);
          });
        } finally {
          [one, same, other].forEach((m) => m.dispose());
        }
      }
      expect(await device.read(names.map((name) => model.parameters[name]!))).toEqual(before);
    }));

  test("refuses layers that do not exist, and impossible spreads", () =>
    withModel(async (model) => {
      await expect(randomised(model, { layers: ["relu"] })).rejects.toThrow(
        'there is no layer "relu" with parameters; there are "last", "second", "first"',
      );
      await expect(randomised(model, { sigma: 0 })).rejects.toThrow("sigma: expected a number > 0, got 0");
    }));

  test("numbers follow a normal distribution cut at two standard deviations", () => {
    const { data } = truncatedNormal(0.01)([40_000], random("numbers"));
    const moments = [1, 2, 4].map((p) => Array.from(data).reduce((s, v) => s + (v / 0.01) ** p, 0) / data.length);
    // Of the truncated distribution: variance 1 - 4 phi(2) / (Phi(2) - Phi(-2)); fourth moment 3 variance - 16 phi(2) / (...).
    const cut = 0.05399096651318806 / 0.9544997361036416;
    const variance = 1 - 4 * cut;
    expect(Math.abs(moments[0]!)).toBeLessThan(0.02);
    expect(moments[1]).toBeCloseTo(variance, 1.7);
    expect(moments[2]).toBeCloseTo(3 * variance - 16 * cut, 1);
    expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(0.02);
  });
});
