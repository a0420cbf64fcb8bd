// Operators with weights, windows or statistics: what a network's time goes into.
import { convInputGrad, conv2d } from "../../../kernels/conv.ts";
import { add, mul, reciprocal, square, sub } from "../../../kernels/arithmetic.ts";
import { sqrt } from "../../../kernels/functions.ts";
import { matmul } from "../../../kernels/matmul.ts";
import { expandDims, reshape, squeeze } from "../../../kernels/movement.ts";
import { batchNorm, layerNorm, localResponseNorm } from "../../../kernels/norm.ts";
import { avgPool2d, maxPool2d } from "../../../kernels/pool.ts";
import { max, mean } from "../../../kernels/reduce.ts";
import { logSoftmax, softmax } from "../../../kernels/softmax.ts";
import type { Padding } from "../../../kernels/window.ts";
import type { Value } from "../../../graph/node.ts";
import { formatShape, numel } from "../../../tensor/shape.ts";
import type { Constant } from "../constant.ts";
import { foldBatchNorm } from "../fold-batch-norm.ts";
import { fail, float, int, ints, isConstant, item, nodeName, operand, optionalValue, text, value } from "./call.ts";
import type { Call, Operator } from "./call.ts";

type Two = readonly [number, number];
type Four = readonly [number, number, number, number];

/** Windows of ONNX over one or two spatial axes; a signal [n, c, t] is a picture of height 1. */
interface Windows {
  readonly stride: Two;
  readonly dilation: Two;
  readonly padding: Padding;
}

function spatialAxes(call: Call, x: Value): number {
  const axes = x.shape.length - 2;
  return axes === 1 || axes === 2
    ? axes
    : fail(call, `got an input of shape ${formatShape(x.shape)}; 1 or 2 spatial axes are supported`);
}

const asPicture = (x: Value): Value => (x.shape.length === 3 ? expandDims(x, 2) : x);
const asBefore = (y: Value, axes: number): Value => (axes === 1 ? squeeze(y, 2) : y);

/** A number for each spatial axis as [height, width]. */
function pair(call: Call, name: string, axes: number): Two | undefined {
  const given = ints(call, name);
  if (!given || given.length === 0) return undefined;
  if (given.length !== axes) fail(call, `has ${name} [${given.join(", ")}] for ${axes} spatial axes`);
  return axes === 1 ? [1, given[0]!] : [given[0]!, given[1]!];
}

const autoPad: Readonly<Record<string, Padding>> = { SAME_UPPER: "same", SAME_LOWER: "sameLower", VALID: "valid" };

function paddingOf(call: Call, axes: number): Padding {
  const rule = autoPad[text(call, "auto_pad", "NOTSET")];
  const pads = ints(call, "pads");
  if (rule !== undefined || !pads || pads.length === 0) return rule ?? 0;
  return axes === 1 ? [0, pads[0]!, 0, pads[1]!] : (pads as unknown as Four);
}

function windowsOf(call: Call, axes: number): Windows {
  return {
    stride: pair(call, "strides", axes) ?? [1, 1],
    dilation: pair(call, "dilations", axes) ?? [1, 1],
    padding: paddingOf(call, axes),
  };
}

/** Adds a bias [channels], if there is one, along axis 1 of a picture. */
function biased(y: Value, bias: Value | undefined): Value {
  return bias ? add(y, reshape(bias, [-1, 1, 1])) : y;
}

const convolution: Operator = (call) => {
  const x = value(call, 0);
  const axes = spatialAxes(call, x);
  const y = conv2d(asPicture(x), asPicture(value(call, 1)), {
    ...windowsOf(call, axes),
    groups: int(call, "group", 1),
  });
  return asBefore(biased(y, optionalValue(call, 2)), axes);
};

/** The transpose of the convolution with the same weights [in, out / groups, ...]. */
const transposedConvolution: Operator = (call) => {
  const x = asPicture(value(call, 0));
  const w = asPicture(value(call, 1));
  const axes = spatialAxes(call, value(call, 0));
  const { stride, dilation, padding } = windowsOf(call, axes);
  if (ints(call, "output_shape") || typeof padding === "string") fail(call, "sets auto_pad or output_shape; use pads");
  const extra = pair(call, "output_padding", axes) ?? [0, 0];
  const pads: Four = typeof padding === "number" ? [0, 0, 0, 0] : (padding as Four);
  const along = (a: 0 | 1): number =>
    (x.shape[2 + a]! - 1) * stride[a] +
    (w.shape[2 + a]! - 1) * dilation[a] +
    1 -
    pads[a] -
    pads[(2 + a) as 2 | 3] +
    extra[a];
  const input: Two = [axes === 1 ? 1 : along(0), along(1)];
  const y = convInputGrad(x, w, { stride, dilation, padding: pads, groups: int(call, "group", 1), input });
  return asBefore(biased(y, optionalValue(call, 2)), axes);
};

const maxPool: Operator = (call) => {
  if (call.node.output.length > 1 && call.node.output[1]) fail(call, "returns indices, which is not supported");
  const x = value(call, 0);
  const axes = spatialAxes(call, x);
  const kernel = pair(call, "kernel_shape", axes) ?? fail(call, "lacks kernel_shape");
  const ceilMode = int(call, "ceil_mode", 0) === 1;
  return asBefore(maxPool2d(asPicture(x), { kernel, ...windowsOf(call, axes), ceilMode }), axes);
};

const averagePool: Operator = (call) => {
  const x = value(call, 0);
  const axes = spatialAxes(call, x);
  const kernel = pair(call, "kernel_shape", axes) ?? fail(call, "lacks kernel_shape");
  const { stride, padding, dilation } = windowsOf(call, axes);
  if (dilation.some((d) => d !== 1)) fail(call, "is dilated, which is not supported");
  const countIncludePad = int(call, "count_include_pad", 0) === 1;
  const pooled = avgPool2d(asPicture(x), {
    kernel,
    stride,
    padding,
    ceilMode: int(call, "ceil_mode", 0) === 1,
    countIncludePad,
  });
  return asBefore(pooled, axes);
};

/** Reduces all spatial axes, however many there are. */
const overSpace =
  (reduce: typeof mean): Operator =>
  (call) => {
    const x = value(call, 0);
    return reduce(x, x.shape.map((_, axis) => axis).slice(2), { keepDims: true });
  };

const gemm: Operator = (call) => {
  const product = matmul(value(call, 0), value(call, 1), {
    transposeA: int(call, "transA", 0) === 1,
    transposeB: int(call, "transB", 0) === 1,
  });
  const y = mul(product, float(call, "alpha", 1));
  return call.inputs[2] === undefined ? y : add(y, mul(operand(call, 2), float(call, "beta", 1)));
};

/** NumPy's rule: a vector on the left is a row, on the right a column, and that axis disappears from the result. */
const product: Operator = (call) => {
  const [a, b] = [value(call, 0), value(call, 1)];
  const y = matmul(a.shape.length === 1 ? expandDims(a, 0) : a, b.shape.length === 1 ? expandDims(b, 1) : b);
  const column = b.shape.length === 1 ? squeeze(y, -1) : y;
  return a.shape.length === 1 ? squeeze(column, b.shape.length === 1 ? -1 : -2) : column;
};

const batchNormalization: Operator = (call) => {
  if (int(call, "training_mode", 0)) fail(call, "is in training mode; export the model for inference");
  const epsilon = float(call, "epsilon", 1e-5);
  const statistics = [1, 2, 3, 4].map((i) => item(call, i));
  const x = value(call, 0);
  if (statistics.every(isConstant)) {
    const [scale, offset, mean, variance] = statistics as [Constant, Constant, Constant, Constant];
    return foldBatchNorm(call.store, nodeName(call.node), x, { scale, offset, mean, variance, epsilon });
  }
  const [scale, offset, average, variance] = [1, 2, 3, 4].map((i) => value(call, i));
  return batchNorm(x, { mean: average!, variance: variance!, scale: scale!, offset: offset!, epsilon });
};

const instanceNormalization: Operator = (call) => {
  const x = value(call, 0);
  const perChannel = (i: number): Value => reshape(value(call, i), [-1, ...x.shape.slice(2).map(() => 1)]);
  const axes = x.shape.map((_, axis) => axis).slice(2);
  const normal = layerNorm(x, { axes, epsilon: float(call, "epsilon", 1e-5) });
  return add(mul(normal, perChannel(1)), perChannel(2));
};

const layerNormalization: Operator = (call) => {
  const x = value(call, 0);
  const first = int(call, "axis", -1);
  const axes = x.shape.map((_, axis) => axis).slice(first);
  const epsilon = float(call, "epsilon", 1e-5);
  const scaled = mul(layerNorm(x, { axes, epsilon }), operand(call, 1));
  const y = call.inputs[2] === undefined ? scaled : add(scaled, operand(call, 2));
  if (call.node.output.length === 1) return y;
  const average = mean(x, axes, { keepDims: true });
  const variance = mean(square(sub(x, average)), axes, { keepDims: true });
  return [y, average, reciprocal(sqrt(add(variance, epsilon)))];
};

const lrn: Operator = (call) =>
  localResponseNorm(value(call, 0), {
    size: int(call, "size", 1),
    alpha: float(call, "alpha", 1e-4),
    beta: float(call, "beta", 0.75),
    k: float(call, "bias", 1),
  });

/** Up to operator set 12 the axes from `axis` on count as one, and the default is 1 instead of the last. */
const normalised =
  (apply: typeof softmax): Operator =>
  (call) => {
    const x = value(call, 0);
    if (call.opset >= 13) return apply(x, int(call, "axis", -1));
    const axis = int(call, "axis", 1);
    const rows = numel(x.shape.slice(0, axis));
    return reshape(apply(reshape(x, [rows, -1]), -1), x.shape);
  };

export const layerOperators: Readonly<Record<string, Operator>> = {
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: overSpace(mean),
  GlobalMaxPool: overSpace(max),
  Gemm: gemm,
  MatMul: product,
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  LRN: lrn,
  Softmax: normalised(softmax),
  LogSoftmax: normalised(logSoftmax),
};
