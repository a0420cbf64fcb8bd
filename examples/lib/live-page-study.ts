// A network trained on a table, and its explanation compiled ahead for a page.
import { integratedGradients } from "../../src/attribution/integrated-gradients.ts";
import { integratedHessians } from "../../src/attribution/integrated-hessians.ts";
import { joinExplanations, type JoinedExplanations } from "../../src/attribution/join-explanations.ts";
import { saveExplanation } from "../../src/attribution/save-explanation.ts";
import type { Value } from "../../src/graph/node.ts";
import { reshape } from "../../src/kernels/movement.ts";
import * as nn from "../../src/nn/index.ts";
import { openDevice, type Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { rangeOf } from "../../src/view/numbers.ts";
import { logitsOf, trainClassifier } from "./classifier.ts";
import type { Dataset } from "./dataset.ts";
import { reluNetwork } from "./fleet.ts";
import type { Case, Feature, Kernels } from "./live-page-data.ts";
import { columnFacts, filledRows, standardised, stratifiedSplit, type ColumnFacts } from "./prepare.ts";
import { classifierQuality, type ClassifierQuality } from "./statistics.ts";

export interface PageSettings {
  readonly hidden: readonly number[];
  readonly seed: number;
  /** Of training. */
  readonly steps: number;
  /** Of the quadrature. */
  readonly nodes: number;
}

/** Host copies of a network's weights, by name. */
export type Weights = Readonly<Record<string, HostArray>>;

/** Explanations for each kind of adapter, over the same weights. */
export interface Ahead {
  readonly explanations: Readonly<Record<Kernels, JoinedExplanations>>;
  readonly weights: ArrayBuffer;
}

export interface PageStudy {
  readonly data: Dataset;
  readonly settings: PageSettings;
  readonly rows: { readonly train: number; readonly test: number };
  readonly features: readonly Feature[];
  /** Held-out rows that the page shows. */
  readonly cases: readonly Case[];
  /** On all held-out rows. */
  readonly quality: ClassifierQuality;
  readonly parameters: Weights;
  readonly ahead: Ahead;
}

export interface PageTools {
  readonly device: Device;
  readonly signal?: AbortSignal;
  readonly onProgress?: (stage: string, done: number, total: number) => void;
}

const HELD = 0.25;
const CASES = 30;

/** How sharp the smooth form of the network is whose pairs are shown, and the nodes on its path. */
export const PAIRS = { beta: 20, nodes: 32 };

export async function pageStudy(data: Dataset, settings: PageSettings, tools: PageTools): Promise<PageStudy> {
  const { device, signal, onProgress } = tools;
  const { hidden, seed, steps, nodes } = settings;
  const split = stratifiedSplit(data.labels, HELD, nn.random(`${data.name}/${seed}`).fork("split"));
  const facts = columnFacts(data, split.train);
  const [train, test] = [split.train, split.test].map((rows) => filledRows(data, rows, facts)) as [
    Float64Array,
    Float64Array,
  ];
  const labelsOf = (rows: Int32Array): number[] => Array.from(rows, (row) => data.labels[row]!);
  const network = reluNetwork([data.features.length, ...hidden, 1]);
  const model = await trainClassifier(device, network, {
    x: standardised(train, facts),
    labels: labelsOf(split.train),
    key: `page/${seed}`,
    steps,
    batch: Math.min(64, split.train.length),
    learningRate: 0.01,
    weightDecay: 0.1,
    ...(signal && { signal }),
    onProgress: (step) => onProgress?.("training", step, steps),
  });
  try {
    const logits = await logitsOf(model, standardised(test, facts));
    const parameters = await hostCopies(model);
    onProgress?.("compiling ahead", 0, 1);
    return {
      data,
      settings,
      rows: { train: split.train.length, test: split.test.length },
      features: featuresOf(data, train, facts),
      cases: casesOf(data, test, labelsOf(split.test)),
      quality: classifierQuality(logits, labelsOf(split.test)),
      parameters,
      ahead: await compiledAhead(network, parameters, data.features.length, nodes),
    };
  } finally {
    model.dispose();
  }
}

async function hostCopies({ device, parameters }: nn.Model): Promise<Weights> {
  const arrays = await device.read(Object.values(parameters));
  return Object.fromEntries(Object.keys(parameters).map((name, i) => [name, arrays[i]!]));
}

/**
 * Integrated Gradients of a network's only logit, and Integrated Hessians of that of its smooth form, from zeros, for one row of
 * `width` numbers.
 * @param nodes of the quadrature of the former
 */
export async function compiledAhead(
  network: nn.Network,
  parameters: Weights,
  width: number,
  nodes: number,
): Promise<Ahead> {
  const save = async (kernels: Kernels) => {
    const device = await openDevice({ kernels });
    try {
      const uploaded = Object.entries(parameters).map(([name, array]) => [name, device.tensor(array)] as const);
      const model = nn.modelOf(network, Object.fromEntries(uploaded), [width]);
      const like = hostArray(new Float32Array(width), [1, width]);
      // No class is to be chosen among one.
      const target = (logits: Value): Value => reshape(logits, [1]);
      const smoothed = nn.smooth(model, { beta: PAIRS.beta });
      return joinExplanations({
        contributions: await saveExplanation(integratedGradients, model, like, { steps: nodes, target }),
        pairs: await saveExplanation(integratedHessians, smoothed, like, { nodes: PAIRS.nodes, target }),
      });
    } finally {
      device.destroy();
    }
  };
  const [hardware, software] = [await save("hardware"), await save("software")];
  if (!Buffer.from(hardware.weights).equals(Buffer.from(software.weights)))
    throw new Error("the explanations for hardware and software have different weights; the page holds them once");
  return {
    explanations: { hardware: hardware.explanations, software: software.explanations },
    weights: hardware.weights,
  };
}

function featuresOf({ features }: Dataset, train: Float64Array, { means, deviations }: ColumnFacts): Feature[] {
  return features.map((name, j) => {
    const values = train.filter((_, at) => at % features.length === j);
    return { name, mean: means[j]!, deviation: deviations[j]!, ...sliderRange(values) };
  });
}

/** The range of a column widened to whole steps: powers of ten, a hundred to a thousand of them, or ones for whole numbers. */
export function sliderRange(values: Float64Array): Pick<Feature, "min" | "max" | "step" | "decimals"> {
  const [low, high] = rangeOf(values);
  const fine = Math.floor(Math.log10((high - low || 1) / 100));
  const power = values.every(Number.isInteger) ? Math.max(0, fine) : fine;
  const decimals = Math.max(0, -power);
  const step = Number(`1e${power}`);
  // Decimal fractions have no exact binary form: what should be whole is brought back to the decimal it stands for.
  const whole = (value: number, round: (v: number) => number): number =>
    Number((round(Number((value / step).toPrecision(12))) * step).toFixed(decimals));
  return { min: whole(low, Math.floor), max: whole(high, Math.ceil), step, decimals };
}

/** The first held-out rows, which are in random order: a sample. */
function casesOf({ features, classes }: Dataset, test: Float64Array, labels: readonly number[]): Case[] {
  return labels.slice(0, CASES).map((label, row) => ({
    values: [...test.subarray(row * features.length, (row + 1) * features.length)],
    label: label === 1 ? classes.positive : classes.negative,
  }));
}
