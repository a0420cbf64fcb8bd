// Networks from layer lists: one entry for each operation, each a plain function of values. The first axis is the batch.
import { formatShape, sameShape } from "../../src/tensor/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { conv2d } from "../../src/kernels/conv.ts";
import {
  add,
  concat,
  exp,
  flip,
  gelu,
  index,
  matmul,
  mean,
  mul,
  power,
  relu,
  reshape,
  sigmoid,
  sin,
  sliceAxis,
  softplus,
  sum,
  tanh,
  transpose,
} from "../../src/kernels/index.ts";
import { batchNorm, layerNorm, localResponseNorm } from "../../src/kernels/norm.ts";
import { avgPool2d, globalAvgPool2d, maxPool2d } from "../../src/kernels/pool.ts";
import { logSoftmax, softmax } from "../../src/kernels/softmax.ts";
import { lstmSequence } from "../../src/nn/recurrent.ts";
import type { Case, Layer } from "./case.ts";

type Weights = Readonly<Record<string, Value>>;

interface Call {
  readonly layer: Layer;
  /** The weight that a field of the layer names. */
  weight(field: string): Value;
}

type Op = (inputs: readonly Value[], call: Call) => Value;

const unary =
  (f: (x: Value) => Value): Op =>
  ([x]) =>
    f(x!);

const ops: Readonly<Record<string, Op>> = {
  linear: ([x], { layer, weight }) => {
    const y = matmul(x!, weight("weight"), { transposeB: true });
    return has(layer, "bias") ? add(y, weight("bias")) : y;
  },
  relu: unary(relu),
  tanh: unary(tanh),
  sigmoid: unary(sigmoid),
  exp: unary(exp),
  sin: unary(sin),
  softplus: ([x], { layer }) => softplus(x!, { beta: number(layer, "beta") }),
  gelu: ([x], { layer }) => gelu(x!, { approximate: layer["approximate"] as "none" | "tanh" }),
  pow: ([x], { layer }) => power(x!, number(layer, "exponent")),
  scale: ([x], { layer }) => mul(x!, number(layer, "value")),
  add: ([x, y]) => add(x!, y!),
  mul: ([x, y]) => mul(x!, y!),

  conv2d: ([x], { layer, weight }) => {
    const options = {
      stride: pair(layer, "stride"),
      padding: pair(layer, "padding"),
      dilation: pair(layer, "dilation"),
    };
    const y = conv2d(x!, weight("weight"), { ...options, groups: number(layer, "groups") });
    return has(layer, "bias") ? add(y, reshape(weight("bias"), [-1, 1, 1])) : y;
  },
  maxpool2d: ([x], { layer }) => maxPool2d(x!, window(layer)),
  avgpool2d: ([x], { layer }) =>
    avgPool2d(x!, { ...window(layer), countIncludePad: layer["count_include_pad"] === true }),
  global_avgpool2d: ([x]) => globalAvgPool2d(x!, { keepDims: false }),

  batchnorm2d: ([x], { layer, weight }) =>
    batchNorm(x!, {
      mean: weight("running_mean"),
      variance: weight("running_var"),
      scale: weight("weight"),
      offset: weight("bias"),
      epsilon: number(layer, "eps"),
    }),
  layernorm: ([x], { layer, weight }) =>
    layerNorm(x!, { scale: weight("weight"), offset: weight("bias"), epsilon: number(layer, "eps") }),
  lrn: ([x], { layer }) => {
    const size = number(layer, "size");
    const options = { size, alpha: number(layer, "alpha"), beta: number(layer, "beta"), k: number(layer, "k") };
    // An even window reaches one channel further down here, and one further up in the library.
    return size % 2 === 1 ? localResponseNorm(x!, options) : flip(localResponseNorm(flip(x!, 1), options), 1);
  },
  softmax: ([x], { layer }) => softmax(x!, number(layer, "dim")),
  log_softmax: ([x], { layer }) => logSoftmax(x!, number(layer, "dim")),

  flatten: ([x], { layer }) => reshape(x!, [...x!.shape.slice(0, number(layer, "start_dim")), -1]),
  reshape: ([x], { layer }) => reshape(x!, [x!.shape[0]!, ...(layer["shape"] as number[])]),
  concat: (xs, { layer }) => concat(xs, number(layer, "dim")),
  select: ([x], { layer }) => index(x!, number(layer, "dim"), number(layer, "index")),
  mean: ([x], { layer }) => mean(x!, layer["dim"] as number | number[]),
  sum: ([x], { layer }) => sum(x!, layer["dim"] as number | number[]),
  add_param: ([x], { weight }) => add(x!, weight("value")),
  graph_matmul: ([x], { weight }) => matmul(weight("adjacency"), x!),

  lstm: ([x], { layer, weight }) =>
    (layer["params"] as Record<string, string>[]).reduce((xs, _, l) => {
      const of = (name: string): Value => weight(`params.${l}.${name}`);
      const weights = {
        input: of("weight_ih"),
        recurrent: of("weight_hh"),
        bias: of("bias_ih"),
        recurrentBias: of("bias_hh"),
      };
      return lstmSequence(xs, weights, { layout: "out-in" }).sequence;
    }, x!),
  mha: attention,
};

/** Self-attention of x [B, T, E]. */
function attention([x]: readonly Value[], { layer, weight }: Call): Value {
  const [batch, length, width] = x!.shape as [number, number, number];
  const heads = number(layer, "num_heads");
  const joint = add(matmul(x!, weight("in_proj_weight"), { transposeB: true }), weight("in_proj_bias"));
  // [B, T, 3 E] -> query, key and value, each [B, heads, T, E / heads]
  const [q, k, v] = [0, 1, 2].map((i) => {
    const part = sliceAxis(joint, 2, i * width, (i + 1) * width);
    return transpose(reshape(part, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
  });
  const scores = mul(matmul(q!, k!, { transposeB: true }), 1 / Math.sqrt(width / heads));
  const mixed = reshape(transpose(matmul(softmax(scores), v!), [0, 2, 1, 3]), [batch, length, width]);
  return add(matmul(mixed, weight("out_proj_weight"), { transposeB: true }), weight("out_proj_bias"));
}

/**
 * Applies a case's network.
 * @param inputs a value [batch, ...shape] for each input, by name
 * @param weights by name
 * @returns the output [batch, ...output_shape]
 */
export function network({ file }: Case, inputs: Readonly<Record<string, Value>>, weights: Weights): Value {
  const values: Record<string, Value> = { ...inputs };
  for (const layer of file.architecture.layers) {
    const op = ops[layer.op];
    if (!op) throw new Error(`layer ${layer.id}: there is no operation "${layer.op}"`);
    const xs = layer.in.map((id) => {
      const x = values[id];
      if (!x) throw new Error(`layer ${layer.id} reads "${id}", which no earlier layer makes`);
      return x;
    });
    const y = op(xs, { layer, weight: (field) => weights[nameOf(layer, field)]! });
    if (!sameShape(y.shape.slice(1), layer.out_shape)) {
      throw new Error(
        `layer ${layer.id}: got ${formatShape(y.shape)}, expected [batch, ...${formatShape(layer.out_shape)}]`,
      );
    }
    values[layer.id] = y;
  }
  return values[file.architecture.output]!;
}

/** Layers through which the gradient jumps. */
export const hasKinks = ({ file }: Case): boolean =>
  file.architecture.layers.some(({ op }) => op === "relu" || op === "maxpool2d");

/** The name of a weight; `params.0.weight_ih` is a field inside a list. */
function nameOf(layer: Layer, field: string): string {
  const name = field.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], layer);
  if (typeof name !== "string") throw new Error(`layer ${layer.id} (${layer.op}) names no ${field}`);
  return name;
}

const has = (layer: Layer, field: string): boolean => layer[field] !== null && layer[field] !== undefined;

function number(layer: Layer, field: string): number {
  const value = layer[field];
  if (typeof value !== "number")
    throw new Error(`layer ${layer.id} (${layer.op}) needs a number ${field}, got ${JSON.stringify(value)}`);
  return value;
}

function pair(layer: Layer, field: string): readonly [number, number] {
  const value = layer[field];
  if (typeof value === "number") return [value, value];
  if (Array.isArray(value) && value.length === 2) return value as [number, number];
  throw new Error(`layer ${layer.id} (${layer.op}) needs a pair ${field}, got ${JSON.stringify(value)}`);
}

function window(layer: Layer) {
  const [kernel, stride, padding] = [pair(layer, "kernel"), pair(layer, "stride"), pair(layer, "padding")];
  return { kernel, stride, padding, ceilMode: layer["ceil_mode"] === true };
}
