// The convolution kernels against plain loops in double precision, and the rules (transpose, batch) that combine them.
import { describe, expect, test } from "vitest";
import { grad } from "../../src/autograd/index.ts";
import { is, type Node } from "../../src/graph/node.ts";
import { compile } from "../../src/compiler/program.ts";
import { reachable, trace } from "../../src/graph/trace.ts";
import {
  conv2d,
  convForwardPrimitive,
  convInputGrad,
  convWeightGrad,
  type ConvAttrs,
  type ConvOptions,
} from "../../src/kernels/conv.ts";
import { dataCall, type ConvSizes } from "../../src/kernels/conv-call.ts";
import { mul } from "../../src/kernels/arithmetic.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { fill, input } from "../../src/graph/leaves.ts";
import { ArgumentError, hostArray, numel, ShapeError, type Device, type Shape } from "../../src/tensor/index.ts";
import { passingFor, withCleanDevice } from "../gpu.ts";
import { byLoop, byRule, evaluate, expectClose, FLAGS, random, type Binary, type Flags } from "./harness.ts";

interface Case extends ConvOptions {
  readonly x: readonly [number, number, number, number];
  readonly w: readonly [number, number, number, number];
}

const CASES: Record<string, Case> = {
  "1x1, vector loads": { x: [2, 8, 2, 6], w: [12, 8, 1, 1] },
  "1x1, pixels not a multiple of 4": { x: [2, 8, 3, 3], w: [5, 8, 1, 1] },
  "1x1 in groups, vector loads": { x: [1, 8, 4, 4], w: [12, 4, 1, 1], groups: 2 },
  "1x1 with stride 2": { x: [1, 4, 5, 6], w: [3, 4, 1, 1], stride: 2 },
  "3x3 same": { x: [2, 3, 7, 10], w: [10, 3, 3, 3], padding: 1 },
  "3x3 stride 2, asymmetric padding": { x: [1, 3, 9, 12], w: [9, 3, 3, 3], stride: 2, padding: [0, 0, 1, 1] },
  "3x3 dilation 2": { x: [1, 2, 9, 8], w: [4, 2, 3, 3], dilation: 2, padding: 2 },
  "stride 2, dilation 2: taps of one parity": { x: [1, 2, 8, 9], w: [3, 2, 3, 3], dilation: 2, stride: 2, padding: 1 },
  "stride [2, 3], dilation [3, 2], 4x5": {
    x: [1, 2, 14, 17],
    w: [3, 2, 4, 5],
    stride: [2, 3],
    dilation: [3, 2],
    padding: [3, 2],
  },
  "stride larger than the kernel": { x: [1, 2, 8, 8], w: [2, 2, 2, 2], stride: 3 },
  "15 filters, a tile with one too many": { x: [2, 3, 6, 7], w: [15, 3, 3, 3], padding: 1 },
  "31 filters of 16 channels": { x: [1, 16, 5, 9], w: [31, 16, 3, 2], padding: 1 },
  "30 filters in two groups, stride 2": { x: [3, 4, 7, 10], w: [30, 2, 3, 3], groups: 2, stride: 2, padding: 1 },
  "dilation 3, 14 filters": { x: [2, 9, 8, 11], w: [14, 9, 3, 3], dilation: 3, padding: 2 },
  groups: { x: [2, 6, 5, 5], w: [9, 2, 3, 3], groups: 3, padding: 1 },
  "depthwise 3x3": { x: [2, 5, 7, 9], w: [5, 1, 3, 3], groups: 5, padding: 1 },
  "depthwise 5x5 stride 2, multiplier 2": { x: [1, 3, 9, 11], w: [6, 1, 5, 5], groups: 3, stride: 2, padding: "same" },
  "depthwise dilation 2": { x: [1, 3, 8, 8], w: [3, 1, 3, 3], groups: 3, dilation: 2, padding: "sameLower" },
  "to one channel, 5x5, much": { x: [20, 6, 32, 32], w: [1, 6, 5, 5], padding: 2 },
  "one channel, 5x5": { x: [3, 1, 12, 12], w: [6, 1, 5, 5] },
  "depthwise stride 3, kernel 2: outputs without taps": { x: [1, 3, 8, 11], w: [3, 1, 2, 2], groups: 3, stride: 3 },
  "depthwise stride 2, dilation 2": {
    x: [1, 2, 9, 20],
    w: [2, 1, 3, 3],
    groups: 2,
    stride: 2,
    dilation: 2,
    padding: 2,
  },
  "depthwise stride 2, 3x3, wide": { x: [1, 2, 6, 37], w: [2, 1, 3, 3], groups: 2, stride: 2, padding: "same" },
  "7x7 stride 2, three channels": { x: [1, 3, 11, 23], w: [9, 3, 7, 7], stride: 2, padding: 3 },
  "7x7, padding wider than the input": { x: [1, 2, 3, 3], w: [4, 2, 7, 7], padding: 6 },
  "11x9, more taps than one turn": { x: [1, 2, 12, 14], w: [3, 2, 11, 9], padding: [5, 4] },
  "4x6, six channels to five": { x: [1, 6, 7, 19], w: [5, 6, 4, 6], padding: [1, 2, 2, 3] },
  "one output row per image": { x: [4, 3, 1, 9], w: [2, 3, 1, 3] },
};

type Product = (xi: number, wi: number, yi: number) => void;

/** Calls `f` with the flat indices of every product of a convolution. */
function products(
  attrs: ConvAttrs,
  N: number,
  O: number,
  C: number,
  output: readonly [number, number],
  f: Product,
): void {
  const { input, kernel, stride, dilation, padding, groups } = attrs;
  const [perIn, perOut] = [C / groups, O / groups];
  for (let n = 0; n < N; n++)
    for (let o = 0; o < O; o++)
      for (let c = 0; c < perIn; c++)
        for (let p = 0; p < kernel[0]; p++)
          for (let q = 0; q < kernel[1]; q++)
            for (let i = 0; i < output[0]; i++)
              for (let j = 0; j < output[1]; j++) {
                const y = i * stride[0] - padding[0] + p * dilation[0];
                const x = j * stride[1] - padding[1] + q * dilation[1];
                if (y < 0 || x < 0 || y >= input[0] || x >= input[1]) continue;
                const channel = Math.floor(o / perOut) * perIn + c;
                f(
                  ((n * C + channel) * input[0] + y) * input[1] + x,
                  ((o * perIn + c) * kernel[0] + p) * kernel[1] + q,
                  ((n * O + o) * output[0] + i) * output[1] + j,
                );
              }
}

/** The attributes that conv2d derives from a case. */
function attrsOf({ x, w, ...options }: Case): { attrs: ConvAttrs; y: Shape } {
  const { inputs, outputs } = trace((a, b) => conv2d(a, b, options), [{ shape: x }, { shape: w }]);
  const node = reachable(outputs).find((n) => is(n, convForwardPrimitive));
  expect(inputs.length).toBe(2);
  return { attrs: node!.attrs, y: node!.shape };
}

/** All three convolutions of a case against plain loops. */
async function expectValues(device: Device, entry: Case): Promise<void> {
  const { x, w, ...options } = entry;
  const { attrs, y } = attrsOf(entry);
  const arrays = [random(x, 1), random(w, 2), random(y, 3)] as const;
  const data = { x: arrays[0].data, w: arrays[1].data, y: arrays[2].data };
  const truth = { x: new Float64Array(numel(x)), w: new Float64Array(numel(w)), y: new Float64Array(numel(y)) };
  products(attrs, x[0], w[0], x[1], [y[2]!, y[3]!], (xi, wi, yi) => {
    truth.y[yi]! += data.x[xi]! * data.w[wi]!;
    truth.x[xi]! += data.y[yi]! * data.w[wi]!;
    truth.w[wi]! += data.x[xi]! * data.y[yi]!;
  });
  const [forward, inputGrad, weightGrad] = await evaluate(
    device,
    (a, b, c) => [
      conv2d(a, b, options),
      convInputGrad(c, b, { ...options, input: attrs.input }),
      convWeightGrad(a, c, { ...options, kernel: attrs.kernel }),
    ],
    arrays,
  );
  expect(forward!.shape).toEqual(y);
  expectClose(forward!.data, truth.y);
  expectClose(inputGrad!.data, truth.x);
  expectClose(weightGrad!.data, truth.w);
}

describe("values", () => {
  for (const [name, entry] of Object.entries(CASES)) {
    test(name, () => withCleanDevice((device) => expectValues(device, entry)));
  }

  for (const [kind, software, subgroupSize] of [
    ["tiles of GPUs", false, 32],
    ["tiles of software adapters without subgroups of four", true, 8],
  ] as const) {
    const computeAll = async (device: Device): Promise<void> => {
      for (const name of [
        "3x3 same",
        "one channel, 5x5",
        "31 filters of 16 channels",
        "stride [2, 3], dilation [3, 2], 4x5",
        "depthwise stride 2, 3x3, wide",
        "7x7 stride 2, three channels",
        "11x9, more taps than one turn",
      ]) {
        await expectValues(device, CASES[name]!);
      }
    };
    test(kind, () => withCleanDevice((device) => passingFor(software, device, () => computeAll(device), subgroupSize)));
  }
});

describe("long sums", () => {
  test("have few roundings in a chain: maxima and kinks fall where they do in double precision", () =>
    withCleanDevice(async (device) => {
      const entry: Case = { x: [2, 64, 12, 12], w: [8, 64, 3, 3], padding: 1 };
      const { x, w, ...options } = entry;
      const { attrs, y } = attrsOf(entry);
      const arrays = [random(x, 1), random(w, 2)] as const;
      const truth = new Float64Array(numel(y));
      products(attrs, x[0], w[0], x[1], [y[2]!, y[3]!], (xi, wi, yi) => {
        truth[yi]! += arrays[0].data[xi]! * arrays[1].data[wi]!;
      });
      const [made] = await evaluate(device, (a, b) => conv2d(a, b, options), arrays);
      const rms = (values: Float64Array): number =>
        Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
      const error = rms(truth.map((v, i) => v - made!.data[i]!)) / rms(truth);
      // Measured 1.9; with one tap after another it is 2.6.
      expect(error * 2 ** 24).toBeLessThan(2.2);
    }));
});

/** The forward convolution of a constant picture: every output with all its taps inside the picture adds up the same terms. */
describe("a constant picture", () => {
  const WIDE: Record<string, Case> = {
    "3x3": { x: [2, 3, 9, 13], w: [10, 3, 3, 3], padding: 1 },
    "3x3, three channels": { x: [1, 5, 9, 13], w: [3, 5, 3, 3], padding: 1 },
    "5x5 stride 2": { x: [1, 3, 17, 23], w: [9, 3, 5, 5], stride: 2, padding: 2 },
    "7x7 stride 2": { x: [1, 3, 21, 27], w: [9, 3, 7, 7], stride: 2, padding: 3 },
    "3x3 dilation 2": { x: [1, 9, 11, 15], w: [5, 9, 3, 3], dilation: 2, padding: 2 },
    "4x5, stride [2, 3], dilation [3, 2]": { x: [1, 2, 24, 37], w: [5, 2, 4, 5], stride: [2, 3], dilation: [3, 2] },
    "one output channel": { x: [2, 7, 9, 13], w: [1, 7, 3, 3], padding: 1 },
    "depthwise stride 2": { x: [1, 6, 13, 17], w: [6, 1, 3, 3], groups: 6, stride: 2, padding: 1 },
    "1x1, vector loads": { x: [2, 8, 4, 6], w: [12, 8, 1, 1] },
    "1x1": { x: [2, 9, 5, 7], w: [5, 9, 1, 1] },
  };
  for (const [name, { x, w, ...options }] of Object.entries(WIDE)) {
    for (const software of [true, false]) {
      test(`${name}: interior outputs are equal to the bit${software ? "" : ", tiles of GPUs"}`, () =>
        withCleanDevice((device) =>
          passingFor(software, device, async () => {
            const picture = hostArray(
              Float32Array.from({ length: numel(x) }, (_, i) => Math.sin(1 + (Math.floor(i / (x[2] * x[3])) % x[1]))),
              x,
            );
            const [y] = await evaluate(device, (a, b) => [conv2d(a, b, options)], [picture, random(w, 2)]);
            const { attrs } = attrsOf({ x, w, ...options });
            const inside = ([0, 1] as const).map((axis) => (o: number): boolean => {
              const from = o * attrs.stride[axis] - attrs.padding[axis];
              return from >= 0 && from + (attrs.kernel[axis] - 1) * attrs.dilation[axis] < attrs.input[axis];
            });
            const [rows, columns] = y!.shape.slice(2) as [number, number];
            const distinct = new Map<number, Set<number>>();
            y!.data.forEach((v, i) => {
              const [row, column] = [Math.floor(i / columns) % rows, i % columns];
              const channel = Math.floor(i / (rows * columns)) % w[0];
              if (!inside[0]!(row) || !inside[1]!(column)) return;
              distinct.set(channel, (distinct.get(channel) ?? new Set()).add(v));
            });
            expect([...distinct.values()].map(({ size }) => size)).toEqual(Array.from({ length: w[0] }, () => 1));
          }),
        ));
    }
  }
});

describe("quick kernels", () => {
  for (const name of [
    "3x3 same",
    "3x3 stride 2, asymmetric padding",
    "stride [2, 3], dilation [3, 2], 4x5",
    "depthwise 3x3",
    "one channel, 5x5",
    "7x7 stride 2, three channels",
    "11x9, more taps than one turn",
  ]) {
    test(`${name}: the same bits as those that replace them`, () =>
      withCleanDevice((device) =>
        passingFor(true, device, async () => {
          const { x, w, ...options } = CASES[name]!;
          const { attrs, y } = attrsOf(CASES[name]!);
          const arrays = [random(x, 1), random(w, 2), random(y, 3)];
          const program = compile(
            device,
            (a, b, c) => [
              conv2d(a, b, options),
              convInputGrad(c, b, { ...options, input: attrs.input }),
              convWeightGrad(a, c, { ...options, kernel: attrs.kernel }),
            ],
            arrays,
          );
          expect(program.steps.filter(({ quick }) => quick).length).toBeGreaterThan(1);
          const tensors = arrays.map((array) => device.tensor(array));
          const first = await program.runAndRead(tensors);
          await program.ready(true);
          expect(await program.runAndRead(tensors)).toEqual(first);
          tensors.forEach((tensor) => tensor.dispose());
        }),
      ));
  }
});

describe("kernels", () => {
  const SIZES: ConvSizes = { images: 2, outChannels: 16, inChannels: 3, output: [12, 12], planes: [1, 1] };
  /** One output channel, with many operations. */
  const MUCH = { images: 1000, outChannels: 1 };
  const constantsOf = (
    entry: Omit<Case, "x">,
    sizes: Partial<ConvSizes>,
    backward = false,
    software = true,
    quads = false,
  ) => {
    const { attrs } = attrsOf({ x: [2, 3, 12, 12], ...entry });
    return dataCall(attrs, { ...SIZES, ...sizes }, backward, { software, quads }).constants!;
  };
  const [three, five, seven] = ([3, 5, 7] as const).map((n) => ({ w: [16, 3, n, n] as const, padding: (n - 1) / 2 }));

  /** Strides of 1, and as many taps in each turn. */
  const same = { SPARE: 0, FORM: 2 };
  const alone = { QUADS: 0, SHARE: 4, SERIAL: 0 };

  test("tiles fit the instruction cache of a software adapter, and the registers of a GPU", () => {
    expect(constantsOf(three!, {})).toEqual({ ...same, TM: 8, RUNS: 2, TAPS: 3, LANES: 8, ...alone });
    expect(constantsOf(five!, {})).toEqual({ ...same, TM: 8, RUNS: 2, TAPS: 5, LANES: 8, ...alone });
    expect(constantsOf(three!, {}, true)).toEqual({ ...same, TM: 4, RUNS: 2, TAPS: 3, LANES: 8, ...alone });
    expect(constantsOf(three!, {}, false, false)).toEqual({ ...same, TM: 8, RUNS: 2, TAPS: 3, LANES: 64, ...alone });
  });

  test("subgroups of four share weights, of 16 channels unless many would be beyond the last or taps are many", () => {
    const shared = (entry: Omit<Case, "x">, sizes: Partial<ConvSizes>, backward = false) =>
      constantsOf(entry, sizes, backward, true, true);
    expect(shared(three!, {})).toEqual({ ...same, TM: 16, RUNS: 2, TAPS: 3, LANES: 4, QUADS: 1, SHARE: 4, SERIAL: 0 });
    expect(shared(five!, {}, true)).toEqual({
      ...same,
      TM: 4,
      RUNS: 2,
      TAPS: 5,
      LANES: 4,
      QUADS: 1,
      SHARE: 1,
      SERIAL: 0,
    });
    expect(shared(five!, {})).toMatchObject({ TM: 8, TAPS: 5, SHARE: 2 });
    expect(shared(three!, MUCH)).toEqual({ ...same, RUNS: 4, TAPS: 3, LANES: 8 });
    const rows = (outChannels: number) => shared(three!, { outChannels })["TM"];
    expect([4, 5, 8, 9, 16, 20, 24, 32, 36, 64].map(rows)).toEqual([4, 6, 8, 16, 16, 8, 8, 16, 16, 16]);
  });

  test("what strides of 1 do not need is left out, and what the other direction does", () => {
    const form = (stride: number, backward: boolean) =>
      constantsOf({ ...three!, stride }, { output: [4, 4] }, backward);
    expect([form(1, false), form(1, true), form(2, false), form(2, true)].map(({ FORM }) => FORM)).toEqual([
      2, 2, 0, 1,
    ]);
  });

  test("long rows of taps are taken in turns, strided ones by class", () => {
    expect(constantsOf(seven!, {})).toMatchObject({ TAPS: 4, SPARE: 1 });
    expect(constantsOf({ ...five!, stride: 2 }, { output: [6, 6] })).toMatchObject({ TAPS: 3, SPARE: 1 });
    expect(constantsOf({ ...three!, stride: 3 }, { output: [4, 4] })).toMatchObject({ TAPS: 1, SPARE: 0 });
  });

  test("a single output channel has a kernel of its own, except for the little that takes less time than to build it", () => {
    const single = { ...same, RUNS: 4, TAPS: 3, LANES: 8 };
    expect(constantsOf(three!, MUCH)).toEqual(single);
    expect(constantsOf(three!, { outChannels: 1 })).toEqual({ ...same, TM: 4, RUNS: 2, TAPS: 3, LANES: 8, ...alone });
    expect(constantsOf(three!, { outChannels: 1 }, false, false)).toEqual({ ...single, RUNS: 2, LANES: 64 });
    const depthwise = { w: [3, 1, 3, 3] as const, padding: 1, groups: 3 };
    expect(constantsOf(depthwise, { outChannels: 1, inChannels: 1 })).toEqual(single);
  });

  test("tiles of six channels where fewer of them are beyond the last", () => {
    const rows = (outChannels: number) => constantsOf(three!, { outChannels })["TM"];
    expect([4, 5, 6, 7, 8, 10, 12, 16, 20].map(rows)).toEqual([4, 6, 6, 8, 8, 6, 6, 8, 8]);
  });
});

const OPTIONS = { stride: 2, padding: [1, 0, 0, 1], groups: 2 } as const;
/** Each primitive with small operands: x [2, 2, 5, 4], w [4, 1, 3, 2], y [2, 4, 2, 2]. */
const FAMILY: Record<string, { f: Binary; shapes: readonly [Shape, Shape] }> = {
  forward: {
    f: (x, w) => conv2d(x, w, OPTIONS),
    shapes: [
      [2, 2, 5, 4],
      [4, 1, 3, 2],
    ],
  },
  "input gradient": {
    f: (y, w) => convInputGrad(y, w, { ...OPTIONS, input: [5, 4] }),
    shapes: [
      [2, 4, 2, 2],
      [4, 1, 3, 2],
    ],
  },
  "weight gradient": {
    f: (x, y) => convWeightGrad(x, y, { ...OPTIONS, kernel: [3, 2] }),
    shapes: [
      [2, 2, 5, 4],
      [2, 4, 2, 2],
    ],
  },
};

/** Shapes of two operands with the axes that nested batching adds, outermost first. */
const batchedShapes = (shapes: readonly [Shape, Shape], axes: readonly (readonly [Flags, number])[]): Shape[] =>
  shapes.map((shape, i) => [...axes.flatMap(([flags, size]) => (flags[i] ? [size] : [])), ...shape]);

test("infinities and NaN stay inside the windows that contain them", () =>
  withCleanDevice(async (device) => {
    const image = new Float32Array(10 * 18).fill(1);
    image[4 * 18 + 9] = Infinity;
    image[0] = NaN;
    const touched = (o: number, reach: number) => {
      const [y, x] = [Math.floor(o / 18), o % 18];
      return (Math.abs(y - 4) <= reach && Math.abs(x - 9) <= reach) || (y <= reach && x <= reach);
    };
    for (const [channels, size] of [
      [1, 3],
      [4, 3],
      [4, 5],
      [1, 7],
    ] as const) {
      const x = hostArray(
        Float32Array.from({ length: channels * 180 }, (_, i) => image[i % 180]!),
        [1, channels, 10, 18],
      );
      const w = hostArray(new Float32Array(2 * channels * size * size).fill(1), [2, channels, size, size]);
      const [y] = await evaluate(device, (a, b) => conv2d(a, b, { padding: "same" }), [x, w]);
      Array.from(y!.data.slice(0, 180)).forEach((v, o) => expect(Number.isFinite(v)).toBe(!touched(o, (size - 1) / 2)));
    }
  }));

describe("rules", () => {
  for (const [name, { f, shapes }] of Object.entries(FAMILY)) {
    test(`${name}: three nested batch axes equal loops`, () =>
      withCleanDevice(async (device) => {
        for (const first of FLAGS) {
          for (const second of FLAGS) {
            for (const third of FLAGS) {
              const nest = (batch: typeof byRule): Binary => batch(batch(batch(f, third, 2), second, 3), first, 2);
              const [a, b] = batchedShapes(shapes, [
                [first, 2],
                [second, 3],
                [third, 2],
              ]);
              const arrays = [random(a!, 1), random(b!, 2)];
              const [rule, loop] = await evaluate(device, (x, y) => [nest(byRule)(x, y), nest(byLoop)(x, y)], arrays);
              expect(rule!.shape).toEqual(loop!.shape);
              expectClose(rule!.data, loop!.data);
            }
          }
        }
      }));

    test(`${name}: transposes in both operands, batched, equal those of loops`, () =>
      withCleanDevice(async (device) => {
        for (const first of FLAGS) {
          for (const second of FLAGS) {
            const nest = (batch: typeof byRule): Binary => batch(batch(f, second, 3), first, 2);
            const [a, b] = batchedShapes(shapes, [
              [first, 2],
              [second, 3],
            ]);
            const arrays = [random(a!, 1), random(b!, 2), random(f(input(shapes[0]), input(shapes[1])).shape, 3)];
            // Not linear in the result, so that cotangents differ from plane to plane.
            const loss = (g: Binary) => (x: Node, y: Node, c: Node) => sum(mul(mul(g(x, y), g(x, y)), c));
            const gradients = (g: Binary) =>
              [0, 1].map((argument) => (x: Node, y: Node, c: Node) => grad(loss(g), { argument })(x, y, c));
            const fns = [...gradients(nest(byRule)), ...gradients(nest(byLoop))];
            const results = await evaluate(device, (x, y, c) => fns.map((g) => g(x, y, c)), arrays);
            for (const i of [0, 1]) expectClose(results[i]!.data, results[i + 2]!.data, 4e-6);
          }
        }
      }));
  }

  test("further leading axes of x are kept", () => {
    expect(conv2d(input([2, 3, 4, 5, 6, 7]), input([8, 5, 3, 3])).shape).toEqual([2, 3, 4, 8, 4, 5]);
  });

  test("a kernel as large as the input is a matrix product", () => {
    const y = conv2d(input([6, 5, 4, 3]), input([7, 5, 4, 3]));
    expect(y.shape).toEqual([6, 7, 1, 1]);
    expect(reachable([y]).map((n) => n.primitive.name)).toContain("matmul");
  });

  test("zeros are not convolved", () => {
    expect(conv2d(fill([1, 2, 5, 5], 0), input([3, 2, 3, 3])).primitive.name).toBe("fill");
  });

  test("gradients of the weights are summed over parts of many images", () => {
    const loss = (w: Node) => sum(conv2d(input([64, 1, 12, 12]), w));
    const names = reachable([grad(loss)(input([4, 1, 5, 5]))]).map((n) => n.primitive.name);
    expect(names).toContain("convWeightGrad");
    expect(names).toContain("sum");
  });
});

describe("padding", () => {
  const paddingOf = (size: number, stride: number, padding: "same" | "sameLower" | "valid") => {
    const y = conv2d(input([1, 1, size, size]), input([2, 1, 3, 3]), { stride, padding });
    return { padding: reachable([y]).find((n) => is(n, convForwardPrimitive))!.attrs["padding"], size: y.shape[2] };
  };

  test("same: ceil(input / stride) outputs, the odd one after", () => {
    expect(paddingOf(8, 2, "same")).toEqual({ padding: [0, 0, 1, 1], size: 4 });
    expect(paddingOf(7, 2, "same")).toEqual({ padding: [1, 1, 1, 1], size: 4 });
  });

  test("sameLower: the odd one before", () => {
    expect(paddingOf(8, 2, "sameLower")).toEqual({ padding: [1, 1, 0, 0], size: 4 });
  });

  test("valid: none", () => {
    expect(paddingOf(8, 2, "valid")).toEqual({ padding: [0, 0, 0, 0], size: 3 });
  });
});

describe("errors", () => {
  test("both shapes are named", () => {
    expect(() => conv2d(input([1, 3, 8, 8]), input([4, 2, 3, 3]))).toThrow(ShapeError);
    expect(() => conv2d(input([1, 3, 8, 8]), input([4, 2, 3, 3]))).toThrow(/\[1, 3, 8, 8\].*\[4, 2, 3, 3\]/);
    expect(() => conv2d(input([1, 4, 8, 8]), input([3, 2, 3, 3]), { groups: 2 })).toThrow(/2 groups/);
    expect(() => convInputGrad(input([1, 4, 5, 5]), input([4, 2, 3, 3]), { input: [8, 8] })).toThrow(
      /convInputGrad.*\[1, 4, 5, 5\]/,
    );
    expect(() => convWeightGrad(input([1, 4, 8, 8]), input([2, 4, 6, 6]), { kernel: [3, 3] })).toThrow(ShapeError);
  });

  test("ranks", () => {
    expect(() => conv2d(input([3, 8, 8]), input([4, 3, 3, 3]))).toThrow(/\[N, C, H, W\]/);
    expect(() => conv2d(input([1, 3, 8, 8]), input([4, 3, 3]))).toThrow(/weights/);
  });

  test("a kernel beyond the padded input", () => {
    expect(() => conv2d(input([1, 3, 4, 4]), input([4, 3, 7, 7]), { padding: 1 })).toThrow(/does not fit/);
  });

  test("options out of range", () => {
    const [x, w] = [input([1, 2, 8, 8]), input([4, 2, 3, 3])];
    for (const options of [
      { stride: 0 },
      { dilation: 0 },
      { groups: 1.5 },
      { padding: -1 },
      { stride: [1, 0.5] as const },
    ]) {
      expect(() => conv2d(x, w, options)).toThrow(ArgumentError);
    }
  });
});
