import type { Battery, BatteryCase } from "./battery.ts";
import { matmul, type MatmulOptions } from "./matmul.ts";

const product = (a: readonly number[], b: readonly number[], options: MatmulOptions = {}): BatteryCase => ({
  inputs: [{ shape: a }, { shape: b }],
  fn: (x, y) => matmul(x, y, options),
});

export const battery: Battery = {
  matmul: [
    { ...product([1, 1], [1, 1]), shape: [1, 1] },
    { ...product([3, 5], [5, 2]), shape: [3, 2] },
    { ...product([5, 3], [5, 2], { transposeA: true }), shape: [3, 2] },
    { ...product([3, 5], [2, 5], { transposeB: true }), shape: [3, 2] },
    { ...product([4, 8], [4, 4], { transposeA: true, transposeB: true }), shape: [8, 4] },
    { ...product([8, 4], [4, 12]), shape: [8, 12] },
    { ...product([2, 3, 4], [4, 5]), shape: [2, 3, 5] },
    { ...product([3, 4], [2, 4, 3]), shape: [2, 3, 3] },
    { ...product([2, 1, 3, 4], [3, 4, 2]), shape: [2, 3, 3, 2] },
    { ...product([2, 1, 2, 3], [2, 3, 3, 2]), shape: [2, 3, 2, 2] },
    { ...product([2, 4, 3], [2, 4, 1], { transposeA: true }), shape: [2, 3, 1] },
  ],
};
