// Recurrent Keras layers from files made here, against the same sums written out.
import { describe, expect, test } from "vitest";
import { loadTfjsLayers } from "../../src/nn/import/tfjs.ts";
import { compile } from "../../src/compiler/program.ts";
import { modelFunction } from "../../src/nn/model.ts";
import { integratedGradients } from "../../src/attribution/index.ts";
import { FormatError, hostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";

type Weights = Readonly<Record<string, readonly [shape: number[], data: number[]]>>;

/** A Sequential of a embedding of 3 tokens in 1 number, for sequences of two, and another layer. */
function file(className: string, config: object, weights: Weights, cell = "") {
  const layers = [
    {
      class_name: "Embedding",
      config: { name: "e", input_dim: 3, output_dim: 1, batch_input_shape: [null, 2], dtype: "float32" },
    },
    { class_name: className, config: { name: "r", units: 1, ...config } },
  ];
  const all = [
    [
      "e/embeddings",
      [
        [3, 1],
        [-1, 0.5, 2],
      ],
    ] as const,
    ...Object.entries(weights).map(([k, w]) => [`r/${cell}${k}`, w] as const),
  ];
  const json = {
    modelTopology: { class_name: "Sequential", config: layers },
    weightsManifest: [{ paths: ["w"], weights: all.map(([name, [shape]]) => ({ name, shape, dtype: "float32" })) }],
  };
  const data = Float32Array.from(all.flatMap(([, [, numbers]]) => numbers));
  return { json, read: () => Promise.resolve(new Uint8Array(data.buffer)) };
}

async function outputOf({ json, read }: ReturnType<typeof file>): Promise<number[]> {
  let result: number[] = [];
  await withCleanDevice(async (device) => {
    const model = await loadTfjsLayers(device, json, read);
    const x = device.tensor([0, 2], [1, 2], "i32");
    const [y] = await compile(device, modelFunction(model), [{ shape: [1, 2], dtype: "i32" }]).runAndRead([x]);
    result = [...y!.data];
    x.dispose();
    model.dispose();
  });
  return result;
}

const s = (x: number): number => 1 / (1 + Math.exp(-x));
const tokens = [-1, 2];
const [k, r, b] = [
  [0.3, -0.2, 0.7, 0.4],
  [0.5, 0.1, -0.6, 0.2],
  [0, 1, 0.1, -0.1],
];

describe("Keras", () => {
  const weights: Weights = { kernel: [[1, 4], k], recurrent_kernel: [[1, 4], r], bias: [[4], b] };
  const step = (
    [h, c]: readonly [number, number],
    x: number,
    kernel = k,
    recurrent = r,
    bias = b,
  ): [number, number] => {
    const z = kernel.map((w, j) => w * x + recurrent[j]! * h + bias[j]!);
    const next = s(z[1]!) * c + s(z[0]!) * Math.tanh(z[2]!);
    return [s(z[3]!) * Math.tanh(next), next];
  };

  test("an embedding and an LSTM, also with the names of newer versions", async () => {
    const [h] = tokens.reduce<[number, number]>((state, x) => step(state, x), [0, 0]);
    const settings = { activation: "tanh", recurrent_activation: "sigmoid" };
    for (const cell of ["", "lstm_cell/"]) {
      const [y] = await outputOf(file("LSTM", settings, weights, cell));
      expect(y).toBeCloseTo(h, 6);
    }
  });

  test("backwards, in the order in which it went", async () => {
    const first = step([0, 0], 2);
    const y = await outputOf(file("LSTM", { return_sequences: true, go_backwards: true }, weights));
    expect(y[0]).toBeCloseTo(first[0], 6);
    expect(y[1]).toBeCloseTo(step(first, -1)[0], 6);
  });

  test("both directions, with weights of their own and the steps in order", async () => {
    const turned = (v: number[]): number[] => v.map((z) => -0.5 * z);
    const both: Weights = Object.fromEntries(
      Object.entries(weights).flatMap(([kind, [shape, data]]) => [
        [`forward_lstm/lstm_cell/${kind}`, [shape, data]],
        [`backward_lstm/lstm_cell/${kind}`, [shape, turned(data)]],
      ]),
    );
    const there = [step([0, 0], -1), step(step([0, 0], -1), 2)].map(([h]) => h);
    const halved = (state: readonly [number, number], x: number) => step(state, x, turned(k), turned(r), turned(b));
    const back = [halved(halved([0, 0], 2), -1), halved([0, 0], 2)].map(([h]) => h);
    const layer = (config: object, mode?: string | null) => ({
      layer: { class_name: "LSTM", config: { name: "lstm", units: 1, ...config } },
      ...(mode !== undefined && { merge_mode: mode }),
    });
    const check = async (config: object, expected: readonly number[]): Promise<void> => {
      const y = await outputOf(file("Bidirectional", config, both));
      expect(y).toHaveLength(expected.length);
      expected.forEach((v, i) => expect(y[i]).toBeCloseTo(v, 6));
    };
    const all = { return_sequences: true };
    await check(layer(all), [there[0]!, back[0]!, there[1]!, back[1]!]);
    await check(layer(all, "sum"), [there[0]! + back[0]!, there[1]! + back[1]!]);
    await check(layer({}, "mul"), [there[1]! * back[0]!]);
    await check(layer({}, "ave"), [(there[1]! + back[0]!) / 2]);
    await expect(check(layer({}, null), [])).rejects.toThrow(/merge_mode null; supported are concat, sum, mul, ave/);
    const dense = { layer: { class_name: "Dense", config: { name: "lstm" } } };
    await expect(check(dense, [])).rejects.toThrow(/Bidirectional layer "r" wraps Dense; supported are LSTM, GRU/);
  });

  test("a GRU whose reset gate comes after the product", async () => {
    const given: Weights = {
      kernel: [[1, 3], k.slice(0, 3)],
      recurrent_kernel: [[1, 3], r.slice(0, 3)],
      bias: [
        [2, 3],
        [0, 1, 0.1, 0.3, -0.1, 0.2],
      ],
    };
    const h = tokens.reduce((state, x) => {
      const from = [0, 1, 2].map((j) => k[j]! * x + [0, 1, 0.1][j]!);
      const back = [0, 1, 2].map((j) => r[j]! * state + [0.3, -0.1, 0.2][j]!);
      const [z, reset] = [s(from[0]! + back[0]!), s(from[1]! + back[1]!)];
      return z * state + (1 - z) * Math.tanh(from[2]! + reset * back[2]!);
    }, 0);
    const [y] = await outputOf(file("GRU", { reset_after: true }, given));
    expect(y).toBeCloseTo(h, 6);
  });

  test("ids are whole numbers, whatever the file says; those outside the vocabulary are refused", () =>
    withCleanDevice(async (device) => {
      const { json, read } = file("LSTM", {}, weights);
      const model = await loadTfjsLayers(device, json, read);
      expect(model.inputs).toEqual([{ name: "input", shape: [2], dtype: "i32" }]);
      const explained = (ids: number[], dtype: "i32" | "f32" = "i32") =>
        integratedGradients(model, hostArray(ids, [1, 2], dtype), { target: 0, layer: "e", baselineOf: "layer" });
      const { delta, attributions } = await explained([0, 2]);
      expect(attributions.shape).toEqual([1, 2, 1]);
      expect(delta.data[0]).toBeCloseTo(0, 5);
      await expect(explained([0, 3])).rejects.toThrow(/id 3 at element 1 of \[1, 2\] .* 3 rows, 0 to 2/);
      await expect(explained([0, 2], "f32")).rejects.toThrow(/expected i32, got f32/);
      model.dispose();
    }));

  test("weights with another number of gates are refused with what was expected", async () => {
    const three: Weights = {
      kernel: [[1, 3], k.slice(1)],
      recurrent_kernel: [[1, 3], r.slice(1)],
      bias: [[3], b.slice(1)],
    };
    await expect(outputOf(file("LSTM", {}, three))).rejects.toThrow(
      /LSTM.*"r".*recurrent weights \[1, 4\].*got \[1, 3\]/,
    );
  });

  test("other functions in the cell, and kept states, are refused", async () => {
    const refused = (config: object) => outputOf(file("LSTM", config, weights));
    await expect(refused({ recurrent_activation: "hard_sigmoid" })).rejects.toThrow(/"hard_sigmoid"; supported are/);
    await expect(refused({ stateful: true })).rejects.toThrow(FormatError);
    await expect(outputOf(file("LSTM", {}, { kernel: weights["kernel"]! }))).rejects.toThrow(
      /lacks its weight "recurrent_kernel"/,
    );
  });
});
