import type { Operand } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import type { Battery, BatteryCase } from "./battery.ts";
import * as k from "./softmax.ts";

const WIDE = { low: -3, high: 3 };
const cases = (fn: (x: Operand, axis?: number) => Value): BatteryCase[] => [
  { inputs: [{ shape: [1], ...WIDE }], fn: (x) => fn(x), shape: [1] },
  { inputs: [{ shape: [7], ...WIDE }], fn: (x) => fn(x), shape: [7] },
  { inputs: [{ shape: [3, 5], ...WIDE }], fn: (x) => fn(x), shape: [3, 5] },
  { inputs: [{ shape: [2, 3, 5], ...WIDE }], fn: (x) => fn(x, 1), shape: [2, 3, 5] },
];

export const battery: Battery = { softmax: cases(k.softmax), logSoftmax: cases(k.logSoftmax) };
