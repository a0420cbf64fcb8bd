// Everything that is computed for one picture; nothing here prints or writes.
import { ArgumentError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { compile } from "../compiler/program.ts";
import { modelFunction, type Model } from "../nn/model.ts";
import {
  blur,
  constantBaseline,
  integratedGradients,
  integratedHessians,
  interiorGradients,
  patchGroups,
  uniformNoise,
  type BaselineRecipe,
  type IntegratedGradientsResult,
  type IntegratedHessiansResult,
  type InteriorGradientsResult,
  type Score,
} from "../attribution/index.ts";
import type { Arguments, BaselineName } from "./arguments.ts";
import type { PictureFormat } from "./picture.ts";

export interface Ranked {
  readonly index: number;
  readonly name: string;
  readonly score: number;
  readonly probability: number;
}

export interface Explanation {
  /** Classes with the highest outputs, highest first. */
  readonly top: readonly Ranked[];
  readonly target: Ranked;
  /** Whether the outputs of the model are probabilities themselves. */
  readonly probabilities: boolean;
  /** Whether the explained score is a probability. */
  readonly isProbability: boolean;
  readonly integrated: IntegratedGradientsResult<HostArray>;
  readonly interior: InteriorGradientsResult<HostArray>;
  /** Gradient of the score at the input, shape of the input. */
  readonly gradient: HostArray;
  readonly baseline: HostArray;
  /** Between square patches, if asked. */
  readonly interactions?: Interactions;
  /** Sum of all attributions, in double precision. */
  readonly sum: number;
  /** Of the device, for everything together. */
  readonly dispatches: number;
  readonly submits: number;
  readonly peakBytes: number;
  /** Of the integral alone, with building its pipelines. */
  readonly integrationSeconds: number;
}

export interface Interactions {
  readonly result: IntegratedHessiansResult<HostArray>;
  /** Pixels. */
  readonly patch: number;
  /** Patches in a row of the picture. */
  readonly columns: number;
}

export interface ExplainOptions {
  readonly onProgress: (stage: string, done: number, total: number) => void;
  readonly signal: AbortSignal;
  /** Called as soon as the model's answer is known. */
  readonly onPrediction?: (top: readonly Ranked[]) => void;
}

type Asked = Pick<
  Arguments,
  "target" | "score" | "baseline" | "rule" | "steps" | "tolerance" | "interactions" | "beta"
>;

const TOP = 5;
const INTERIOR_STEPS = 21;

/**
 * Explains one class of a model's output for one picture.
 * @param input one example, as `pictureInput` makes it
 * @throws ArgumentError when there is no such class
 */
export async function explain(
  model: Model,
  input: HostArray,
  format: PictureFormat,
  asked: Asked,
  options: ExplainOptions,
): Promise<Explanation> {
  const { device } = model;
  const { onProgress, signal } = options;
  const before = { ...device.counters };
  onProgress("classifying", 0, 1);
  const outputs = await classify(model, input);
  const probabilities = areProbabilities(outputs);
  const ranked = ranking(outputs, model.classes, probabilities);
  const target = chooseTarget(ranked, asked.target);
  options.onPrediction?.(ranked.slice(0, TOP));
  signal.throwIfAborted();

  // Outputs that are probabilities already must not pass through softmax again.
  const score: Score = asked.score === "probability" && !probabilities ? "probability" : "logit";
  const baseline = baselineRecipe(asked.baseline, format)(input, "");
  const shared = { target: target.index, score, baseline, signal };
  onProgress("building kernels for the integral", 0, 1);
  const started = performance.now();
  const integrated = await integratedGradients(model, input, {
    ...shared,
    ...(asked.rule !== undefined && { rule: asked.rule }),
    ...(asked.steps !== undefined && { steps: asked.steps }),
    ...(asked.tolerance !== undefined && { tolerance: asked.tolerance }),
    onProgress: ({ done, total }) => onProgress("integrating", done, total),
  });
  const integrationSeconds = (performance.now() - started) / 1000;
  onProgress("building kernels for the path", 0, 1);
  const interior = await interiorGradients(model, input, {
    ...shared,
    steps: INTERIOR_STEPS,
    onProgress: ({ done, total }) => onProgress("looking along the path", done, total),
  });
  const interactions =
    asked.interactions === undefined
      ? undefined
      : await patchInteractions(
          model,
          input,
          format,
          { ...shared, patch: asked.interactions, beta: asked.beta },
          options,
        );
  return {
    top: ranked.slice(0, TOP),
    target,
    ...(interactions && { interactions }),
    probabilities,
    isProbability: probabilities || score === "probability",
    integrated,
    interior,
    baseline,
    integrationSeconds,
    gradient: row(interior.gradients, interior.alphas.length - 1),
    sum: total(integrated.attributions.data),
    dispatches: device.counters.dispatches - before.dispatches,
    submits: device.counters.submits - before.submits,
    peakBytes: device.memory.peak,
  };
}

interface PatchOptions {
  readonly target: number;
  readonly score: Score;
  readonly baseline: HostArray;
  readonly patch: number;
  readonly beta: number;
}

async function patchInteractions(
  model: Model,
  input: HostArray,
  { width, layout }: PictureFormat,
  { patch, ...asked }: PatchOptions,
  { onProgress, signal }: ExplainOptions,
): Promise<Interactions> {
  onProgress("building kernels for interactions", 0, 1);
  const result = await integratedHessians(model, input, {
    ...asked,
    signal,
    pool: true,
    nodes: 24,
    groups: patchGroups(input.shape.slice(1), patch, { layout: layout === "HWC" ? "NHWC" : "NCHW" }),
    onProgress: ({ done, total }) => onProgress("looking for interactions", done, total),
  });
  return { result, patch, columns: Math.ceil(width / patch) };
}

/** One entry of the first axis of an array. */
export function row({ shape, data }: HostArray, index: number): HostArray {
  const size = data.length / shape[0]!;
  return hostArray(data.slice(index * size, (index + 1) * size), shape.slice(1));
}

async function classify(model: Model, input: HostArray): Promise<HostArray> {
  const x = model.device.tensor(input);
  const program = compile(model.device, modelFunction(model), [{ shape: input.shape }]);
  try {
    const [outputs] = await program.runAndRead([x]);
    if (outputs!.shape.length !== 2) {
      throw new ArgumentError(
        `the model's output has shape [${outputs!.shape.join(", ")}]; this command explains outputs [batch, classes]`,
      );
    }
    return outputs!;
  } finally {
    x.dispose();
  }
}

function areProbabilities({ data }: HostArray): boolean {
  return data.length > 1 && data.every((p) => p >= 0 && p <= 1.001) && Math.abs(total(data) - 1) < 1e-3;
}

function total(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum;
}

function ranking({ data }: HostArray, classes: readonly string[] | undefined, probabilities: boolean): Ranked[] {
  if (classes && classes.length !== data.length) {
    throw new ArgumentError(
      `there are ${classes.length} names of classes, but the model's output has ${data.length} classes`,
    );
  }
  const most = Math.max(...data);
  const powers = Array.from(data, (v) => (probabilities ? v : Math.exp(v - most)));
  const all = total(powers);
  return powers
    .map((p, index) => ({
      index,
      name: classes?.[index] ?? `class ${index}`,
      score: data[index]!,
      probability: p / all,
    }))
    .sort((a, b) => b.score - a.score);
}

/** The class of this index or name; names may differ in case. */
function chooseTarget(ranked: readonly Ranked[], asked: string | undefined): Ranked {
  if (asked === undefined) return ranked[0]!;
  const same = (name: string): boolean => name.toLowerCase() === asked.toLowerCase();
  const found =
    ranked.find(({ name }) => name === asked) ??
    ranked.find(({ name }) => same(name)) ??
    (/^\d+$/.test(asked) ? ranked.find(({ index }) => index === Number(asked)) : undefined);
  if (found) return found;
  const near = ranked.filter(({ name }) => name.toLowerCase().includes(asked.toLowerCase())).slice(0, 5);
  const hint = (near.length > 0 ? near : ranked.slice(0, 5)).map(({ name }) => name).join(", ");
  throw new ArgumentError(
    `--target: the model has no class "${asked}"; ${near.length > 0 ? "similar" : "the likeliest"} are ${hint}, and any index from 0 to ${ranked.length - 1}`,
  );
}

/** Baselines in terms of pixels: what is black or white to a model depends on how its inputs are scaled. */
function baselineRecipe(name: BaselineName, { width, height, scale, offset }: PictureFormat): BaselineRecipe {
  const [black, white] = [offset, 255 * scale + offset];
  switch (name) {
    case "black":
      return constantBaseline(black);
    case "white":
      return constantBaseline(white);
    case "blur":
      return blur(Math.max(width, height) / 16);
    case "noise":
      return uniformNoise({ low: Math.min(black, white), high: Math.max(black, white), seed: 1 });
  }
}
