import { gradientsWorkload } from "./integrated-gradients.ts";

export const igMlp = gradientsWorkload({
  name: "ig-mlp",
  about: "one example, dense 64-256-256-10 with ReLU",
  case: "ig_mlp_64-256-256-10",
  input: [64],
  layers: [
    { kind: "dense", in: 64, out: 256 },
    { kind: "relu" },
    { kind: "dense", in: 256, out: 256 },
    { kind: "relu" },
    { kind: "dense", in: 256, out: 10 },
  ],
});
