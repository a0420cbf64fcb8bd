// Cases about a network that comes as files of its own, in another program's format.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hostArray, type Device, type HostArray } from "../../src/tensor/index.ts";
import { integratedGradients, saliency, type Rule } from "../../src/attribution/index.ts";
import { loadTfjsLayers } from "../../src/nn/import/tfjs.ts";
import type { Model } from "../../src/nn/model.ts";
import { truth, type Case, type RealModelFile } from "./case.ts";
import { largestError, type Check } from "./check.ts";

/** `model` names a folder and, in parentheses, the format of its files. */
const loaders: Readonly<Record<string, (device: Device, folder: string) => Promise<Model>>> = {
  "TF.js layers": async (device, folder) =>
    loadTfjsLayers(device, await readFile(join(folder, "model.json"), "utf8"), (path) => readFile(join(folder, path))),
};

// Leaky ReLUs and max pools flip for a few elements, so that maps are compared as a whole.
const LOGIT_ERROR = 1e-3;
const MAP_ERROR = 2e-3;
const MAP_CORRELATION = 0.9999;

export const isRealModel = (case_: Case<unknown>): case_ is Case<RealModelFile> =>
  (case_ as Case<{ format?: unknown }>).file.format === "real-model";

/** @param models folder with a folder for every model */
export async function checkRealModel(device: Device, case_: Case<RealModelFile>, models: string): Promise<Check[]> {
  const { model: description, target, baseline, rule, nodes, f_baseline } = case_.file;
  const [, name, format] = /^(\S+) \((.*)\)$/.exec(description) ?? [];
  const load = loaders[String(format)];
  if (name === undefined || !load) {
    return [{ id: "model", ratio: Infinity, reason: `unsupported: nothing reads the model ${description}` }];
  }
  const model = await load(device, join(models, name));
  try {
    const input = picture(case_, "in.x_u8");
    const options = { target, baseline: baseline as "black", rule: rule as Rule, steps: nodes };
    const gradient = await saliency(model, input, { target });
    const { attributions, outputs, scores } = await integratedGradients(model, input, options);
    return [
      { id: "logits", ratio: largestError(outputs.data, truth(case_, "exp.logits")) / LOGIT_ERROR },
      { id: "f_baseline", ratio: Math.abs(scores.baseline.data[0]! - f_baseline) / LOGIT_ERROR },
      ...compareMaps("grad", gradient.attributions, truth(case_, "exp.grad")),
      ...compareMaps("ig", attributions, truth(case_, "exp.ig")),
    ];
  } finally {
    model.dispose();
  }
}

/** Bytes as f32 in 0 to 1. */
function picture(case_: Case<unknown>, tensor: string): HostArray {
  const bytes = truth(case_, tensor);
  return hostArray(
    Float32Array.from(bytes, (v) => v / 255),
    case_.tensors[tensor]!.shape,
  );
}

function compareMaps(id: string, { data }: HostArray, expected: Float64Array): Check[] {
  const difference = Math.sqrt(expected.reduce((sum, v, i) => sum + (v - data[i]!) ** 2, 0));
  const size = Math.sqrt(expected.reduce((sum, v) => sum + v * v, 0));
  return [
    { id: `${id} (relative L2 error)`, ratio: difference / size / MAP_ERROR },
    { id: `${id} (1 - correlation)`, ratio: (1 - correlation(data, expected)) / (1 - MAP_CORRELATION) },
  ];
}

/** Pearson's. */
function correlation(a: ArrayLike<number>, b: Float64Array): number {
  const mean = (x: ArrayLike<number>): number => Array.from(x).reduce((sum, v) => sum + v, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < b.length; i++) {
    const [da, db] = [a[i]! - ma, b[i]! - mb];
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return ab / Math.sqrt(aa * bb);
}
