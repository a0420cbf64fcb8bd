import type { Shape } from "../tensor/shape.ts";
import type { Battery, BatteryCase } from "./battery.ts";
import * as k from "./pool.ts";

const maximum = (x: Shape, y: Shape, options: k.MaxPoolOptions): BatteryCase => ({
  inputs: [{ shape: x, distinct: true }],
  fn: (a) => k.maxPool2d(a, options),
  shape: y,
});
const average = (x: Shape, y: Shape, options: k.AvgPoolOptions): BatteryCase => ({
  inputs: [{ shape: x }],
  fn: (a) => k.avgPool2d(a, options),
  shape: y,
});
const global = (fn: BatteryCase["fn"], distinct: boolean): BatteryCase[] =>
  [
    [1, 1],
    [2, 3, 4, 5],
    [3, 1, 7],
  ].map((shape) => ({ inputs: [{ shape, distinct }], fn }));

export const battery: Battery = {
  maxPool2d: [
    maximum([1, 1], [1, 1], { kernel: 1 }),
    maximum([2, 1, 4, 6], [2, 1, 2, 3], { kernel: 2 }),
    maximum([1, 2, 5, 5], [1, 2, 3, 3], { kernel: 3, stride: 2, padding: 1 }),
    maximum([3, 7, 6], [3, 3, 2], { kernel: [3, 2], stride: [2, 3] }),
    maximum([2, 5, 4], [2, 3, 2], { kernel: 2, ceilMode: true }),
    maximum([1, 6, 6], [1, 2, 2], { kernel: 3, stride: 1, dilation: 2 }),
  ],
  avgPool2d: [
    average([1, 1], [1, 1], { kernel: 1 }),
    average([2, 1, 4, 6], [2, 1, 2, 3], { kernel: 2 }),
    average([1, 2, 5, 5], [1, 2, 3, 3], { kernel: 3, stride: 2, padding: 1 }),
    average([1, 2, 5, 5], [1, 2, 3, 3], { kernel: 3, stride: 2, padding: 1, countIncludePad: false }),
    average([2, 5, 4], [2, 3, 2], { kernel: 2, ceilMode: true }),
    average([3, 6], [2, 3], { kernel: [2, 3], stride: [1, 2], padding: [0, 1, 0, 0] }),
  ],
  globalMaxPool2d: [
    ...global((x) => k.globalMaxPool2d(x), true),
    ...global((x) => k.globalMaxPool2d(x, { keepDims: false }), true),
  ],
  globalAvgPool2d: [
    ...global((x) => k.globalAvgPool2d(x), false),
    ...global((x) => k.globalAvgPool2d(x, { keepDims: false }), false),
  ],
};
