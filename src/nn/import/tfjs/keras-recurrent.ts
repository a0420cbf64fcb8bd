// Recurrent layers of Keras, and the embeddings that usually come before them, by class name.
import { cast } from "../../../kernels/choice.ts";
import { embedding } from "../../../kernels/gather.ts";
import { index, flip } from "../../../kernels/slice.ts";
import type { Value } from "../../../graph/node.ts";
import { FormatError } from "../../../tensor/errors.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { gruSequence, lstmSequence, type RecurrentWeights } from "../../recurrent.ts";
import type { Constant } from "../constant.ts";
import type { Layer, LayerCall } from "./keras-layers.ts";
import { asFile, laid, type Laid } from "./layout.ts";

function fail(call: LayerCall, problem: string): never {
  throw new FormatError(`tfjs: ${call.className} layer "${call.name}" ${problem}`);
}

const input = (call: LayerCall): Value => asFile(call.inputs[0] ?? fail(call, "has no input"));

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

/** Whole numbers; a Sequential declares them as float32. */
const lookUp: Layer = (call) => {
  if (call.config["mask_zero"] === true) fail(call, "masks zeros, which is not supported");
  const table = call.weight("embeddings") ?? fail(call, 'lacks its weight "embeddings"');
  return laid(embedding(call.store.tensor(table), cast(input(call), "i32")));
};

export const recurrentLayers: ReadonlyMap<string, Layer> = new Map(
  Object.entries<Layer>({ LSTM: lstm, GRU: gru, Embedding: lookUp }),
);
