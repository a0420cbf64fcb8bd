// Elements chosen by integer positions. gather and scatterAdd are each other's transposes; place is the scatterAdd with
// one position for each result row, where no two updates can meet: it needs no kernel, only index arithmetic.
import { assertDType, assertWhole, refuseShapes } from "../tensor/checks.ts";
import { ShapeError } from "../tensor/errors.ts";
import { normalizeAxis, numel, sameShape, type Shape } from "../tensor/shape.ts";
import { Index } from "../graph/index-map.ts";
import { constantPrimitive, fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, is, type Node, type Value } from "../graph/node.ts";
import { primitive, type Aval, type Primitive } from "../graph/primitive.ts";
import { broadcastTo } from "./broadcast.ts";
import { moveAxis } from "./movement.ts";
import scatterAddWgsl from "./wgsl/scatter_add.wgsl";

/**
 * Along which axis positions choose, and how many leading axes data and positions have in common:
 * [shared, before, length, after] and [shared, positions] give [shared, before, positions, after].
 */
type GatherAttrs = { readonly axis: number; readonly shared: number };
type ScatterAttrs = GatherAttrs & { readonly size: number };

const WORKGROUP = 64;
/** Outputs of one invocation of scatter_add.wgsl. */
const SCATTERED = 16;

// ---- gather --------------------------------------------------------------------------------------------------------

export const gatherPrimitive: Primitive<GatherAttrs> = /* @__PURE__ */ primitive<GatherAttrs>({
  name: "gather",
  aval([x, indices], { axis, shared }) {
    assertPositions("gather", indices!, x!.shape, shared);
    return {
      shape: [...x!.shape.slice(0, axis), ...indices!.shape.slice(shared), ...x!.shape.slice(axis + 1)],
      dtype: x!.dtype,
    };
  },
  lowering: {
    kind: "view",
    pieces({ inputs: [x, indices], attrs: { axis, shared } }, at, context) {
      const positions = indices!.shape.length - shared;
      const axes = at.axes();
      const chosen = axes.slice(axis, axis + positions);
      const position = context.load(1, Index.ofAxes(indices!.shape, [...axes.slice(0, shared), ...chosen], context));
      // As u32, a negative position is beyond every length.
      const unsigned = context.let(`u32(${position})`);
      const source = [...axes.slice(0, axis), unsigned, ...axes.slice(axis + positions)];
      const length = x!.shape[axis]!;
      return [
        {
          argument: 0,
          index: Index.ofAxes(x!.shape, source, context),
          when: `${unsigned} < ${context.u32(`length`, length)}`,
        },
      ];
    },
  },
  multilinear: true,
  transpose: (ct, { inputs: [x, indices], attrs }) =>
    apply(scatterAddPrimitive, [indices!, ct], { ...attrs, size: x!.shape[attrs.axis]! }),
  batch([x, indices], [xBatched, indicesBatched], { axis, shared }, size) {
    if (xBatched && !indicesBatched && shared === 0)
      return apply(gatherPrimitive, [x!, indices!], { axis: axis + 1, shared });
    if (!xBatched && shared === 0) return moveAxis(apply(gatherPrimitive, [x!, indices!], { axis, shared }), axis, 0);
    const data = xBatched ? x! : repeated(x!, size);
    const positions = indicesBatched ? indices! : repeated(indices!, size);
    return apply(gatherPrimitive, [data, positions], { axis: axis + 1, shared: shared + 1 });
  },
  rows: ({ inputs: [x], attrs: { axis } }) => (is(x!, constantPrimitive) ? x.shape[axis]! : Infinity),
  fold: ([x, indices], { axis, shared }) =>
    fillValue(x!) === 0
      ? fill([...x!.shape.slice(0, axis), ...indices!.shape.slice(shared), ...x!.shape.slice(axis + 1)], 0, x!.dtype)
      : undefined,
});

const repeated = (x: Node, size: number): Node => broadcastTo(x, [size, ...x.shape]);

function assertPositions(name: string, indices: Node, data: Shape, shared: number): void {
  assertDType(`${name}: indices`, indices, "i32");
  if (!sameShape(indices.shape.slice(0, shared), data.slice(0, shared))) {
    refuseShapes(name, `indices and data that agree in the first ${shared} axes`, indices, { shape: data });
  }
}

/**
 * Elements of x [..., length, ...] at the i32 positions `indices` along `axis`, whose place the axes of `indices` take.
 * A position outside [0, length) gives 0.
 * @param options.shared number of leading axes that x and `indices` have in common (default 0)
 * @throws DTypeError unless the indices are i32
 * @throws ShapeError, ArgumentError when axis, shared axes and indices do not fit `x`
 */
export function gather(x: Operand, indices: Operand, axis = 0, { shared = 0 }: { shared?: number } = {}): Value {
  const data = lift(x);
  const at = normalizeAxis("gather", axis, data.shape.length);
  assertWhole("gather: shared axes", shared, 0, at);
  return apply(gatherPrimitive, [data, lift(indices, "i32")], { axis: at, shared });
}

/** Row `ids[...]` of a table [rows, width] for every id: [..., width]. */
export const embedding = (table: Operand, ids: Operand): Value => gather(table, ids, 0);

/**
 * The element of each row of x [..., K] that target [...] (i32, broadcast) names; 0 where it names none.
 * @throws ShapeError when x is a scalar or target does not broadcast to its rows
 */
export function takeTarget(x: Operand, target: Operand): Value {
  const data = lift(x);
  const rank = data.shape.length - 1;
  if (rank < 0) throw new ShapeError("takeTarget: expected x [..., K], got a scalar");
  return gather(data, broadcastTo(lift(target, "i32"), data.shape.slice(0, rank)), rank, { shared: rank });
}

// ---- scatter -------------------------------------------------------------------------------------------------------

function scatterAval(name: string, [indices, updates]: readonly Node[], { axis, shared, size }: ScatterAttrs): Aval {
  const positions = indices!.shape.slice(shared);
  assertPositions(name, indices!, updates!.shape, shared);
  if (!sameShape(updates!.shape.slice(axis, axis + positions.length), positions)) {
    refuseShapes(name, `updates with the axes of the indices at axis ${axis}`, updates!, indices!);
  }
  return {
    shape: [...updates!.shape.slice(0, axis), size, ...updates!.shape.slice(axis + positions.length)],
    dtype: updates!.dtype,
  };
}

const scatterTranspose = (ct: Node, { inputs, attrs: { axis, shared } }: Node<ScatterAttrs>): Node =>
  apply(gatherPrimitive, [ct, inputs[0]!], { axis, shared });

/** Updates that all share their positions stay one scatter with a longer `before`; otherwise the new axis is shared. */
function scatterBatch(
  prim: Primitive<ScatterAttrs>,
  [indices, updates]: readonly Node[],
  [indicesBatched, updatesBatched]: readonly boolean[],
  { axis, shared, size: length }: ScatterAttrs,
  size: number,
): Node {
  if (!indicesBatched && shared === 0)
    return apply(prim, [indices!, updates!], { axis: axis + 1, shared, size: length });
  const positions = indicesBatched ? indices! : repeated(indices!, size);
  const values = updatesBatched ? updates! : repeated(updates!, size);
  return apply(prim, [positions, values], { axis: axis + 1, shared: shared + 1, size: length });
}

export const scatterAddPrimitive: Primitive<ScatterAttrs> = /* @__PURE__ */ primitive<ScatterAttrs>({
  name: "scatterAdd",
  aval(inputs, attrs) {
    assertDType("scatterAdd: updates", inputs[1]!, "f32");
    return scatterAval("scatterAdd", inputs, attrs);
  },
  lowering: {
    kind: "kernel",
    prologues: { 1: "updates" },
    call({ inputs: [indices], shape, attrs: { axis, shared, size } }) {
      const count = numel(indices!.shape.slice(shared));
      const after = numel(shape.slice(axis + 1));
      const blocks = numel(shape.slice(0, axis + 1)) * Math.ceil(after / SCATTERED);
      return {
        wgsl: scatterAddWgsl,
        uniforms: [blocks, count, size, after, numel(shape.slice(shared, axis))],
        workgroups: Math.ceil(blocks / WORKGROUP),
        flops: blocks * count,
      };
    },
  },
  multilinear: true,
  transpose: scatterTranspose,
  batch: (inputs, batched, attrs, size) => scatterBatch(scatterAddPrimitive, inputs, batched, attrs, size),
  fold([indices, updates], attrs) {
    if (fillValue(updates!) === 0) return fill(scatterAval("scatterAdd", [indices!, updates!], attrs).shape, 0);
    return numel(indices!.shape.slice(attrs.shared)) === 1
      ? apply(placePrimitive, [indices!, updates!], attrs)
      : undefined;
  },
});

export const placePrimitive: Primitive<ScatterAttrs> = /* @__PURE__ */ primitive<ScatterAttrs>({
  name: "place",
  aval: (inputs, attrs) => scatterAval("place", inputs, attrs),
  lowering: {
    kind: "view",
    pieces({ inputs: [indices, updates], attrs: { axis, shared } }, at, context) {
      const axes = at.axes();
      const ones = indices!.shape.slice(shared).map(() => "0u");
      const position = context.load(0, Index.ofAxes(indices!.shape, [...axes.slice(0, shared), ...ones], context));
      const source = [...axes.slice(0, axis), ...ones, ...axes.slice(axis + 1)];
      return [
        {
          argument: 1,
          index: Index.ofAxes(updates!.shape, source, context),
          when: `u32(${position}) == ${axes[axis]!}`,
        },
      ];
    },
  },
  multilinear: true,
  transpose: scatterTranspose,
  batch: (inputs, batched, attrs, size) => scatterBatch(placePrimitive, inputs, batched, attrs, size),
});

/**
 * Zeros of length `size` along `axis`, with `updates` added at the i32 positions `indices`: the transpose of
 * {@link gather}. Positions may repeat; the order of additions is fixed. A position outside [0, size) is left out.
 * @param updates f32, with the axes of `indices` at `axis`
 * @throws ShapeError, DTypeError, ArgumentError when indices, updates, size and axis do not fit each other
 */
export function scatterAdd(indices: Operand, updates: Operand, size: number, axis = 0): Value {
  const [positions, values] = [lift(indices, "i32"), lift(updates)];
  const rank = values.shape.length - positions.shape.length + 1;
  if (rank < 1) refuseShapes("scatterAdd", "updates with at least the axes of the indices", values, positions);
  assertWhole("scatterAdd: size", size, 0);
  return apply(scatterAddPrimitive, [positions, values], {
    axis: normalizeAxis("scatterAdd", axis, rank),
    shared: 0,
    size,
  });
}

/**
 * 1 at position indices[...] of a new last axis of length `depth`, 0 elsewhere (everywhere, if there is no such position).
 * @param indices i32 [...]
 * @returns f32 [..., depth]
 * @throws ArgumentError when the depth is not a whole number >= 0
 */
export function oneHot(indices: Operand, depth: number): Value {
  assertWhole("oneHot: depth", depth, 0);
  const positions = lift(indices, "i32");
  const rank = positions.shape.length;
  return apply(scatterAddPrimitive, [positions, fill(positions.shape, 1)], { axis: rank, shared: rank, size: depth });
}
