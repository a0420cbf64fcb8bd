// A small convolutional network, trained here or out of the cache.
import type { LabelledExamples } from "../../src/attribution/evaluate/sanity-data.ts";
import { trainClassifier } from "../../src/attribution/evaluate/sanity-data.ts";
import type { Progress } from "../../src/attribution/types.ts";
import { relu } from "../../src/kernels/index.ts";
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import { logitsOf } from "./classifier.ts";
import { cachedWeights } from "./weights.ts";
import { examplesAt, type LabelledPictures } from "./sanity-fashion.ts";

export interface TrainingSettings {
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** Two convolutions 3 x 3 with max pooling 2 x 2, and two dense layers, for square pictures of one channel. */
export function smallCnn(size: number, classes: number): nn.Network {
  const pooled = (side: number): number => Math.floor((side - 2) / 2);
  return nn.sequential([
    ["conv 1", nn.conv(1, 8, { kernel: 3 })],
    ["relu 1", nn.activation(relu)],
    ["pool 1", nn.maxPooling({ kernel: 2 })],
    ["conv 2", nn.conv(8, 16, { kernel: 3 })],
    ["relu 2", nn.activation(relu)],
    ["pool 2", nn.maxPooling({ kernel: 2 })],
    ["flat", nn.flatten()],
    ["dense", nn.dense(16 * pooled(pooled(size)) ** 2, 64)],
    ["relu 3", nn.activation(relu)],
    ["output", nn.dense(64, classes)],
  ]);
}

export interface TrainedCnn {
  readonly model: nn.Model;
  /** Shares of right predictions. */
  readonly accuracy: { readonly train: number; readonly held: number };
  readonly cached: boolean;
}

export interface CnnOptions {
  readonly device: Device;
  readonly signal?: AbortSignal;
  readonly note?: (text: string) => void;
  readonly onProgress?: (stage: string, done: number, total: number) => void;
  /** Trains even if there are weights. */
  readonly again?: boolean;
  /** Where weights are kept. Default: the cache folder of the user. */
  readonly cache?: string;
}

/** The network with its weights for these pictures; the model is the caller's to dispose of. */
export async function trainedCnn(
  { train, held, classes }: LabelledPictures,
  settings: TrainingSettings,
  { device, signal, onProgress, ...caching }: CnnOptions,
): Promise<TrainedCnn> {
  const shape = train.inputs.shape.slice(1);
  const network = smallCnn(shape[1]!, classes.length);
  const { batch, steps, seed, learningRate } = settings;
  const watched = ({ done, total }: Progress): void => onProgress?.("training on pictures of clothes", done, total);
  const optimiser = (): nn.Optimiser => nn.adam({ learningRate });
  const options = { batch, steps, seed, optimiser, onProgress: watched, ...(signal && { signal }) };
  const { parameters, cached } = await cachedWeights({
    device,
    network,
    key: { example: "sanity", ...settings, shape, count: train.labels.length, classes },
    train: async () => ({
      parameters: { ...(await trainClassifier(device, network, train, options)).model.parameters },
      facts: {},
    }),
    ...caching,
  });
  const model = nn.modelOf(network, parameters, shape, { classes });
  try {
    const accuracy = { train: await accuracyOf(model, train), held: await accuracyOf(model, held) };
    return { model, accuracy, cached };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Share of the examples, of the first two thousand at most, whose class a model predicts. */
async function accuracyOf(model: nn.Model, examples: LabelledExamples): Promise<number> {
  const rows = Array.from({ length: Math.min(2000, examples.labels.length) }, (_, row) => row);
  const { inputs, labels } = examplesAt(examples, rows);
  return rightShare(await logitsOf(model, inputs), labels);
}

/** Share of rows of logits [rows, classes] whose largest value is at the label. */
export function rightShare(logits: Float32Array, labels: ArrayLike<number>): number {
  const classes = logits.length / labels.length;
  let right = 0;
  for (let r = 0; r < labels.length; r++) {
    const row = logits.subarray(r * classes, (r + 1) * classes);
    if (row.indexOf(Math.max(...row)) === labels[r]) right++;
  }
  return right / labels.length;
}
