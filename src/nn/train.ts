// The training loop: one program per step, chained on the device. Parameters and optimiser state never leave it; losses are
// read back only when somebody asks.
import { vjpGraph } from "../autograd/index.ts";
import { compile, type Program } from "../compiler/program.ts";
import { fill } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { refuseShapes } from "../tensor/checks.ts";
import { ArgumentError, NumericError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { mapValues, type Optimiser } from "./optimise.ts";

export interface TrainOptions {
  /** Initial parameters. They are freed as training replaces them: use the returned ones afterwards. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** Scalar loss of a batch, from the parameters and the arrays of the batch by position. */
  readonly loss: (parameters: Readonly<Record<string, Value>>, ...batch: Value[]) => Value;
  readonly optimiser: Optimiser;
  /** Arrays of each step, all steps alike in shape. Its end is the end of training. */
  readonly batches: Iterable<readonly HostArray[]> | AsyncIterable<readonly HostArray[]>;
  /** Called every `reportEvery` steps and at the end with the mean loss since the last report. */
  readonly onProgress?: (progress: { readonly step: number; readonly loss: number }) => void;
  /** Default 50. */
  readonly reportEvery?: number;
  /** Ends training after the current step; what was learnt so far is returned. */
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  readonly parameters: Record<string, Tensor>;
  readonly steps: number;
  /** Mean loss of each reporting interval. */
  readonly losses: readonly number[];
}

/**
 * Trains until the batches end or the signal aborts.
 * @throws NumericError when the loss is not finite at a report
 * @throws ShapeError when the loss is not a scalar
 */
export async function train(device: Device, options: TrainOptions): Promise<TrainResult> {
  const { batches, onProgress, reportEvery = 50, signal, optimiser } = options;
  const names = Object.keys(options.parameters);
  if (names.length === 0) throw new ArgumentError("train: there are no parameters to train");
  const shapes = mapValues(options.parameters, ({ shape }) => shape);
  const state = mapValues(optimiser.init(shapes), (array) => device.tensor(array));
  let carried = [...Object.values(options.parameters), ...Object.values(state)];
  const losses: number[] = [];
  const pending: Tensor[] = [];
  let program: Program | undefined;
  let steps = 0;
  const report = async (): Promise<void> => {
    const values = (await device.read(pending)).map(({ data }) => data[0]!);
    pending.splice(0).forEach((t) => t.dispose());
    const loss = values.reduce((a, b) => a + b, 0) / values.length;
    losses.push(loss);
    onProgress?.({ step: steps, loss });
    if (!Number.isFinite(loss)) {
      throw new NumericError(
        `train: the loss is ${loss} after ${steps} steps; lower the learning rate, or check the data for NaN`,
      );
    }
  };
  try {
    for await (const batch of batches) {
      if (signal?.aborted) break;
      program ??= compile(device, trainStep(options, names, Object.keys(state)), [...carried, ...batch]);
      const inputs = batch.map((array) => device.tensor(array));
      try {
        const [loss, ...fresh] = await program.run([...carried, ...inputs]);
        pending.push(loss!);
        carried.forEach((t) => t.dispose());
        carried = fresh;
      } finally {
        inputs.forEach((t) => t.dispose());
      }
      steps++;
      if (pending.length >= reportEvery) await report();
    }
    if (pending.length > 0) await report();
  } catch (error) {
    [...carried, ...pending].forEach((t) => t.dispose());
    throw error;
  }
  carried.slice(names.length).forEach((t) => t.dispose());
  return { parameters: Object.fromEntries(names.map((name, i) => [name, carried[i]!])), steps, losses };
}

/** (parameters, state, batch) -> (loss, parameters, state), all by position. */
function trainStep(
  options: TrainOptions,
  names: readonly string[],
  stateNames: readonly string[],
): (...inputs: Value[]) => Value[] {
  return (...inputs) => {
    const parameters = byName(names, inputs);
    const state = byName(stateNames, inputs.slice(names.length));
    const loss = options.loss(parameters, ...inputs.slice(names.length + stateNames.length));
    if (numel(loss.shape) !== 1) refuseShapes("train", "a scalar loss (take the mean)", loss);
    const found = vjpGraph(
      [loss],
      names.map((name) => parameters[name]!),
      [fill(loss.shape, 1)],
    );
    // A parameter that the loss does not depend on has no gradient.
    const gradients = Object.fromEntries(names.map((name, i) => [name, found[i] ?? fill(parameters[name]!.shape, 0)]));
    const next = options.optimiser.update(parameters, gradients, state);
    return [loss, ...names.map((name) => next.parameters[name]!), ...stateNames.map((name) => next.state[name]!)];
  };
}

const byName = (names: readonly string[], values: readonly Value[]): Record<string, Value> =>
  Object.fromEntries(names.map((name, i) => [name, values[i]!]));
