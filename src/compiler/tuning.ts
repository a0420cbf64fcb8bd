// What is known about a device's kernels: capabilities, and the variants that `tune()` found to be the fastest.
import type { Capabilities } from "../graph/primitive.ts";
import { cached } from "../tensor/cached.ts";
import type { Device } from "../tensor/device.ts";
import { ArgumentError } from "../tensor/errors.ts";

/** The fastest variant by key of a node: plain data, which a page can store and ship. */
export type Tuning = Readonly<Record<string, string>>;

/** By device: choices are forgotten with it. */
const choices = /* @__PURE__ */ new WeakMap<Device, Map<string, string>>();

/** The choices of a device, to be added to. */
export const tunedOf = (device: Device): Map<string, string> =>
  cached(choices, device, () => new Map<string, string>());

export function capabilitiesOf(device: Device): Capabilities {
  const { info, limits, features } = device;
  return {
    software: info.software,
    quads: features.subgroups && info.subgroupSize === 4,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    tuned: tunedOf(device),
  };
}

/** What was measured on a device so far, or given to it, for {@link useTuning} on the same kind of device. */
export const tuningOf = (device: Device): Tuning => Object.fromEntries(tunedOf(device));

/**
 * Lets the programs compiled from now on use these variants; names that this version does not know are passed over.
 * Results stay within rounding of what they were: variants add in different orders.
 * @param tuning from {@link tuningOf}, measured on the same kind of device
 * @throws ArgumentError unless it is a record of texts
 */
export function useTuning(device: Device, tuning: Tuning): void {
  for (const [key, name] of Object.entries(tuning)) {
    if (typeof name !== "string") {
      throw new ArgumentError(
        `useTuning: "${key}" should name a variant, got ${String(name)}; pass what tuningOf() returned`,
      );
    }
    tunedOf(device).set(key, name);
  }
}
