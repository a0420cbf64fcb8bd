// Movement of elements: views that the compiler turns into index arithmetic inside the kernels that read them.
// slice and pad, broadcast and sum are each other's transposes; reshape, transpose and flip are closed in themselves.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { formatShape, normalizeAxes, normalizeAxis, numel, sameShape, type Shape } from "../tensor/shape.ts";
import { Index } from "../graph/index-map.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, is, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";

/** A fill stays a fill when its elements move. */
export const refill = (x: Node, shape: Shape): Node | undefined => {
  const value = fillValue(x);
  return value === undefined ? undefined : fill(shape, value, x.dtype);
};

// ---- reshape -------------------------------------------------------------------------------------------------------

export const reshapePrimitive: Primitive<{ shape: Shape }> = primitive({
  name: "reshape",
  aval: ([x], { shape }) => {
    if (numel(shape) !== numel(x!.shape)) {
      throw new ShapeError(
        `reshape: ${formatShape(x!.shape)} has ${numel(x!.shape)} elements, ${formatShape(shape)} has ${numel(shape)}`,
      );
    }
    return { shape, dtype: x!.dtype };
  },
  lowering: { kind: "view", pieces: ({ inputs }, at) => [{ argument: 0, index: at.reshaped(inputs[0]!.shape) }] },
  multilinear: true,
  transpose: (ct, { inputs }) => reshape(ct, inputs[0]!.shape),
  batch: ([x], _, { shape }, size) => reshape(x!, [size, ...shape]),
  fold: ([x], { shape }) => {
    if (sameShape(x!.shape, shape)) return x;
    if (is(x!, reshapePrimitive)) return reshape(x.inputs[0]!, shape);
    return refill(x!, shape);
  },
});

/** The same elements in another shape; one extent may be -1 and is inferred. */
export function reshape(x: Operand, shape: Shape): Value {
  const node = lift(x);
  const holes = shape.filter((n) => n === -1).length;
  if (holes > 1) throw new ArgumentError(`reshape: at most one extent may be -1, got ${formatShape(shape)}`);
  const rest = numel(shape.filter((n) => n !== -1));
  const inferred = holes === 0 ? shape : shape.map((n) => (n === -1 ? numel(node.shape) / rest : n));
  if (inferred.some((n) => !Number.isInteger(n) || n < 0)) {
    throw new ShapeError(`reshape: ${formatShape(node.shape)} does not fit ${formatShape(shape)}`);
  }
  return apply(reshapePrimitive, [node], { shape: inferred });
}

/** Inserts an axis of extent 1 before position `axis` (negative: from the end of the result). */
export function expandDims(x: Operand, axis: number): Value {
  const node = lift(x);
  const at = normalizeAxis("expandDims", axis, node.shape.length + 1);
  return reshape(node, [...node.shape.slice(0, at), 1, ...node.shape.slice(at)]);
}

/** Drops axes of extent 1: those named, or all. */
export function squeeze(x: Operand, axes?: number | readonly number[]): Value {
  const node = lift(x);
  const named =
    axes === undefined
      ? node.shape.flatMap((n, i) => (n === 1 ? [i] : []))
      : normalizeAxes("squeeze", axes, node.shape.length);
  for (const axis of named) {
    if (node.shape[axis] !== 1) throw new ShapeError(`squeeze: axis ${axis} of ${formatShape(node.shape)} is not 1`);
  }
  return reshape(
    node,
    node.shape.filter((_, i) => !named.includes(i)),
  );
}

// ---- transpose -----------------------------------------------------------------------------------------------------

export const transposePrimitive: Primitive<{ permutation: readonly number[] }> = primitive({
  name: "transpose",
  aval: ([x], { permutation }) => ({ shape: permutation.map((axis) => x!.shape[axis]!), dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: ({ inputs, attrs }, at, context) => {
      const axes = inverse(attrs.permutation).map((axis) => at.axis(axis));
      return [{ argument: 0, index: Index.ofAxes(inputs[0]!.shape, axes, context) }];
    },
  },
  multilinear: true,
  transpose: (ct, { attrs }) => transpose(ct, inverse(attrs.permutation)),
  batch: ([x], _, { permutation }) => transpose(x!, [0, ...permutation.map((axis) => axis + 1)]),
  fold: ([x], { permutation }) => {
    if (permutation.every((axis, i) => axis === i)) return x;
    if (is(x!, transposePrimitive)) {
      const first = x.attrs.permutation;
      return transpose(
        x.inputs[0]!,
        permutation.map((axis) => first[axis]!),
      );
    }
    const moved = permutation.filter((axis) => x!.shape[axis] !== 1);
    // Moving only axes of extent 1 leaves the order of the elements as it is.
    if (moved.every((axis, i) => i === 0 || moved[i - 1]! < axis))
      return reshape(
        x!,
        permutation.map((axis) => x!.shape[axis]!),
      );
    return refill(
      x!,
      permutation.map((axis) => x!.shape[axis]!),
    );
  },
});

const inverse = (permutation: readonly number[]): number[] => {
  const result = new Array<number>(permutation.length);
  permutation.forEach((axis, i) => (result[axis] = i));
  return result;
};

/** Axis i of the result is axis permutation[i] of x; by default the axes are reversed. */
export function transpose(x: Operand, permutation?: readonly number[]): Value {
  const node = lift(x);
  const rank = node.shape.length;
  const order =
    permutation?.map((axis) => normalizeAxis("transpose", axis, rank)) ?? node.shape.map((_, i) => rank - 1 - i);
  if (order.length !== rank || new Set(order).size !== rank) {
    throw new ArgumentError(
      `transpose: [${order.join(", ")}] is not a permutation of the ${rank} axes of ${formatShape(node.shape)}`,
    );
  }
  return apply(transposePrimitive, [node], { permutation: order });
}

/** Moves one axis to another position, the others keeping their order. */
export function moveAxis(x: Operand, from: number, to: number): Value {
  const node = lift(x);
  const rank = node.shape.length;
  const source = normalizeAxis("moveAxis", from, rank);
  const order = node.shape.map((_, i) => i).filter((i) => i !== source);
  order.splice(normalizeAxis("moveAxis", to, rank), 0, source);
  return transpose(node, order);
}

// ---- slice and pad -------------------------------------------------------------------------------------------------

interface SliceAttrs extends Readonly<Record<string, unknown>> {
  readonly starts: readonly number[];
  readonly stops: readonly number[];
  readonly steps: readonly number[];
}

const sliced = ({ starts, stops, steps }: SliceAttrs): number[] =>
  starts.map((start, i) => Math.max(0, Math.ceil((stops[i]! - start) / steps[i]!)));

export const slicePrimitive: Primitive<SliceAttrs> = primitive({
  name: "slice",
  aval: ([x], attrs) => ({ shape: sliced(attrs), dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: ({ inputs, attrs }, at, context) => {
      const axes = attrs.starts.map((start, i) => {
        const scaled =
          attrs.steps[i] === 1
            ? at.axis(i)
            : `${at.axis(i)} * ${context.u32(`step${i}:${attrs.steps[i]!}`, attrs.steps[i]!)}`;
        return start === 0 ? scaled : context.let(`${scaled} + ${context.u32(`start${i}:${start}`, start)}`);
      });
      return [{ argument: 0, index: Index.ofAxes(inputs[0]!.shape, axes, context) }];
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

/** x[starts[0]:stops[0]:steps[0], ...]; negative bounds count from the end, a missing step is 1, steps are positive. */
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
      `slice: expected ${shape.length} bounds for ${formatShape(shape)}, got ${starts.length} and ${stops.length}`,
    );
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

/** The elements at position `at` along `axis`, that axis removed; negative positions count from the end. */
export function index(x: Operand, axis: number, at: number): Value {
  const node = lift(x);
  const a = normalizeAxis("index", axis, node.shape.length);
  const extent = node.shape[a]!;
  const i = at < 0 ? at + extent : at;
  if (!Number.isInteger(i) || i < 0 || i >= extent)
    throw new ArgumentError(`index: position ${at} is outside axis ${a} of ${formatShape(node.shape)}`);
  return squeeze(sliceAxis(node, a, i, i + 1), a);
}

/** x restricted to [start, stop) along one axis. */
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

export const padPrimitive: Primitive<PadAttrs> = primitive({
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
        const shifted = low === 0 ? at.axis(i) : context.let(`${at.axis(i)} - ${context.u32(`low${i}:${low}`, low)}`);
        const width = context.u32(`step${i}:${step}`, step);
        const coordinate = step === 1 ? shifted : context.let(`${shifted} / ${width}`);
        if (step !== 1) conditions.push(`${shifted} % ${width} == 0u`);
        conditions.push(`${coordinate} < ${context.u32(`extent${i}:${extent}`, extent)}`);
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

export const flipPrimitive: Primitive<{ axes: readonly number[] }> = primitive({
  name: "flip",
  aval: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: ({ shape, attrs }, at, context) => {
      const axes = shape.map((n, i) =>
        attrs.axes.includes(i) ? context.let(`${context.u32(`last${i}:${n}`, n - 1)} - ${at.axis(i)}`) : at.axis(i),
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
/** Reverses the order along the given axes. */
export function flip(x: Operand, axes: number | readonly number[]): Value {
  const node = lift(x);
  return apply(flipPrimitive, [node], { axes: normalizeAxes("flip", axes, node.shape.length) });
}
