// All benchmarks, in the order in which they run.
import type { Workload } from "../workload.ts";
import { competitions } from "./competition.ts";
import { convolutions } from "./conv.ts";
import { derivatives } from "./derivatives.ts";
import { guidedPaths } from "./guided-ig.ts";
import { hessianMatrices } from "./hessian.ts";
import { hessianPoints } from "./hessian-points.ts";
import { igDarknet } from "./ig-darknet.ts";
import { igDetypify } from "./ig-detypify.ts";
import { igEmotion } from "./ig-emotion.ts";
import { igLenet } from "./ig-lenet.ts";
import { igLstm } from "./ig-lstm.ts";
import { igMlp } from "./ig-mlp.ts";
import { igResnet } from "./ig-resnet.ts";
import { matmuls } from "./matmul.ts";
import { rowFunctions } from "./rows.ts";
import { shapleyIg } from "./shapley-ig.ts";

export const workloads: readonly Workload[] = [
  ...hessianMatrices,
  ...hessianPoints,
  ...derivatives,
  igMlp,
  igLenet,
  igResnet,
  igLstm,
  ...[igDetypify, igEmotion, igDarknet],
  ...guidedPaths,
  ...competitions,
  shapleyIg,
  ...matmuls,
  ...convolutions,
  ...rowFunctions,
];
