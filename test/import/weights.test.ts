import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/tensor/errors.ts";
import { readWeights, type WeightGroup } from "../../src/nn/import/tfjs/weights.ts";

const bytes = (...parts: ArrayBufferView[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(parts.flatMap((part) => [...new Uint8Array(part.buffer, part.byteOffset, part.byteLength)]));

describe("weights of TensorFlow.js", () => {
  test("every stored form, in one buffer or in shards", async () => {
    const groups: WeightGroup[] = [
      {
        paths: ["a", "b"],
        weights: [
          { name: "plain", shape: [2], dtype: "float32" },
          { name: "affine", shape: [3], dtype: "float32", quantization: { dtype: "uint8", scale: 0.5, min: -1 } },
          { name: "wide", shape: [1], dtype: "float32", quantization: { dtype: "uint16", scale: 2, min: 1 } },
        ],
      },
      {
        paths: ["c"],
        weights: [
          { name: "half", shape: [2], dtype: "float32", quantization: { dtype: "float16" } },
          { name: "whole", shape: [], dtype: "int32" },
        ],
      },
    ];
    const first = bytes(Float32Array.of(1.5, -2), Uint8Array.of(0, 1, 255), Uint16Array.of(65535));
    const second = bytes(Uint16Array.of(0x3c00, 0xc000), Int32Array.of(-7));
    const expected = { plain: [1.5, -2], affine: [-1, -0.5, 126.5], wide: [131071], half: [1, -2], whole: [-7] };
    const shards: Record<string, Uint8Array> = { a: first.subarray(0, 5), b: first.subarray(5), c: second };
    const joined = await readWeights(groups, bytes(first, second));
    const read = await readWeights(groups, (path) => Promise.resolve(shards[path]!));
    for (const found of [joined, read]) {
      expect(Object.fromEntries([...found].map(([name, { data }]) => [name, [...data]]))).toEqual(expected);
    }
  });

  test.each([
    ["too few bytes", [{ name: "w", shape: [2], dtype: "float32" }], 7, /"w" \[2\].*0 to 8.*7/],
    ["bytes left over", [{ name: "w", shape: [1], dtype: "float32" }], 8, /8 bytes.*4/],
    ["an unknown type", [{ name: "w", shape: [1], dtype: "complex64" }], 8, /"w" has type complex64/],
  ])("%s are refused", async (_what, weights, size, message) => {
    const reading = readWeights([{ paths: ["a"], weights }], new Uint8Array(size));
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(message);
  });

  test.each([
    ["../secret", /inside the model's folder/],
    ["a/../../secret", /inside the model's folder/],
    ["..\\secret", /inside the model's folder/],
    ["/etc/passwd", /inside the model's folder/],
    ["C:\\secret", /inside the model's folder/],
    ["file:secret", /inside the model's folder/],
    ["https://example.org/w.bin", /inside the model's folder/],
    ["%2e%2e/secret", /inside the model's folder/],
    ["", /inside the model's folder/],
    [7, /inside the model's folder/],
  ])("the shard %j is not opened", async (path, message) => {
    const opened: string[] = [];
    const groups = [{ paths: ["w.bin", path], weights: [] }] as unknown as WeightGroup[];
    const reading = readWeights(groups, (p) => (opened.push(p), Promise.resolve(new Uint8Array(0))));
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(message);
    expect(opened).toEqual([]);
  });

  const weight = { name: "w", shape: [1], dtype: "float32" };
  test.each([
    ["no list", { paths: [] }, /not a list/],
    ["a group of another kind", [null], /without paths or weights/],
    ["a shard named twice", [{ paths: ["a", "a"], weights: [] }], /"a" twice/],
    ["a negative length", [{ paths: ["a"], weights: [{ ...weight, shape: [-1] }] }], /"w" the shape \[-1\]/],
    ["no shape", [{ paths: ["a"], weights: [{ name: "w", dtype: "float32" }] }], /"w" the shape undefined/],
    ["a shape beyond all memory", [{ paths: ["a"], weights: [{ ...weight, shape: [2 ** 50, 2 ** 50] }] }], /cut short/],
    [
      "a type out of Object.prototype",
      [{ paths: ["a"], weights: [{ ...weight, dtype: "constructor" }] }],
      /constructor/,
    ],
    [
      "a scale that is no number",
      [{ paths: ["a"], weights: [{ ...weight, quantization: { dtype: "uint8", scale: "2" } }] }],
      /scale 2/,
    ],
  ])("%s is refused", async (_what, groups, message) => {
    const reading = readWeights(groups as unknown as WeightGroup[], () => Promise.resolve(new Uint8Array(4)));
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(message);
  });
});
