// Operators with weights, windows or statistics.
import * as ops from "../../../kernels/index.ts";
import type { Value } from "../../../graph/node.ts";
import { matmul } from "../../../kernels/matmul.ts";
import { transpose } from "../../../kernels/movement.ts";
import { avgPool2d, maxPool2d } from "../../../kernels/pool.ts";
import { logSoftmax, softmax } from "../../../kernels/softmax.ts";
import { normalizeAxes } from "../../../tensor/shape.ts";
import type { Constant } from "../constant.ts";
import { foldBatchNorm } from "../fold-batch-norm.ts";
import { convolve } from "./convolve.ts";
import { asFile, fileShape, laid, picture, storedAxis, type Laid } from "./layout.ts";
import {
  constant,
  fail,
  fileInput,
  flag,
  float,
  laidInput,
  numbers,
  paddingRule,
  pictureInput,
  texts,
  window,
} from "./graph-call.ts";
import type { Call, Operator } from "./graph-call.ts";

/** What may follow a convolution or a product in the same node. */
const fused: Readonly<Record<string, (x: Value, call: Call) => Value>> = {
  Relu: ops.relu,
  Relu6: ops.relu6,
  Elu: (x) => ops.elu(x),
  Sigmoid: ops.sigmoid,
  Tanh: ops.tanh,
  LeakyRelu: (x, call) => ops.leakyRelu(x, { slope: float(call, "leakyrelu_alpha", 0.2) }),
};

function activated(call: Call, x: Value): Value {
  const names = texts(call, "fused_ops").filter((name) => name !== "BiasAdd");
  return names.reduce(
    (y, name) => (fused[name] ?? fail(call, `fuses ${name}; supported are ${Object.keys(fused).join(", ")}`))(y, call),
    x,
  );
}

const convolution =
  (depthwise: boolean): Operator =>
  (call) => {
    const kernel = constant(call, 1);
    const bias = texts(call, "fused_ops").includes("BiasAdd") ? constant(call, 2) : undefined;
    const spec = {
      name: weightName(call, 1),
      stride: window(call, "strides"),
      dilation: window(call, "dilations"),
      padding: paddingRule(call),
      depthwise,
    };
    return picture(activated(call, convolve(call.store, pictureInput(call, 0), kernel, bias, spec)));
  };

/** Two nodes may use one tensor in two ways: the name of the turned copy says which. */
const weightName = (call: Call, i: number): string =>
  `${call.node.input![i]!}/${call.node.op.includes("Depthwise") ? "depthwise" : "kernel"}`;

const product: Operator = (call) => {
  const options = {
    transposeA: flag(call, "transpose_a") || flag(call, "adj_x"),
    transposeB: flag(call, "transpose_b") || flag(call, "adj_y"),
  };
  const y = matmul(fileInput(call, 0), fileInput(call, 1), options);
  const withBias = texts(call, "fused_ops").includes("BiasAdd") ? ops.add(y, fileInput(call, 2)) : y;
  return laid(activated(call, withBias));
};

const pooling =
  (average: boolean): Operator =>
  (call) => {
    const options = { kernel: window(call, "ksize"), stride: window(call, "strides"), padding: paddingRule(call) };
    const x = pictureInput(call, 0);
    return picture(average ? avgPool2d(x, { ...options, countIncludePad: false }) : maxPool2d(x, options));
  };

const batchNormalization: Operator = (call) => {
  const [scale, offset, mean, variance] = [1, 2, 3, 4].map((i) => constant(call, i)) as [
    Constant,
    Constant,
    Constant,
    Constant,
  ];
  const statistics = { scale, offset, mean, variance, epsilon: float(call, "epsilon", 1e-3) };
  return picture(foldBatchNorm(call.store, call.node.name, pictureInput(call, 0), statistics));
};

/** Reducing height and width leaves [n, c] in the file's order; what would leave another order is turned first. */
export const reduction =
  (reduce: typeof ops.sum): Operator =>
  (call) => {
    const x = laidInput(call, 0);
    const axes = normalizeAxes(call.node.op, numbers(call, 1), x.value.shape.length);
    const keepDims = flag(call, "keep_dims");
    if (!keepDims && !(axes.includes(1) && axes.includes(2))) return laid(reduce(asFile(x), axes));
    const stored = axes.map((axis) => storedAxis(x, axis));
    return { value: reduce(x.value, stored, { keepDims }), picture: keepDims && x.picture };
  };

const alongLast =
  (apply: typeof softmax): Operator =>
  (call) => {
    const x = laidInput(call, 0);
    return { ...x, value: apply(x.value, storedAxis(x, -1)) };
  };

const argmax: Operator = (call) => {
  const x = fileInput(call, 0);
  return laid(ops.argmax(x, numbers(call, 1)[0]));
};

const transposed: Operator = (call) => {
  const x: Laid = laidInput(call, 0);
  const perm = numbers(call, 1);
  // [n, h, w, c] to [n, c, h, w] is what a picture is stored as.
  if (x.picture && perm.join() === "0,3,1,2") return laid(x.value);
  if (!x.picture && fileShape(x).length === 4 && perm.join() === "0,2,3,1") return picture(x.value);
  return laid(transpose(asFile(x), perm));
};

export const layerOperators: Readonly<Record<string, Operator>> = {
  Conv2D: convolution(false),
  _FusedConv2D: convolution(false),
  DepthwiseConv2dNative: convolution(true),
  FusedDepthwiseConv2dNative: convolution(true),
  MatMul: product,
  _FusedMatMul: product,
  BatchMatMulV2: product,
  MaxPool: pooling(false),
  AvgPool: pooling(true),
  FusedBatchNorm: batchNormalization,
  FusedBatchNormV3: batchNormalization,
  Mean: reduction(ops.mean),
  Sum: reduction(ops.sum),
  Max: reduction(ops.max),
  Min: reduction(ops.min),
  ArgMax: argmax,
  Softmax: alongLast(softmax),
  LogSoftmax: alongLast(logSoftmax),
  Transpose: transposed,
};
