// Programs compiled for a traced model, shared by all calls that explain it.
import { cached } from "../tensor/cached.ts";
import type { Device } from "../tensor/device.ts";
import { bytesOf } from "../compiler/plan.ts";
import { Program, type ProgramOptions } from "../compiler/program.ts";
import type { Node } from "../graph/node.ts";
import type { Graph } from "../graph/trace.ts";
import type { PathShape } from "./path-parts.ts";
import type { Problem } from "./problem.ts";

export interface Compiled<G extends Graph> {
  readonly program: Program;
  readonly graph: G;
}

const caches = new WeakMap<Problem, WeakMap<Device, Map<string, unknown>>>();

/** The program for a graph of a problem; `key` says which, so that the graph is only built once. */
export function compiled<G extends Graph>(
  problem: Problem,
  device: Device,
  key: string,
  graph: () => G,
  options: ProgramOptions = {},
): Compiled<G> {
  const perDevice = cached(caches, problem, () => new WeakMap<Device, Map<string, unknown>>());
  const cache = cached(perDevice, device, () => new Map<string, unknown>());
  return cached(cache, options.saved ? `${key} bits` : key, () => {
    const made = graph();
    return { program: new Program(device, made, options), graph: made };
  }) as Compiled<G>;
}

/** What a chunk takes. */
export interface Cost {
  /** Device memory beside weights and inputs. */
  readonly bytes: number;
  /** The largest single buffer. */
  readonly largest: number;
  readonly flops: number;
}

export const DEFAULT_MEMORY_BUDGET = 512 * 2 ** 20;

/** Operations per submit: about 0.2 s or less on real GPUs; a software adapter takes seconds for as many. */
const FLOPS_PER_SUBMIT = { hardware: 2e11, software: 6e9 };

/** What one submit may take. */
export function limitsOf({ largestBuffer, info }: Device, budget = DEFAULT_MEMORY_BUDGET): Cost {
  return {
    bytes: budget,
    largest: largestBuffer,
    flops: info.software ? FLOPS_PER_SUBMIT.software : FLOPS_PER_SUBMIT.hardware,
  };
}

/** Inputs that a run uploads or makes itself, by name; sums and totals are read from one buffer and written to another. */
const OWN_INPUTS: readonly unknown[] = ["baseline", "nodes", "weights", "sum", "baseline weights", "total"];

export const ownBytes = (inputs: readonly Node[], own = OWN_INPUTS): number =>
  inputs.reduce((bytes, x) => bytes + (own.includes(x.attrs["name"]) ? bytesOf(x) : 0), 0);

/** What a program takes, with the inputs of the names `own`. */
export const costOf = ({ program, graph }: Compiled<Graph>, own = OWN_INPUTS): Cost =>
  programCost([program], ownBytes(graph.inputs, own));

/** Tells apart the graphs of a problem with and without a hoisted prefix. */
export const boundaryKey = ({ boundary }: PathShape): string => boundary.map(({ id }) => id).join();

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
