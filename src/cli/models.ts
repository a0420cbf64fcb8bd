// Models that the command knows by name, and models from files of the user.
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ArgumentError, FormatError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import type { Shape } from "../tensor/shape.ts";
import { OpenShapeError } from "../nn/import/input-shape.ts";
import { loadOnnx } from "../nn/import/onnx.ts";
import { parseModelJson } from "../nn/import/tfjs/model-json.ts";
import { loadTfjsGraph, loadTfjsLayers } from "../nn/import/tfjs.ts";
import type { Model } from "../nn/model.ts";
import type { Arguments } from "./arguments.ts";
import { assetPath } from "./assets.ts";
import { fetchNpmFiles } from "./fetch.ts";
import { INCEPTION_FILES, loadInception } from "./inception.ts";
import type { PictureFormat } from "./picture.ts";
import { factsBeside, parseFacts, pictureFormat, readClasses, type Facts } from "./preprocess.ts";

export interface LoadedModel {
  readonly model: Model;
  readonly format: PictureFormat;
  readonly name: string;
  /** Where it came from, with its licence where that is known. */
  readonly source: string;
  /** Points on the path, if none are asked for. */
  readonly steps?: number;
  /** What was assumed because nothing said it. */
  readonly assumed: readonly string[];
}

export interface LoadOptions {
  readonly note: (text: string) => void;
  readonly signal?: AbortSignal;
}

type Reader = (path: string) => Promise<Uint8Array<ArrayBuffer>>;

interface KnownModel {
  readonly name: string;
  readonly package: readonly [name: string, version: string];
  readonly files: readonly string[];
  readonly licence: string;
  readonly megabytes: number;
  readonly example: string;
  readonly facts: Facts;
  /** Points on the path that its sharp kinks ask for. */
  readonly steps: number;
  /** @param read gives one of `files` */
  load(device: Device, read: Reader): Promise<Model>;
}

const detypify: KnownModel = {
  name: "detypify",
  package: ["detypify-service", "0.3.0"],
  files: ["train/model.onnx", "train/infer.json"],
  licence: "MIT",
  megabytes: 5,
  example: "alpha.png",
  facts: {},
  steps: 150,
  async load(device, read) {
    const labels = JSON.parse(text(await read("train/infer.json"))) as { char: string; names: string[] }[];
    return loadOnnx(device, await read("train/model.onnx"), {
      classes: labels.map(({ names, char }) => names[0] ?? char),
    });
  },
};

const emotion: KnownModel = {
  name: "emotion",
  package: ["@vladmandic/human", "3.3.6"],
  files: ["models/emotion.json", "models/emotion.bin"],
  licence: "MIT",
  megabytes: 1,
  example: "astronaut-face.png",
  facts: { scale: 1 / 127.5, offset: -1 },
  steps: 50,
  async load(device, read) {
    return loadTfjsGraph(device, text(await read("models/emotion.json")), (path) => read(`models/${path}`), {
      classes: ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"],
      // Before the softmax, whose output is 1 nearly everywhere on the path.
      outputs: ["StatefulPartitionedCall/model_1/global_average_pooling2d_1/Mean"],
    });
  },
};

const inception: KnownModel = {
  name: "inception",
  package: ["nsfwjs", "4.4.0"],
  files: INCEPTION_FILES,
  licence: "MIT",
  megabytes: 25,
  example: "astronaut-face.png",
  facts: {},
  steps: 20,
  load: loadInception,
};

const KNOWN: readonly KnownModel[] = [detypify, emotion, inception];
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A model that exists, as far as can be told without reading it. */
export interface ChosenModel {
  /** The picture that is explained when none is given. */
  readonly example?: string;
  /** @throws FormatError when its files cannot be read */
  load(device: Device, options: LoadOptions): Promise<LoadedModel>;
}

/**
 * The model that `--model` names.
 * @throws ArgumentError when there is none, or when the facts about it do not make sense
 */
export async function chooseModel(args: Arguments): Promise<ChosenModel> {
  const asked: Facts = {
    ...parseFacts(args.preprocess),
    ...(args.classes !== undefined && { classes: readClasses(args.classes) }),
  };
  const known = KNOWN.find(({ name }) => name === args.model);
  if (known)
    return { example: assetPath(known.example), load: (device, options) => fromNpm(device, known, asked, options) };
  const { file, factsFile } = await modelFile(args.model);
  const facts: Facts = { ...factsBeside(factsFile), ...asked };
  return { load: (device) => fromFile(device, file, facts, args) };
}

async function fromNpm(
  device: Device,
  known: KnownModel,
  asked: Facts,
  { note, signal }: LoadOptions,
): Promise<LoadedModel> {
  const [name, version] = known.package;
  const paths = await fetchNpmFiles(name, version, known.files, {
    ...(signal && { signal }),
    onProgress: ({ stage }) => {
      if (stage !== "download") return;
      note(
        `fetching the model ${known.name} (${known.licence}) from the npm package ${name}@${version}, ${known.megabytes} MB once`,
      );
    },
  });
  const model = await known.load(
    device,
    async (path) => new Uint8Array(await readFile(paths[known.files.indexOf(path)]!)),
  );
  return orDispose(model, () => ({
    model: asked.classes ? { ...model, classes: asked.classes } : model,
    format: pictureFormat(model.inputs[0]!.shape, { ...known.facts, ...asked }),
    name: known.name,
    source: `npm ${name}@${version}, ${known.licence}`,
    steps: known.steps,
    assumed: [],
  }));
}

async function fromFile(device: Device, file: string, facts: Facts, args: Arguments): Promise<LoadedModel> {
  const model = await readModel(device, file, facts, args.output);
  return orDispose(model, () => {
    if (model.inputs.length !== 1) {
      throw new ArgumentError(
        `the model has ${model.inputs.length} inputs (${model.inputs.map((i) => i.name).join(", ")}); this command takes models of one picture`,
      );
    }
    const assumed =
      facts.scale === undefined && facts.offset === undefined
        ? ["pixels scaled to 0..1 (--preprocess scale=,offset= for others)"]
        : [];
    // Models of TensorFlow.js take channels first, whatever their files have.
    const layout = isOnnx(file) ? facts.layout : "NCHW";
    return {
      model,
      format: pictureFormat(model.inputs[0]!.shape, { ...facts, ...(layout && { layout }) }),
      name: basename(args.model),
      source: file,
      assumed,
    };
  });
}

function orDispose<T>(model: Model, work: () => T): T {
  try {
    return work();
  } catch (error) {
    model.dispose();
    throw error;
  }
}

const isOnnx = (file: string): boolean => file.endsWith(".onnx");

/** The file to open for a path, and where facts about the model may stand. */
async function modelFile(path: string): Promise<{ file: string; factsFile: string }> {
  const found = await stat(path).catch(() => undefined);
  if (!found) {
    throw new ArgumentError(
      `there is no model "${path}": give ${KNOWN.map(({ name }) => name).join(", ")}, a FILE.onnx, or the folder of a TensorFlow.js model`,
    );
  }
  const file = found.isDirectory() ? join(path, "model.json") : path;
  if (!(await stat(file).catch(() => undefined))) throw new ArgumentError(`the folder ${path} holds no model.json`);
  if (isOnnx(file)) return { file, factsFile: file.replace(/\.onnx$/, ".aumann.json") };
  if (file.endsWith(".json")) return { file, factsFile: join(dirname(file), "aumann.json") };
  throw new ArgumentError(`${path} is no model: expected FILE.onnx, or the folder of a TensorFlow.js model`);
}

async function readModel(device: Device, file: string, facts: Facts, output: string | undefined): Promise<Model> {
  const bytes = await readFile(file);
  const options = {
    ...(facts.classes && { classes: facts.classes }),
    ...(output !== undefined && { outputs: [output] }),
  };
  const inputShapes = facts.size && { inputShapes: pictureShape(facts.size, facts, file) };
  const all = { ...options, ...inputShapes };
  try {
    if (isOnnx(file)) return await loadOnnx(device, bytes, all);
    const folder = dirname(file);
    const read: Reader = async (path) => new Uint8Array(await readShard(join(folder, path)));
    const json = parseModelJson(text(bytes)) as { modelTopology?: { node?: unknown } };
    return await (json.modelTopology?.node ? loadTfjsGraph : loadTfjsLayers)(device, json, read, all);
  } catch (error) {
    if (!(error instanceof OpenShapeError)) throw error;
    throw new ArgumentError(`${file} leaves the size of its pictures open; say --preprocess size=HEIGHTxWIDTH`, {
      cause: error,
    });
  }
}

async function readShard(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new FormatError(`${file} is missing: model.json says that it holds weights; copy it beside model.json`, {
      cause,
    });
  }
}

function pictureShape([height, width]: readonly [number, number], { channels, layout }: Facts, file: string): Shape {
  const count = channels === "grey" ? 1 : 3;
  return isOnnx(file) && layout !== "NHWC" ? [count, height, width] : [height, width, count];
}
