// Time steps of a sequence, and sequences from time steps. The position always travels in a uniform, also where it is 0, so
// that the kernels of all steps are one. Both directions go through a tree of fan-out six: a sum of parts that all steps
// contribute to, or a join, is then read and written once per level and not once per step.
import { Index } from "../graph/index-map.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";
import type { Shape } from "../tensor/shape.ts";
import { add } from "./arithmetic.ts";
import { elementwise } from "./elementwise.ts";
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
    pieces: (node, at, context) => {
      const {
        inputs: [x],
        attrs: { axis, start },
      } = node;
      const axes = at.axes();
      axes[axis] = context.let(`${axes[axis]!} + ${context.u32(own("first step", node), start)}`);
      return [{ argument: 0, index: Index.ofAxes(x!.shape, axes, context) }];
    },
  },
  jvp: ({ attrs }, [t]) => apply(takeStepsPrimitive, [t!], attrs),
  transpose: (ct, { inputs: [x], attrs: { axis, start } }) => place(ct, { axis, start, total: x!.shape[axis]! }),
  batch: ([x], _, attrs) => apply(takeStepsPrimitive, [x!], { ...attrs, axis: attrs.axis + 1 }),
  fold: ([x], { axis, length }) => {
    // All steps of a sequence are no exception: a level of the tree that is left out would make another kernel.
    const value = fillValue(x!);
    return value === undefined ? undefined : fill(withExtent(x!.shape, axis, length), value, x!.dtype);
  },
});

export const placeStepsPrimitive: Primitive<PlaceAttrs> = /* @__PURE__ */ primitive<PlaceAttrs>({
  name: "placeSteps",
  aval: ([x], { axis, total }) => ({ shape: withExtent(x!.shape, axis, total), dtype: x!.dtype }),
  lowering: {
    kind: "view",
    pieces: (node, at, context) => {
      const {
        inputs: [x],
        attrs: { axis, start },
      } = node;
      const axes = at.axes();
      // Before the start the u32 difference wraps to a huge number: one comparison guards both ends.
      const step = context.let(`${axes[axis]!} - ${context.u32(own("first step", node), start)}`);
      axes[axis] = step;
      const when = `${step} < ${context.u32(own("steps", node), x!.shape[axis]!)}`;
      return [{ argument: 0, index: Index.ofAxes(x!.shape, axes, context), when }];
    },
  },
  jvp: ({ attrs }, [t]) => apply(placeStepsPrimitive, [t!], attrs),
  transpose: (ct, { inputs: [x], attrs: { axis, start } }) =>
    apply(takeStepsPrimitive, [ct], { axis, start, length: x!.shape[axis]! }),
  batch: ([x], _, attrs) => apply(placeStepsPrimitive, [x!], { ...attrs, axis: attrs.axis + 1 }),
  fold: ([x], { axis, total }) =>
    fillValue(x!) === 0 ? fill(withExtent(x!.shape, axis, total), 0, x!.dtype) : undefined,
});

/**
 * The same elements. Its cost makes the compiler store them rather than compute them where they are read: otherwise each
 * element of a sequence would be looked for in all of its steps.
 */
export const keepPrimitive = /* @__PURE__ */ elementwise("keep", {
  wgsl: ([a]) => a!,
  cost: 10,
  multilinear: true,
  transpose: (ct) => ct,
  fold: ([x]) => (fillValue(x!) === undefined ? undefined : x),
});

/** One step is stored as it is; several are a sum of parts. */
function place(x: Node, attrs: PlaceAttrs): Node {
  const count = x.shape[attrs.axis]!;
  if (count === attrs.total) return x;
  return apply(placeStepsPrimitive, [count === 1 ? x : apply(keepPrimitive, [x], {})], attrs);
}

/** A uniform of its own for each node: two starts that happen to be equal must not share one and make another kernel. */
const own = (what: string, { id }: Node): string => `${what} of %${id}`;

/** How many steps each child of a tree over `count` steps holds; the last one may hold fewer. */
function childSize(count: number): number {
  let size = 1;
  while (size * FAN_OUT < count) size *= FAN_OUT;
  return size;
}

/** The steps of x [batch, time, ...]: as many values [batch, ...] as there are. */
export function splitSteps(x: Operand): Value[] {
  const node = lift(x);
  return split(node, childSize(node.shape[1]!)).map((step) => squeeze(step, 1));
}

function split(x: Value, size: number): Value[] {
  const count = x.shape[1]!;
  const children = Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    const start = i * size;
    return apply(takeStepsPrimitive, [x], { axis: 1, start, length: Math.min(size, count - start) });
  });
  return size === 1 ? children : children.flatMap((child) => split(child, size / FAN_OUT));
}

/** Steps [batch, ...] as a sequence [batch, time, ...]; at least one. */
export function joinSteps(steps: readonly Operand[]): Value {
  return joined(
    steps.map((x) => expandDims(x, 1)),
    childSize(steps.length),
  );
}

function joined(parts: readonly Value[], size: number): Value {
  const children: Value[] = [];
  for (let i = 0; i < parts.length; i += size) {
    const some = parts.slice(i, i + size);
    children.push(size === 1 ? some[0]! : joined(some, size / FAN_OUT));
  }
  return children
    .map((x, i) => place(x, { axis: 1, start: i * size, total: parts.length }))
    .reduce((a, b) => add(a, b));
}
