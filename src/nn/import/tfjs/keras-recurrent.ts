// Recurrent layers of Keras, and the embeddings that usually come before them, by class name.
import { add, mul } from "../../../kernels/arithmetic.ts";
import { cast } from "../../../kernels/choice.ts";
import { embedding } from "../../../kernels/gather.ts";
import { concat } from "../../../kernels/join.ts";
import { index, flip } from "../../../kernels/slice.ts";
import type { Value } from "../../../graph/node.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { gruSequence, lstmSequence, type RecurrentWeights } from "../../recurrent.ts";
import type { Constant } from "../constant.ts";
import { fail, only, type Layer, type LayerCall } from "./keras-layers.ts";
import { asFile, laid, type Laid } from "./layout.ts";

const input = (call: LayerCall): Value => asFile(only(call));

/** A weight of the layer or, as newer versions of Keras have it, of its cell. */
function weight(call: LayerCall, cell: string, kind: string): Constant | undefined {
  return call.weight(kind) ?? call.weight(`${cell}/${kind}`);
}

function needed(call: LayerCall, cell: string, kind: string): Tensor {
  return call.store.tensor(weight(call, cell, kind) ?? fail(call, `lacks its weight "${kind}"`));
}

/** Functions in the cell other than those of the kernels are refused, and so is state kept from call to call. */
function assertPlain(call: LayerCall): void {
  const { activation = "tanh", recurrent_activation: recurrent = "sigmoid", stateful } = call.config;
  if (activation !== "tanh" || recurrent !== "sigmoid") {
    const got = `activation "${String(activation)}" and recurrent_activation "${String(recurrent)}"`;
    fail(call, `has ${got}; supported are "tanh" and "sigmoid"`);
  }
  if (stateful === true) fail(call, "is stateful, which is not supported; pass whole sequences");
  if (call.config["time_major"] === true) fail(call, "takes time first, which is not supported");
}

/** Keras returns the steps in the order in which it went through them. */
function returned(call: LayerCall, sequence: Value, last: Value): Laid {
  if (call.config["return_state"] === true) fail(call, "returns its states, which is not supported");
  if (call.config["return_sequences"] !== true) return laid(last);
  return laid(call.config["go_backwards"] === true ? flip(sequence, 1) : sequence);
}

const backwards = (call: LayerCall): boolean => call.config["go_backwards"] === true;

const lstm: Layer = (call) => {
  assertPlain(call);
  const bias = weight(call, "lstm_cell", "bias");
  const weights = {
    input: needed(call, "lstm_cell", "kernel"),
    recurrent: needed(call, "lstm_cell", "recurrent_kernel"),
    ...(bias && { bias: call.store.tensor(bias) }),
  };
  const { sequence, h } = lstmSequence(input(call), weights, { reverse: backwards(call) });
  return returned(call, sequence, h);
};

const gru: Layer = (call) => {
  assertPlain(call);
  const weights: RecurrentWeights = {
    input: needed(call, "gru_cell", "kernel"),
    recurrent: needed(call, "gru_cell", "recurrent_kernel"),
    ...gruBiases(call),
  };
  const resetAfter = call.config["reset_after"] === true;
  const { sequence, h } = gruSequence(input(call), weights, { gates: "zrn", resetAfter, reverse: backwards(call) });
  return returned(call, sequence, h);
};

/** [3 H] where the reset gate comes first, [2, 3 H] where it comes after the product. */
function gruBiases(call: LayerCall): Pick<RecurrentWeights, "bias" | "recurrentBias"> {
  const found = weight(call, "gru_cell", "bias");
  if (!found) return {};
  const bias = call.store.tensor(found);
  if (found.shape.length === 1) return { bias };
  return { bias: index(bias, 0, 0), recurrentBias: index(bias, 0, 1) };
}

/** Ids that another layer made may be f32. */
const lookUp: Layer = (call) => {
  if (call.config["mask_zero"] === true) fail(call, "masks zeros, which is not supported");
  const table = call.weight("embeddings") ?? fail(call, 'lacks its weight "embeddings"');
  return laid(embedding(call.store.tensor(table), cast(input(call), "i32")));
};

const merges: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  concat: (a, b) => concat([a, b], -1),
  sum: add,
  mul,
  ave: (a, b) => mul(add(a, b), 0.5),
};

/** A layer and its like that goes backwards, with weights of their own and the same order of steps. */
const bidirectional: Layer = (call) => {
  const { layer, merge_mode: mode = "concat" } = call.config as unknown as Bidirectional;
  const run =
    { LSTM: lstm, GRU: gru }[layer.class_name] ?? fail(call, `wraps ${layer.class_name}; supported are LSTM, GRU`);
  const merge =
    merges[String(mode)] ?? fail(call, `has merge_mode ${mode}; supported are ${Object.keys(merges).join(", ")}`);
  const way = (name: string, goBackwards: boolean): Value => {
    const config = { ...layer.config, go_backwards: goBackwards };
    const weight = (kind: string): Constant | undefined =>
      call.weight(`${name}_${String(layer.config["name"])}/${kind}`);
    return run({ ...call, config, weight }).value;
  };
  const back = way("backward", true);
  return laid(merge(way("forward", false), layer.config["return_sequences"] === true ? flip(back, 1) : back));
};

interface Bidirectional {
  readonly layer: { readonly class_name: "LSTM" | "GRU"; readonly config: Readonly<Record<string, unknown>> };
  readonly merge_mode?: string | null;
}

export const recurrentLayers: ReadonlyMap<string, Layer> = new Map(
  Object.entries<Layer>({ LSTM: lstm, GRU: gru, Bidirectional: bidirectional, Embedding: lookUp }),
);
