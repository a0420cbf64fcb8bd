// Which operations share a dispatch, and that equal ones are computed once.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grad } from "../../src/autograd/index.ts";
import { fuse } from "../../src/compiler/fuse.ts";
import { compile } from "../../src/compiler/program.ts";
import type { Value } from "../../src/graph/node.ts";
import { reachable, trace } from "../../src/graph/trace.ts";
import {
  add,
  concat,
  conv2d,
  exp,
  logSoftmax,
  matmul,
  maxPool2d,
  mul,
  neg,
  relu,
  reshape,
  sin,
  softmax,
  sub,
  sum,
  tanh,
  transpose,
} from "../../src/kernels/index.ts";
import type { Device } from "../../src/tensor/index.ts";
import { openValidationDevice, withCleanDevice } from "../gpu.ts";
import { evaluate, expectClose, random } from "../kernels/harness.ts";

let device: Device;
beforeAll(async () => {
  device = await openValidationDevice();
});
afterAll(() => device.destroy());

type Fn = (...xs: Value[]) => Value | readonly Value[];
const plan = (fn: Fn, ...shapes: number[][]) =>
  compile(
    device,
    fn,
    shapes.map((shape) => ({ shape })),
  ).plan;

describe("dispatches", () => {
  const counts: [name: string, expected: number, fn: Fn, ...shapes: number[][]][] = [
    ["elementwise operations", 1, (x, y) => tanh(add(mul(x, y), exp(neg(x)))), [4, 5], [5]],
    ["linear + bias + relu", 1, (x, w, b) => relu(add(matmul(x, w), b)), [3, 4], [4, 5], [5]],
    ["two such layers", 2, (x, w, b, v) => relu(matmul(relu(add(matmul(x, w), b)), v)), [3, 4], [4, 5], [5], [5, 6]],
    ["a residual connection", 1, (x, w, y) => add(relu(matmul(x, w)), y), [3, 4], [4, 5], [3, 5]],
    [
      "convolution + bias + relu",
      1,
      (x, k, b) => relu(add(conv2d(x, k, { padding: 1 }), reshape(b, [-1, 1, 1]))),
      [1, 2, 6, 6],
      [3, 2, 3, 3],
      [3],
    ],
    [
      "convolution, relu, pool (where the maximum is, and what it is)",
      2,
      (x, k) => maxPool2d(relu(conv2d(x, k)), { kernel: 2 }),
      [1, 2, 6, 6],
      [3, 2, 3, 3],
    ],
    ["softmax", 1, (x) => softmax(x), [4, 7]],
    ["reshape and transpose of an elementwise value", 1, (x) => transpose(reshape(tanh(x), [4, 6])), [2, 12]],
    ["several outputs over the same elements", 1, (x) => [sin(x), exp(x), mul(x, x)], [4, 5]],
    ["concatenation of cheap elementwise values", 1, (x, y) => concat([neg(x), mul(y, 2)], 0), [3, 4], [2, 4]],
    [
      "concatenation of costly ones, which it would compute too often",
      3,
      (x, y) => concat([tanh(x), exp(y)], 0),
      [3, 4],
      [2, 4],
    ],
  ];
  for (const [name, expected, fn, ...shapes] of counts) {
    test(`${name}: ${expected}`, () => expect(plan(fn, ...shapes).dispatches).toBe(expected));
  }

  test("the gradient of a dense network takes at most two per layer and direction", () => {
    const f = (x: Value, w1: Value, b1: Value, w2: Value, b2: Value): Value =>
      sum(logSoftmax(add(matmul(relu(add(matmul(x, w1), b1)), w2), b2)));
    const specs = [[3, 8], [8, 16], [16], [16, 4], [4]];
    expect(plan((...xs) => grad(f)(...xs), ...specs).dispatches).toBeLessThanOrEqual(8);
  });

  test("what no output needs is not computed", () => {
    const fn = (x: Value): Value => {
      exp(matmul(x, x));
      return neg(x);
    };
    expect(plan(fn as Fn, [4, 4]).dispatches).toBe(1);
  });
});

describe("equal expressions", () => {
  test("are one node, whatever the order in which they are written", () => {
    const { outputs } = trace((x, y) => [add(mul(x, y), 1), add(mul(x, y), 1)], [{ shape: [3] }, { shape: [3] }]);
    expect(outputs[0]).toBe(outputs[1]);
  });

  test("are evaluated once", () => {
    const once = trace((x) => exp(matmul(x, x)), [{ shape: [4, 4] }]);
    const twice = trace((x) => add(exp(matmul(x, x)), exp(matmul(x, x))), [{ shape: [4, 4] }]);
    expect(reachable(twice.outputs)).toHaveLength(reachable(once.outputs).length + 1);
    const program = compile(device, twice);
    expect(program.plan.dispatches).toBe(1);
    expect(program.steps[0]!.wgsl.split("exp(").length - 1).toBe(1);
  });

  test("differ by their attributes", () => {
    const { outputs } = trace((x) => [sum(x, [0]), sum(x, [1])], [{ shape: [3, 3] }]);
    expect(outputs[0]).not.toBe(outputs[1]);
  });
});

describe("wide regions keep within eight buffers", () => {
  const twelve = Array<number[]>(12).fill([6, 5]);
  const regions: [name: string, fn: Fn][] = [
    ["adding 12 inputs", (...xs) => xs.reduce((a, b) => add(a, b))],
    [
      "a balanced sum of 12 products",
      (...xs) => {
        let level = xs.map((x, i) => mul(x, xs[(i + 5) % 12]!));
        while (level.length > 1) {
          level = level.flatMap((x, i) => (i % 2 ? [] : [level[i + 1] ? add(x, level[i + 1]!) : x]));
        }
        return level[0]!;
      },
    ],
    ["concatenating 12", (...xs) => concat(xs, 1)],
    ["concatenating 12 in front of a product", (...xs) => matmul(transpose(concat(xs, 0)), concat(xs, 0))],
    ["12 results of 12 inputs", (...xs) => xs.map((x, i) => sub(x, xs[(i + 1) % 12]!))],
  ];
  for (const [name, fn] of regions) {
    test(name, async () => {
      const program = compile(
        device,
        fn,
        twelve.map((shape) => ({ shape })),
      );
      const buffers = program.steps.map(
        ({ bindings }) => bindings.filter(({ source }) => !Array.isArray(source)).length,
      );
      expect(Math.max(...buffers)).toBeLessThanOrEqual(8);
      await program.ready();
    });
  }

  test("with the right numbers", () =>
    withCleanDevice(async (real) => {
      const arrays = twelve.map((shape, i) => random(shape, i + 1));
      const [total, joined] = await evaluate(real, (...xs) => [xs.reduce((a, b) => add(a, b)), concat(xs, 0)], arrays);
      expectClose(
        total!.data,
        Array.from({ length: 30 }, (_, i) => arrays.reduce((s, { data }) => s + data[i]!, 0)),
      );
      expect([...joined!.data]).toEqual(arrays.flatMap(({ data }) => [...data]));
    }));
});

describe("epilogues of long kernels on software adapters", () => {
  const dispatchesOf = (software: boolean, fn: Fn, ...shapes: number[][]): number => {
    const { outputs } = trace(
      fn,
      shapes.map((shape) => ({ shape })),
    );
    return fuse(outputs, { software, maxStorageBuffers: 8 }).groups.length;
  };
  const layer = (x: Value, w: Value): Value => relu(matmul(x, w));

  test("over few elements are passes of their own, where each would be a pipeline", () => {
    expect(dispatchesOf(false, layer, [3, 4], [4, 5])).toBe(1);
    expect(dispatchesOf(true, layer, [3, 4], [4, 5])).toBe(2);
  });

  test("are fused over many elements, and where the same one comes many times", () => {
    expect(dispatchesOf(true, layer, [300, 4], [4, 500])).toBe(1);
    const deep = (x: Value, w: Value): Value => Array.from({ length: 8 }).reduce<Value>((y) => layer(y, w), x);
    expect(dispatchesOf(true, deep, [3, 4], [4, 4])).toBe(8);
  });

  test("short kernels keep theirs", () => {
    expect(dispatchesOf(true, (x) => relu(sum(x, 1)), [3, 4])).toBe(1);
  });
});
