// Integrated Hessians averaged over a background data set.
import { assertWhole } from "../tensor/checks.ts";
import { ShapeError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { formatShape, numel, sameShape } from "../tensor/shape.ts";
import { randomNumbers } from "./baselines.ts";
import {
  integratedHessians,
  type IntegratedHessiansOptions,
  type IntegratedHessiansResult,
} from "./integrated-hessians.ts";
import type { ArrayInput, ModelLike } from "./types.ts";

export interface ExpectedHessiansOptions extends Omit<IntegratedHessiansOptions, "baseline"> {
  /** Background examples [R, ...example]. */
  readonly references: HostArray;
  /** Takes that many of them at random, without repetition. Default: all. */
  readonly samples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Expected Hessians: Integrated Hessians averaged over a background data set, with the same references for every example
 * and the deterministic rule along every path.
 */
export async function expectedHessians(
  model: ModelLike,
  input: ArrayInput,
  options: ExpectedHessiansOptions,
): Promise<IntegratedHessiansResult<ArrayInput>> {
  const { references, samples, seed, ...rest } = options;
  const [count = 0, ...example] = references.shape;
  if (!sameShape(example, input.shape.slice(1)) || count === 0) {
    throw new ShapeError(
      `references: expected [R, ...${formatShape(input.shape.slice(1))}] with R >= 1, got ${formatShape(references.shape)}`,
    );
  }
  const order = sampled(count, samples ?? count, seed ?? 0);
  const size = numel(example);
  const baseline = order.map((r) => ({
    baseline: { ...references, shape: example, data: references.data.slice(r * size, (r + 1) * size) },
  }));
  return integratedHessians(model, input, { ...rest, baseline });
}

/** Numbers below `count`, without repetition. */
function sampled(count: number, samples: number, seed: number): number[] {
  assertWhole("samples", samples, 1, count);
  const random = randomNumbers(seed);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < samples && samples < count; i++) {
    const j = i + Math.floor(random() * (count - i));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order.slice(0, samples);
}
