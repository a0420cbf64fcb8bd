// Parts of values, and values put into larger ones. Slice and pad are each other's transposes; flip is its own.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { formatShape, normalizeAxes, normalizeAxis, sameShape, type Shape } from "../tensor/shape.ts";
import { Index } from "../graph/index-map.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";
import { refill, squeeze } from "./movement.ts";

interface SliceAttrs extends Readonly<Record<string, unknown>> {
  readonly starts: readonly number[];
  readonly stops: readonly number[];
  readonly steps: readonly number[];
}

const sliced = ({ starts, stops, steps }: SliceAttrs): number[] =>
  starts.map((start, i) => Math.max(0, Math.ceil((stops[i]! - start) / steps[i]!)));

export const slicePrimitive: Primitive<SliceAttrs> = /* @__PURE__ */ primitive({
  name: "slice",
  aval: ([x], attrs) => ({ shape: sliced(attrs), dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: ({ inputs, attrs }, at, context) => {
      const axes = attrs.starts.map((start, i) => {
        const scaled =
          attrs.steps[i] === 1 ? at.axis(i) : `${at.axis(i)} * ${context.u32(`step${i}`, attrs.steps[i]!)}`;
        return start === 0 ? scaled : context.let(`${scaled} + ${context.u32(`start${i}`, start)}`);
      });
      return [{ argument: 0, index: Index.ofAxes(inputs[0]!.shape, axes, context) }];
    },
    cut: ({ inputs: [x], attrs: { starts, steps }, shape }) => {
      const [axis, another] = shape.flatMap((length, i) => (length === x!.shape[i] ? [] : [i]));
      return axis === undefined || another !== undefined || steps[axis] !== 1
        ? undefined
        : { axis, start: starts[axis]! };
    },
  },
  multilinear: true,
  // The cotangent returns to where its elements came from; zeros elsewhere.
  transpose: (ct, { inputs, attrs, shape }) => {
    const source = inputs[0]!.shape;
    const low = attrs.starts;
    const high = source.map((n, i) => n - low[i]! - (shape[i]! === 0 ? 0 : (shape[i]! - 1) * attrs.steps[i]! + 1));
    return apply(padPrimitive, [ct], { low: [...low], high, interior: attrs.steps.map((s) => s - 1) });
  },
  batch: ([x], _, { starts, stops, steps }, size) =>
    apply(slicePrimitive, [x!], { starts: [0, ...starts], stops: [size, ...stops], steps: [1, ...steps] }),
  fold: ([x], attrs) =>
    sameShape(sliced(attrs), x!.shape) && attrs.steps.every((s) => s === 1) ? x : refill(x!, sliced(attrs)),
});

/**
 * x[starts[0]:stops[0]:steps[0], ...] as in NumPy: negative bounds count from the end, bounds beyond an axis are cut to it.
 * @param steps whole numbers >= 1; default 1
 * @throws ShapeError unless there is one start, one stop (and one step) per axis
 * @throws ArgumentError for bounds or steps that are not whole numbers in their range
 */
export function slice(
  x: Operand,
  starts: readonly number[],
  stops: readonly number[],
  steps?: readonly number[],
): Value {
  const node = lift(x);
  const { shape } = node;
  if (starts.length !== shape.length || stops.length !== shape.length || (steps && steps.length !== shape.length)) {
    throw new ShapeError(
      `slice: expected ${shape.length} starts, stops and steps for ${formatShape(shape)}, ` +
        `got ${starts.length}, ${stops.length} and ${steps?.length ?? "no"}`,
    );
  }
  if ([...starts, ...stops].some((n) => !Number.isInteger(n))) {
    throw new ArgumentError(`slice: bounds must be whole numbers, got [${starts.join(", ")}] to [${stops.join(", ")}]`);
  }
  const bound = (n: number, extent: number): number => Math.min(extent, Math.max(0, n < 0 ? n + extent : n));
  const attrs = {
    starts: starts.map((n, i) => bound(n, shape[i]!)),
    stops: stops.map((n, i) => bound(n, shape[i]!)),
    steps: steps ? [...steps] : shape.map(() => 1),
  };
  if (attrs.steps.some((s) => !Number.isInteger(s) || s < 1))
    throw new ArgumentError(`slice: steps must be positive integers, got [${attrs.steps.join(", ")}]`);
  return apply(slicePrimitive, [node], attrs);
}

/**
 * The elements at position `at` along `axis`, that axis removed; negative positions count from the end.
 * @throws ArgumentError when there is no such axis or position
 */
export function index(x: Operand, axis: number, at: number): Value {
  const node = lift(x);
  const a = normalizeAxis("index", axis, node.shape.length);
  const extent = node.shape[a]!;
  const i = at < 0 ? at + extent : at;
  if (!Number.isInteger(i) || i < 0 || i >= extent)
    throw new ArgumentError(`index: position ${at} is outside axis ${a} of ${formatShape(node.shape)}`);
  return squeeze(sliceAxis(node, a, i, i + 1), a);
}

/** x restricted to [start, stop) along one axis; bounds as in {@link slice}. */
export function sliceAxis(x: Operand, axis: number, start: number, stop: number): Value {
  const node = lift(x);
  const a = normalizeAxis("sliceAxis", axis, node.shape.length);
  return slice(
    node,
    node.shape.map((_, i) => (i === a ? start : 0)),
    node.shape.map((n, i) => (i === a ? stop : n)),
  );
}

interface PadAttrs extends Readonly<Record<string, unknown>> {
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** Zeros between neighbours: what a strided slice leaves out. */
  readonly interior: readonly number[];
}

const padded = (shape: Shape, { low, high, interior }: PadAttrs): number[] =>
  shape.map((n, i) => low[i]! + high[i]! + n + Math.max(0, n - 1) * interior[i]!);

export const padPrimitive: Primitive<PadAttrs> = /* @__PURE__ */ primitive({
  name: "pad",
  aval: ([x], attrs) => ({ shape: padded(x!.shape, attrs), dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: ({ inputs, attrs }, at, context) => {
      const source = inputs[0]!.shape;
      const conditions: string[] = [];
      const axes = source.map((extent, i) => {
        const low = attrs.low[i]!;
        const step = attrs.interior[i]! + 1;
        if (low === 0 && attrs.high[i] === 0 && step === 1) return at.axis(i);
        // Below the low edge the u32 difference wraps to a huge number: one comparison guards both edges.
        const shifted = low === 0 ? at.axis(i) : context.let(`${at.axis(i)} - ${context.u32(`low${i}`, low)}`);
        const width = context.u32(`step${i}`, step);
        const coordinate = step === 1 ? shifted : context.let(`${shifted} / ${width}`);
        if (step !== 1) conditions.push(`${shifted} % ${width} == 0u`);
        conditions.push(`${coordinate} < ${context.u32(`extent${i}`, extent)}`);
        return coordinate;
      });
      const piece = { argument: 0, index: Index.ofAxes(source, axes, context) };
      return [conditions.length === 0 ? piece : { ...piece, when: conditions.join(" && ") }];
    },
  },
  multilinear: true,
  transpose: (ct, { inputs, attrs }) => {
    const source = inputs[0]!.shape;
    const stops = source.map((n, i) => attrs.low[i]! + (n === 0 ? 0 : (n - 1) * (attrs.interior[i]! + 1) + 1));
    return apply(slicePrimitive, [ct], { starts: [...attrs.low], stops, steps: attrs.interior.map((n) => n + 1) });
  },
  batch: ([x], _, { low, high, interior }) =>
    apply(padPrimitive, [x!], { low: [0, ...low], high: [0, ...high], interior: [0, ...interior] }),
  fold: ([x], attrs) => {
    if (sameShape(padded(x!.shape, attrs), x!.shape)) return x;
    return fillValue(x!) === 0 ? fill(padded(x!.shape, attrs), 0, x!.dtype) : undefined;
  },
});

// ---- flip -------------------------------------------------------------------------------------------------------------

export const flipPrimitive: Primitive<{ axes: readonly number[] }> = /* @__PURE__ */ primitive({
  name: "flip",
  aval: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: ({ shape, attrs }, at, context) => {
      const axes = shape.map((n, i) =>
        attrs.axes.includes(i) ? context.let(`${context.u32(`last${i}`, n - 1)} - ${at.axis(i)}`) : at.axis(i),
      );
      return [{ argument: 0, index: Index.ofAxes(shape, axes, context) }];
    },
  },
  multilinear: true,
  transpose: (ct, { attrs }) => flip(ct, attrs.axes),
  batch: ([x], _, { axes }) =>
    flip(
      x!,
      axes.map((axis) => axis + 1),
    ),
  fold: ([x], { axes }) => (axes.every((axis) => x!.shape[axis] === 1) ? x : refill(x!, x!.shape)),
});

/**
 * Reverses the order along the given axes.
 * @throws ArgumentError when an axis does not exist or is named twice
 */
export function flip(x: Operand, axes: number | readonly number[]): Value {
  const node = lift(x);
  return apply(flipPrimitive, [node], { axes: normalizeAxes("flip", axes, node.shape.length) });
}
