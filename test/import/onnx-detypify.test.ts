import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fetchNpmFile, readNpmFile } from "../../src/cli/fetch.ts";
import { compile } from "../../src/compiler/program.ts";
import { modelFunction } from "../../src/nn/model.ts";
import { loadOnnx } from "../../src/nn/import/onnx.ts";
import { readSafetensors } from "../../src/nn/import/safetensors.ts";
import { withCleanDevice } from "../gpu.ts";
import { drawings, drawStrokes } from "../../scripts/drawing.ts";

const detypify = ["detypify-service", "0.3.0"] as const;

describe("detypify", () => {
  // detypify.safetensors holds the logits of onnxruntime-node 1.30 on the same drawings.
  test("logits are those of onnxruntime", () =>
    withCleanDevice(async (device) => {
      const labels = JSON.parse(readFileSync(await fetchNpmFile(...detypify, "train/infer.json"), "utf8")) as {
        char: string;
      }[];
      const model = await loadOnnx(device, await readNpmFile(...detypify, "train/model.onnx"), {
        classes: labels.map(({ char }) => char),
      });
      expect(model.inputs).toEqual([{ name: "x", shape: [1, 224, 224], dtype: "f32" }]);
      const program = compile(device, modelFunction(model), [{ shape: [1, 1, 224, 224] }]);
      const expected = readSafetensors(readFileSync(new URL("detypify.safetensors", import.meta.url)));
      for (const [char, strokes] of Object.entries(drawings)) {
        const x = device.tensor(drawStrokes(strokes), [1, 1, 224, 224]);
        const [logits] = await program.runAndRead([x]);
        const wanted = expected[char]!.data as Float32Array;
        expect(logits!.shape).toEqual([1, 411]);
        const error = Math.max(...Array.from(logits!.data, (v, i) => Math.abs(v - wanted[i]!)));
        expect(error, char).toBeLessThan(1e-3);
        expect(model.classes![logits!.data.indexOf(Math.max(...logits!.data))]).toBe(char);
        x.dispose();
      }
      model.dispose();
    }));

  test("the file is made for one picture; a batch is computed all the same", () =>
    withCleanDevice(async (device) => {
      const model = await loadOnnx(device, await readNpmFile(...detypify, "train/model.onnx"));
      const pictures = Object.values(drawings).slice(0, 2).map(drawStrokes);
      const x = device.tensor(
        pictures.flatMap((p) => [...p]),
        [2, 1, 224, 224],
      );
      const [logits] = await compile(device, modelFunction(model), [x]).runAndRead([x]);
      expect(logits!.shape).toEqual([2, 411]);
      const expected = readSafetensors(readFileSync(new URL("detypify.safetensors", import.meta.url)));
      const wanted = Object.keys(drawings)
        .slice(0, 2)
        .flatMap((char) => [...(expected[char]!.data as Float32Array)]);
      expect(Math.max(...wanted.map((v, i) => Math.abs(v - logits!.data[i]!)))).toBeLessThan(1e-3);
      x.dispose();
      model.dispose();
    }));
});
