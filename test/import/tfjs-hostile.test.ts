import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/tensor/errors.ts";
import { OpenShapeError } from "../../src/nn/import/input-shape.ts";
import { loadTfjsGraph, loadTfjsLayers } from "../../src/nn/import/tfjs.ts";
import { withCleanDevice } from "../gpu.ts";

const bytes = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const weightsManifest = [{ paths: ["w.bin"], weights: [{ name: "dense/kernel", shape: [2, 2], dtype: "float32" }] }];
const first = { class_name: "InputLayer", config: { name: "x", batch_input_shape: [null, 2] } };
const dense = { class_name: "Dense", config: { name: "dense", use_bias: false } };
const layersModel = (...layers: unknown[]): object => ({
  modelTopology: { class_name: "Sequential", config: layers },
  weightsManifest,
});
const graphModel = (...node: unknown[]): object => ({ modelTopology: { node }, weightsManifest });
const placeholder = (...size: number[]): object => ({
  name: "x",
  op: "Placeholder",
  attr: { shape: { shape: { dim: size.map((n) => ({ size: n })) } } },
});
const weight = { name: "dense/kernel", op: "Const" };
const product = { name: "h", op: "MatMul", input: ["x", "dense/kernel"] };

describe("damaged or hostile layers models", () => {
  test.each([
    ["no JSON", "{", /not JSON/],
    ["no object", "null", /one JSON object/],
    ["a graph model", graphModel(placeholder(-1, 2)), /is it a graph model/],
    ["no layers", layersModel(), /damaged/],
    ["a layer that is none", layersModel(first, null), /damaged/],
    ["an open input", layersModel({ ...first, config: { name: "x", batch_input_shape: [null, null] } }, dense), /open/],
    [
      "an unknown layer after an upload",
      layersModel(first, dense, { class_name: "Foo", config: { name: "f" } }),
      /Foo/,
    ],
    ["a weight that is missing", layersModel(first, { ...dense, config: { name: "other" } }), /"other".*kernel/],
    [
      "an absurd attribute after an upload",
      layersModel(first, dense, { class_name: "Reshape", config: { name: "r", target_shape: null } }),
      /"r"/,
    ],
  ])("%s is refused, and nothing stays on the device", (_what, json, message) =>
    withCleanDevice(async (device) => {
      const loading = loadTfjsLayers(device, json, bytes);
      await expect(loading).rejects.toThrow(FormatError);
      await expect(loading).rejects.toThrow(message);
    }),
  );

  test("truncated shards", () =>
    withCleanDevice(async (device) => {
      for (const size of [0, 3, 15]) {
        const read = (): Promise<Uint8Array> => Promise.resolve(bytes.subarray(0, size));
        await expect(loadTfjsLayers(device, layersModel(first, dense), read)).rejects.toThrow(
          /"dense\/kernel".*cut short/,
        );
      }
    }));

  test("a size that the file leaves open", () =>
    withCleanDevice(async (device) => {
      const open = layersModel({ ...first, config: { name: "x", batch_input_shape: [null, null] } }, dense);
      await expect(loadTfjsLayers(device, open, bytes)).rejects.toThrow(OpenShapeError);
      const model = await loadTfjsLayers(device, open, bytes, { inputShapes: [2] });
      expect(model.inputs[0]!.shape).toEqual([2]);
      model.dispose();
    }));
});

describe("damaged or hostile graph models", () => {
  test.each([
    ["a layers model", layersModel(first, dense), /is it a layers model/],
    ["a node that is none", graphModel(placeholder(-1, 2), null), /damaged/],
    ["an open input", graphModel(placeholder(-1, -1), weight, product), /open/],
    [
      "a circle",
      graphModel(
        placeholder(-1, 2),
        { name: "a", op: "Relu", input: ["b"] },
        { name: "b", op: "Relu", input: ["a"] },
        { name: "c", op: "Relu", input: ["a"] },
      ),
      /depends on itself/,
    ],
    [
      "an operator that is not supported, after an upload",
      graphModel(placeholder(-1, 2), weight, product, { name: "f", op: "Foo", input: ["h"] }),
      /Foo/,
    ],
    [
      "an absurd attribute after an upload",
      graphModel(
        placeholder(-1, 2),
        weight,
        product,
        { name: "s", op: "Softplus", input: ["h"], attr: 3 },
        { name: "r", op: "Mean", input: ["s"] },
      ),
      /"r"/,
    ],
  ])("%s is refused, and nothing stays on the device", (_what, json, message) =>
    withCleanDevice(async (device) => {
      const loading = loadTfjsGraph(device, json, bytes);
      await expect(loading).rejects.toThrow(FormatError);
      await expect(loading).rejects.toThrow(message);
    }),
  );

  test("a file for batches of four takes batches of four", () =>
    withCleanDevice(async (device) => {
      const model = await loadTfjsGraph(device, graphModel(placeholder(4, 2), weight, product), bytes);
      expect(model.inputs[0]!.shape).toEqual([2]);
      model.dispose();
    }));
});
