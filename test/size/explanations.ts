// What the pages fetch whose explanation was compiled ahead.
import { saveIntegratedGradients, type GradientsFiles } from "../../src/attribution/index.ts";
import { hostArray, openDevice } from "../../src/index.ts";
import * as cnn from "./networks/cnn.ts";
import * as mlp from "./networks/mlp.ts";

/** For each such page: its network, compiled for all GPUs or all CPU adapters. */
export async function explanations(kernels: "hardware" | "software"): Promise<Record<string, GradientsFiles>> {
  const device = await openDevice({ kernels });
  const save = ({ network, weightCount, shape }: typeof mlp): Promise<GradientsFiles> => {
    const weights = Float32Array.from({ length: weightCount }, (_, i) => Math.sin(i));
    const zeros = hostArray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
    return saveIntegratedGradients(network(device, weights), zeros);
  };
  try {
    return { "mlp-ahead": await save(mlp), "cnn-ahead": await save(cnn) };
  } finally {
    device.destroy();
  }
}
