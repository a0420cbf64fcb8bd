// Models of .onnx files. Needs the package `protobufjs`, of which only the reader of the wire format is used.
import { Node, type Value } from "../../graph/node.ts";
import { ArgumentError, FormatError } from "../../tensor/errors.ts";
import type { Device } from "../../tensor/device.ts";
import { checkInputs, type Model, type ModelInput, type ModelOptions } from "../model.ts";
import { traceOnce, withFixedBatch } from "./fixed-batch.ts";
import { shapeOfInput, type InputShapes } from "./input-shape.ts";
import type { Item } from "./onnx/call.ts";
import { interpret } from "./onnx/interpret.ts";
import { decodeModel, type OnnxGraph, type OnnxModel, type OnnxValueInfo } from "./onnx/proto.ts";
import { constantFromOnnx, elementDType } from "./onnx/tensor.ts";
import { plainBytes } from "./safetensors.ts";
import { parameterStore } from "./store.ts";

export interface OnnxOptions extends ModelOptions {
  /** Shapes of inputs, without the batch axis: needed where the file leaves a dimension open. */
  readonly inputShapes?: InputShapes;
  /** Names of the outputs wanted; any value of the graph can be one. Default: the outputs of the file. */
  readonly outputs?: readonly string[];
}

/**
 * Reads a model from an .onnx file and puts its weights on the device.
 * @param bytes the whole file
 * @throws FormatError when the file is damaged or uses an operator that is not supported (named, with its node);
 * OpenShapeError, a FormatError, when it leaves a dimension open that `inputShapes` does not give
 * @throws ArgumentError when protobufjs is not installed
 */
export async function loadOnnx(
  device: Device,
  bytes: ArrayBuffer | Uint8Array,
  options: OnnxOptions = {},
): Promise<Model> {
  const file = decodeModel(await protobuf(), plainBytes(bytes));
  const graph = withOutputs(graphOf(file), options.outputs);
  const opset = file.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 1;
  const store = parameterStore(device);
  const weights = new Map<string, Item>();
  for (const tensor of graph.initializer) {
    const constant = constantFromOnnx(tensor);
    store.name(constant, tensor.name);
    weights.set(tensor.name, constant);
  }
  const inputs = graph.input.filter(({ name }) => !weights.has(name)).map((info) => inputOf(info, options));
  const fixed = fixedExtents(graph);
  const model: Model = {
    device,
    inputs,
    parameters: store.parameters,
    ...(options.classes && { classes: options.classes }),
    apply(given, tap) {
      checkInputs(inputs, given);
      return byName(
        graph,
        withFixedBatch(fixed, given, tap !== undefined, (values) => {
          return valuesOf(
            graph,
            interpret({ opset, store, tap }, graph, new Map([...weights, ...Object.entries(values)])),
          );
        }),
      );
    },
    dispose: () => store.dispose(),
  };
  return traceOnce(model, fixed);
}

async function protobuf(): Promise<typeof import("protobufjs/minimal.js")> {
  try {
    const loaded = await import("protobufjs/minimal.js");
    return loaded.default ?? loaded;
  } catch (cause) {
    throw new ArgumentError("loadOnnx needs the package protobufjs; run `npm install protobufjs`", { cause });
  }
}

function graphOf(file: OnnxModel): OnnxGraph {
  if (!file.graph || file.graph.node.length === 0) {
    throw new FormatError("onnx: the file holds no graph; it is cut short or of another format");
  }
  return file.graph;
}

function withOutputs(graph: OnnxGraph, names: readonly string[] | undefined): OnnxGraph {
  return names ? { ...graph, output: names.map((name) => ({ name })) } : graph;
}

function inputOf(info: OnnxValueInfo, { inputShapes }: OnnxOptions): ModelInput {
  const { name, type } = info;
  const tensor = type?.tensorType;
  if (!tensor) throw new FormatError(`onnx: input "${name}" is not a tensor`);
  const dims = tensor.shape?.dim.slice(1).map(({ dimValue, dimParam }) => dimValue ?? dimParam);
  const shape = shapeOfInput("onnx", name, dims, inputShapes);
  return { name, shape, dtype: elementDType(`input "${name}"`, tensor.elemType) };
}

/** First extents of inputs, where the file gives a number. */
function fixedExtents(graph: OnnxGraph): Map<string, number> {
  return new Map(
    graph.input.flatMap(({ name, type }) => {
      const extent = type?.tensorType?.shape?.dim[0]?.dimValue;
      return extent ? [[name, extent] as const] : [];
    }),
  );
}

function valuesOf(graph: OnnxGraph, outputs: readonly Item[]): Value[] {
  return graph.output.map(({ name }, i) => {
    const value = outputs[i];
    if (value instanceof Node) return value;
    throw new FormatError(`onnx: output "${name}" does not depend on the model's inputs`);
  });
}

function byName(graph: OnnxGraph, values: readonly Value[]): Value | Record<string, Value> {
  return values.length === 1 ? values[0]! : Object.fromEntries(graph.output.map(({ name }, i) => [name, values[i]!]));
}
