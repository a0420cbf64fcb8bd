import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readNpmFile } from "../../src/cli/fetch.ts";
import { decodePicture, pictureInput } from "../../src/cli/picture.ts";
import { pictureFormat } from "../../src/cli/preprocess.ts";
import { compile } from "../../src/compiler/program.ts";
import { modelFunction, type Model } from "../../src/nn/model.ts";
import { readSafetensors } from "../../src/nn/import/safetensors.ts";
import { loadTfjsGraph, loadTfjsLayers } from "../../src/nn/import/tfjs.ts";
import { withCleanDevice } from "../gpu.ts";
import { folderReader, sharedPath } from "./materials.ts";

async function outputOf(model: Model, data: ArrayLike<number>): Promise<number[]> {
  const shape = [1, ...model.inputs[0]!.shape];
  const x = model.device.tensor(data, shape);
  const [y] = await compile(model.device, modelFunction(model), [{ shape }]).runAndRead([x]);
  x.dispose();
  return [...y!.data];
}

describe("TensorFlow.js models", () => {
  test("emotion: the astronaut smiles", () =>
    withCleanDevice(async (device) => {
      const file = (path: string) => readNpmFile("@vladmandic/human", "3.3.6", `models/${path}`);
      const classes = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
      const model = await loadTfjsGraph(device, new TextDecoder().decode(await file("emotion.json")), file, {
        classes,
      });
      expect(model.inputs).toEqual([{ name: "input_1", shape: [1, 64, 64], dtype: "f32" }]);
      const picture = decodePicture(readFileSync("assets/astronaut-face.png"), "the face");
      const format = pictureFormat(model.inputs[0]!.shape, { scale: 1 / 127.5, offset: -1 });
      const scores = await outputOf(model, pictureInput(picture, format).data);
      expect(scores[classes.indexOf("happy")]).toBeGreaterThan(0.999);
      model.dispose();
    }));

  test("Tiny Darknet: the logits of chelsea are those of the f64 truth", () =>
    withCleanDevice(async (device) => {
      const folder = sharedPath("data/tiny-darknet");
      const golden = sharedPath("golden-real/tiny_darknet_chelsea");
      if (folder === undefined || golden === undefined) return;
      const read = folderReader(folder);
      const model = await loadTfjsLayers(device, readFileSync(`${folder}/model.json`, "utf8"), read);
      expect(model.inputs).toEqual([{ name: "input_1", shape: [3, 224, 224], dtype: "f32" }]);
      const truth = readSafetensors(readFileSync(`${golden}/tensors.safetensors`));
      const { f_x, top5 } = JSON.parse(readFileSync(`${golden}/case.json`, "utf8")) as {
        f_x: number;
        top5: [number, string, number][];
      };
      const pixels = truth["in.x_u8"]!.data as Uint8Array;
      const logits = await outputOf(
        model,
        Float32Array.from(pixels, (p) => p / 255),
      );
      expect(logits[7]).toBeCloseTo(f_x, 3);
      for (const [index, , logit] of top5) expect(Math.abs(logits[index]! - logit)).toBeLessThan(1e-3);
      model.dispose();
    }));

  test("DoodleNet: a circle", () =>
    withCleanDevice(async (device) => {
      const folder = sharedPath("data/doodlenet");
      if (folder === undefined) return;
      const classes = readFileSync(`${folder}/class_names.txt`, "utf8").trim().split("\n");
      const model = await loadTfjsLayers(device, readFileSync(`${folder}/model.json`, "utf8"), folderReader(folder), {
        classes,
      });
      const circle = Float32Array.from({ length: 28 * 28 }, (_, i) => {
        const distance = Math.abs(Math.hypot((i % 28) - 13.5, Math.floor(i / 28) - 13.5) - 10);
        return Math.min(1, Math.max(0, 1.2 - distance));
      });
      const scores = await outputOf(model, circle);
      expect(classes[scores.indexOf(Math.max(...scores))]).toBe("circle");
      model.dispose();
    }));
});
