import { gradientsWorkload } from "./integrated-gradients.ts";

export const igLenet = gradientsWorkload({
  name: "ig-lenet",
  about: "one picture 1x28x28, conv 5x5x6 and 5x5x16 with ReLU and max pooling, dense 400-120-84-10",
  case: "ig_lenet28",
  input: [1, 28, 28],
  layers: [
    { kind: "conv", in: 1, out: 6, kernel: 5, padding: 2 },
    { kind: "relu" },
    { kind: "max-pool", size: 2 },
    { kind: "conv", in: 6, out: 16, kernel: 5 },
    { kind: "relu" },
    { kind: "max-pool", size: 2 },
    { kind: "flatten" },
    { kind: "dense", in: 400, out: 120 },
    { kind: "relu" },
    { kind: "dense", in: 120, out: 84 },
    { kind: "relu" },
    { kind: "dense", in: 84, out: 10 },
  ],
});
