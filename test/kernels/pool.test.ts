// The pooling kernels against plain loops in double precision, their transposes and batch rules.
import { describe, expect, test } from "vitest";
import { grad, hvp, jvp } from "../../src/autograd/index.ts";
import { compile } from "../../src/compiler/program.ts";
import { input } from "../../src/graph/leaves.ts";
import { is, type Node } from "../../src/graph/node.ts";
import { reachable } from "../../src/graph/trace.ts";
import { mul, square } from "../../src/kernels/arithmetic.ts";
import { relu } from "../../src/kernels/choice.ts";
import { exp } from "../../src/kernels/functions.ts";
import {
  argmaxWindowPrimitive,
  avgPool2d,
  avgPoolPrimitive,
  globalAvgPool2d,
  globalMaxPool2d,
  maxPool2d,
  type AvgPoolOptions,
  type MaxPoolOptions,
  type PoolAttrs,
} from "../../src/kernels/pool.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { ArgumentError, hostArray, ShapeError, type Shape } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { byLoop, byRule, evaluate, expectClose, FLAGS, random, type Binary } from "./harness.ts";

const CASES: Record<string, { shape: Shape; options: MaxPoolOptions & AvgPoolOptions }> = {
  "2x2": { shape: [2, 3, 6, 8], options: { kernel: 2 } },
  "3x3 stride 2, padding 1": { shape: [2, 2, 7, 6], options: { kernel: 3, stride: 2, padding: 1 } },
  "3x3 stride 1, same": { shape: [1, 2, 5, 4], options: { kernel: 3, stride: 1, padding: "same" } },
  "3x2, asymmetric padding": {
    shape: [1, 2, 7, 9],
    options: { kernel: [3, 2], stride: [2, 3], padding: [0, 1, 2, 0] },
  },
  "ceil mode": { shape: [1, 2, 6, 7], options: { kernel: 3, stride: 2, ceilMode: true } },
  "ceil mode, padding": { shape: [1, 1, 6, 6], options: { kernel: 3, stride: 2, padding: 1, ceilMode: true } },
  "ceil mode, no window that starts beyond": { shape: [1, 1, 5, 5], options: { kernel: 1, stride: 3, ceilMode: true } },
  "padding does not count": { shape: [3, 6, 6], options: { kernel: 3, stride: 2, padding: 1, countIncludePad: false } },
  "ceil mode, padding does not count": {
    shape: [6, 6],
    options: { kernel: 3, stride: 2, padding: 1, ceilMode: true, countIncludePad: false },
  },
  "whole plane": { shape: [2, 4, 5], options: { kernel: [4, 5] } },
  "stride larger than the kernel": { shape: [1, 7, 7], options: { kernel: 2, stride: 3 } },
};

interface Windowed {
  readonly taps: readonly number[];
  /** Divisor of the mean. */
  readonly count: number;
}

/** For each output of a plane: the input positions of its window, and what PyTorch divides its sum by. */
function windows({ input: size, output, kernel, stride, padding, dilation }: PoolAttrs, countPad: boolean): Windowed[] {
  return Array.from({ length: output[0] * output[1] }, (_, o) => {
    const start = [
      Math.floor(o / output[1]) * stride[0] - padding[0],
      (o % output[1]) * stride[1] - padding[1],
    ] as const;
    const taps: number[] = [];
    let padded = 0;
    for (let p = 0; p < kernel[0]; p++)
      for (let q = 0; q < kernel[1]; q++) {
        const [y, x] = [start[0] + p * dilation[0], start[1] + q * dilation[1]];
        if (y < size[0] + padding[2] && x < size[1] + padding[3]) padded++;
        if (y >= 0 && x >= 0 && y < size[0] && x < size[1]) taps.push(y * size[1] + x);
      }
    return { taps, count: countPad ? padded : taps.length };
  });
}

/** Attributes of the one pooling node below y. */
function attrsOf(y: Node): PoolAttrs {
  const node = reachable([y]).find((n) => is(n, argmaxWindowPrimitive) || is(n, avgPoolPrimitive));
  return node!.attrs;
}

const forEachPlane = (total: number, size: number, f: (start: number) => void): void => {
  for (let start = 0; start < total; start += size) f(start);
};

describe("values and gradients", () => {
  for (const [name, { shape, options }] of Object.entries(CASES)) {
    test(`maximum, ${name}`, () =>
      withCleanDevice(async (device) => {
        const attrs = attrsOf(maxPool2d(input(shape), options));
        await compareMaximum(device, shape, options, attrs);
      }));

    test(`average, ${name}`, () =>
      withCleanDevice(async (device) => {
        const y = avgPool2d(input(shape), options);
        const attrs = attrsOf(y);
        const [x, ct] = [random(shape, 1), random(y.shape, 2)];
        const loss = (v: Node, c: Node) => sum(mul(avgPool2d(v, options), c));
        const [value, gradient] = await evaluate(device, (v, c) => [avgPool2d(v, options), grad(loss)(v, c)], [x, ct]);
        const truth = { value: [] as number[], gradient: new Float64Array(x.data.length) };
        const all = windows(attrs, options.countIncludePad ?? true);
        forEachPlane(x.data.length, attrs.input[0] * attrs.input[1], (start) => {
          for (const { taps, count } of all) {
            for (const i of taps) truth.gradient[start + i]! += ct.data[truth.value.length]! / count;
            truth.value.push(taps.reduce((total, i) => total + x.data[start + i]!, 0) / count);
          }
        });
        expectClose(value!.data, truth.value);
        expectClose(gradient!.data, truth.gradient);
      }));
  }

  test("maximum, dilation 2", () =>
    withCleanDevice(async (device) => {
      const options = { kernel: 3, stride: 1, padding: 2, dilation: 2 };
      const attrs = attrsOf(maxPool2d(input([2, 7, 6]), options));
      expect(attrs.output).toEqual([7, 6]);
      await compareMaximum(device, [2, 7, 6], options, attrs);
    }));

  async function compareMaximum(
    device: Parameters<Parameters<typeof withCleanDevice>[0]>[0],
    shape: Shape,
    options: MaxPoolOptions,
    attrs: PoolAttrs,
  ): Promise<void> {
    const y = maxPool2d(input(shape), options);
    const [x, ct] = [random(shape, 1), random(y.shape, 2)];
    const loss = (v: Node, c: Node) => sum(mul(maxPool2d(v, options), c));
    const [value, gradient] = await evaluate(device, (v, c) => [maxPool2d(v, options), grad(loss)(v, c)], [x, ct]);
    const truth = { value: [] as number[], gradient: new Float64Array(x.data.length) };
    forEachPlane(x.data.length, attrs.input[0] * attrs.input[1], (start) => {
      for (const { taps } of windows(attrs, true)) {
        const best = taps.reduce((a, b) => (x.data[start + b]! > x.data[start + a]! ? b : a));
        truth.gradient[start + best]! += ct.data[truth.value.length]!;
        truth.value.push(x.data[start + best]!);
      }
    });
    expect(value!.shape).toEqual(y.shape);
    expect(Array.from(value!.data)).toEqual(truth.value);
    expectClose(gradient!.data, truth.gradient);
  }
});

describe("maximum, special values", () => {
  const pooled = (data: number[], shape: Shape, options: MaxPoolOptions) =>
    withResult(async (device) => {
      const loss = (v: Node) => sum(maxPool2d(v, options));
      return await evaluate(device, (v) => [maxPool2d(v, options), grad(loss)(v)], [hostArray(data, shape)]);
    });

  async function withResult<T>(
    work: (device: Parameters<Parameters<typeof withCleanDevice>[0]>[0]) => Promise<T>,
  ): Promise<T> {
    const results: T[] = [];
    await withCleanDevice(async (device) => void results.push(await work(device)));
    return results[0]!;
  }

  test("the same in rows of odd length", async () => {
    const data = [1, 3, 3, 3, 9, 0, 0, 5, 5, 9, -Infinity, NaN, 1, 2, 9, -Infinity, -Infinity, NaN, 0, 9];
    const [value, gradient] = await pooled(data, [2, 2, 5], { kernel: 2 });
    expect(Array.from(value!.data)).toEqual([3, 5, NaN, NaN]);
    expect(Array.from(gradient!.data).flatMap((v, i) => (v === 0 ? [] : [i]))).toEqual([1, 7, 11, 17]);
  });

  test("of equal elements the first in row-major order gets the derivative", async () => {
    const [value, gradient] = await pooled([1, 3, 3, 3, 0, 0, 5, 5], [2, 4], { kernel: 2 });
    expect(Array.from(value!.data)).toEqual([3, 5]);
    expect(Array.from(gradient!.data)).toEqual([0, 1, 0, 0, 0, 0, 1, 0]);
  });

  test("negative elements win over padding", async () => {
    const [value] = await pooled([-1, -2, -3, -4], [2, 2], { kernel: 3, stride: 2, padding: 1 });
    expect(Array.from(value!.data)).toEqual([-1]);
  });

  test("-infinity everywhere is -infinity, at the first position", async () => {
    const [value, gradient] = await pooled([-Infinity, -Infinity, -Infinity, -Infinity], [2, 2], { kernel: 2 });
    expect(value!.data[0]).toBe(-Infinity);
    expect(Array.from(gradient!.data)).toEqual([1, 0, 0, 0]);
  });

  test("NaN is not hidden", async () => {
    const [value] = await pooled([1, NaN, 2, 3, NaN, 9, 8, 7], [2, 2, 2], { kernel: 2 });
    expect(Array.from(value!.data)).toEqual([NaN, NaN]);
  });
});

describe("rules", () => {
  const f: Record<string, Binary> = {
    "tangent of the maximum": (x, t) => jvp((v: Node) => maxPool2d(v, { kernel: 2, stride: 1 }))(x, t),
    "gradient of the maximum": (x, ct) =>
      grad((v: Node) => sum(mul(maxPool2d(v, { kernel: 2, stride: 1 }), maxPool2d(ct, { kernel: 2, stride: 1 }))))(x),
    "gradient of the average": (x, ct) =>
      grad((v: Node) =>
        sum(mul(square(avgPool2d(v, { kernel: 2, padding: 1 })), avgPool2d(ct, { kernel: 2, padding: 1 }))),
      )(x),
  };
  for (const [name, fn] of Object.entries(f)) {
    test(`${name}: two nested batch axes equal loops`, () =>
      withCleanDevice(async (device) => {
        for (const first of FLAGS) {
          for (const second of FLAGS) {
            const nest = (batch: typeof byRule): Binary => batch(batch(fn, second, 3), first, 2);
            const shape = (i: 0 | 1): Shape => [...(first[i] ? [2] : []), ...(second[i] ? [3] : []), 2, 4, 3];
            const arrays = [random(shape(0), 1), random(shape(1), 2)];
            const [rule, loop] = await evaluate(device, (x, y) => [nest(byRule)(x, y), nest(byLoop)(x, y)], arrays);
            expect(rule!.shape).toEqual(loop!.shape);
            expectClose(rule!.data, loop!.data);
          }
        }
      }));
  }

  test("Hessian-vector product of exp of a maximum: exp(max) where v is chosen", () =>
    withCleanDevice(async (device) => {
      const loss = (x: Node) => sum(exp(maxPool2d(x, { kernel: 2 })));
      const x = hostArray([0, 1, 0.5, 0.25], [1, 2, 2]);
      const v = hostArray([3, 5, 7, 9], [1, 2, 2]);
      const [result] = await evaluate(device, (a, b) => hvp(loss)(a, b), [x, v]);
      expectClose(result!.data, [0, 5 * Math.E, 0, 0]);
    }));
});

test("cotangents of windows apart are placed by what reads them; of overlapping ones a kernel adds them", () =>
  withCleanDevice((device) => {
    const labels = (options: MaxPoolOptions): string[] => {
      const gradient = grad((v: Node) => sum(square(maxPool2d(v, options))));
      return compile(device, (x) => gradient(x), [{ shape: [2, 6, 6] }]).steps.map((step) => step.label);
    };
    expect(labels({ kernel: 2 }).join()).not.toContain("scatterWindow");
    expect(labels({ kernel: 3, stride: 2 }).join()).toContain("scatterWindow");
  }));

describe("weighted sums over a batch of gradients through a rectifier and a maximum", () => {
  const options = { kernel: 2 };
  const gradients = (x: Node, c: Node) => grad((v: Node) => sum(mul(maxPool2d(relu(v), options), c)))(x);
  // Four neighbours lie in one row of 8, or in two rows of 6; the last of 5 rows belongs to no window.
  for (const [name, plane] of [
    ["rows of 8", [4, 8]],
    ["rows of 6", [6, 6]],
    ["5 rows", [5, 4]],
  ] as const) {
    test(name, () =>
      withCleanDevice(async (device) => {
        const shape = [6, 2, ...plane];
        const x = random(shape, 1);
        const c = random(maxPool2d(input(shape), options).shape, 2);
        const w = hostArray([1, -2, 0.5, 3, 0.25, -1], [6, 1, 1, 1]);
        const work = (v: Node, ct: Node, weights: Node) => sum(mul(gradients(v, ct), weights), 0);
        const [total] = await evaluate(device, work, [x, c, w]);
        const size = plane[0] * plane[1];
        const truth = new Float64Array(2 * size);
        const all = windows(attrsOf(maxPool2d(input(shape), options)), true);
        for (let p = 0; p < 12; p++) {
          all.forEach(({ taps }, o) => {
            const at = taps.reduce((a, b) => (x.data[p * size + b]! > x.data[p * size + a]! ? b : a));
            if (x.data[p * size + at]! <= 0) return;
            truth[(p % 2) * size + at]! += w.data[p >> 1]! * c.data[p * all.length + o]!;
          });
        }
        expectClose(total!.data, truth);
        const texts = compile(device, work, [x, c, w]).steps.map(({ wgsl }) => wgsl);
        expect(texts.some((wgsl) => wgsl.includes("vec4<u32>(0u, 1u, 0u, 1u)"))).toBe(true);
      }),
    );
  }

  test("a maximum writes its positions and its values in one dispatch", () =>
    withCleanDevice((device) => {
      const work = (v: Node, c: Node) => [maxPool2d(v, options), gradients(v, c)];
      const { steps } = compile(device, work, [{ shape: [2, 8, 6] }, { shape: [2, 4, 3] }]);
      expect(steps.map((step) => step.label).join()).toMatch(/argmaxWindow\+gatherWindow/);
    }));
});

describe("global", () => {
  test("mean and maximum over the plane, with and without its axes", () =>
    withCleanDevice(async (device) => {
      const x = random([2, 3, 4, 5], 1);
      const [mean, maximum] = await evaluate(
        device,
        (v) => [globalAvgPool2d(v), globalMaxPool2d(v, { keepDims: false })],
        [x],
      );
      expect(mean!.shape).toEqual([2, 3, 1, 1]);
      expect(maximum!.shape).toEqual([2, 3]);
      const planes = Array.from({ length: 6 }, (_, i) => Array.from(x.data.slice(20 * i, 20 * i + 20)));
      expectClose(
        mean!.data,
        planes.map((p) => p.reduce((a, b) => a + b) / 20),
      );
      expect(Array.from(maximum!.data)).toEqual(planes.map((p) => Math.max(...p)));
    }));
});

describe("errors", () => {
  test("a window that covers only padding", () => {
    expect(() => maxPool2d(input([1, 4, 4]), { kernel: 2, padding: 2 })).toThrow(ArgumentError);
    expect(() => maxPool2d(input([1, 4, 4]), { kernel: 2, padding: 2 })).toThrow(/nothing but padding/);
    expect(() => avgPool2d(input([1, 4, 4]), { kernel: 2, stride: 1, padding: [0, 0, 0, 3] })).toThrow(/along width/);
  });

  test("a window larger than the padded input", () => {
    expect(() => maxPool2d(input([1, 2, 2]), { kernel: 5, padding: 1 })).toThrow(ShapeError);
  });

  test("too few axes, options out of range", () => {
    expect(() => maxPool2d(input([4]), { kernel: 2 })).toThrow(/\[\.\.\., H, W\]/);
    expect(() => avgPool2d(input([4, 4]), { kernel: 0 })).toThrow(/kernel/);
    expect(() => avgPool2d(input([4, 4]), { kernel: 2, stride: 0 })).toThrow(/stride/);
  });
});
