// Networks in double precision in plain loops, with their gradients written out: no code shared with the library.
import type { Layer, Net } from "./task.ts";
import { convolution, type Array64 } from "./truth-conv.ts";
import { lstmPass } from "./truth-lstm.ts";

/** A value, and what a cotangent of it is for the argument. */
export interface Pass {
  readonly y: Array64;
  readonly back: (cotangent: Float64Array) => Float64Array;
}

type LayerOf<Kind extends Layer["kind"]> = Extract<Layer, { kind: Kind }>;

export const array64 = (data: ArrayLike<number>, shape: readonly number[]): Array64 => ({
  shape,
  data: Float64Array.from(data),
});

/** @param x [B, ...input] */
export function netPass(layers: readonly Layer[], x: Array64): Pass {
  const backs: Pass["back"][] = [];
  let y = x;
  for (const layer of layers) {
    const pass = layerPass(layer, y);
    y = pass.y;
    backs.unshift(pass.back);
  }
  return { y, back: (cotangent) => backs.reduce((ct, back) => back(ct), cotangent) };
}

function layerPass(layer: Layer, x: Array64): Pass {
  switch (layer.kind) {
    case "dense":
      return densePass(layer, x);
    case "conv":
      return convPass(layer, x);
    case "relu":
      return pointwise(
        x,
        (v) => Math.max(v, 0),
        (v) => (v > 0 ? 1 : 0),
      );
    case "softplus":
      return pointwise(
        x,
        (v) => Math.max(v, 0) + Math.log1p(Math.exp(-layer.beta * Math.abs(v))) / layer.beta,
        (v) => 1 / (1 + Math.exp(-layer.beta * v)),
      );
    case "max-pool":
      return maxPoolPass(layer.size, x);
    case "flatten":
      return { y: { ...x, shape: [x.shape[0]!, x.data.length / x.shape[0]!] }, back: (ct) => ct };
    case "global-average":
      return averagePass(x);
    case "residual":
      return residualPass(layer, x);
    case "lstm":
      return lstmPass(layer, x);
    case "last-step":
      return lastStepPass(x);
  }
}

function pointwise({ data, shape }: Array64, f: (v: number) => number, slope: (v: number) => number): Pass {
  return { y: { shape, data: data.map(f) }, back: (ct) => ct.map((c, i) => c * slope(data[i]!)) };
}

function densePass({ weight, bias }: LayerOf<"dense">, { data, shape }: Array64): Pass {
  const [out, width] = weight.shape as [number, number];
  const w = Float64Array.from(weight.data);
  const batch = shape[0]!;
  const y = new Float64Array(batch * out);
  for (let b = 0; b < batch; b++) {
    for (let o = 0; o < out; o++) {
      let total = bias.data[o]!;
      for (let i = 0; i < width; i++) total += w[o * width + i]! * data[b * width + i]!;
      y[b * out + o] = total;
    }
  }
  const back: Pass["back"] = (ct) => {
    const dx = new Float64Array(batch * width);
    for (let b = 0; b < batch; b++) {
      for (let o = 0; o < out; o++) {
        const c = ct[b * out + o]!;
        for (let i = 0; i < width; i++) dx[b * width + i]! += w[o * width + i]! * c;
      }
    }
    return dx;
  };
  return { y: { shape: [batch, out], data: y }, back };
}

function convPass({ weight, bias, stride, padding }: LayerOf<"conv">, x: Array64): Pass {
  const [filters, , kh, kw] = weight.shape as [number, number, number, number];
  const [batch, , height, width] = x.shape as [number, number, number, number];
  const size = (n: number, k: number): number => Math.floor((n + 2 * padding - k) / stride) + 1;
  const shape = [batch, filters, size(height, kh), size(width, kw)];
  const area = shape[2]! * shape[3]!;
  const w = array64(weight.data, weight.shape);
  const apply = (role: "forward" | "input-gradient", y: Float64Array): Float64Array =>
    convolution({ role, x, w, y: { shape, data: y }, stride, padding });
  const data = apply("forward", new Float64Array(batch * filters * area));
  return {
    y: { shape, data: data.map((v, i) => v + bias.data[Math.floor(i / area) % filters]!) },
    back: (ct) => apply("input-gradient", ct),
  };
}

function maxPoolPass(size: number, { data, shape }: Array64): Pass {
  const [batch, channels, height, width] = shape as [number, number, number, number];
  const [rows, columns] = [height / size, width / size];
  const from = new Int32Array(batch * channels * rows * columns);
  for (let i = 0; i < from.length; i++) {
    const [plane, row, column] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
    let best = -1;
    for (let p = 0; p < size * size; p++) {
      const at = (plane * height + row * size + Math.floor(p / size)) * width + column * size + (p % size);
      if (best < 0 || data[at]! > data[best]!) best = at;
    }
    from[i] = best;
  }
  const back: Pass["back"] = (ct) => {
    const dx = new Float64Array(data.length);
    ct.forEach((c, i) => (dx[from[i]!]! += c));
    return dx;
  };
  return { y: { shape: [batch, channels, rows, columns], data: Float64Array.from(from, (at) => data[at]!) }, back };
}

function averagePass({ data, shape }: Array64): Pass {
  const area = shape[2]! * shape[3]!;
  const y = new Float64Array(data.length / area);
  data.forEach((v, i) => (y[Math.floor(i / area)]! += v / area));
  return {
    y: { shape: shape.slice(0, 2), data: y },
    back: (ct) => data.map((_, i) => ct[Math.floor(i / area)]! / area),
  };
}

function residualPass({ body, shortcut }: LayerOf<"residual">, x: Array64): Pass {
  const [a, b] = [netPass(body, x), netPass(shortcut, x)];
  const plus = (p: Float64Array, q: Float64Array): Float64Array => p.map((v, i) => v + q[i]!);
  return { y: { ...a.y, data: plus(a.y.data, b.y.data) }, back: (ct) => plus(a.back(ct), b.back(ct)) };
}

function lastStepPass({ data, shape }: Array64): Pass {
  const [batch, time, size] = shape as [number, number, number];
  const at = (i: number): number => (Math.floor(i / size) * time + time - 1) * size + (i % size);
  const y = Float64Array.from({ length: batch * size }, (_, i) => data[at(i)]!);
  const back: Pass["back"] = (ct) => {
    const dx = new Float64Array(data.length);
    ct.forEach((c, i) => (dx[at(i)] = c));
    return dx;
  };
  return { y: { shape: [batch, size], data: y }, back };
}

/** Gradient of the sum of all squared outputs. */
export function squaresGradient({ layers }: Net, x: Array64): Float64Array {
  const { y, back } = netPass(layers, x);
  return back(y.data.map((v) => 2 * v));
}

/**
 * The Hessian of the sum of all squared outputs, times v: the difference of gradients on both sides, of fourth order.
 * For smooth networks; what it misses is about 1e-10.
 */
export function squaresHessianProduct(net: Net, x: Array64, v: ArrayLike<number>): Float64Array {
  const h = 1e-3;
  const at = (s: number): Float64Array =>
    squaresGradient(net, { ...x, data: x.data.map((value, i) => value + s * h * v[i]!) });
  const [far, near, back, farBack] = [at(2), at(1), at(-1), at(-2)];
  return far.map((_, i) => (8 * (near[i]! - back[i]!) - (far[i]! - farBack[i]!)) / (12 * h));
}
