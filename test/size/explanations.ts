// What the pages fetch whose explanations were compiled ahead.
import {
  cgi,
  guidedIG,
  integratedGradients,
  integratedHessians,
  interiorGradients,
  joinExplanations,
  patchGroups,
  saveExplanation,
  shapleyIG,
} from "../../src/attribution/index.ts";
import { hostArray, openDevice, type Device, type HostArray } from "../../src/index.ts";
import * as cnn from "./networks/cnn.ts";
import * as mlp from "./networks/mlp.ts";

/** For each such page: its network, compiled for all GPUs or all CPU adapters. */
export async function explanations(kernels: "hardware" | "software"): Promise<Record<string, object>> {
  const device = await openDevice({ kernels });
  try {
    const [dense, convolutional] = [built(mlp, device), built(cnn, device)];
    const digit = exampleOf(cnn);
    const groups = patchGroups([1, 28, 28], 7);
    const integrated = await saveExplanation(integratedGradients, convolutional, digit);
    return {
      "mlp-ahead": (await saveExplanation(integratedGradients, dense, exampleOf(mlp))).explanation,
      "cnn-ahead": integrated.explanation,
      "all-ahead": joinExplanations({
        integrated,
        guided: await saveExplanation(guidedIG, convolutional, digit),
        interior: await saveExplanation(interiorGradients, convolutional, digit),
        shapley: await saveExplanation(shapleyIG, convolutional, digit, { groups }),
        competition: await saveExplanation(cgi, convolutional, digit),
        interactions: await saveExplanation(integratedHessians, convolutional, digit, { groups, kinks: "ignore" }),
      }).explanations,
    };
  } finally {
    device.destroy();
  }
}

const built = ({ network, weightCount }: typeof mlp, device: Device): ReturnType<typeof mlp.network> =>
  network(
    device,
    Float32Array.from({ length: weightCount }, (_, i) => Math.sin(i)),
  );

const exampleOf = ({ shape }: Pick<typeof mlp, "shape">): HostArray =>
  hostArray(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i) ** 2),
    shape,
  );
