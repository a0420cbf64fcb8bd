// Slices of what a kernel makes are written by that kernel, along any axis, beside other results.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../src/compiler/program.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { add, matmul, relu, reshape, slice, sliceAxis } from "../../src/kernels/index.ts";
import { verify } from "../../src/reference/index.ts";
import type { Device } from "../../src/tensor/index.ts";
import { openValidationDevice, withCleanDevice } from "../gpu.ts";
import { random } from "../kernels/harness.ts";

/** [2, 3, 5] from a product of [6, 4] and [4, 5]. */
const product = (a: Value, b: Value): Value => reshape(matmul(a, b), [2, 3, 5]);
const arrays = [random([6, 4], 1), random([4, 5], 2), random([2, 3, 5], 3)];
type Fn = (a: Value, b: Value, c: Value) => Value[];

let planner: Device;
beforeAll(async () => {
  planner = await openValidationDevice();
});
afterAll(() => planner.destroy());

describe("parts of a kernel's result", () => {
  const cuts: [name: string, dispatches: number, fn: Fn][] = [
    ["of the last axis", 1, (a, b) => [sliceAxis(product(a, b), 2, 1, 4), sliceAxis(product(a, b), 2, 0, 2)]],
    ["of a middle axis", 1, (a, b) => [sliceAxis(product(a, b), 1, 2, 3)]],
    ["of the first axis, and the whole", 1, (a, b) => [sliceAxis(product(a, b), 0, 1, 2), product(a, b)]],
    [
      "of what a fused addition makes",
      1,
      (a, b, c) => [add(product(a, b), c), sliceAxis(add(product(a, b), c), 1, 0, 2)],
    ],
    ["with a step: a dispatch of its own", 2, (a, b) => [slice(product(a, b), [0, 0, 0], [2, 3, 5], [1, 1, 2])]],
    ["of two axes: a dispatch of its own", 2, (a, b) => [slice(product(a, b), [0, 1, 1], [2, 3, 4])]],
    [
      "for another kernel, and an epilogue beside it",
      2,
      (a, b) => [matmul(sliceAxis(matmul(a, b), 1, 1, 5), a, { transposeB: true }), relu(matmul(a, b))],
    ],
  ];
  for (const [name, dispatches, fn] of cuts) {
    test(name, () =>
      withCleanDevice(async (device) => {
        const graph = trace(fn, arrays);
        // What shares a dispatch also depends on the adapter: software adapters save pipelines.
        expect(compile(planner, graph).plan.dispatches).toBe(dispatches);
        await verify(device, graph, arrays, { tolerance: 2e-6 });
      }),
    );
  }
});
