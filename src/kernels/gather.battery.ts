import type { Battery } from "./battery.ts";
import * as k from "./gather.ts";

/** Positions, some of them outside of [0, high): those give or receive nothing. */
const at = (high: number, ...shape: number[]) => ({ shape, dtype: "i32" as const, low: 0, high });
const beyond = (high: number, ...shape: number[]) => ({ shape, dtype: "i32" as const, low: -1, high: high + 1 });

export const battery: Battery = {
  gather: [
    { inputs: [{ shape: [1] }, at(1)], fn: (x, i) => k.gather(x, i), shape: [] },
    { inputs: [{ shape: [5] }, at(5, 7)], fn: (x, i) => k.gather(x, i), shape: [7] },
    { inputs: [{ shape: [3, 5, 2] }, beyond(5, 2, 3)], fn: (x, i) => k.gather(x, i, 1), shape: [3, 2, 3, 2] },
    { inputs: [{ shape: [2, 3, 5] }, at(5, 2, 4)], fn: (x, i) => k.gather(x, i, 2, { shared: 1 }), shape: [2, 3, 4] },
    { inputs: [{ shape: [3, 5] }, at(5, 3)], fn: (x, i) => k.gather(x, i, -1, { shared: 1 }), shape: [3] },
    { inputs: [{ shape: [2, 4] }, at(4)], fn: (x, i) => k.gather(x, i, 1), shape: [2] },
  ],
  embedding: [
    { inputs: [{ shape: [1, 1] }, at(1, 1)], fn: k.embedding, shape: [1, 1] },
    { inputs: [{ shape: [5, 3] }, at(5, 7)], fn: k.embedding, shape: [7, 3] },
    { inputs: [{ shape: [4, 2] }, at(4, 2, 3)], fn: k.embedding, shape: [2, 3, 2] },
  ],
  takeTarget: [
    { inputs: [{ shape: [1] }, at(1)], fn: k.takeTarget, shape: [] },
    { inputs: [{ shape: [3, 5] }, at(5, 3)], fn: k.takeTarget, shape: [3] },
    { inputs: [{ shape: [2, 3, 4] }, at(4, 2, 3)], fn: k.takeTarget, shape: [2, 3] },
    { inputs: [{ shape: [2, 3, 4] }, at(4, 3)], fn: k.takeTarget, shape: [2, 3] },
  ],
  scatterAdd: [
    { inputs: [at(1, 1), { shape: [1] }], fn: (i, u) => k.scatterAdd(i, u, 1), shape: [1] },
    { inputs: [at(3, 7), { shape: [7, 2] }], fn: (i, u) => k.scatterAdd(i, u, 3), shape: [3, 2] },
    { inputs: [beyond(5, 2, 3), { shape: [3, 2, 3, 2] }], fn: (i, u) => k.scatterAdd(i, u, 5, 1), shape: [3, 5, 2] },
    { inputs: [at(4), { shape: [3] }], fn: (i, u) => k.scatterAdd(i, u, 4, 1), shape: [3, 4] },
  ],
  oneHot: [
    { inputs: [at(1)], fn: (i) => k.oneHot(i, 1), shape: [1] },
    { inputs: [at(5, 3)], fn: (i) => k.oneHot(i, 5), shape: [3, 5] },
    { inputs: [beyond(4, 2, 3)], fn: (i) => k.oneHot(i, 4), shape: [2, 3, 4] },
  ],
};
