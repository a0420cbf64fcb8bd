// The messages of an .onnx file, as far as this package reads them. A table of field numbers and a loop over the wire
// format of protobufjs; its reflection is not used, since that generates code at run time, which many pages forbid.
import type protobuf from "protobufjs/minimal.js";
import { FormatError } from "../../../tensor/errors.ts";

export interface OnnxTensor {
  dims: number[];
  dataType: number;
  floatData: number[];
  int32Data: number[];
  int64Data: number[];
  name: string;
  rawData?: Uint8Array;
  doubleData: number[];
  uint64Data: number[];
  dataLocation: number;
}

export interface OnnxAttribute {
  name: string;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: OnnxTensor;
  g?: OnnxGraph;
  floats: number[];
  ints: number[];
  strings: Uint8Array[];
}

export interface OnnxNode {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  domain: string;
  attribute: OnnxAttribute[];
}

export interface OnnxValueInfo {
  name: string;
  type?: { tensorType?: { elemType: number; shape?: { dim: { dimValue?: number; dimParam: string }[] } } };
}

export interface OnnxGraph {
  node: OnnxNode[];
  name: string;
  initializer: OnnxTensor[];
  input: OnnxValueInfo[];
  output: OnnxValueInfo[];
}

export interface OnnxModel {
  graph?: OnnxGraph;
  opsetImport: { domain: string; version: number }[];
  producerName: string;
}

type Scalar = "string" | "bytes" | "float" | "double" | "int64" | "int32" | "uint64";
/** Field number -> [name, type, repeated?]; a type that is no scalar is a message of this table. */
type Message = Readonly<Record<number, readonly [name: string, type: string, repeated?: "repeated"]>>;

const messages: Readonly<Record<string, Message>> = {
  Model: { 2: ["producerName", "string"], 7: ["graph", "Graph"], 8: ["opsetImport", "OperatorSet", "repeated"] },
  OperatorSet: { 1: ["domain", "string"], 2: ["version", "int64"] },
  Graph: {
    1: ["node", "Node", "repeated"],
    2: ["name", "string"],
    5: ["initializer", "Tensor", "repeated"],
    11: ["input", "ValueInfo", "repeated"],
    12: ["output", "ValueInfo", "repeated"],
  },
  Node: {
    1: ["input", "string", "repeated"],
    2: ["output", "string", "repeated"],
    3: ["name", "string"],
    4: ["opType", "string"],
    5: ["attribute", "Attribute", "repeated"],
    7: ["domain", "string"],
  },
  Attribute: {
    1: ["name", "string"],
    2: ["f", "float"],
    3: ["i", "int64"],
    4: ["s", "bytes"],
    5: ["t", "Tensor"],
    6: ["g", "Graph"],
    7: ["floats", "float", "repeated"],
    8: ["ints", "int64", "repeated"],
    9: ["strings", "bytes", "repeated"],
  },
  Tensor: {
    1: ["dims", "int64", "repeated"],
    2: ["dataType", "int32"],
    4: ["floatData", "float", "repeated"],
    5: ["int32Data", "int32", "repeated"],
    7: ["int64Data", "int64", "repeated"],
    8: ["name", "string"],
    9: ["rawData", "bytes"],
    10: ["doubleData", "double", "repeated"],
    11: ["uint64Data", "uint64", "repeated"],
    14: ["dataLocation", "int32"],
  },
  ValueInfo: { 1: ["name", "string"], 2: ["type", "Type"] },
  Type: { 1: ["tensorType", "TensorType"] },
  TensorType: { 1: ["elemType", "int32"], 2: ["shape", "TensorShape"] },
  TensorShape: { 1: ["dim", "Dimension", "repeated"] },
  Dimension: { 1: ["dimValue", "int64"], 2: ["dimParam", "string"] },
};

/** proto3: absent scalars read as these. Fields whose absence has a meaning of its own are not listed. */
const defaults: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  Model: { producerName: "" },
  OperatorSet: { domain: "", version: 0 },
  Graph: { name: "" },
  Node: { name: "", opType: "", domain: "" },
  Attribute: { name: "" },
  Tensor: { dataType: 0, name: "", dataLocation: 0 },
  ValueInfo: { name: "" },
  TensorType: { elemType: 0 },
  Dimension: { dimParam: "" },
};

const LENGTH_DELIMITED = 2;
/** How the wire format stores a kind of field. */
const wireType = (kind: string): number =>
  kind === "float" ? 5 : kind === "double" ? 1 : /^u?int/.test(kind) ? 0 : LENGTH_DELIMITED;

/** Nothing in use nests deeper (graphs inside attributes inside graphs); a hostile file could otherwise exhaust the stack. */
const MAX_DEPTH = 64;

/**
 * Decodes an .onnx file.
 * @throws FormatError when the bytes are not such a message
 */
export function decodeModel(minimal: typeof protobuf, bytes: Uint8Array): OnnxModel {
  return decode(minimal, "Model", bytes) as unknown as OnnxModel;
}

/** Decodes a tensor that is a file of its own, as the conformance tests of ONNX keep them. */
export function decodeTensor(minimal: typeof protobuf, bytes: Uint8Array): OnnxTensor {
  return decode(minimal, "Tensor", bytes) as unknown as OnnxTensor;
}

function decode(minimal: typeof protobuf, type: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    return message(minimal.Reader.create(bytes), type, bytes.length, 0);
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(
      `onnx: not a readable .onnx file of ${bytes.length} bytes: it is cut short or of another format`,
      { cause },
    );
  }
}

function message(reader: protobuf.Reader, type: string, end: number, depth: number): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new FormatError(`onnx: graphs nested more than ${MAX_DEPTH} messages deep`);
  const fields = messages[type]!;
  const result: Record<string, unknown> = { ...defaults[type] };
  for (const [name, , repeated] of Object.values(fields)) if (repeated) result[name] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    const wire = tag & 7;
    const [name, kind, repeated] = fields[tag >>> 3] ?? [];
    if (name === undefined || kind === undefined) {
      reader.skipType(wire);
      continue;
    }
    // Lists of numbers may come in one piece.
    const packed = repeated !== undefined && wire === LENGTH_DELIMITED && wireType(kind) !== LENGTH_DELIMITED;
    if (!packed && wire !== wireType(kind)) {
      throw new FormatError(
        `onnx: ${name} of a ${type} message is stored as wire type ${wire}, expected ${wireType(kind)}; ` +
          "the file is damaged or of another format",
      );
    }
    if (repeated === undefined) {
      result[name] = value(reader, kind, depth);
      continue;
    }
    const list = result[name] as unknown[];
    const stop = packed ? reader.uint32() + reader.pos : reader.pos + 1;
    while (reader.pos < stop) list.push(value(reader, kind, depth));
    if (packed && reader.pos !== stop) throw pastEnd(name, stop);
  }
  if (reader.pos !== end) throw pastEnd(`a ${type} message`, end);
  return result;
}

const pastEnd = (what: string, end: number): FormatError =>
  new FormatError(`onnx: ${what} runs past its end at byte ${end}; the file is cut short or damaged`);

function value(reader: protobuf.Reader, kind: string, depth: number): unknown {
  if (!messages[kind]) return scalar(reader, kind as Scalar);
  const length = reader.uint32();
  if (reader.pos + length > reader.len)
    throw new FormatError(`onnx: the file ends inside a ${kind} message at byte ${reader.len}; it is cut short`);
  return message(reader, kind, reader.pos + length, depth + 1);
}

function scalar(reader: protobuf.Reader, kind: Scalar): unknown {
  if (kind === "int64" || kind === "uint64") return wide(reader[kind]() as unknown as number | { toNumber(): number });
  return reader[kind]();
}

/** protobufjs gives 64-bit integers as numbers or, where the `long` package is present, as its objects. */
function wide(x: number | { toNumber(): number }): number {
  return typeof x === "number" ? x : x.toNumber();
}
