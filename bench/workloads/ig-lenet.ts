import { relu } from "../../src/kernels/index.ts";
import { activation, conv, dense, flatten, maxPooling, sequential } from "../../src/nn/index.ts";
import { prepareNet } from "../nets.ts";
import type { Workload } from "../workload.ts";

export const igLenet: Workload = {
  name: "ig-lenet",
  about: "Integrated Gradients, 50 steps, one picture 1x28x28, conv 5x5x6 and 5x5x16 with pooling, dense 400-120-84-10",
  prepare: (device, options) =>
    prepareNet(
      device,
      {
        case: "ig_lenet28",
        input: [1, 28, 28],
        network: sequential([
          ["conv1", conv(1, 6, { kernel: 5, padding: 2 })],
          ["relu1", activation(relu)],
          ["pool1", maxPooling({ kernel: 2 })],
          ["conv2", conv(6, 16, { kernel: 5 })],
          ["relu2", activation(relu)],
          ["pool2", maxPooling({ kernel: 2 })],
          ["flatten", flatten()],
          ["dense1", dense(400, 120)],
          ["relu3", activation(relu)],
          ["dense2", dense(120, 84)],
          ["relu4", activation(relu)],
          ["dense3", dense(84, 10)],
        ]),
      },
      { steps: 50 },
      options,
    ),
};
