// What an operator of the table sees: its node's inputs and attributes, checked and converted on request.
import type { Operand } from "../../../graph/leaves.ts";
import { lift } from "../../../graph/leaves.ts";
import { Node, type Value } from "../../../graph/node.ts";
import { FormatError } from "../../../tensor/errors.ts";
import type { Shape } from "../../../tensor/shape.ts";
import { numbersOf, type Constant } from "../constant.ts";
import type { ParameterStore } from "../store.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode } from "./proto.ts";
import { constantFromOnnx } from "./tensor.ts";

/** ONNX's lists of tensors. */
export interface Sequence {
  readonly items: readonly Item[];
}

/** What a name in the graph stands for: known on the host, computed on the device, or a list. */
export type Item = Constant | Value | Sequence;

export const isSequence = (item: Item): item is Sequence => "items" in item;
export const isConstant = (item: Item): item is Constant => "data" in item;

export interface Call {
  readonly node: OnnxNode;
  readonly opset: number;
  readonly inputs: readonly (Item | undefined)[];
  readonly store: ParameterStore;
  /** Runs a subgraph (a branch, the body of a loop); names of the graphs around it are visible inside. */
  run(graph: OnnxGraph, bindings: readonly (readonly [string, Item])[]): Item[];
}

/** An operator of the table: from a call to its outputs. */
export type Operator = (call: Call) => Item | readonly Item[];

export function fail(call: Call, problem: string): never {
  throw new FormatError(`onnx: ${call.node.opType} node "${nodeName(call.node)}" ${problem}`);
}

/** Exporters may leave the name out; the first output is unique. */
export const nodeName = (node: OnnxNode): string => node.name || (node.output[0] ?? "");

export function item(call: Call, i: number): Item {
  return call.inputs[i] ?? fail(call, `lacks input ${i}`);
}

/** All inputs as constants, if each of them is one. */
export function allConstant(call: Call): Constant[] | undefined {
  const known = call.inputs.filter((x) => x !== undefined);
  return known.every(isConstant) ? known : undefined;
}

export function operand(call: Call, i: number): Operand {
  return operandOf(call, item(call, i));
}

export function operandOf(call: Call, x: Item): Operand {
  if (x instanceof Node) return x;
  return isConstant(x) ? call.store.operand(x) : fail(call, "got a sequence where it needs a tensor");
}

export function value(call: Call, i: number): Value {
  const x = item(call, i);
  return isConstant(x) ? lift(call.store.tensor(x)) : lift(operandOf(call, x));
}

export function optionalValue(call: Call, i: number): Value | undefined {
  return call.inputs[i] === undefined ? undefined : value(call, i);
}

/** An input that must be known when the model is loaded. */
export function constant(call: Call, i: number): Constant {
  const x = item(call, i);
  if (isConstant(x)) return x;
  return fail(
    call,
    `needs input ${i} ("${call.node.input[i]}") to be known beforehand, but it depends on the model's input`,
  );
}

export const numbers = (call: Call, i: number): number[] => numbersOf(constant(call, i));

export function shapeOf(x: Item): Shape {
  return isSequence(x) ? [] : x.shape;
}

export function attribute(call: Call, name: string): OnnxAttribute | undefined {
  return call.node.attribute.find((a) => a.name === name);
}

export const int = (call: Call, name: string, otherwise: number): number => attribute(call, name)?.i ?? otherwise;
export const float = (call: Call, name: string, otherwise: number): number => attribute(call, name)?.f ?? otherwise;
export const ints = (call: Call, name: string): number[] | undefined => attribute(call, name)?.ints;

export function text(call: Call, name: string, otherwise: string): string {
  const bytes = attribute(call, name)?.s;
  return bytes ? new TextDecoder().decode(bytes) : otherwise;
}

export function tensorAttribute(call: Call, name: string): Constant | undefined {
  const tensor = attribute(call, name)?.t;
  return tensor && constantFromOnnx(tensor, `attribute ${name} of node "${nodeName(call.node)}"`);
}

export function graphAttribute(call: Call, name: string): OnnxGraph {
  return attribute(call, name)?.g ?? fail(call, `lacks the graph "${name}"`);
}

/** Axes: an attribute in old operator sets, an input in new ones; undefined if neither is there. */
export function axesOf(call: Call, input: number): number[] | undefined {
  return call.inputs[input] === undefined ? ints(call, "axes") : numbers(call, input);
}
