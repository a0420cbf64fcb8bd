// Networks whose weights are drawn anew, for sanity checks (Adebayo et al., arXiv 1810.03292): an explanation of a trained
// network should not survive the loss of what it learnt.
import { ArgumentError } from "../../tensor/errors.ts";
import { hostArray, type HostArray } from "../../tensor/host.ts";
import { numel } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { input, lift } from "../../graph/leaves.ts";
import { Node } from "../../graph/node.ts";
import { dependents, reachable, rewrite } from "../../graph/trace.ts";
import type { Initialiser } from "../../nn/initialise.ts";
import type { Model, Tap } from "../../nn/model.ts";
import { random } from "../../nn/random.ts";
import { assertPositive } from "../../tensor/checks.ts";

/** Parameters that are randomised together. */
export interface ParameterLayer {
  readonly name: string;
  /** Names in `model.parameters`. */
  readonly parameters: readonly string[];
}

/** Normal with the given standard deviation, drawn again beyond two of them. */
export const truncatedNormal =
  (sigma: number): Initialiser =>
  (shape, key) => {
    const draw = (): number => {
      for (;;) {
        const z = key.normal();
        if (Math.abs(z) <= 2) return sigma * z;
      }
    };
    return hostArray(Float32Array.from({ length: numel(shape) }, draw), shape);
  };

const outputsOf = (outputs: ReturnType<Model["apply"]>): Node[] =>
  outputs instanceof Node ? [outputs] : Object.values(outputs);

/** What a parameter's name says of its layer: all before the last separator. */
const prefixOf = (name: string): string | undefined => /^(.+)[./][^./]*$/.exec(name.replace(/:\d+$/, ""))?.[1];

/**
 * The layers of a model that have parameters, from the output to the input: the order of cascading randomisation. Parameters
 * whose names share all before the last dot or slash are a layer; a vector with another kind of name belongs to
 * the matrix or kernel that is used before it.
 */
export function parameterLayers(model: Model): ParameterLayer[] {
  const layers = new Map<string, string[]>();
  let last: string | undefined;
  for (const name of byFirstUse(model)) {
    const vector = model.parameters[name]!.shape.length < 2;
    const layer: string = prefixOf(name) ?? (vector && last !== undefined ? last : name);
    layers.set(layer, [...(layers.get(layer) ?? []), name]);
    last = layer;
  }
  return [...layers].map(([name, parameters]) => ({ name, parameters })).reverse();
}

/** Real-valued parameters in the order in which the network applies them to what comes from its input. */
function byFirstUse(model: Model): string[] {
  const { inputs, parameters } = model;
  const leaves = inputs.map(({ name, shape, dtype }) => input([1, ...shape], dtype, name));
  const given = Object.fromEntries(leaves.map((leaf, i) => [inputs[i]!.name, leaf]));
  const nodes = reachable(outputsOf(model.apply(given)));
  const varying = dependents(nodes, leaves);
  const names = new Map<Node, string[]>();
  for (const [name, tensor] of Object.entries(parameters)) {
    if (tensor.dtype !== "f32") continue;
    const node = lift(tensor);
    names.set(node, [...(names.get(node) ?? []), name]);
  }
  /** Parameters that a value is computed from, as long as no input is. */
  const sources = new Map<Node, string[]>(names);
  const used = new Set<string>();
  for (const node of nodes) {
    const from = node.inputs.flatMap((x) => sources.get(x) ?? []);
    if (varying.has(node)) from.forEach((name) => used.add(name));
    else if (from.length > 0) sources.set(node, from);
  }
  return [...used];
}

/** A model with weights of its own, which can be overwritten: traces and compiled programs stay valid. */
export interface ModelCopy extends Model {
  /** The weights of the original. */
  readonly originals: Readonly<Record<string, HostArray>>;
  /** Replaces the contents of a parameter by an array of the same shape. */
  overwrite(name: string, array: HostArray): void;
}

/** Copies a model, imported or not, with its weights. Dispose of the copy; the original stays as it is. */
export async function copyModel(model: Model): Promise<ModelCopy> {
  const { device } = model;
  const names = Object.keys(model.parameters);
  const arrays = await device.read(names.map((name) => model.parameters[name]!));
  const parameters = Object.fromEntries(names.map((name, i) => [name, device.tensor(arrays[i]!)]));
  const replaced = new Map(names.map((name) => [lift(model.parameters[name]!), lift(parameters[name]!)]));
  return {
    device,
    inputs: model.inputs,
    ...(model.classes && { classes: model.classes }),
    parameters,
    originals: Object.fromEntries(names.map((name, i) => [name, arrays[i]!])),
    overwrite: (name, array) => overwrite(parameters[name]!, array),
    apply: (inputs, tap) => withReplaced(model, inputs, replaced, tap),
    dispose: () => Object.values(parameters).forEach((tensor) => tensor.dispose()),
  };
}

function overwrite(tensor: Tensor, { data }: HostArray): void {
  const { device, allocation } = tensor;
  device.gpu.queue.writeBuffer(allocation.buffer, 0, data as Float32Array<ArrayBuffer>);
  device.counters.bytesUploaded += data.byteLength;
}

/** Traces a model with other values in place of its parameters; the tap sees those, too. */
function withReplaced(
  model: Model,
  inputs: Readonly<Record<string, Node>>,
  parameters: ReadonlyMap<Node, Node>,
  tap: Tap | undefined,
): Node | Record<string, Node> {
  const replaced = new Map(parameters);
  const seen: Tap | undefined =
    tap &&
    ((name, value) => {
      replaced.set(value, tap(name, rewrite([value], replaced)[0]!));
      return value;
    });
  const outputs = model.apply(inputs, seen);
  if (outputs instanceof Node) return rewrite([outputs], replaced)[0]!;
  const names = Object.keys(outputs);
  const values = rewrite(Object.values(outputs), replaced);
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
}

export interface RandomiseOptions {
  /** Standard deviation of the truncated normal distribution that weights are drawn from. Default 0.01. */
  readonly sigma?: number;
  /** Default 0. A parameter's new values depend on the seed and its name only. */
  readonly seed?: number | string;
  /** How to draw the parameters instead. */
  readonly initialise?: Initialiser;
}

/** Draws the parameters of a layer anew. */
export function redraw(copy: ModelCopy, { parameters }: ParameterLayer, options: RandomiseOptions): void {
  const { sigma = 0.01, seed = 0, initialise = truncatedNormal(sigma) } = options;
  assertPositive("sigma", sigma);
  const stream = random(seed);
  for (const name of parameters) copy.overwrite(name, initialise(copy.parameters[name]!.shape, stream.fork(name)));
}

/**
 * The layers of some names, in the order of {@link parameterLayers}; all of them by default.
 * @throws ArgumentError for a name that no layer has
 */
export function namedLayers(model: Model, names?: readonly string[]): ParameterLayer[] {
  const all = parameterLayers(model);
  const unknown = names?.find((name) => !all.some((layer) => layer.name === name));
  if (unknown !== undefined) {
    const known = all.map(({ name }) => `"${name}"`).join(", ");
    throw new ArgumentError(`layers: there is no layer "${unknown}" with parameters; there are ${known || "none"}`);
  }
  return all.filter(({ name }) => names?.includes(name) ?? true);
}

/**
 * A copy of a model in which the parameters of some layers are drawn anew; dispose of it after use.
 * @param layers names from {@link parameterLayers}; default all
 * @throws ArgumentError for a layer that does not exist
 */
export async function randomised(
  model: Model,
  { layers, ...options }: RandomiseOptions & { readonly layers?: readonly string[] } = {},
): Promise<Model> {
  const chosen = namedLayers(model, layers);
  const copy = await copyModel(model);
  try {
    chosen.forEach((layer) => redraw(copy, layer, options));
    return copy;
  } catch (error) {
    copy.dispose();
    throw error;
  }
}
