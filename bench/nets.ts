// Networks as lists of layers with their weights: read from a golden case where there is one, else seeded; and what such a
// list is for this library.
import { lift } from "../src/graph/leaves.ts";
import type { Value } from "../src/graph/node.ts";
import {
  add,
  conv2d,
  globalAvgPool2d,
  index,
  matmul,
  maxPool2d,
  relu,
  reshape,
  softplus,
} from "../src/kernels/index.ts";
import { lstmSequence, random } from "../src/nn/index.ts";
import { hostArray, numel, type Device, type HostArray, type Shape, type Tensor } from "../src/tensor/index.ts";
import type { Case } from "../test/golden/case.ts";
import { caseTensor } from "./golden.ts";
import { netOf } from "./golden-net.ts";
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
  | { readonly kind: "lstm"; readonly in: number; readonly out: number }
  | { readonly kind: "residual"; readonly body: readonly LayerPlan[]; readonly shortcut: readonly LayerPlan[] }
  | Exclude<Layer, { readonly kind: "dense" | "conv" | "lstm" | "residual" }>;

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
  return { net: { input, layers: drawLayers(key, "", layers) }, x: normal(`${key}/x`, [1, ...input]), target: 0 };
}

/** Standard normal numbers times `scale`. */
export function normal(key: string, shape: Shape, scale = 1): HostArray {
  const stream = random(key);
  return hostArray(
    Float32Array.from({ length: numel(shape) }, () => scale * stream.normal()),
    shape,
  );
}

function drawLayers(key: string, path: string, layers: readonly LayerPlan[]): Layer[] {
  return layers.map((layer, i): Layer => {
    const at = `${path}${i}`;
    if (layer.kind === "residual") {
      const [body, shortcut] = (["body", "shortcut"] as const).map((part) =>
        drawLayers(key, `${at}/${part}/`, layer[part]),
      );
      return { kind: "residual", body: body!, shortcut: shortcut! };
    }
    if (layer.kind !== "dense" && layer.kind !== "conv" && layer.kind !== "lstm") return layer;
    const draw = (what: string, shape: Shape, scale: number): HostArray => normal(`${key}/${what}${at}`, shape, scale);
    if (layer.kind === "lstm") {
      const rows = 4 * layer.out;
      return {
        kind: "lstm",
        input: draw("weight", [rows, layer.in], 1 / Math.sqrt(layer.in)),
        recurrent: draw("recurrent", [rows, layer.out], 1 / Math.sqrt(layer.out)),
        bias: draw("bias", [rows], 0.1),
      };
    }
    const taps: Shape = layer.kind === "conv" ? [layer.kernel, layer.kernel] : [];
    const weight = draw("weight", [layer.out, layer.in, ...taps], 1 / Math.sqrt(layer.in * numel(taps)));
    const bias = draw("bias", [layer.out], 0.1);
    if (layer.kind === "dense") return { kind: "dense", weight, bias };
    return { kind: "conv", weight, bias, stride: layer.stride ?? 1, padding: layer.padding ?? 0 };
  });
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
  return { model: chainOf(layers, upload), dispose: () => tensors.forEach((tensor) => tensor.dispose()) };
}

function chainOf(layers: readonly Layer[], upload: (array: HostArray) => Value): (x: Value) => Value {
  const functions = layers.map((layer) => functionOf(layer, upload));
  return (x) => functions.reduce((value, f) => f(value), x);
}

function functionOf(layer: Layer, upload: (array: HostArray) => Value): (x: Value) => Value {
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
    case "global-average":
      return (x) => globalAvgPool2d(x, { keepDims: false });
    case "residual": {
      const [body, shortcut] = [chainOf(layer.body, upload), chainOf(layer.shortcut, upload)];
      return (x) => add(body(x), shortcut(x));
    }
    case "lstm": {
      const [input, recurrent, bias] = [upload(layer.input), upload(layer.recurrent), upload(layer.bias)];
      return (x) => lstmSequence(x, { input, recurrent, bias }, { layout: "out-in" }).sequence;
    }
    case "last-step":
      return (x) => index(x, 1, x.shape[1]! - 1);
  }
}
