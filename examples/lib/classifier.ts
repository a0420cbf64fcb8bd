// Networks with one logit, trained on rows with labels 0 and 1.
import { compile } from "../../src/compiler/program.ts";
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { falling } from "./fleet.ts";
import { chosenRows, rowBatches } from "./rows.ts";

export interface ClassifierOptions {
  /** [rows, features] */
  readonly x: HostArray;
  /** 0 or 1 for each row. */
  readonly labels: ArrayLike<number>;
  /** Of the initial weights and the order of the rows. */
  readonly key: string;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  /** Of AdamW. */
  readonly weightDecay: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (step: number) => void;
}

/**
 * Minimises the binary cross entropy with AdamW; the learning rate falls linearly. The model is the caller's to
 * dispose of.
 */
export async function trainClassifier(
  device: Device,
  network: nn.Network,
  options: ClassifierOptions,
): Promise<nn.Model> {
  const { x, key, steps, learningRate, weightDecay, signal, onProgress } = options;
  const { parameters } = await nn.train(device, {
    parameters: network.init(device, key),
    loss: (p, rows, labels) => nn.binaryCrossEntropy(network.apply(p, rows), labels),
    optimiser: falling(nn.adam({ learningRate, weightDecay }), steps),
    batches: batchesOf(options),
    reportEvery: 25,
    ...(signal && { signal }),
    ...(onProgress && { onProgress: ({ step }: { step: number }) => onProgress(step) }),
  });
  const model = nn.modelOf(network, parameters, [x.shape[1]!]);
  if (signal?.aborted) {
    model.dispose();
    signal.throwIfAborted();
  }
  return model;
}

/** Logits of all rows of x [rows, features]. */
export async function logitsOf(model: nn.Model, x: HostArray): Promise<Float32Array> {
  const input = model.device.tensor(x);
  try {
    const [logits] = await compile(model.device, nn.modelFunction(model), [x]).runAndRead([input]);
    return Float32Array.from(logits!.data);
  } finally {
    input.dispose();
  }
}

function* batchesOf({ x, labels, batch, steps, key }: ClassifierOptions): Generator<HostArray[]> {
  for (const rows of rowBatches(x.shape[0]!, batch, steps, nn.random(`${key}/batches`))) {
    const wanted = Float32Array.from(rows, (row) => labels[row]!);
    yield [chosenRows(x, rows), hostArray(wanted, [batch, 1])];
  }
}
