// Where operations end: empty axes, infinite numbers, -0, element types that an operation does not take.
import { describe, expect, test } from "vitest";
import { Commands } from "../../src/compiler/commands.ts";
import { compile } from "../../src/compiler/program.ts";
import { fill, input, iota } from "../../src/graph/leaves.ts";
import { apply, type Value } from "../../src/graph/node.ts";
import { primitive } from "../../src/graph/primitive.ts";
import * as k from "../../src/kernels/index.ts";
import {
  ArgumentError,
  DTypeError,
  hostArray,
  LimitError,
  ShaderError,
  ShapeError,
  type DType,
  type Shape,
} from "../../src/tensor/index.ts";
import { openValidationDevice, withCleanDevice } from "../gpu.ts";
import { evaluate, random } from "../kernels/harness.ts";

const value = (shape: Shape, dtype: DType = "f32"): Value => input(shape, dtype);

describe("values without elements", () => {
  const cases: [name: string, fn: (x: Value) => Value, shape: Shape][] = [
    ["softmax", (x) => k.softmax(x), [2, 0]],
    ["softmax over another axis", (x) => k.softmax(x, 0), [2, 0]],
    ["matmul", (x) => k.matmul(k.transpose(x), k.transpose(x), { transposeB: true }), [0, 0]],
    ["windowSum", (x) => k.localResponseNorm(x, { size: 3 }), [2, 0]],
    ["gather from other axes", (x) => k.gather(x, iota(2), 0), [2, 0]],
    ["concat", (x) => k.concat([x, x], 1), [2, 0]],
    ["flip", (x) => k.flip(x, 1), [2, 0]],
    ["max over the other axis", (x) => k.max(x, 0), [0]],
    ["argmax over the other axis", (x) => k.argmax(x, 0), [0]],
  ];
  test("go through every kind of operation", () =>
    withCleanDevice(async (device) => {
      const results = await evaluate(device, (x) => cases.map(([, fn]) => fn(x)), [hostArray([], [2, 0])]);
      results.forEach((y, i) => expect(y.shape, cases[i]![0]).toEqual(cases[i]![2]));
    }));

  test("sum to zeros, average to NaN and have no maximum", () =>
    withCleanDevice(async (device) => {
      const empty = hostArray([], [2, 0]);
      const [total, average, product] = await evaluate(
        device,
        (x) => [k.sum(x, 1), k.mean(x, 1), k.matmul(x, k.reshape(x, [0, 2]))],
        [empty],
      );
      expect([...total!.data]).toEqual([0, 0]);
      expect([...average!.data]).toEqual([NaN, NaN]);
      expect([...product!.data]).toEqual([0, 0, 0, 0]);
      for (const reduce of [k.max, k.min, k.logSumExp, k.argmax])
        expect(() => reduce(value([2, 0]), -1)).toThrow(/a reduced axis of \[2, 0\] has length 0/);
    }));

  test("a product of many matrices", () =>
    withCleanDevice(async (device) => {
      const [y] = await evaluate(device, (a, b) => k.matmul(a, b), [hostArray([], [3, 2, 0]), hostArray([], [0, 4])]);
      expect(y!.shape).toEqual([3, 2, 4]);
      expect([...y!.data]).toEqual(Array(24).fill(0));
    }));
});

describe("numbers that JSON cannot write", () => {
  test("tell operations apart", () => {
    const x = value([3]);
    const made = [Infinity, -Infinity, NaN].map((exponent) => k.pow(x, exponent));
    expect(new Set(made).size).toBe(3);
    expect(k.leakyRelu(x, { slope: -0 })).not.toBe(k.leakyRelu(x, { slope: 0 }));
    expect(k.pow(x, Infinity)).toBe(made[0]);
  });

  test("are refused as attributes where they are functions", () => {
    const odd = primitive<{ f: () => number }>({
      name: "odd",
      aval: ([x]) => ({ shape: x!.shape, dtype: "f32" }),
      lowering: { kind: "elementwise", wgsl: ([x]) => x!, cost: 1 },
      batch: ([x]) => x!,
    });
    expect(() => apply(odd, [value([2])], { f: () => 1 })).toThrow(/attribute f is a function/);
  });

  test("survive a trip to the device", () =>
    withCleanDevice(async (device) => {
      const numbers = [-0, NaN, Infinity, -Infinity, 1e-45];
      const results = await evaluate(device, () => numbers.map((n) => fill([1], n)), []);
      results.forEach((y, i) => expect(y.data[0]).toBe(Math.fround(numbers[i]!)));
    }));

  test("surround a value", () =>
    withCleanDevice(async (device) => {
      const [low, whole] = await evaluate(device, (x, n) => [k.pad(x, [[1, 1]], -Infinity), k.pad(n, [[0, 2]], 7)], [
        hostArray([1, 2]),
        hostArray([3, 4], [2], "i32"),
      ]);
      expect([...low!.data]).toEqual([-Infinity, 1, 2, -Infinity]);
      expect([...whole!.data]).toEqual([3, 4, 7, 7]);
    }));

  test("leave one side of a clamp open", () =>
    withCleanDevice(async (device) => {
      const [y] = await evaluate(device, (x) => k.clamp(x, -1, Infinity), [hostArray([-3, 0, 3e38])]);
      expect([...y!.data]).toEqual([-1, 0, Math.fround(3e38)]);
      expect(() => k.clamp(value([2]), 1, -1)).toThrow(/clamp: expected low <= high, got 1 and -1/);
    }));
});

test("pools of different inputs in one dispatch keep their own planes", () =>
  withCleanDevice(async (device) => {
    const [x, y] = [random([2, 4, 4], 1), random([2, 8, 8], 2)];
    const [a] = await evaluate(device, (u) => k.maxPool2d(u, { kernel: 2 }), [x]);
    const [b] = await evaluate(device, (u) => k.maxPool2d(u, { kernel: 4 }), [y]);
    const [both] = await evaluate(
      device,
      (u, v) => k.add(k.maxPool2d(u, { kernel: 2 }), k.maxPool2d(v, { kernel: 4 })),
      [x, y],
    );
    expect([...both!.data]).toEqual([...a!.data].map((v, i) => Math.fround(v + b!.data[i]!)));
  }));

describe("element types", () => {
  const refused: [name: string, make: () => unknown][] = [
    ["matmul of i32", () => k.matmul(value([2, 2], "i32"), value([2, 2], "i32"))],
    ["a convolution that is a matmul", () => k.conv2d(value([1, 1, 2, 2], "i32"), value([1, 1, 2, 2], "i32"))],
    ["conv2d of i32", () => k.conv2d(value([1, 1, 3, 3], "i32"), value([1, 1, 2, 2]))],
    ["add of bool", () => k.add(value([2], "bool"), value([2], "bool"))],
    ["greater of bool", () => k.greater(value([2], "bool"), value([2], "bool"))],
    ["mul of i32 and f32", () => k.mul(value([2], "i32"), value([2]))],
    ["a fraction beside i32", () => k.mul(value([2], "i32"), 0.5)],
    ["a number beyond i32", () => fill([2], 2 ** 31, "i32")],
    ["sum of a constant i32", () => k.sum(fill([3], 2, "i32"))],
    ["pow of i32, whatever the exponent", () => k.pow(value([2], "i32"), 0)],
    ["softmax of i32 rows of one", () => k.softmax(value([2, 1], "i32"))],
    ["concat of two dtypes", () => k.concat([value([2], "i32"), value([2])], 0)],
  ];
  for (const [name, make] of refused) test(`${name}: refused`, () => expect(make).toThrow(DTypeError));

  test("equal compares truth values", () =>
    withCleanDevice(async (device) => {
      const [y] = await evaluate(device, (a, b) => k.equal(a, b), [
        hostArray([0, 1, 1], [3], "bool"),
        hostArray([0, 1, 0], [3], "bool"),
      ]);
      expect([...y!.data]).toEqual([1, 1, 0]);
    }));
});

describe("arguments", () => {
  const refused: [name: string, make: () => unknown, error: new (message: string) => Error][] = [
    ["fill of a negative length", () => fill([-1], 0), ShapeError],
    ["iota of a fraction", () => iota(2.5), ShapeError],
    ["input of a fraction", () => input([0.5]), ShapeError],
    ["broadcastTo a negative length", () => k.broadcastTo(value([1]), [-1]), ShapeError],
    ["slice at a fraction", () => k.slice(value([4]), [0.5], [3]), ArgumentError],
    ["softplus with beta 0", () => k.softplus(value([2]), { beta: 0 }), ArgumentError],
    ["oneHot of negative depth", () => k.oneHot(value([2], "i32"), -1), ArgumentError],
    [
      "gather with a negative number of shared axes",
      () => k.gather(value([2]), iota(2), 0, { shared: -1 }),
      ArgumentError,
    ],
    [
      "convWeightGrad with half a kernel",
      () => k.convWeightGrad(value([1, 1, 3, 3]), value([1, 1, 2, 2]), { kernel: [1.5, 2] }),
      ArgumentError,
    ],
  ];
  for (const [name, make, error] of refused) test(`${name}: refused`, () => expect(make).toThrow(error));

  test("shapes may be changed afterwards", () => {
    const shape = [2, 3];
    const x = k.broadcastTo(value([1]), shape);
    shape[0] = 7;
    expect(x.shape).toEqual([2, 3]);
  });
});

describe("storage buffers", () => {
  /** A hand-written kernel of `count` operands. */
  const joined = (count: number) =>
    primitive<Record<never, never>>({
      name: "joined",
      aval: ([x]) => ({ shape: x!.shape, dtype: "f32" }),
      lowering: { kind: "kernel", call: () => ({ wgsl: "", uniforms: [count], workgroups: 1, flops: 0 }) },
      batch: ([x]) => x!,
    });

  test("that one operation needs beyond the limit are refused at once", async () => {
    const device = await openValidationDevice();
    const specs = Array.from({ length: 9 }, () => ({ shape: [4] }));
    expect(() => compile(device, (...xs) => apply(joined(9), xs, {}), specs)).toThrow(LimitError);
    expect(() => compile(device, (...xs) => apply(joined(9), xs, {}), specs)).toThrow(
      /dispatch "joined" binds 10 storage buffers, and this adapter allows 8/,
    );
    expect(() => compile(device, (x) => apply(joined(9), Array<Value>(9).fill(x), {}), specs.slice(0, 1))).toThrow(
      LimitError,
    );
    device.destroy();
  });

  test("are counted once more where an epilogue reads the kernel's operand", async () => {
    const device = await openValidationDevice();
    const fn = (x: Value, w: Value, ...rest: Value[]): Value[] => {
      const y = k.matmul(x, w);
      return [[x, ...rest].reduce((sum, z) => k.mul(sum, z), y), y];
    };
    const program = compile(
      device,
      fn,
      Array.from({ length: 6 }, () => ({ shape: [4, 4] })),
    );
    const counts = program.steps.map(({ bindings }) => bindings.filter(({ source }) => !Array.isArray(source)).length);
    expect(Math.max(...counts)).toBeLessThanOrEqual(8);
    await program.ready();
    device.destroy();
  });

  test("a kernel file without the lines that the compiler replaces is refused by name", async () => {
    const device = await openValidationDevice();
    const fn = (x: Value): Value => k.mul(apply(joined(1), [x], {}), 2);
    expect(() => compile(device, fn, [{ shape: [4] }])).toThrow(ShaderError);
    expect(() => compile(device, fn, [{ shape: [4] }])).toThrow(/kernel "joined": its WGSL lacks/);
    device.destroy();
  });

  test("of another device are refused when the program is made", () =>
    withCleanDevice(async (device) => {
      const other = await openValidationDevice();
      const foreign = other.tensor([1, 2, 3]);
      expect(() => compile(device, (x) => k.add(x, foreign), [{ shape: [3] }])).toThrow(/another device/);
      other.destroy();
    }));
});

test("errors of concurrent programs stay with the program that caused them", () =>
  withCleanDevice(async (device) => {
    using x = device.tensor([1, 2, 3]);
    const good = await compile(device, (y) => k.mul(y, 2), [{ shape: [3] }]).ready();
    const runs = await Promise.all([good.runAndRead([x]), good.runAndRead([x]), good.runAndRead([x])]);
    for (const [y] of runs) expect([...y!.data]).toEqual([2, 4, 6]);
    const wrong = (): void => void device.gpu.createBuffer({ size: 16, usage: 0xffff });
    const [bad, fine] = await Promise.allSettled([device.withErrorScope("wrong", wrong), good.runAndRead([x])]);
    expect(bad.status).toBe("rejected");
    expect(fine.status).toBe("fulfilled");
    new Commands(device).abandon();
  }));
