// The language model: word embedding, LSTM, softmax. It is trained on all steps of windows of text and explained at the
// last one, with the same parameters.
import { compile } from "../../src/compiler/program.ts";
import { crossEntropy } from "../../src/nn/losses.ts";
import * as nn from "../../src/nn/index.ts";
import { iota } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { equal, select } from "../../src/kernels/choice.ts";
import { takeTarget } from "../../src/kernels/gather.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { expandDims } from "../../src/kernels/movement.ts";
import { sliceAxis } from "../../src/kernels/slice.ts";
import { logSoftmax } from "../../src/kernels/softmax.ts";
import type { Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { falling } from "./fleet.ts";

/** Windows of a batch when probabilities are computed. */
const EVALUATED = 32;

export interface NetworkSettings {
  readonly vocabulary: number;
  readonly embedding: number;
  readonly units: number;
}

/** ids i32 [B, T] -> logits of the next word [B, V] after the last step, or [B, T, V] after every step. */
export function languageNetwork(settings: NetworkSettings, output: "last" | "sequence"): nn.Network {
  const { vocabulary, embedding, units } = settings;
  return nn.sequential([
    ["embedding", nn.embedding(vocabulary, embedding, nn.normal(0.1))],
    ["lstm", nn.lstm(embedding, units, { output, forgetBias: 1 })],
    ["output", nn.dense(units, vocabulary, { initialiser: nn.xavierUniform })],
  ]);
}

export interface TrainingSettings extends NetworkSettings {
  /** Words of a window, and windows of a training step. */
  readonly window: number;
  readonly batch: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly seed: number;
}

export interface TrainingTools {
  readonly device: Device;
  readonly signal?: AbortSignal;
  readonly onProgress?: (step: number, loss: number) => void;
}

/**
 * Parameters after `steps` steps of Adam, whose learning rate falls linearly, on windows from random places of the text. The
 * LSTM's state is zero before each window: so it is when contexts are explained.
 */
export async function trainLanguage(
  tokens: Int32Array,
  settings: TrainingSettings,
  { device, signal, onProgress }: TrainingTools,
): Promise<Record<string, Tensor>> {
  const { steps, learningRate, seed } = settings;
  const network = languageNetwork(settings, "sequence");
  const { parameters } = await nn.train(device, {
    parameters: initial(network.init(device, `language/${seed}`), tokens, settings),
    loss: (p, ids, next) => crossEntropy(network.apply(p, ids, embeddedByProduct(p, ids, settings.vocabulary)), next),
    optimiser: falling(nn.adam({ learningRate }), steps),
    batches: windows(tokens, settings),
    reportEvery: 10,
    ...(signal && { signal }),
    ...(onProgress && { onProgress: ({ step, loss }: { step: number; loss: number }) => onProgress(step, loss) }),
  });
  if (signal?.aborted) {
    Object.values(parameters).forEach((tensor) => tensor.dispose());
    signal.throwIfAborted();
  }
  return parameters;
}

/** The last bias starts as the logarithms of the words' frequencies: they need not be learnt. */
function initial(parameters: Record<string, Tensor>, tokens: Int32Array, { vocabulary }: NetworkSettings) {
  const counts = new Float32Array(vocabulary).fill(1);
  for (const id of tokens) counts[id]!++;
  const { "output.bias": zeros, ...others } = parameters;
  const bias = zeros!.device.tensor(hostArray(counts.map((count) => Math.log(count / tokens.length))));
  zeros!.dispose();
  return { ...others, "output.bias": bias };
}

/**
 * The same embedding as a product with ones and zeros. Its gradient is one more product, where that of a look-up compares
 * each row of the table with each word of the batch: much slower for a thousand words.
 */
function embeddedByProduct(parameters: nn.Parameters, ids: Value, vocabulary: number): nn.Tap {
  const chosen = select(equal(expandDims(ids, -1), iota(vocabulary)), 1, 0);
  return (name, value) => (name === "embedding" ? matmul(chosen, parameters["embedding.weight"]!) : value);
}

/** Words [B, T], and the words that follow each of them. */
function* windows(tokens: Int32Array, { window, batch, steps, seed }: TrainingSettings): Generator<HostArray[]> {
  const stream = nn.random(`language/${seed}/windows`);
  for (let step = 0; step < steps; step++) {
    const starts = Array.from({ length: batch }, () => stream.below(tokens.length - window));
    yield [0, 1].map((shift) => windowsAt(tokens, starts, shift, window));
  }
}

/**
 * ln P(word | the words before it) for the second half of each window, [windows * size / 2]: every word has between size / 2 and
 * size words before it. The state is zero before each window.
 * @param starts of the windows in the text
 * @param size even; a window and the word after it must lie inside the text
 */
export async function logProbabilities(
  network: NetworkSettings,
  { parameters, device }: nn.Model,
  tokens: Int32Array,
  { starts, size }: Windows,
  { signal, onProgress }: { readonly signal?: AbortSignal; readonly onProgress?: (done: number) => void } = {},
): Promise<Float64Array> {
  const traced = languageNetwork(network, "sequence");
  const half = size / 2;
  const found: number[] = [];
  const batch = Math.min(EVALUATED, starts.length);
  const program = compile(
    device,
    (ids, next) => takeTarget(logSoftmax(sliceAxis(traced.apply(parameters, ids), 1, half, size)), next),
    [
      { shape: [batch, size], dtype: "i32" },
      { shape: [batch, half], dtype: "i32" },
    ],
  );
  for (let from = 0; from < starts.length; from += batch) {
    signal?.throwIfAborted();
    // The last batch is filled up with its own last window, whose copies are left out again.
    const own = Array.from({ length: batch }, (_, k) => starts[Math.min(from + k, starts.length - 1)]!);
    const ids = device.tensor(windowsAt(tokens, own, 0, size));
    const next = device.tensor(windowsAt(tokens, own, half + 1, half));
    try {
      const [logs] = await program.runAndRead([ids, next]);
      found.push(...logs!.data.subarray(0, Math.min(batch, starts.length - from) * half));
    } finally {
      ids.dispose();
      next.dispose();
    }
    onProgress?.(Math.min(from + batch, starts.length));
  }
  return Float64Array.from(found);
}

export interface Windows {
  readonly starts: readonly number[];
  readonly size: number;
}

/** At equal distances over a text, so that their second halves do not overlap. */
export function evenWindows(length: number, size: number, most: number): Windows {
  const places = Math.floor((length - 1 - size) / (size / 2)) + 1;
  const count = Math.min(most, places);
  const starts = Array.from({ length: count }, (_, k) => Math.floor((k * places) / count) * (size / 2));
  return { starts, size };
}

/** `size` ids from `shift` words after each start: i32 [starts, size]. */
function windowsAt(tokens: Int32Array, starts: readonly number[], shift: number, size: number): HostArray {
  const ids = starts.flatMap((at) => [...tokens.subarray(at + shift, at + shift + size)]);
  return hostArray(ids, [starts.length, size], "i32");
}
