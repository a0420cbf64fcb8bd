// Which kernel computes a convolution, and the numbers it gets. Forward and input gradient share their kernels: both are
// correlations, see wgsl/conv_slide.wgsl.
import type { Shape } from "../tensor/shape.ts";
import { numel } from "../tensor/shape.ts";
import type { Capabilities, KernelCall } from "../graph/primitive.ts";
import conv_alone from "./wgsl/conv_alone.wgsl";
import conv_depthwise_weight_grad from "./wgsl/conv_depthwise_weight_grad.wgsl";
import conv_quads from "./wgsl/conv_quads.wgsl";
import conv_single from "./wgsl/conv_single.wgsl";
import conv_slide from "./wgsl/conv_slide.wgsl";
import conv_taps from "./wgsl/conv_taps.wgsl";
import conv_weight_slide from "./wgsl/conv_weight_slide.wgsl";
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
/** Invocations of a workgroup on software adapters: few, so that small layers spread over the cores. */
const FEW_LANES = 8;
/** Outputs of a run, and input channels of a weight gradient, in the kernels that slide; invocations that share weights. */
const QUAD = 4;
/** Outputs that a weight gradient takes at once. */
const PAIR = 2;
/** So many operations take a fraction of a millisecond with any kernel. */
const FEW_FLOPS = 2e6;
/** Taps of a row that these kernels can take at once. */
const MOST_TAPS = 5;
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

/** A call with the number of invocations as the last of its uniforms. */
function call(wgsl: string, uniforms: readonly number[], invocations: number, flops: number): KernelCall {
  return { wgsl, uniforms: [...uniforms, invocations], workgroups: tiles(invocations, LANES), flops };
}

/** The kernel of a forward convolution, or of its transpose in x. */
export function dataCall(
  attrs: ConvAttrs,
  s: ConvSizes,
  backward: boolean,
  { software, quads }: Pick<Capabilities, "software" | "quads">,
): KernelCall {
  const [y, x] = axesOf(attrs, s.output, backward, QUAD);
  const m = backward ? s.inChannels : s.outChannels;
  const uniforms = dataUniforms(attrs, s, backward, [y, x]);
  const flops = flopsOf(attrs, s);
  // The little that a network has to do for one channel of its input takes less time than one more pipeline.
  const single = m === 1 && !(software && attrs.groups === 1 && flops <= FEW_FLOPS);
  const shared = software && quads === true && !single;
  const phases = Math.max(1, attrs.lead) * attrs.groups * y.phases * x.phases;
  const runs = s.images * y.runs * x.runs;
  const TAPS = tapsOf(x);
  const SPARE = Number(x.kernel % (x.skip * TAPS) !== 0);
  const FORM = y.stride === 1 && x.stride === 1 ? 2 : Number(backward);
  const SERIAL = serial(backward ? s.outChannels : s.inChannels, TAPS);
  const LANES = shared ? QUAD : lanesOf(software);
  const side = shared ? QUAD : 1;
  const text = single ? conv_single : `${shared ? conv_quads : conv_alone}\n${conv_slide}`;
  const tile = (TM: number, RUNS: number): KernelCall => {
    const SHARE = shared && TM <= 8 ? tiles(TM, QUAD) : QUAD;
    return {
      ...{ wgsl: `${text}\n${conv_taps}`, uniforms, flops },
      workgroups: tiles(phases * tiles(m, TM) * tiles(runs, side * RUNS) * side, LANES),
      constants: { ...(!single && { TM, SHARE, SERIAL, QUADS: Number(shared) }), RUNS, TAPS, SPARE, FORM, LANES },
      ...(shared && { needs: "quads" }),
    };
  };
  const TM = single ? 1 : shared ? sharedChannels(m, TAPS) : channelsOf(m);
  if (!software) return tile(TM, 2);
  return { ...tile(TM, single ? 4 : 2), quick: tile(shared && m > 4 ? 8 : Math.min(TM, 4), 1) };
}

/** `Dims` of wgsl/conv_taps.wgsl. */
function dataUniforms(attrs: ConvAttrs, s: ConvSizes, backward: boolean, axes: readonly [Axis, Axis]): number[] {
  const [m, k] = backward ? [s.inChannels, s.outChannels] : [s.outChannels, s.inChannels];
  const perIn = numel(attrs.kernel);
  const perOut = s.inChannels * perIn;
  return [
    ...[...axes.flatMap(fieldsOf), Math.max(1, attrs.lead), s.images, attrs.groups, m, k, Number(backward)],
    ...[s.planes[0], attrs.repeat[0], s.planes[1], attrs.repeat[1]],
    ...[s.outChannels * perOut, ...(backward ? [perIn, perOut] : [perOut, perIn])],
  ];
}

/** Output channels of an invocation: with 6 of them, fewer may be beyond the last. */
const channelsOf = (m: number): number => (m <= 4 ? 4 : 6 * tiles(m, 6) < 8 * tiles(m, 8) ? 6 : 8);
/** The same in quads: 16 take less time each, if few of them are beyond the last and the loop fits the instruction cache. */
const sharedChannels = (m: number, TAPS: number): number =>
  m <= 4 ? 4 : TAPS <= 3 && 16 * tiles(m, 16) <= 1.2 * 8 * tiles(m, 8) ? 16 : channelsOf(m);
/**
 * Whether taps are added one after another. To add those of a row to one another first leaves two thirds of the rounding error
 * where sums are long. With few channels both are as exact; which one resolves the ties of a path from zero as double precision
 * does was found by the golden cases.
 */
const serial = (channels: number, TAPS: number): number => Number(TAPS === 3 && channels >= 4 && channels <= 8);
const lanesOf = (software: boolean): number => (software ? FEW_LANES : LANES);

/** Taps of a row that are taken at once, all from one class of taps that are `skip` apart. */
function tapsOf({ kernel, skip }: Axis): number {
  const perClass = tiles(kernel, skip);
  return tiles(perClass, tiles(perClass, MOST_TAPS));
}

/** One axis of a correlation, see `Axis` in wgsl/conv_slide.wgsl. */
interface Axis {
  readonly extent: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly offset: number;
  readonly phases: number;
  readonly skip: number;
  readonly pace: number;
  readonly reach: number;
  readonly runs: number;
  readonly classes: number;
}

/** Rows and columns of a correlation in which an invocation computes `width` neighbouring columns at once. */
const axesOf = (
  attrs: ConvAttrs,
  output: readonly [number, number],
  backward: boolean,
  width: number,
): [Axis, Axis] => [axisOf(attrs, output, backward, 0, 1), axisOf(attrs, output, backward, 1, width)];

function axisOf(
  attrs: ConvAttrs,
  output: readonly [number, number],
  backward: boolean,
  axis: 0 | 1,
  width: number,
): Axis {
  const [kernel, stride, dilation] = [attrs.kernel[axis], attrs.stride[axis], attrs.dilation[axis]];
  const [input, padding] = [attrs.input[axis], attrs.padding[axis]];
  const [extent, outputs] = backward ? [output[axis], input] : [input, output[axis]];
  const common = gcd(stride, dilation);
  // Only columns slide: rows of a forward convolution need neither classes of taps nor outputs that are apart.
  const apart = axis === 1 ? dilation / common : 1;
  const skip = backward || axis === 1 ? stride / common : 1;
  const phases = backward ? stride * apart : apart;
  const reach = backward ? dilation / common : axis === 1 ? stride * apart : dilation;
  return {
    ...{ extent, outputs, kernel, stride, dilation, offset: (backward ? padding : -padding) >>> 0, phases, skip },
    pace: backward ? apart : stride * apart,
    reach,
    runs: tiles(tiles(outputs, phases), width),
    // In a transpose the phase of the outputs decides which class they meet.
    classes: backward ? 1 : Math.min(skip, kernel),
  };
}

const fieldsOf = (a: Axis): number[] => [
  ...[a.extent, a.outputs, a.kernel, a.stride, a.dilation, a.offset, a.phases, a.skip, a.pace, a.reach, a.runs],
  a.classes,
];

/** Invocations of a weight gradient, before it is split over images. */
export function weightInvocations(attrs: ConvAttrs, s: ConvSizes): number {
  const { groups, kernel } = attrs;
  const lead = Math.max(1, attrs.lead) * groups * kernel[0];
  if (isDepthwise(attrs, s)) return lead * s.outChannels * kernel[1];
  const [, x] = axesOf(attrs, s.output, false, PAIR);
  return lead * slidingTiles(s, x, weightRows(s), tapsOf(x));
}

const isDepthwise = ({ groups }: ConvAttrs, { inChannels }: ConvSizes): boolean => inChannels === 1 && groups > 1;
/** Output channels of an invocation of wgsl/conv_weight_slide.wgsl. */
const weightRows = ({ outChannels }: ConvSizes): number => (outChannels <= 4 ? 4 : 8);
/** Tiles of wgsl/conv_weight_slide.wgsl for a row of taps. */
const slidingTiles = (s: ConvSizes, { kernel, skip, classes }: Axis, TM: number, TAPS: number): number =>
  tiles(s.outChannels, TM) * tiles(s.inChannels, QUAD) * classes * tiles(kernel, skip * TAPS);

/** The kernel of a weight gradient. */
export function weightCall(attrs: ConvAttrs, s: ConvSizes, software: boolean): KernelCall {
  const { input, kernel, stride, padding, dilation, groups, repeat } = attrs;
  const planes = [s.planes[0], repeat[0], s.planes[1], repeat[1]];
  const flops = flopsOf(attrs, s);
  if (isDepthwise(attrs, s)) {
    const uniforms = [
      ...[s.images, groups, s.outChannels, s.inChannels, ...input, ...s.output, ...kernel, ...stride],
      ...[padding[0], padding[1], ...dilation, ...planes],
    ];
    return call(conv_depthwise_weight_grad, uniforms, weightInvocations(attrs, s), flops);
  }
  const [y, x] = axesOf(attrs, s.output, false, PAIR);
  const lead = Math.max(1, attrs.lead);
  const LANES = lanesOf(software);
  const tile = (TM: number, TAPS: number): KernelCall => ({
    wgsl: conv_weight_slide,
    uniforms: [...[...fieldsOf(y), ...fieldsOf(x), lead, s.images, groups, s.outChannels, s.inChannels, ...planes]],
    workgroups: tiles(lead * groups * kernel[0] * slidingTiles(s, x, TM, TAPS), LANES),
    flops,
    constants: { TM, TAPS, LANES },
  });
  const best = tile(weightRows(s), tapsOf(x));
  // Each tap is a sum of its own, so that the number of taps at once changes nothing.
  return software ? { ...best, quick: tile(4, 1) } : best;
}

/** Shape without a leading axis of planes. */
export const inner = (shape: Shape): Shape => shape.slice(-4);
