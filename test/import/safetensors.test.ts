import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/tensor/errors.ts";
import { readSafetensors, readSafetensorsMetadata, writeSafetensors } from "../../src/nn/import/safetensors.ts";

/** A file with any header, honest or not. */
function file(header: unknown, body = new Uint8Array(0), length?: bigint): Uint8Array {
  const json = typeof header === "string" ? header : JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
}

const tensor = (dtype: string, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe("safetensors", () => {
  test("what was written is read again", () => {
    const tensors = {
      flags: { shape: [3], dtype: "BOOL", data: Uint8Array.of(1, 0, 1) },
      bytes: { shape: [], dtype: "U8", data: Uint8Array.of(255) },
      weight: { shape: [2, 2], dtype: "F32", data: Float32Array.of(1, -2.5, 3e-40, Infinity) },
      exact: { shape: [1], dtype: "F64", data: Float64Array.of(1 / 3) },
      long: { shape: [1], dtype: "I64", data: BigInt64Array.of(-(2n ** 62n)) },
      whole: { shape: [1, 2], dtype: "I32", data: Int32Array.of(-1, 7) },
      empty: { shape: [0, 4], dtype: "F32", data: new Float32Array(0) },
    } as const;
    const written = writeSafetensors(tensors, { made: "here" });
    expect({ ...readSafetensors(written) }).toEqual(tensors);
    expect(readSafetensorsMetadata(written)).toEqual({ made: "here" });
    // An unaligned view of a larger buffer is as good as a buffer.
    const shifted = new Uint8Array(written.length + 3);
    shifted.set(written, 3);
    expect({ ...readSafetensors(shifted.subarray(3)) }).toEqual(tensors);
    expect({ ...readSafetensors(Buffer.from(written)) }).toEqual(tensors);
  });

  test("half precision is widened", () => {
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x8000);
    const read = readSafetensors(file({ h: tensor("F16", [5], 0, 10) }, new Uint8Array(bits.buffer)));
    expect([...read["h"]!.data]).toEqual([1, -2, 2 ** -24, Infinity, -0]);
    const wide = readSafetensors(
      file({ b: tensor("BF16", [2], 0, 4) }, new Uint8Array(Uint16Array.of(0x3f80, 0xc040).buffer)),
    );
    expect([...wide["b"]!.data]).toEqual([1, -3]);
  });

  const eight = new Uint8Array(8);
  test.each([
    ["no bytes", new Uint8Array(0), /0 bytes/],
    ["a header longer than the file", file("{}", eight, 99n), /99 bytes/],
    ["an absurd header length", file("{}", eight, 2n ** 63n), /9223372036854775808/],
    ["no JSON", file("{nonsense"), /not JSON/],
    ["a list", file([]), /JSON object/],
    ["an entry that is no object", file({ w: 3 }), /"w"/],
    ["an unknown dtype", file({ w: tensor("F8", [1], 0, 1) }, new Uint8Array(1)), /"w" has dtype "F8"/],
    ["a dtype out of Object.prototype", file({ w: tensor("toString", [1], 0, 1) }, new Uint8Array(1)), /"toString"/],
    ["a negative length", file({ w: tensor("F32", [-2], 0, 8) }, eight), /\[-2\]/],
    ["a fractional offset", file({ w: tensor("F32", [2], 0.5, 8.5) }, eight), /\[0.5,8.5\]/],
    ["offsets beyond the end", file({ w: tensor("F32", [4], 0, 16) }, eight), /bytes 0 to 16.* 8 bytes/],
    ["offsets backwards", file({ w: tensor("F32", [2], 8, 0) }, eight), /8 to 0/],
    ["a shape of another size", file({ w: tensor("F32", [3], 0, 8) }, eight), /"w" has shape \[3\].*12 bytes.*span 8/],
    ["a shape whose size overflows", file({ w: tensor("F32", [2 ** 52, 2 ** 52], 0, 8) }, eight), /"w"/],
    [
      "overlap",
      file({ a: tensor("F32", [2], 0, 8), b: tensor("F32", [1], 4, 8) }, eight),
      /"b" begins at byte 4.*overlap/,
    ],
    ["a gap", file({ a: tensor("F32", [1], 4, 8) }, eight), /"a" begins at byte 4.*gap/],
    ["bytes of no tensor", file({ a: tensor("F32", [1], 0, 4) }, eight), /take 4 bytes, but the file has 8/],
    ["a BOOL of 2", file({ a: tensor("BOOL", [1], 0, 1) }, Uint8Array.of(2)), /element 0 is 2/],
  ])("%s is refused", (_what, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(FormatError);
    expect(() => readSafetensors(bytes)).toThrow(message);
  });

  test("names of Object.prototype are only names", () => {
    const read = readSafetensors(file(`{"__proto__":${JSON.stringify(tensor("U8", [1], 0, 1))}}`, Uint8Array.of(7)));
    expect(Object.keys(read)).toEqual(["__proto__"]);
    expect([...read["__proto__"]!.data]).toEqual([7]);
  });

  test("every cut of a file is refused", () => {
    const whole = writeSafetensors({ w: { shape: [4], dtype: "F32", data: Float32Array.of(1, 2, 3, 4) } });
    for (let size = 0; size < whole.length; size++) {
      expect(() => readSafetensors(whole.subarray(0, size))).toThrow(FormatError);
    }
  });
});
