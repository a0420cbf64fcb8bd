// A golden case: what `case.json` says, and the tensors beside it.
import { readFile, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { hostArray, type HostArray, type Shape } from "../../src/tensor/index.ts";
import { readSafetensors, type SafetensorsEntry } from "../../src/nn/import/safetensors.ts";

/** One layer of a network; hyper-parameters are read through the functions of network.ts. */
export interface Layer {
  readonly id: string;
  readonly op: string;
  readonly in: readonly string[];
  /** Without the batch axis. */
  readonly out_shape: Shape;
  readonly [parameter: string]: unknown;
}

/** One number field to compute, and how well. */
export interface Expected {
  readonly id: string;
  readonly quantity: string;
  readonly tensor_f64: string;
  readonly shape: Shape;
  readonly args?: Readonly<Record<string, unknown>>;
  readonly tol_abs: { readonly gpu: number };
}

interface CaseFile {
  readonly name: string;
  readonly method: string;
  readonly architecture: {
    readonly inputs: readonly { readonly name: string; readonly shape: Shape }[];
    readonly layers: readonly Layer[];
    readonly output: string;
  };
  readonly weights: { readonly prefix: string; readonly names: readonly string[] };
  readonly inputs: readonly { readonly name: string; readonly tensor: string }[];
  readonly baselines?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly params: Readonly<Record<string, unknown>>;
  readonly expected: readonly Expected[];
}

/** A network known by its own files instead of a layer list; see real-model.ts. */
export interface RealModelFile {
  readonly format: "real-model";
  readonly model: string;
  readonly baseline: string;
  readonly target: number;
  readonly rule: string;
  readonly nodes: number;
  readonly f_baseline: number;
}

export interface Case<File = CaseFile> {
  readonly name: string;
  readonly file: File;
  readonly tensors: Readonly<Record<string, SafetensorsEntry>>;
}

/** Folders inside `folder` that hold a case; `folder` itself if it is one. */
export async function findCases(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  if (entries.some((entry) => entry.name === "case.json")) return [folder];
  const nested = entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map((entry) => join(folder, entry.name));
  const found = await Promise.all(
    nested.map(async (path) => ((await readdir(path)).includes("case.json") ? [path] : [])),
  );
  return found.flat().sort();
}

export async function readCase(folder: string): Promise<Case | Case<RealModelFile>> {
  const file = JSON.parse(await readFile(join(folder, "case.json"), "utf8")) as CaseFile | RealModelFile;
  const tensors = readSafetensors(await readFile(join(folder, "tensors.safetensors")));
  return { name: basename(folder), file, tensors } as Case | Case<RealModelFile>;
}

/** A stored tensor as it goes to the device: f32, or i32 for whole numbers. */
export function stored({ tensors, name }: Case<unknown>, tensor: string): HostArray {
  const entry = tensors[tensor];
  if (!entry) throw new Error(`${name} has no tensor "${tensor}"`);
  const whole = entry.dtype !== "F32" && entry.dtype !== "F64";
  return hostArray(numbers(entry), entry.shape, whole ? "i32" : "f32");
}

/** The elements of a stored tensor, at full precision. */
export function truth({ tensors, name }: Case<unknown>, tensor: string): Float64Array {
  const entry = tensors[tensor];
  if (!entry) throw new Error(`${name} has no tensor "${tensor}"`);
  return Float64Array.from(numbers(entry));
}

function numbers({ data }: SafetensorsEntry): ArrayLike<number> {
  return data instanceof BigInt64Array ? Array.from(data, Number) : data;
}
