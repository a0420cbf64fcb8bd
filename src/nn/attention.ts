// Multi-head attention and the transformer encoder, as functions of values (Vaswani et al., arXiv 1706.03762). Matrices are
// stored [out, in], as in PyTorch. Shapes: B sequences of T tokens with E numbers each, H heads of D = E / H numbers.
import { assertChoice, refuseShapes } from "../tensor/checks.ts";
import { ArgumentError, DTypeError } from "../tensor/errors.ts";
import { formatShape } from "../tensor/shape.ts";
import { lift, type Operand } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { gelu } from "../kernels/activations.ts";
import { add, mul } from "../kernels/arithmetic.ts";
import { greater, logicalAnd, relu, select } from "../kernels/choice.ts";
import { matmul } from "../kernels/matmul.ts";
import { reshape, transpose } from "../kernels/movement.ts";
import { layerNorm } from "../kernels/norm.ts";
import { index, sliceAxis } from "../kernels/slice.ts";
import { softmax } from "../kernels/softmax.ts";
import { batchMask, causalMask } from "./masks.ts";
import { assertWeight } from "./parameters.ts";

/** A matrix [out, in] and a summand [out]. */
export interface Affine {
  readonly weight: Operand;
  readonly bias?: Operand;
}

export interface AttentionWeights {
  /** Query, key and value stacked: weight [3 E, E], bias [3 E]; or each on its own, [E, width of what it reads]. */
  readonly input: Affine | { readonly query: Affine; readonly key: Affine; readonly value: Affine };
  /** [out, E] after the heads are joined. */
  readonly output: Affine;
}

export interface MaskOptions {
  /** Which keys are real: i32 [B] lengths, or bool [B, S]. Default: all. */
  readonly lengths?: Operand;
  /** Query i sees keys 0 to i. Default false. */
  readonly causal?: boolean;
  /**
   * bool, true where a query may look at a key; or f32, added to the scores, where -Infinity and all below -1e30 hide.
   * [T, S], [B, T, S] or [B, H, T, S]; extents of 1 are repeated.
   */
  readonly mask?: Operand;
}

export interface AttentionOptions extends MaskOptions {
  /** H, at least 1; divides E. */
  readonly heads: number;
  /** Where keys and values come from, [B, S, Em]: cross-attention. Default: x itself. */
  readonly memory?: Operand;
}

/** Lower than every score, and finite: the exponential of the difference is exactly 0, and no infinity meets another. */
const HIDDEN = -1e30;

/**
 * softmax(q k^T / sqrt(D)) v for each head, joined and projected.
 *
 * A key that is masked has weight 0 and gradient 0, both exactly. A query that sees no key gives the bias of the output.
 * @param x [B, T, E]
 * @returns [B, T, out]
 * @throws ArgumentError unless `heads` divides E, and for causal cross-attention between different lengths
 * @throws ShapeError, DTypeError when weights, masks or lengths do not fit
 */
export function multiHeadAttention(x: Operand, weights: AttentionWeights, options: AttentionOptions): Value {
  const value = lift(x);
  const memory = options.memory === undefined ? value : lift(options.memory);
  assertSequences(value, memory);
  const width = innerWidth(weights);
  assertHeads(OP, options.heads, width);
  const { query, key, value: read } = projections(value, memory, weights.input, options.heads, width);
  // The copy that brings a head's numbers together also scales them: one number per query, not one per pair.
  const scores = matmul(mul(query, 1 / Math.sqrt(width / options.heads)), key, { transposeB: true });
  const mixed = matmul(attend(scores, options), read);
  const [batch, length] = value.shape as [number, number];
  const joined = reshape(transpose(mixed, [0, 2, 1, 3]), [batch, length, width]);
  assertWeight(OP, "output weights", weights.output.weight, [lift(weights.output.weight).shape[0]!, width], "E");
  return affine(joined, weights.output);
}

const OP = "multiHeadAttention";

const affine = (x: Value, { weight, bias }: Affine): Value => {
  const y = matmul(x, weight, { transposeB: true });
  return bias === undefined ? y : add(y, bias);
};

// ---- query, key, value ---------------------------------------------------------------------------------------------

interface Projections {
  /** Each [B, H, T or S, D]. */
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

function projections(
  x: Value,
  memory: Value,
  input: AttentionWeights["input"],
  heads: number,
  width: number,
): Projections {
  const parts = (y: Value, count: number): Value[] => {
    const split = reshape(y, [y.shape[0]!, y.shape[1]!, count, heads, width / heads]);
    return Array.from({ length: count }, (_, i) => transpose(index(split, 2, i), [0, 2, 1, 3]));
  };
  const of = (value: Value, own: Affine, what: string, rows = width): Value => {
    const why = `${what} of width ${value.shape[2]!}`;
    assertWeight(OP, `${what} weights`, own.weight, [rows, value.shape[2]!], why);
    assertWeight(OP, `a bias of the ${what}`, own.bias, [rows], why);
    return affine(value, own);
  };
  if (!("weight" in input)) {
    const [query] = parts(of(x, input.query, "query"), 1);
    const [key] = parts(of(memory, input.key, "key"), 1);
    const [value] = parts(of(memory, input.value, "value"), 1);
    return { query: query!, key: key!, value: value! };
  }
  if (x === memory) {
    const [query, key, value] = parts(of(x, input, "stacked input", 3 * width), 3);
    return { query: query!, key: key!, value: value! };
  }
  const rows = (start: number, stop: number): Affine => ({
    weight: sliceAxis(input.weight, 0, start, stop),
    ...(input.bias !== undefined && { bias: sliceAxis(input.bias, 0, start, stop) }),
  });
  const [query] = parts(of(x, rows(0, width), "query"), 1);
  const [key, value] = parts(of(memory, rows(width, 3 * width), "memory", 2 * width), 2);
  return { query: query!, key: key!, value: value! };
}

/** E, from the rows of the weights. */
function innerWidth({ input }: AttentionWeights): number {
  const stacked = "weight" in input;
  const { shape } = lift(stacked ? input.weight : input.query.weight);
  const [rows = 0] = shape;
  if (shape.length === 2 && rows > 0 && (!stacked || rows % 3 === 0)) return stacked ? rows / 3 : rows;
  refuseShapes(OP, stacked ? "stacked input weights [3 E, E]" : "query weights [E, in]", { shape });
}

function assertSequences(x: Value, memory: Value): void {
  const fits = (v: Value): boolean => v.shape.length === 3 && v.shape[1]! > 0;
  if (fits(x) && fits(memory) && x.shape[0] === memory.shape[0]) return;
  const padded = "pad sequences of different lengths and pass their lengths";
  refuseShapes(OP, `x and memory [batch, tokens, width] of one batch (${padded})`, x, memory);
}

/** Checks that heads of equal width fit. */
export function assertHeads(op: string, heads: number, width: number): void {
  if (Number.isInteger(heads) && heads >= 1 && width % heads === 0) return;
  throw new ArgumentError(`${op}: expected a number of heads that divides the width ${width}, got ${heads}`);
}

// ---- masks ---------------------------------------------------------------------------------------------------------

/** Weights [B, H, T, S] of scores of that shape. */
function attend(scores: Value, { lengths, causal = false, mask }: MaskOptions): Value {
  const [batch, , queries, keys] = scores.shape as [number, number, number, number];
  const bias = mask === undefined ? undefined : asScores(lift(mask, "bool"), scores);
  const allowed: Value[] = [];
  if (lengths !== undefined) allowed.push(reshape(batchMask(OP, lengths, batch, keys), [batch, 1, 1, keys]));
  if (causal) {
    if (queries !== keys)
      throw new ArgumentError(`${OP}: causal needs as many keys as queries, got ${keys} and ${queries}; give a mask`);
    allowed.push(causalMask(keys));
  }
  if (bias) allowed.push(bias.dtype === "bool" ? bias : greater(bias, HIDDEN));
  if (allowed.length === 0) return softmax(scores);
  const sees = allowed.reduce((a, b) => logicalAnd(a, b));
  const weights = softmax(select(sees, bias?.dtype === "f32" ? add(scores, bias) : scores, HIDDEN));
  // Where nothing is seen, the softmax of equal scores would be even.
  return lengths === undefined && bias === undefined ? weights : select(sees, weights, 0);
}

/** A mask with the four axes of the scores. */
function asScores(mask: Value, scores: Value): Value {
  if (mask.dtype === "i32") throw new DTypeError(`${OP}: expected a mask of dtype bool or f32, got i32; use cast()`);
  const { shape } = mask;
  const four = shape.length === 3 ? [shape[0]!, 1, ...shape.slice(1)] : shape.length === 2 ? [1, 1, ...shape] : shape;
  if (four.length === 4 && four.every((n, i) => n === 1 || n === scores.shape[i])) return reshape(mask, four);
  const fitting = [scores.shape.slice(2), scores.shape.toSpliced(1, 1), scores.shape].map(formatShape);
  refuseShapes(OP, `a mask ${fitting.join(" or ")} (which keys are real goes into lengths)`, mask);
}

// ---- encoder -------------------------------------------------------------------------------------------------------

export interface Scaling {
  /** [E]. */
  readonly scale: Operand;
  readonly offset: Operand;
}

export interface EncoderWeights {
  readonly attention: AttentionWeights;
  /** Beside the attention. */
  readonly norm1: Scaling;
  /** [F, E], then [E, F]. */
  readonly hidden: Affine;
  readonly output: Affine;
  /** Beside the two. */
  readonly norm2: Scaling;
}

export interface EncoderOptions extends MaskOptions {
  readonly heads: number;
  /** "post" (default; the original paper, PyTorch): norm(x + f(x)); "pre": x + f(norm(x)). */
  readonly norm?: "post" | "pre";
  /** Default "relu"; "gelu" is the one with erf, "gelu-tanh" its approximation. A function is used as it is. */
  readonly activation?: "relu" | "gelu" | "gelu-tanh" | ((x: Value) => Value);
  /** Of the layer norms. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * A layer of a transformer encoder: self-attention, then two dense layers, each with a residual connection and a layer norm.
 * Without dropout, as in inference.
 * @param x [B, T, E]
 * @returns [B, T, E]
 * @throws ArgumentError, ShapeError, DTypeError as {@link multiHeadAttention}
 */
export function transformerEncoderLayer(x: Operand, weights: EncoderWeights, options: EncoderOptions): Value {
  const { norm = "post", activation = "relu", epsilon = 1e-5, ...attention } = options;
  assertChoice("transformerEncoderLayer: norm", norm, "post", "pre");
  const act = activationOf(activation);
  const blocks = [
    { scaling: weights.norm1, apply: (v: Value) => multiHeadAttention(v, weights.attention, attention) },
    { scaling: weights.norm2, apply: (v: Value) => affine(act(affine(v, weights.hidden)), weights.output) },
  ];
  return blocks.reduce((value, { scaling, apply }) => {
    const normal = (v: Value): Value => layerNorm(v, { ...scaling, epsilon });
    return norm === "post" ? normal(add(value, apply(value))) : add(value, apply(normal(value)));
  }, lift(x));
}

function activationOf(activation: NonNullable<EncoderOptions["activation"]>): (x: Value) => Value {
  if (typeof activation === "function") return activation;
  assertChoice("transformerEncoderLayer: activation", activation, "relu", "gelu", "gelu-tanh");
  if (activation === "relu") return relu;
  return (x) => gelu(x, { approximate: activation === "gelu" ? "none" : "tanh" });
}
