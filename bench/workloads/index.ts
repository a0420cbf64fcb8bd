// All benchmarks, in the order in which they run.
import type { Workload } from "../workload.ts";
import { convolutions } from "./conv.ts";
import { hessianMatrices } from "./hessian.ts";
import { hessianPoints } from "./hessian-points.ts";
import { igDetypify } from "./ig-detypify.ts";
import { igLenet } from "./ig-lenet.ts";
import { igMlp } from "./ig-mlp.ts";
import { matmuls } from "./matmul.ts";

export const workloads: readonly Workload[] = [
  ...hessianMatrices,
  ...hessianPoints,
  igMlp,
  igLenet,
  igDetypify,
  ...matmuls,
  ...convolutions,
];
