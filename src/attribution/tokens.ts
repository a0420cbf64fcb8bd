// Attributions and interactions of the tokens of a text: computed at the embedding, and summed over its coordinates.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { formatShape, numel } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { BaselineRecipe } from "./baselines.ts";
import { groupsAlong } from "./hessian-rows.ts";
import {
  integratedHessians,
  type IntegratedHessiansOptions,
  type IntegratedHessiansResult,
} from "./integrated-hessians.ts";
import { isArrayInput, isModel, namedInputs, traceProblem } from "./problem.ts";
import type { ArrayInput, Input, ModelLike } from "./types.ts";

/**
 * Attributions of tokens: the sums over the embedding axis, the last one.
 * @param attributions at the embedding [..., T, E], or a result that holds them
 * @returns [..., T]: [B, T], or [K, B, T] for target "all"
 * @throws ShapeError unless there are at least two axes
 */
export function tokenAttributions(attributions: HostArray | { readonly attributions: HostArray }): HostArray {
  const { shape, data } = "attributions" in attributions ? attributions.attributions : attributions;
  const width = shape.at(-1) ?? 0;
  if (shape.length < 2)
    throw new ShapeError(`tokenAttributions: expected attributions [..., tokens, width], got ${formatShape(shape)}`);
  const tokens = shape.slice(0, -1);
  const sums = Float32Array.from({ length: numel(tokens) }, (_, t) => {
    let total = 0;
    for (let e = 0; e < width; e++) total += data[t * width + e]!;
    return total;
  });
  return hostArray(sums, tokens);
}

/**
 * One group per token for the coordinates of an embedding [T, E], as `groups` of {@link integratedHessians}.
 * @param tokens T
 * @param width E
 */
export const tokenGroups = (tokens: number, width: number): Int32Array => groupsAlong([tokens, width], 0);

/** A table of embeddings [V, E], or a model that holds it as the parameter "embedding.weight". */
export type EmbeddingTable = HostArray | Tensor | ModelLike;

export interface EmbeddingTableOptions {
  /** Name of the embedding layer of the model; the table is its parameter "layer.weight". Default "embedding". */
  readonly layer?: string;
}

/**
 * A baseline at the embedding, the same for every token. Use it with `layer: "embedding", baselineOf: "layer"`.
 *
 * "zero" is what the network never saw in training; a number is the id of a token, such as a mask or padding token; "mean"
 * is the mean of all rows of the table, a token without any particular meaning.
 * @returns a recipe for `baseline`; it repeats one row [E] over the tokens of all examples
 * @throws ArgumentError when the id is outside the vocabulary, or the model has no such table
 */
export async function embeddingBaseline(
  table: EmbeddingTable,
  kind: "zero" | "mean" | number,
  options: EmbeddingTableOptions = {},
): Promise<BaselineRecipe> {
  const rows = await readTable(table, options);
  const [count, width] = rows.shape as [number, number];
  if (typeof kind !== "number" && kind !== "zero" && kind !== "mean")
    throw new ArgumentError(`embeddingBaseline: expected "zero", "mean" or the id of a token, got "${String(kind)}"`);
  if (typeof kind === "number") assertTokenIds([kind], count);
  const row = Float64Array.from({ length: width }, (_, e) => {
    if (kind === "zero") return 0;
    if (kind === "mean") return columnMean(rows, e);
    return rows.data[kind * width + e]!;
  });
  return (input) => {
    if (input.shape.at(-1) !== width)
      throw new ShapeError(
        `embeddingBaseline: the table has rows of ${width} numbers, but the attributed value is ${formatShape(input.shape)}; attribute to the embedding, with baselineOf: "layer"`,
      );
    return hostArray(
      Float32Array.from(input.data, (_, i) => row[i % width]!),
      input.shape,
    );
  };
}

function columnMean({ shape: [count, width], data }: HostArray, column: number): number {
  let total = 0;
  for (let r = 0; r < count!; r++) total += data[r * width! + column]!;
  return total / count!;
}

async function readTable(table: EmbeddingTable, { layer = "embedding" }: EmbeddingTableOptions): Promise<HostArray> {
  const found = table instanceof Tensor || isHostArray(table) ? table : tableOf(table, layer);
  if (found === undefined) throw new ArgumentError(missingTable(table as ModelLike, layer));
  if (found.shape.length !== 2 || found.shape[0] === 0)
    throw new ShapeError(`embeddingBaseline: expected a table [vocabulary, width], got ${formatShape(found.shape)}`);
  return found instanceof Tensor ? found.read() : found;
}

const isHostArray = (table: EmbeddingTable): table is HostArray =>
  typeof table === "object" && "data" in table && "shape" in table;

/** The table of an embedding layer, if a model names one. */
function tableOf(model: ModelLike, layer: string): Tensor | undefined {
  return isModel(model) ? model.parameters[`${layer}.weight`] : undefined;
}

function missingTable(model: ModelLike, layer: string): string {
  if (!isModel(model)) return "embeddingBaseline: a function holds no table that could be read; give the table [V, E]";
  const names = Object.keys(model.parameters).slice(0, 20).join(", ") || "none";
  return `embeddingBaseline: the model has no parameter "${layer}.weight"; give the table [V, E], or the layer; there are ${names}`;
}

/**
 * Checks ids of tokens against a vocabulary. On the device an id beyond it would quietly be an embedding of zeros.
 * @throws ArgumentError, naming the first id that is none
 */
export function assertTokenIds(ids: ArrayLike<number>, vocabulary: number): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (Number.isInteger(id) && id >= 0 && id < vocabulary) continue;
    throw new ArgumentError(`ids: element ${i} is ${id}; the vocabulary has ids 0 to ${vocabulary - 1}`);
  }
}

export interface PaddedTokens {
  /** i32 [B, T]. */
  readonly ids: HostArray;
  /** i32 [B]: how many of the T are real. */
  readonly lengths: HostArray;
}

/**
 * Texts of different lengths as one batch. Give the lengths to the layers that look at other tokens, or padding takes part.
 * @param padding id that fills up shorter texts
 * @param length T, at least the longest text; default: as long as that
 * @throws ArgumentError when there are no texts, one is longer than `length`, or something is no list of ids
 */
export function padTokens(texts: readonly ArrayLike<number>[], padding: number, length?: number): PaddedTokens {
  texts.forEach((text, b) => {
    if (typeof text !== "object" || !text)
      throw new ArgumentError(`padTokens: text ${b} is ${String(text)}; expected a list of ids for each text`);
    const at = Array.from(text).findIndex((id) => !Number.isInteger(id) || id < 0);
    if (at >= 0)
      throw new ArgumentError(`padTokens: text ${b}: token ${at} is ${text[at]}; ids are whole numbers >= 0`);
  });
  const longest = texts.reduce((most, text) => Math.max(most, text.length), 1);
  const size = length ?? longest;
  if (texts.length === 0) throw new ArgumentError("padTokens: expected at least one text, got none");
  if (!Number.isInteger(size) || size < longest)
    throw new ArgumentError(`padTokens: expected a length of at least ${longest}, got ${size}; cut longer texts first`);
  const ids = texts.flatMap((text) => Array.from({ length: size }, (_, t) => text[t] ?? padding));
  return {
    ids: hostArray(ids, [texts.length, size], "i32"),
    lengths: hostArray(
      texts.map((text) => text.length),
      [texts.length],
      "i32",
    ),
  };
}

export interface TokenInteractionsOptions extends Omit<IntegratedHessiansOptions, "rows" | "groups" | "pairs"> {
  /** Name of the value [B, T, E] that a tap of the model sees. Default "embedding". */
  readonly layer?: string;
  /** V: ids are checked against it before anything runs. Default: the rows of the model's parameter "layer.weight". */
  readonly vocabulary?: number;
}

export interface TokenInteractions extends Omit<IntegratedHessiansResult, "attributions"> {
  /** Integrated Gradients of the tokens from the same nodes: [B, T]. */
  readonly attributions: HostArray;
  /** [B, T, T]: rows sum to the attributions of their tokens, all entries to f(x) - f(x'). */
  readonly interactions: HostArray;
}

/**
 * Interactions between tokens: {@link integratedHessians} at the embedding with one group per token, which costs one
 * Hessian-vector product for each token and not for each coordinate. The path starts at an embedding of zeros, unless
 * `baseline` is another one ({@link embeddingBaseline}); `baselineOf: "input"` takes ids for it.
 * @param input ids i32 [B, T], or several named inputs
 * @returns as integratedHessians, with attributions per token
 * @throws ArgumentError for ids outside the vocabulary, ShapeError when the layer is not [B, T, E]; and as integratedHessians
 */
export async function tokenInteractions(
  model: ModelLike,
  input: Input,
  options: TokenInteractionsOptions = {},
): Promise<TokenInteractions> {
  const { layer = "embedding", baselineOf = "layer", vocabulary, ...rest } = options;
  if (Array.isArray(input))
    throw new ArgumentError(
      "tokenInteractions: expected ids with a shape, got a list; use hostArray(ids, [texts, tokens], " +
        '"i32"), or padTokens(texts, padding) for texts of different lengths',
    );
  const arrays = namedInputs(model, input);
  const known = vocabulary ?? tableOf(model, layer)?.shape[0];
  if (known !== undefined) assertInputIds(arrays, known);
  const { ends, score } = traceProblem(model, input, arrays, { ...rest, layer });
  const shape = ends[0]!.shape.slice(score.shape.length);
  if (shape.length !== 2 || score.shape.length !== 1)
    throw new ShapeError(
      `tokenInteractions: expected "${layer}" to be [batch, tokens, width], and one score per example, got ` +
        `${formatShape(ends[0]!.shape)} and scores ${formatShape(score.shape)}`,
    );
  const groups = tokenGroups(shape[0]!, shape[1]!);
  const result = await integratedHessians(model, input, { ...rest, layer, baselineOf, groups });
  const { attributions } = result;
  const own = isArrayInput(input)
    ? (attributions as HostArray)
    : (attributions as Readonly<Record<string, HostArray>>)[layer]!;
  return { ...result, attributions: tokenAttributions(own) };
}

function assertInputIds(arrays: Readonly<Record<string, ArrayInput>>, vocabulary: number): void {
  const ids = Object.values(arrays).filter((x) => x.dtype === "i32");
  // Which of several whole-numbered inputs are ids is not known here: lengths are others.
  if (ids.length === 1 && !(ids[0] instanceof Tensor)) assertTokenIds(ids[0]!.data, vocabulary);
}
