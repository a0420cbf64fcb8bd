// From what a caller gives as baselines to arrays for every input.
import { ArgumentError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { resolveBaseline, type Baseline, type SingleBaseline, type WeightedBaseline } from "./baselines.ts";
import type { Node } from "../graph/node.ts";
import { assertFinite, type Problem } from "./problem.ts";
import type { ArrayInput, PathOptions } from "./types.ts";

export interface BaselineSet {
  /** For every baseline, one array per value that it is given for. */
  readonly baselines: readonly (readonly HostArray[])[];
  /** Scaled to sum to 1. */
  readonly weights: readonly number[];
}

/** Baselines on the host, and their weights. */
export async function baselineSet(
  baseline: Baseline | readonly WeightedBaseline[],
  arrays: Readonly<Record<string, ArrayInput>>,
): Promise<BaselineSet> {
  const set: readonly WeightedBaseline[] = Array.isArray(baseline) ? baseline : [{ baseline: baseline as Baseline }];
  const weights = set.map(({ weight = 1 }) => weight);
  const total = weights.reduce((a, b) => a + b, 0);
  if (set.length === 0 || weights.some((w) => !(w >= 0)) || !(total > 0)) {
    throw new ArgumentError("baseline: expected at least one baseline, and weights >= 0 with a positive sum");
  }
  const baselines: HostArray[][] = [];
  for (const { baseline: b } of set) {
    baselines.push(await Promise.all(Object.entries(arrays).map(([name, x]) => resolveFor(b, x, name))));
  }
  return { baselines, weights: weights.map((w) => w / total) };
}

async function resolveFor(baseline: Baseline, given: ArrayInput, name: string): Promise<HostArray> {
  const single = isRecord(baseline) ? baseline[name] : baseline;
  if (single === undefined && given.dtype === "f32")
    throw new ArgumentError(`baseline: none is given for input "${name}"`);
  // Whole numbers (token ids) have no meaningful zero: unless an array is given, they stay as they are.
  const stays = single === undefined || (given.dtype !== "f32" && !isArray(single));
  const input = await hostOf(given, stays || typeof single === "function");
  if (stays) return input;
  const array = resolveBaseline(single instanceof Tensor ? await single.read() : single, input, name);
  assertFinite(`the baseline of input "${name}"`, array);
  return array.dtype === input.dtype ? array : hostArray(array.data, array.shape, input.dtype);
}

/** An input on the host. A tensor is only read if its elements matter, and not just its shape. */
async function hostOf(x: ArrayInput, elements: boolean): Promise<HostArray> {
  if (!(x instanceof Tensor)) return x;
  return elements ? x.read() : hostArray(new Float32Array(numel(x.shape)), x.shape, x.dtype);
}

const isArray = (b: SingleBaseline): boolean => typeof b !== "string" && typeof b !== "number";
const isRecord = (b: Baseline): b is Readonly<Record<string, SingleBaseline>> =>
  typeof b === "object" && !(b instanceof Tensor) && !("data" in b);

/** What baselines are given for: the inputs, or the layer that is attributed to. */
export function startingValues(
  { inputs, ends }: Problem,
  { layer, baselineOf = "input" }: PathOptions,
): readonly Node[] {
  if (baselineOf === "input") return inputs;
  if (layer === undefined) throw new ArgumentError('baselineOf: "layer" needs the name of a layer to attribute to');
  return ends;
}

/** What recipes for baselines see: the inputs, or for a layer, whose value is not known here, zeros of its shape. */
export function placeholders(
  { inputs, endNames }: Problem,
  starting: readonly Node[],
  arrays: Readonly<Record<string, ArrayInput>>,
): Readonly<Record<string, ArrayInput>> {
  if (starting === inputs) return arrays;
  return Object.fromEntries(
    starting.map(({ shape }, j) => [endNames[j]!, hostArray(new Float32Array(numel(shape)), shape)]),
  );
}

/** Without an array of other ids, a path between whole numbers would not leave its input: all attributions would be 0. */
export function assertArrays(baseline: PathOptions["baseline"] = "zero"): void {
  const set = Array.isArray(baseline) ? (baseline as readonly WeightedBaseline[]) : [{ baseline }];
  const stays = set.find(({ baseline: b }) => typeof b === "string" || typeof b === "number");
  if (!stays) return;
  throw new ArgumentError(
    `baseline: whole numbers have no ${JSON.stringify(stays.baseline)} to start from; give an array of ids, such as padding`,
  );
}
