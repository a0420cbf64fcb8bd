// Attention and encoders against plain loops in double precision.
import { describe, expect, test } from "vitest";
import { grad, hvp } from "../../src/autograd/index.ts";
import { compile } from "../../src/compiler/program.ts";
import { fill, input } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { gelu, mul, reshape, sliceAxis, square, stack, sum } from "../../src/kernels/index.ts";
import * as nn from "../../src/nn/index.ts";
import { array64, checkDerivatives, evaluate, type Array64 } from "../../src/reference/index.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { ArgumentError, DTypeError, FormatError, hostArray, numel, ShapeError } from "../../src/tensor/index.ts";
import { openValidationDevice } from "../gpu.ts";
import { absolute, random, run, worst } from "../kernels/run.ts";

const [B, T, E, H] = [2, 4, 6, 2];
const D = E / H;

interface Given {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
  readonly dtype?: DType;
}

/** The value of a function, in f64. */
function valueOf(fn: (...xs: Value[]) => Value, ...xs: readonly Given[]): Array64 {
  const arrays = xs.map(({ data, shape }) => array64(data, shape));
  const specs = xs.map(({ shape, dtype = "f32" as const }) => ({ shape, dtype }));
  return evaluate(trace(fn, specs), arrays)[0]!;
}
const close = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance = 1e-12): void =>
  expect(worst(a, b, absolute)).toBeLessThan(tolerance);

// ---- the truth -----------------------------------------------------------------------------------------------------

type Matrix = number[][];
const rowsOf = ({ data, shape }: Given): Matrix =>
  Array.from({ length: shape[0]! }, (_, r) => Array.from({ length: shape[1]! }, (_, c) => data[r * shape[1]! + c]!));
const dotted = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, i) => s + v * b[i]!, 0);
const project = (x: Matrix, w: Matrix, b: ArrayLike<number>): Matrix =>
  x.map((row) => w.map((column, j) => dotted(row, column) + b[j]!));

/** Attention of one sequence; `sees(h, i, j)` may add to a score, or hide it with -Infinity. */
function attentionLoop(
  x: Matrix,
  memory: Matrix,
  w: Weights,
  sees: (h: number, i: number, j: number) => number = () => 0,
): Matrix {
  const [wi, bi] = [rowsOf(w.input), w.inputBias.data];
  const part = (from: Matrix, k: number): Matrix =>
    project(from, wi.slice(k * E, (k + 1) * E), Array.from(bi).slice(k * E, (k + 1) * E));
  const [q, k, v] = [part(x, 0), part(memory, 1), part(memory, 2)] as const;
  const mixed = x.map((_, i) => {
    return Array.from({ length: H }, (_, h) => {
      const own = (row: readonly number[]): number[] => row.slice(h * D, (h + 1) * D);
      const scores = memory.map((_, j) => dotted(own(q[i]!), own(k[j]!)) / Math.sqrt(D) + sees(h, i, j));
      const powers = scores.map((s) => Math.exp(s));
      const total = powers.reduce((a, b) => a + b, 0);
      return Array.from({ length: D }, (_, d) =>
        total === 0 ? 0 : powers.reduce((sum, p, j) => sum + (p / total) * v[j]![h * D + d]!, 0),
      );
    }).flat();
  });
  return project(mixed, rowsOf(w.output), w.outputBias.data);
}

const w = {
  input: random([3 * E, E], { seed: 2 }),
  inputBias: random([3 * E], { seed: 3 }),
  output: random([E, E], { seed: 4 }),
  outputBias: random([E], { seed: 5 }),
};
type Weights = typeof w;
const x = random([B, T, E], { seed: 1 });
const WEIGHTS = [w.input, w.inputBias, w.output, w.outputBias];
const named = ([weight, bias, output, outputBias]: readonly Value[]): nn.AttentionWeights => ({
  input: { weight: weight!, bias: bias! },
  output: { weight: output!, bias: outputBias! },
});
const sequence = (given: Given, b: number): Matrix => {
  const [, t, e] = given.shape as [number, number, number];
  return rowsOf({ data: Array.from(given.data).slice(b * t * e, (b + 1) * t * e), shape: [t, e] });
};
const hidden = (allowed: boolean): number => (allowed ? 0 : -Infinity);

describe("multiHeadAttention", () => {
  const attend = (options: Omit<nn.AttentionOptions, "heads"> = {}) =>
    valueOf((v, ...p) => nn.multiHeadAttention(v, named(p), { heads: H, ...options }), x, ...WEIGHTS);
  const truth = (sees: (b: number, h: number, i: number, j: number) => number) =>
    Array.from({ length: B }, (_, b) =>
      attentionLoop(sequence(x, b), sequence(x, b), w, (h, i, j) => sees(b, h, i, j)),
    ).flat(2);

  test("self-attention", () => {
    const y = attend();
    expect(y.shape).toEqual([B, T, E]);
    close(
      y.data,
      truth(() => 0),
    );
  });

  test("causal", () => {
    close(
      attend({ causal: true }).data,
      truth((_b, _h, i, j) => hidden(j <= i)),
    );
  });

  test("lengths, as numbers and as a mask; an empty sequence gives the bias of the output, not NaN", () => {
    const expected = truth((b, _h, _i, j) => hidden(j < [3, 0][b]!));
    const lengths = hostArray([3, 0], [B], "i32");
    const present = hostArray([1, 1, 1, 0, 0, 0, 0, 0], [B, T], "bool");
    for (const given of [lengths, present]) {
      const y = valueOf(
        (v, l, ...p) => nn.multiHeadAttention(v, named(p), { heads: H, lengths: l }),
        x,
        given,
        ...WEIGHTS,
      );
      close(y.data, expected);
      close(y.data.slice(T * E, T * E + E), w.outputBias.data);
    }
  });

  test("masks of two, three and four axes, added or chosen", () => {
    const bias = random([H, T, T], { seed: 8 }).data.map((v, k) => (k % 5 === 0 ? -Infinity : v));
    const cases: [shape: number[], at: (b: number, h: number, i: number, j: number) => number][] = [
      [[T, T], (_b, _h, i, j) => i * T + j],
      [[B, T, T], (b, _h, i, j) => (b * T + i) * T + j],
      [[B, 1, 1, T], (b, _h, _i, j) => b * T + j],
      [[1, H, T, T], (_b, h, i, j) => (h * T + i) * T + j],
    ];
    for (const [shape, at] of cases) {
      const own = bias.slice(0, numel(shape));
      const added = valueOf(
        (v, m, ...p) => nn.multiHeadAttention(v, named(p), { heads: H, mask: m }),
        x,
        { data: own, shape },
        ...WEIGHTS,
      );
      close(
        added.data,
        truth((...where) => own[at(...where)]!),
      );
      const flags = Array.from(own, (v) => Number(v > 0));
      const picked = valueOf(
        (v, m, ...p) => nn.multiHeadAttention(v, named(p), { heads: H, mask: m, causal: true }),
        x,
        { data: flags, shape, dtype: "bool" },
        ...WEIGHTS,
      );
      close(
        picked.data,
        truth((b, h, i, j) => hidden(j <= i && flags[at(b, h, i, j)] === 1)),
      );
    }
  });

  test("cross-attention, with stacked and with separate matrices", () => {
    const memory = random([B, 3, E], { seed: 9 });
    const expected = Array.from({ length: B }, (_, b) => attentionLoop(sequence(x, b), sequence(memory, b), w)).flat(2);
    const stacked = valueOf(
      (v, m, ...p) => nn.multiHeadAttention(v, named(p), { heads: H, memory: m }),
      x,
      memory,
      ...WEIGHTS,
    );
    close(stacked.data, expected);
    const third = (a: Given, k: number): Given => {
      const size = a.data.length / 3;
      return { data: Array.from(a.data).slice(k * size, (k + 1) * size), shape: [E, ...a.shape.slice(1)] };
    };
    const split = [0, 1, 2].flatMap((k) => [third(w.input, k), third(w.inputBias, k)]);
    const separate = valueOf(
      (v, m, qw, qb, kw, kb, vw, vb, ow, ob) => {
        const own = (weight: Value, bias: Value): nn.Affine => ({ weight, bias });
        const input = { query: own(qw, qb), key: own(kw, kb), value: own(vw, vb) };
        return nn.multiHeadAttention(v, { input, output: own(ow, ob) }, { heads: H, memory: m });
      },
      x,
      memory,
      ...split,
      w.output,
      w.outputBias,
    );
    close(separate.data, expected);
  });

  test("a padded batch equals the sequences on their own", () => {
    const lengths = [2, 4];
    const padded = valueOf(
      (v, l, ...p) => nn.multiHeadAttention(v, named(p), { heads: H, lengths: l }),
      x,
      hostArray(lengths, [B], "i32"),
      ...WEIGHTS,
    );
    lengths.forEach((n, b) => {
      const own = { data: x.data.slice(b * T * E, (b * T + n) * E), shape: [1, n, E] };
      const alone = valueOf((v, ...p) => nn.multiHeadAttention(v, named(p), { heads: H }), own, ...WEIGHTS);
      close(padded.data.slice(b * T * E, (b * T + n) * E), alone.data, 1e-14);
    });
  });

  test("future tokens change nothing before them, and masked keys have exactly zero gradient", () => {
    const first = (v: Value, ...p: Value[]): Value =>
      sum(square(mul(nn.multiHeadAttention(v, named(p), { heads: H, causal: true }), early)));
    const early = stack(
      [0, 1, 2, 3].map((t) => fill([B, E], t < 2 ? 1 : 0)),
      1,
    );
    const gradient = valueOf((v, ...p) => grad((z) => first(z, ...p))(v), x, ...WEIGHTS);
    gradient.data.forEach((g, k) => expect(g !== 0).toBe(Math.floor(k / E) % T < 2));
    const masked = (v: Value, l: Value, ...p: Value[]): Value =>
      sum(square(nn.maskedMean(nn.multiHeadAttention(v, named(p), { heads: H, lengths: l }), l)));
    const lengths = hostArray([3, 0], [B], "i32");
    const padded = valueOf((v, l, ...p) => grad((z) => masked(z, l, ...p))(v), x, lengths, ...WEIGHTS);
    padded.data.forEach((g, k) => expect(g !== 0).toBe(k < 3 * E));
    const product = valueOf((v, l, ...p) => hvp((z) => masked(z, l, ...p))(v, v), x, lengths, ...WEIGHTS);
    product.data.forEach((g, k) => expect(g !== 0).toBe(k < 3 * E));
  });

  test("derivatives of all arguments, first and second, batched or not", async () => {
    const shapes = [[1, 3, 2], [6, 2], [6], [2, 2], [2]];
    for (const options of [{}, { causal: true }]) {
      const errors = await checkDerivatives(
        (v, ...p) => nn.multiHeadAttention(v, named(p), { heads: 2, ...options }),
        shapes.map((shape) => ({ shape })),
      );
      expect(Math.max(errors.jvp, errors.transpose, errors.hvp, errors.batch)).toBeLessThan(1e-6);
    }
    await checkDerivatives(
      (v, m, l, ...p) => nn.multiHeadAttention(v, named(p), { heads: 1, mask: m, lengths: l }),
      [
        { shape: [2, 2, 2] },
        { shape: [2, 2] },
        { shape: [2], dtype: "i32", high: 3 },
        ...shapes.slice(1).map((shape) => ({ shape })),
      ],
    );
  });

  test("on the device: masked rows, gradients and products are what double precision gives", async () => {
    const lengths = hostArray([3, 0], [B], "i32");
    // Each query but the last has one key of infinite distance.
    const mask = hostArray(
      Array.from({ length: T * T }, (_, k) => (k % T === Math.floor(k / T) + 1 ? -Infinity : 0.1 * k)),
      [T, T],
    );
    const all = (v: Value, l: Value, m: Value, ...p: Value[]): Value[] => {
      const attend = (z: Value): Value => nn.multiHeadAttention(z, named(p), { heads: H, lengths: l, mask: m });
      const f = (z: Value): Value => sum(square(attend(z)));
      return [attend(v), grad(f)(v), hvp(f)(v, v)];
    };
    const given = [x, lengths, mask, ...WEIGHTS];
    const got = await run(all, ...given);
    const arrays = given.map(({ data, shape }) => array64(data, shape));
    const expected = evaluate(trace(all, given), arrays);
    got.forEach((array, i) => {
      const scale = Math.max(...expected[i]!.data.map(Math.abs));
      expect(worst(array.data, expected[i]!.data, () => scale)).toBeLessThan(1e-5);
    });
    expect(Array.from(got[1]!.data.slice(T * E)).every((g) => g === 0)).toBe(true);
  });

  test("heads, masks and weights that do not fit are refused by name", () => {
    const v = input([B, T, E]);
    const p = named([input([3 * E, E]), input([3 * E]), input([E, E]), input([E])]);
    const call = (options: Partial<nn.AttentionOptions>, from = v, weights = p) =>
      nn.multiHeadAttention(from, weights, { heads: H, ...options });
    for (const heads of [4, 0, 1.5]) expect(() => call({ heads })).toThrow(ArgumentError);
    expect(() => call({ heads: 4 })).toThrow(/divides the width 6, got 4/);
    expect(() => call({ mask: input([T, T + 1], "bool") })).toThrow(/expected a mask \[4, 4\]/);
    expect(() => call({ mask: input([B, T], "bool") })).toThrow(ShapeError);
    expect(() => call({ mask: input([T, T], "i32") })).toThrow(DTypeError);
    expect(() => call({ lengths: input([B + 1], "i32") })).toThrow(/lengths of 2 examples, got 3/);
    expect(() => call({ lengths: input([B], "f32") })).toThrow(DTypeError);
    expect(() => call({ lengths: input([B, T, 1], "bool") })).toThrow(ShapeError);
    expect(() => call({ causal: true, memory: input([B, 3, E]) })).toThrow(/causal/);
    expect(() => call({ memory: input([B + 1, 3, E]) })).toThrow(ShapeError);
    expect(() => call({}, input([T, E]))).toThrow(/pass their lengths/);
    expect(() => call({}, input([B, T, E + 1]))).toThrow(ShapeError);
    expect(() => call({}, v, { ...p, input: { weight: input([E, E]) }, output: p.output })).toThrow(ShapeError);
    expect(() => call({}, v, { ...p, output: { weight: input([E, E + 1]) } })).toThrow(/output weights/);
  });

  test("costs no more dispatches than its products, their copies and the softmax", async () => {
    const device = await openValidationDevice();
    const specs = [x, ...WEIGHTS];
    const plain = compile(device, (v, ...p) => nn.multiHeadAttention(v, named(p), { heads: H }), specs);
    const masked = compile(device, (v, ...p) => nn.multiHeadAttention(v, named(p), { heads: H, causal: true }), specs);
    // input, q/k/v by heads, scores, softmax, mixing, joining, output
    expect(plain.plan.dispatches).toBeLessThanOrEqual(7);
    expect(masked.plan.dispatches).toBe(plain.plan.dispatches);
    device.destroy();
  });
});

describe("the encoder", () => {
  const width = 4;
  const erf = (z: number): number => {
    // Series of the error function: converges everywhere, and fast for the small arguments here.
    let [term, total] = [z, z];
    for (let n = 1; n < 80; n++) total += (term *= (-z * z) / n) / (2 * n + 1);
    return (2 / Math.sqrt(Math.PI)) * total;
  };
  const norm = (row: readonly number[], scale: ArrayLike<number>, offset: ArrayLike<number>): number[] => {
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
    return row.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * scale[i]! + offset[i]!);
  };
  /** A layer of the encoder whose attention is the identity matrix applied to evenly mixed values. */
  const arrays: Record<string, Given> = {
    "layers.0.self_attn.in_proj_weight": {
      // Queries of zero: all weights are even, so that attention is the mean over tokens.
      data: Array.from({ length: 3 * width * width }, (_, k) =>
        k >= 2 * width * width && (k - 2 * width * width) % (width + 1) === 0 ? 1 : 0,
      ),
      shape: [3 * width, width],
    },
    "layers.0.self_attn.out_proj.weight": random([width, width], { seed: 21 }),
    "layers.0.linear1.weight": random([3, width], { seed: 22 }),
    "layers.0.linear1.bias": random([3], { seed: 23 }),
    "layers.0.linear2.weight": random([width, 3], { seed: 24 }),
    "layers.0.linear2.bias": random([width], { seed: 25 }),
    "layers.0.norm1.weight": random([width], { seed: 26 }),
    "layers.0.norm1.bias": random([width], { seed: 27 }),
    "layers.0.norm2.weight": random([width], { seed: 28 }),
    "layers.0.norm2.bias": random([width], { seed: 29 }),
    "norm.weight": random([width], { seed: 30 }),
    "norm.bias": random([width], { seed: 31 }),
  };
  const names = Object.keys(arrays);
  const applied = (layer: nn.Layer, v: Given): Array64 =>
    valueOf(
      (z, ...p) => layer.apply(Object.fromEntries(names.map((name, i) => [name, p[i]!])), z),
      v,
      ...names.map((name) => arrays[name]!),
    );
  const v = random([1, 3, width], { seed: 20 });

  for (const style of ["post", "pre"] as const) {
    for (const activation of ["relu", "gelu"] as const) {
      test(`${style} norm, ${activation}`, () => {
        const of = (name: string) => arrays[name]!.data;
        const act = (z: number): number =>
          activation === "relu" ? Math.max(z, 0) : (z * (1 + erf(z / Math.SQRT2))) / 2;
        const attention = (rows: Matrix): Matrix => {
          const mean = rows[0]!.map((_, c) => rows.reduce((s, r) => s + r[c]!, 0) / rows.length);
          return rows.map(() => rowsOf(arrays["layers.0.self_attn.out_proj.weight"]!).map((r) => dotted(r, mean)));
        };
        const dense = (rows: Matrix): Matrix => {
          const up = project(rows, rowsOf(arrays["layers.0.linear1.weight"]!), of("layers.0.linear1.bias"));
          const low = up.map((r) => r.map(act));
          return project(low, rowsOf(arrays["layers.0.linear2.weight"]!), of("layers.0.linear2.bias"));
        };
        let rows = sequence(v, 0);
        [attention, dense].forEach((block, k) => {
          const own = (r: readonly number[]): number[] =>
            norm(r, of(`layers.0.norm${k + 1}.weight`), of(`layers.0.norm${k + 1}.bias`));
          const plus = (a: Matrix, b: Matrix): Matrix => a.map((r, i) => r.map((z, c) => z + b[i]![c]!));
          rows = style === "post" ? plus(rows, block(rows)).map(own) : plus(rows, block(rows.map(own)));
        });
        if (style === "pre") rows = rows.map((r) => norm(r, of("norm.weight"), of("norm.bias")));
        const layer = nn.transformerEncoder(width, { heads: 2, norm: style, activation, hidden: 3 });
        // erf is evaluated as a rational function, which is good to 1e-7 only on the device; here it is exact.
        close(applied(layer, v).data, rows.flat(), 1e-9);
      });
    }
  }

  test("parameters have PyTorch's names and shapes, and stack", () => {
    const layer = nn.transformerEncoder(8, { heads: 2, layers: 2, norm: "pre" });
    const initial = layer.init(nn.random("encoder"));
    const shapes = Object.fromEntries(Object.entries(initial).map(([name, { shape }]) => [name, shape]));
    const one = (k: number) => ({
      [`layers.${k}.self_attn.in_proj_weight`]: [24, 8],
      [`layers.${k}.self_attn.in_proj_bias`]: [24],
      [`layers.${k}.self_attn.out_proj.weight`]: [8, 8],
      [`layers.${k}.self_attn.out_proj.bias`]: [8],
      [`layers.${k}.linear1.weight`]: [32, 8],
      [`layers.${k}.linear1.bias`]: [32],
      [`layers.${k}.linear2.weight`]: [8, 32],
      [`layers.${k}.linear2.bias`]: [8],
      [`layers.${k}.norm1.weight`]: [8],
      [`layers.${k}.norm1.bias`]: [8],
      [`layers.${k}.norm2.weight`]: [8],
      [`layers.${k}.norm2.bias`]: [8],
    });
    expect(shapes).toEqual({ ...one(0), ...one(1), "norm.weight": [8], "norm.bias": [8] });
    expect(initial["layers.0.linear1.weight"]!.data).not.toEqual(initial["layers.1.linear1.weight"]!.data);
    const traced = layer.apply(
      Object.fromEntries(Object.entries(initial).map(([name, { shape }]) => [name, input(shape)])),
      input([2, 5, 8]),
    );
    expect(traced.shape).toEqual([2, 5, 8]);
  });

  test("second derivatives through attention, layer norm and GELU", async () => {
    const layer = nn.transformerEncoder(2, { heads: 1, hidden: 3, activation: gelu, causal: true });
    const initial = layer.init(nn.random(3));
    // All parameters in one argument: the check goes through all subsets of arguments.
    let used = 0;
    const places = Object.entries(initial).map(([name, { shape }]) => {
      const start = used;
      used += numel(shape);
      return { name, shape, start, stop: used };
    });
    const unpacked = (p: Value): Record<string, Value> =>
      Object.fromEntries(
        places.map(({ name, shape, start, stop }) => [name, reshape(sliceAxis(p, 0, start, stop), shape)]),
      );
    const errors = await checkDerivatives(
      (z, p) => layer.apply(unpacked(p), z),
      [{ shape: [1, 2, 2], distinct: true }, { shape: [used] }],
      { tolerance: 1e-5 },
    );
    expect(errors.hvp).toBeLessThan(1e-5);
  });

  test("what does not exist is refused", () => {
    expect(() => nn.transformerEncoder(6, { heads: 4 })).toThrow(/divides the width 6/);
    expect(() => nn.transformerEncoder(6, { heads: 2, layers: 0 })).toThrow(ArgumentError);
    expect(() => nn.selfAttention(6, { heads: 5 })).toThrow(ArgumentError);
    const layer = nn.transformerEncoder(4, { heads: 2, norm: "between" as "pre" });
    const initial = layer.init(nn.random(1));
    const p = Object.fromEntries(Object.entries(initial).map(([name, { shape }]) => [name, input(shape)]));
    expect(() => layer.apply(p, input([1, 2, 4]))).toThrow(/"post" or "pre", got "between"/);
    const swish = nn.transformerEncoder(4, { heads: 2, activation: "swish" as "relu" });
    expect(() => swish.apply(p, input([1, 2, 4]))).toThrow(/activation/);
    const fine = nn.selfAttention(4, { heads: 2 });
    expect(() => fine.apply({}, input([1, 2, 4]))).toThrow(FormatError);
  });
});

describe("positions and masks", () => {
  test("sinusoidal positions are sines and cosines of geometrically falling frequency", () => {
    const { data, shape } = nn.sinusoidalPositions(50, 5);
    expect(shape).toEqual([50, 5]);
    const at = (t: number, c: number): number => data[t * 5 + c]!;
    expect(at(0, 0)).toBe(0);
    expect(at(0, 1)).toBe(1);
    expect(at(49, 0)).toBeCloseTo(Math.sin(49), 6);
    expect(at(49, 3)).toBeCloseTo(Math.cos(49 * Math.pow(10000, -2 / 5)), 6);
    expect(at(7, 4)).toBeCloseTo(Math.sin(7 * Math.pow(10000, -4 / 5)), 6);
  });

  test("positions are added to the tokens; those of sines do not learn", () => {
    for (const kind of ["learned", "sinusoidal"] as const) {
      const layer = nn.positions(5, 2, { kind });
      const { weight } = layer.init(nn.random(2)) as { weight: ReturnType<typeof hostArray> };
      const v = random([2, 3, 2], { seed: 4 });
      const y = valueOf((z, p) => layer.apply({ weight: p }, z), v, weight);
      close(
        y.data,
        Array.from(v.data, (value, k) => value + weight.data[k % 6]!),
      );
      const slope = valueOf((z, p) => grad((q) => sum(square(layer.apply({ weight: q }, z))))(p), v, weight);
      expect(slope.data.some((g) => g !== 0)).toBe(kind === "learned");
    }
    expect(() => nn.positions(2, 2).apply({ weight: input([2, 2]) }, input([1, 3, 2]))).toThrow(/at most 2 tokens/);
    expect(() => nn.positions(2, 2, { kind: "rotary" as "learned" })).toThrow(ArgumentError);
  });

  test("masked sums and means", () => {
    const v = { data: [1, 2, 3, 4, 5, 6, 7, 8], shape: [2, 2, 2] };
    const lengths = hostArray([1, 0], [2], "i32");
    expect([...valueOf((z, l) => nn.maskedSum(z, l), v, lengths).data]).toEqual([1, 2, 0, 0]);
    const mask = hostArray([1, 1, 0, 1], [2, 2], "bool");
    expect([...valueOf((z, m) => nn.maskedMean(z, m), v, mask).data]).toEqual([2, 3, 7, 8]);
    const pairs = hostArray([0, 1, 1, 1, 0, 0, 0, 1], [2, 2, 2], "bool");
    expect([...valueOf((z, m) => nn.maskedSum(z, m, 2), v, pairs).data]).toEqual([2, 7, 0, 8]);
    expect(() => nn.maskedSum(input([2, 3, 4]), input([2, 4], "bool"))).toThrow(ShapeError);
    expect(() => nn.maskedSum(input([2, 3, 4]), input([2, 3]))).toThrow(DTypeError);
    expect(valueOf(() => nn.causalMask(2)).data).toEqual(Float64Array.of(1, 0, 1, 1));
  });
});
