// Programs compiled for a traced model, shared by all calls that explain it.
import type { Device } from "../tensor/device.ts";
import { bytesOf } from "../compiler/plan.ts";
import { Program, type ProgramOptions } from "../compiler/program.ts";
import type { Node } from "../graph/node.ts";
import type { Graph } from "../graph/trace.ts";
import type { Cost } from "./chunks.ts";
import type { PathGraph, PathShape } from "./path-parts.ts";
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
export function compiled<G extends Graph>(
  problem: Problem,
  device: Device,
  key: string,
  graph: () => G,
  options: ProgramOptions = {},
): Compiled<G> {
  const cache = cacheOf(problem, device);
  const name = options.saved ? `${key} bits` : key;
  let known = cache.get(name) as Compiled<G> | undefined;
  if (!known) {
    const made = graph();
    cache.set(name, (known = { program: new Program(device, made, options), graph: made }));
  }
  return known;
}

/** What integrates one group of baselines. */
export interface Programs {
  readonly prelude: Compiled<Graph>;
  readonly prepare?: Compiled<PathGraph>;
  readonly chunk: Compiled<PathGraph>;
  readonly finale: Compiled<PathGraph>;
}

export const partsOf = (programs: Programs): Program[] =>
  Object.values(programs).map(({ program }: Compiled<Graph>) => program);

/** Inputs that a run uploads or makes itself, by name; sums and totals are read from one buffer and written to another. */
const OWN_INPUTS: readonly unknown[] = ["baseline", "nodes", "weights", "sum", "baseline weights", "total"];

export const ownBytes = (inputs: readonly Node[]): number =>
  inputs.reduce((bytes, x) => bytes + (OWN_INPUTS.includes(x.attrs["name"]) ? bytesOf(x) : 0), 0);

/** Tells apart the graphs of a problem with and without a hoisted prefix. */
export const boundaryKey = ({ boundary }: PathShape): string => boundary.map(({ id }) => id).join();

/** What a group of baselines takes, a chunk of its steps at a time. */
export function costOf(programs: Programs): Cost {
  const { prelude, chunk, finale } = programs;
  const own = [chunk, finale].reduce((bytes, { graph }) => bytes + ownBytes(graph.inputs), 0);
  const starts = prelude.graph.inputs.filter((x) => x.attrs["name"] === "baseline");
  return { ...programCost(partsOf(programs), own + ownBytes(starts)), flops: chunk.program.plan.flops };
}

/** Scratch memory is handed from one program to the next; results live to the end. */
export function programCost(programs: readonly Program[], besides: number): Cost {
  const results = programs.flatMap(({ steps }) => steps.flatMap(({ writes }) => writes.map(bytesOf)));
  return {
    bytes:
      Math.max(...programs.map((p) => p.memory.scratchBytes)) +
      programs.reduce((sum, p) => sum + p.plan.bytes - p.memory.scratchBytes, besides),
    largest: Math.max(16, ...results),
    flops: programs.reduce((sum, p) => sum + p.plan.flops, 0),
  };
}
