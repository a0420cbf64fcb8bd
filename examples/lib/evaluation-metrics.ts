// What maps are judged by, in three families, and the curves behind the numbers.
import { blur, type Baseline } from "../../src/attribution/baselines.ts";
import type { Metric, Subject } from "../../src/attribution/evaluate/evaluate.ts";
import { infidelity, sensitivityN } from "../../src/attribution/evaluate/faithfulness.ts";
import { informationCurve, type Compressor } from "../../src/attribution/evaluate/information.ts";
import { boxShare, gini, localisationAUC, pointingGame } from "../../src/attribution/evaluate/localisation.ts";
import { ablation, deletion, insertion, type RemovalCurve } from "../../src/attribution/evaluate/removal.ts";
import { maxSensitivity } from "../../src/attribution/evaluate/stability.ts";
import { pixelMaps, rowsOf, type Explained } from "../../src/attribution/evaluate/subject.ts";
import { patchGroups } from "../../src/attribution/hessian-rows.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { encodePng } from "../../src/view/index.ts";
import type { Explanation, Levels } from "./evaluation-methods.ts";

export interface MetricInfo {
  readonly family: "removal" | "place" | "numbers";
  readonly label: string;
  /** Which values are good; some are neither. */
  readonly good?: "large" | "small";
}

export const METRICS = {
  insertion: { family: "removal", label: "insertion", good: "large" },
  deletion: { family: "removal", label: "deletion", good: "small" },
  ablation: { family: "removal", label: "top 5 % ablated", good: "large" },
  sic: { family: "removal", label: "SIC", good: "large" },
  aic: { family: "removal", label: "AIC", good: "large" },
  pointing: { family: "place", label: "pointing game", good: "large" },
  auc: { family: "place", label: "localisation AUC of |map|", good: "large" },
  share: { family: "place", label: "share in the box", good: "large" },
  infidelity: { family: "numbers", label: "infidelity", good: "small" },
  sensitivityN: { family: "numbers", label: "sensitivity-n", good: "large" },
  maxSensitivity: { family: "numbers", label: "max-sensitivity", good: "small" },
  gini: { family: "numbers", label: "Gini" },
  delta: { family: "numbers", label: "|delta|", good: "small" },
} as const satisfies Record<string, MetricInfo>;

export type MetricName = keyof typeof METRICS;
export const METRIC_NAMES = Object.keys(METRICS) as MetricName[];

export const CURVES = ["insertion", "deletion", "sic", "aic"] as const;
export type CurveName = (typeof CURVES)[number];

/** Of one method. */
export interface MethodCurve {
  readonly x: readonly number[];
  /** [pictures][x]; a picture without a curve has NaN. */
  readonly rows: readonly Float64Array[];
}

export interface MetricSettings {
  /** Shares of the pixels at which the score is taken, between none and all. */
  readonly stages: number;
  /** Random sets of patches for infidelity and sensitivity-n; 0 leaves both out. */
  readonly samples: number;
  /** Variants of each picture for max-sensitivity, each as dear as the explanation itself; 0 leaves it out. */
  readonly variants: number;
  readonly seed: number;
}

/** What the metrics are told about the pictures. */
export interface About {
  readonly levels: Levels;
  /** The input value that removed pixels get. */
  readonly removed: number;
  /** [B, H, W] */
  readonly regions: HostArray;
  readonly height: number;
  readonly width: number;
}

/** Patches along a side that infidelity and sensitivity-n remove. */
export const REMOVED_PATCHES = 8;
/** How many of them sensitivity-n removes at a time. */
export const SET_SIZES = [16];
export const ABLATED = 0.05;
/** Standard deviation of the blur, as a share of the shorter side. */
export const BLUR = 0.1;
/** Of max-sensitivity, as a share of the way from black to white. */
export const RADIUS = 0.01;

export const COMPRESSOR: Compressor = {
  name: "PNG (this package's encoder)",
  size: async (data, width, height) => (await encodePng({ width, height, data })).length,
};

/** Metrics, and where they leave the curves of the attributions they saw. */
export interface Judges {
  readonly metrics: Readonly<Partial<Record<MetricName, Metric>>>;
  readonly curves: (attributions: HostArray) => Readonly<Record<CurveName, MethodCurve>>;
}

/**
 * @param explained the explanation that attributions are from: methods know how far they are from a sum
 */
export function judges(
  { levels: { black, white }, removed, regions, height, width }: About,
  { stages, samples, variants, seed }: MetricSettings,
  explained: (attributions: HostArray) => Explanation | undefined,
  signal: AbortSignal,
): Judges {
  const kept = new WeakMap<HostArray, Partial<Record<CurveName, MethodCurve>>>();
  const keep = (attributions: HostArray, name: CurveName, x: readonly number[], rows: readonly Float64Array[]): void =>
    void kept.set(attributions, { ...kept.get(attributions), [name]: { x, rows } });
  const blurred: Baseline = blur(BLUR * Math.min(height, width));
  const groups = patchGroups([1, height, width], Math.ceil(Math.max(height, width) / REMOVED_PATCHES));
  const sets = (channels: number) => ({ groups: repeated(groups, channels), baseline: removed, seed, signal });
  // Most of what happens happens to the first pixels.
  const fractions = Array.from({ length: stages + 2 }, (_, k) => (k / (stages + 1)) ** 2);
  let nothing: Float64Array | undefined;

  // Three metrics show the same pixels of the same blurred pictures.
  const inserting = new WeakMap<HostArray, Promise<RemovalCurve>>();
  const inserted = (s: Explained & { readonly attributions: HostArray }): Promise<RemovalCurve> => {
    const run = inserting.get(s.attributions) ?? insertion(s, { baseline: blurred, fractions, signal });
    inserting.set(s.attributions, run);
    return run;
  };
  const removal =
    (name: "insertion" | "deletion", run: (s: Subject) => Promise<RemovalCurve>): Metric =>
    async (s) => {
      const { values, scores } = await run(s);
      keep(s.attributions, name, fractions, transposed(scores));
      return { values };
    };
  const information =
    (name: "sic" | "aic", measure: "probability" | "accuracy"): Metric =>
    async (s) => {
      const options = {
        compressor: COMPRESSOR,
        range: [black, white] as const,
        measure,
        baseline: blurred,
        inserted: await inserted(s),
        signal,
      };
      const { values, information: x, curves } = await informationCurve(s, options);
      keep(s.attributions, name, x, rowsOf(curves));
      return { values };
    };
  const metrics: Record<MetricName, Metric> = {
    insertion: removal("insertion", inserted),
    deletion: removal("deletion", (s) => deletion(s, { baseline: removed, fractions, signal })),
    ablation: (s) =>
      ablation(s, { count: Math.max(1, Math.round(ABLATED * height * width)), baseline: removed, signal }),
    sic: information("sic", "probability"),
    aic: information("aic", "accuracy"),
    pointing: (s) => pointingGame(s, { regions }),
    auc: (s) => localisationAUC({ attributions: magnitudes(s.attributions) }, { regions }),
    share: (s) => boxShare(s, { regions }),
    infidelity: async (s) => {
      const options = { ...sets(s.input.shape[1]!), samples, scaled: true };
      nothing ??= (await infidelity(nothingAttributed(s), options)).values;
      const { values } = await infidelity(s, options);
      return { values: values.map((v, b) => v / nothing![b]!) };
    },
    sensitivityN: (s) =>
      sensitivityN(s, { ...sets(s.input.shape[1]!), sizes: SET_SIZES, subsets: Math.max(3, samples) }),
    maxSensitivity: (s) => maxSensitivity(s, { samples: variants, radius: RADIUS * (white - black), seed }),
    gini,
    delta: (s) => ({ values: deltas(explained(s.attributions), s.input.shape[0]!) }),
  };
  const asked: Partial<Record<MetricName, boolean>> = {
    infidelity: samples > 0,
    sensitivityN: samples > 0,
    maxSensitivity: variants > 0,
  };
  return {
    metrics: Object.fromEntries(Object.entries(metrics).filter(([name]) => asked[name as MetricName] ?? true)),
    curves: (attributions) => kept.get(attributions) as Record<CurveName, MethodCurve>,
  };
}

/** Groups of one channel, for all of them. */
const repeated = (groups: Int32Array, channels: number): Int32Array =>
  Int32Array.from({ length: channels * groups.length }, (_, i) => groups[i % groups.length]!);

/** The infidelity of saying nothing, which that of a map is divided by. */
const nothingAttributed = (s: Explained & { readonly input: HostArray }): Explained => ({
  ...s,
  attributions: hostArray(new Float32Array(s.input.data.length), s.input.shape),
});

/** NaN for methods that promise no sum. Not relative to the difference of the scores, which may be next to nothing. */
const deltas = (explanation: Explanation | undefined, batch: number): Float64Array =>
  Float64Array.from({ length: batch }, (_, b) => Math.abs(explanation?.delta?.data[b] ?? NaN));

/** Of pixels: how much is attributed there, for or against. Signs of neighbours differ. */
function magnitudes(attributions: HostArray): HostArray {
  const { data, shape } = pixelMaps(attributions);
  return hostArray(Float64Array.from(data, Math.abs), shape);
}

/** [S, B] -> B rows of S. */
function transposed(scores: HostArray): Float64Array[] {
  const rows = rowsOf(scores);
  return Array.from(rows[0]!, (_, b) => Float64Array.from(rows, (row) => row[b]!));
}
