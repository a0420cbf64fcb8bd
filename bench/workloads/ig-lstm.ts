import type { NetPlan } from "../nets.ts";
import { gradientsWorkload } from "./integrated-gradients.ts";

export const LSTM_CASE = "ig_lstm2x200";
export const LSTM_NET: NetPlan = {
  input: [20, 200],
  layers: [
    { kind: "lstm", in: 200, out: 200 },
    { kind: "lstm", in: 200, out: 200 },
    { kind: "last-step" },
    { kind: "dense", in: 200, out: 1000 },
  ],
};

export const igLstm = gradientsWorkload({
  name: "ig-lstm",
  about: "one sequence of 20 vectors of 200 numbers, two LSTM layers of 200 units, 1000 classes from the last state",
  case: LSTM_CASE,
  rule: "gauss-legendre",
  ...LSTM_NET,
});
