// Guided IG: attributions, and the points at which gradients were taken.
import { guidedIG } from "../../../src/attribution/index.ts";
import type { HostArray } from "../../../src/tensor/index.ts";
import type { Expected } from "../case.ts";
import type { Context, Quantity, Result } from "../context.ts";
import { baselineArrays, ofInput } from "./integrated-gradients.ts";

export const guidedIGQuantities: Readonly<Record<string, Quantity>> = {
  guided_ig: async (c, e) => ofInput(c, e, await run(c, e, false)),

  /** [B, steps, ...] */
  guided_ig_path: async (c, e) => {
    const { path } = await run(c, e, true);
    return batchFirst(c.parts(path!)[c.inputOf(e)]!);
  },
};

function run(c: Context, e: Expected, returnPath: boolean) {
  const { x_steps, fraction, max_dist } = { ...c.case_.file.params, ...e.args };
  return guidedIG(c.model, c.arrays(), {
    ...c.options(),
    baseline: c.named(baselineArrays(c, e)),
    ...(x_steps !== undefined && { steps: Number(x_steps) }),
    ...(fraction !== undefined && { fraction: Number(fraction) }),
    ...(max_dist !== undefined && { maxDist: Number(max_dist) }),
    returnPath,
  });
}

/** [S, B, ...] -> [B, S, ...] */
function batchFirst({ shape, data }: HostArray): Result {
  const [steps, batch, ...example] = shape as [number, number, ...number[]];
  const size = data.length / (steps * batch);
  const at = (b: number, s: number): number => (s * batch + b) * size;
  const order = Array.from({ length: batch * steps }, (_, i) => at(Math.floor(i / steps), i % steps));
  return { shape: [batch, steps, ...example], data: order.flatMap((from) => [...data.subarray(from, from + size)]) };
}
