// TensorFlow.js graph models: model.json with the GraphDef, and binary shards.
import type { Value } from "../../../graph/node.ts";
import { FormatError } from "../../../tensor/errors.ts";
import type { Device } from "../../../tensor/device.ts";
import type { DType } from "../../../tensor/dtype.ts";
import { checkInputs, type Model, type ModelInput, type ModelOptions, type Tap } from "../../model.ts";
import { blaming, wellFormed } from "../blame.ts";
import { traceOnce, withFixedBatch } from "../fixed-batch.ts";
import { shapeOfInput, type InputShapes } from "../input-shape.ts";
import { parameterStore, type ParameterStore } from "../store.ts";
import type { Call, GraphNode, GraphShape } from "./graph-call.ts";
import { operators } from "./graph-ops.ts";
import { parseModelJson } from "./model-json.ts";
import { inputItem, inputShape, isConstant, type Item } from "./layout.ts";
import { readWeights, type TfjsWeights, type WeightGroup } from "./weights.ts";

export interface TfjsGraphOptions extends ModelOptions {
  /** Shapes of inputs without the batch axis, in the order of the file ([h, w, c]): needed where it leaves them open. */
  readonly inputShapes?: InputShapes;
  /** Names of the nodes whose values are wanted. Default: those that no other node uses. */
  readonly outputs?: readonly string[];
}

interface GraphModelJson {
  readonly format?: string;
  readonly modelTopology?: { readonly node?: readonly GraphNode[] };
  readonly weightsManifest?: readonly WeightGroup[];
}

/**
 * Reads a TensorFlow.js graph model and puts its weights on the device. Inputs and outputs of four axes are pictures with
 * channels first, [batch, channels, height, width], whatever the file has.
 * @param json contents of model.json: its text, or the object
 * @param weights the shards
 * @throws FormatError when a file is damaged or uses an operator that is not supported (named, with its node)
 */
export async function loadTfjsGraph(
  device: Device,
  json: string | object,
  weights: TfjsWeights,
  options: TfjsGraphOptions = {},
): Promise<Model> {
  const file = parseModelJson(json) as GraphModelJson;
  const nodes = file.modelTopology?.node;
  if (!nodes || !file.weightsManifest) {
    throw new FormatError(
      "tfjs: model.json holds no graph (modelTopology.node) with weights (weightsManifest); is it a layers model?",
    );
  }
  const constants = await readWeights(file.weightsManifest, weights);
  const store = parameterStore(device);
  for (const [name, constant] of constants) store.name(constant, name);
  const names = options.outputs ?? wellFormed("tfjs: model.json", () => unused(nodes));
  const { inputs, fixed, sorted } = wellFormed("tfjs: model.json", () => {
    const placeholders = nodes.filter(({ op }) => op === "Placeholder");
    return {
      inputs: placeholders.map((node) => inputOf(node, options)),
      fixed: new Map(placeholders.flatMap(fixedExtent)),
      sorted: sortNodes(nodes, names),
    };
  });
  const model: Model = {
    device,
    inputs,
    parameters: store.parameters,
    ...(options.classes && { classes: options.classes }),
    apply(given, tap) {
      checkInputs(inputs, given);
      const values = withFixedBatch(fixed, given, tap !== undefined, (one) =>
        outputsOf(names, interpret(sorted, constants, one, store, tap)),
      );
      return values.length === 1 ? values[0]! : Object.fromEntries(names.map((name, i) => [name, values[i]!]));
    },
    dispose: () => store.dispose(),
  };
  return traceOnce(model, fixed);
}

function inputOf(node: GraphNode, { inputShapes }: TfjsGraphOptions): ModelInput {
  const fromFile = sizes(node.attr?.["shape"]?.shape)?.slice(1);
  const shape = shapeOfInput("tfjs", node.name, fromFile, inputShapes);
  const dtype: DType = node.attr?.["dtype"]?.type === "DT_INT32" ? "i32" : "f32";
  return { name: node.name, shape: inputShape(shape), dtype };
}

const sizes = (shape: GraphShape | undefined): number[] | undefined =>
  shape && !shape.unknownRank ? (shape.dim ?? []).map(({ size }) => Number(size)) : undefined;

/** "name", "name:1" for a further output, "^name" for a dependency that carries no value. */
function reference(text: string): { name: string; output: number } | undefined {
  if (text.startsWith("^")) return undefined;
  const [name = "", output] = text.split(":");
  return { name, output: Number(output ?? 0) };
}

function unused(nodes: readonly GraphNode[]): string[] {
  const used = new Set(nodes.flatMap((node) => (node.input ?? []).map((text) => reference(text)?.name)));
  return nodes
    .filter(({ name, op }) => !used.has(name) && op !== "Const" && op !== "Placeholder" && op !== "NoOp")
    .map(({ name }) => name);
}

/** The nodes that `outputs` need, each after those that it uses; files may list them in any order. */
function sortNodes(nodes: readonly GraphNode[], outputs: readonly string[]): GraphNode[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const state = new Map<string, "open" | "done">();
  const sorted: GraphNode[] = [];
  const stack = [...outputs].reverse();
  while (stack.length > 0) {
    const name = stack.at(-1)!;
    const node = byName.get(name);
    if (!node) throw new FormatError(`tfjs: there is no node "${name}", which an output or another node needs`);
    const needed = (node.input ?? [])
      .flatMap((text) => reference(text)?.name ?? [])
      .filter((n) => state.get(n) !== "done");
    if (state.get(name) === "done" || needed.length === 0) {
      stack.pop();
      if (state.get(name) !== "done") sorted.push(node);
      state.set(name, "done");
    } else if (state.get(name) === "open") {
      throw new FormatError(`tfjs: node "${name}" depends on itself`);
    } else {
      state.set(name, "open");
      stack.push(...needed);
    }
  }
  return sorted;
}

function interpret(
  nodes: readonly GraphNode[],
  constants: ReadonlyMap<string, Item>,
  given: Readonly<Record<string, Value>>,
  store: ParameterStore,
  tap: Tap | undefined,
): Map<string, readonly Item[]> {
  const scope = new Map<string, readonly Item[]>();
  for (const node of nodes) {
    const value = given[node.name];
    const known = node.op === "Placeholder" && value ? inputItem(value, value.shape) : constants.get(node.name);
    const outputs = known ? [known] : execute({ node, inputs: inputsOf(node, scope), store });
    scope.set(
      node.name,
      outputs.map((x) => (known || isConstant(x) || !tap ? x : { ...x, value: tap(node.name, x.value) })),
    );
  }
  return scope;
}

function inputsOf(node: GraphNode, scope: ReadonlyMap<string, readonly Item[]>): Item[] {
  return (node.input ?? []).flatMap((text) => {
    const r = reference(text);
    if (!r) return [];
    const found = scope.get(r.name)?.[r.output];
    if (!found) throw new FormatError(`tfjs: node "${node.name}" uses "${text}", which nothing defines`);
    return [found];
  });
}

function execute(call: Call): readonly Item[] {
  const { op, name } = call.node;
  const operator = operators.get(op);
  if (!operator) {
    throw new FormatError(
      `tfjs: operator ${op} (node "${name}") is not supported; supported are ${[...operators.keys()].sort().join(", ")}`,
    );
  }
  const made = blaming("tfjs", op, `node "${name}"`, () => operator(call));
  return Array.isArray(made) ? (made as readonly Item[]) : [made as Item];
}

function outputsOf(names: readonly string[], scope: ReadonlyMap<string, readonly Item[]>): Value[] {
  return names.map((name) => {
    const found = scope.get(name)?.[0];
    if (found && !isConstant(found)) return found.value;
    throw new FormatError(`tfjs: output "${name}" does not depend on the model's inputs`);
  });
}

/** The batch size, where the file gives a number for it. */
function fixedExtent(node: GraphNode): [string, number][] {
  const extent = sizes(node.attr?.["shape"]?.shape)?.[0];
  return extent !== undefined && extent > 0 ? [[node.name, extent]] : [];
}
