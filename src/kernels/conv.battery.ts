import { convInputGrad, convWeightGrad, conv2d, type ConvOptions } from "./conv.ts";
import type { Battery, BatteryCase } from "./battery.ts";

interface Geometry extends ConvOptions {
  readonly x: readonly number[];
  readonly w: readonly [number, number, number, number];
  readonly y: readonly number[];
}

const GEOMETRIES: readonly Geometry[] = [
  { x: [1, 1, 2, 2], w: [1, 1, 1, 1], y: [1, 1, 2, 2] },
  { x: [2, 3, 5, 4], w: [2, 3, 3, 3], y: [2, 2, 5, 4], padding: 1 },
  { x: [1, 2, 7, 6], w: [3, 2, 3, 2], y: [1, 3, 3, 3], stride: 2 },
  { x: [2, 4, 5, 5], w: [6, 2, 2, 3], y: [2, 6, 4, 2], stride: [1, 2], groups: 2, padding: [0, 1, 0, 0] },
  { x: [1, 3, 6, 5], w: [3, 1, 3, 3], y: [1, 3, 6, 5], groups: 3, padding: "same" },
  { x: [1, 2, 7, 5], w: [2, 2, 3, 2], y: [1, 2, 2, 2], stride: [3, 2], dilation: [2, 1], padding: [1, 0] },
  { x: [2, 4, 2, 2], w: [5, 4, 1, 1], y: [2, 5, 2, 2] },
];

const [wholeKernel, manyLeading]: [BatteryCase, BatteryCase] = [
  { inputs: [{ shape: [2, 3, 2, 3] }, { shape: [4, 3, 2, 3] }], fn: (x, w) => conv2d(x, w), shape: [2, 4, 1, 1] },
  { inputs: [{ shape: [2, 1, 2, 3, 3] }, { shape: [2, 2, 2, 2] }], fn: (x, w) => conv2d(x, w), shape: [2, 1, 2, 2, 2] },
];

export const battery: Battery = {
  conv2d: [
    ...GEOMETRIES.map(({ x, w, y, ...options }): BatteryCase => ({
      inputs: [{ shape: x }, { shape: w }],
      fn: (a, b) => conv2d(a, b, options),
      shape: y,
    })),
    wholeKernel,
    manyLeading,
  ],
  convInputGrad: GEOMETRIES.map(({ x, w, y, ...options }) => ({
    inputs: [{ shape: y }, { shape: w }],
    fn: (ct, b) => convInputGrad(ct, b, { ...options, input: [x[2]!, x[3]!] }),
    shape: x,
  })),
  convWeightGrad: GEOMETRIES.map(({ x, w, y, ...options }) => ({
    inputs: [{ shape: x }, { shape: y }],
    fn: (a, ct) => convWeightGrad(a, ct, { ...options, kernel: [w[2], w[3]] }),
    shape: w,
  })),
};
