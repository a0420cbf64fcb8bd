// Tensors of an .onnx file as constants: every storage form and element type the format has.
import { FormatError } from "../../../tensor/errors.ts";
import type { DType } from "../../../tensor/dtype.ts";
import { formatShape, numel } from "../../../tensor/shape.ts";
import type { Constant } from "../constant.ts";
import { f16ToNumber } from "../safetensors.ts";
import type { OnnxTensor } from "./proto.ts";

interface ElementType {
  readonly name: string;
  readonly dtype: DType;
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
}

const bf16 = new DataView(new ArrayBuffer(4));

/** By the numbers of TensorProto.DataType. */
const elementTypes: Readonly<Record<number, ElementType>> = {
  1: { name: "float", dtype: "f32", bytes: 4, read: (v, at) => v.getFloat32(at, true) },
  2: { name: "uint8", dtype: "i32", bytes: 1, read: (v, at) => v.getUint8(at) },
  3: { name: "int8", dtype: "i32", bytes: 1, read: (v, at) => v.getInt8(at) },
  4: { name: "uint16", dtype: "i32", bytes: 2, read: (v, at) => v.getUint16(at, true) },
  5: { name: "int16", dtype: "i32", bytes: 2, read: (v, at) => v.getInt16(at, true) },
  6: { name: "int32", dtype: "i32", bytes: 4, read: (v, at) => v.getInt32(at, true) },
  7: { name: "int64", dtype: "i32", bytes: 8, read: (v, at) => Number(v.getBigInt64(at, true)) },
  9: { name: "bool", dtype: "bool", bytes: 1, read: (v, at) => v.getUint8(at) },
  10: { name: "float16", dtype: "f32", bytes: 2, read: (v, at) => f16ToNumber(v.getUint16(at, true)) },
  11: { name: "double", dtype: "f32", bytes: 8, read: (v, at) => v.getFloat64(at, true) },
  12: { name: "uint32", dtype: "i32", bytes: 4, read: (v, at) => v.getUint32(at, true) },
  13: { name: "uint64", dtype: "i32", bytes: 8, read: (v, at) => Number(v.getBigUint64(at, true)) },
  16: {
    name: "bfloat16",
    dtype: "f32",
    bytes: 2,
    read: (v, at) => (bf16.setUint16(0, v.getUint16(at, true)), bf16.getFloat32(0)),
  },
};

/** The element type that a number of TensorProto.DataType stands for here. */
export function elementDType(what: string, dataType: number): DType {
  return elementType(what, dataType).dtype;
}

function elementType(what: string, dataType: number): ElementType {
  const type = elementTypes[dataType];
  if (type) return type;
  const known = Object.entries(elementTypes).map(([number, { name }]) => `${name} (${number})`);
  throw new FormatError(`onnx: ${what} has element type ${dataType}; supported are ${known.join(", ")}`);
}

/** @throws FormatError when the data do not match the declared shape, or lie outside the file */
export function constantFromOnnx(tensor: OnnxTensor, what = `tensor "${tensor.name}"`): Constant {
  const made = decoded.get(tensor) ?? decode(tensor, what);
  decoded.set(tensor, made);
  return made;
}

/** Decoded once: equal objects are uploaded once, however often a model is traced. */
const decoded = new WeakMap<OnnxTensor, Constant>();

function decode(tensor: OnnxTensor, what: string): Constant {
  const type = elementType(what, tensor.dataType);
  const { dtype } = type;
  const shape = tensor.dims;
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new FormatError(`onnx: ${what} has shape ${formatShape(shape)}`);
  }
  if (tensor.dataLocation !== 0) {
    throw new FormatError(`onnx: ${what} is stored in another file; save the model with its weights inside`);
  }
  const elements = tensor.rawData ? rawElements(tensor.rawData, type) : listed(tensor);
  if (elements.length !== numel(shape)) {
    throw new FormatError(
      `onnx: ${what} has shape ${formatShape(shape)}, ${numel(shape)} elements, but data for ${elements.length}`,
    );
  }
  return { shape, dtype, data: dtype === "f32" ? Float32Array.from(elements) : Float64Array.from(elements) };
}

function rawElements(raw: Uint8Array, type: ElementType): ArrayLike<number> {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  // The common case at the speed of a copy.
  if (type.name === "float" && raw.length % 4 === 0) return new Float32Array(raw.slice().buffer);
  return Array.from({ length: raw.length / type.bytes }, (_, i) => type.read(view, i * type.bytes));
}

function listed({ dataType, floatData, doubleData, int64Data, uint64Data, int32Data }: OnnxTensor): number[] {
  // Halves are stored as their bits in int32_data.
  if (dataType === 10) return int32Data.map(f16ToNumber);
  if (dataType === 16) return int32Data.map((bits) => (bf16.setUint16(0, bits), bf16.getFloat32(0)));
  return [floatData, doubleData, int64Data, uint64Data, int32Data].find((list) => list.length > 0) ?? [];
}
