// Layers as plain functions over records of parameters, and the records' initial values. A layer is a pair of functions,
// not an object with state: the same function is traced with tensors for inference and with values for training.
import type { Operand } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { conv2d, type ConvOptions } from "../kernels/conv.ts";
import { add } from "../kernels/arithmetic.ts";
import { embedding as lookUp } from "../kernels/gather.ts";
import { matmul } from "../kernels/matmul.ts";
import { reshape } from "../kernels/movement.ts";
import { layerNorm } from "../kernels/norm.ts";
import { maxPool2d, type MaxPoolOptions } from "../kernels/pool.ts";
import type { HostArray } from "../tensor/host.ts";
import { kaimingNormal, normal, ones, zeros, type Initialiser } from "./initialise.ts";
import { affineOf, initialAffine, requiredParameter } from "./parameters.ts";
import type { Random } from "./random.ts";

/** Parameters by name: values while training, tensors otherwise. */
export type Parameters = Readonly<Record<string, Operand>>;

export interface Layer {
  /** Initial parameters; `{}` for a layer without. */
  init(key: Random): Record<string, HostArray>;
  apply(parameters: Parameters, x: Value): Value;
}

/**
 * x w + b.
 * @param x [..., in]
 * @param parameters weight [in, out]; bias [out], optional
 * @returns [..., out]
 */
export function linear(x: Operand, { weight, bias }: { readonly weight: Operand; readonly bias?: Operand }): Value {
  const y = matmul(x, weight);
  return bias === undefined ? y : add(y, bias);
}

/**
 * Convolution with a bias per channel.
 * @param x [n, in, h, w]
 * @param parameters weight [out, in / groups, kh, kw]; bias [out], optional
 * @returns [n, out, oh, ow]
 */
export function convolution(
  x: Operand,
  { weight, bias }: { readonly weight: Operand; readonly bias?: Operand },
  options?: ConvOptions,
): Value {
  const y = conv2d(x, weight, options);
  return bias === undefined ? y : add(y, reshape(bias, [-1, 1, 1]));
}

export interface DenseOptions {
  readonly bias?: boolean;
  /** Default: {@link kaimingNormal}. */
  readonly initialiser?: Initialiser;
}

/** A layer [..., inputs] -> [..., outputs] with parameters `weight` and, by default, `bias`. */
export function dense(
  inputs: number,
  outputs: number,
  { bias = true, initialiser = kaimingNormal }: DenseOptions = {},
): Layer {
  return {
    init: (key) => initialAffine(key.fork("weight"), "", [inputs, outputs], outputs, initialiser, bias),
    apply: (p, x) => linear(x, affineOf("dense", p, "", bias)),
  };
}

export interface ConvLayerOptions extends ConvOptions, DenseOptions {
  readonly kernel: number | readonly [number, number];
}

/** A layer [n, inputs, h, w] -> [n, outputs, oh, ow] with parameters `weight` and, by default, `bias`. */
export function conv(inputs: number, outputs: number, options: ConvLayerOptions): Layer {
  const { kernel, bias = true, initialiser = kaimingNormal, ...window } = options;
  const [kh, kw] = typeof kernel === "number" ? [kernel, kernel] : kernel;
  const shape = [outputs, inputs / (window.groups ?? 1), kh, kw];
  return {
    init: (key) => initialAffine(key.fork("weight"), "", shape, outputs, initialiser, bias),
    apply: (p, x) => convolution(x, affineOf("conv", p, "", bias), window),
  };
}

/** A table [count, width] of which whole numbers choose the rows: [...] i32 -> [..., width]. */
export function embedding(count: number, width: number, initialiser: Initialiser = normal(0.02)): Layer {
  return {
    init: (key) => ({ weight: initialiser([count, width], key.fork("weight")) }),
    apply: (p, ids) => lookUp(requiredParameter("embedding", p, "weight"), ids),
  };
}

/** Layer normalisation over the last axis, of the given width. */
export function layerNormalisation(width: number, { epsilon = 1e-5 }: { readonly epsilon?: number } = {}): Layer {
  return {
    init: (key) => ({ scale: ones([width], key), offset: zeros([width], key) }),
    apply: (p, x) => {
      const of = (name: string): Value => requiredParameter("layerNormalisation", p, name);
      return layerNorm(x, { scale: of("scale"), offset: of("offset"), epsilon });
    },
  };
}

/** Any function of a value as a layer without parameters: `activation(relu)`. */
export const activation = (f: (x: Value) => Value): Layer => ({ init: () => ({}), apply: (_, x) => f(x) });

export const maxPooling = (options: MaxPoolOptions): Layer => activation((x) => maxPool2d(x, options));

/** [n, ...] -> [n, all the rest]. */
export const flatten = (): Layer => activation((x) => reshape(x, [x.shape[0]!, -1]));
