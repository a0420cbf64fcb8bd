// A single program of this library as a contestant.
import type { Program } from "../src/compiler/program.ts";
import type { HostArray, Tensor } from "../src/tensor/index.ts";
import type { Contestant } from "./workload.ts";

export interface ProgramContestant {
  /** Traces and lowers: the first measured call does it, as a page would. */
  readonly make: () => Program;
  /** Inputs that every call uploads. */
  readonly arrays?: readonly HostArray[];
  /** Inputs after those, on the device before. */
  readonly resident?: readonly Tensor[];
}

export function programContestant({ make, arrays = [], resident = [] }: ProgramContestant): Contestant {
  let program: Program | undefined;
  return {
    name: "aumann",
    async run() {
      program ??= make();
      const { bytes, flops } = program.plan;
      const uploaded = arrays.map((array) => program!.device.tensor(array));
      const [result] = await program.runAndRead([...uploaded, ...resident]);
      uploaded.forEach((tensor) => tensor.dispose());
      return { data: result!.data, facts: { "planned bytes": bytes, "Mflop run": flops / 1e6 } };
    },
  };
}
