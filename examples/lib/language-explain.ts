// What held-out contexts say about their next word: attributions, interactions, and what happens when a word is missing.
import { embeddingBaseline, tokenAttributions, tokenInteractions } from "../../src/attribution/tokens.ts";
import { integratedGradients } from "../../src/attribution/integrated-gradients.ts";
import { interiorGradients } from "../../src/attribution/interior-gradients.ts";
import type { PathOptions } from "../../src/attribution/types.ts";
import { compile } from "../../src/compiler/program.ts";
import { takeTarget } from "../../src/kernels/gather.ts";
import { logSoftmax } from "../../src/kernels/softmax.ts";
import { modelFunction, type Model } from "../../src/nn/index.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import { largestMagnitude } from "./statistics.ts";

/** Contexts of T words, and the word that follows each. */
export interface Contexts {
  /** i32 [B, T]. */
  readonly ids: HostArray;
  /** [B] */
  readonly next: readonly number[];
}

export interface ExplainTools {
  readonly signal: AbortSignal;
  readonly onProgress: (stage: string, done: number, total: number) => void;
}

/** ln P(next word) shared out to the words of each context. */
export interface WordAttributions {
  /** [B, T] */
  readonly values: HostArray;
  /** [B]: sum of the attributions - (ln P at the context - ln P at the baseline). */
  readonly delta: HostArray;
  /** [B]: ln P of the next word. */
  readonly scores: { readonly input: HostArray; readonly baseline: HostArray };
}

/** Attribution to the embeddings of the words. */
const AT_WORDS = { layer: "embedding", baselineOf: "layer", score: "logProbability" } as const satisfies PathOptions;

export type WordMethod = "zero" | "mean" | "gradient";

/**
 * Attributions of the words by Integrated Gradients from embeddings of zeros ("zero") or from the mean of the table of embeddings
 * ("mean"), or by gradient x input: the same sum as from zeros with the context itself as the only node.
 * @param nodes of the Gauss-Legendre rule
 */
export async function wordAttributions(
  model: Model,
  { ids, next }: Contexts,
  method: WordMethod,
  nodes: number,
  { signal, onProgress }: ExplainTools,
): Promise<WordAttributions> {
  const found = await integratedGradients(model, ids, {
    ...AT_WORDS,
    baseline: await embeddingBaseline(model, method === "mean" ? "mean" : "zero"),
    target: next,
    ...(method === "gradient" ? { points: { nodes: [1], weights: [1] } } : { rule: "gauss-legendre", steps: nodes }),
    signal,
    onProgress: ({ done, total }) => onProgress(`attributions (${method})`, done, total),
  });
  return { values: tokenAttributions(found), delta: found.delta, scores: found.scores };
}

export interface WordInteractions {
  /** [T, T] */
  readonly matrix: Float32Array;
  /** [T] */
  readonly attributions: Float32Array;
  readonly residual: number;
  readonly delta: number;
  readonly symmetry: number;
}

/** Integrated Hessians of ln P(next word) of one context, one group for each word; from embeddings of zeros. */
export async function wordInteractions(
  model: Model,
  { ids, next }: Contexts,
  nodes: number,
  { signal, onProgress }: ExplainTools,
): Promise<WordInteractions> {
  const found = await tokenInteractions(model, ids, {
    score: "logProbability",
    baseline: "zero",
    target: next,
    nodes,
    signal,
    onProgress: ({ done, total }) => onProgress("interactions", done, total),
  });
  return {
    matrix: Float32Array.from(found.interactions.data),
    attributions: Float32Array.from(found.attributions.data),
    residual: largestMagnitude(found.residuals.data),
    delta: found.delta.data[0]!,
    symmetry: found.symmetryError,
  };
}

export interface Saturation {
  readonly alphas: readonly number[];
  /** For each context: P(next word) along the path from embeddings of zeros. */
  readonly probabilities: readonly Float64Array[];
  /** For each context: length of the gradient of P by all embeddings, along the path. */
  readonly gradients: readonly Float64Array[];
}

/** @param positions on the path, both ends included */
export async function saturation(
  model: Model,
  { ids, next }: Contexts,
  positions: number,
  { signal }: ExplainTools,
): Promise<Saturation> {
  const { alphas, scores, gradients } = await interiorGradients(model, ids, {
    ...AT_WORDS,
    score: "probability",
    baseline: "zero",
    target: next,
    steps: positions,
    signal,
  });
  const count = next.length;
  const size = gradients.data.length / (positions * count);
  const along = (value: (row: number) => number): Float64Array[] =>
    next.map((_, k) => Float64Array.from(alphas, (_alpha, s) => value(s * count + k)));
  return {
    alphas,
    probabilities: along((row) => scores.data[row]!),
    gradients: along((row) => Math.hypot(...gradients.data.subarray(row * size, (row + 1) * size))),
  };
}

/**
 * How much ln P(next word) falls when one word of the context is replaced, for every word of every context: [B, T].
 * @param replacement id that takes the place of a word
 */
export async function replacementDrops(
  model: Model,
  { ids, next }: Contexts,
  replacement: number,
  { signal, onProgress }: ExplainTools,
): Promise<HostArray> {
  const [count, length] = ids.shape as [number, number];
  // The context as it is, then with each of its words replaced.
  const shape = [length + 1, length];
  const program = compile(model.device, (x, target) => takeTarget(logSoftmax(modelFunction(model)(x)), target), [
    { shape, dtype: "i32" },
    { shape: [length + 1], dtype: "i32" },
  ]);
  const drops = new Float32Array(count * length);
  for (let k = 0; k < count; k++) {
    signal.throwIfAborted();
    const own = ids.data.subarray(k * length, (k + 1) * length);
    const variants = Int32Array.from({ length: shape[0]! * length }, (_, i) => {
      return Math.floor(i / length) - 1 === i % length ? replacement : own[i % length]!;
    });
    const inputs = [
      hostArray(variants, shape, "i32"),
      hostArray(new Int32Array(length + 1).fill(next[k]!), [length + 1], "i32"),
    ];
    const tensors = inputs.map((array) => model.device.tensor(array));
    try {
      const [logs] = await program.runAndRead(tensors);
      for (let t = 0; t < length; t++) drops[k * length + t] = logs!.data[0]! - logs!.data[t + 1]!;
    } finally {
      tensors.forEach((tensor) => tensor.dispose());
    }
    onProgress("words replaced", k + 1, count);
  }
  return hostArray(drops, [count, length]);
}
