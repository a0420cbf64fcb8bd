// The weights of a TensorFlow.js model: groups of binary shards, and a manifest that says what lies where.
import { FormatError } from "../../../tensor/errors.ts";
import { formatShape, numel, type Shape } from "../../../tensor/shape.ts";
import type { DType } from "../../../tensor/dtype.ts";
import type { Constant } from "../constant.ts";
import { isInside } from "../inside.ts";
import { codecs, isSizes, plainBytes } from "../safetensors.ts";

/** All shards one after the other, or a function that gives the bytes of a shard by its path in the manifest. */
export type TfjsWeights = ArrayBuffer | Uint8Array | ((path: string) => Promise<ArrayBuffer | Uint8Array>);

export interface WeightSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: string;
  readonly quantization?: { readonly dtype: string; readonly scale?: number; readonly min?: number };
}

export interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly WeightSpec[];
}

interface Stored {
  readonly bytes: number;
  readonly read: (bytes: Uint8Array<ArrayBuffer>) => ArrayLike<number | bigint>;
}

const stored: Readonly<Record<string, Stored>> = {
  float32: codecs.F32,
  int32: codecs.I32,
  uint16: { bytes: 2, read: (b) => new Uint16Array(b.slice().buffer) },
  uint8: codecs.U8,
  bool: codecs.U8,
  float16: codecs.F16,
};

const dtypes: Readonly<Record<string, DType>> = { float32: "f32", int32: "i32", bool: "bool" };

/**
 * @param groups the manifest, as the file has it
 * @throws FormatError naming the weight whose bytes are missing or left over, or whose type is not supported, and for
 * paths that lead out of the model's folder
 */
export async function readWeights(groups: readonly WeightGroup[], source: TfjsWeights): Promise<Map<string, Constant>> {
  checkManifest(groups);
  const found = new Map<string, Constant>();
  const whole = typeof source === "function" ? undefined : plainBytes(source);
  let used = 0;
  for (const group of groups) {
    const bytes = typeof source === "function" ? await joined(group, source) : whole!.subarray(used);
    let at = 0;
    for (const spec of group.weights) {
      const { constant, size } = readWeight(spec, bytes, at);
      found.set(spec.name, constant);
      at += size;
    }
    if (!whole && at !== bytes.length) {
      throw new FormatError(`tfjs: ${group.paths.join(", ")} have ${bytes.length} bytes, but their weights take ${at}`);
    }
    used += at;
  }
  if (whole && used !== whole.length)
    throw new FormatError(`tfjs: the weights have ${whole.length} bytes; the manifest describes ${used}`);
  return found;
}

/** Nothing in the manifest is believed: its paths are opened, its shapes allocated. */
function checkManifest(groups: unknown): asserts groups is readonly WeightGroup[] {
  const fail = (problem: string): never => {
    throw new FormatError(`tfjs: weightsManifest ${problem}; model.json is damaged`);
  };
  if (!Array.isArray(groups)) fail("is not a list of groups");
  const seen = new Set<string>();
  for (const group of groups as readonly Partial<WeightGroup>[]) {
    if (!Array.isArray(group?.paths) || !Array.isArray(group.weights)) fail("has a group without paths or weights");
    for (const path of group.paths as readonly unknown[]) {
      if (typeof path !== "string" || !isInside(path))
        fail(`names the shard ${JSON.stringify(path)}; expected a path inside the model's folder`);
      if (seen.has(path as string)) fail(`names the shard "${String(path)}" twice`);
      seen.add(path as string);
    }
    for (const spec of group.weights as readonly Partial<WeightSpec>[]) {
      if (typeof spec?.name !== "string") fail("has a weight without a name");
      const { name, shape, quantization } = spec;
      const { scale = 1, min = 0 } = quantization ?? {};
      if (!isSizes(shape))
        fail(`gives weight "${name}" the shape ${JSON.stringify(shape)}; expected whole numbers >= 0`);
      if (!Number.isFinite(scale) || !Number.isFinite(min))
        fail(`quantises weight "${name}" with scale ${scale} and min ${min}; expected numbers`);
    }
  }
}

function readWeight(
  spec: WeightSpec,
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
): { constant: Constant; size: number } {
  const { name, shape, dtype, quantization: q } = spec;
  const from = q?.dtype ?? dtype;
  const codec = Object.hasOwn(stored, from) ? stored[from] : undefined;
  const to = Object.hasOwn(dtypes, dtype) ? dtypes[dtype] : undefined;
  if (!codec || !to) {
    throw new FormatError(`tfjs: weight "${name}" has type ${from}; supported are ${Object.keys(stored).join(", ")}`);
  }
  const size = numel(shape) * codec.bytes;
  if (at + size > bytes.length) {
    throw new FormatError(
      `tfjs: weight "${name}" ${formatShape(shape)} should occupy bytes ${at} to ${at + size} of ${bytes.length}; the file is cut short`,
    );
  }
  const elements = codec.read(bytes.subarray(at, at + size)) as ArrayLike<number>;
  const { scale = 1, min = 0 } = q ?? {};
  const affine = q && q.dtype !== "float16";
  const data =
    to === "f32" ? Float32Array.from(elements, (v) => (affine ? v * scale + min : v)) : Float64Array.from(elements);
  return { constant: { shape, dtype: to, data }, size };
}

async function joined(
  { paths }: WeightGroup,
  read: (path: string) => Promise<ArrayBuffer | Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const shards = (await Promise.all(paths.map((path) => read(path)))).map(plainBytes);
  const bytes = new Uint8Array(shards.reduce((sum, shard) => sum + shard.length, 0));
  let at = 0;
  for (const shard of shards) {
    bytes.set(shard, at);
    at += shard.length;
  }
  return bytes;
}
