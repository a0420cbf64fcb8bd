// TensorFlow.js layers models: model.json with the configuration of Keras, and binary shards.
import type { Value } from "../../../graph/node.ts";
import { FormatError } from "../../../tensor/errors.ts";
import type { Device } from "../../../tensor/device.ts";
import { checkInputs, type Model, type ModelInput, type ModelOptions, type Tap } from "../../model.ts";
import type { Constant } from "../constant.ts";
import { blaming, wellFormed } from "../blame.ts";
import { traceOnce } from "../fixed-batch.ts";
import { shapeOfInput, type InputShapes } from "../input-shape.ts";
import { parameterStore, type ParameterStore } from "../store.ts";
import { parseModelJson } from "./model-json.ts";
import { layers as feedForward } from "./keras-layers.ts";
import { recurrentLayers } from "./keras-recurrent.ts";
import { inputItem, inputShape, type Laid } from "./layout.ts";
import { readWeights, type TfjsWeights, type WeightGroup } from "./weights.ts";

const layers = /* @__PURE__ */ new Map([...feedForward, ...recurrentLayers]);

export interface TfjsLayersOptions extends ModelOptions {
  /** Shapes of inputs without the batch axis, in the order of the file ([h, w, c]): needed where it leaves them open. */
  readonly inputShapes?: InputShapes;
  /** Names of the layers whose results are wanted. Default: those that the file names, or the last. */
  readonly outputs?: readonly string[];
}

type Config = Readonly<Record<string, unknown>>;

interface LayerSpec {
  readonly name: string;
  readonly className: string;
  readonly config: Config;
  /** Names of the layers whose results it takes. */
  readonly inputs: readonly string[];
}

interface LayersModelJson {
  readonly modelTopology?: { readonly model_config?: ModelConfig } & ModelConfig;
  readonly weightsManifest?: readonly WeightGroup[];
}

interface ModelConfig {
  readonly class_name?: string;
  readonly config?: unknown;
}

/**
 * Reads a TensorFlow.js layers model (Keras) and puts its weights on the device. Inputs and outputs of four axes are
 * pictures with channels first, [batch, channels, height, width], whatever the file has.
 * @param json contents of model.json: its text, or the object
 * @param weights the shards
 * @throws FormatError when a file is damaged or uses a layer that is not supported (named)
 */
export async function loadTfjsLayers(
  device: Device,
  json: string | object,
  weights: TfjsWeights,
  options: TfjsLayersOptions = {},
): Promise<Model> {
  const file = parseModelJson(json) as LayersModelJson;
  const topology = file.modelTopology?.model_config ?? file.modelTopology;
  if (!topology?.class_name || !file.weightsManifest) {
    throw new FormatError(
      "tfjs: model.json holds no Keras model (modelTopology.model_config) with weights; is it a graph model?",
    );
  }
  const { specs, outputs, inputs } = wellFormed("tfjs: model.json", () => {
    const read = layersOf(topology);
    const inputLayers = read.specs.filter(({ className }) => className === "InputLayer");
    const taken = read.specs.flatMap(({ className, inputs }) => (className === "Embedding" ? inputs : []));
    return { ...read, inputs: inputLayers.map((spec) => inputOf(spec, taken.includes(spec.name), options)) };
  });
  const names = options.outputs ?? outputs;
  const constants = await readWeights(file.weightsManifest, weights);
  const store = parameterStore(device);
  for (const [name, constant] of constants) store.name(constant, name);
  const model: Model = {
    device,
    inputs,
    parameters: store.parameters,
    ...(options.classes && { classes: options.classes }),
    apply(given, tap) {
      checkInputs(inputs, given);
      const results = interpret(specs, constants, given, store, tap);
      const named = names.map((name) => [name, resultOf(results, name, "the model's outputs").value] as const);
      return named.length === 1 ? named[0]![1] : Object.fromEntries(named);
    },
    dispose: () => store.dispose(),
  };
  return traceOnce(model);
}

/** Layers in the order of computation. A Sequential is a chain whose first layer knows the shape of the input. */
function layersOf(topology: ModelConfig): { specs: LayerSpec[]; outputs: string[] } {
  const raw = (Array.isArray(topology.config) ? topology.config : (topology.config as Config)["layers"]) as RawLayer[];
  if (topology.class_name === "Sequential") {
    const chain = raw.map(({ class_name, config }) => ({
      name: config["name"] as string,
      className: class_name,
      config,
    }));
    const first =
      chain[0]?.className === "InputLayer"
        ? []
        : [{ name: "input", className: "InputLayer", config: chain[0]!.config }];
    const all = [...first, ...chain];
    return {
      specs: all.map((layer, i) => ({ ...layer, inputs: i === 0 ? [] : [all[i - 1]!.name] })),
      outputs: [all.at(-1)!.name],
    };
  }
  const specs = raw.map(({ name, class_name, config, inbound_nodes: nodes = [] }) => {
    if (nodes.length > 1)
      throw new FormatError(
        `tfjs: layer "${name}" is applied ${nodes.length} times; layers that share weights are not supported`,
      );
    return { name: name!, className: class_name, config, inputs: (nodes[0] ?? []).map(([source]) => source) };
  });
  return { specs, outputs: ((topology.config as Config)["output_layers"] as [string][]).map(([name]) => name) };
}

interface RawLayer {
  readonly name?: string;
  readonly class_name: string;
  readonly config: Config;
  readonly inbound_nodes?: readonly (readonly [string, ...unknown[]][])[];
}

/** Files declare token ids as float32, which an embedding takes for the whole numbers that they are. */
function inputOf({ name, config }: LayerSpec, ids: boolean, { inputShapes }: TfjsLayersOptions): ModelInput {
  const fromFile = ((config["batch_input_shape"] ?? config["batch_shape"]) as (number | null)[] | undefined)?.slice(1);
  const shape = shapeOfInput("tfjs", name, fromFile, inputShapes);
  return { name, shape: inputShape(shape), dtype: ids || config["dtype"] === "int32" ? "i32" : "f32" };
}

function interpret(
  specs: readonly LayerSpec[],
  constants: ReadonlyMap<string, Constant>,
  given: Readonly<Record<string, Value>>,
  store: ParameterStore,
  tap: Tap | undefined,
): Map<string, Laid> {
  const results = new Map<string, Laid>();
  for (const { name, className, config, inputs } of specs) {
    const value = given[name];
    if (className === "InputLayer" && value) {
      results.set(name, inputItem(value, value.shape));
      continue;
    }
    const layer = layers.get(className);
    if (!layer) {
      throw new FormatError(
        `tfjs: ${className} (layer "${name}") is not supported; supported are ${[...layers.keys()].sort().join(", ")}`,
      );
    }
    const sources = inputs.map((source) => resultOf(results, source, `layer "${name}"`));
    const call = {
      name,
      className,
      config,
      inputs: sources,
      store,
      weight: (kind: string) => weightOf(constants, name, kind),
    };
    const made = blaming("tfjs", className, `layer "${name}"`, () => layer(call));
    results.set(name, tap ? { ...made, value: tap(name, made.value) } : made);
  }
  return results;
}

/** Weights are called "layer/kind", with prefixes and suffixes that depend on the version of Keras. */
function weightOf(constants: ReadonlyMap<string, Constant>, layer: string, kind: string): Constant | undefined {
  const exact = constants.get(`${layer}/${kind}`);
  if (exact) return exact;
  const found = [...constants.keys()].find((name) => name.replace(/:0$/, "").endsWith(`/${layer}/${kind}`));
  return found === undefined ? undefined : constants.get(found);
}

function resultOf(results: ReadonlyMap<string, Laid>, name: string, where: string): Laid {
  const found = results.get(name);
  if (found) return found;
  throw new FormatError(`tfjs: ${where} needs the layer "${name}", which nothing before it defines`);
}
