// Smoothed networks against closed forms, against the networks they came from, and double precision against the device.
import { describe, expect, test } from "vitest";
import type { ModelLike } from "../../src/attribution/types.ts";
import { firstKink, hasKinks, kinkText } from "../../src/compiler/affine.ts";
import { grad, hvp } from "../../src/autograd/index.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Node, Value } from "../../src/graph/node.ts";
import { reachable, trace } from "../../src/graph/trace.ts";
import * as k from "../../src/kernels/index.ts";
import * as nn from "../../src/nn/index.ts";
import { array64, evaluate, readConstants, verify } from "../../src/reference/index.ts";
import { worstError } from "../../src/reference/array.ts";
import { hostArray, type Shape } from "../../src/tensor/index.ts";
import { batteries } from "../battery/all.ts";
import { withCleanDevice } from "../gpu.ts";
import { absolute, random, run, worst } from "../kernels/run.ts";

type Fn = (x: Value) => Value;

const f64 = (f: Fn, x: ArrayLike<number>, shape: Shape = [x.length]): number[] => [
  ...evaluate(trace(f, [{ shape }]), [array64(x, shape)])[0]!.data,
];
const names = (output: Node): string[] => reachable([output]).map((node) => node.primitive.name);
const softplus = (z: number, beta: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(beta * z))) / beta;
const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

const POINTS = Array.from({ length: 81 }, (_, i) => (i - 40) / 4);

interface Form {
  readonly f: Fn;
  readonly truth: (x: number, beta: number) => number;
  /** The smoothed function differs by at most this over beta. */
  readonly bound: number;
  readonly replaced: Record<string, number>;
}

const LOG2 = Math.log(2);
const minimum = (a: number, b: number, beta: number): number =>
  -Math.log(Math.exp(-beta * a) + Math.exp(-beta * b)) / beta;
const FORMS: Record<string, Form> = {
  relu: { f: k.relu, truth: softplus, bound: LOG2, replaced: { relu: 1 } },
  leakyRelu: {
    f: (x) => k.leakyRelu(x, { slope: 0.2 }),
    truth: (x, beta) => 0.2 * x + 0.8 * softplus(x, beta),
    bound: 0.8 * LOG2,
    replaced: { "leaky ReLU": 1 },
  },
  abs: {
    f: k.abs,
    truth: (x, beta) => Math.abs(x) + (2 / beta) * Math.log1p(Math.exp(-beta * Math.abs(x))),
    bound: 2 * LOG2,
    replaced: { "absolute value": 1 },
  },
  maximum: {
    f: (x) => k.maximum(x, k.mul(x, -0.5)),
    truth: (x, beta) => Math.log(Math.exp(beta * x) + Math.exp(-0.5 * beta * x)) / beta,
    bound: LOG2,
    replaced: { maximum: 1 },
  },
  minimum: {
    f: (x) => k.minimum(1, x),
    truth: (x, beta) => minimum(1, x, beta),
    bound: LOG2,
    replaced: { minimum: 1 },
  },
  clamp: {
    f: (x) => k.clamp(x, -2, 3),
    truth: (x, beta) => -2 + softplus(minimum(3, x, beta) + 2, beta),
    bound: 2 * LOG2,
    replaced: { minimum: 1, maximum: 1 },
  },
  relu6: {
    f: k.relu6,
    truth: (x, beta) => softplus(minimum(6, x, beta), beta),
    bound: 2 * LOG2,
    replaced: { minimum: 1, maximum: 1 },
  },
  hardSwish: {
    f: k.hardSwish,
    truth: (x, beta) => x * softplus(minimum(1, x / 6 + 0.5, beta), beta),
    bound: 20 * LOG2,
    replaced: { minimum: 1, maximum: 1 },
  },
  elu: {
    f: (x) => k.elu(x, { alpha: 2 }),
    truth: (x, beta) => {
      const below = 2 * Math.expm1(-softplus(-x, beta));
      return below + sigmoid(beta * x) * (x - below);
    },
    bound: 3,
    replaced: { minimum: 1, selection: 1 },
  },
};

describe("forms", () => {
  test.each(Object.entries(FORMS))(
    "%s is its closed form, and tends to what it was",
    (_, { f, truth, bound, replaced }) => {
      for (const beta of [1, 10, 50]) {
        const smoothed = nn.smooth(f, { beta });
        const values = f64(smoothed, POINTS);
        expect(
          worst(
            values,
            POINTS.map((x) => truth(x, beta)),
            absolute,
          ),
        ).toBeLessThan(1e-13);
        expect(worst(values, f64(f, POINTS), absolute)).toBeLessThanOrEqual((bound * (1 + 1e-12)) / beta);
        expect(smoothed.smoothing.replaced).toEqual(replaced);
      }
      const { inputs, outputs } = trace(nn.smooth(f), [{ shape: [3] }]);
      expect(hasKinks(outputs, inputs)).toBe(false);
    },
  );

  test("abs is 2 log 2 / beta at 0", () => {
    expect(f64(nn.smooth(k.abs, { beta: 4 }), [0])[0]).toBeCloseTo((2 * LOG2) / 4, 15);
  });

  test("limits that are none leave no kink and no rounding", async () => {
    const x = hostArray([-7.25, -0.3, 0.001, 1.7, 123.5]);
    const open: readonly [number, number, Fn][] = [
      [-Infinity, Infinity, (v) => v],
      [0, Infinity, (v) => k.softplus(v, { beta: 10 })],
      [-3.4e38, 3.4e38, (v) => v],
      [-1e9, Infinity, (v) => v],
    ];
    for (const [low, high, truth] of open) {
      const [y] = await run(
        nn.smooth((v: Value) => k.clamp(v, low, high)),
        x,
      );
      const [expected] = await run(truth, x);
      expect([...y!.data]).toEqual([...expected!.data]);
    }
    const unbounded = nn.smooth((v: Value) => k.clamp(v, -Infinity, Infinity));
    expect(unbounded(input([2])).primitive.name).toBe("input");
    expect(unbounded.smoothing.replaced).toEqual({});
    expect(
      f64(
        nn.smooth((v: Value) => k.maximum(v, Infinity)),
        [1, -1],
      ),
    ).toEqual([Infinity, Infinity]);
  });

  test("values and derivatives stay finite far from the kinks", async () => {
    const x = hostArray([-3e38, -1e30, -1e4, -1, 0, 1, 1e4, 1e30]);
    for (const { f } of [FORMS["relu"]!, FORMS["leakyRelu"]!, FORMS["relu6"]!, FORMS["clamp"]!]) {
      const smoothed = nn.smooth(f);
      const total = (v: Value): Value => k.sum(smoothed(v));
      const results = await run((v) => [smoothed(v), grad(total)(v), hvp(total)(v, k.add(k.mul(v, 0), 1))], x);
      for (const { data } of results) expect([...data].every(Number.isFinite)).toBe(true);
    }
  });

  test("elu has no jump in any derivative", () => {
    const smoothed = nn.smooth((x: Value) => k.elu(x), { beta: 10 });
    const slope: Fn = (x) => grad((v) => k.sum(smoothed(v)))(x);
    const at = f64(slope, [-1e-6, 0, 1e-6]);
    expect(Math.abs(at[0]! - 2 * at[1]! + at[2]!)).toBeLessThan(1e-9);
  });
});

// ---- pooling -------------------------------------------------------------------------------------------------------

/** log(sum(e^(beta x))) / beta over the elements of each window that lie inside the plane. */
function pooled(x: ArrayLike<number>, [h, w]: [number, number], output: Shape, o: Geometry, beta: number): number[] {
  return Array.from({ length: output[0]! * output[1]! }, (_, at) => {
    const [top, left] = [
      Math.floor(at / output[1]!) * o.stride[0] - o.padding[0],
      (at % output[1]!) * o.stride[1] - o.padding[1],
    ];
    const inside: number[] = [];
    for (let i = 0; i < o.kernel[0]; i++) {
      for (let j = 0; j < o.kernel[1]; j++) {
        const [y, z] = [top + i * o.dilation[0], left + j * o.dilation[1]];
        if (y >= 0 && y < h && z >= 0 && z < w) inside.push(x[y * w + z]!);
      }
    }
    const high = Math.max(...inside);
    return high + Math.log(inside.reduce((sum, v) => sum + Math.exp(beta * (v - high)), 0)) / beta;
  });
}

interface Geometry {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
  readonly dilation: readonly [number, number];
  readonly ceilMode?: boolean;
}
const GEOMETRIES: Record<string, readonly [[number, number], Geometry]> = {
  plain: [[6, 4], { kernel: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0], dilation: [1, 1] }],
  "overlapping, padded": [[7, 6], { kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1], dilation: [1, 1] }],
  "asymmetric padding": [[5, 6], { kernel: [3, 2], stride: [2, 1], padding: [0, 1, 2, 0], dilation: [1, 1] }],
  "ceil mode": [[5, 8], { kernel: [2, 3], stride: [2, 3], padding: [0, 1, 0, 1], dilation: [1, 1], ceilMode: true }],
  dilated: [[9, 8], { kernel: [3, 2], stride: [1, 2], padding: [2, 1, 2, 1], dilation: [2, 3] }],
  "plane smaller than the window": [
    [2, 1],
    { kernel: [4, 3], stride: [1, 1], padding: [2, 1, 2, 1], dilation: [1, 1] },
  ],
  "rows only": [[4, 5], { kernel: [1, 5], stride: [1, 5], padding: [0, 0, 0, 0], dilation: [1, 1] }],
};

describe("pooling", () => {
  test.each(Object.entries(GEOMETRIES))("%s", async (_, [plane, geometry]) => {
    for (const [low, high] of [
      [-1, 1],
      [-60, -50],
      [1000, 1001],
    ] as const) {
      const x = random([2, ...plane], { low, high, seed: 3 });
      const smoothed = nn.smooth((v: Value) => k.maxPool2d(v, geometry), { beta: 3, pool: true });
      const graph = trace(smoothed, [{ shape: x.shape }]);
      const output = graph.outputs[0]!.shape.slice(1);
      const size = plane[0] * plane[1];
      const truth = [0, 1].flatMap((n) => pooled(x.data.slice(n * size, (n + 1) * size), plane, output, geometry, 3));
      expect(worst(f64(smoothed, x.data, x.shape), truth, absolute)).toBeLessThan(1e-12);
      const [y] = await run(smoothed, x);
      expect(worst(y!.data, truth, (v) => Math.max(1, Math.abs(v)))).toBeLessThan(1e-6);
      expect(hasKinks(graph.outputs, graph.inputs)).toBe(false);
      expect(smoothed.smoothing.replaced).toEqual({ "max pooling": 1 });
    }
  });

  test("all pooling of the battery tends to the maximum, within log(elements) / beta", () => {
    for (const { fn, inputs } of [...batteries["maxPool2d"]!, ...batteries["globalMaxPool2d"]!]) {
      const { shape } = inputs[0]!;
      const x = random(shape, { seed: 5 });
      for (const beta of [10, 1000]) {
        const rise = f64(nn.smooth(fn, { beta, pool: true }), x.data, shape).map(
          (v, i) => v - f64(fn, x.data, shape)[i]!,
        );
        expect(Math.min(...rise)).toBeGreaterThan(-1e-15);
        expect(Math.max(...rise)).toBeLessThanOrEqual(Math.log(shape.reduce((a, b) => a * b)) / beta);
      }
    }
  });

  test("the derivative is the softmax over each window", async () => {
    const geometry = GEOMETRIES["overlapping, padded"]![1];
    const x = random([7, 6], { seed: 9 });
    const total = (v: Value): Value =>
      k.sum(nn.smooth((u: Value) => k.maxPool2d(u, geometry), { beta: 5, pool: true })(v));
    const [gradient] = await run((v) => grad(total)(v), x);
    const h = 1e-5;
    const value = (data: ArrayLike<number>): number =>
      pooled(data, [7, 6], [4, 3], geometry, 5).reduce((a, b) => a + b);
    const truth = Array.from(x.data, (_, i) => {
      const moved = (by: number): number => value(Array.from(x.data, (v, j) => (i === j ? v + by : v)));
      return (moved(h) - moved(-h)) / (2 * h);
    });
    expect(worst(gradient!.data, truth, absolute)).toBeLessThan(1e-6);
  });

  test("maxima and minima over axes", () => {
    const x = random([3, 5]).data;
    const f: Fn = (v) => k.add(k.max(v, 1), k.min(v, 1));
    const smoothed = nn.smooth(f, { beta: 7, pool: true });
    const truth = [0, 1, 2].map((row) => {
      const sum = (sign: number): number =>
        x.slice(row * 5, row * 5 + 5).reduce((s, v) => s + Math.exp(sign * 7 * v), 0);
      return (Math.log(sum(1)) - Math.log(sum(-1))) / 7;
    });
    expect(worst(f64(smoothed, x, [3, 5]), truth, absolute)).toBeLessThan(1e-13);
    expect(smoothed.smoothing.replaced).toEqual({ "max reduction": 2 });
  });

  test("is left alone by default", () => {
    const smoothed = nn.smooth((x: Value) => k.maxPool2d(k.relu(x), { kernel: 2 }));
    expect(names(smoothed(input([4, 4])))).toEqual(["input", "softplus", "argmaxWindow", "gatherWindow"]);
  });
});

// ---- what is and what is not part of the model ---------------------------------------------------------------------

describe("scope", () => {
  const x = input([4], "f32", "x");

  test("kinks before the model and beside it stay", () => {
    const weight = input([4]);
    const before = k.relu(x);
    const smoothed = nn.smooth((v: Value) => k.relu(k.mul(k.relu(v), k.abs(weight))));
    const y = smoothed(before);
    expect(y).toBe(k.softplus(k.mul(k.softplus(before, { beta: 10 }), k.abs(weight)), { beta: 10 }));
    expect(smoothed.smoothing.replaced).toEqual({ relu: 2 });
  });

  test("whole numbers keep their maxima, infinite masks their choices", () => {
    const ids = nn.smooth((v: Value) => k.cast(k.maximum(k.cast(v, "i32"), 2), "f32"));
    expect(names(ids(x))).toContain("maximum");
    const masked = nn.smooth((v: Value) => k.select(k.greater(v, 0), v, -Infinity));
    expect(names(masked(x))).toContain("select");
  });

  test("choices by weights stay choices", () => {
    const [left, right] = [input([4]), input([4])];
    const chosen = nn.smooth((v: Value) => k.select(k.greater(left, right), k.relu(v), 0));
    expect(chosen(x)).toBe(k.select(k.greater(left, right), k.softplus(x, { beta: 10 }), 0));
    const { outputs } = nn.smoothGraph([k.select(k.greater(x, right), x, 0)], [x], { beta: 3 });
    expect(names(outputs[0]!)).toContain("sigmoid");
  });

  test("the gradient of relu becomes the gradient of softplus", () => {
    const slope: Fn = (v) => grad((u) => k.sum(k.relu(u)))(v);
    const at = [-1, -0.1, 0, 0.2];
    expect(
      worst(
        f64(nn.smooth(slope), at),
        at.map((z) => sigmoid(10 * z)),
        absolute,
      ),
    ).toBeLessThan(1e-15);
    // Not so where softplus is the model's own: log(1 + e^z) > 0 is always true.
    const own = nn.smooth((v: Value) => k.select(k.greater(k.softplus(v), 0), v, 0), { beta: 100 });
    expect(worst(f64(own, at), at, absolute)).toBeLessThan(1e-12);
  });

  test("records of inputs, and whatever attribution takes", () => {
    const f = ({ a, b }: Readonly<Record<string, Value>>): Value => k.relu(k.sub(a!, b!));
    const smoothed = nn.smooth(f);
    const b = k.abs(x);
    expect(smoothed({ a: x, b })).toBe(k.softplus(k.sub(x, b), { beta: 10 }));
    const explained = (model: ModelLike): ModelLike => nn.smooth(model);
    expect(typeof explained(f)).toBe("function");
  });

  test("records of outputs, which may share parts", () => {
    const shared = (v: Value): Record<string, Value> => ({ first: k.relu(v), second: k.abs(k.relu(v)) });
    const smoothed = nn.smooth(shared);
    const { first, second } = smoothed(x);
    expect(first).toBe(k.softplus(x, { beta: 10 }));
    expect(reachable([second!])).toContain(first);
    expect(smoothed.smoothing.replaced).toEqual({ relu: 1, "absolute value": 1 });
  });

  test("smoothGraph leaves its sources and what lies before them", () => {
    const hidden = k.relu(x);
    const output = k.abs(k.relu(k.add(hidden, 1)));
    const { outputs, replaced } = nn.smoothGraph([output], [hidden], { beta: 3 });
    expect(replaced).toEqual({ relu: 1, "absolute value": 1 });
    expect(names(outputs[0]!).filter((name) => name === "relu")).toEqual(["relu"]);
    expect(hasKinks(outputs, [hidden])).toBe(false);
    expect(hasKinks(outputs, [x])).toBe(true);
  });

  test.each([0, -1, NaN, Infinity])("beta %s is refused", (beta) => {
    expect(() => nn.smooth(k.relu, { beta })).toThrow(/beta: expected a number > 0/);
    expect(() => nn.smoothGraph([x], [x], { beta })).toThrow(/beta: expected a number > 0/);
  });
});

describe("taps", () => {
  const weight = input([3], "f32", "weight");
  const f = (x: Value, tap: nn.Tap = (_, value) => value): Value => {
    const scale = tap("scale", k.relu(weight));
    const first = tap("first", k.relu(x));
    const second = tap("second", k.abs(k.mul(first, scale)));
    return k.add(second, k.relu(first));
  };
  const x = input([3]);
  const s: Fn = (z) => k.softplus(z, { beta: 10 });

  test("see smoothed values, and change nothing by looking", () => {
    const seen = new Map<string, Value>();
    const smoothed = nn.smooth(f);
    const y = smoothed(x, (name, value) => {
      seen.set(name, value);
      return value;
    });
    expect([...seen.keys()]).toEqual(["scale", "first", "second"]);
    expect(seen.get("scale")).toBe(k.relu(weight));
    expect(seen.get("first")).toBe(s(x));
    expect(y).toBe(nn.smooth(f)(x));
    expect(reachable([y])).toContain(seen.get("second"));
    expect(smoothed.smoothing.replaced).toEqual({ relu: 2, "absolute value": 1 });
  });

  test("replace values, of another shape even", () => {
    const given = input([2, 3]);
    const y = nn.smooth(f)(x, (name, value) => (name === "first" ? given : value));
    const product = k.mul(given, k.relu(weight));
    expect(y).toBe(k.add(k.add(s(product), s(k.neg(product))), s(given)));
    expect(names(y).filter((name) => name === "input")).toHaveLength(2);
  });
});

// ---- models --------------------------------------------------------------------------------------------------------

const cnn = nn.sequential([
  ["conv", nn.conv(1, 4, { kernel: 3, padding: 1 })],
  ["relu", nn.activation(k.relu)],
  ["pool", nn.maxPooling({ kernel: 3, stride: 2, padding: 1 })],
  ["conv2", nn.conv(4, 4, { kernel: 3 })],
  ["relu6", nn.activation(k.relu6)],
  ["flatten", nn.flatten()],
  ["dense", nn.dense(16, 6)],
  ["leaky", nn.activation((x) => k.leakyRelu(x, { slope: 0.1 }))],
  ["abs", nn.activation((x) => k.sub(k.abs(x), k.clamp(x, -0.5, 0.25)))],
  ["out", nn.dense(6, 2)],
]);

describe("models", () => {
  test("a convolutional network, its smooth form, and the limit", () =>
    withCleanDevice(async (device) => {
      const model = nn.modelOf(cnn, cnn.init(device, 3), [1, 8, 8]);
      const x = random([2, 1, 8, 8], { seed: 4 });
      const errors: number[] = [];
      for (const beta of [10, 100, 1000]) {
        const smoothed = nn.smooth(model, { beta, pool: true });
        const graph = trace((v) => [nn.modelFunction(smoothed)(v), nn.modelFunction(model)(v)], [{ shape: x.shape }]);
        expect(hasKinks([graph.outputs[0]!], graph.inputs)).toBe(false);
        const [{ error }] = (await verify(device, graph, [x])) as unknown as [{ error: number }];
        expect(error).toBeLessThan(1e-5);
        expect(smoothed.smoothing).toMatchObject({ beta, pool: true });
        expect(smoothed.smoothing.replaced).toEqual({
          relu: 1,
          "max pooling": 1,
          minimum: 2,
          maximum: 2,
          "leaky ReLU": 1,
          "absolute value": 1,
        });
        const constants = await readConstants(graph.outputs);
        const [soft, hard] = evaluate(graph, [array64(x.data, x.shape)], { constants });
        errors.push(worstError(soft!, hard!));
      }
      expect(errors[2]).toBeLessThan(errors[0]! / 50);
      model.dispose();
    }));

  test("Hessian-vector products of it agree with double precision", () =>
    withCleanDevice(async (device) => {
      const model = nn.modelOf(cnn, cnn.init(device, 3), [1, 8, 8]);
      const smoothed = nn.modelFunction(nn.smooth(model, { pool: true }));
      const score: Fn = (x) => k.sum(k.mul(smoothed(x), smoothed(x)));
      const shape = [1, 1, 8, 8];
      const graph = trace((x, v) => [grad(score)(x), hvp(score)(x, v)], [{ shape }, { shape }]);
      const verified = await verify(device, graph, [random(shape, { seed: 8 }), random(shape, { seed: 9 })]);
      expect(verified.every(({ error }) => error < 1e-4)).toBe(true);
      model.dispose();
    }));

  test("the original owns the weights", () =>
    withCleanDevice(async (device) => {
      const model = nn.modelOf(cnn, cnn.init(device, 1), [1, 8, 8], { classes: ["a", "b"] });
      const smoothed = nn.smooth(model);
      const { live } = device.memory;
      smoothed.dispose();
      expect(device.memory.live).toBe(live);
      expect(smoothed).toMatchObject({ device, inputs: model.inputs, classes: ["a", "b"] });
      expect(smoothed.parameters).toBe(model.parameters);
      await model.parameters["out.bias"]!.read();
      expect(() => smoothed.apply({ y: input([1, 1, 8, 8]) })).toThrow(/"x" is missing/);
      model.dispose();
    }));
});

describe("firstKink", () => {
  test("names the first kinked operation on the way", () => {
    const [x, w] = [input([1, 64]), input([1, 64])];
    const y = k.add(k.abs(k.relu(k.tanh(x))), k.relu(w));
    expect(kinkText(firstKink([y], [x])!)).toBe("relu of shape [1, 64]");
    expect(firstKink([k.tanh(x)], [x])).toBeUndefined();
    expect(firstKink([k.mul(x, k.relu(w))], [x])).toBeUndefined();
  });
});
