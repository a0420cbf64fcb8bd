// Pooling over windows of the last two axes. A maximum is an integer computation, argmaxWindow, followed by a gather, whose
// transpose is scatterWindow and vice versa; an average and its transpose are a pair too. Derivatives of any order stay here.
import { DTypeError, ShapeError } from "../tensor/errors.ts";
import { formatShape, numel, sameShape, type Shape } from "../tensor/shape.ts";
import { Index } from "../graph/index-map.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type KernelCall, type Primitive } from "../graph/primitive.ts";
import { broadcastTo } from "./broadcast.ts";
import { reshape } from "./movement.ts";
import { max, mean } from "./reduce.ts";
import argmax_pair_window from "./wgsl/argmax_pair_window.wgsl";
import argmax_window from "./wgsl/argmax_window.wgsl";
import avg_pool from "./wgsl/avg_pool.wgsl";
import avg_pool_grad from "./wgsl/avg_pool_grad.wgsl";
import scatter_window from "./wgsl/scatter_window.wgsl";
import {
  assertCovered,
  outputsOf,
  paddingOf,
  pairOf,
  planeOf,
  type Padding,
  type Pair,
  type Window,
} from "./window.ts";

/** Window geometry with both plane sizes, shared by an operation and its transpose. */
export interface PoolAttrs extends Window, Readonly<Record<string, unknown>> {
  /** Height and width of the input planes. */
  readonly input: readonly [number, number];
  /** Height and width of the output planes. */
  readonly output: readonly [number, number];
}

const LANES = 64;
const planes = (x: Node): number => numel(x.shape.slice(0, -2));
const withPlane = (x: Node, plane: readonly [number, number]): Shape => [...x.shape.slice(0, -2), ...plane];
const isZero = (x: Node): boolean => fillValue(x) === 0;

function assertPlane(op: string, x: Node, plane: readonly [number, number], dtype: "f32" | "i32" = "f32"): void {
  if (x.dtype !== dtype) throw new DTypeError(`${op}: expected a ${dtype} operand, got ${x.dtype}`);
  if (!sameShape(x.shape.slice(-2), plane)) {
    throw new ShapeError(`${op}: expected [..., ${plane.join(", ")}], got ${formatShape(x.shape)}`);
  }
}

function kernelCall(wgsl: string, node: Node<PoolAttrs>, extra: readonly number[], perElement: number): KernelCall {
  const { input, output, kernel, stride, padding, dilation } = node.attrs;
  const elements = numel(node.shape);
  return {
    wgsl,
    uniforms: [...input, ...output, ...kernel, ...stride, padding[0], padding[1], ...dilation, ...extra, elements],
    workgroups: Math.ceil(elements / LANES),
    flops: elements * perElement,
  };
}

// ---- maximum -------------------------------------------------------------------------------------------------------

/** Whether windows are 2 x 2, lie inside, and start in even columns of rows of even length: rows are loaded as pairs then. */
const ofPairs = ({ kernel, stride, padding, dilation, input, output }: PoolAttrs): boolean =>
  [0, 1].every(
    (axis) =>
      kernel[axis] === 2 &&
      dilation[axis] === 1 &&
      padding[axis] === 0 &&
      (output[axis]! - 1) * stride[axis]! + 2 <= input[axis]!,
  ) &&
  stride[1] % 2 === 0 &&
  input[1] % 2 === 0;

/** x [..., H, W] -> i32 [..., oh, ow]: position y W + x of the first maximum of each window in its plane; a NaN wins. */
export const argmaxWindowPrimitive: Primitive<PoolAttrs> = /* @__PURE__ */ primitive<PoolAttrs>({
  name: "argmaxWindow",
  aval([x], { input, output }) {
    assertPlane("argmaxWindow", x!, input);
    return { shape: withPlane(x!, output), dtype: "i32" };
  },
  lowering: {
    kind: "kernel",
    call: (node) =>
      kernelCall(ofPairs(node.attrs) ? argmax_pair_window : argmax_window, node, [], numel(node.attrs.kernel)),
    positions: true,
  },
  kink: true,
  jvp: () => null,
  batch: (inputs, _, attrs) => apply(argmaxWindowPrimitive, inputs, attrs),
});

/**
 * Both operands with equal leading axes where the rule "the indices' leading axes are the last ones of the values'" would
 * otherwise break: plane p of the values goes with plane p mod (number of index planes).
 */
function batchWindow(prim: () => Primitive<PoolAttrs>) {
  return (
    [x, indices]: readonly Node[],
    [values, positions]: readonly boolean[],
    attrs: PoolAttrs,
    size: number,
  ): Node => {
    if (!positions) return apply(prim(), [x!, indices!], attrs);
    const lead = x!.shape.slice(values ? 1 : 0, -2);
    const own = indices!.shape.slice(1, -2);
    const ones = Array<number>(lead.length - own.length).fill(1);
    const plane = indices!.shape.slice(-2);
    const whole = broadcastTo(reshape(indices!, [size, ...ones, ...own, ...plane]), [size, ...lead, ...plane]);
    return apply(prim(), [values ? x! : broadcastTo(x!, [size, ...x!.shape]), whole], attrs);
  };
}

function assertIndices(op: string, x: Node, indices: Node): void {
  const lead = x.shape.slice(0, -2);
  const own = indices.shape.slice(0, -2);
  if (own.length > lead.length || !sameShape(own, lead.slice(lead.length - own.length))) {
    throw new ShapeError(
      `${op}: the leading axes of the indices ${formatShape(indices.shape)} must be the last leading axes of the values ${formatShape(x.shape)}`,
    );
  }
}

/** x [..., H, W], indices i32 [..., oh, ow] -> [..., oh, ow]: the element of each plane at each index. */
export const gatherWindowPrimitive: Primitive<PoolAttrs> = /* @__PURE__ */ primitive<PoolAttrs>({
  name: "gatherWindow",
  aval([x, indices], { input, output }) {
    assertPlane("gatherWindow", x!, input);
    assertPlane("gatherWindow", indices!, output, "i32");
    assertIndices("gatherWindow", x!, indices!);
    return { shape: withPlane(x!, output), dtype: "f32" };
  },
  lowering: {
    kind: "view",
    pieces({ inputs: [x, indices], attrs: { input, output } }, at, context) {
      const tag = `${at.shape.join("x")}|${indices!.shape.join("x")}`;
      const flat = at.flat();
      const shared = planes(indices!) < planes(x!);
      const position = shared ? context.let(`${flat} % ${context.u32(`${tag} indices`, numel(indices!.shape))}`) : flat;
      const plane = `${flat} / ${context.u32(`${tag} output plane`, numel(output))}`;
      const chosen = `u32(${context.load(1, Index.ofFlat(indices!.shape, position, context))})`;
      const source = context.let(`${plane} * ${context.u32(`${tag} input plane`, numel(input))} + ${chosen}`);
      return [{ argument: 0, index: Index.ofFlat(x!.shape, source, context) }];
    },
    inPlace: ({ inputs: [x, indices] }, argument) => argument === 1 && planes(indices!) === planes(x!),
  },
  multilinear: true,
  transpose: (ct, node) => apply(scatterWindowPrimitive, [ct, node.inputs[1]!], node.attrs),
  batch: batchWindow(() => gatherWindowPrimitive),
  fold: ([x], { output }) => (isZero(x!) ? fill(withPlane(x!, output), 0) : undefined),
});

/** ct [..., oh, ow], indices i32 [..., oh, ow] -> [..., H, W]: each element added at its index, zeros elsewhere. */
export const scatterWindowPrimitive: Primitive<PoolAttrs> = /* @__PURE__ */ primitive<PoolAttrs>({
  name: "scatterWindow",
  aval([ct, indices], { input, output }) {
    assertPlane("scatterWindow", ct!, output);
    assertPlane("scatterWindow", indices!, output, "i32");
    assertIndices("scatterWindow", ct!, indices!);
    return { shape: withPlane(ct!, input), dtype: "f32" };
  },
  lowering: {
    kind: "kernel",
    call: (node) => kernelCall(scatter_window, node, [planes(node.inputs[1]!)], numel(node.attrs.kernel)),
    expand: ({ inputs, attrs }) => (overlaps(attrs) ? undefined : apply(placeWindowPrimitive, inputs, attrs)),
  },
  multilinear: true,
  transpose: (ct, node) => apply(gatherWindowPrimitive, [ct, node.inputs[1]!], node.attrs),
  batch: batchWindow(() => scatterWindowPrimitive),
  fold: ([ct], { input }) => (isZero(ct!) ? fill(withPlane(ct!, input), 0) : undefined),
});

const overlaps = ({ kernel, stride, dilation }: PoolAttrs): boolean =>
  kernel.some((size, axis) => (size - 1) * dilation[axis]! + 1 > stride[axis]!);

/** scatterWindow where windows do not overlap: an element comes from one window, if from any, so that others can compute it. */
const placeWindowPrimitive: Primitive<PoolAttrs> = /* @__PURE__ */ primitive<PoolAttrs>({
  name: "placeWindow",
  aval: ([ct], { input }) => ({ shape: withPlane(ct!, input), dtype: "f32" }),
  lowering: {
    kind: "view",
    pieces({ inputs: [ct, indices], attrs: { input, output, stride, padding } }, at, context) {
      const axes = at.axes();
      const lead = axes.slice(0, -2);
      const [y, x] = axes.slice(-2) as [string, string];
      // Positions behind the last window go to that one, which did not choose them.
      const [row, column] = [y, x].map((position, axis) => {
        const u32 = (name: string, value: number): string => context.u32(`window ${name}${axis}`, value);
        const window = `(${position} + ${u32("padding", padding[axis]!)}) / ${u32("stride", stride[axis]!)}`;
        return context.let(`min(${window}, ${u32("last", output[axis]! - 1)})`);
      });
      const own = lead.slice(lead.length - indices!.shape.length + 2);
      const chosen = context.load(1, Index.ofAxes(indices!.shape, [...own, row!, column!], context));
      const position = `${y} * ${context.u32("window width", input[1])} + ${x}${context.second}`;
      const when = `u32(${chosen}) == ${position}`;
      return [{ argument: 0, index: Index.ofAxes(ct!.shape, [...lead, row!, column!], context), when }];
    },
    pairs: ({ attrs: { input, stride, padding } }) => [input[1], stride[1], padding[1]].every((n) => n % 2 === 0),
  },
  batch: batchWindow(() => placeWindowPrimitive),
});

export interface PoolOptions {
  /** Window height and width. */
  readonly kernel: Pair;
  /** Default: the kernel. */
  readonly stride?: Pair;
  /** Default 0; see {@link Padding}. */
  readonly padding?: Padding;
  /** Counts a last window that hangs over the end but starts inside the input or the padding before it; default false. */
  readonly ceilMode?: boolean;
}

export interface MaxPoolOptions extends PoolOptions {
  /** Distance of two taps, default 1. */
  readonly dilation?: Pair;
}

function attrsOf(op: string, x: Node, options: MaxPoolOptions): PoolAttrs {
  const input = planeOf(op, x.shape, 2);
  const kernel = pairOf(op, "kernel", options.kernel, 1);
  const stride = pairOf(op, "stride", options.stride ?? kernel, 1);
  const dilation = pairOf(op, "dilation", options.dilation ?? 1, 1);
  const padding = paddingOf(op, options.padding ?? 0, input, { kernel, stride, dilation });
  const window = { kernel, stride, padding, dilation };
  const output = outputsOf(op, input, window, options.ceilMode);
  assertCovered(op, input, window, output);
  return { ...window, input, output };
}

/**
 * Maximum over windows. Where several elements are equal, the derivative goes to the first in row-major order; NaN wins
 * over every number. Padding is never chosen.
 * @param x [..., H, W]
 * @returns [..., oh, ow]
 * @throws ShapeError when the window is larger than the padded input
 * @throws ArgumentError when a window would cover padding only
 */
export function maxPool2d(x: Operand, options: MaxPoolOptions): Value {
  const node = lift(x);
  const attrs = attrsOf("maxPool2d", node, options);
  return apply(gatherWindowPrimitive, [node, apply(argmaxWindowPrimitive, [node], attrs)], attrs);
}

/** Maximum over both last axes: x [..., H, W] -> [..., 1, 1], or [...] without `keepDims` (default true). */
export function globalMaxPool2d(x: Operand, { keepDims = true }: { keepDims?: boolean } = {}): Value {
  const node = lift(x);
  planeOf("globalMaxPool2d", node.shape, 2);
  return max(node, [-2, -1], { keepDims });
}

// ---- average -------------------------------------------------------------------------------------------------------

export interface AvgPoolAttrs extends PoolAttrs {
  readonly countIncludePad: boolean;
}

/** Numbers that tell how many elements a window is divided by. */
const divisorFields = ({ padding, countIncludePad }: AvgPoolAttrs): number[] => [
  padding[2],
  padding[3],
  Number(countIncludePad),
];

/** x [..., H, W] -> [..., oh, ow]: the mean of each window. */
export const avgPoolPrimitive: Primitive<AvgPoolAttrs> = /* @__PURE__ */ primitive<AvgPoolAttrs>({
  name: "avgPool",
  aval([x], { input, output }) {
    assertPlane("avgPool", x!, input);
    return { shape: withPlane(x!, output), dtype: "f32" };
  },
  lowering: {
    kind: "kernel",
    call: (node) => kernelCall(avg_pool, node, divisorFields(node.attrs), numel(node.attrs.kernel)),
  },
  multilinear: true,
  transpose: (ct, node) => apply(avgPoolGradPrimitive, [ct], node.attrs),
  batch: (inputs, _, attrs) => apply(avgPoolPrimitive, inputs, attrs),
  fold: ([x], { output }) => (isZero(x!) ? fill(withPlane(x!, output), 0) : undefined),
});

/** ct [..., oh, ow] -> [..., H, W]: each element, divided by its window's count, added to all of its window. */
export const avgPoolGradPrimitive: Primitive<AvgPoolAttrs> = /* @__PURE__ */ primitive<AvgPoolAttrs>({
  name: "avgPoolGrad",
  aval([ct], { input, output }) {
    assertPlane("avgPoolGrad", ct!, output);
    return { shape: withPlane(ct!, input), dtype: "f32" };
  },
  lowering: {
    kind: "kernel",
    call: (node) => kernelCall(avg_pool_grad, node, divisorFields(node.attrs), numel(node.attrs.kernel)),
  },
  multilinear: true,
  transpose: (ct, node) => apply(avgPoolPrimitive, [ct], node.attrs),
  batch: (inputs, _, attrs) => apply(avgPoolGradPrimitive, inputs, attrs),
  fold: ([ct], { input }) => (isZero(ct!) ? fill(withPlane(ct!, input), 0) : undefined),
});

export interface AvgPoolOptions extends PoolOptions {
  /**
   * Whether zeros of the padding count as elements of the mean; default true. With `ceilMode`, the part of a window beyond
   * the padded input never counts.
   */
  readonly countIncludePad?: boolean;
}

/**
 * Mean over windows.
 * @param x [..., H, W]
 * @returns [..., oh, ow]
 * @throws ShapeError when the window is larger than the padded input
 * @throws ArgumentError when a window would cover padding only
 */
export function avgPool2d(x: Operand, { countIncludePad = true, ...options }: AvgPoolOptions): Value {
  const node = lift(x);
  return apply(avgPoolPrimitive, [node], { ...attrsOf("avgPool2d", node, options), countIncludePad });
}

/** Mean over both last axes: x [..., H, W] -> [..., 1, 1], or [...] without `keepDims` (default true). */
export function globalAvgPool2d(x: Operand, { keepDims = true }: { keepDims?: boolean } = {}): Value {
  const node = lift(x);
  planeOf("globalAvgPool2d", node.shape, 2);
  return mean(node, [-2, -1], { keepDims });
}
