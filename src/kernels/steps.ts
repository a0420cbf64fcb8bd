// Time steps of a sequence, and sequences from time steps. The position always travels in a uniform, also where it is 0, so
// that the kernels of all steps are one. Both directions go through a tree of fan-out six: a sum of parts that all steps
// contribute to, or a join, is then read and written once per level and not once per step.
import { Index } from "../graph/index-map.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";
import type { Shape } from "../tensor/shape.ts";
import { add } from "./arithmetic.ts";
import { expandDims, squeeze } from "./movement.ts";

/** `length` neighbouring steps of the axis `axis`, from `start` on. */
type TakeAttrs = { readonly axis: number; readonly start: number; readonly length: number };
/** The steps of the argument from `start` on among `total`, zeros elsewhere. */
type PlaceAttrs = { readonly axis: number; readonly start: number; readonly total: number };

/** Each part is one binding of the kernel that joins them, and an adapter grants at least eight. */
const FAN_OUT = 6;

const withExtent = (shape: Shape, axis: number, extent: number): Shape =>
  shape.map((n, i) => (i === axis ? extent : n));

// Linear, but without the flag: the affine prefix of a network ends at the whole sequence and not at each of its steps.
export const takeStepsPrimitive: Primitive<TakeAttrs> = /* @__PURE__ */ primitive<TakeAttrs>({
  name: "takeSteps",
  aval: ([x], { axis, length }) => ({ shape: withExtent(x!.shape, axis, length), dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: ({ inputs: [x], attrs: { axis, start } }, at, context) => {
      const axes = at.axes();
      axes[axis] = context.let(`${axes[axis]!} + ${context.u32("first step", start)}`);
      return [{ argument: 0, index: Index.ofAxes(x!.shape, axes, context) }];
    },
  },
  jvp: ({ attrs }, [t]) => apply(takeStepsPrimitive, [t!], attrs),
  transpose: (ct, { inputs: [x], attrs: { axis, start } }) => place(ct, { axis, start, total: x!.shape[axis]! }),
  batch: ([x], _, attrs) => apply(takeStepsPrimitive, [x!], { ...attrs, axis: attrs.axis + 1 }),
  fold: ([x], { axis, length }) => {
    const value = fillValue(x!);
    if (length === x!.shape[axis]) return x;
    return value === undefined ? undefined : fill(withExtent(x!.shape, axis, length), value, x!.dtype);
  },
});

export const placeStepsPrimitive: Primitive<PlaceAttrs> = /* @__PURE__ */ primitive<PlaceAttrs>({
  name: "placeSteps",
  aval: ([x], { axis, total }) => ({ shape: withExtent(x!.shape, axis, total), dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: ({ inputs: [x], attrs: { axis, start } }, at, context) => {
      const axes = at.axes();
      // Before the start the u32 difference wraps to a huge number: one comparison guards both ends.
      const step = context.let(`${axes[axis]!} - ${context.u32("first step", start)}`);
      axes[axis] = step;
      const when = `${step} < ${context.u32("steps", x!.shape[axis]!)}`;
      return [{ argument: 0, index: Index.ofAxes(x!.shape, axes, context), when }];
    },
  },
  jvp: ({ attrs }, [t]) => place(t!, attrs),
  transpose: (ct, { inputs: [x], attrs: { axis, start } }) =>
    apply(takeStepsPrimitive, [ct], { axis, start, length: x!.shape[axis]! }),
  batch: ([x], _, attrs) => place(x!, { ...attrs, axis: attrs.axis + 1 }),
  fold: ([x], { axis, total }) => {
    if (total === x!.shape[axis]) return x;
    return fillValue(x!) === 0 ? fill(withExtent(x!.shape, axis, total), 0, x!.dtype) : undefined;
  },
});

const place = (x: Node, attrs: PlaceAttrs): Node => apply(placeStepsPrimitive, [x], attrs);

/** How many steps each child of a tree over `count` steps holds (the last one may hold fewer). */
function childSize(count: number): number {
  let size = 1;
  while (size * FAN_OUT < count) size *= FAN_OUT;
  return size;
}

/** The steps of x [batch, time, ...]: as many values [batch, ...] as there are. */
export function splitSteps(x: Operand): Value[] {
  const node = lift(x);
  const count = node.shape[1]!;
  if (count === 1) return [squeeze(node, 1)];
  const size = childSize(count);
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    const start = i * size;
    return apply(takeStepsPrimitive, [node], { axis: 1, start, length: Math.min(size, count - start) });
  }).flatMap(splitSteps);
}

/** Steps [batch, ...] as a sequence [batch, time, ...]; at least one. */
export function joinSteps(steps: readonly Operand[]): Value {
  return joined(steps.map((x) => expandDims(x, 1)));
}

function joined(parts: readonly Value[]): Value {
  if (parts.length === 1) return parts[0]!;
  const size = childSize(parts.length);
  const children: Value[] = [];
  for (let i = 0; i < parts.length; i += size) children.push(joined(parts.slice(i, i + size)));
  return children
    .map((x, i) => place(x, { axis: 1, start: i * size, total: parts.length }))
    .reduce((a, b) => add(a, b));
}
