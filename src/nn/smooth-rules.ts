// What takes the place of each kinked operation: forms of softplus that tend to the operation as beta grows, and have
// derivatives of every order.
import { fill, fillValue } from "../graph/leaves.ts";
import { apply, is, type Node, type Value } from "../graph/node.ts";
import { absPrimitive, add, div, mul, neg, sub } from "../kernels/arithmetic.ts";
import {
  greaterEqualPrimitive,
  greaterPrimitive,
  leakyReluPrimitive,
  logicalNotPrimitive,
  maximumPrimitive,
  minimumPrimitive,
  reluPrimitive,
  select,
  selectPrimitive,
} from "../kernels/choice.ts";
import { sigmoid, softplus, softplusPrimitive } from "../kernels/functions.ts";
import { logSumExpPrimitive } from "../kernels/reduce.ts";
import type { AxisRange } from "../kernels/reduction.ts";
import { padPrimitive, slicePrimitive } from "../kernels/slice.ts";
import type { Window } from "../kernels/window.ts";

export interface Sharpness {
  readonly beta: number;
  readonly pool: boolean;
}

/** Beyond this a constant limit is taken for "none": differences from it would lose the digits of the other operand. */
const LIMIT = 1e4;

export interface SmoothForm {
  /** What it is counted under; undefined if there was no kink after all. */
  readonly name?: string;
  readonly value: Value;
}

/**
 * The smooth form of `node`.
 * @param inputs the operands of the smoothed network
 * @param varies whether an operand of `node` depends on the network's inputs
 * @returns undefined where there is nothing to smooth, or no way to
 */
export function smoothForm(
  node: Node,
  inputs: readonly Node[],
  varies: (x: Node) => boolean,
  { beta, pool }: Sharpness,
): SmoothForm | undefined {
  if (node.dtype !== "f32") return undefined;
  const [a, b] = inputs as [Node, Node];
  if (is(node, leakyReluPrimitive)) return { name: "leaky ReLU", value: smoothLeaky(a, node.attrs.slope, beta) };
  if (is(node, reluPrimitive)) return { name: "relu", value: softplus(a, { beta }) };
  if (is(node, absPrimitive)) return { name: "absolute value", value: smoothAbs(a, beta) };
  if (is(node, maximumPrimitive)) return smoothExtremum("maximum", a, b, beta, 1);
  if (is(node, minimumPrimitive)) return smoothExtremum("minimum", a, b, beta, -1);
  if (is(node, selectPrimitive)) return smoothSelect(node, inputs, varies, beta);
  return pool ? smoothPool(node, a, beta) : undefined;
}

const smoothLeaky = (x: Node, slope: number, beta: number): Value =>
  add(mul(x, slope), mul(softplus(x, { beta }), 1 - slope));

/** 2 log(2) / beta at 0, |x| up to an exponentially small rest elsewhere. */
const smoothAbs = (x: Node, beta: number): Value => add(softplus(x, { beta }), softplus(neg(x), { beta }));

/** log(e^(beta a) + e^(beta b)) / beta, without overflow. Rounding errors are those of a - b and of `b`. */
const smoothMaximum = (a: Node, b: Node, beta: number): Value => add(b, softplus(sub(a, b), { beta }));

/**
 * Smooth maximum (sign 1) or minimum (-1). A limit of infinity is none, or is the result. Any other constant is the
 * base that the rest is added to: the result is then exact where the limit holds.
 */
function smoothExtremum(name: string, a: Node, b: Node, beta: number, sign: 1 | -1): SmoothForm {
  const limits = [a, b].filter((x) => fillValue(x) !== undefined);
  const infinite = limits.find((x) => Math.abs(fillValue(x)!) === Infinity);
  const other = (x: Node): Node => (x === a ? b : a);
  if (infinite) return { value: fillValue(infinite)! * sign > 0 ? infinite : other(infinite) };
  const near = limits.find((x) => Math.abs(fillValue(x)!) <= LIMIT);
  const base = near ?? (limits[0] && other(limits[0])) ?? b;
  if (sign > 0) return { name, value: smoothMaximum(other(base), base, beta) };
  return { name, value: sub(base, softplus(sub(base, other(base)), { beta })) };
}

// ---- selections by a comparison ------------------------------------------------------------------------------------

/**
 * A choice between two values by a comparison of reals (ELU, thresholds): both, weighted by the sigmoid of the compared
 * difference. Left alone, a choice beside smoothed branches would jump where the branches used to meet.
 */
function smoothSelect(
  node: Node,
  [condition, a, b]: readonly Node[],
  varies: (x: Node) => boolean,
  beta: number,
): SmoothForm | undefined {
  if (!varies(node.inputs[0]!)) return undefined;
  // A branch that is infinite where it is not taken, as masks are, has no weighted mean.
  if ([a!, b!].some((x) => fillValue(x) !== undefined && !Number.isFinite(fillValue(x)))) return undefined;
  const difference = compared(node.inputs[0]!, condition!);
  return difference && { name: "selection", value: add(b!, mul(sigmoid(mul(difference, beta)), sub(a!, b!))) };
}

/** What is positive where a condition holds. */
function compared(original: Node, condition: Node): Value | undefined {
  if (is(condition, logicalNotPrimitive) && is(original, logicalNotPrimitive)) {
    const inner = compared(original.inputs[0]!, condition.inputs[0]!);
    return inner && neg(inner);
  }
  if (!is(condition, greaterPrimitive) && !is(condition, greaterEqualPrimitive)) return undefined;
  const [a, b] = condition.inputs as [Node, Node];
  if (a.dtype !== "f32") return undefined;
  // relu(z) > 0 asks for the sign of z, and is how derivatives of relu choose; softplus(z) is positive everywhere.
  const rectified = original.inputs[0]!;
  return is(rectified, reluPrimitive) && is(a, softplusPrimitive) && fillValue(b) === 0 ? a.inputs[0]! : sub(a, b);
}

// ---- maxima over axes and windows ----------------------------------------------------------------------------------

// Names instead of records: importing the records of pooling would put its kernels into pages that have none.
function smoothPool(node: Node, x: Node, beta: number): SmoothForm | undefined {
  if (node.primitive.name === "max") {
    const sum = apply(logSumExpPrimitive, [mul(x, beta)], node.attrs as AxisRange);
    return { name: "max reduction", value: div(sum, beta) };
  }
  const [values, positions] = node.inputs;
  const pooled =
    node.primitive.name === "gatherWindow" &&
    positions!.primitive.name === "argmaxWindow" &&
    positions!.inputs[0] === values;
  return pooled
    ? { name: "max pooling", value: smoothWindow(x, node.attrs as unknown as PlaneWindow, beta) }
    : undefined;
}

/** What pooling nodes hold: the resolved window, and the sizes of the input and output planes. */
interface PlaneWindow extends Window {
  readonly input: readonly [number, number];
  readonly output: readonly [number, number];
}

/** log(sum(e^(beta x))) / beta over windows: first over their rows, then over the columns of the result. */
function smoothWindow(x: Node, { input, output, kernel, stride, padding, dilation }: PlaneWindow, beta: number): Value {
  return ([0, 1] as const).reduce((value: Node, i) => {
    const along = { kernel: kernel[i], stride: stride[i], before: padding[i], dilation: dilation[i] };
    return smoothTaps(value, { ...along, axis: x.shape.length - 2 + i, input: input[i], output: output[i] }, beta);
  }, x);
}

interface AxisWindow {
  readonly axis: number;
  readonly kernel: number;
  readonly stride: number;
  readonly before: number;
  readonly dilation: number;
  readonly input: number;
  readonly output: number;
}

/** Outputs for which something lies inside the input: `from` <= position <= `to`. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The log-sum-exp of a window along one axis, tap by tap. Padding takes no part at all: where a tap, or all before it,
 * lie outside the input, a choice (of constant conditions) passes the other one on.
 */
function smoothTaps(x: Node, window: AxisWindow, beta: number): Value {
  const { axis, kernel, stride, before, dilation, input, output } = window;
  const end = (output - 1) * stride + (kernel - 1) * dilation + 1;
  const padded = alongAxis(x, axis, before, Math.max(0, end - before - input));
  let [y, known]: [Node | undefined, Span] = [undefined, { from: output, to: -1 }];
  for (let tap = 0; tap < kernel; tap++) {
    const offset = tap * dilation;
    const from = Math.max(0, Math.ceil((before - offset) / stride));
    const to = Math.min(output - 1, Math.floor((input - 1 + before - offset) / stride));
    if (from > to) continue;
    const value = everyNth(padded, axis, offset, stride, output);
    if (y) {
      const both = smoothMaximum(y, value, beta);
      y = within(both, axis, known, within(both, axis, { from, to }, both, y), value);
    } else y = value;
    // Later taps reach further back: the spans only grow downwards, without gaps.
    known = { from, to: Math.max(known.to, to) };
  }
  return y!;
}

/** `inside` at the positions of a span along an axis of `like`, else `outside`. */
function within(like: Node, axis: number, { from, to }: Span, inside: Node, outside: Node): Value {
  const extent = like.shape[axis]!;
  const span = like.shape.map((n, i) => (i === axis ? to - from + 1 : n));
  return select(alongAxis(fill(span, 1, "bool"), axis, from, extent - 1 - to), inside, outside);
}

/** x with zeros (false) before and after along one axis. */
function alongAxis(x: Node, axis: number, low: number, high: number): Value {
  if (low === 0 && high === 0) return x;
  const at = (n: number): number[] => x.shape.map((_, i) => (i === axis ? n : 0));
  return apply(padPrimitive, [x], { low: at(low), high: at(high), interior: at(0) });
}

/** `count` elements along one axis: from `start`, `step` apart. */
function everyNth(x: Node, axis: number, start: number, step: number, count: number): Value {
  return apply(slicePrimitive, [x], {
    starts: x.shape.map((_, i) => (i === axis ? start : 0)),
    stops: x.shape.map((n, i) => (i === axis ? start + (count - 1) * step + 1 : n)),
    steps: x.shape.map((_, i) => (i === axis ? step : 1)),
  });
}
