import { relu } from "../../src/kernels/index.ts";
import { activation, dense, sequential } from "../../src/nn/index.ts";
import { prepareNet } from "../nets.ts";
import type { Workload } from "../workload.ts";

export const igMlp: Workload = {
  name: "ig-mlp",
  about: "Integrated Gradients, 50 steps, one example, dense 64-256-256-10 with ReLU",
  prepare: (device, options) =>
    prepareNet(
      device,
      {
        case: "ig_mlp_64-256-256-10",
        input: [64],
        network: sequential([
          ["first", dense(64, 256)],
          ["relu1", activation(relu)],
          ["second", dense(256, 256)],
          ["relu2", activation(relu)],
          ["last", dense(256, 10)],
        ]),
      },
      { steps: 50 },
      options,
    ),
};
