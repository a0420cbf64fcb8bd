// Graph networks that screen molecules, a baseline without a graph, and what the network's logits are made of.
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import { logitsOf, trainClassifier } from "./classifier.ts";
import { cachedWeights } from "./weights.ts";
import { SOURCE, type Compound, type CompoundTable } from "./molecules-data.ts";
import { explainMolecules, moleculePaths, type MoleculePath, type TrainedNetwork } from "./molecules-explain.ts";
import { ATOM_FEATURES, graphOf, PAIR_FEATURES } from "./molecules-features.ts";
import { fingerprints } from "./molecules-fingerprint.ts";
import {
  moleculeLogits,
  moleculeNetwork,
  trainMolecules,
  type LabelledGraph,
  type MoleculeTraining,
} from "./molecules-network.ts";
import {
  aucInterval,
  screeningCurve,
  screeningQuality,
  type Interval,
  type ScreeningCurve,
  type ScreeningQuality,
} from "./molecules-screening.ts";
import { isolatedAtoms, type Explained } from "./molecules-statistics.ts";
import { stratifiedSplit, type Split } from "./prepare.ts";
import { chosenRows } from "./rows.ts";

export interface MoleculeSettings {
  readonly training: MoleculeTraining;
  /** Held-out molecules that are explained, and of these the ones that are drawn. */
  readonly molecules: number;
  readonly examples: number;
  /** Of each path. */
  readonly nodes: number;
  /** Whether weights in the cache are passed over. */
  readonly retrain: boolean;
}

export interface StudyTools {
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  readonly onProgress: (stage: string, done: number, total: number) => void;
}

export interface ModelQuality {
  readonly name: string;
  readonly held: ScreeningQuality;
  /** Of the area under the curve on the held-out molecules. */
  readonly interval: Interval;
  /** On the held-out molecules. */
  readonly curve: ScreeningCurve;
  readonly train: ScreeningQuality;
}

export interface TrainingFacts {
  readonly seconds: number;
  readonly cached: boolean;
  readonly losses: readonly number[];
}

export interface MoleculeStudy {
  readonly settings: MoleculeSettings;
  readonly table: CompoundTable;
  readonly split: Split;
  /** The network that is explained, that of one layer, and the baseline. */
  readonly qualities: readonly ModelQuality[];
  readonly trained: TrainingFacts;
  /** Held-out molecules, in random order. */
  readonly sample: readonly Explained[];
  /** The same, by the network of one layer. */
  readonly shallow: readonly Explained[];
  /** Those that are drawn. */
  readonly examples: readonly Explained[];
  readonly path: MoleculePath;
  /** Molecules of any part of the table that have atoms without neighbours. */
  readonly isolated: readonly Explained[];
}

export const BITS = 1024;
const HELD = 0.25;
const POSITIONS = 21;

export async function moleculeStudy(
  table: CompoundTable,
  settings: MoleculeSettings,
  tools: StudyTools,
): Promise<MoleculeStudy> {
  const { training, molecules, nodes } = settings;
  const { compounds } = table;
  const graphs = compounds.map(graphOf);
  const labels = Uint8Array.from(compounds, ({ active }) => Number(active));
  const split = stratifiedSplit(labels, HELD, nn.random(`molecules/${training.seed}/split`));
  const data = { compounds, graphs, labels, split };
  const deep = await trainedNetwork(data, training, settings, tools);
  const flat = await trainedNetwork(data, { ...training, layers: 1 }, settings, tools);
  try {
    const explained = async (rows: ArrayLike<number>, trained: TrainedNetwork, stage: string): Promise<Explained[]> => {
      const chosen = Array.from(rows, (row) => graphs[row]!);
      const found = await explainMolecules(trained, chosen, nodes, {
        ...tools,
        onProgress: (done) => tools.onProgress(stage, done, chosen.length),
      });
      return found.map((explanation, k) => ({ compound: compounds[rows[k]!]!, graph: chosen[k]!, explanation }));
    };
    const qualities = [
      await networkQuality(`weave network, ${training.layers} layers`, data, deep, training.seed, tools),
      await networkQuality("weave network, 1 layer", data, flat, training.seed, tools),
      await baselineQuality(data, training.seed, tools),
    ];
    const rows = split.test.subarray(0, molecules);
    const sample = await explained(rows, deep, "attributions");
    const alone = compounds.flatMap((_, row) => (isolatedAtoms(graphs[row]!).length > 0 ? [row] : []));
    const examples = chosenExamples(sample, settings.examples);
    return {
      settings,
      table,
      split,
      qualities,
      trained: deep.facts,
      sample,
      shallow: await explained(rows, flat, "attributions (1 layer)"),
      examples,
      path: await moleculePaths(
        deep,
        examples.map(({ graph }) => graph),
        POSITIONS,
        { device: tools.device, signal: tools.signal },
      ),
      isolated: await explained(alone, deep, "isolated atoms"),
    };
  } finally {
    [deep, flat].forEach(({ parameters }) => Object.values(parameters).forEach((tensor) => tensor.dispose()));
  }
}

// ---- models --------------------------------------------------------------------------------------------------------

interface Data {
  readonly compounds: readonly Compound[];
  readonly graphs: readonly nn.GraphExample[];
  readonly labels: Uint8Array;
  readonly split: Split;
}

async function trainedNetwork(
  { graphs, labels, split }: Data,
  training: MoleculeTraining,
  { retrain }: MoleculeSettings,
  { device, signal, note, onProgress }: StudyTools,
): Promise<TrainedNetwork & { readonly facts: TrainingFacts }> {
  const network = moleculeNetwork(training);
  const examples = Array.from(split.train, (row): LabelledGraph => {
    return { graph: graphs[row]!, active: labels[row] === 1 };
  });
  const stage = `training, ${training.layers} ${training.layers === 1 ? "layer" : "layers"}`;
  const { parameters, facts, cached } = await cachedWeights({
    device,
    network,
    key: { molecules: SOURCE, training, features: [ATOM_FEATURES, PAIR_FEATURES], train: Array.from(split.train) },
    again: retrain,
    folder: "molecules",
    note,
    async train() {
      const started = performance.now();
      const losses: number[] = [];
      const found = await trainMolecules(examples, training, {
        device,
        signal,
        onProgress(step, loss) {
          losses.push(loss);
          onProgress(stage, step, training.steps);
        },
      });
      const seconds = (performance.now() - started) / 1000;
      return { parameters: found, facts: { seconds: String(seconds), losses: losses.join(" ") } };
    },
  });
  const losses = (facts["losses"] ?? "").split(" ").filter(Boolean).map(Number);
  return { network, parameters, facts: { seconds: Number(facts["seconds"] ?? 0), cached, losses } };
}

function qualityOf(name: string, logits: Float64Array, { labels, split }: Data, seed: number): ModelQuality {
  const part = (rows: Int32Array) =>
    [Float64Array.from(rows, (row) => logits[row]!), Uint8Array.from(rows, (row) => labels[row]!)] as const;
  const held = part(split.test);
  return {
    name,
    held: screeningQuality(...held),
    interval: aucInterval(...held, 1000, nn.random(`molecules/${seed}/bootstrap`)),
    curve: screeningCurve(...held),
    train: screeningQuality(...part(split.train)),
  };
}

async function networkQuality(
  name: string,
  data: Data,
  { network, parameters }: TrainedNetwork,
  seed: number,
  { onProgress, ...tools }: StudyTools,
): Promise<ModelQuality> {
  const logits = await moleculeLogits(network, parameters, data.graphs, {
    ...tools,
    onProgress: (done) => onProgress("predictions", done, data.graphs.length),
  });
  return qualityOf(name, logits, data, seed);
}

/** Logistic regression on circular fingerprints, with much weight decay: there are more bits than molecules. */
async function baselineQuality(
  data: Data,
  seed: number,
  { device, signal, onProgress }: StudyTools,
): Promise<ModelQuality> {
  const x = fingerprints(data.graphs, BITS);
  const steps = 400;
  const model = await trainClassifier(device, nn.sequential([["logit", nn.dense(BITS, 1)]]), {
    x: chosenRows(x, data.split.train),
    labels: Array.from(data.split.train, (row) => data.labels[row]!),
    key: `molecules/${seed}/fingerprint`,
    steps,
    batch: 64,
    learningRate: 0.01,
    weightDecay: 1,
    signal,
    onProgress: (step) => onProgress("logistic regression", step, steps),
  });
  try {
    const logits = Float64Array.from(await logitsOf(model, x));
    return qualityOf("logistic regression, fingerprints", logits, data, seed);
  } finally {
    model.dispose();
  }
}

// ---- examples ------------------------------------------------------------------------------------------------------

export const isRight = ({ compound, explanation }: Explained): boolean => explanation.logit > 0 === compound.active;

/**
 * Not by hand: the active molecules that the network is most sure of, the inactive one that it is most sure of, and the one where it is most
 * wrong, as far as there are such molecules and `count` has room.
 */
export function chosenExamples(sample: readonly Explained[], count: number): Explained[] {
  const certainty = ({ explanation }: Explained): number => Math.abs(explanation.logit);
  const surest = (wanted: (one: Explained) => boolean): Explained[] =>
    sample.filter(wanted).sort((a, b) => certainty(b) - certainty(a));
  const others = [
    ...surest((one) => isRight(one) && !one.compound.active).slice(0, 1),
    ...surest((one) => !isRight(one)).slice(0, 1),
  ].slice(0, Math.max(0, count - 1));
  return [...surest((one) => isRight(one) && one.compound.active).slice(0, count - others.length), ...others];
}
