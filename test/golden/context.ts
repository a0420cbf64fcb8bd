// A case on the device: what the functions that compute a quantity start from.
import { numel, type Device, type HostArray, type Shape, type Tensor } from "../../src/tensor/index.ts";
import { lift } from "../../src/graph/leaves.ts";
import { Node, type Value } from "../../src/graph/node.ts";
import type { ModelLike } from "../../src/attribution/types.ts";
import { sum } from "../../src/kernels/index.ts";
import { takeTarget } from "../../src/kernels/gather.ts";
import { stored, type Case, type Expected } from "./case.ts";
import { network } from "./network.ts";

export interface Result {
  readonly shape: Shape;
  readonly data: ArrayLike<number>;
  /** Elements that are not compared, by their number. */
  readonly skips?: (i: number) => boolean;
}

/**
 * Computes one quantity: either as a value, and all values of a case run as one program, or by calling the library's
 * functions of arrays.
 */
export type Quantity = (context: Context, expected: Expected) => Value | Promise<Result>;

export class Context {
  /** Names of the inputs, in order. */
  readonly names: readonly string[];
  /** Weights by name, as captured constants. */
  readonly weights: Readonly<Record<string, Value>>;
  private readonly uploaded = new Map<string, Tensor>();
  private readonly results = new Map<string, Promise<unknown>>();

  constructor(
    readonly device: Device,
    readonly case_: Case,
  ) {
    const { inputs, weights } = case_.file;
    this.names = inputs.map(({ name }) => name);
    this.weights = Object.fromEntries(weights.names.map((name) => [name, this.value(weights.prefix + name)]));
  }

  /** A stored tensor as a captured constant. */
  value(tensor: string): Value {
    let known = this.uploaded.get(tensor);
    if (!known) this.uploaded.set(tensor, (known = this.device.tensor(stored(this.case_, tensor))));
    return lift(known);
  }

  /** A stored tensor as an array. */
  array(tensor: string): HostArray {
    return stored(this.case_, tensor);
  }

  /** The tensor that a parameter names. */
  parameter(name: string): string {
    const value = this.case_.file.params[name] ?? name;
    if (typeof value !== "string")
      throw new Error(`parameter ${name} should name a tensor, but is ${JSON.stringify(value)}`);
    return value;
  }

  /** The inputs, in order. */
  inputs(): Value[] {
    return this.case_.file.inputs.map(({ tensor }) => this.value(tensor));
  }

  /** Position of the input that a quantity speaks of: the only one where it names none. */
  inputOf({ args, id }: Expected): number {
    const at = this.names.indexOf((args?.["input"] ?? this.names[0]) as string);
    if (at < 0 || (args?.["input"] === undefined && this.names.length > 1))
      throw new Error(`${id} names none of the inputs ${this.names.join(", ")}`);
    return at;
  }

  /** Names of the tensors of a baseline, in the order of the inputs; the only baseline where a quantity names none. */
  baselineOf({ args, id }: Expected): string[] {
    const { baselines = {}, params } = this.case_.file;
    const name = args?.["baseline"] ?? args?.["baselines"] ?? params["baseline"] ?? Object.keys(baselines)[0];
    const baseline = baselines[name as string];
    if (!baseline) throw new Error(`${id}: there is no baseline ${JSON.stringify(name)}`);
    return this.names.map((input) => baseline[input]!);
  }

  /** The class of every example, [batch] i32. */
  target(): Value {
    return this.value(this.parameter("target"));
  }

  /** Output [batch, ...] of the network at values for the inputs, in order. */
  readonly output = (...xs: readonly Value[]): Value => this.outputWith(xs, this.weights);

  outputWith(xs: readonly Value[], weights: Readonly<Record<string, Value>>): Value {
    return network(this.case_, Object.fromEntries(this.names.map((name, i) => [name, xs[i]!])), weights);
  }

  /** Output of the target class of every example, [batch]. */
  readonly scores = (...xs: readonly Value[]): Value => this.scoresWith(xs, this.weights);

  scoresWith(xs: readonly Value[], weights: Readonly<Record<string, Value>>): Value {
    return takeTarget(this.outputWith(xs, weights), this.target());
  }

  /** The same, summed over the examples: what is differentiated. */
  readonly score = (...xs: readonly Value[]): Value => sum(this.scores(...xs));

  /** The network as the attribution methods take it: one object for all calls, so that they share their programs. */
  readonly model: ModelLike = (x: Value | Readonly<Record<string, Value>>) =>
    this.output(...(x instanceof Node ? [x] : this.names.map((name) => x[name]!)));

  /** What belongs to the inputs, in order, as the attribution methods take it. */
  named<T>(parts: readonly T[]): T | Record<string, T> {
    return parts.length === 1 ? parts[0]! : Object.fromEntries(this.names.map((name, i) => [name, parts[i]!]));
  }

  /** The inputs as arrays. */
  arrays(): HostArray | Record<string, HostArray> {
    return this.named(this.case_.file.inputs.map(({ tensor }) => this.array(tensor)));
  }

  /** The other way round. */
  parts(named: HostArray | Readonly<Record<string, HostArray>>): HostArray[] {
    return isArray(named) ? [named] : this.names.map((name) => named[name]!);
  }

  /** What all attribution methods are told. */
  options(): { device: Device; target: number[] } {
    return { device: this.device, target: Array.from(this.array(this.parameter("target")).data) };
  }

  /** Runs `compute` once for each key. */
  once<T>(key: string, compute: () => Promise<T>): Promise<T> {
    let known = this.results.get(key) as Promise<T> | undefined;
    if (!known) this.results.set(key, (known = compute()));
    return known;
  }

  dispose(): void {
    this.uploaded.forEach((tensor) => tensor.dispose());
  }
}

const isArray = (x: HostArray | Readonly<Record<string, HostArray>>): x is HostArray => ArrayBuffer.isView(x.data);

export const isValue = (result: Value | Promise<Result>): result is Value => result instanceof Node;

/** Elements of one example. */
export const exampleSize = (x: { readonly shape: Shape }): number => numel(x.shape.slice(1));
