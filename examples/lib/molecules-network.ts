// The graph network: two weave layers over atoms and pairs of atoms, a sum over the atoms, one logit.
import { compile } from "../../src/compiler/program.ts";
import * as nn from "../../src/nn/index.ts";
import { add, mul } from "../../src/kernels/arithmetic.ts";
import { equal, relu } from "../../src/kernels/choice.ts";
import type { Value } from "../../src/graph/node.ts";
import type { Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { falling } from "./fleet.ts";
import {
  ATOM_FEATURES,
  ATOM_SIZES,
  moleculeArrays,
  PAIR_FEATURES,
  PAIR_SIZES,
  sizeClasses,
} from "./molecules-features.ts";
import { rowBatches } from "./rows.ts";

export interface WeaveSettings {
  readonly layers: number;
  /** Features of an atom and of a pair after each layer. */
  readonly atoms: number;
  readonly pairs: number;
}

/** What the network reads: features [B, N, F] and [B, N, N, F], masks i32 as in `MoleculeArrays`. */
export interface MoleculeValues {
  readonly atoms: Value;
  readonly pairs: Value;
  readonly partners: Value;
  readonly lengths: Value;
}

export interface MoleculeNetwork {
  init(device: Device, key: string): Record<string, Tensor>;
  /** @returns logits [B, 1] */
  apply(parameters: nn.Parameters, molecules: MoleculeValues): Value;
}

export function moleculeNetwork({ layers, atoms, pairs }: WeaveSettings): MoleculeNetwork {
  const weaves = Array.from({ length: layers }, (_, k) =>
    nn.weaveLayer({
      inputs: k === 0 ? { atoms: ATOM_FEATURES.length, pairs: PAIR_FEATURES.length } : { atoms, pairs },
      outputs: { atoms, pairs },
    }),
  );
  const readout = nn.sequential([
    ["hidden", nn.dense(atoms, atoms)],
    ["relu", nn.activation(relu)],
    ["logit", nn.dense(atoms, 1)],
  ]);
  return {
    init: (device, key) => ({
      ...Object.fromEntries(
        weaves.flatMap((layer, k) =>
          Object.entries(layer.init(nn.random(`${key}/weave${k}`))).map(([name, array]) => [
            `weave${k}.${name}`,
            device.tensor(array),
          ]),
        ),
      ),
      ...readout.init(device, key),
    }),
    apply(parameters, { atoms: a, pairs: p, partners, lengths }) {
      const options = { lengths, pairs: equal(partners, 1) };
      const last = weaves.reduce(
        (features, layer, k) => layer.apply(parametersOf(parameters, `weave${k}.`), features, options),
        { atoms: a, pairs: p },
      );
      return readout.apply(parameters, mul(nn.maskedSum(last.atoms, lengths), 1 / 32));
    },
  };
}

/** Those of one layer, without its name. */
const parametersOf = (parameters: nn.Parameters, prefix: string): nn.Parameters =>
  Object.fromEntries(
    Object.entries(parameters).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );

/** Categories as the network's features. */
function featuresOf([atoms, pairs, partners, lengths]: readonly Value[]): MoleculeValues {
  return {
    atoms: nn.oneHotFeatures(atoms!, ATOM_SIZES),
    pairs: nn.oneHotFeatures(pairs!, PAIR_SIZES),
    partners: partners!,
    lengths: lengths!,
  };
}

/** {@link MoleculeArrays} by position. */
const INPUTS = ["atoms", "pairs", "partners", "lengths"] as const;
const inputsOf = (graphs: readonly nn.GraphExample[], nodes: number): HostArray[] => {
  const arrays = moleculeArrays(graphs, nodes);
  return INPUTS.map((name) => arrays[name]);
};

/** What {@link MoleculeNetwork} reads, as arrays: the features of molecules [B, N, F] and [B, N, N, F], and their masks. */
export async function featureArrays(device: Device, graphs: readonly nn.GraphExample[], nodes?: number) {
  const { atoms, pairs, partners, lengths } = moleculeArrays(graphs, nodes);
  const inputs = [atoms, pairs].map((array) => device.tensor(array));
  try {
    const program = compile(device, (a, p) => [nn.oneHotFeatures(a, ATOM_SIZES), nn.oneHotFeatures(p, PAIR_SIZES)], [
      atoms,
      pairs,
    ]);
    const [ofAtoms, ofPairs] = await program.runAndRead(inputs);
    return { atoms: ofAtoms!, pairs: ofPairs!, partners, lengths };
  } finally {
    inputs.forEach((tensor) => tensor.dispose());
  }
}

// ---- training ------------------------------------------------------------------------------------------------------

/** Molecules of a training step, by class of size: in proportion to the classes, so that each comes up equally often. */
const BATCH = [4, 4, 4, 3, 1];

export interface MoleculeTraining extends WeaveSettings {
  readonly steps: number;
  readonly learningRate: number;
  /** Of AdamW. */
  readonly weightDecay: number;
  readonly seed: number;
}

export interface LabelledGraph {
  readonly graph: nn.GraphExample;
  readonly active: boolean;
}

export interface MoleculeTools {
  readonly device: Device;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, loss: number) => void;
}

/** Parameters after `steps` steps of AdamW on the binary cross entropy; the learning rate falls linearly. */
export async function trainMolecules(
  examples: readonly LabelledGraph[],
  settings: MoleculeTraining,
  { device, signal, onProgress }: MoleculeTools,
): Promise<Record<string, Tensor>> {
  const { steps, learningRate, weightDecay, seed } = settings;
  const network = moleculeNetwork(settings);
  const { parameters } = await nn.train(device, {
    parameters: network.init(device, `molecules/${seed}`),
    loss: (p, ...batch) => lossOf(network, p, batch),
    optimiser: falling(nn.adam({ learningRate, weightDecay }), steps),
    batches: batchesOf(examples, settings),
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

/** Mean over all molecules of a step, whose arrays come one class of size after the other. */
function lossOf(network: MoleculeNetwork, parameters: nn.Parameters, batch: readonly Value[]): Value {
  const width = INPUTS.length + 1;
  const classes = Array.from({ length: batch.length / width }, (_, k) => batch.slice(k * width, (k + 1) * width));
  const sizeOf = (own: readonly Value[]): number => own.at(-1)!.shape[0]!;
  const total = classes.reduce((sum, own) => sum + sizeOf(own), 0);
  return classes
    .map((own) => {
      const loss = nn.binaryCrossEntropy(network.apply(parameters, featuresOf(own)), own.at(-1)!);
      return mul(loss, sizeOf(own) / total);
    })
    .reduce((a, b) => add(a, b));
}

function* batchesOf(examples: readonly LabelledGraph[], { steps, seed }: MoleculeTraining): Generator<HostArray[]> {
  const classes = sizeClasses(
    examples.map(({ graph }) => graph),
    BATCH,
  );
  const streams = classes.map(({ members, share }, k) =>
    rowBatches(members.length, share, steps, nn.random(`molecules/${seed}/batches${k}`)),
  );
  for (let step = 0; step < steps; step++) {
    yield classes.flatMap(({ members, nodes }, k) => {
      const chosen = Array.from(streams[k]!.next().value as Int32Array, (i) => examples[members[i]!]!);
      const labels = chosen.map(({ active }) => Number(active));
      const inputs = inputsOf(
        chosen.map(({ graph }) => graph),
        nodes,
      );
      return [...inputs, hostArray(labels, [labels.length, 1])];
    });
  }
}

// ---- logits --------------------------------------------------------------------------------------------------------

/** Classes of size, and molecules of one call, where nothing is trained. */
const CLASSES = [1, 1, 1, 1, 1];
const AT_ONCE = 16;

/** Graphs of one class of size, at most {@link AT_ONCE}: their numbers, and the padded size. */
export interface Portion {
  readonly members: Int32Array;
  readonly nodes: number;
}

/** All graphs in portions, whose arrays have few different shapes. */
export function portionsOf(graphs: readonly nn.GraphExample[], most = AT_ONCE): Portion[] {
  return sizeClasses(graphs, CLASSES).flatMap(({ members, nodes }) =>
    Array.from({ length: Math.ceil(members.length / most) }, (_, k) => ({
      members: members.slice(k * most, (k + 1) * most),
      nodes,
    })),
  );
}

/** Logits of all graphs, in their order. */
export async function moleculeLogits(
  network: MoleculeNetwork,
  parameters: Readonly<Record<string, Tensor>>,
  graphs: readonly nn.GraphExample[],
  { device, signal, onProgress }: MoleculeTools,
): Promise<Float64Array> {
  const logits = new Float64Array(graphs.length);
  let done = 0;
  for (const { members, nodes } of portionsOf(graphs)) {
    signal?.throwIfAborted();
    const arrays = inputsOf(
      Array.from(members, (i) => graphs[i]!),
      nodes,
    );
    const inputs = arrays.map((array) => device.tensor(array));
    try {
      const program = compile(device, (...values) => network.apply(parameters, featuresOf(values)), arrays);
      const [found] = await program.runAndRead(inputs);
      members.forEach((i, k) => (logits[i] = found!.data[k]!));
    } finally {
      inputs.forEach((tensor) => tensor.dispose());
    }
    onProgress?.((done += members.length), 0);
  }
  return logits;
}
