// Convolutions and pooling of TensorFlow: weights [h, w, in, out] become [out, in, h, w] once, when a model is loaded.
import type { Value } from "../../../graph/node.ts";
import { conv2d } from "../../../kernels/conv.ts";
import { add } from "../../../kernels/arithmetic.ts";
import { reshape } from "../../../kernels/movement.ts";
import type { Padding } from "../../../kernels/window.ts";
import { constantOf, transposeConstant, type Constant } from "../constant.ts";
import type { ParameterStore } from "../store.ts";

export interface ConvolutionSpec {
  /** Under which the weights are kept. */
  readonly name: string;
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: Padding;
  /** Weights are [h, w, channels, multiplier]: every channel has filters of its own. */
  readonly depthwise: boolean;
}

/** Convolves a picture [n, c, h, w] with the weights of the file. */
export function convolve(
  store: ParameterStore,
  x: Value,
  kernel: Constant,
  bias: Constant | undefined,
  spec: ConvolutionSpec,
): Value {
  const { name, stride, dilation, padding, depthwise } = spec;
  const [h, w, c, m] = kernel.shape as [number, number, number, number];
  const weights = store.derived(name, kernel, () => {
    const turned = transposeConstant(kernel, depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1]);
    return depthwise ? constantOf(turned.data, [c * m, 1, h, w], "f32") : turned;
  });
  // Weights [h, w, c, out] on an input with more channels than c: TensorFlow infers groups.
  const groups = depthwise ? c : x.shape[1]! / c;
  const y = conv2d(x, store.tensor(weights), { stride, dilation, padding, groups });
  return bias ? add(y, reshape(store.tensor(bias), [-1, 1, 1])) : y;
}
