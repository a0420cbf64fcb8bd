// Geometry of sliding windows over the last two axes: what convolutions and pooling have in common.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { formatShape, type Shape } from "../tensor/shape.ts";

/** A value for both axes, or one for each: [height, width]. */
export type Pair = number | readonly [number, number];

/**
 * Zeros (for maxima: nothing) around the input: everywhere alike, [height, width], or [top, left, bottom, right].
 * "valid" is none. "same" gives ceil(input / stride) outputs, the odd one of the padding at the bottom and right
 * (TensorFlow, ONNX SAME_UPPER); "sameLower" puts it at the top and left.
 */
export type Padding = number | readonly [number, number] | readonly [number, number, number, number] | PaddingRule;
export type PaddingRule = "valid" | "same" | "sameLower";

/** Sizes along the two axes, [height, width], and [top, left, bottom, right] of padding. */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
  readonly dilation: readonly [number, number];
}

/** Checks that there are at least `rank` axes, none of them empty, and gives the lengths of the last two. */
export function planeOf(op: string, shape: Shape, rank: number): [number, number] {
  if (shape.length < rank || shape.some((n) => n < 1)) {
    const expected = rank === 4 ? "[N, C, H, W]" : "[..., H, W]";
    throw new ShapeError(`${op}: expected x of shape ${expected} without empty axes, got ${formatShape(shape)}`);
  }
  return [shape[shape.length - 2]!, shape[shape.length - 1]!];
}

/** Both values of a {@link Pair}, checked to be whole numbers of at least `least`. */
export function pairOf(op: string, name: string, value: Pair, least: number): [number, number] {
  const [h, w] = typeof value === "number" ? [value, value] : value;
  if (![h, w].every((n) => Number.isInteger(n) && n >= least)) {
    throw new ArgumentError(
      `${op}: ${name} must be a whole number >= ${least} or two of them, got ${JSON.stringify(value)}`,
    );
  }
  return [h, w];
}

/** Input positions from the first to one past the last tap of a window. */
const extentOf = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1;

/** Padding spelled out as [top, left, bottom, right]. */
export function paddingOf(
  op: string,
  padding: Padding,
  input: readonly [number, number],
  window: Omit<Window, "padding">,
): [number, number, number, number] {
  if (padding === "valid") return [0, 0, 0, 0];
  if (padding === "same" || padding === "sameLower") {
    const [y, x] = ([0, 1] as const).map((axis) => {
      const stride = window.stride[axis];
      const covered =
        (Math.ceil(input[axis] / stride) - 1) * stride + extentOf(window.kernel[axis], window.dilation[axis]);
      const total = Math.max(0, covered - input[axis]);
      const before = padding === "same" ? Math.floor(total / 2) : Math.ceil(total / 2);
      return [before, total - before];
    });
    return [y![0]!, x![0]!, y![1]!, x![1]!];
  }
  const given = typeof padding === "number" ? [padding, padding] : padding;
  const whole = typeof given === "object" && given.every((n) => Number.isInteger(n) && n >= 0);
  if (whole && given.length === 2) return [given[0], given[1], given[0], given[1]];
  if (whole && given.length === 4) return [given[0], given[1], given[2], given[3]];
  throw new ArgumentError(
    `${op}: padding must be a whole number >= 0, [height, width], [top, left, bottom, right], "valid", "same" or ` +
      `"sameLower", got ${JSON.stringify(padding)}`,
  );
}

/**
 * Number of window positions, [height, width].
 * @param ceil counts a last window that hangs over the end, unless it would start beyond the input and its padding before
 * it (PyTorch's rule)
 * @throws ShapeError when the window does not fit the padded input
 */
export function outputsOf(
  op: string,
  input: readonly [number, number],
  window: Window,
  ceil = false,
): [number, number] {
  const along = (axis: 0 | 1): number => {
    const before = window.padding[axis];
    const room =
      input[axis] + before + window.padding[axis + 2]! - extentOf(window.kernel[axis], window.dilation[axis]);
    if (room < 0) {
      throw new ShapeError(
        `${op}: a kernel of ${formatShape(window.kernel)} with dilation ${formatShape(window.dilation)} does not fit an input of ` +
          `${formatShape(input)} padded by ${formatShape(window.padding)}; use a smaller kernel or more padding`,
      );
    }
    const stride = window.stride[axis];
    if (!ceil) return Math.floor(room / stride) + 1;
    const count = Math.ceil(room / stride) + 1;
    return (count - 1) * stride >= input[axis] + before ? count - 1 : count;
  };
  return [along(0), along(1)];
}

/** @throws ArgumentError when some window covers padding only, where a maximum or a mean of the input has no value */
export function assertCovered(
  op: string,
  input: readonly [number, number],
  window: Window,
  outputs: readonly [number, number],
): void {
  for (const axis of [0, 1] as const) {
    const [kernel, stride, dilation] = [window.kernel[axis], window.stride[axis], window.dilation[axis]];
    for (let o = 0; o < outputs[axis]; o++) {
      const start = o * stride - window.padding[axis];
      const first = start + (start < 0 ? Math.ceil(-start / dilation) * dilation : 0);
      if (first < input[axis] && first < start + kernel * dilation) continue;
      throw new ArgumentError(
        `${op}: window ${o} along ${axis === 0 ? "height" : "width"} covers nothing but padding: kernel ${formatShape(window.kernel)}, ` +
          `padding ${formatShape(window.padding)}, input ${formatShape(input)}; use at most half the kernel as padding`,
      );
    }
  }
}
