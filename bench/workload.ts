// What a benchmark is: one object in one file of workloads/, named in workloads/index.ts.
import type { Plan } from "../src/attribution/index.ts";
import type { Device } from "../src/tensor/index.ts";

export interface Workload {
  readonly name: string;
  /** What is computed, in one line. */
  readonly about: string;
  /** Everything that is not measured: weights, inputs, downloads. */
  prepare(device: Device, options: PrepareOptions): Promise<Prepared>;
}

export interface PrepareOptions {
  /** A folder of golden cases: workloads that know a case there take its network instead of seeded weights. */
  readonly nets?: string;
}

export interface Prepared {
  /** Where the weights come from. */
  readonly source: string;
  /** One measured call: from arrays on the host to results on the host. */
  run(): Promise<{ readonly plan: Plan; readonly evaluations: number }>;
  dispose(): void;
}
