import { integratedGradients } from "../../src/attribution/index.ts";
import { readNpmFile } from "../../src/cli/fetch.ts";
import { loadOnnx } from "../../src/nn/import/onnx.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { drawings, drawStrokes } from "../../scripts/drawing.ts";
import type { Workload } from "../workload.ts";

export const igDetypify: Workload = {
  name: "ig-detypify",
  about:
    "Integrated Gradients, 16 steps, one drawing 1x224x224, the network of detypify-service 0.3.0 (ONNX, 411 symbols)",
  async prepare(device) {
    const model = await loadOnnx(device, await readNpmFile("detypify-service", "0.3.0", "train/model.onnx"));
    const x = hostArray(drawStrokes(drawings["∞"]!), [1, 1, 224, 224]);
    return {
      source: "detypify-service 0.3.0",
      run: () => integratedGradients(model, x, { steps: 16 }),
      dispose: () => model.dispose(),
    };
  },
};
