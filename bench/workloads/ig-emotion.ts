import { decodePicture, pictureInput } from "../../src/cli/picture.ts";
import { loadTfjsGraph } from "../../src/nn/import/tfjs.ts";
import { realModelWorkload, type RealModel } from "./real-model.ts";

export const emotion: RealModel = {
  name: "ig-emotion",
  about: "one face 1x64x64, the emotion network of @vladmandic/human 3.3.6 (TF.js graph, mini-Xception)",
  source: "@vladmandic/human 3.3.6",
  steps: 50,
  async load(device, files) {
    const file = (path: string) => files.npm("@vladmandic/human", "3.3.6", `models/${path}`);
    return loadTfjsGraph(device, new TextDecoder().decode(await file("emotion.json")), file, {
      // Before the softmax.
      outputs: ["StatefulPartitionedCall/model_1/global_average_pooling2d_1/Mean"],
    });
  },
  async example(files) {
    const face = decodePicture(await files.asset("astronaut-face.png"), "the face");
    const size = { width: 64, height: 64 };
    return pictureInput(face, { ...size, layout: "CHW", channels: "grey", scale: 1 / 127.5, offset: -1 });
  },
};

export const igEmotion = realModelWorkload(emotion);
