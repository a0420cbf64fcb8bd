// Uniform values of a program: one buffer for all dispatches.
import type { Node } from "../graph/node.ts";
import type { Uniform } from "../graph/primitive.ts";
import type { Launch } from "./recipe.ts";

/** Tells the two kinds of what a dispatch binds apart. */
export const isUniforms = (source: Node | readonly Uniform[]): source is readonly Uniform[] => Array.isArray(source);

/** A block of uniform values as words of 32 bits: whole vec4s. */
export function uniformWords(values: readonly Uniform[]): number[] {
  const words = new Uint32Array(Math.ceil(values.length / 4) * 4);
  const floats = new Float32Array(words.buffer);
  values.forEach((value, i) => {
    if (typeof value === "number") words[i] = value;
    else floats[i] = value.f32;
  });
  return [...words];
}

/** The largest minUniformBufferOffsetAlignment that WebGPU lets an adapter have. */
const ALIGNMENT = 256;

/** All blocks in one buffer, each at an offset that WebGPU can bind. */
export function packUniforms(launches: readonly Launch[]): {
  data: Uint32Array<ArrayBuffer>;
  /** For each launch and each of its bindings; 0 where it binds a buffer. */
  offsets: number[][];
} {
  let end = 0;
  const blocks: { at: number; words: readonly number[] }[] = [];
  const offsets = launches.map(({ bindings }) =>
    bindings.map(([, source]) => {
      if (typeof source === "number") return 0;
      const at = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      blocks.push({ at, words: source });
      end = at + 4 * source.length;
      return at;
    }),
  );
  const data = new Uint32Array(end / 4);
  for (const { at, words } of blocks) data.set(words, at / 4);
  return { data, offsets };
}
