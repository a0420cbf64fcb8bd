// Programs compiled for a traced model, shared by all calls that explain it.
import type { Device } from "../tensor/device.ts";
import { Program } from "../compiler/program.ts";
import type { Graph } from "../graph/trace.ts";
import type { Problem } from "./problem.ts";

export interface Compiled<G extends Graph> {
  readonly program: Program;
  readonly graph: G;
}

const caches = new WeakMap<Problem, WeakMap<Device, Map<string, unknown>>>();

function cacheOf(problem: Problem, device: Device): Map<string, unknown> {
  const perDevice = caches.get(problem) ?? new WeakMap<Device, Map<string, unknown>>();
  caches.set(problem, perDevice);
  const cache = perDevice.get(device) ?? new Map<string, unknown>();
  perDevice.set(device, cache);
  return cache;
}

/** The program for a graph of a problem; `key` says which, so that the graph is only built once. */
export function compiled<G extends Graph>(problem: Problem, device: Device, key: string, graph: () => G): Compiled<G> {
  const cache = cacheOf(problem, device);
  let known = cache.get(key) as Compiled<G> | undefined;
  if (!known) {
    const made = graph();
    cache.set(key, (known = { program: new Program(device, made), graph: made }));
  }
  return known;
}
