import { lift, type Operand } from "../graph/leaves.ts";
import { apply, type Value } from "../graph/node.ts";
import type { Battery, BatteryInput } from "./battery.ts";
import { concat } from "./join.ts";
import * as k from "./lstm.ts";
import { lstmSteps } from "./lstm-sequence.ts";
import { joinSteps, splitSteps } from "./steps.ts";

const WIDE = { low: -2, high: 2 };
const pair = (lead: readonly number[], size: number): BatteryInput[] => [
  { shape: [...lead, 4 * size], ...WIDE },
  { shape: [...lead, size], ...WIDE },
];
const tangent = (...xs: Operand[]): Value =>
  apply(
    k.lstmTangentPrimitive,
    xs.map((x) => lift(x)),
    { order: "igfo" },
  );

const sequence = (rows: number, time: number, size: number): BatteryInput[] => [
  { shape: [rows, time, 4 * size], ...WIDE },
  { shape: [size, 4 * size] },
  { shape: [rows, size], ...WIDE },
];
const steps =
  (reverse: boolean) =>
  (gates: Operand, recurrent: Operand, c: Operand): Value =>
    concat(lstmSteps(lift(gates), lift(recurrent), lift(c), reverse), -1);

export const battery: Battery = {
  lstmCell: [
    { inputs: pair([], 1), fn: (z, c) => k.lstmCell(z, c), shape: [2] },
    { inputs: pair([3], 2), fn: (z, c) => k.lstmCell(z, c, { order: "igfo" }), shape: [3, 4] },
    { inputs: pair([2, 2], 1), fn: (z, c) => k.lstmCell(z, c, { order: "iofg" }), shape: [2, 2, 2] },
    { inputs: [pair([2], 1)[0]!, pair([], 1)[1]!], fn: (z, c) => k.lstmCell(z, c), shape: [2, 2] },
  ],
  lstmTangent: [
    { inputs: [...pair([2], 1), ...pair([2], 1)], fn: tangent, shape: [2, 2] },
    { inputs: [...pair([2], 1), ...pair([2, 2], 1)], fn: tangent, shape: [2, 2, 2] },
    { inputs: [...pair([2, 1], 1), ...pair([2, 2], 1)], fn: tangent, shape: [2, 2, 2] },
  ],
  lstmSteps: [
    { inputs: sequence(1, 1, 1), fn: steps(false), shape: [1, 1, 2] },
    { inputs: sequence(1, 2, 2), fn: steps(false), shape: [1, 2, 4] },
    { inputs: sequence(2, 3, 1), fn: steps(true), shape: [2, 3, 2] },
  ],
  steps: [
    { inputs: [{ shape: [1, 1] }], fn: (x) => joinSteps(splitSteps(x)), shape: [1, 1] },
    { inputs: [{ shape: [2, 7, 3] }], fn: (x) => joinSteps([...splitSteps(x)].reverse()), shape: [2, 7, 3] },
    { inputs: [{ shape: [2, 38] }], fn: (x) => joinSteps(splitSteps(x).slice(3, 16)), shape: [2, 13] },
  ],
};
