// How Integrated Hessians depend on the smoothing of a network with kinks.
import { ArgumentError } from "../tensor/errors.ts";
import { largestOf, relative } from "./hessian-smooth.ts";
import {
  integratedHessians,
  type IntegratedHessiansOptions,
  type IntegratedHessiansResult,
} from "./integrated-hessians.ts";
import type { Input, ModelLike } from "./types.ts";

export interface BetaSweepOptions extends Omit<IntegratedHessiansOptions, "beta"> {
  /** Sharpnesses, rising. Default 2, 5, 10, 20, 50, 100. */
  readonly betas?: readonly number[];
}

export interface BetaSweepPoint<I extends Input> {
  readonly beta: number;
  readonly result: IntegratedHessiansResult<I>;
  /** Largest change of an interaction since the beta before, relative to the largest one; absent for the first. */
  readonly change?: number;
}

/**
 * Integrated Hessians for a series of betas. The interactions of a smoothed network are not those of the network with its
 * kinks: at beta 10 they commonly differ by half. The sweep shows how far they still move, and how far scores do
 * (`result.smoothing.moved`). Sharper networks need more nodes: `tolerance` chooses them for each beta, `rule: "bins"`
 * suits the sharpest.
 * @throws as `integratedHessians`, and ArgumentError unless betas are positive and rising
 */
export async function betaSweep<I extends Input>(
  model: ModelLike,
  input: I,
  { betas = [2, 5, 10, 20, 50, 100], onProgress, ...options }: BetaSweepOptions = {},
): Promise<BetaSweepPoint<I>[]> {
  if (betas.length === 0 || betas.some((beta, i) => !(beta > (betas[i - 1] ?? 0))))
    throw new ArgumentError(`betas: expected positive rising numbers, got [${betas.join(", ")}]`);
  const points: BetaSweepPoint<I>[] = [];
  for (const beta of betas) {
    const result = await integratedHessians(model, input, { ...options, beta });
    const before = points.at(-1)?.result.interactions.data;
    const { data } = result.interactions;
    const change = before && relative(largestOf(data.map((v, i) => v - before[i]!)), largestOf(data));
    points.push({ beta, result, ...(change !== undefined && { change }) });
    onProgress?.({ done: points.length, total: betas.length });
  }
  return points;
}
