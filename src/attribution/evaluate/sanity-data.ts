// Data randomisation (Adebayo et al., arXiv 1810.03292): a network that learnt permuted labels by heart has nothing to say
// about the true ones. A method whose maps are those of a properly trained network does not explain what was learnt.
import { ArgumentError } from "../../tensor/errors.ts";
import type { Device } from "../../tensor/device.ts";
import { hostArray, type HostArray } from "../../tensor/host.ts";
import { numel } from "../../tensor/shape.ts";
import { crossEntropy } from "../../nn/losses.ts";
import type { Model } from "../../nn/model.ts";
import { adam, type Optimiser } from "../../nn/optimise.ts";
import { random, type Random } from "../../nn/random.ts";
import { modelOf, type Network } from "../../nn/sequential.ts";
import { train } from "../../nn/train.ts";
import type { ArrayInput, Progress } from "../types.ts";
import { Comparison, targetsOf, type CheckedMethod, type ComparisonOptions, type Curve } from "./sanity.ts";

/** Examples with their classes. */
export interface LabelledExamples {
  /** [N, ...example] */
  readonly inputs: HostArray;
  /** N class indices. */
  readonly labels: ArrayLike<number>;
}

export interface TrainingOptions {
  /** Default 500. The network must be able to learn permuted labels by heart, which takes longer than the true ones. */
  readonly steps?: number;
  /** Examples of each step. Default 32, or all if there are fewer. */
  readonly batch?: number;
  /** Makes an optimiser for each network. Default `adam()`. */
  readonly optimiser?: () => Optimiser;
  /** Of initial weights, order of examples and permutation. Default 0. */
  readonly seed?: number | string;
  /** Called every 50 steps and after the last. */
  readonly onProgress?: (progress: Progress) => void;
  /** Ends training with the signal's reason; nothing stays allocated. */
  readonly signal?: AbortSignal;
}

export interface TrainedClassifier {
  readonly model: Model;
  /** Mean loss of each reporting interval. */
  readonly losses: readonly number[];
}

/** The same labels in random order: each class stays as frequent as it was. */
export function permutedLabels(labels: ArrayLike<number>, seed: number | string = 0): Int32Array {
  return random(seed)
    .fork("labels")
    .permutation(labels.length)
    .map((i) => labels[i]!);
}

/** Trains a network on examples and their classes, with softmax cross entropy. The model is the caller's to dispose of. */
export async function trainClassifier(
  device: Device,
  network: Network,
  { inputs, labels }: LabelledExamples,
  options: TrainingOptions = {},
): Promise<TrainedClassifier> {
  const [count = 0, ...shape] = inputs.shape;
  const { seed = 0, steps = 500, batch = Math.min(32, count), optimiser = adam, onProgress, signal } = options;
  signal?.throwIfAborted();
  if (labels.length !== count) throw new ArgumentError(`labels: ${labels.length} were given for ${count} examples`);
  const batches = shuffled({ inputs, labels }, steps, batch, random(seed).fork("order"));
  const { parameters, losses } = await train(device, {
    parameters: network.init(device, seed),
    loss: (p, x, y) => crossEntropy(network.apply(p, x), y),
    optimiser: optimiser(),
    batches,
    onProgress: ({ step }) => onProgress?.({ done: step, total: steps }),
    ...(signal && { signal }),
  });
  const model = modelOf(network, parameters, shape);
  if (signal?.aborted) model.dispose();
  signal?.throwIfAborted();
  return { model, losses };
}

/** Batches of examples in an order that is new in every epoch. */
function* shuffled(
  { inputs, labels }: LabelledExamples,
  steps: number,
  batch: number,
  key: Random,
): Generator<readonly HostArray[]> {
  const [count = 0, ...shape] = inputs.shape;
  const size = numel(shape);
  let order: number[] = [];
  for (let step = 0; step < steps; step++) {
    while (order.length < batch) order = [...order, ...key.permutation(count)];
    const chosen = order.splice(0, batch);
    const rows = new Float32Array(batch * size);
    chosen.forEach((n, i) => rows.set(inputs.data.subarray(n * size, (n + 1) * size), i * size));
    yield [
      hostArray(rows, [batch, ...shape]),
      hostArray(
        chosen.map((n) => labels[n]!),
        [batch],
        "i32",
      ),
    ];
  }
}

export interface DataRandomisationOptions extends TrainingOptions, ComparisonOptions {
  readonly device: Device;
  /** Called every 50 training steps, counting those of both networks, then after every map, counting maps. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface DataRandomisationResult {
  /** The explained class of every example: what the network with true labels predicts, unless told otherwise. */
  readonly targets: readonly number[];
  /** By method and similarity, one step: maps of the two networks compared. */
  readonly curves: Readonly<Record<string, Readonly<Record<string, Curve>>>>;
  /** By method: maps of the network with true labels, then with permuted ones. Only with `keepMaps`. */
  readonly maps?: Readonly<Record<string, readonly HostArray[]>>;
  readonly losses: { readonly labels: readonly number[]; readonly permuted: readonly number[] };
}

/**
 * Trains a network twice from the same initial weights, on the labels and on the same labels permuted, and compares each
 * method's maps of `input`. Look at `losses.permuted`: the comparison means little unless they became small.
 *
 * @param methods by the names that the results get
 * @throws ArgumentError, NumericError as training and the methods do
 */
export async function dataRandomisation(
  methods: Readonly<Record<string, CheckedMethod>>,
  network: Network,
  data: LabelledExamples,
  input: ArrayInput,
  options: DataRandomisationOptions,
): Promise<DataRandomisationResult> {
  const { device, seed = 0 } = options;
  const made: Model[] = [];
  const trained = async (labels: ArrayLike<number>): Promise<TrainedClassifier> => {
    const before = made.length;
    const onProgress = ({ done, total }: Progress): void =>
      options.onProgress?.({ done: before * total + done, total: 2 * total });
    const result = await trainClassifier(device, network, { ...data, labels }, { ...options, onProgress });
    made.push(result.model);
    return result;
  };
  try {
    const proper = await trained(data.labels);
    const permuted = await trained(permutedLabels(data.labels, seed));
    const targets = await targetsOf(proper.model, input, options.target);
    const comparison = new Comparison(methods, input, targets, 1, options);
    for (const { model } of [proper, permuted]) await comparison.add(model);
    return { targets, ...comparison.result(), losses: { labels: proper.losses, permuted: permuted.losses } };
  } finally {
    made.forEach((model) => model.dispose());
  }
}
