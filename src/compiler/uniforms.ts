// Uniform values of a program: one buffer for all dispatches.
import type { Node } from "../graph/node.ts";
import type { Uniform } from "../graph/primitive.ts";
import type { Step } from "./step.ts";

/** Tells the two kinds of what a dispatch binds apart. */
export const isUniforms = (source: Node | readonly Uniform[]): source is readonly Uniform[] => Array.isArray(source);
/** Bytes of a block of uniform values: whole vec4s. */
export const uniformBytes = (values: readonly Uniform[]): number => Math.ceil(values.length / 4) * 16;

/** The largest minUniformBufferOffsetAlignment that WebGPU lets an adapter have. */
const ALIGNMENT = 256;

/** All uniform values of a program in one buffer, each block at an offset that WebGPU can bind. */
export function packUniforms(steps: readonly Step[]): { data: Uint32Array; offsets: number[][] } {
  let end = 0;
  const blocks: { at: number; values: readonly Uniform[] }[] = [];
  const offsets = steps.map((step) =>
    step.bindings.map(({ source }) => {
      if (!isUniforms(source)) return 0;
      const at = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      blocks.push({ at, values: source });
      end = at + uniformBytes(source);
      return at;
    }),
  );
  const data = new Uint32Array(end / 4);
  const floats = new Float32Array(data.buffer);
  for (const { at, values } of blocks) {
    values.forEach((value, i) => {
      if (typeof value === "number") data[at / 4 + i] = value;
      else floats[at / 4 + i] = value.f32;
    });
  }
  return { data, offsets };
}
