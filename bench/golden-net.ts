// The layers of a network from a golden case.
import { hostArray, type HostArray } from "../src/tensor/index.ts";
import type { Case, Layer as CaseLayer } from "../test/golden/case.ts";
import { caseTensor } from "./golden.ts";
import type { Layer, Net } from "./task.ts";

/**
 * Batch norms are folded into the convolutions before them, for all contestants alike, as whoever deploys a network does.
 * @throws Error for a layer that no workload has yet
 */
export function netOf(golden: Case): Net {
  const { inputs, layers, output } = golden.file.architecture;
  return { input: inputs[0]!.shape, layers: chain(new Reader(golden, layers), output, inputs[0]!.name) };
}

class Reader {
  constructor(
    private readonly golden: Case,
    private readonly layers: readonly CaseLayer[],
  ) {}

  layer(id: string): CaseLayer {
    return this.layers.find((layer) => layer.id === id)!;
  }

  weight(name: unknown): HostArray {
    return caseTensor(this.golden, this.golden.file.weights.prefix + String(name));
  }

  unknown({ op }: CaseLayer): Error {
    return new Error(`case ${this.golden.name}: the benchmarks know no layer "${op}"`);
  }

  /** `id` and the layers that it comes from, the nearest first; of a sum, along its first operand. */
  lineage(id: string | undefined): string[] {
    const line: string[] = [];
    for (let at = id; at !== undefined; at = this.layer(at)?.in[0]) line.push(at);
    return line;
  }
}

/** The layers from the value `from` (without it) to the layer `to`. */
function chain(reader: Reader, to: string, from: string): Layer[] {
  const found: Layer[] = [];
  for (let id = to; id !== from;) {
    const layer = reader.layer(id);
    const [first, second] = layer.in as [string, string?];
    if (layer.op === "add" && second !== undefined) {
      const fork = reader.lineage(second).find((ancestor) => reader.lineage(first).includes(ancestor))!;
      found.unshift({
        kind: "residual",
        body: chain(reader, first, fork),
        shortcut: chain(reader, second, fork),
      });
      id = fork;
    } else if (layer.op === "batchnorm2d") {
      const conv = reader.layer(first);
      if (conv.op !== "conv2d") throw reader.unknown(layer);
      found.unshift(foldedConv(reader, conv, layer));
      id = conv.in[0]!;
    } else {
      found.unshift(...layersOf(reader, layer));
      id = first;
    }
  }
  return found;
}

const first = (layer: CaseLayer, field: string): number => Number([layer[field]].flat()[0]);

function layersOf(reader: Reader, layer: CaseLayer): Layer[] {
  const weight = (field: string): HostArray => reader.weight(layer[field]);
  switch (layer.op) {
    case "linear":
      return [{ kind: "dense", weight: weight("weight"), bias: weight("bias") }];
    case "conv2d":
      return [conv(layer, weight("weight"), weight("bias"))];
    case "relu":
    case "flatten":
      return [{ kind: layer.op }];
    case "softplus":
      return [{ kind: "softplus", beta: first(layer, "beta") }];
    case "maxpool2d":
      return [{ kind: "max-pool", size: first(layer, "kernel") }];
    case "global_avgpool2d":
      return [{ kind: "global-average" }];
    case "lstm":
      return (layer["params"] as Record<string, string>[]).map((names) => lstm(reader, names));
    case "select":
      if (layer["dim"] === 1 && layer["index"] === -1) return [{ kind: "last-step" }];
  }
  throw reader.unknown(layer);
}

const conv = (layer: CaseLayer, weight: HostArray, bias: HostArray): Layer => ({
  ...{ kind: "conv", weight, bias },
  ...{ stride: first(layer, "stride"), padding: first(layer, "padding") },
});

/** (w x - mean) scale / sqrt(variance + eps) + offset is a convolution again. */
function foldedConv(reader: Reader, layer: CaseLayer, norm: CaseLayer): Layer {
  const weight = reader.weight(layer["weight"]);
  const [scale, offset, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(
    (field) => reader.weight(norm[field]).data,
  );
  const factors = Array.from(scale!, (s, o) => s / Math.sqrt(variance![o]! + Number(norm["eps"])));
  const taps = weight.data.length / factors.length;
  const before = layer["bias"] === null ? undefined : reader.weight(layer["bias"]).data;
  return conv(
    layer,
    hostArray(
      weight.data.map((v, i) => v * factors[Math.floor(i / taps)]!),
      weight.shape,
    ),
    hostArray(
      Float32Array.from(factors, (f, o) => offset![o]! + ((before?.[o] ?? 0) - mean![o]!) * f),
      [factors.length],
    ),
  );
}

/** The two biases of a step add up. */
function lstm(reader: Reader, names: Readonly<Record<string, string>>): Layer {
  const of = (name: string): HostArray => reader.weight(names[name]);
  const [bias, recurrentBias] = [of("bias_ih"), of("bias_hh")];
  return {
    kind: "lstm",
    ...{ input: of("weight_ih"), recurrent: of("weight_hh") },
    bias: hostArray(
      Float32Array.from(bias.data, (b, i) => b + recurrentBias.data[i]!),
      bias.shape,
    ),
  };
}
