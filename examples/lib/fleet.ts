// Many copies of one network trained side by side on the same rows with different targets: their weights share a
// leading axis, so that a step of all of them is one program.
import { compile } from "../../src/compiler/program.ts";
import { add, mul, sub } from "../../src/kernels/arithmetic.ts";
import { maximum, relu } from "../../src/kernels/choice.ts";
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { numel } from "../../src/tensor/shape.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { chosenRows, rowBatches } from "./rows.ts";

/** Fully connected layers of these widths, inputs and outputs included, with ReLUs between them. */
export function reluNetwork(widths: readonly number[]): nn.Network {
  const last = widths.length - 2;
  return nn.sequential(
    widths.slice(1).flatMap((width, l) => {
      const layer = [`dense${l + 1}`, nn.dense(widths[l]!, width)] as const;
      return l === last ? [layer] : [layer, [`relu${l + 1}`, nn.activation(relu)] as const];
    }),
  );
}

export interface FleetOptions {
  readonly network: nn.Network;
  /** [rows, inputs], shared by all copies. */
  readonly x: HostArray;
  /** For each copy, a target per row. */
  readonly targets: readonly ArrayLike<number>[];
  /** Of the initial weights (the same in all copies) and of the order of the rows. */
  readonly key: string;
  readonly steps: number;
  /** Rows of a step. */
  readonly batch: number;
  readonly learningRate: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (step: number) => void;
}

/**
 * Minimises each copy's mean squared error with Adam; the learning rate falls linearly to a hundredth.
 * @returns weights [copies, in, out] and biases [copies, 1, out]; without the leading axes for one copy
 */
export async function trainFleet(device: Device, options: FleetOptions): Promise<Record<string, Tensor>> {
  const { network, targets, key, steps, signal, onProgress } = options;
  const { parameters } = await nn.train(device, {
    parameters: await repeated(network.init(device, key), targets.length),
    // The sum over the copies: none of them feels how many others there are.
    loss: (p, x, y) => mul(nn.meanSquaredError(network.apply(p, x), y), targets.length),
    optimiser: falling(nn.adam({ learningRate: options.learningRate }), steps),
    batches: batchesOf(options, nn.random(`${key}/batches`)),
    reportEvery: 25,
    ...(signal && { signal }),
    ...(onProgress && { onProgress: ({ step }: { step: number }) => onProgress(step) }),
  });
  if (signal?.aborted) {
    Object.values(parameters).forEach((tensor) => tensor.dispose());
    signal.throwIfAborted();
  }
  return parameters;
}

/** Predictions of each of `copies` networks for all rows of x [rows, inputs]. */
export async function predictFleet(
  network: nn.Network,
  parameters: Readonly<Record<string, Tensor>>,
  x: HostArray,
  copies: number,
): Promise<Float32Array[]> {
  const { device } = Object.values(parameters)[0]!;
  const input = device.tensor(x);
  const program = compile(device, (value) => network.apply(parameters, value), [x]);
  try {
    const [all] = await program.runAndRead([input]);
    const rows = x.shape[0]!;
    return Array.from({ length: copies }, (_, k) => Float32Array.from(all!.data.subarray(k * rows, (k + 1) * rows)));
  } finally {
    input.dispose();
  }
}

/** Copies along a new leading axis; a vector gets an axis for the rows as well. Frees what it was given. */
async function repeated(parameters: Record<string, Tensor>, copies: number): Promise<Record<string, Tensor>> {
  if (copies === 1) return parameters;
  const names = Object.keys(parameters);
  const device = parameters[names[0]!]!.device;
  const arrays = await device.read(names.map((name) => parameters[name]!));
  Object.values(parameters).forEach((tensor) => tensor.dispose());
  const many = arrays.map(({ shape, data }) => {
    const size = numel(shape);
    const all = Float32Array.from({ length: copies * size }, (_, i) => data[i % size]!);
    return device.tensor(hostArray(all, shape.length === 1 ? [copies, 1, ...shape] : [copies, ...shape]));
  });
  return Object.fromEntries(names.map((name, i) => [name, many[i]!]));
}

function* batchesOf({ x, targets, batch, steps }: FleetOptions, stream: nn.Random): Generator<HostArray[]> {
  const copies = targets.length;
  for (const rows of rowBatches(x.shape[0]!, batch, steps, stream)) {
    const wanted = Float32Array.from({ length: copies * batch }, (_, i) => {
      return targets[Math.floor(i / batch)]![rows[i % batch]!]!;
    });
    yield [chosenRows(x, rows), hostArray(wanted, copies === 1 ? [batch, 1] : [copies, batch, 1])];
  }
}

/** Another optimiser whose steps shrink linearly to a hundredth. It must count them in its state, as Adam does. */
export function falling(optimiser: nn.Optimiser, steps: number): nn.Optimiser {
  return {
    init: optimiser.init,
    update(parameters, gradients, state) {
      const next = optimiser.update(parameters, gradients, state);
      const share = maximum(sub(1, mul(state["step"]!, 1 / steps)), 0.01);
      const shortened = Object.entries(next.parameters).map(([name, value]) => {
        const before = parameters[name]!;
        return [name, add(before, mul(sub(value, before), share))] as const;
      });
      return { ...next, parameters: Object.fromEntries(shortened) };
    },
  };
}
