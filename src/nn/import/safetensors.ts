// The safetensors format: 8 bytes of header length (little endian), a JSON header, then the tensors' bytes without gaps.
// A file may come from anywhere, so nothing in the header is believed before it was checked.
import { ArgumentError, FormatError } from "../../tensor/errors.ts";
import { formatShape, numel, type Shape } from "../../tensor/shape.ts";

export type SafetensorsDType = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "U8" | "BOOL";

export interface SafetensorsEntry {
  readonly shape: Shape;
  readonly dtype: SafetensorsDType;
  /** Row-major elements. F16 and BF16 are widened to f32 when read; BOOL holds 0 or 1. */
  readonly data: Float64Array | Float32Array | BigInt64Array | Int32Array | Uint8Array;
}

type Bytes = Uint8Array<ArrayBuffer>;

interface Codec {
  readonly bytes: number;
  read(bytes: Bytes): SafetensorsEntry["data"];
  write(data: SafetensorsEntry["data"]): Uint8Array;
}

const plain = (bytes: number, View: new (buffer: ArrayBuffer) => SafetensorsEntry["data"]): Codec => ({
  bytes,
  read: (source) => new View(source.slice().buffer),
  write: (data) => {
    if (data.constructor !== View)
      throw new ArgumentError(`expected ${View.name} elements, got ${data.constructor.name}`);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  },
});

const half = (widen: (bits: number) => number, narrow: (value: number) => number): Codec => ({
  bytes: 2,
  read: (source) => Float32Array.from(new Uint16Array(source.slice().buffer), widen),
  write: (data) => new Uint8Array(Uint16Array.from(data as Float32Array, narrow).buffer),
});

export const codecs: Readonly<Record<SafetensorsDType, Codec>> = {
  F64: plain(8, Float64Array),
  F32: plain(4, Float32Array),
  I64: plain(8, BigInt64Array),
  I32: plain(4, Int32Array),
  U8: plain(1, Uint8Array),
  BOOL: plain(1, Uint8Array),
  F16: half(f16ToNumber, () => refuseHalf("F16")),
  BF16: half(bf16ToNumber, () => refuseHalf("BF16")),
};

/** Value of the 16 bits of an IEEE half. */
export function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function bf16ToNumber(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
}

function refuseHalf(dtype: string): never {
  throw new ArgumentError(`${dtype} is read, never written; write the tensor as F32`);
}

/** Headers beyond this are not read: the limit that the reference implementation sets. */
const MAX_HEADER = 100_000_000;

/**
 * Reads every tensor of a safetensors file.
 * @param bytes the whole file
 * @returns tensors by name, in the order of the header; `__metadata__` is left out (see {@link readSafetensorsMetadata})
 * @throws FormatError that names the tensor and the numbers that do not fit, for any file that breaks the format
 */
export function readSafetensors(bytes: ArrayBuffer | Uint8Array): Record<string, SafetensorsEntry> {
  const { header, body } = parse(bytes);
  const infos = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, info]) => checkInfo(name, info, body.length));
  checkCover(infos, body.length);
  // No prototype: a tensor may be called "constructor", or "__proto__".
  const tensors = Object.create(null) as Record<string, SafetensorsEntry>;
  for (const { name, dtype, shape, begin, end } of infos) {
    const data = codecs[dtype].read(body.subarray(begin, end));
    if (dtype === "BOOL") checkBooleans(name, data as Uint8Array);
    tensors[name] = { shape, dtype, data };
  }
  return tensors;
}

/** The free-form `__metadata__` of a safetensors file, `{}` if it has none. */
export function readSafetensorsMetadata(bytes: ArrayBuffer | Uint8Array): Record<string, string> {
  const metadata = parse(bytes).header["__metadata__"] ?? {};
  if (!isObject(metadata) || !Object.values(metadata).every((text) => typeof text === "string")) {
    throw new FormatError("safetensors: __metadata__ must map names to strings");
  }
  return metadata as Record<string, string>;
}

/**
 * Writes a safetensors file. Tensors are laid out by decreasing element size, then in the given order, so that each is
 * aligned to its element size.
 * @throws ArgumentError when a shape does not fit its data, or the data their dtype
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, SafetensorsEntry>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(tensors).sort(([, a], [, b]) => codecs[b.dtype].bytes - codecs[a.dtype].bytes);
  const header = Object.create(null) as Record<string, unknown>;
  if (metadata) header["__metadata__"] = metadata;
  let end = 0;
  const parts = entries.map(([name, { shape, dtype, data }]) => {
    if (name === "__metadata__") throw new ArgumentError('safetensors: no tensor can be called "__metadata__"');
    if (numel(shape) !== data.length)
      throw new ArgumentError(`safetensors: "${name}" has shape ${formatShape(shape)}, but ${data.length} elements`);
    const part = codecs[dtype].write(data);
    header[name] = { dtype, shape, data_offsets: [end, (end += part.length)] };
    return part;
  });
  return assemble(new TextEncoder().encode(JSON.stringify(header)), parts, end);
}

function assemble(json: Uint8Array, parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  // Spaces after the JSON align the tensors to 8 bytes.
  const length = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + length + size).fill(0x20, 8, 8 + length);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.set(json, 8);
  let offset = 8 + length;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}

/** A view that is exactly a Uint8Array: `slice` of its subclass Buffer does not copy. */
export function plainBytes(source: ArrayBuffer | Uint8Array): Bytes {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  return new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength);
}

function parse(source: ArrayBuffer | Uint8Array): { header: Record<string, unknown>; body: Bytes } {
  const bytes = plainBytes(source);
  if (bytes.length < 8)
    throw new FormatError(`safetensors: the file has ${bytes.length} bytes; it is cut short or of another format`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > MAX_HEADER || Number(length) > bytes.length - 8) {
    throw new FormatError(
      `safetensors: a header of ${length} bytes does not fit a file of ${bytes.length}; it is cut short or of another format`,
    );
  }
  const end = 8 + Number(length);
  return { header: parseHeader(bytes.subarray(8, end)), body: bytes.subarray(end) };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError("safetensors: the header is not JSON", { cause });
  }
  if (!isObject(header)) throw new FormatError("safetensors: the header must be a JSON object");
  return header;
}

interface Info {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}

function checkInfo(name: string, info: unknown, size: number): Info {
  const fail = (problem: string): never => {
    throw new FormatError(`safetensors: tensor "${name}" ${problem}`);
  };
  if (!isObject(info)) return fail("is not described by a JSON object");
  const { dtype, shape, data_offsets: offsets } = info;
  if (typeof dtype !== "string" || !Object.hasOwn(codecs, dtype)) {
    return fail(`has dtype ${JSON.stringify(dtype)}; supported are ${Object.keys(codecs).join(", ")}`);
  }
  if (!isSizes(shape)) return fail(`has shape ${JSON.stringify(shape)}, which is not a list of whole numbers >= 0`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    return fail(`has data_offsets ${JSON.stringify(offsets)}; expected two whole numbers`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > size) {
    return fail(`should occupy bytes ${begin} to ${end}, but there are ${size} bytes of tensors`);
  }
  const bytes = numel(shape) * codecs[dtype as SafetensorsDType].bytes;
  if (bytes !== end - begin) {
    return fail(
      `has shape ${formatShape(shape)} and dtype ${dtype}, ${bytes} bytes, but its offsets span ${end - begin}`,
    );
  }
  return { name, dtype: dtype as SafetensorsDType, shape, begin, end };
}

/** Tensors must follow each other without gaps or overlaps and fill the file: nothing can hide in it. */
function checkCover(infos: readonly Info[], size: number): void {
  let covered = 0;
  let previous = "the header";
  for (const { name, begin, end } of [...infos].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) {
      throw new FormatError(
        `safetensors: tensor "${name}" begins at byte ${begin}, but ${previous} ends at ${covered}; ` +
          "there must be no gap, and no overlap",
      );
    }
    covered = end;
    previous = `"${name}"`;
  }
  if (covered !== size) {
    throw new FormatError(`safetensors: the tensors take ${covered} bytes, but the file has ${size}`);
  }
}

function checkBooleans(name: string, data: Uint8Array): void {
  const at = data.findIndex((value) => value > 1);
  if (at >= 0) throw new FormatError(`safetensors: tensor "${name}" is BOOL, but element ${at} is ${data[at]}`);
}

function isObject(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}

export function isSizes(x: unknown): x is number[] {
  return Array.isArray(x) && x.every((length) => Number.isSafeInteger(length) && (length as number) >= 0);
}
