// What is measured on one picture: curves along the path, attributions, what happens when pixels go, shares of boxes.
import { randomNumbers } from "../../src/attribution/baselines.ts";
import { boxRegions, boxShare, type Box } from "../../src/attribution/evaluate/localisation.ts";
import { deletion } from "../../src/attribution/evaluate/removal.ts";
import { integratedGradients } from "../../src/attribution/integrated-gradients.ts";
import { interiorGradients } from "../../src/attribution/interior-gradients.ts";
import type { PictureFormat } from "../../src/cli/picture.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Model } from "../../src/nn/model.ts";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import type { Raster } from "../../src/view/index.ts";
import { mean } from "./statistics.ts";

export const METHODS = ["ig", "product", "gradient", "random"] as const;
export type Method = (typeof METHODS)[number];
export type ByMethod<T> = Readonly<Record<Method, T>>;

export const byMethod = <T>(f: (method: Method) => T): ByMethod<T> =>
  Object.fromEntries(METHODS.map((method) => [method, f(method)])) as Record<Method, T>;

export interface MeasureSettings {
  /** The score that is attributed, and that falls when pixels go. */
  readonly score: "probability" | "logit";
  /** Equally spaced positions of the curves, both ends included. */
  readonly positions: number;
  /** Nodes of Integrated Gradients. */
  readonly nodes: number;
  /** Shares of the pixels that are blanked, ascending from 0. */
  readonly fractions: readonly number[];
  /** Names of intermediate values. */
  readonly layers: readonly string[];
  readonly seed: number;
}

/** Along the path from the baseline to the picture, for one score of the predicted class. */
export interface Curves {
  readonly scores: readonly number[];
  /** Mean |gradient| of a pixel's channel. */
  readonly gradients: readonly number[];
}

export interface Measured {
  /** Index of the predicted class. */
  readonly target: number;
  readonly alphas: readonly number[];
  readonly probability: Curves;
  readonly logit: Curves;
  /** 1 - cosine of a layer's activations with those of the picture. */
  readonly distances: Readonly<Record<string, readonly number[]>>;
  /** Gradients of the attributed score at all positions: [positions, ...input]. */
  readonly interior: HostArray;
  /** Shaped as the input. */
  readonly attributions: ByMethod<HostArray>;
  /** Sum of Integrated Gradients - (score - score of the baseline). */
  readonly delta: number;
  /** Score after the pixels of largest magnitude went, at every fraction. */
  readonly ablation: ByMethod<readonly number[]>;
  /** By box: its share of the area, and of the magnitudes of each method. */
  readonly shares: Readonly<Record<string, { readonly area: number } & ByMethod<number>>>;
}

/**
 * Everything about one picture.
 * @param x [1, C, H, W]
 * @param about the input value of all pixels of the baseline, which blanked pixels get too; boxes in pixels of the input
 * @throws ArgumentError when the model's outputs are probabilities already
 */
export async function measure(
  model: Model,
  x: HostArray,
  { baseline, boxes }: { readonly baseline: number; readonly boxes: Readonly<Record<string, Box>> },
  settings: MeasureSettings,
  signal: AbortSignal,
): Promise<Measured> {
  const { score, positions, nodes, layers } = settings;
  const shared = { baseline, signal };
  const along = { ...shared, steps: positions };
  const probability = await interiorGradients(model, x, { ...along, score: "probability", layers });
  const logit = await interiorGradients(model, x, { ...along, score: "logit" });
  const integrated = await integratedGradients(model, x, { ...shared, score, steps: nodes, rule: "midpoint" });
  assertLogits(integrated.outputs);
  const interior = (score === "probability" ? probability : logit).gradients;
  const gradient = hostArray(interior.data.slice(-x.data.length), x.shape);
  const random = randomNumbers(settings.seed);
  const attributions = {
    ig: integrated.attributions,
    gradient,
    product: mapped(gradient, (g, i) => g * (x.data[i]! - baseline)),
    random: mapped(x, random),
  };
  const magnitudes = byMethod((method) => mapped(attributions[method], Math.abs));
  const target = integrated.targets!.data[0]!;
  const ablation = {} as Record<Method, number[]>;
  for (const method of METHODS) {
    // Magnitudes of the channels are added up, as in the paper; removal adds up what it is given.
    const subject = { model, input: x, attributions: magnitudes[method], targets: [target] };
    const { scores } = await deletion(subject, { ...shared, score, fractions: settings.fractions });
    ablation[method] = Array.from(scores.data);
  }
  return {
    target,
    alphas: probability.alphas,
    probability: { scores: Array.from(probability.scores.data), gradients: probability.meanAbsGradient },
    logit: { scores: Array.from(logit.scores.data), gradients: logit.meanAbsGradient },
    distances: probability.cosineDistances,
    interior,
    attributions,
    delta: integrated.delta.data[0]!,
    ablation,
    shares: Object.fromEntries(Object.entries(boxes).map(([name, box]) => [name, shareOf(magnitudes, box)])),
  };
}

const mapped = (array: HostArray, f: (v: number, i: number) => number): HostArray =>
  hostArray(Float32Array.from(array.data, f), array.shape);

function shareOf(magnitudes: ByMethod<HostArray>, box: Box): { area: number } & ByMethod<number> {
  const [, , height, width] = magnitudes.ig.shape as [number, number, number, number];
  const regions = boxRegions([[box]], height, width);
  const shares = byMethod((method) => boxShare({ attributions: magnitudes[method] }, { regions }).values[0]!);
  return { area: mean(regions.data), ...shares };
}

function assertLogits({ data }: HostArray): void {
  const isProbability = Array.from(data).every((p) => p >= 0 && p <= 1);
  if (isProbability && Math.abs(mean(data) * data.length - 1) < 1e-3)
    throw new ArgumentError("the model's outputs are probabilities; this example needs the values before the softmax");
}

/**
 * A box of a picture as the model sees it: through the crop around the centre and the change of size. Rounded to whole pixels;
 * what is outside is cut off.
 * @throws ArgumentError when nothing is left
 */
export function boxInInput({ x, y, width, height }: Box, picture: Raster, format: PictureFormat): Box {
  const scale = Math.min(picture.width / format.width, picture.height / format.height);
  const place = (v: number, all: number, to: number): number =>
    Math.min(to, Math.max(0, Math.round((v - (all - to * scale) / 2) / scale)));
  const [left, right] = [x, x + width].map((v) => place(v, picture.width, format.width)) as [number, number];
  const [top, bottom] = [y, y + height].map((v) => place(v, picture.height, format.height)) as [number, number];
  if (right <= left || bottom <= top) throw new ArgumentError("a box lies outside what the model sees of its picture");
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** Names of at most `count` intermediate values, evenly spread from the first to the last, activations before others. */
export function chosenLayers(model: Model, count: number): string[] {
  const { name, shape } = model.inputs[0]!;
  const names: string[] = [];
  model.apply({ [name]: input([1, ...shape], "f32", name) }, (layer, value) => {
    if (value.shape.length > 1 && value.dtype === "f32") names.push(layer);
    return value;
  });
  const activations = names.filter((layer) => /relu|act|add|pool|concat|mean/i.test(layer.split("/").at(-1)!));
  const all = activations.length >= count ? activations : names;
  const spread = Array.from({ length: Math.min(count, all.length) }, (_, k) =>
    Math.round((k * (all.length - 1)) / Math.max(1, Math.min(count, all.length) - 1)),
  );
  return spread.map((k) => all[k]!);
}
