// A model, traced once for given input shapes, with the score that is explained: what all methods start from.
import { ArgumentError, NumericError, ShapeError } from "../tensor/errors.ts";
import { cached } from "../tensor/cached.ts";
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import { formatShape, sameShape, type Shape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { base } from "../compiler/regions.ts";
import { constantPrimitive, input as inputLeaf } from "../graph/leaves.ts";
import { is, type Node, type Value } from "../graph/node.ts";
import { dependents, reachable } from "../graph/trace.ts";
import { modelOutput, type Model, type Tap } from "../nn/model.ts";
import { chosenScore, classScores, planTarget, predicted, type Target, type TargetPlan } from "./score.ts";
import type { ArrayInput, Attributions, Input, ModelLike, ScoreOptions } from "./types.ts";

/** Name of the only input of a function model. */
const ONLY = "x";

export interface Problem {
  /** One leaf per input, in order of `names`. */
  readonly inputs: readonly Node[];
  readonly names: readonly string[];
  /** What is attributed to: the f32 inputs, or one intermediate value. */
  readonly ends: readonly Node[];
  readonly endNames: readonly string[];
  readonly output: Node;
  /** The explained score: [B] or []; [B, K] if all classes are explained. */
  readonly score: Node;
  /** Class index per example [B] (i32 leaf), if one is chosen. */
  readonly index: Node | undefined;
  /** The predicted classes, from `output`. */
  readonly predicted: Node | undefined;
  readonly target: TargetPlan;
  /** How the score follows from the output on the host: it is the output itself, or its element of the chosen class. */
  readonly pick: "all" | "class" | undefined;
  /** Intermediate values that a tap saw, by name. */
  readonly layers: ReadonlyMap<string, Node>;
  readonly device: Device | undefined;
}

export interface ProblemOptions extends ScoreOptions {
  readonly layer?: string;
}

export const isModel = (model: ModelLike): model is Model => typeof model === "object" && "apply" in model;
export const isArrayInput = (input: unknown): input is ArrayInput =>
  input instanceof Tensor || (isObject(input) && "data" in input && "shape" in input && Array.isArray(input.shape));
const isObject = (x: unknown): x is object => typeof x === "object" && x !== null;
/** Numbers without a shape, which a caller without types may hand over. */
const isList = (input: unknown): boolean => !isObject(input) || Array.isArray(input) || ArrayBuffer.isView(input);

/**
 * Inputs by name; a single array gets the name of the model's only input.
 * @throws ArgumentError for a single array where there are several inputs, and for lists of numbers without a shape
 * @throws ArgumentError, ShapeError, NumericError for what a model does not declare, and for numbers that are not finite
 */
export function namedInputs(model: ModelLike, input: Input): Record<string, ArrayInput> {
  const names = isModel(model) ? model.inputs.map((i) => i.name) : [ONLY];
  const single = isArrayInput(input) || isList(input);
  if (single && names.length !== 1) {
    throw new ArgumentError(
      `the model has ${names.length} inputs (${names.join(", ")}); give a record with an array for each`,
    );
  }
  const arrays: Record<string, unknown> = single ? { [names[0]!]: input } : { ...input };
  const wrong = Object.keys(arrays).find((name) => !isArrayInput(arrays[name]));
  if (wrong === undefined) return checkedInputs(model, arrays as Record<string, ArrayInput>);
  throw new ArgumentError(
    `input "${wrong}": expected a tensor or hostArray(numbers, [batch, ...]), alone or in a record of inputs by name; ` +
      `got a value of type ${Object.prototype.toString.call(arrays[wrong]).slice(8, -1)}`,
  );
}

const problems = new WeakMap<object, Map<string, Problem>>();
const functionIds = new WeakMap<object, number>();
let functions = 0;

function identity(target: Target | undefined): string {
  if (typeof target !== "function") return target === "all" ? "all" : "index";
  return `function ${cached(functionIds, target, () => functions++)}`;
}

/** Traces a model for the shapes of `arrays`; equal calls share the graph and the programs compiled from it. */
export function traceProblem(
  model: ModelLike,
  input: Input,
  arrays: Readonly<Record<string, ArrayInput>>,
  options: ProblemOptions,
): Problem {
  const shapes = Object.entries(arrays).map(([name, { shape, dtype }]) => [name, shape, dtype]);
  const { score = "logit", layer, output } = options;
  const key = JSON.stringify([shapes, identity(options.target), score, layer, output, isArrayInput(input)]);
  const known = cached(problems, model, () => new Map<string, Problem>());
  const problem = cached(known, key, () => build(model, input, arrays, options));
  // The class indices themselves are not part of the graph, but must fit it.
  planTarget(problem.output, options.target ?? "predicted");
  return problem;
}

function build(
  model: ModelLike,
  input: Input,
  arrays: Readonly<Record<string, ArrayInput>>,
  options: ProblemOptions,
): Problem {
  const names = Object.keys(arrays);
  const inputs = names.map((name) => inputLeaf(arrays[name]!.shape, arrays[name]!.dtype, name));
  const layers = new Map<string, Node>();
  const tap: Tap = (name, value) => {
    layers.set(name, value);
    return value;
  };
  const output = runModel(model, input, names, inputs, options.output, tap);
  const { target = "predicted", score = "logit" } = options;
  const plan = planTarget(output, target);
  const index = plan.kind === "index" ? inputLeaf([plan.batch], "i32", "target") : undefined;
  const chosen =
    plan.kind === "all" ? classScores(output, score, undefined) : chosenScore(output, target, score, index);
  const { ends, endNames } = chooseEnds(names, inputs, layers, options.layer, chosen);
  return {
    inputs,
    names,
    ends,
    endNames,
    output,
    score: chosen,
    index,
    target: plan,
    pick: chosen === output ? "all" : index && score === "logit" ? "class" : undefined,
    layers,
    predicted: index ? predicted(output) : undefined,
    device: isModel(model) ? model.device : deviceOf(chosen),
  };
}

function runModel(
  model: ModelLike,
  input: Input,
  names: readonly string[],
  inputs: readonly Node[],
  output: string | undefined,
  tap: Tap,
): Node {
  const record = Object.fromEntries(names.map((name, i) => [name, inputs[i]!]));
  if (isModel(model)) return modelOutput(model, record, output, tap);
  return isArrayInput(input)
    ? (model as (x: Value, tap: Tap) => Value)(inputs[0]!, tap)
    : (model as (x: Readonly<Record<string, Value>>, tap: Tap) => Value)(record, tap);
}

function chooseEnds(
  names: readonly string[],
  inputs: readonly Node[],
  layers: ReadonlyMap<string, Node>,
  layer: string | undefined,
  score: Node,
) {
  if (layer === undefined) {
    const real = inputs.flatMap((x, i) => (x.dtype === "f32" ? [i] : []));
    if (real.length === 0)
      throw new ArgumentError("no input is real-valued; name the layer (an embedding, say) to attribute to");
    return { ends: real.map((i) => inputs[i]!), endNames: real.map((i) => names[i]!) };
  }
  const node = layers.get(layer);
  if (!node) {
    const known =
      [...layers.keys()].slice(0, 20).join(", ") || "none: call the tap that the model gets as its second argument";
    throw new ArgumentError(`layer: there is no intermediate value "${layer}"; the model names ${known}`);
  }
  if (!dependents(reachable([score]), [node]).has(score))
    throw new ArgumentError(`layer: the score does not depend on "${layer}"`);
  return { ends: [node], endNames: [layer] };
}

function deviceOf(output: Node): Device | undefined {
  const constant = reachable([output]).find((node) => is(node, constantPrimitive));
  return constant && is(constant, constantPrimitive) ? constant.attrs.tensor.device : undefined;
}

/** The device that a run happens on. */
export function chooseDevice(
  problem: Problem,
  arrays: Readonly<Record<string, ArrayInput>>,
  given: Device | undefined,
): Device {
  const tensor = Object.values(arrays).find((x): x is Tensor => x instanceof Tensor);
  const device = given ?? problem.device ?? tensor?.device;
  if (!device) throw new ArgumentError("device: neither the model nor an input is on a device; pass options.device");
  device.assertAlive();
  return device;
}

/** Fails on NaN and infinity, naming where they were found. */
export function assertFinite(what: string, array: HostArray): void {
  if (array.dtype !== "f32") return;
  const at = array.data.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) {
    throw new NumericError(
      `${what} holds ${array.data[at]} at element ${at} of ${formatShape(array.shape)}; every element must be finite`,
    );
  }
}

/** What attributions of every attributed value are called in messages. */
export const attributionNames = ({ endNames }: Problem): string[] =>
  endNames.map((name) => `the attribution of "${name}"`);

/** What results look like. */
export interface ResultForm {
  /** Names of what is attributed to; absent where the input is one array, and so is the result. */
  readonly names?: readonly string[];
}

export const formOf = ({ endNames }: Problem, input: Input): ResultForm =>
  isArrayInput(input) ? {} : { names: endNames };

/** Arrays, one per attributed value, in the form of the input: an array for an array, a record for a record. */
export function asGiven<I extends Input>({ names }: ResultForm, arrays: readonly HostArray[]): Attributions<I> {
  const result = names ? Object.fromEntries(names.map((name, j) => [name, arrays[j]!])) : arrays[0]!;
  return result as Attributions<I>;
}

/** Checks shapes and types against what a model declares, and numbers on the host for being finite. */
function checkedInputs(model: ModelLike, arrays: Record<string, ArrayInput>): Record<string, ArrayInput> {
  for (const { name, shape, dtype } of isModel(model) ? model.inputs : []) {
    const given = arrays[name];
    if (!given)
      throw new ArgumentError(`input "${name}" is missing; given: ${Object.keys(arrays).join(", ") || "nothing"}`);
    if (given.dtype !== dtype) throw new ArgumentError(`input "${name}": expected ${dtype}, got ${given.dtype}`);
    if (!sameShape(given.shape.slice(1), shape))
      throw new ShapeError(`input "${name}": expected ${expected(shape)}, got ${formatShape(given.shape)}`);
  }
  for (const [name, x] of Object.entries(arrays)) if (!(x instanceof Tensor)) assertFinite(`input "${name}"`, x);
  return arrays;
}

/** @throws ArgumentError unless every attributed value has the examples along its first axis */
export function checkExampleAxis({ ends, endNames }: Problem, batch: number): void {
  const at = ends.findIndex(({ shape }) => shape[0] !== batch);
  if (at < 0) return;
  throw new ArgumentError(
    `"${endNames[at]}": its first axis has ${ends[at]!.shape[0]} elements, expected one for each of ${batch} examples`,
  );
}

/** How many rows the smallest table has that an input of whole numbers looks up, by the input's name. */
export function tableRows({ inputs, names, score }: Problem): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  if (inputs.every(({ dtype }) => dtype !== "i32")) return found;
  for (const node of reachable([score])) {
    const rows = node.primitive.rows?.(node) ?? Infinity;
    const name = rows < Infinity ? names[inputs.indexOf(base(node.inputs[1]!))] : undefined;
    if (name !== undefined) found.set(name, Math.min(rows, found.get(name) ?? rows));
  }
  return found;
}

/**
 * Refuses ids that no row of a table belongs to, which would count as zeros without a word. Negative ones are a model's way
 * to say "none".
 */
export function checkIds(tables: ReadonlyMap<string, number>, arrays: Readonly<Record<string, ArrayInput>>): void {
  for (const [name, rows] of tables) {
    const given = arrays[name];
    if (!given || given instanceof Tensor) continue;
    const at = given.data.findIndex((id) => id >= rows);
    if (at < 0) continue;
    throw new ArgumentError(
      `input "${name}": id ${given.data[at]} at element ${at} of ${formatShape(given.shape)} is outside the table, which has ${rows} rows, 0 to ${rows - 1}`,
    );
  }
}

const expected = (shape: Shape): string => `[batch${shape.map((n) => `, ${n}`).join("")}]`;
