// A layer of an LSTM in double precision, with back-propagation through time written out.
import type { Layer } from "./task.ts";
import type { Array64 } from "./truth-conv.ts";
import type { Pass } from "./truth-net.ts";

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

/** Gates after their activations and both states of every step, for all sequences: [T][B * H]. */
interface Steps {
  readonly i: Float64Array[];
  readonly f: Float64Array[];
  readonly g: Float64Array[];
  readonly o: Float64Array[];
  readonly c: Float64Array[];
  readonly h: Float64Array[];
}

/** @param x [B, T, I] */
export function lstmPass(layer: Extract<Layer, { kind: "lstm" }>, x: Array64): Pass {
  const [batch, time, features] = x.shape as [number, number, number];
  const size = layer.recurrent.shape[1]!;
  const [w, r] = [layer.input, layer.recurrent].map(({ data }) => Float64Array.from(data)) as [
    Float64Array,
    Float64Array,
  ];
  const steps: Steps = { i: [], f: [], g: [], o: [], c: [], h: [] };
  const zeros = new Float64Array(batch * size);
  for (let t = 0; t < time; t++) {
    for (const values of Object.values(steps) as Float64Array[][]) values.push(new Float64Array(batch * size));
    forwardStep(t);
  }
  const sequence = new Float64Array(batch * time * size);
  steps.h.forEach((h, t) => h.forEach((v, k) => (sequence[place(t, k)] = v)));
  return { y: { shape: [batch, time, size], data: sequence }, back };

  /** Where unit k % H of sequence k / H stands in [B, T, H]. */
  function place(t: number, k: number): number {
    return (Math.floor(k / size) * time + t) * size + (k % size);
  }

  function forwardStep(t: number): void {
    const last = { h: steps.h[t - 1] ?? zeros, c: steps.c[t - 1] ?? zeros };
    for (let k = 0; k < batch * size; k++) {
      const [b, unit] = [Math.floor(k / size), k % size];
      const gate = (n: number): number => {
        const row = n * size + unit;
        let total = layer.bias.data[row]!;
        for (let j = 0; j < features; j++) total += w[row * features + j]! * x.data[(b * time + t) * features + j]!;
        for (let j = 0; j < size; j++) total += r[row * size + j]! * last.h[b * size + j]!;
        return total;
      };
      const [i, f, g, o] = [sigmoid(gate(0)), sigmoid(gate(1)), Math.tanh(gate(2)), sigmoid(gate(3))];
      const c = f * last.c[k]! + i * g;
      for (const [name, value] of Object.entries({ i, f, g, o, c, h: o * Math.tanh(c) })) {
        steps[name as keyof Steps][t]![k] = value;
      }
    }
  }

  function back(cotangent: Float64Array): Float64Array {
    const dx = new Float64Array(x.data.length);
    let dh = new Float64Array(batch * size);
    const dc = new Float64Array(batch * size);
    for (let t = time - 1; t >= 0; t--) {
      const before = new Float64Array(batch * size);
      for (let k = 0; k < batch * size; k++) {
        const gates = gateCotangents(t, k, dh[k]! + cotangent[place(t, k)]!, dc);
        const b = Math.floor(k / size);
        gates.forEach((gate, n) => {
          const row = n * size + (k % size);
          for (let j = 0; j < features; j++) dx[(b * time + t) * features + j]! += gate * w[row * features + j]!;
          for (let j = 0; j < size; j++) before[b * size + j]! += gate * r[row * size + j]!;
        });
      }
      dh = before;
    }
    return dx;
  }

  /** Cotangents of the four gates before their activations; takes dc from this step to the one before. */
  function gateCotangents(t: number, k: number, dh: number, dc: Float64Array): number[] {
    const [i, f, g, o] = [steps.i[t]![k]!, steps.f[t]![k]!, steps.g[t]![k]!, steps.o[t]![k]!];
    const squashed = Math.tanh(steps.c[t]![k]!);
    const d = dc[k]! + dh * o * (1 - squashed ** 2);
    dc[k] = d * f;
    return [
      d * g * i * (1 - i),
      d * (steps.c[t - 1]?.[k] ?? 0) * f * (1 - f),
      d * i * (1 - g ** 2),
      dh * squashed * o * (1 - o),
    ];
  }
}
