// Attention and encoders as layers of a chain. Parameters have the names and shapes of PyTorch's modules, so that their state
// dictionaries fit as they are.
import { assertChoice, assertWhole, refuseShapes } from "../tensor/checks.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import type { Value } from "../graph/node.ts";
import { add } from "../kernels/arithmetic.ts";
import { stopGradient } from "../kernels/choice.ts";
import { layerNorm } from "../kernels/norm.ts";
import { sliceAxis } from "../kernels/slice.ts";
import { normal, ones, xavierUniform, zeros, type Initialiser } from "./initialise.ts";
import type { Layer, Parameters } from "./layers.ts";
import {
  assertHeads,
  multiHeadAttention,
  transformerEncoderLayer,
  type Affine,
  type AttentionWeights,
  type EncoderOptions,
  type EncoderWeights,
  type MaskOptions,
  type Scaling,
} from "./attention.ts";
import { affineOf, initialAffine, requiredParameter } from "./parameters.ts";
import type { Random } from "./random.ts";

type Initial = Record<string, HostArray>;

export interface SelfAttentionOptions extends MaskOptions {
  readonly heads: number;
  /** Default: {@link xavierUniform}. */
  readonly initialiser?: Initialiser;
}

/**
 * Self-attention [B, T, width] -> [B, T, width]; see {@link multiHeadAttention}. Parameters: in_proj_weight
 * [3 width, width], in_proj_bias [3 width], out_proj.weight [width, width], out_proj.bias [width].
 */
export function selfAttention(width: number, options: SelfAttentionOptions): Layer {
  const { initialiser = xavierUniform, ...rest } = options;
  assertHeads("selfAttention", rest.heads, width);
  return {
    init: (key) => initialAttention(key, "", width, initialiser),
    apply: (p, x) => multiHeadAttention(x, attentionWeights("selfAttention", p, ""), rest),
  };
}

export interface TransformerEncoderOptions extends EncoderOptions {
  /** Width of the dense layers. Default 4 times the width. */
  readonly hidden?: number;
  /** How many are stacked; default 1. */
  readonly layers?: number;
  /** One more layer norm at the end; default: after "pre" layers only. */
  readonly finalNorm?: boolean;
  /** Default: {@link xavierUniform}. */
  readonly initialiser?: Initialiser;
}

/**
 * A transformer encoder [B, T, width] -> [B, T, width]; see {@link transformerEncoderLayer}. Parameters of layer k:
 * layers.k.self_attn.{in_proj_weight, in_proj_bias, out_proj.weight, out_proj.bias}, and weight and bias of layers.k.linear1,
 * linear2, norm1 and norm2; after all of them norm.weight and norm.bias, if there is a final norm.
 * @throws ArgumentError unless `heads` divides the width, and `layers` is a whole number >= 1
 */
export function transformerEncoder(width: number, options: TransformerEncoderOptions): Layer {
  const { hidden = 4 * width, layers = 1, finalNorm = options.norm === "pre", initialiser, ...rest } = options;
  assertHeads("transformerEncoder", rest.heads, width);
  assertWhole("transformerEncoder: layers", layers, 1);
  const prefixes = Array.from({ length: layers }, (_, k) => `layers.${k}.`);
  const init = (key: Random): Initial => {
    const parts = prefixes.map((prefix) => initialLayer(key, prefix, width, hidden, initialiser ?? xavierUniform));
    return Object.assign({}, ...parts, finalNorm ? initialNorm(key, "norm", width) : {}) as Initial;
  };
  const apply = (p: Parameters, x: Value): Value => {
    const y = prefixes.reduce((v, prefix) => transformerEncoderLayer(v, encoderWeights(p, prefix), rest), x);
    return finalNorm ? layerNorm(y, { ...scaling(p, "norm"), epsilon: rest.epsilon ?? 1e-5 }) : y;
  };
  return { init, apply };
}

// ---- parameters ----------------------------------------------------------------------------------------------------

function initialAttention(key: Random, prefix: string, width: number, initialiser: Initialiser): Initial {
  return {
    [`${prefix}in_proj_weight`]: initialiser([3 * width, width], key.fork(`${prefix}in_proj_weight`)),
    [`${prefix}in_proj_bias`]: zeros([3 * width], key),
    ...initialAffine(key.fork(`${prefix}out_proj`), `${prefix}out_proj.`, [width, width], width, initialiser),
  };
}

const initialNorm = (key: Random, name: string, width: number): Initial => ({
  [`${name}.weight`]: ones([width], key),
  [`${name}.bias`]: zeros([width], key),
});

const initialLayer = (key: Random, prefix: string, width: number, hidden: number, own: Initialiser): Initial => ({
  ...initialAttention(key, `${prefix}self_attn.`, width, own),
  ...initialAffine(key.fork(`${prefix}linear1`), `${prefix}linear1.`, [hidden, width], hidden, own),
  ...initialAffine(key.fork(`${prefix}linear2`), `${prefix}linear2.`, [width, hidden], width, own),
  ...initialNorm(key, `${prefix}norm1`, width),
  ...initialNorm(key, `${prefix}norm2`, width),
});

function attentionWeights(op: string, p: Parameters, prefix: string): AttentionWeights {
  const input = affine(op, p, `${prefix}in_proj_`);
  return { input, output: affine(op, p, `${prefix}out_proj.`) };
}

/** A weight with its bias, if there is one. */
const affine = (op: string, p: Parameters, prefix: string): Affine =>
  affineOf(op, p, prefix, p[`${prefix}bias`] !== undefined);

const scaling = (p: Parameters, name: string): Scaling => ({
  scale: requiredParameter("transformerEncoder", p, `${name}.weight`),
  offset: requiredParameter("transformerEncoder", p, `${name}.bias`),
});

const encoderWeights = (p: Parameters, prefix: string): EncoderWeights => ({
  attention: attentionWeights("transformerEncoder", p, `${prefix}self_attn.`),
  norm1: scaling(p, `${prefix}norm1`),
  hidden: affine("transformerEncoder", p, `${prefix}linear1.`),
  output: affine("transformerEncoder", p, `${prefix}linear2.`),
  norm2: scaling(p, `${prefix}norm2`),
});

// ---- positions -----------------------------------------------------------------------------------------------------

/**
 * sin(t / 10000^(2 i / width)) in column 2 i and the cosine of the same in column 2 i + 1 (arXiv 1706.03762, 3.5).
 * @returns [length, width], computed in double precision
 */
export function sinusoidalPositions(length: number, width: number): HostArray {
  const data = Float32Array.from({ length: length * width }, (_, k) => {
    const [t, column] = [Math.floor(k / width), k % width];
    const angle = t / 10000 ** ((column - (column % 2)) / width);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
  return hostArray(data, [length, width]);
}

export interface PositionOptions {
  /** "learned" (default) or "sinusoidal", which training leaves as it is. */
  readonly kind?: "learned" | "sinusoidal";
  /** Of learned positions. Default: normal with standard deviation 0.02. */
  readonly initialiser?: Initialiser;
}

/**
 * Adds to each token the row of a table that belongs to its position: [B, T, width] -> [B, T, width] for T <= length.
 * Parameter: weight [length, width].
 */
export function positions(length: number, width: number, options: PositionOptions = {}): Layer {
  const { kind = "learned", initialiser = normal(0.02) } = options;
  assertChoice("positions: kind", kind, "learned", "sinusoidal");
  const fixed = kind === "sinusoidal";
  return {
    init: (key) => ({
      weight: fixed ? sinusoidalPositions(length, width) : initialiser([length, width], key.fork("weight")),
    }),
    apply(p, x) {
      const table = requiredParameter("positions", p, "weight");
      if (x.shape.length !== 3 || x.shape[2] !== width || x.shape[1]! > length)
        refuseShapes("positions", `x [batch, at most ${length} tokens, ${width}]`, x);
      const rows = sliceAxis(table, 0, 0, x.shape[1]!);
      return add(x, fixed ? stopGradient(rows) : rows);
    },
  };
}
