// Networks as lists of layers with their weights: read from a golden case where there is one, else seeded; and what such a
// list is for this library.
import { lift } from "../src/graph/leaves.ts";
import type { Value } from "../src/graph/node.ts";
import { add, conv2d, matmul, maxPool2d, relu, reshape, softplus } from "../src/kernels/index.ts";
import { random } from "../src/nn/index.ts";
import { hostArray, numel, type Device, type HostArray, type Shape, type Tensor } from "../src/tensor/index.ts";
import type { Case, Layer as CaseLayer } from "../test/golden/case.ts";
import { caseTensor } from "./golden.ts";
import type { Layer, Net } from "./task.ts";
import type { Files } from "./workload.ts";

/** A network with an example to explain. */
export interface Subject {
  readonly net: Net;
  /** [1, ...input] */
  readonly x: HostArray;
  readonly target: number;
  readonly source: string;
  /** The case it was read from. */
  readonly golden?: Case;
}

/** A layer whose weights are still to be drawn. */
export type LayerPlan =
  | { readonly kind: "dense"; readonly in: number; readonly out: number }
  | {
      readonly kind: "conv";
      readonly in: number;
      readonly out: number;
      readonly kernel: number;
      readonly stride?: number;
      readonly padding?: number;
    }
  | Exclude<Layer, { readonly weight: HostArray }>;

export interface NetPlan {
  readonly input: Shape;
  readonly layers: readonly LayerPlan[];
}

/** The network and the first example of a golden case, if its folder is there; else the same shapes with seeded weights. */
export async function subjectOf(files: Files, name: string, plan: NetPlan): Promise<Subject> {
  const golden = await files.golden(name);
  if (!golden) return { ...seeded(name, plan), source: "seeded weights" };
  const all = caseTensor(golden, golden.file.inputs[0]!.tensor);
  const example = all.shape.slice(1);
  const x = hostArray(all.data.slice(0, numel(example)), [1, ...example]);
  const target = Number(caseTensor(golden, String(golden.file.params["target"])).data[0]);
  return { net: netOf(golden), x, target, source: `golden case ${name}`, golden };
}

/** Weights as LeCun draws them, biases a tenth of that; inputs standard normal. */
export function seeded(key: string, { input, layers }: NetPlan): Omit<Subject, "source"> {
  const weights = (name: string, shape: Shape, scale: number): HostArray => {
    const stream = random(`${key}/${name}`);
    return hostArray(
      Float32Array.from({ length: numel(shape) }, () => scale * stream.normal()),
      shape,
    );
  };
  const drawn = layers.map((layer, i): Layer => {
    if (layer.kind !== "dense" && layer.kind !== "conv") return layer;
    const taps: Shape = layer.kind === "conv" ? [layer.kernel, layer.kernel] : [];
    const scale = 1 / Math.sqrt(layer.in * numel(taps));
    const weight = weights(`weight${i}`, [layer.out, layer.in, ...taps], scale);
    const bias = weights(`bias${i}`, [layer.out], 0.1);
    if (layer.kind === "dense") return { kind: "dense", weight, bias };
    return { kind: "conv", weight, bias, stride: layer.stride ?? 1, padding: layer.padding ?? 0 };
  });
  return { net: { input, layers: drawn }, x: weights("x", [1, ...input], 1), target: 0 };
}

/** @throws Error for a layer that no workload has yet */
function netOf(golden: Case): Net {
  const { inputs, layers } = golden.file.architecture;
  const { prefix } = golden.file.weights;
  const tensor = (layer: CaseLayer, field: string): HostArray => caseTensor(golden, prefix + String(layer[field]));
  return {
    input: inputs[0]!.shape,
    layers: layers.map((layer): Layer => {
      const first = (field: string): number => Number([layer[field]].flat()[0]);
      switch (layer.op) {
        case "linear":
          return { kind: "dense", weight: tensor(layer, "weight"), bias: tensor(layer, "bias") };
        case "conv2d": {
          const weights = { weight: tensor(layer, "weight"), bias: tensor(layer, "bias") };
          return { kind: "conv", ...weights, stride: first("stride"), padding: first("padding") };
        }
        case "relu":
        case "flatten":
          return { kind: layer.op };
        case "softplus":
          return { kind: "softplus", beta: first("beta") };
        case "maxpool2d":
          return { kind: "max-pool", size: first("kernel") };
        default:
          throw new Error(`case ${golden.name}: the benchmarks know no layer "${layer.op}"`);
      }
    }),
  };
}

export interface NetModel {
  /** [B, ...input] -> [B, classes] */
  readonly model: (x: Value) => Value;
  dispose(): void;
}

/** The network as a function of values, its weights on the device. */
export function netModel(device: Device, { layers }: Net): NetModel {
  const tensors: Tensor[] = [];
  const upload = (array: HostArray): Value => {
    const tensor = device.tensor(array);
    tensors.push(tensor);
    return lift(tensor);
  };
  const functions = layers.map((layer): ((x: Value) => Value) => {
    switch (layer.kind) {
      case "dense": {
        const [weight, bias] = [upload(layer.weight), upload(layer.bias)];
        return (x) => add(matmul(x, weight, { transposeB: true }), bias);
      }
      case "conv": {
        const [weight, bias] = [upload(layer.weight), reshape(upload(layer.bias), [-1, 1, 1])];
        return (x) => add(conv2d(x, weight, { stride: layer.stride, padding: layer.padding }), bias);
      }
      case "relu":
        return relu;
      case "softplus":
        return (x) => softplus(x, { beta: layer.beta });
      case "max-pool":
        return (x) => maxPool2d(x, { kernel: layer.size });
      case "flatten":
        return (x) => reshape(x, [x.shape[0]!, -1]);
    }
  });
  return {
    model: (x) => functions.reduce((value, f) => f(value), x),
    dispose: () => tensors.forEach((tensor) => tensor.dispose()),
  };
}
