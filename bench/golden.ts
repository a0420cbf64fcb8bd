// Golden cases from their two files, wherever those were read: the reader of the tests opens folders, which a page cannot.
import { readSafetensors } from "../src/nn/index.ts";
import { hostArray, type HostArray } from "../src/tensor/index.ts";
import type { Case } from "../test/golden/case.ts";

/** @param name of the folder; `json` and `tensors` are the contents of case.json and tensors.safetensors */
export function parseCase(name: string, json: string, tensors: Uint8Array): Case {
  return { name, file: JSON.parse(json) as Case["file"], tensors: readSafetensors(tensors) };
}

/** A stored tensor as f32; whole numbers keep their value. */
export function caseTensor(golden: Case, tensor: string): HostArray {
  const { shape } = entryOf(golden, tensor);
  return hostArray(Float32Array.from(caseNumbers(golden, tensor)), shape);
}

/** Its elements at full precision. */
export function caseNumbers(golden: Case, tensor: string): Float64Array {
  return Float64Array.from(entryOf(golden, tensor).data, Number);
}

function entryOf(golden: Case, tensor: string) {
  const entry = golden.tensors[tensor];
  if (!entry) throw new Error(`case ${golden.name} has no tensor "${tensor}"`);
  return entry;
}
