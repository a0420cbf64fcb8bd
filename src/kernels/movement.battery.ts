import type { Battery } from "./battery.ts";
import * as k from "./index.ts";

export const battery: Battery = {
  reshape: [
    { inputs: [{ shape: [] }], fn: (x) => k.reshape(x, [1, 1]), shape: [1, 1] },
    { inputs: [{ shape: [6] }], fn: (x) => k.reshape(x, [2, -1]), shape: [2, 3] },
    { inputs: [{ shape: [3, 2, 5] }], fn: (x) => k.reshape(k.transpose(x), [15, 2]), shape: [15, 2] },
  ],
  expandDims: [
    { inputs: [{ shape: [] }], fn: (x) => k.expandDims(x, 0), shape: [1] },
    { inputs: [{ shape: [3, 5] }], fn: (x) => k.expandDims(x, 1), shape: [3, 1, 5] },
    { inputs: [{ shape: [3, 5] }], fn: (x) => k.expandDims(x, -1), shape: [3, 5, 1] },
  ],
  squeeze: [
    { inputs: [{ shape: [1] }], fn: (x) => k.squeeze(x), shape: [] },
    { inputs: [{ shape: [1, 3, 1] }], fn: (x) => k.squeeze(x, -1), shape: [1, 3] },
    { inputs: [{ shape: [2, 1, 3, 1] }], fn: (x) => k.squeeze(x, [1, 3]), shape: [2, 3] },
  ],
  broadcastTo: [
    { inputs: [{ shape: [] }], fn: (x) => k.broadcastTo(x, [3, 2]), shape: [3, 2] },
    { inputs: [{ shape: [1] }], fn: (x) => k.broadcastTo(x, [1]), shape: [1] },
    { inputs: [{ shape: [3, 1] }], fn: (x) => k.broadcastTo(x, [2, 3, 5]), shape: [2, 3, 5] },
    { inputs: [{ shape: [1, 3] }], fn: (x) => k.broadcastTo(k.broadcastTo(x, [4, 3]), [2, 4, 3]), shape: [2, 4, 3] },
  ],
  transpose: [
    { inputs: [{ shape: [1] }], fn: (x) => k.transpose(x), shape: [1] },
    { inputs: [{ shape: [3, 5] }], fn: (x) => k.transpose(x), shape: [5, 3] },
    { inputs: [{ shape: [2, 3, 5] }], fn: (x) => k.transpose(x, [1, 2, 0]), shape: [3, 5, 2] },
    { inputs: [{ shape: [2, 1, 3, 5] }], fn: (x) => k.transpose(x, [-1, 0, 1, 2]), shape: [5, 2, 1, 3] },
    { inputs: [{ shape: [2, 3, 5] }], fn: (x) => k.transpose(k.transpose(x, [1, 2, 0]), [1, 0, 2]), shape: [5, 3, 2] },
  ],
  moveAxis: [
    { inputs: [{ shape: [1] }], fn: (x) => k.moveAxis(x, 0, 0), shape: [1] },
    { inputs: [{ shape: [2, 3, 5] }], fn: (x) => k.moveAxis(x, 0, -1), shape: [3, 5, 2] },
    { inputs: [{ shape: [2, 3, 5] }], fn: (x) => k.moveAxis(x, 2, 1), shape: [2, 5, 3] },
  ],
  slice: [
    { inputs: [{ shape: [1] }], fn: (x) => k.slice(x, [0], [1]), shape: [1] },
    { inputs: [{ shape: [7] }], fn: (x) => k.slice(x, [1], [-1]), shape: [5] },
    { inputs: [{ shape: [3, 7] }], fn: (x) => k.slice(x, [1, 0], [2, 7], [1, 3]), shape: [1, 3] },
    { inputs: [{ shape: [8, 3] }], fn: (x) => k.slice(x, [1, 1], [8, 3], [3, 1]), shape: [3, 2] },
    { inputs: [{ shape: [9] }], fn: (x) => k.slice(k.slice(x, [1], [9], [2]), [1], [4], [2]), shape: [2] },
  ],
  sliceAxis: [
    { inputs: [{ shape: [1] }], fn: (x) => k.sliceAxis(x, 0, 0, 1), shape: [1] },
    { inputs: [{ shape: [3, 5] }], fn: (x) => k.sliceAxis(x, -1, 2, 4), shape: [3, 2] },
    { inputs: [{ shape: [3, 5, 2] }], fn: (x) => k.sliceAxis(x, 1, 1, -1), shape: [3, 3, 2] },
  ],
  index: [
    { inputs: [{ shape: [1] }], fn: (x) => k.index(x, 0, 0), shape: [] },
    { inputs: [{ shape: [3, 5] }], fn: (x) => k.index(x, 1, -2), shape: [3] },
    { inputs: [{ shape: [3, 5, 2] }], fn: (x) => k.index(x, 0, 1), shape: [5, 2] },
  ],
  pad: [
    { inputs: [{ shape: [1] }], fn: (x) => k.pad(x, [[1, 2]]), shape: [4] },
    {
      inputs: [{ shape: [3, 5] }],
      fn: (x) =>
        k.pad(
          x,
          [
            [0, 1],
            [2, 0],
          ],
          -1.5,
        ),
      shape: [4, 7],
    },
    {
      inputs: [{ shape: [2, 1, 3] }],
      fn: (x) =>
        k.pad(
          x,
          [
            [1, 1],
            [0, 0],
            [0, 2],
          ],
          2,
        ),
      shape: [4, 1, 5],
    },
  ],
  flip: [
    { inputs: [{ shape: [1] }], fn: (x) => k.flip(x, 0), shape: [1] },
    { inputs: [{ shape: [3, 5] }], fn: (x) => k.flip(x, -1), shape: [3, 5] },
    { inputs: [{ shape: [2, 3, 5] }], fn: (x) => k.flip(x, [0, 2]), shape: [2, 3, 5] },
  ],
  concat: [
    { inputs: [{ shape: [1] }, { shape: [1] }], fn: (x, y) => k.concat([x, y], 0), shape: [2] },
    {
      inputs: [{ shape: [3, 2] }, { shape: [3, 5] }, { shape: [3, 1] }],
      fn: (x, y, z) => k.concat([x, y, z], -1),
      shape: [3, 8],
    },
    { inputs: [{ shape: [2, 3] }, { shape: [1, 3] }], fn: (x, y) => k.concat([x, y, x], 0), shape: [5, 3] },
  ],
  stack: [
    { inputs: [{ shape: [] }, { shape: [] }], fn: (x, y) => k.stack([x, y]), shape: [2] },
    {
      inputs: [{ shape: [3] }, { shape: [3] }, { shape: [3] }],
      fn: (x, y, z) => k.stack([x, y, z], -1),
      shape: [3, 3],
    },
    { inputs: [{ shape: [2, 1, 3] }, { shape: [2, 1, 3] }], fn: (x, y) => k.stack([x, y], 1), shape: [2, 2, 1, 3] },
  ],
};
