import { loadOnnx } from "../../src/nn/import/onnx.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { DRAWING_SIZE, drawings, drawStrokes } from "../../scripts/drawing.ts";
import { realModelWorkload, type RealModel } from "./real-model.ts";

export const detypify: RealModel = {
  name: "ig-detypify",
  about: "one drawing 1x224x224, the network of detypify-service 0.3.0 (ONNX, 50 convolutions, 411 symbols)",
  source: "detypify-service 0.3.0",
  steps: 16,
  load: async (device, files) => loadOnnx(device, await files.npm("detypify-service", "0.3.0", "train/model.onnx")),
  example: () => Promise.resolve(hostArray(drawStrokes(drawings["∞"]!), [1, 1, DRAWING_SIZE, DRAWING_SIZE])),
};

export const igDetypify = realModelWorkload(detypify);
