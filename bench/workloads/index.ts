// All benchmarks, in the order in which they run.
import type { Workload } from "../workload.ts";
import { igDetypify } from "./ig-detypify.ts";
import { igLenet } from "./ig-lenet.ts";
import { igMlp } from "./ig-mlp.ts";

export const workloads: readonly Workload[] = [igMlp, igLenet, igDetypify];
