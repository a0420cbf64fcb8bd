// The layers of Keras, by class name.
import * as ops from "../../../kernels/index.ts";
import type { Value } from "../../../graph/node.ts";
import { matmul } from "../../../kernels/matmul.ts";
import { avgPool2d, maxPool2d } from "../../../kernels/pool.ts";
import { max, mean } from "../../../kernels/reduce.ts";
import { softmax } from "../../../kernels/softmax.ts";
import { FormatError } from "../../../tensor/errors.ts";
import { numel } from "../../../tensor/shape.ts";
import { resolveShape, type Constant } from "../constant.ts";
import { foldBatchNorm } from "../fold-batch-norm.ts";
import type { ParameterStore } from "../store.ts";
import { convolve } from "./convolve.ts";
import { aligned, asFile, asPicture, fileShape, laid, picture, storedAxis, type Laid } from "./layout.ts";

/** A layer while it is traced. */
export interface LayerCall {
  readonly name: string;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly inputs: readonly Laid[];
  readonly store: ParameterStore;
  /** One of its weights, by its last name: "kernel", "bias", ...; undefined where the layer has none. */
  weight(kind: string): Constant | undefined;
}

export type Layer = (call: LayerCall) => Laid;

export function fail(call: LayerCall, problem: string): never {
  throw new FormatError(`tfjs: ${call.className} layer "${call.name}" ${problem}`);
}

export const only = (call: LayerCall): Laid => call.inputs[0] ?? fail(call, "has no input");
const needed = (call: LayerCall, kind: string): Constant =>
  call.weight(kind) ?? fail(call, `lacks its weight "${kind}"`);
const number = (call: LayerCall, name: string, otherwise: number): number =>
  (call.config[name] as number | undefined) ?? otherwise;

function pair(call: LayerCall, name: string, otherwise: [number, number]): [number, number] {
  const given = call.config[name] as number | [number, number] | null | undefined;
  return typeof given === "number" ? [given, given] : (given ?? otherwise);
}

function padding(call: LayerCall): "same" | "valid" {
  if (call.config["data_format"] === "channels_first") fail(call, "keeps channels first, which is not supported");
  return call.config["padding"] === "same" ? "same" : "valid";
}

const activations: Readonly<Record<string, (x: Laid) => Value>> = {
  linear: (x) => x.value,
  relu: (x) => ops.relu(x.value),
  relu6: (x) => ops.relu6(x.value),
  elu: (x) => ops.elu(x.value),
  sigmoid: (x) => ops.sigmoid(x.value),
  hard_sigmoid: (x) => ops.hardSigmoid(x.value, { alpha: 0.2, beta: 0.5 }),
  tanh: (x) => ops.tanh(x.value),
  softplus: (x) => ops.softplus(x.value),
  swish: (x) => ops.silu(x.value),
  silu: (x) => ops.silu(x.value),
  gelu: (x) => ops.gelu(x.value),
  softmax: (x) => softmax(x.value, storedAxis(x, -1)),
};

/** The function that the layer's configuration names. */
function activated(call: LayerCall, x: Laid): Laid {
  const name = (call.config["activation"] as string | null | undefined) ?? "linear";
  const activation = activations[name];
  if (!activation) fail(call, `has the activation "${name}"; supported are ${Object.keys(activations).join(", ")}`);
  return { ...x, value: activation(x) };
}

const unary =
  (emit: (x: Value, call: LayerCall) => Value): Layer =>
  (call) => ({ ...only(call), value: emit(only(call).value, call) });

function convolution(call: LayerCall, kernel: string, depthwise: boolean, bias = call.weight("bias")): Laid {
  const spec = {
    name: `${call.name}/${kernel}`,
    stride: pair(call, "strides", [1, 1]),
    dilation: pair(call, "dilation_rate", [1, 1]),
    padding: padding(call),
    depthwise,
  };
  return picture(convolve(call.store, asPicture(only(call)), needed(call, kernel), bias, spec));
}

const separable: Layer = (call) => {
  const deep = convolution(call, "depthwise_kernel", true, undefined);
  const wide = { ...call, inputs: [deep], config: { ...call.config, strides: [1, 1], dilation_rate: [1, 1] } };
  return activated(call, convolution(wide, "pointwise_kernel", false));
};

const batchNormalization: Layer = (call) => {
  const x = only(call);
  const last = fileShape(x).length - 1;
  const axis = call.config["axis"] as number | number[] | undefined;
  const at = Array.isArray(axis) ? axis[0] : axis;
  if (at !== undefined && at !== -1 && at !== last) fail(call, `normalises axis ${at}; supported is the last`);
  const [scale, offset] = [call.weight("gamma"), call.weight("beta")];
  const statistics = {
    mean: needed(call, "moving_mean"),
    variance: needed(call, "moving_variance"),
    ...(scale && { scale }),
    ...(offset && { offset }),
    epsilon: number(call, "epsilon", 1e-3),
  };
  if (!x.picture && last !== 1) fail(call, `got an input of ${last + 1} axes; supported are 2 and 4`);
  return { ...x, value: foldBatchNorm(call.store, call.name, x.value, statistics) };
};

const dense: Layer = (call) => {
  const y = matmul(asFile(only(call)), call.store.tensor(needed(call, "kernel")));
  const bias = call.weight("bias");
  return activated(call, laid(bias ? ops.add(y, call.store.tensor(bias)) : y));
};

const pooling =
  (average: boolean): Layer =>
  (call) => {
    const kernel = pair(call, "pool_size", [2, 2]);
    const options = { kernel, stride: pair(call, "strides", kernel), padding: padding(call) };
    const x = asPicture(only(call));
    return picture(average ? avgPool2d(x, { ...options, countIncludePad: false }) : maxPool2d(x, options));
  };

const globalPooling =
  (reduce: typeof mean): Layer =>
  (call) => {
    const y = reduce(asPicture(only(call)), [2, 3], { keepDims: true });
    return call.config["keepdims"] ? picture(y) : laid(ops.reshape(y, y.shape.slice(0, 2)));
  };

const zeroPadding: Layer = (call) => {
  const given = call.config["padding"] as number | [number, number] | [[number, number], [number, number]];
  const [y, x] = typeof given === "number" ? [given, given] : given;
  const both = (n: number | [number, number]): [number, number] => (typeof n === "number" ? [n, n] : n);
  return picture(ops.pad(asPicture(only(call)), [[0, 0], [0, 0], both(y), both(x)]));
};

/** Nearest neighbour: every pixel becomes a block. */
const upSampling: Layer = (call) => {
  if ((call.config["interpolation"] ?? "nearest") !== "nearest") fail(call, "interpolates; supported is nearest");
  const [sy, sx] = pair(call, "size", [2, 2]);
  const x = asPicture(only(call));
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const blocks = ops.broadcastTo(ops.reshape(x, [n, c, h, 1, w, 1]), [n, c, h, sy, w, sx]);
  return picture(ops.reshape(blocks, [n, c, h * sy, w * sx]));
};

const merging =
  (merge: (a: Value, b: Value) => Value, finish: (y: Value, count: number) => Value = (y) => y): Layer =>
  (call) => {
    const { operands, picture: isPicture } = aligned(call.store, call.name, call.inputs);
    return { value: finish((operands as Value[]).reduce(merge), operands.length), picture: isPicture };
  };

const concatenate: Layer = (call) => {
  const { operands, picture: isPicture } = aligned(call.store, call.name, call.inputs);
  const axis = storedAxis({ value: operands[0] as Value, picture: isPicture }, number(call, "axis", -1));
  return { value: ops.concat(operands, axis), picture: isPicture };
};

const flatten: Layer = (call) => {
  const x = asFile(only(call));
  return laid(ops.reshape(x, [x.shape[0]!, -1]));
};

const reshape: Layer = (call) => {
  const x = asFile(only(call));
  const target = call.config["target_shape"] as number[];
  return laid(
    ops.reshape(x, [x.shape[0]!, ...resolveShape(`Reshape "${call.name}"`, numel(x.shape.slice(1)), target)]),
  );
};

const same: Layer = (call) => only(call);

/** ReLU with a ceiling and a slope below zero, as the layer (not the activation) has them. */
const relu: Layer = unary((x, call) => {
  const slope = number(call, "negative_slope", 0);
  const ceiling = call.config["max_value"] as number | null | undefined;
  const y = slope === 0 ? ops.relu(x) : ops.leakyRelu(x, { slope });
  return ceiling === null || ceiling === undefined ? y : ops.minimum(y, ceiling);
});

export const layers: ReadonlyMap<string, Layer> = new Map(
  Object.entries<Layer>({
    Conv2D: (call) => activated(call, convolution(call, "kernel", false)),
    DepthwiseConv2D: (call) => activated(call, convolution(call, "depthwise_kernel", true)),
    SeparableConv2D: separable,
    Dense: dense,
    BatchNormalization: batchNormalization,
    Activation: (call) => activated(call, only(call)),
    ReLU: relu,
    LeakyReLU: unary((x, call) => ops.leakyRelu(x, { slope: number(call, "alpha", 0.3) })),
    ELU: unary((x, call) => ops.elu(x, { alpha: number(call, "alpha", 1) })),
    Softmax: (call) => ({
      ...only(call),
      value: softmax(only(call).value, storedAxis(only(call), number(call, "axis", -1))),
    }),
    MaxPooling2D: pooling(false),
    AveragePooling2D: pooling(true),
    GlobalAveragePooling2D: globalPooling(mean),
    GlobalMaxPooling2D: globalPooling(max),
    ZeroPadding2D: zeroPadding,
    UpSampling2D: upSampling,
    Add: merging(ops.add),
    Multiply: merging(ops.mul),
    Average: merging(ops.add, (y, count) => ops.mul(y, 1 / count)),
    Maximum: merging(ops.maximum),
    Concatenate: concatenate,
    Flatten: flatten,
    Reshape: reshape,
    Rescaling: unary((x, call) => ops.add(ops.mul(x, number(call, "scale", 1)), number(call, "offset", 0))),
    Dropout: same,
    SpatialDropout2D: same,
    GaussianNoise: same,
    InputLayer: same,
  }),
);
