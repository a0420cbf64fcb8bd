// Networks of golden cases as lists of layers, against the interpreter of the golden tests.
import { expect, test } from "vitest";
import { input } from "../../src/graph/leaves.ts";
import { array64, evaluateNodes } from "../../src/reference/index.ts";
import { numel, type Shape } from "../../src/tensor/index.ts";
import type { SafetensorsEntry } from "../../src/nn/import/safetensors.ts";
import { netOf } from "../../bench/golden-net.ts";
import { normal } from "../../bench/nets.ts";
import { relativeError } from "../../bench/statistics.ts";
import { netPass } from "../../bench/truth-net.ts";
import type { Case, Layer } from "../golden/case.ts";
import { network } from "../golden/network.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A case with random weights of the given shapes. */
function caseOf(shape: Shape, layers: readonly Layer[], weights: Readonly<Record<string, Shape>>): Case {
  const tensors = Object.fromEntries(
    Object.entries(weights).map(([name, shape]) => {
      const { data } = normal(name, shape, 0.5);
      // Variances are positive.
      const values = name.endsWith("var") ? data.map((v) => 0.5 + v * v) : data;
      return [`w.${name}`, { dtype: "F32", shape, data: values } as SafetensorsEntry];
    }),
  );
  const file = {
    architecture: { inputs: [{ name: "x", shape }], layers, output: layers.at(-1)!.id },
    weights: { prefix: "w.", names: Object.keys(weights) },
  };
  return { name: "made", file: file as unknown as Case["file"], tensors };
}

const layer = (id: string, op: string, from: string[], out: Shape, fields: Fields = {}): Layer => ({
  ...{ id, op, in: from, out_shape: out },
  ...fields,
});

const conv = (id: string, from: string, out: Shape, kernel: number, stride: number, bias: boolean): Layer =>
  layer(id, "conv2d", [from], out, {
    ...{ kernel: [kernel, kernel], stride: [stride, stride], padding: [(kernel - 1) / 2, (kernel - 1) / 2] },
    ...{ dilation: [1, 1], groups: 1, weight: `${id}.weight`, bias: bias ? `${id}.bias` : null },
  });

const norm = (id: string, from: string, out: Shape): Layer =>
  layer(id, "batchnorm2d", [from], out, {
    ...{ eps: 1e-5, weight: `${id}.scale`, bias: `${id}.offset` },
    ...{ running_mean: `${id}.mean`, running_var: `${id}.var` },
  });

const normWeights = (id: string, channels: number): Record<string, Shape> =>
  Object.fromEntries(["scale", "offset", "mean", "var"].map((field) => [`${id}.${field}`, [channels]]));

function expectSame(golden: Case, shape: Shape): void {
  const x = normal("x", [2, ...shape]);
  const { names, prefix } = golden.file.weights;
  const arrayOf = (name: string) => {
    const { data, shape } = golden.tensors[prefix + name]!;
    return array64(data as ArrayLike<number>, shape);
  };
  const weights = Object.fromEntries(names.map((name) => [name, input(arrayOf(name).shape)]));
  const value = input(x.shape);
  const known = new Map(names.map((name) => [weights[name]!, arrayOf(name)]));
  known.set(value, array64(x.data, x.shape));
  const [expected] = evaluateNodes([network(golden, { x: value }, weights)], known);
  const { y } = netPass(netOf(golden).layers, { shape: x.shape, data: Float64Array.from(x.data) });
  expect(y.data).toHaveLength(numel(expected!.shape));
  // Folded weights are rounded to f32.
  expect(relativeError(y.data, expected!.data)).toBeLessThan(1e-6);
}

test("batch norms are folded, sums become residual layers", () => {
  const planes = [3, 6, 6];
  const layers = [
    conv("c1", "x", planes, 3, 1, true),
    norm("n1", "c1", planes),
    layer("r1", "relu", ["n1"], planes),
    conv("c2", "r1", planes, 3, 1, false),
    norm("n2", "c2", planes),
    layer("a1", "add", ["n2", "r1"], planes),
    layer("r2", "relu", ["a1"], planes),
    conv("c3", "r2", [4, 3, 3], 3, 2, false),
    norm("n3", "c3", [4, 3, 3]),
    conv("c4", "r2", [4, 3, 3], 1, 2, false),
    norm("n4", "c4", [4, 3, 3]),
    layer("a2", "add", ["n3", "n4"], [4, 3, 3]),
    layer("g", "global_avgpool2d", ["a2"], [4]),
    layer("l", "linear", ["g"], [2], { weight: "l.weight", bias: "l.bias" }),
  ];
  const golden = caseOf([2, 6, 6], layers, {
    ...{ "c1.weight": [3, 2, 3, 3], "c1.bias": [3], "c2.weight": [3, 3, 3, 3] },
    ...{ "c3.weight": [4, 3, 3, 3], "c4.weight": [4, 3, 1, 1], "l.weight": [2, 4], "l.bias": [2] },
    ...{ ...normWeights("n1", 3), ...normWeights("n2", 3), ...normWeights("n3", 4), ...normWeights("n4", 4) },
  });
  expect(netOf(golden).layers.map(({ kind }) => kind)).toEqual([
    ...["conv", "relu", "residual", "relu", "residual", "global-average", "dense"],
  ]);
  expectSame(golden, [2, 6, 6]);
});

test("recurrent layers of several levels, and the last step", () => {
  const levels = [0, 1].map((l) => ({
    ...{ weight_ih: `ih${l}`, weight_hh: `hh${l}`, bias_ih: `bi${l}`, bias_hh: `bh${l}` },
  }));
  const layers = [
    layer("lstm", "lstm", ["x"], [5, 4], { params: levels }),
    layer("last", "select", ["lstm"], [4], { dim: 1, index: -1 }),
  ];
  const golden = caseOf([5, 3], layers, {
    ...{ ih0: [16, 3], hh0: [16, 4], bi0: [16], bh0: [16] },
    ...{ ih1: [16, 4], hh1: [16, 4], bi1: [16], bh1: [16] },
  });
  expect(netOf(golden).layers.map(({ kind }) => kind)).toEqual(["lstm", "lstm", "last-step"]);
  expectSame(golden, [5, 3]);
});

test("a layer that no workload has is refused by name", () => {
  const golden = caseOf([3], [layer("t", "tanh", ["x"], [3])], {});
  expect(() => netOf(golden)).toThrow(/know no layer "tanh"/);
});
