// Cases about a network that comes as files of its own, in another program's format.
import type { Device } from "../../src/tensor/index.ts";
import type { Case, RealModelFile } from "./case.ts";
import type { Check } from "./check.ts";

export const isRealModel = (case_: Case | Case<RealModelFile>): case_ is Case<RealModelFile> =>
  "format" in case_.file && (case_.file.format as unknown) === "real-model";

export async function checkRealModel(_device: Device, { file }: Case<RealModelFile>, _models: string): Promise<Check[]> {
  return [{ id: "model", ratio: Infinity, reason: `unsupported: nothing reads the model ${file.model}` }];
}
