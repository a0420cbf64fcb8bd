import minimal from "protobufjs/minimal.js";
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compiler/program.ts";
import { integratedGradients } from "../../src/attribution/index.ts";
import { ArgumentError, FormatError } from "../../src/tensor/errors.ts";
import { hostArray } from "../../src/tensor/host.ts";
import { OpenShapeError } from "../../src/nn/import/input-shape.ts";
import { loadOnnx } from "../../src/nn/import/onnx.ts";
import type { Model } from "../../src/nn/model.ts";
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

  const ids: Field = [11, [[1, "ids"], [2, [[1, [[1, 7], [2, dims(1, 3)]]]]]]]; // prettier-ignore

  test("token ids outside the table are refused by name", () =>
    withCleanDevice(async (device) => {
      const bytes = model(weight("table", [2, 1], [3, 5]), ids, node("Gather", ["table", "ids"], "e"), node("Flatten", ["e"], "y"), [12, [[1, "y"]]]); // prettier-ignore
      const loaded = await loadOnnx(device, bytes);
      const explained = (...tokens: number[]) =>
        integratedGradients(loaded, hostArray(tokens, [1, 3], "i32"), { target: 1, layer: "e", baselineOf: "layer" });
      const { attributions } = await explained(0, 1, 0);
      [0, 5, 0].forEach((v, t) => expect(attributions.data[t]).toBeCloseTo(v, 5));
      await expect(explained(0, 2, 0)).rejects.toThrow(/input "ids": id 2 at element 1 of \[1, 3\] .* 2 rows, 0 to 1/);
      await expect(integratedGradients(loaded, [[0, 1, 0]] as never)).rejects.toThrow(/input "ids": expected a tensor/);
      loaded.dispose();
    }));

  test("recurrent weights with another number of gates are refused", () =>
    withCleanDevice(async (device) => {
      const lstm = (rows: number): Uint8Array =>
        model(
          weight("w", [1, rows, 2], Array<number>(2 * rows).fill(1)),
          weight("r", [1, rows, 1], Array<number>(rows).fill(1)),
          [11, valueInfo("x", 3, 1, 2)],
          node("LSTM", ["x", "w", "r"], "y", "rnn"),
          [12, [[1, "y"]]],
        );
      (await loadOnnx(device, lstm(4))).dispose();
      await expect(loadOnnx(device, lstm(3))).rejects.toThrow(
        /LSTM node "rnn".*recurrent weights \[4, 1\] .*got \[3, 1\]/,
      );
    }));

  test("one shape stands for the inputs that are open", () =>
    withCleanDevice(async (device) => {
      const open = model([11, valueInfo("x", 1, "length")], node("Relu", ["x"], "y"), [12, [[1, "y"]]]);
      for (const inputShapes of [[3], { x: [3] }]) {
        const loaded = await loadOnnx(device, open, { inputShapes });
        expect(loaded.inputs).toEqual([{ name: "x", shape: [3], dtype: "f32" }]);
        loaded.dispose();
      }
      await expect(loadOnnx(device, open, { inputShapes: { z: [3] } })).rejects.toThrow(OpenShapeError);
      await expect(loadOnnx(device, open, { inputShapes: [-3] })).rejects.toThrow(ArgumentError);
    }));
});

/** A graph whose first node uploads its weight, and whose second is to blame. */
const afterUpload = (...graph: Field[]): Uint8Array =>
  model(weight("w", [2, 2], [1, 2, 3, 4]), [11, valueInfo("x", 1, 2)], node("MatMul", ["x", "w"], "h"), ...graph, [
    12,
    [[1, "y"]],
  ]);
const ints = (name: string, ...values: number[]): Field => [5, [[1, name], ...values.map((v): Field => [8, v])]];
const wholes = (name: string, ...values: number[]): Field => [
  1,
  [[2, name], [4, "Constant"], ints("value_ints", ...values)],
];

/** A loop of 1000 rounds around a graph, which collects one of its values. */
function loop(name: string, body: Field[], result: string): Field[] {
  const inner: Field[] = [[11, [[1, "i"]]], [11, [[1, "going"]]], ...body, [12, [[1, "going"]]], [12, [[1, result]]]];
  return [
    wholes(`${name}_list`, 1000),
    node("Squeeze", [`${name}_list`], `${name}_n`),
    [
      1,
      [
        [1, `${name}_n`],
        [1, ""],
        [2, name],
        [3, name],
        [4, "Loop"],
        [
          5,
          [
            [1, "body"],
            [6, inner],
          ],
        ],
      ],
    ],
  ];
}

describe("hostile .onnx files", () => {
  const doubled = Array.from({ length: 40 }, (_, k): Field => [
    1,
    [
      [1, `d${k}`],
      [1, `d${k}`],
      [2, `d${k + 1}`],
      [4, "Concat"],
      [
        5,
        [
          [1, "axis"],
          [3, 0],
        ],
      ],
    ],
  ]);
  const depths = loop("a", loop("b", loop("c", [wholes("y1", 1)], "y1"), "c"), "b");

  test.each([
    ["an operator that is not supported, after weights are uploaded", [node("Foo", ["h"], "y")], /Foo/],
    [
      "a constant beyond all memory",
      [wholes("n", 1e9, 1e9), node("ConstantOfShape", ["n"], "y", "big")],
      /"big".*1e\+18|"big".*1000000000000000000/,
    ],
    ["a negative shape", [wholes("n", -4), node("ConstantOfShape", ["n"], "y", "big")], /"big".*\[-4\] is no shape/],
    [
      "constants that double forty times",
      [wholes("d0", 1), ...doubled, node("Identity", ["d40"], "y")],
      /at most 16777216/,
    ],
    [
      "a permutation that is none",
      [[1, [[1, "h"], [2, "y"], [3, "t"], [4, "Transpose"], ints("perm", 7, 8)]] as Field],
      /"t"/,
    ],
    ["a billion rounds of nested loops", [...depths, node("Identity", ["h"], "y")], /grown beyond|goes round/],
  ] as [string, Field[], RegExp][])("%s: refused, and nothing stays on the device", (_what, graph, message) =>
    withCleanDevice(async (device) => {
      const loading = loadOnnx(device, afterUpload(...graph));
      await expect(loading).rejects.toThrow(message);
      await expect(loading).rejects.toThrow(FormatError);
    }),
  );

  test("every cut of a file, and every byte turned over, is a model or a FormatError", () =>
    withCleanDevice(async (device) => {
      const files = [
        ...Array.from(small, (_, size) => small.subarray(0, size)),
        ...Array.from(small, (byte, i) => small.with(i, byte ^ 0xff)),
      ];
      for (const bytes of files) {
        const loaded = await loadOnnx(device, bytes).catch((error: unknown) => error);
        if (loaded instanceof Error) expect(loaded, loaded.stack).toBeInstanceOf(FormatError);
        else (loaded as Model).dispose();
      }
    }));
});
