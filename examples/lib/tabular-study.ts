// A network and a logistic regression on a table, and the network's held-out predictions explained.
import { expectedHessians, integratedHessians } from "../../src/attribution/index.ts";
import * as nn from "../../src/nn/index.ts";
import { smooth } from "../../src/nn/smooth.ts";
import type { Device } from "../../src/tensor/device.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { logitsOf, trainClassifier, type ClassifierOptions } from "./classifier.ts";
import type { Dataset } from "./dataset.ts";
import { reluNetwork } from "./fleet.ts";
import {
  columnFacts,
  filledRows,
  missingCount,
  standardised,
  stratifiedSplit,
  type ColumnFacts,
  type Split,
} from "./prepare.ts";
import { chosenRows } from "./rows.ts";
import { classifierQuality, largestMagnitude, type ClassifierQuality } from "./statistics.ts";

export const BASELINES = ["mean", "median", "references"] as const;
export type BaselineName = (typeof BASELINES)[number];

export interface StudySettings {
  readonly hidden: readonly number[];
  /** Share of rows held out. */
  readonly held: number;
  readonly seed: number;
  /**
   * Training steps to choose from: those with the least log loss on a fifth of the training rows, kept back for this.
   */
  readonly steps: readonly number[];
  readonly batch: number;
  /** Of the network and of the logistic regression, whose problem is convex. */
  readonly network: Pick<ClassifierOptions, "learningRate" | "weightDecay">;
  readonly logistic: Pick<ClassifierOptions, "learningRate" | "weightDecay">;
  readonly beta: number;
  readonly nodes: number;
  /** Most held-out rows to explain. */
  readonly explained: number;
  /** Where paths start: a row of the training columns' means or medians, or several training rows. */
  readonly baseline: BaselineName;
  /** How many training rows, for the baseline "references". */
  readonly references: number;
}

export interface Explanations {
  /** Positions in the held-out part. */
  readonly rows: Int32Array;
  /** [rows, features], in the units of the table; gaps are filled. */
  readonly values: Float64Array;
  /** [rows, features], in logits. */
  readonly attributions: HostArray;
  /** [rows, features, features], in logits. */
  readonly interactions: HostArray;
  /** Logits of the smoothed network, which is what adds up, and of the network itself. */
  readonly scores: { readonly smoothed: Float32Array; readonly plain: Float32Array };
  /** Logit of the smoothed network at the baseline, averaged if there are several. */
  readonly baseline: number;
  readonly quality: { readonly delta: number; readonly residual: number; readonly symmetry: number };
  readonly replaced: Readonly<Record<string, number>>;
  readonly evaluations: number;
  readonly seconds: number;
}

export interface TabularStudy {
  readonly data: Dataset;
  readonly settings: StudySettings;
  readonly split: Split;
  readonly facts: ColumnFacts;
  readonly missing: { readonly train: number; readonly test: number };
  readonly quality: {
    readonly network: ClassifierQuality;
    readonly smoothed: ClassifierQuality;
    readonly logistic: ClassifierQuality;
  };
  /** Chosen numbers of training steps. */
  readonly steps: { readonly network: number; readonly logistic: number };
  /** Over all held-out rows: |logit of the smoothed network - logit of the network|. */
  readonly moved: { readonly rootMeanSquare: number; readonly largest: number };
  readonly explanations: Explanations;
}

export interface StudyTools {
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly onProgress: (stage: string, done: number, total: number) => void;
}

export async function tabularStudy(data: Dataset, settings: StudySettings, tools: StudyTools): Promise<TabularStudy> {
  const stream = nn.random(`${data.name}/${settings.seed}`);
  const split = stratifiedSplit(data.labels, settings.held, stream.fork("split"));
  const facts = columnFacts(data, split.train);
  const [train, test] = [split.train, split.test].map((rows) => standardised(filledRows(data, rows, facts), facts));
  const labelsOf = (rows: Int32Array): Uint8Array => Uint8Array.from(rows, (row) => data.labels[row]!);
  const training = { x: train!, labels: labelsOf(split.train), settings, tools };
  const { model: network, steps: networkSteps } = await fitted("network", training);
  const { model: logistic, steps: logisticSteps } = await fitted("logistic regression", training);
  try {
    const labels = labelsOf(split.test);
    const plain = await logitsOf(network, test!);
    const smoothed = await logitsOf(smooth(network, { beta: settings.beta }), test!);
    const distances = smoothed.map((z, i) => Math.abs(z - plain[i]!));
    return {
      data,
      settings,
      split,
      facts,
      missing: { train: missingCount(data, split.train), test: missingCount(data, split.test) },
      quality: {
        network: classifierQuality(plain, labels),
        smoothed: classifierQuality(smoothed, labels),
        logistic: classifierQuality(await logitsOf(logistic, test!), labels),
      },
      steps: { network: networkSteps, logistic: logisticSteps },
      moved: {
        rootMeanSquare: Math.sqrt(distances.reduce((sum, d) => sum + d * d, 0) / distances.length),
        largest: largestMagnitude(distances),
      },
      explanations: await explain(network, { data, split, facts, train: train!, test: test!, settings }, tools),
    };
  } finally {
    network.dispose();
    logistic.dispose();
  }
}

interface Training {
  readonly x: HostArray;
  readonly labels: Uint8Array;
  readonly settings: StudySettings;
  readonly tools: StudyTools;
}

/** Chooses the number of steps on kept back rows, then trains on all of them. */
async function fitted(kind: "network" | "logistic regression", training: Training) {
  const { x, labels, settings, tools } = training;
  const hidden = kind === "network" ? settings.hidden : [];
  const network = reluNetwork([x.shape[1]!, ...hidden, 1]);
  const fit = (rows: Int32Array, steps: number, stage: string): Promise<nn.Model> =>
    trainClassifier(tools.device, network, {
      ...(kind === "network" ? settings.network : settings.logistic),
      x: chosenRows(x, rows),
      labels: rows.map((row) => labels[row]!),
      key: `${kind}/${settings.seed}`,
      steps,
      batch: Math.min(settings.batch, rows.length),
      signal: tools.signal,
      onProgress: (step) => tools.onProgress(stage, step, steps),
    });
  const all = Int32Array.from(labels, (_, row) => row);
  const { train, test } = stratifiedSplit(labels, 0.2, nn.random(`${kind}/${settings.seed}/validation`));
  let best = { steps: settings.steps[0]!, loss: Infinity };
  for (const [k, steps] of settings.steps.entries()) {
    if (settings.steps.length === 1) break;
    tools.onProgress(`${kind}: how many steps`, k, settings.steps.length);
    const model = await fit(train, steps, `${kind}: ${steps} steps`);
    const logits = await logitsOf(model, chosenRows(x, test));
    model.dispose();
    const loss = classifierQuality(
      logits,
      test.map((row) => labels[row]!),
    ).logLoss;
    if (loss < best.loss) best = { steps, loss };
  }
  return { model: await fit(all, best.steps, `training the ${kind}`), steps: best.steps };
}

interface Prepared {
  readonly data: Dataset;
  readonly split: Split;
  readonly facts: ColumnFacts;
  readonly train: HostArray;
  readonly test: HostArray;
  readonly settings: StudySettings;
}

async function explain(network: nn.Model, prepared: Prepared, tools: StudyTools): Promise<Explanations> {
  const { data, split, facts, test, settings } = prepared;
  const started = performance.now();
  // The held-out rows are in random order: the first ones are a sample.
  const rows = firstOf(Math.min(settings.explained, split.test.length));
  const x = chosenRows(test, rows);
  const common = {
    beta: settings.beta,
    nodes: settings.nodes,
    signal: tools.signal,
    onProgress: ({ done, total }: { done: number; total: number }) => tools.onProgress("interactions", done, total),
  };
  const result =
    settings.baseline === "references"
      ? await expectedHessians(network, x, {
          ...common,
          references: chosenRows(prepared.train, firstOf(Math.min(settings.references, split.train.length))),
        })
      : await integratedHessians(network, x, { ...common, baseline: baselineOf(settings.baseline, facts) });
  return {
    rows,
    values: filledRows(data, split.test.slice(0, rows.length), facts),
    attributions: result.attributions,
    interactions: result.interactions,
    scores: {
      smoothed: Float32Array.from(result.scores.input.data),
      plain: Float32Array.from(result.smoothing!.scores.input.data),
    },
    baseline: result.scores.baseline.data[0]!,
    quality: {
      delta: largestMagnitude(result.delta.data),
      residual: largestMagnitude(result.residuals.data),
      symmetry: result.symmetryError,
    },
    replaced: result.smoothing!.replaced,
    evaluations: result.evaluations,
    seconds: (performance.now() - started) / 1000,
  };
}

const firstOf = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

/** In standardised units, where the mean of every column is 0. */
function baselineOf(name: "mean" | "median", { medians, means, deviations }: ColumnFacts): HostArray {
  const values = medians.map((m, j) => (name === "mean" ? 0 : (m - means[j]!) / deviations[j]!));
  return hostArray(Float32Array.from(values), [values.length]);
}
