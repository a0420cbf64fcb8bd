// A network that no package carries, with attributions in double precision stored beside it.
import { loadTfjsLayers, readSafetensors } from "../../src/nn/index.ts";
import { hostArray } from "../../src/tensor/index.ts";
import type { Files, Workload } from "../workload.ts";
import { aboutOf, directionSums, prepareModel, type RealModel } from "./real-model.ts";

const FOLDER = "data/tiny-darknet";
const TRUTH = "golden-real/tiny_darknet_chelsea/tensors.safetensors";
const EGYPTIAN_CAT = 7;

const darknet: RealModel = {
  name: "ig-darknet",
  about: "one photograph 3x224x224, Tiny Darknet (TF.js layers, ImageNet, 1000 classes)",
  source: "Tiny Darknet of the shared folder",
  steps: 32,
  // In f32 some maxima of pooling windows and signs of leaky ReLUs fall otherwise.
  tolerance: 5e-3,
  async load(device, files) {
    const [json, truth] = await Promise.all([files.shared(`${FOLDER}/model.json`), files.shared(TRUTH)]);
    if (!json || !truth) return undefined;
    const shard = async (path: string) => (await files.shared(`${FOLDER}/${path}`))!;
    return loadTfjsLayers(device, new TextDecoder().decode(json), shard);
  },
  async example(files) {
    const { shape, data } = await storedTensor(files, "in.x_u8");
    return hostArray(
      Float32Array.from(data, (byte) => byte / 255),
      shape,
    );
  },
};

async function storedTensor(files: Files, name: string) {
  const { shape, data } = readSafetensors((await files.shared(TRUTH))!)[name]!;
  return { shape, data: Array.from(data as ArrayLike<number>) };
}

export const igDarknet: Workload = {
  name: darknet.name,
  about: aboutOf(darknet),
  prepare: ({ device, files }) =>
    prepareModel(device, files, darknet, {
      target: EGYPTIAN_CAT,
      truth: {
        data: async () => directionSums((await storedTensor(files, "exp.ig")).data),
        source: "sums along directions of stored attributions in double precision, rounded to f32",
      },
    }),
};
