/** Element types. Each takes 4 bytes on the device; a `bool` is a u32 of 0 or 1, since WGSL's bool cannot be stored. */
export type DType = "f32" | "i32" | "bool";

/** Bytes of one element, whatever its type. */
export const BYTES_PER_ELEMENT = 4;
