// Graph convolutions and weave layers against plain loops in double precision.
import { describe, expect, test } from "vitest";
import { grad } from "../../src/autograd/index.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { gelu, square, sum, tanh } from "../../src/kernels/index.ts";
import * as nn from "../../src/nn/index.ts";
import { array64, checkDerivatives, evaluate, type Array64 } from "../../src/reference/index.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { ArgumentError, DTypeError, FormatError, hostArray, ShapeError } from "../../src/tensor/index.ts";
import { absolute, random, run, worst } from "../kernels/run.ts";

interface Given {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
  readonly dtype?: DType;
}

/** The values of a function, in f64. */
function valuesOf(fn: (...xs: Value[]) => Value | Value[], ...xs: readonly Given[]): Array64[] {
  const specs = xs.map(({ shape, dtype = "f32" as const }) => ({ shape, dtype }));
  return evaluate(
    trace(fn, specs),
    xs.map(({ data, shape }) => array64(data, shape)),
  );
}
const close = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance = 1e-12): void =>
  expect(worst(a, b, absolute)).toBeLessThan(tolerance);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Propanol without hydrogens, carbon dioxide, and a lone atom: categories are element and charge, and the order of bonds. */
const graphs: nn.GraphExample[] = [
  {
    atoms: [
      [0, 0],
      [0, 0],
      [0, 1],
      [1, 0],
    ],
    bonds: [
      [0, 1],
      [2, 1],
      [2, 3],
    ],
    bondFeatures: [[0], [0], [0]],
  },
  {
    atoms: [
      [1, 0],
      [0, -1],
      [1, 0],
    ],
    bonds: [
      [0, 1],
      [1, 2],
    ],
    bondFeatures: [[1], [1]],
  },
  { atoms: [[2, 1]], bonds: [] },
];
const SIZES = { atomSizes: [3, 2], bondSizes: [2] };
const [B, N, F] = [3, 4, 3];
const batch = nn.padGraphs(graphs, SIZES);
const lengths = [4, 3, 1];
const x = random([B, N, F], { seed: 1 });
const [weight, bias, self] = [random([F, 2], { seed: 2 }), random([2], { seed: 3 }), random([F, 2], { seed: 4 })];

/** Neighbours of node i of graph b, from the examples themselves. */
const neighbours = (b: number, i: number): number[] =>
  graphs[b]!.bonds.flatMap(([p, q]) => (p === i ? [q] : q === i ? [p] : []));
const timesWeight = (row: readonly number[], w: Given): number[] =>
  range(w.shape[1]!).map((o) => row.reduce((s, v, f) => s + v * w.data[f * w.shape[1]! + o]!, 0));
const rowOf = (a: Given, b: number, i: number): number[] =>
  range(a.shape[2]!).map((f) => a.data[(b * a.shape[1]! + i) * a.shape[2]! + f]!);
const plus = (...rows: number[][]): number[] => rows[0]!.map((_, k) => rows.reduce((s, row) => s + row[k]!, 0));
const scaled = (row: number[], by: number): number[] => row.map((v) => v * by);

/** Kipf and Welling's sum for a real node; its own row for padding is left out. */
const normalisedRow = (b: number, i: number): number[] => {
  const degree = (n: number): number => neighbours(b, n).length + 1;
  const parts = [i, ...neighbours(b, i)].map((j) => scaled(rowOf(x, b, j), 1 / Math.sqrt(degree(i) * degree(j))));
  return plus(timesWeight(plus(...parts), weight), Array.from(bias.data));
};
const realRows = (data: ArrayLike<number>, width: number): number[] =>
  lengths.flatMap((n, b) => Array.from(data).slice(b * N * width, (b * N + n) * width));
const truth = lengths.flatMap((n, b) => range(n).flatMap((i) => normalisedRow(b, i)));

describe("graphs as arrays", () => {
  test("are padded with -1 and zeros", () => {
    expect([...batch.lengths.data]).toEqual(lengths);
    expect(batch.atoms.shape).toEqual([3, 4, 2]);
    expect([...batch.atoms.data.slice(8, 16)]).toEqual([1, 0, 0, -1, 1, 0, -1, -1]);
    expect([...batch.bonds.data]).toEqual([0, 1, 2, 1, 2, 3, 0, 1, 1, 2, -1, -1, -1, -1, -1, -1, -1, -1]);
    range(B * N * N).forEach((k) => {
      const [b, i, j] = [Math.floor(k / 16), Math.floor(k / 4) % 4, k % 4];
      const bonded = i < lengths[b]! && neighbours(b, i).includes(j);
      expect(batch.adjacency.data[k]).toBe(Number(bonded));
      expect(batch.pairs.data[k]).toBe(bonded ? [0, 1][b] : -1);
    });
    expect(nn.padGraphs(graphs, { ...SIZES, nodes: 6 }).adjacency.shape).toEqual([3, 6, 6]);
  });

  test("what does not exist is refused, with the number of the graph", () => {
    const bad = (graph: Partial<nn.GraphExample>, options: Partial<nn.PadGraphsOptions> = {}) => {
      const whole = { atoms: [[0], [0]], bonds: [], ...graph };
      return () => nn.padGraphs([{ atoms: [[0]], bonds: [] }, whole], { atomSizes: [1], ...options });
    };
    expect(bad({ atoms: [[0], [1]] })).toThrow(/graph 1: atom 1: property 0 has 1 categories.*got 1/);
    expect(bad({ atoms: [[0, 0]] })).toThrow(/expected 1 categories, got 2/);
    expect(bad({ bonds: [[0, 2]] })).toThrow(/graph 1: bond 0 joins 0 and 2/);
    expect(bad({ bonds: [[1, 1]] })).toThrow(ArgumentError);
    expect(
      bad({
        bonds: [
          [0, 1],
          [1, 0],
        ],
      }),
    ).toThrow(/joined already/);
    expect(bad({ bonds: [[0, 1]] }, { bondSizes: [2] })).toThrow(/1 bonds have 0 lists/);
    expect(bad({ bonds: [[0, 1]], bondFeatures: [[2]] }, { bondSizes: [2] })).toThrow(/bond 0: property 0/);
    expect(bad({}, { nodes: 1 })).toThrow(/2 atoms, but nodes is 1/);
    expect(() => nn.padGraphs([], SIZES)).toThrow(ArgumentError);
    const matrix = (data: number[]) => hostArray(data, [2, 2]);
    expect(() => nn.normaliseAdjacency(hostArray([0, 1], [1, 2]))).toThrow(ShapeError);
    expect(() => nn.normaliseAdjacency(matrix([0, 1, 0, 0]))).toThrow(/differ/);
    expect(() => nn.normaliseAdjacency(matrix([0, -1, -1, 0]))).toThrow(/expected a number >= 0/);
    expect(() => nn.normaliseAdjacency(matrix([0, 1, 1, 0]), [1])).toThrow(/beyond its 1 nodes/);
    expect(() => nn.normaliseAdjacency(matrix([0, 1, 1, 0]), [1, 2])).toThrow(/lengths of 1 graphs/);
  });

  test("categories become blocks of 0 and 1; unknown ones and padding zeros", () => {
    const [y] = valuesOf((ids) => nn.oneHotFeatures(ids, [3, 2]), batch.atoms);
    expect(y!.shape).toEqual([3, 4, 5]);
    expect([...y!.data.slice(20, 40)]).toEqual([0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect(() => nn.oneHotFeatures(input([2, 3], "i32"), [3, 2])).toThrow(ShapeError);
    expect(() => nn.oneHotFeatures(input([2, 2]), [3, 2])).toThrow(DTypeError);
  });
});

describe("graph convolution", () => {
  const adjacency = nn.normaliseAdjacency(batch.adjacency, lengths);

  test("with a matrix: Kipf and Welling's sum; padding reaches nothing", () => {
    const [y] = valuesOf((v, a, w, b) => nn.graphConvolution(v, a, { weight: w, bias: b }), x, adjacency, weight, bias);
    close(realRows(y!.data, 2), truth, 1e-7);
    close(
      y!.data.slice((2 * N + 1) * 2),
      [...range(3)].flatMap(() => Array.from(bias.data)),
    );
    const wide = random([F, 5], { seed: 9 });
    const [z] = valuesOf((v, a, w) => nn.graphConvolution(v, a, { weight: w }), x, adjacency, wide);
    expect(z!.shape).toEqual([B, N, 5]);
    const one = hostArray(adjacency.data.slice(0, 16), [N, N]);
    const [shared] = valuesOf((v, a, w) => nn.graphConvolution(v, a, { weight: w }), x, one, wide);
    close(shared!.data.slice(0, N * 5), z!.data.slice(0, N * 5));
  });

  test("with bonds, in a padded batch and as one list: the same", () => {
    const conv = (v: Value, l: Value, w: Value, b: Value): Value =>
      nn.bondConvolution(v, l, { weight: w, bias: b }, { normalise: "symmetric" });
    const [y] = valuesOf(conv, x, batch.bonds, weight, bias);
    expect(y!.shape).toEqual([B, N, 2]);
    close(realRows(y!.data, 2), truth);
    const starts = [0, 4, 7];
    const joint = graphs.flatMap(({ bonds }, b) => bonds.flatMap(([i, j]) => [i + starts[b]!, j + starts[b]!]));
    const list = hostArray(joint, [joint.length / 2, 2], "i32");
    const packed = { data: realRows(x.data, F), shape: [8, F] };
    const [z] = valuesOf(conv, packed, list, weight, bias);
    close(z!.data, truth);
  });

  test("sums over neighbours, with weights of the node's own", () => {
    const expected = lengths.flatMap((n, b) =>
      range(n).flatMap((i) => {
        const around = neighbours(b, i).map((j) => rowOf(x, b, j));
        const own = timesWeight(rowOf(x, b, i), self);
        return plus(timesWeight(plus(scaled(rowOf(x, b, i), 0), ...around), weight), own, Array.from(bias.data));
      }),
    );
    const [y] = valuesOf(
      (v, l, w, b, s) => nn.bondConvolution(v, l, { weight: w, bias: b, self: s }),
      x,
      batch.bonds,
      weight,
      bias,
      self,
    );
    close(realRows(y!.data, 2), expected);
  });

  test("derivatives", async () => {
    const specs = [
      { shape: [2, 3, 2] },
      { shape: [2, 2, 2], dtype: "i32" as const, low: 0, high: 3 },
      { shape: [2, 2] },
    ];
    const errors = await checkDerivatives(
      (v, l, w) => tanh(nn.bondConvolution(v, l, { weight: w }, { normalise: "symmetric" })),
      specs,
    );
    expect(Math.max(errors.jvp, errors.transpose, errors.hvp, errors.batch)).toBeLessThan(1e-6);
    await checkDerivatives(
      (v, a, w) => tanh(nn.graphConvolution(v, a, { weight: w })),
      [{ shape: [2, 3, 2] }, { shape: [2, 3, 3] }, { shape: [2, 2] }],
    );
  });

  test("on the device", async () => {
    const all = (v: Value, l: Value, w: Value): Value[] => {
      const f = (z: Value): Value => sum(square(nn.bondConvolution(z, l, { weight: w }, { normalise: "symmetric" })));
      return [nn.bondConvolution(v, l, { weight: w }, { normalise: "symmetric" }), grad(f)(v)];
    };
    const got = await run(all, x, batch.bonds, weight);
    const expected = valuesOf(all, x, batch.bonds, weight);
    got.forEach((array, i) => close(array.data, expected[i]!.data, 1e-5));
  });

  test("as a layer of a chain", () => {
    const layer = nn.graphConv(F, 2, { adjacency: input([N, N]) });
    const initial = layer.init(nn.random(1));
    expect(Object.entries(initial).map(([name, { shape }]) => [name, shape])).toEqual([
      ["weight", [F, 2]],
      ["bias", [2]],
    ]);
    expect(layer.apply({ weight: input([F, 2]), bias: input([2]) }, input([B, N, F])).shape).toEqual([B, N, 2]);
    expect(() => layer.apply({ weight: input([F, 2]) }, input([B, N, F]))).toThrow(FormatError);
  });

  test("what does not fit is refused", () => {
    const [v, w] = [input([B, N, F]), input([F, 2])];
    expect(() => nn.graphConvolution(v, input([N + 1, N + 1]), { weight: w })).toThrow(ShapeError);
    expect(() => nn.graphConvolution(v, input([B + 1, N, N]), { weight: w })).toThrow(ShapeError);
    expect(() => nn.graphConvolution(v, input([N, N]), { weight: input([F + 1, 2]) })).toThrow(/3 features/);
    expect(() => nn.bondConvolution(v, input([5, 2], "i32"), { weight: w })).toThrow(/\[B, M, 2\]/);
    expect(() => nn.bondConvolution(v, input([B + 1, 5, 2], "i32"), { weight: w })).toThrow(ShapeError);
    expect(() => nn.bondConvolution(v, input([B, 5, 2]), { weight: w })).toThrow(DTypeError);
    const options = { normalise: "mean" as "none" };
    expect(() => nn.bondConvolution(v, input([B, 5, 2], "i32"), { weight: w }, options)).toThrow(ArgumentError);
  });
});

describe("weave", () => {
  const P = 2;
  const layer = nn.weaveLayer({
    inputs: { atoms: F, pairs: P },
    hidden: { atoms: 2, pairs: 3 },
    outputs: { atoms: 4, pairs: 2 },
  });
  const initial = layer.init(nn.random("weave"));
  const names = Object.keys(initial);
  const given: Record<string, Given> = Object.fromEntries(
    names.map((name, i) => [
      name,
      name.endsWith("bias") ? random(initial[name]!.shape, { seed: 40 + i }) : initial[name]!,
    ]),
  );
  const parameters = names.map((name) => given[name]!);
  const pairs = random([B, N, N, P], { seed: 6 });
  const count = hostArray(lengths, [B], "i32");
  const apply = (options: nn.WeaveOptions = {}) => {
    return (a: Value, p: Value, l: Value, ...own: Value[]): Value[] => {
      const values = Object.fromEntries(names.map((name, i) => [name, own[i]!]));
      const y = layer.apply(values, { atoms: a, pairs: p }, { lengths: l, ...options });
      return [y.atoms, y.pairs];
    };
  };
  const evaluated = (a: Given, p: Given, l: Given, options?: nn.WeaveOptions) =>
    valuesOf(apply(options), a, p, l, ...parameters);

  /** The definition, atom by atom; `counts(b, i, j)` says which pairs take part. */
  function loop(counts: (b: number, i: number, j: number) => boolean): { atoms: number[]; pairs: number[] } {
    const unit = (name: string, row: readonly number[]): number[] =>
      plus(timesWeight(row, given[`${name}.weight`]!), Array.from(given[`${name}.bias`]!.data)).map((v) =>
        Math.max(v, 0),
      );
    const pairOf = (b: number, i: number, j: number): number[] =>
      range(P).map((f) => pairs.data[((b * N + i) * N + j) * P + f]!);
    const atoms = range(B).flatMap((b) =>
      range(N).flatMap((i) => {
        if (i >= lengths[b]!) return [0, 0, 0, 0];
        const around = range(N).flatMap((j) => (counts(b, i, j) ? [unit("pairAtom", pairOf(b, i, j))] : []));
        return unit("atom", [...unit("atomAtom", rowOf(x, b, i)), ...plus([0, 0], ...around)]);
      }),
    );
    const both = range(B * N * N).flatMap((k) => {
      const [b, i, j] = [Math.floor(k / (N * N)), Math.floor(k / N) % N, k % N] as const;
      if (!counts(b, i, j)) return [0, 0];
      const ordered = (p: number, q: number): number[] => unit("atomPair", [...rowOf(x, b, p), ...rowOf(x, b, q)]);
      return unit("pair", [...plus(ordered(i, j), ordered(j, i)), ...unit("pairPair", pairOf(b, i, j))]);
    });
    return { atoms, pairs: both };
  }

  test("atoms and pairs of a padded batch", () => {
    const [atoms, both] = evaluated(x, pairs, count);
    const expected = loop((b, i, j) => i < lengths[b]! && j < lengths[b]!);
    close(atoms!.data, expected.atoms);
    close(both!.data, expected.pairs);
  });

  test("only the pairs that are asked for", () => {
    const bonded = (b: number, i: number, j: number): boolean => i < lengths[b]! && neighbours(b, i).includes(j);
    const flags = hostArray(batch.adjacency.data, [B, N, N], "bool");
    const fn = (a: Value, p: Value, l: Value, m: Value, ...own: Value[]): Value[] =>
      apply({ pairs: m })(a, p, l, ...own);
    const [atoms, both] = valuesOf(fn, x, pairs, count, flags, ...parameters);
    const expected = loop(bonded);
    close(atoms!.data, expected.atoms);
    close(both!.data, expected.pairs);
  });

  test("permuting the atoms permutes the results, and symmetric pairs stay symmetric", () => {
    const order = [2, 0, 3, 1];
    const symmetric = hostArray(
      pairs.data.map((_, k) => {
        const [b, i, j, f] = [Math.floor(k / (N * N * P)), Math.floor(k / (N * P)) % N, Math.floor(k / P) % N, k % P];
        return pairs.data[((b * N + Math.min(i, j)) * N + Math.max(i, j)) * P + f]!;
      }),
      pairs.shape,
    );
    const all = hostArray([4, 4, 4], [B], "i32");
    const movedAtoms = (a: Given, width: number) => ({
      shape: a.shape,
      data: range(B * N * width).map((k) => {
        const [b, i] = [Math.floor(k / (N * width)), Math.floor(k / width) % N];
        return a.data[(b * N + order[i]!) * width + (k % width)]!;
      }),
    });
    const movedPairs = (p: Given, width: number) => ({
      shape: p.shape,
      data: range(B * N * N * width).map((k) => {
        const [b, i, j] = [Math.floor(k / (N * N * width)), Math.floor(k / (N * width)) % N, Math.floor(k / width) % N];
        return p.data[((b * N + order[i]!) * N + order[j]!) * width + (k % width)]!;
      }),
    });
    const [atoms, both] = evaluated(x, symmetric, all);
    const moved = evaluated(movedAtoms(x, F), movedPairs(symmetric, P), all);
    close(moved[0]!.data, movedAtoms(atoms!, 4).data, 1e-13);
    close(moved[1]!.data, movedPairs(both!, 2).data, 1e-13);
    both!.data.forEach((value, k) => {
      const [b, i, j] = [Math.floor(k / (N * N * 2)), Math.floor(k / (N * 2)) % N, Math.floor(k / 2) % N] as const;
      expect(value).toBeCloseTo(both!.data[((b * N + j) * N + i) * 2 + (k % 2)]!, 13);
    });
    const [invariant] = valuesOf((a) => sum(a, 1), atoms!);
    const [again] = valuesOf((a) => sum(a, 1), moved[0]!);
    close(again!.data, invariant!.data, 1e-13);
  });

  test("what stands in the padding changes nothing, and has exactly zero gradient", () => {
    const noisy = {
      shape: x.shape,
      data: x.data.map((v, k) => (Math.floor(k / F) % N < lengths[Math.floor(k / (F * N))]! ? v : 99)),
    };
    const [clean] = evaluated(x, pairs, count);
    close(evaluated(noisy, pairs, count)[0]!.data, clean!.data, 1e-15);
    const readOut = (a: Value, p: Value, l: Value, ...own: Value[]): Value =>
      sum(square(nn.maskedSum(apply()(a, p, l, ...own)[0]!, l)));
    const [gradient] = valuesOf(
      (a: Value, p: Value, l: Value, ...own: Value[]) => grad((z) => readOut(z, p, l, ...own))(a),
      x,
      pairs,
      count,
      ...parameters,
    );
    gradient!.data.forEach((g, k) => {
      if (Math.floor(k / F) % N >= lengths[Math.floor(k / (F * N))]!) expect(Math.abs(g)).toBe(0);
    });
    expect(gradient!.data.some((g) => g !== 0)).toBe(true);
  });

  test("derivatives with a smooth activation", async () => {
    const errors = await checkDerivatives(
      (a, p, w, u) => {
        const one = { weight: w };
        const two = { weight: u };
        const y = nn.weave(
          { atoms: a, pairs: p },
          { atomAtom: one, pairAtom: one, pairPair: one, atom: two, atomPair: two, pair: two },
          { activation: gelu },
        );
        return [y.atoms, y.pairs];
      },
      [{ shape: [1, 2, 1] }, { shape: [1, 2, 2, 1] }, { shape: [1, 1] }, { shape: [2, 1] }],
    );
    expect(Math.max(errors.jvp, errors.transpose, errors.hvp, errors.batch)).toBeLessThan(1e-6);
  });

  test("what does not fit is refused", () => {
    const p = Object.fromEntries(names.map((name) => [name, input(given[name]!.shape)]));
    const call = (a: number[], q: number[], options: nn.WeaveOptions = {}) =>
      layer.apply(p, { atoms: input(a), pairs: input(q) }, options);
    expect(() => call([B, N, F], [B, N, N + 1, P])).toThrow(ShapeError);
    expect(() => call([B, N, F], [B, N, N, P], { lengths: input([B + 1], "i32") })).toThrow(/3 examples, got 4/);
    expect(() => call([B, N, F], [B, N, N, P], { pairs: input([N, N], "bool") })).toThrow(/expected pairs/);
    const own = p as unknown as Record<string, Value>;
    expect(() =>
      nn.weave({ atoms: input([B, N, F]), pairs: input([B, N, N, P]) }, weightsWith(own, input([F, 3]))),
    ).toThrow(/from atoms to pairs \[6, 3\]/);
  });

  const weightsWith = (p: Record<string, Value>, atomPair: Value): nn.WeaveWeights => {
    const of = (name: string): nn.Linear => ({ weight: p[`${name}.weight`]! });
    const rest = { atomAtom: of("atomAtom"), pairAtom: of("pairAtom"), atom: of("atom"), pairPair: of("pairPair") };
    return { ...rest, pair: of("pair"), atomPair: { weight: atomPair } };
  };
});
