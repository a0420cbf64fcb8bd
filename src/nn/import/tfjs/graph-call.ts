// What an operator of a TensorFlow graph sees: its node's inputs and attributes, checked and converted on request.
import { lift } from "../../../graph/leaves.ts";
import type { Value } from "../../../graph/node.ts";
import { FormatError } from "../../../tensor/errors.ts";
import { numbersOf, type Constant } from "../constant.ts";
import type { ParameterStore } from "../store.ts";
import { asFile, asPicture, isConstant, laid, type Item, type Laid } from "./layout.ts";

/** An attribute as protobuf's JSON form writes it: bytes as base64, 64-bit integers as strings. */
export interface GraphAttribute {
  readonly s?: string;
  readonly i?: string | number;
  readonly f?: number;
  readonly b?: boolean;
  readonly type?: string;
  readonly shape?: GraphShape;
  readonly list?: { readonly s?: readonly string[]; readonly i?: readonly (string | number)[] };
}

export interface GraphShape {
  readonly unknownRank?: boolean;
  readonly dim?: readonly { readonly size: string | number }[];
}

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, GraphAttribute>>;
}

export interface Call {
  readonly node: GraphNode;
  readonly inputs: readonly Item[];
  readonly store: ParameterStore;
}

/** An operator: from a call to its output, or outputs. */
export type Operator = (call: Call) => Item | readonly Item[];

export function fail(call: Call, problem: string): never {
  throw new FormatError(`tfjs: ${call.node.op} node "${call.node.name}" ${problem}`);
}

export const item = (call: Call, i: number): Item => call.inputs[i] ?? fail(call, `lacks input ${i}`);

/** An input as a value in its layout; a constant becomes a captured tensor. */
export function laidInput(call: Call, i: number): Laid {
  const x = item(call, i);
  return isConstant(x) ? laid(lift(call.store.tensor(x))) : x;
}

export const pictureInput = (call: Call, i: number): Value => asPicture(laidInput(call, i));
export const fileInput = (call: Call, i: number): Value => asFile(laidInput(call, i));

export function constant(call: Call, i: number): Constant {
  const x = item(call, i);
  return isConstant(x) ? x : fail(call, `needs input ${i} ("${call.node.input?.[i]}") to be known beforehand`);
}

export const numbers = (call: Call, i: number): number[] => numbersOf(constant(call, i));

const decode = (base64: string): string => atob(base64);

export function text(call: Call, name: string, otherwise: string): string {
  const s = call.node.attr?.[name]?.s;
  return s === undefined ? otherwise : decode(s);
}

export const texts = (call: Call, name: string): string[] => (call.node.attr?.[name]?.list?.s ?? []).map(decode);
export const ints = (call: Call, name: string): number[] => (call.node.attr?.[name]?.list?.i ?? []).map(Number);
export const int = (call: Call, name: string, otherwise: number): number =>
  Number(call.node.attr?.[name]?.i ?? otherwise);
export const float = (call: Call, name: string, otherwise: number): number => call.node.attr?.[name]?.f ?? otherwise;
export const flag = (call: Call, name: string): boolean => call.node.attr?.[name]?.b ?? false;

/** Height and width of a list over [n, h, w, c]. */
export function window(call: Call, name: string): [number, number] {
  const list = ints(call, name);
  if (list.length === 0) return [1, 1];
  if (list.length !== 4 || list[0] !== 1 || list[3] !== 1)
    fail(call, `has ${name} [${list.join(", ")}]; only height and width may differ from 1`);
  return [list[1]!, list[2]!];
}

/** "same", "valid", or [top, left, bottom, right]. */
export function paddingRule(call: Call): "same" | "valid" | [number, number, number, number] {
  if (text(call, "data_format", "NHWC") !== "NHWC")
    fail(call, `has data format ${text(call, "data_format", "")}; expected NHWC`);
  const rule = text(call, "padding", "VALID");
  if (rule !== "EXPLICIT") return rule === "SAME" ? "same" : "valid";
  const [, , top, bottom, left, right] = ints(call, "explicit_paddings") as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return [top, left, bottom, right];
}
