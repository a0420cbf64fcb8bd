import minimal from "protobufjs/minimal.js";
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compiler/program.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import { loadOnnx } from "../../src/nn/import/onnx.ts";
import { withCleanDevice } from "../gpu.ts";

/** Writes protobuf: a list of [field, content], where a list is a message, text or a number itself. */
type Field = readonly [number, Field[] | string | number | Float32Array];

function encode(fields: readonly Field[]): Uint8Array {
  const writer = minimal.Writer.create();
  for (const [field, content] of fields) {
    if (typeof content === "number") writer.uint32(field << 3).int32(content);
    else if (typeof content === "string") writer.uint32((field << 3) | 2).string(content);
    else if (content instanceof Float32Array) writer.uint32((field << 3) | 2).bytes(new Uint8Array(content.buffer));
    else writer.uint32((field << 3) | 2).bytes(encode(content));
  }
  return writer.finish();
}

const dims = (...sizes: (number | string)[]): Field[] =>
  sizes.map((size): Field => [1, [[typeof size === "number" ? 1 : 2, size]]]);
const valueInfo = (name: string, ...shape: (number | string)[]): Field[] => [
  [1, name],
  [
    2,
    [
      [
        1,
        [
          [1, 1],
          [2, dims(...shape)],
        ],
      ],
    ],
  ],
];
const node = (op: string, inputs: string[], output: string, name = ""): Field => [
  1,
  [...inputs.map((i): Field => [1, i]), [2, output], [3, name], [4, op]],
];
const weight = (name: string, shape: number[], data: number[]): Field => [
  5,
  [...shape.map((n): Field => [1, n]), [2, 1], [8, name], [9, Float32Array.from(data)]],
];
const model = (...graph: Field[]): Uint8Array =>
  encode([
    [8, [[2, 13]]],
    [7, graph],
  ]);

const small = model(
  weight("w", [2, 2], [1, 2, 3, 4]),
  [11, valueInfo("x", 1, 2)],
  node("MatMul", ["x", "w"], "h"),
  node("Relu", ["h"], "y"),
  [12, [[1, "y"]]],
);

describe("loadOnnx", () => {
  test("names inputs and weights, shows intermediate values, and takes a batch", () =>
    withCleanDevice(async (device) => {
      const loaded = await loadOnnx(device, small);
      expect(loaded.inputs).toEqual([{ name: "x", shape: [2], dtype: "f32" }]);
      expect(Object.keys(loaded.parameters)).toEqual(["w"]);
      const seen: string[] = [];
      compile(device, (x) => loaded.apply({ x }, (name, value) => (seen.push(name), value)) as typeof x, [
        { shape: [1, 2] },
      ]);
      expect(seen).toEqual(["h", "y"]);
      const x = device.tensor([1, 1, -1, 0], [2, 2]);
      const [y] = await compile(device, (v) => loaded.apply({ x: v }) as typeof v, [x]).runAndRead([x]);
      expect([...y!.data]).toEqual([4, 6, 0, 0]);
      expect(y!.shape).toEqual([2, 2]);
      x.dispose();
      loaded.dispose();
    }));

  test("any value of the graph can be an output", () =>
    withCleanDevice(async (device) => {
      const loaded = await loadOnnx(device, small, { outputs: ["h", "y"] });
      compile(device, (x) => Object.values(loaded.apply({ x }) as Record<string, typeof x>), [{ shape: [1, 2] }]);
      await expect(loadOnnx(device, small, { outputs: ["z"] })).rejects.toThrow(/"z"/);
      loaded.dispose();
    }));

  test.each([
    ["no bytes", new Uint8Array(0), /no graph/],
    ["text", new TextEncoder().encode("<!doctype html><html></html>"), /onnx/],
    ["a file cut short", small.subarray(0, small.length - 9), /cut short|ends inside|past its end/],
    [
      "an unknown operator",
      model([11, valueInfo("x", 1, 2)], node("Foo", ["x"], "y", "n1"), [12, [[1, "y"]]]),
      /Foo.*"n1".*supported are.*Conv/,
    ],
    [
      "a name that nothing defines",
      model([11, valueInfo("x", 1, 2)], node("Add", ["x", "q"], "y"), [12, [[1, "y"]]]),
      /"q"/,
    ],
    [
      "an open dimension",
      model([11, valueInfo("x", 1, "length")], node("Relu", ["x"], "y"), [12, [[1, "y"]]]),
      /length.*inputShapes/,
    ],
    [
      "too little data",
      model(weight("w", [3, 3], [1, 2]), [11, valueInfo("x", 1, 2)], node("Relu", ["x"], "y"), [12, [[1, "y"]]]),
      /"w".*9 elements.*2/,
    ],
    [
      "shapes that do not fit",
      model(weight("w", [3], [1, 2, 3]), [11, valueInfo("x", 1, 2)], node("Add", ["x", "w"], "y", "sum"), [
        12,
        [[1, "y"]],
      ]),
      /Add node "sum".*broadcast/,
    ],
  ])("%s is refused", (_what, bytes, message) =>
    withCleanDevice(async (device) => {
      const loading = loadOnnx(device, bytes);
      await expect(loading).rejects.toThrow(FormatError);
      await expect(loading).rejects.toThrow(message);
    }),
  );
});
