// Hessians of dense networks in double precision, in closed form: no code shared with the library's derivatives.
//
// With z_l the input of activation s in layer l and J_l = dz_l / dx:
//   H = sum over l of J_l^T diag(s''(z_l) df/ds_l) J_l
import type { HessianQuadrature } from "../src/attribution/hessian-rules.ts";
import type { Layer, Net } from "./task.ts";

interface Derivatives {
  /** [N] */
  readonly gradient: Float64Array;
  /** [N, N] */
  readonly hessian: Float64Array;
}

/**
 * Gradient and Hessian of one output of a network of dense layers with softplus in between.
 * @throws Error for another kind of layer
 */
export function denseDerivatives({ layers }: Net, x: ArrayLike<number>, target: number): Derivatives {
  const n = x.length;
  const bends: { jacobian: Float64Array; curvature: Float64Array; slope: Float64Array; layer: number }[] = [];
  let values = Float64Array.from(x);
  // d values / dx, [width, N].
  let jacobian = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  layers.forEach((layer, at) => {
    if (layer.kind === "dense") [values, jacobian] = [affine(layer, values), times(layer, jacobian, n)];
    else if (layer.kind === "softplus") {
      const { beta } = layer;
      const s = values.map((z) => 1 / (1 + Math.exp(-beta * z)));
      bends.push({ jacobian, slope: s, curvature: s.map((p) => beta * p * (1 - p)), layer: at });
      values = values.map((z) => Math.max(z, 0) + Math.log1p(Math.exp(-beta * Math.abs(z))) / beta);
      jacobian = jacobian.map((v, i) => v * s[Math.floor(i / n)]!);
    } else throw new Error(`denseDerivatives: expected dense and softplus layers, got ${layer.kind}`);
  });
  const hessian = new Float64Array(n * n);
  // df / d(output of layer `at`), backwards.
  let cotangent = values.map((_, k) => (k === target ? 1 : 0));
  for (let at = layers.length - 1; at >= 0; at--) {
    const layer = layers[at]!;
    const bend = bends.find((b) => b.layer === at);
    if (layer.kind === "dense") cotangent = transposedTimes(layer, cotangent);
    else if (bend) {
      addOuterProducts(hessian, bend.jacobian, (k) => bend.curvature[k]! * cotangent[k]!, n);
      cotangent = cotangent.map((c, k) => c * bend.slope[k]!);
    }
  }
  return { gradient: cotangent, hessian };
}

/**
 * Integrated Hessians [N, N] with respect to a zero baseline: D_i D_j sum hessianWeights H_ij, on the diagonal plus
 * D_i sum gradientWeights g_i.
 */
export function integratedHessiansTruth(
  net: Net,
  x: ArrayLike<number>,
  target: number,
  rule: HessianQuadrature,
): Float64Array {
  const n = x.length;
  const total = new Float64Array(n * n);
  rule.nodes.forEach((node, k) => {
    const { gradient, hessian } = denseDerivatives(
      net,
      Array.from(x, (v) => node * v),
      target,
    );
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) total[i * n + j]! += rule.hessianWeights[k]! * hessian[i * n + j]! * x[i]! * x[j]!;
      total[i * (n + 1)]! += rule.gradientWeights[k]! * gradient[i]! * x[i]!;
    }
  });
  return total;
}

type Dense = Extract<Layer, { kind: "dense" }>;

function affine({ weight, bias }: Dense, x: Float64Array): Float64Array<ArrayBuffer> {
  return Float64Array.from(bias.data, (b, o) => {
    let total = b;
    for (let i = 0; i < x.length; i++) total += weight.data[o * x.length + i]! * x[i]!;
    return total;
  });
}

/** weight [out, in] times a matrix [in, n]. */
function times({ weight }: Dense, matrix: Float64Array, n: number): Float64Array<ArrayBuffer> {
  const [out, width] = weight.shape as [number, number];
  const y = new Float64Array(out * n);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < width; i++) {
      const w = weight.data[o * width + i]!;
      for (let j = 0; j < n; j++) y[o * n + j]! += w * matrix[i * n + j]!;
    }
  }
  return y;
}

function transposedTimes({ weight }: Dense, cotangent: Float64Array): Float64Array<ArrayBuffer> {
  const width = weight.shape[1]!;
  const y = new Float64Array(width);
  cotangent.forEach((c, o) => {
    for (let i = 0; i < width; i++) y[i]! += weight.data[o * width + i]! * c;
  });
  return y;
}

/** hessian += J^T diag(factor) J. */
function addOuterProducts(
  hessian: Float64Array,
  jacobian: Float64Array,
  factor: (k: number) => number,
  n: number,
): void {
  for (let k = 0; k < jacobian.length / n; k++) {
    const row = jacobian.subarray(k * n, (k + 1) * n);
    for (let i = 0; i < n; i++) {
      const left = factor(k) * row[i]!;
      for (let j = 0; j < n; j++) hessian[i * n + j]! += left * row[j]!;
    }
  }
}
