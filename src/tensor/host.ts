import type { DType } from "./dtype.ts";
import { ArgumentError, ShapeError } from "./errors.ts";
import { checkedShape, formatShape, numel, type Shape } from "./shape.ts";

/** An array in the memory of the program, row-major. */
export interface HostArray {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: Float32Array | Int32Array | Uint32Array;
}

/**
 * Describes numbers as an array of a shape and an element type. A typed array that already fits is kept, not copied.
 * @param data row-major elements
 * @param shape defaults to one axis, `[data.length]`
 * @param dtype `i32` takes whole numbers only; `bool` turns every number but 0 into 1
 * @throws ShapeError when the shape is not made of whole numbers or does not have `data.length` elements
 * @throws ArgumentError when a number does not fit i32
 */
export function hostArray(data: ArrayLike<number>, shape: Shape = [data.length], dtype: DType = "f32"): HostArray {
  const own = checkedShape("array", shape);
  if (numel(shape) !== data.length) {
    throw new ShapeError(
      `shape ${formatShape(shape)} has ${numel(shape)} elements, but ${data.length} numbers were given`,
    );
  }
  return { shape: own, dtype, data: convert(data, dtype) };
}

/** The bytes of a device buffer as elements of a type. */
export function elementsOf(bytes: ArrayBuffer, dtype: DType): HostArray["data"] {
  if (dtype === "f32") return new Float32Array(bytes);
  return dtype === "i32" ? new Int32Array(bytes) : new Uint32Array(bytes);
}

function convert(data: ArrayLike<number>, dtype: DType): HostArray["data"] {
  if (dtype === "f32") return data instanceof Float32Array ? data : Float32Array.from(data);
  if (dtype === "bool") return Uint32Array.from(data, (value) => (value === 0 ? 0 : 1));
  return data instanceof Int32Array ? data : Int32Array.from(data, wholeNumber);
}

function wholeNumber(value: number, i: number): number {
  if ((value | 0) === value) return value;
  throw new ArgumentError(`element ${i} is ${value}, which i32 cannot hold; round it, or use dtype "f32"`);
}
