// What attribution needs to know about a network, whether it was written with this package or read from a file.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Device } from "../tensor/device.ts";
import { formatShape, sameShape, type Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Node, type Value } from "../graph/node.ts";

export interface ModelInput {
  readonly name: string;
  /** Shape of one example, without the batch axis; pictures are [channels, height, width]. */
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Sees each named intermediate value while a model is traced, and may replace it. */
export type Tap = (name: string, value: Value) => Value;

export interface Model {
  readonly device: Device;
  readonly inputs: readonly ModelInput[];
  /** Names of the classes, in the order of the last axis of the output, if they are known. */
  readonly classes?: readonly string[];
  /** Weights on the device, by name; freed by {@link Model.dispose}. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /**
   * Traces the network.
   * @param inputs a value [batch, ...shape] for every input, by name
   * @param tap called with each named intermediate value, in order of computation
   * @returns the output [batch, ...], or all outputs by name when there are several
   */
  apply(inputs: Readonly<Record<string, Value>>, tap?: Tap): Value | Record<string, Value>;
  /** Frees the weights. Programs compiled from the model stop working. */
  dispose(): void;
}

/** Facts about a model that its file does not hold. */
export interface ModelOptions {
  readonly classes?: readonly string[];
}

/** The only output of a model, or the named one of several. */
export function modelOutput(model: Model, inputs: Readonly<Record<string, Value>>, name?: string, tap?: Tap): Value {
  const outputs = model.apply(inputs, tap);
  if (outputs instanceof Node) return outputs;
  const names = Object.keys(outputs);
  const chosen = name ?? (names.length === 1 ? names[0]! : undefined);
  const value = chosen === undefined ? undefined : outputs[chosen];
  if (value) return value;
  throw new ArgumentError(
    `the model has the outputs ${names.map((n) => `"${n}"`).join(", ")}; ` +
      (chosen === undefined ? "name one of them" : `"${chosen}" is none of them`),
  );
}

/** The model as a function of one value, for models with one input. */
export function modelFunction(model: Model, output?: string): (x: Value) => Value {
  const [input, ...others] = model.inputs;
  if (!input || others.length > 0) {
    const names = model.inputs.map((i) => `"${i.name}"`).join(", ");
    throw new ArgumentError(
      `the model has ${model.inputs.length} inputs (${names}); call model.apply with a value for each`,
    );
  }
  return (x) => modelOutput(model, { [input.name]: x }, output);
}

/** Checks that `inputs` has a value of the right shape for every input of the model and nothing else. */
export function checkInputs(inputs: readonly ModelInput[], given: Readonly<Record<string, Value>>): void {
  for (const { name, shape } of inputs) {
    const value = given[name];
    if (!value) {
      throw new ArgumentError(
        `input "${name}" is missing; given were ${
          Object.keys(given)
            .map((n) => `"${n}"`)
            .join(", ") || "none"
        }`,
      );
    }
    if (!sameShape(value.shape.slice(1), shape)) {
      throw new ShapeError(
        `input "${name}" has shape ${formatShape(value.shape)}; expected [batch${shape.map((n) => `, ${n}`).join("")}]`,
      );
    }
  }
  const names = inputs.map((i) => i.name);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new ArgumentError(
      `there is no input "${unknown}"; the model's inputs are ${names.map((n) => `"${n}"`).join(", ")}`,
    );
  }
}
