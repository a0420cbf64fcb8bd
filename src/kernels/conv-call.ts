// Which kernel computes a convolution, and the numbers it gets. Forward and input gradient share their kernels: both are
// correlations, see wgsl/conv_dense.wgsl.
import type { Shape } from "../tensor/shape.ts";
import { numel } from "../tensor/shape.ts";
import type { KernelCall } from "../graph/primitive.ts";
import conv_dense from "./wgsl/conv_dense.wgsl";
import conv_depthwise_weight_grad from "./wgsl/conv_depthwise_weight_grad.wgsl";
import conv_pointwise from "./wgsl/conv_pointwise.wgsl";
import conv_pointwise_grad from "./wgsl/conv_pointwise_grad.wgsl";
import conv_rows from "./wgsl/conv_rows.wgsl";
import conv_weight_grad from "./wgsl/conv_weight_grad.wgsl";
import type { Window } from "./window.ts";

/** A convolution in full: one set of attributes for forward, input gradient and weight gradient. */
export interface ConvAttrs extends Window, Readonly<Record<string, unknown>> {
  readonly groups: number;
  /** Height and width of x. */
  readonly input: readonly [number, number];
  /**
   * Planes of the leading axis of the result; 0 if it has none. An operand holds `count` planes (1 if it lacks the axis)
   * and plane b of the result reads its plane floor(b / repeat) mod count: broadcasts need no copy.
   */
  readonly lead: number;
  readonly repeat: readonly [number, number];
}

/** Extents that all three convolutions share. */
export interface ConvSizes {
  readonly images: number;
  /** Output and input channels of one group. */
  readonly outChannels: number;
  readonly inChannels: number;
  readonly output: readonly [number, number];
  /** Planes held by the two operands. */
  readonly planes: readonly [number, number];
}

const LANES = 64;
/** Tiles of one invocation, as written in the kernels of pointwise convolutions and weight gradients. */
const CHANNELS = 8;
const PIXELS = 8;
const WEIGHT_CHANNELS = 4;
const tiles = (n: number, size: number): number => Math.ceil(n / size);
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Multiplications and additions, each counted, of any of the three convolutions. */
const flopsOf = (attrs: ConvAttrs, s: ConvSizes): number =>
  2 *
  Math.max(1, attrs.lead) *
  s.images *
  attrs.groups *
  s.outChannels *
  s.inChannels *
  numel(attrs.kernel) *
  numel(s.output);

function call(wgsl: string, uniforms: readonly number[], invocations: number, flops: number): KernelCall {
  return { wgsl, uniforms: [...uniforms, invocations], workgroups: Math.ceil(invocations / LANES), flops };
}

const isPointwise = (attrs: ConvAttrs): boolean =>
  [...attrs.kernel, ...attrs.stride].every((n) => n === 1) && attrs.padding.every((n) => n === 0);

/** The kernel of a forward convolution, or of its transpose in x. */
export function dataCall(attrs: ConvAttrs, s: ConvSizes, backward: boolean): KernelCall {
  const [m, k] = backward ? [s.inChannels, s.outChannels] : [s.outChannels, s.inChannels];
  const planes = [s.planes[0], attrs.repeat[0], s.planes[1], attrs.repeat[1]];
  const rows = Math.max(1, attrs.lead) * s.images * attrs.groups;
  const flops = flopsOf(attrs, s);
  const pixels = numel(s.output);
  if (isPointwise(attrs) && pixels % 4 === 0 && s.inChannels % 4 === 0) {
    const [mTiles, pTiles] = [tiles(m, CHANNELS), tiles(pixels, PIXELS)];
    const uniforms = [s.images, attrs.groups, m, k, pixels, mTiles, pTiles, ...planes];
    return call(backward ? conv_pointwise_grad : conv_pointwise, uniforms, rows * mTiles * pTiles, flops);
  }
  const TM = m === 1 ? 1 : m <= 4 ? 4 : 8;
  const { fields, invocations } = correlation(attrs, s.output, backward, tiles(m, TM));
  const taps = numel(attrs.kernel);
  const [perOut, perIn] = [s.inChannels * taps, taps];
  const uniforms = [
    ...[s.images, attrs.groups, m, k, ...fields, s.outChannels * perOut],
    ...(backward ? [perIn, perOut] : [perOut, perIn]),
    ...planes,
  ];
  const row = rowConstants(attrs, k, backward);
  return { ...call(row ? conv_rows : conv_dense, uniforms, rows * invocations, flops), constants: { TM, ...row } };
}

/** From so many input channels on, four of them make a better innermost turn than a row of taps without shared columns. */
const DEEP = 4;
/** Taps of a row that conv_rows.wgsl can take at once. */
const MOST_TAPS = 7;

/** Constants of conv_rows.wgsl, where it is the better kernel. */
function rowConstants(attrs: ConvAttrs, depth: number, backward: boolean) {
  const [kernel, stride, dilation] = [attrs.kernel[1], attrs.stride[1], attrs.dilation[1]];
  const taps = backward ? Math.ceil(kernel / (stride / gcd(stride, dilation))) : kernel;
  const sliding = stride === 1 && dilation === 1;
  if (taps > MOST_TAPS || (depth >= DEEP && !(sliding && taps > 1))) return undefined;
  return { TAPS: taps, SLIDING: Number(sliding) };
}

/** The geometry fields of the uniform struct in conv_dense.wgsl, and the invocations per plane, image and group. */
function correlation(attrs: ConvAttrs, output: readonly [number, number], backward: boolean, mTiles: number) {
  const { input, kernel, stride, dilation, padding } = attrs;
  const [from, to] = backward ? [output, input] : [input, output];
  const [y, x] = ([0, 1] as const).map((axis) => {
    const common = gcd(stride[axis], dilation[axis]);
    return backward
      ? {
          phases: stride[axis],
          move: 1,
          tap: stride[axis] / common,
          step: dilation[axis] / common,
          offset: padding[axis],
        }
      : { phases: 1, move: stride[axis], tap: 1, step: dilation[axis], offset: -padding[axis] >>> 0 };
  });
  const rows = tiles(to[0], y!.phases);
  const xTiles = tiles(tiles(to[1], x!.phases), PIXELS);
  const both = (name: "phases" | "move" | "tap" | "step" | "offset") => [y![name], x![name]];
  const fields = [
    ...[...from, ...to, ...kernel, ...both("phases"), rows, mTiles, xTiles],
    ...[...both("move"), ...both("tap"), ...both("step"), ...both("offset"), ...dilation, backward ? 1 : 0],
  ];
  return { fields, invocations: mTiles * rows * xTiles * y!.phases * x!.phases };
}

/** The kernel of a weight gradient. */
export function weightCall(attrs: ConvAttrs, s: ConvSizes): KernelCall {
  const depthwise = s.inChannels === 1 && attrs.groups > 1;
  const mTiles = tiles(s.outChannels, CHANNELS);
  const cTiles = tiles(s.inChannels, WEIGHT_CHANNELS);
  const { input, kernel, stride, padding, dilation, groups, repeat } = attrs;
  const uniforms = [
    ...[s.images, groups, s.outChannels, s.inChannels, ...input, ...s.output, ...kernel, ...stride],
    ...[padding[0], padding[1], ...dilation, mTiles, cTiles, s.planes[0], repeat[0], s.planes[1], repeat[1]],
  ];
  const perGroup = (depthwise ? s.outChannels : mTiles * cTiles) * numel(kernel);
  const wgsl = depthwise ? conv_depthwise_weight_grad : conv_weight_grad;
  return call(wgsl, uniforms, Math.max(1, attrs.lead) * groups * perGroup, flopsOf(attrs, s));
}

/** Shape without a leading axis of planes. */
export const inner = (shape: Shape): Shape => shape.slice(-4);
