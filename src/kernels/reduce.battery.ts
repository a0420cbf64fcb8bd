import type { Value } from "../graph/node.ts";
import type { Operand } from "../graph/leaves.ts";
import type { Battery, BatteryCase } from "./battery.ts";
import * as k from "./index.ts";

type Reduce = (x: Operand, axes?: number | readonly number[], options?: k.ReduceOptions) => Value;

const reductions = (reduce: Reduce, distinct = false): BatteryCase[] => [
  { inputs: [{ shape: [1], distinct }], fn: (x) => reduce(x), shape: [] },
  { inputs: [{ shape: [7], distinct }], fn: (x) => reduce(x, 0, { keepDims: true }), shape: [1] },
  { inputs: [{ shape: [3, 5], distinct }], fn: (x) => reduce(x, -1), shape: [3] },
  { inputs: [{ shape: [2, 3, 5], distinct }], fn: (x) => reduce(x, [0, 2]), shape: [3] },
  {
    inputs: [{ shape: [2, 3, 2, 3], distinct }],
    fn: (x) => reduce(x, [0, 1], { keepDims: true }),
    shape: [1, 1, 2, 3],
  },
  { inputs: [{ shape: [2, 3, 2, 2], distinct }], fn: (x) => reduce(x), shape: [] },
];

/** Long enough for two stages. */
const long = (reduce: Reduce, length: number, size = 1000): BatteryCase => ({
  inputs: [{ shape: [length, 2], low: -size, high: size, distinct: true }],
  fn: (x) => reduce(x, 0),
  shape: [2],
});

export const battery: Battery = {
  sum: [
    ...reductions(k.sum),
    long(k.sum, 4099),
    { inputs: [{ shape: [3, 2] }], fn: (x) => k.sum(x, []), shape: [3, 2] },
  ],
  mean: reductions(k.mean),
  max: [...reductions(k.max, true), long(k.max, 4100)],
  min: reductions(k.min, true),
  logSumExp: [...reductions(k.logSumExp), long(k.logSumExp, 4100, 4)],
  argmax: [
    { inputs: [{ shape: [1] }], fn: (x) => k.argmax(x), shape: [] },
    { inputs: [{ shape: [3, 5], distinct: true }], fn: (x) => k.argmax(x), shape: [3] },
    { inputs: [{ shape: [3, 5, 2], distinct: true }], fn: (x) => k.argmax(x, 1, { keepDims: true }), shape: [3, 1, 2] },
  ],
  sumTo: [
    { inputs: [{ shape: [1] }], fn: (x) => k.sumTo(x, []), shape: [] },
    { inputs: [{ shape: [3, 5] }], fn: (x) => k.sumTo(x, [3, 1]), shape: [3, 1] },
    { inputs: [{ shape: [2, 3, 5] }], fn: (x) => k.sumTo(x, [1, 5]), shape: [1, 5] },
  ],
};
