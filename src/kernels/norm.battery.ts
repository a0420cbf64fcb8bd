import type { Shape } from "../tensor/shape.ts";
import type { Battery, BatteryCase } from "./battery.ts";
import * as k from "./norm.ts";

const response = (shape: Shape, options: k.LocalResponseNormOptions): BatteryCase => ({
  inputs: [{ shape, low: -2, high: 2 }],
  fn: (x) => k.localResponseNorm(x, options),
  shape,
});
const VARIANCE = { low: 0.3, high: 2 };

export const battery: Battery = {
  localResponseNorm: [
    response([1, 1], { size: 1 }),
    response([2, 5, 2, 3], { size: 3, alpha: 0.5, beta: 0.75, k: 2 }),
    response([1, 7, 2], { size: 4, alpha: 1, beta: 0.5 }),
    response([1, 2, 3], { size: 5, alpha: 0.3 }),
  ],
  batchNorm: [
    {
      inputs: [{ shape: [1, 1] }, { shape: [1] }, { shape: [1], ...VARIANCE }],
      fn: (x, mean, variance) => k.batchNorm(x, { mean, variance }),
      shape: [1, 1],
    },
    {
      inputs: [{ shape: [2, 3, 2, 2] }, { shape: [3] }, { shape: [3], ...VARIANCE }, { shape: [3] }, { shape: [3] }],
      fn: (x, mean, variance, scale, offset) => k.batchNorm(x, { mean, variance, scale, offset, epsilon: 0.01 }),
      shape: [2, 3, 2, 2],
    },
    {
      inputs: [{ shape: [3, 5] }, { shape: [5] }, { shape: [5], ...VARIANCE }],
      fn: (x, mean, variance) => k.batchNorm(x, { mean, variance, axis: -1 }),
      shape: [3, 5],
    },
  ],
  layerNorm: [
    { inputs: [{ shape: [1, 2], distinct: true }], fn: (x) => k.layerNorm(x, { epsilon: 0.1 }), shape: [1, 2] },
    {
      inputs: [{ shape: [3, 5], distinct: true }, { shape: [5] }, { shape: [5] }],
      fn: (x, scale, offset) => k.layerNorm(x, { scale, offset }),
      shape: [3, 5],
    },
    {
      inputs: [{ shape: [2, 3, 4], distinct: true }, { shape: [3, 4] }],
      fn: (x, scale) => k.layerNorm(x, { scale, axes: [1, 2], epsilon: 0.01 }),
      shape: [2, 3, 4],
    },
  ],
};
