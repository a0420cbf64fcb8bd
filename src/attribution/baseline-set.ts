// From what a caller gives as baselines to arrays for every input.
import { ArgumentError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { Tensor } from "../tensor/tensor.ts";
import { resolveBaseline, type Baseline, type SingleBaseline, type WeightedBaseline } from "./baselines.ts";
import { assertFinite } from "./problem.ts";
import type { ArrayInput } from "./types.ts";

/** Baselines and their weights, scaled to sum to 1. */
export async function baselineSet(
  baseline: Baseline | readonly WeightedBaseline[],
  arrays: Readonly<Record<string, ArrayInput>>,
): Promise<{ baselines: HostArray[][]; weights: number[] }> {
  const set: readonly WeightedBaseline[] = Array.isArray(baseline) ? baseline : [{ baseline: baseline as Baseline }];
  const weights = set.map(({ weight = 1 }) => weight);
  const total = weights.reduce((a, b) => a + b, 0);
  if (set.length === 0 || weights.some((w) => !(w >= 0)) || !(total > 0)) {
    throw new ArgumentError("baseline: expected at least one baseline, and weights >= 0 with a positive sum");
  }
  const hosts = await readInputs(arrays);
  const baselines = await Promise.all(
    set.map(({ baseline: b }) => Promise.all(Object.entries(hosts).map(([name, x]) => resolveFor(b, x, name)))),
  );
  return { baselines, weights: weights.map((w) => w / total) };
}

async function readInputs(arrays: Readonly<Record<string, ArrayInput>>): Promise<Record<string, HostArray>> {
  const entries = Object.entries(arrays).map(
    async ([name, x]) => [name, x instanceof Tensor ? await x.read() : x] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function resolveFor(baseline: Baseline, input: HostArray, name: string): Promise<HostArray> {
  const single = isRecord(baseline) ? baseline[name] : baseline;
  if (single === undefined) {
    if (input.dtype !== "f32") return input;
    throw new ArgumentError(`baseline: none is given for input "${name}"`);
  }
  // Whole numbers (token ids) have no meaningful zero: unless an array is given, they stay as they are.
  if (input.dtype !== "f32" && (typeof single === "string" || typeof single === "number")) return input;
  const array = resolveBaseline(single instanceof Tensor ? await single.read() : single, input, name);
  assertFinite(`the baseline of input "${name}"`, array);
  return array.dtype === input.dtype ? array : hostArray(array.data, array.shape, input.dtype);
}

const isRecord = (b: Baseline): b is Readonly<Record<string, SingleBaseline>> =>
  typeof b === "object" && !(b instanceof Tensor) && !("data" in b);
