// Recurrent layers against plain loops in double precision, and what their programs are made of.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grad, hvp } from "../../src/autograd/index.ts";
import { compile } from "../../src/compiler/program.ts";
import { vjpGraph } from "../../src/autograd/transpose.ts";
import { fill, input } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { reachable, trace } from "../../src/graph/trace.ts";
import { add, square } from "../../src/kernels/arithmetic.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { concat } from "../../src/kernels/join.ts";
import { embedding } from "../../src/kernels/gather.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { expandDims } from "../../src/kernels/movement.ts";
import { index, sliceAxis } from "../../src/kernels/slice.ts";
import { softmax } from "../../src/kernels/softmax.ts";
import * as nn from "../../src/nn/index.ts";
import { array64, checkDerivatives, evaluate } from "../../src/reference/index.ts";
import {
  ArgumentError,
  DTypeError,
  FormatError,
  hostArray,
  numel,
  ShapeError,
  type Device,
} from "../../src/tensor/index.ts";
import { openValidationDevice, withCleanDevice } from "../gpu.ts";
import { sharedPath } from "../import/materials.ts";
import { random, run, worst, absolute } from "../kernels/run.ts";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const [B, T, I, H] = [2, 4, 3, 2];

/** Numbers of a matrix [rows, columns]. */
const at = (m: { data: ArrayLike<number>; shape: readonly number[] }, r: number, c: number): number =>
  m.data[r * m.shape[1]! + c]!;

const x = random([B, T, I], { seed: 1 });
const weights = (gates: number) => ({
  input: random([I, gates * H], { seed: 2 }),
  recurrent: random([H, gates * H], { seed: 3 }),
  bias: random([gates * H], { seed: 4 }),
  recurrentBias: random([gates * H], { seed: 5 }),
});
type Weights = ReturnType<typeof weights>;
const [h0, c0] = [random([B, H], { seed: 6 }), random([B, H], { seed: 7 })];

interface Loop {
  readonly reverse?: boolean;
  readonly lengths?: readonly number[];
  readonly states?: boolean;
}

/** x_t W + b of sequence `b`, and h R + bias of a state, for column k. */
const projection = (w: Weights, b: number, t: number, k: number): number =>
  w.bias.data[k]! +
  Array.from({ length: I }, (_, i) => x.data[(b * T + t) * I + i]! * at(w.input, i, k)).reduce((p, q) => p + q, 0);
const recurrence = (w: Weights, h: readonly number[], k: number): number =>
  h.reduce((total, value, j) => total + value * at(w.recurrent, j, k), 0);

/** Runs a step over all sequences: h after every step [B, T, H], and the last states. */
function loop(
  { reverse = false, lengths, states = false }: Loop,
  step: (b: number, t: number, h: number[], c: number[]) => [number[], number[]],
): { sequence: number[]; h: number[]; c: number[] } {
  const sequence = new Array<number>(B * T * H);
  const last = Array.from({ length: B }, (_, b) => {
    let h = Array.from({ length: H }, (_, j) => (states ? h0.data[b * H + j]! : 0));
    let c = Array.from({ length: H }, (_, j) => (states ? c0.data[b * H + j]! : 0));
    for (let k = 0; k < T; k++) {
      const t = reverse ? T - 1 - k : k;
      if (t < (lengths?.[b] ?? T)) [h, c] = step(b, t, h, c);
      h.forEach((value, j) => (sequence[(b * T + t) * H + j] = value));
    }
    return { h, c };
  });
  return { sequence, h: last.flatMap((s) => s.h), c: last.flatMap((s) => s.c) };
}

const lstmLoop = (w: Weights, order: string, forgetBias: number, options: Loop) =>
  loop(options, (b, t, h, c) => {
    const gate = (letter: string, j: number): number => {
      const k = order.indexOf(letter) * H + j;
      const bias = w.recurrentBias.data[k]! + (letter === "f" ? forgetBias : 0);
      return projection(w, b, t, k) + recurrence(w, h, k) + bias;
    };
    const next = c.map((value, j) => sigmoid(gate("f", j)) * value + sigmoid(gate("i", j)) * Math.tanh(gate("g", j)));
    return [next.map((value, j) => sigmoid(gate("o", j)) * Math.tanh(value)), next];
  });

/** A matrix with its axes exchanged: PyTorch's layout. */
const turned = (m: { data: ArrayLike<number>; shape: readonly number[] }) => {
  const [rows, columns] = m.shape as [number, number];
  return hostArray(
    Float32Array.from({ length: rows * columns }, (_, i) => at(m, i % rows, Math.floor(i / rows))),
    [columns, rows],
  );
};

const ARGUMENTS = ["input", "recurrent", "bias", "recurrentBias"] as const;
const named = (values: readonly Value[]): nn.RecurrentWeights => ({
  input: values[0]!,
  recurrent: values[1]!,
  bias: values[2]!,
  recurrentBias: values[3]!,
});

describe("LSTM", () => {
  const w = weights(4);
  const cases: [name: string, options: nn.LstmOptions, order: string, loop: Loop][] = [
    ["Keras", {}, "ifgo", {}],
    ["PyTorch, with states", { layout: "out-in" }, "ifgo", { states: true }],
    ["TensorFlow's BasicLSTMCell", { gates: "igfo", forgetBias: 1 }, "igfo", {}],
    ["ONNX, backwards", { gates: "iofg", reverse: true }, "iofg", { reverse: true, states: true }],
    ["sequences of different lengths", {}, "ifgo", { lengths: [2, 4] }],
    [
      "such sequences backwards, one empty",
      { reverse: true },
      "ifgo",
      { reverse: true, lengths: [3, 0], states: true },
    ],
  ];
  for (const [name, options, order, about] of cases) {
    test(name, async () => {
      const arrays = ARGUMENTS.map((key) => (options.layout && w[key].shape.length === 2 ? turned(w[key]) : w[key]));
      const lengths = hostArray(Int32Array.from(about.lengths ?? [T, T]), [B], "i32");
      const truth = lstmLoop(w, order, options.forgetBias ?? 0, about);
      const [sequence, h, c] = await run(
        (v, l, h, c, ...values) => {
          const states = about.states ? { h, c } : {};
          const masked = about.lengths ? { lengths: l } : { kernel: "sequence" as const };
          const result = nn.lstmSequence(v, named(values), { ...options, ...states, ...masked });
          return [result.sequence, result.h, result.c];
        },
        x,
        lengths,
        h0,
        c0,
        ...arrays,
      );
      expect(sequence!.shape).toEqual([B, T, H]);
      expect(worst(sequence!.data, truth.sequence, absolute)).toBeLessThan(1e-6);
      expect(worst(h!.data, truth.h, absolute)).toBeLessThan(1e-6);
      expect(worst(c!.data, truth.c, absolute)).toBeLessThan(1e-6);
    });
  }

  test("one dispatch for all steps gives what one for each step gives", () => {
    const shapes = [[B, T, I], [I, 4 * H], [H, 4 * H], [4 * H], [B, H], [B, H]]; // prettier-ignore
    const arrays = shapes.map((shape, seed) => random(shape, { seed: seed + 30 }));
    for (const options of [
      {},
      { reverse: true },
      { gates: "igfo", forgetBias: 1 },
      { gates: "iofg", reverse: true },
    ] as const) {
      const results = (["steps", "sequence"] as const).map((kernel) => {
        const graph = trace((v, matrix, recurrent, bias, h, c) => {
          const own = { input: matrix, recurrent, bias };
          const result = nn.lstmSequence(v, own, { h, c, kernel, ...options });
          const score = sum(square(add(result.sequence, add(expandDims(result.h, 1), expandDims(result.c, 1)))));
          return [score, ...vjpGraph([score], [v, recurrent, h, c], [fill([], 1)]).map((g) => g!)];
        }, arrays);
        const names = new Set(reachable(graph.outputs).map((node) => node.primitive.name));
        expect(names.has("lstmSequence")).toBe(kernel === "sequence");
        return evaluate(
          graph,
          arrays.map(({ data, shape }) => array64(data, shape)),
        );
      });
      results[0]!.forEach(({ data }, i) => expect(worst(results[1]![i]!.data, data, absolute)).toBeLessThan(1e-12));
    }
  });

  test("gradients and Hessian-vector products of x, states and all weights, batched or not", async () => {
    const specs = [
      [1, 3, 2],
      [1, 1],
      [1, 1],
      [2, 4],
      [1, 4],
    ].map((shape) => ({ shape }));
    const errors = await checkDerivatives((v, h, c, input, recurrent) => {
      const { sequence, c: last } = nn.lstmSequence(v, { input, recurrent }, { h, c });
      return [sequence, last];
    }, specs);
    expect(errors.hvp).toBeLessThan(1e-6);
  });

  test("gradients stop at the end of a sequence", () => {
    const v = input([2, 3, 1]);
    const lengths = input([2], "i32");
    const f = (z: Value): Value => sum(square(nn.lstmSequence(z, { input: 0.5, recurrent: 0.5 }, { lengths }).h));
    // Weights that are numbers have no shape that fits.
    expect(() => f(v)).toThrow(ShapeError);
    const [i, r] = [input([1, 4]), input([1, 4])];
    const g = grad((z) => sum(square(nn.lstmSequence(z, { input: i, recurrent: r }, { lengths }).h)))(v);
    const data = array64;
    const [result] = evaluate({ inputs: [v, lengths, i, r], outputs: [g] }, [
      data([1, 2, 3, 4, 5, 6], [2, 3, 1]),
      data([1, 3], [2]),
      data([0.5, 0.2, -0.4, 0.3], [1, 4]),
      data([0.1, 0.6, 0.4, -0.3], [1, 4]),
    ]);
    expect([...result!.data].map((d) => d !== 0)).toEqual([true, false, false, true, true, true]);
  });
});

describe("a trained network", () => {
  test("BasicLSTMCells go on as they were trained to", () =>
    withCleanDevice(async (device) => {
      const folder = sharedPath("data/charrnn-bronte");
      if (folder === undefined) return;
      const read = (name: string) => readFileSync(`${folder}/${name}`);
      const vocabulary = JSON.parse(read("vocab.json").toString()) as Record<string, number>;
      const load = (name: string, shape: number[]) => {
        const bytes = read(name);
        return device.tensor(
          new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
          shape,
        );
      };
      const cell = (l: number, part: string): string => `rnnlm_multi_rnn_cell_cell_${l}_basic_lstm_cell_${part}`;
      const kernels = [0, 1].map((l) => load(cell(l, "kernel"), [256, 512]));
      const biases = [0, 1].map((l) => load(cell(l, "bias"), [512]));
      const table = load("embedding", [108, 128]);
      const [out, bias] = [load("rnnlm_softmax_w", [128, 108]), load("rnnlm_softmax_b", [108])];
      const text = Int32Array.from("I will spea", (letter) => vocabulary[letter]!);
      const ids = device.tensor(text, [1, text.length], "i32");
      const next = (tokens: Value): Value => {
        const last = kernels.reduce(
          (v: Value, kernel, l) => {
            const own = {
              input: sliceAxis(kernel, 0, 0, 128),
              recurrent: sliceAxis(kernel, 0, 128, 256),
              bias: biases[l]!,
            };
            return nn.lstmSequence(v, own, { gates: "igfo", forgetBias: 1 }).sequence;
          },
          embedding(table, tokens),
        );
        return softmax(add(matmul(index(last, 1, -1), out), bias));
      };
      const [p] = await compile(device, next, [{ shape: [1, text.length], dtype: "i32" }]).runAndRead([ids]);
      expect(p!.data[vocabulary["k"]!]).toBeCloseTo(0.59, 3);
      expect(p!.data[vocabulary["r"]!]).toBeCloseTo(0.244, 3);
      [...kernels, ...biases, table, out, bias, ids].forEach((tensor) => tensor.dispose());
    }));
});

describe("GRU", () => {
  const w = weights(3);
  for (const order of ["rzn", "zrn"] as const) {
    for (const resetAfter of [true, false]) {
      test(`${order}, reset ${resetAfter ? "after" : "before"} the product`, async () => {
        const truth = loop({ states: true, reverse: !resetAfter, lengths: [4, 3] }, (b, t, h) => {
          const column = (letter: string, j: number): number => order.indexOf(letter) * H + j;
          const gate = (letter: string, j: number): number => {
            const k = column(letter, j);
            return sigmoid(projection(w, b, t, k) + recurrence(w, h, k) + w.recurrentBias.data[k]!);
          };
          const next = h.map((value, j) => {
            const k = column("n", j);
            const back = (state: readonly number[]): number => recurrence(w, state, k) + w.recurrentBias.data[k]!;
            const again = resetAfter ? gate("r", j) * back(h) : back(h.map((u, l) => gate("r", l) * u));
            const n = Math.tanh(projection(w, b, t, k) + again);
            return (1 - gate("z", j)) * n + gate("z", j) * value;
          });
          return [next, next];
        });
        const lengths = hostArray(Int32Array.from([4, 3]), [B], "i32");
        const [sequence, h] = await run(
          (v, l, state, ...values) => {
            const options = { gates: order, resetAfter, h: state, lengths: l, reverse: !resetAfter };
            const result = nn.gruSequence(v, named(values), options);
            return [result.sequence, result.h];
          },
          x,
          lengths,
          h0,
          ...ARGUMENTS.map((key) => w[key]),
        );
        expect(worst(sequence!.data, truth.sequence, absolute)).toBeLessThan(1e-6);
        expect(worst(h!.data, truth.h, absolute)).toBeLessThan(1e-6);
      });
    }
  }

  test("derivatives", async () => {
    const specs = [
      [2, 2, 1],
      [1, 3],
      [1, 3],
    ].map((shape) => ({ shape }));
    await checkDerivatives((v, i, r) => nn.gruSequence(v, { input: i, recurrent: r }).sequence, specs);
  });
});

describe("layers", () => {
  const parametersOf = (layer: nn.Layer) => layer.init(nn.random("recurrent"));

  test("two layers in both directions are the sequences one after the other", () => {
    const layer = nn.lstm(I, H, { layers: 2, bidirectional: true, output: "last" });
    const initial = parametersOf(layer);
    expect(Object.fromEntries(Object.entries(initial).map(([name, { shape }]) => [name, shape]))).toEqual(
      Object.fromEntries(
        ["l0", "l0_reverse", "l1", "l1_reverse"].flatMap((name, i) => [
          [`weight_ih_${name}`, [4 * H, i < 2 ? I : 2 * H]],
          [`weight_hh_${name}`, [4 * H, H]],
          [`bias_ih_${name}`, [4 * H]],
        ]),
      ),
    );
    const names = Object.keys(initial);
    const all = (v: Value, ...values: Value[]): Value[] => {
      const p = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
      const one = (from: Value, suffix: string, reverse: boolean) => {
        const own = {
          input: p[`weight_ih_${suffix}`]!,
          recurrent: p[`weight_hh_${suffix}`]!,
          bias: p[`bias_ih_${suffix}`]!,
        };
        return nn.lstmSequence(from, own, { layout: "out-in", reverse });
      };
      const first = concat([one(v, "l0", false).sequence, one(v, "l0_reverse", true).sequence], -1);
      return [layer.apply(p, v), concat([one(first, "l1", false).h, one(first, "l1_reverse", true).h], -1)];
    };
    const arrays = [x, ...names.map((name) => initial[name]!)].map(({ data, shape }) => array64(data, shape));
    const [made, expected] = evaluate(trace(all, arrays), arrays);
    expect(made!.shape).toEqual([B, 2 * H]);
    expect([...made!.data]).toEqual([...expected!.data]);
  });

  test("the kernel is chosen for all layers and directions; both give the same values and gradients", () => {
    const initial = parametersOf(nn.lstm(I, H, { layers: 2, bidirectional: true }));
    const arrays = [x, ...Object.values(initial)].map(({ data, shape }) => array64(data, shape));
    const [bySteps, byAll] = (["steps", "sequence"] as const).map((kernel) => {
      const layer = nn.lstm(I, H, { layers: 2, bidirectional: true, gates: "iofg", forgetBias: 1, kernel });
      const graph = trace((...all: Value[]) => {
        const parameters = Object.fromEntries(Object.keys(initial).map((name, i) => [name, all[i + 1]!]));
        const score = sum(square(layer.apply(parameters, all[0]!)));
        return [score, ...vjpGraph([score], all, [fill([], 1)]).map((g) => g!)];
      }, arrays);
      const names = reachable(graph.outputs).map((node) => node.primitive.name);
      const count = (name: string): number => names.filter((other) => other === name).length;
      const forward = { all: count("lstmSequence"), steps: count("lstmCell") };
      expect(forward).toEqual(kernel === "sequence" ? { all: 4, steps: 0 } : { all: 0, steps: 4 * T });
      return evaluate(graph, arrays);
    });
    expect(bySteps![0]!.data[0]).toBeGreaterThan(0.01);
    bySteps!.forEach(({ data }, i) => expect(worst(byAll![i]!.data, data, absolute)).toBeLessThan(1e-12));
    const ragged = nn.lstm(I, H, { kernel: "sequence", lengths: input([B], "i32") });
    const p = Object.fromEntries(Object.entries(initial).map(([name, { shape }]) => [name, input(shape)]));
    expect(() => ragged.apply(p, input([B, T, I]))).toThrow(/kernel "steps".* and lengths/);
  });

  test("a recurrent bias and initial states take part where they are given", () => {
    const layer = nn.gru(I, H, { output: "sequence" });
    const initial = parametersOf(layer);
    const given = { ...initial, bias_hh_l0: random([3 * H], { seed: 9 }) };
    const value = (
      parameters: Record<string, { data: ArrayLike<number>; shape: readonly number[] }>,
      own: nn.Layer,
    ) => {
      const names = Object.keys(parameters);
      const arrays = [x, ...names.map((name) => parameters[name]!)].map(({ data, shape }) => array64(data, shape));
      const fn = (v: Value, ...values: Value[]): Value =>
        own.apply(Object.fromEntries(names.map((name, i) => [name, values[i]!])), v);
      return [...evaluate(trace(fn, arrays), arrays)[0]!.data];
    };
    expect(value(initial, layer)).not.toEqual(value(given, layer));
    const started = nn.gru(I, H, { h: input([1, H]) });
    expect(() =>
      started.apply(Object.fromEntries(Object.entries(initial).map(([k, v]) => [k, input(v.shape)])), input([B, T, I])),
    ).not.toThrow();
  });

  test("an embedding and an LSTM learn which token came first", () =>
    withCleanDevice(async (device) => {
      const network = nn.sequential([
        ["tokens", nn.embedding(2, 3, nn.normal(0.5))],
        ["lstm", nn.lstm(3, 4, { output: "last", forgetBias: 1 })],
        ["out", nn.dense(4, 1)],
      ]);
      const [count, length] = [16, 4];
      const tokens = Int32Array.from(
        { length: count * length },
        (_, i) => (Math.floor(i / length) >> (i % length)) & 1,
      );
      const ids = hostArray(tokens, [count, length], "i32");
      const labels = hostArray(
        Float32Array.from({ length: count }, (_, i) => tokens[i * length]!),
        [count, 1],
      );
      const batches = Array.from({ length: 60 }, () => [ids, labels]);
      const { losses, parameters } = await nn.train(device, {
        parameters: network.init(device, "first"),
        loss: (p, v, y) => nn.binaryCrossEntropy(network.apply(p, v), y),
        optimiser: nn.adam({ learningRate: 0.1 }),
        batches,
      });
      expect(losses.at(-1)).toBeLessThan(0.1);
      Object.values(parameters).forEach((tensor) => tensor.dispose());
    }));
});

describe("programs", () => {
  let device: Device;
  beforeAll(async () => (device = await openValidationDevice()));
  afterAll(() => device.destroy());

  type Fn = (f: (v: Value) => Value) => (v: Value, t: Value) => Value;
  const plan = (time: number, of: Fn, units = 68) => {
    const specs = [[2, time, 3], [2, time, 3], [3, 4 * units], [units, 4 * units], [4 * units]].map((shape) => ({ shape })); // prettier-ignore
    return compile(
      device,
      (v, t, i, recurrent, bias) => of((z) => sum(square(nn.lstmSequence(z, { input: i, recurrent, bias }).h)))(v, t),
      specs,
    ).plan;
  };
  const value: Fn = (f) => f;
  const gradient: Fn = (f) => (v) => grad(f)(v);
  const product: Fn = (f) => (v, t) => hvp(f)(v, t);

  test("as many dispatches for many steps as for few, where one kernel takes all of them", () => {
    for (const [of, most] of [
      [value, 6],
      [gradient, 9],
      [product, 17],
    ] as const) {
      // prettier-ignore
      expect(plan(200, of, 8).dispatches).toBe(plan(48, of, 8).dispatches);
      expect(plan(200, of, 8).dispatches).toBeLessThanOrEqual(most);
    }
  });

  test("else two dispatches a step forward, two backward, and one sum for six steps", () => {
    const steps = (of: Fn): number => (plan(36, of).dispatches - plan(24, of).dispatches) / 12;
    expect(steps(value)).toBe(2);
    expect(steps(gradient)).toBeLessThanOrEqual(4 + 1 / 4);
  });

  test("pipelines do not grow with the number of steps", () => {
    expect(plan(40, value).pipelines).toBe(plan(8, value).pipelines);
    for (const of of [gradient, product]) {
      const counts = [24, 36, 48, 100, 200].map((time) => plan(time, of).pipelines);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(5);
    }
  });
});

describe("what does not fit", () => {
  const v = input([B, T, I]);
  const [i, r] = [input([I, 4 * H]), input([H, 4 * H])];

  test("is refused with what was expected", () => {
    expect(() => nn.lstmSequence(input([T, I]), { input: i, recurrent: r })).toThrow(
      /expected x \[batch, time, features\].*lengths/,
    );
    expect(() => nn.lstmSequence(input([B, 0, I]), { input: i, recurrent: r })).toThrow(/at least one step/);
    expect(() => nn.lstmSequence(v, { input: input([4 * H, I]), recurrent: r })).toThrow(
      /input weights \[3, 8\].*"in-out", got \[8, 3\]/,
    );
    expect(() => nn.lstmSequence(v, { input: i, recurrent: input([4 * H, H]) })).toThrow(/recurrent weights/);
    expect(() => nn.lstmSequence(v, { input: i, recurrent: r, bias: input([3 * H]) })).toThrow(/a bias \[8\]/);
    expect(() => nn.lstmSequence(v, { input: i, recurrent: r }, { gates: "iogf" as never })).toThrow(ArgumentError);
    expect(() => nn.lstmSequence(v, { input: i, recurrent: r }, { layout: "torch" as never })).toThrow(ArgumentError);
    expect(() => nn.lstmSequence(v, { input: i, recurrent: r }, { h: input([B, H + 1]) })).toThrow(
      /a state h of shape \[2, 2\]/,
    );
    expect(() => nn.lstmSequence(v, { input: i, recurrent: r }, { lengths: input([B]) })).toThrow(DTypeError);
    expect(() => nn.lstmSequence(v, { input: i, recurrent: r }, { lengths: input([T], "i32") })).toThrow(
      /lengths of 2 examples, got 4/,
    );
    const ragged = { lengths: input([B], "i32"), kernel: "sequence" } as const;
    expect(() => nn.lstmSequence(v, { input: i, recurrent: r }, ragged)).toThrow(/kernel "steps".* and lengths/);
    expect(() => nn.lstmSequence(v, { input: i, recurrent: r }, { kernel: "fast" as never })).toThrow(ArgumentError);
    const wide = { input: input([I, 1028]), recurrent: input([257, 1028]) };
    expect(() => nn.lstmSequence(v, wide, { kernel: "sequence" })).toThrow(/1 to 256 units.*for 257 units/);
    expect(() => nn.gruSequence(v, { input: i, recurrent: r })).toThrow(ShapeError);
    expect(() => nn.gruSequence(v, { input: i, recurrent: r }, { gates: "nzr" as never })).toThrow(ArgumentError);
    expect(() => nn.lstm(I, H, { layers: 0 })).toThrow(ArgumentError);
    expect(() => nn.lstm(I, H).apply({}, v)).toThrow(FormatError);
    const p = { weight_ih_l0: input([4 * H, I]), weight_hh_l0: input([4 * H, H]), bias_ih_l0: input([4 * H]) };
    expect(() => nn.lstm(I, H, { h: input([2, H]) }).apply(p, v)).toThrow(/expected h \[1, ...\]/);
    expect(numel(nn.lstm(I, H).apply(p, v).shape)).toBe(B * T * H);
  });
});
