// One step of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates: Gers et al. 2000), its tangent, its cotangent and
// the tangent of the cotangent, each a kernel. Gradients and Hessian-vector products stay among the four; what is beyond
// comes from the composite definitions in lstm-definition.ts.
import { assertChoice, assertDType } from "../tensor/checks.ts";
import { ShapeError } from "../tensor/errors.ts";
import { broadcastShapes, formatShape, numel, sameShape } from "../tensor/shape.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type KernelCall, type Primitive, type Tangent } from "../graph/primitive.ts";
import { addPresent } from "./arithmetic.ts";
import { broadcastTo, sumTo } from "./broadcast.ts";
import { tangentOfDefinition } from "./composite.ts";
import { alignBatch } from "./elementwise.ts";
import { concat } from "./join.ts";
import { cellDefinition, cotangentDefinition, type LstmAttrs } from "./lstm-definition.ts";
import { alignRows, batchRows, lead, rowsOf, unpack } from "./lstm-rows.ts";
import cellWgsl from "./wgsl/lstm_cell.wgsl";
import cotangentWgsl from "./wgsl/lstm_cotangent.wgsl";
import cotangentTangentWgsl from "./wgsl/lstm_cotangent_tangent.wgsl";
import tangentWgsl from "./wgsl/lstm_tangent.wgsl";

const WORKGROUP = 64;

const sizeOf = (c: Node): number => c.shape.at(-1)!;
const isZero = (x: Node): boolean => fillValue(x) === 0;

// ---- what the four have in common ------------------------------------------------------------------------------------

/** Checks that operands have the widths (in units of the size of `c`) and, all but the first ones, the same rows. */
function checkOperands(op: string, inputs: readonly Node[], widths: readonly number[], shared: number): void {
  const size = sizeOf(inputs[1]!);
  inputs.forEach((x, i) => {
    assertDType(op, x, "f32");
    const peer = i < 2 ? inputs[0]! : i < shared ? x : inputs.at(-1)!;
    if (x.shape.at(-1) === widths[i]! * size && sameShape(lead(x), lead(peer))) return;
    const expected = `[..., ${widths[i]! * size}]`;
    throw new ShapeError(
      `${op}: operand ${i} has shape ${formatShape(x.shape)}; expected ${expected} for a cell state ${formatShape(inputs[1]!.shape)}`,
    );
  });
  const full = lead(inputs.at(-1)!);
  for (const x of inputs.slice(0, shared)) {
    if (!sameShape(broadcastShapes(op, lead(x), full), full))
      throw new ShapeError(`${op}: rows ${formatShape(lead(x))} do not broadcast to ${formatShape(full)}`);
  }
}

function call(wgsl: string, node: Node<LstmAttrs>, rows: readonly number[], perUnit: number): KernelCall {
  const size = sizeOf(node.inputs[1]!);
  const units = numel(lead(node)) * size;
  const { order } = node.attrs;
  return {
    wgsl,
    uniforms: [units, size, ..."ifgo".split("").map((gate) => order.indexOf(gate) * size), ...rows],
    workgroups: Math.ceil(units / WORKGROUP),
    flops: units * perUnit,
  };
}

const rowsWithin = (x: Node, node: Node): [number, number] => rowsOf(lead(x), lead(node))!;

/** `width` sizes per row of what an operand becomes. */
const resultOf = (x: Node, width: number, size: number) => ({
  shape: [...lead(x), width * size],
  dtype: "f32" as const,
});

const orZeros = (t: Tangent, like: Node): Node => t ?? fill(like.shape, 0);

// ---- the step and its tangent ------------------------------------------------------------------------------------------

/** gates [..., 4 n], c [..., n] -> [..., 2 n]: h, then the new c. */
export const lstmCellPrimitive: Primitive<LstmAttrs> = /* @__PURE__ */ primitive<LstmAttrs>({
  name: "lstmCell",
  aval(inputs) {
    checkOperands("lstmCell", inputs, [4, 1], 2);
    return resultOf(inputs[0]!, 2, sizeOf(inputs[1]!));
  },
  lowering: { kind: "kernel", call: (node) => call(cellWgsl, node, [], 110) },
  jvp: ({ inputs: [gates, c], attrs }, [p, q]) => tangent(gates!, c!, orZeros(p!, gates!), orZeros(q!, c!), attrs),
  batch: (inputs, batched, attrs, size) => apply(lstmCellPrimitive, alignBatch(inputs, batched, size), attrs),
});

/** gates, c, and tangents of both [..., 4 n], [..., n] -> tangent [..., 2 n]. Many tangents may share gates and c. */
export const lstmTangentPrimitive: Primitive<LstmAttrs> = /* @__PURE__ */ primitive<LstmAttrs>({
  name: "lstmTangent",
  aval(inputs) {
    checkOperands("lstmTangent", inputs, [4, 1, 4, 1], 2);
    return resultOf(inputs[2]!, 2, sizeOf(inputs[1]!));
  },
  lowering: { kind: "kernel", call: (node) => call(tangentWgsl, node, rowsWithin(node.inputs[1]!, node), 130) },
  jointlyLinear: [2, 3],
  jvp({ inputs, attrs }, [a, b, p, q]) {
    const [gates, c, p0, q0] = inputs as [Node, Node, Node, Node];
    const linear = p || q ? tangent(gates, c, orZeros(p!, p0), orZeros(q!, q0), attrs) : null;
    return addPresent([linear, a || b ? secondTangent(inputs, [a!, b!], attrs) : null]);
  },
  transpose(ct, { inputs: [gates, c], attrs }, argument) {
    return unpackedCotangent(gates!, c!, ct, attrs)[argument - 2]!;
  },
  batch: (inputs, batched, attrs, size) =>
    apply(
      lstmTangentPrimitive,
      batchRows(inputs, batched, size, [
        [0, 1],
        [2, 3],
      ]),
      attrs,
    ),
  fold: ([gates, , p, q]) => (isZero(p!) && isZero(q!) ? fill([...lead(p!), gates!.shape.at(-1)! / 2], 0) : undefined),
});

const tangent = (gates: Node, c: Node, p: Node, q: Node, attrs: LstmAttrs): Node =>
  apply(lstmTangentPrimitive, [gates, c, p, q], attrs);

/** Derivative of the tangent at (gates, c) along (p, q) when gates and c move along `moves`, p and q held fixed. */
function secondTangent(point: readonly Node[], moves: readonly Tangent[], attrs: LstmAttrs): Tangent {
  const xs = alignRows(point);
  const first = (gates: Value, c: Value, p: Value, q: Value): Value =>
    tangentOfDefinition((g, s) => cellDefinition(g, s, attrs), [gates, c], [p, q])!;
  return tangentOfDefinition(first, xs, [...repeated(moves, xs), null, null]);
}

/** Tangents with the rows of what they are tangents of. */
const repeated = (tangents: readonly Tangent[], like: readonly Node[]): Tangent[] =>
  tangents.map((t, i) => t && broadcastTo(t, like[i]!.shape));

// ---- the cotangent and its tangent ---------------------------------------------------------------------------------------

/** gates, c, and cotangents of h and the new c, each [..., n] -> cotangents [..., 5 n] of gates, then of c. */
export const lstmCotangentPrimitive: Primitive<LstmAttrs> = /* @__PURE__ */ primitive<LstmAttrs>({
  name: "lstmCotangent",
  aval(inputs) {
    checkOperands("lstmCotangent", inputs, [4, 1, 1, 1], 2);
    return resultOf(inputs[2]!, 5, sizeOf(inputs[1]!));
  },
  lowering: { kind: "kernel", call: (node) => call(cotangentWgsl, node, rowsWithin(node.inputs[1]!, node), 130) },
  jointlyLinear: [2, 3],
  jvp({ inputs, attrs }, [a, b, wh, wc]) {
    const [gates, c, uh, uc] = inputs as [Node, Node, Node, Node];
    const w = wh || wc ? concat([orZeros(wh!, uh), orZeros(wc!, uc)], -1) : null;
    const widened = (t: Tangent, width: number): Tangent => t && broadcastTo(t, [...lead(uh), width]);
    return cotangentTangent(
      [gates, c, concat([uh, uc], -1)],
      [widened(a!, gates.shape.at(-1)!), widened(b!, sizeOf(c)), w],
      attrs,
    );
  },
  transpose(ct, { inputs: [gates, c], attrs }, argument) {
    const size = sizeOf(c!);
    return unpack(tangent(gates!, c!, ...unpack(ct, size), attrs), size)[argument - 2]!;
  },
  batch: (inputs, batched, attrs, size) =>
    apply(
      lstmCotangentPrimitive,
      batchRows(inputs, batched, size, [
        [0, 1],
        [2, 3],
      ]),
      attrs,
    ),
  fold: ([, c, uh, uc]) => (isZero(uh!) && isZero(uc!) ? fill([...lead(uh!), 5 * sizeOf(c!)], 0) : undefined),
});

function unpackedCotangent(gates: Node, c: Node, ct: Node, attrs: LstmAttrs): [Node, Node] {
  const size = sizeOf(c);
  return unpack(apply(lstmCotangentPrimitive, [gates, c, ...unpack(ct, size)], attrs), size);
}

/**
 * gates, c, u [..., 2 n], and tangents a of gates, b of c, w of u -> [..., 5 n]: with the step F at (gates, c), J its
 * derivative, it is J^T w + (u . F'') (a, b). The second term is symmetric: its own transpose.
 */
export const lstmCotangentTangentPrimitive: Primitive<LstmAttrs> = /* @__PURE__ */ primitive<LstmAttrs>({
  name: "lstmCotangentTangent",
  aval(inputs) {
    checkOperands("lstmCotangentTangent", inputs, [4, 1, 2, 4, 1, 2], 3);
    return resultOf(inputs[3]!, 5, sizeOf(inputs[1]!));
  },
  lowering: {
    kind: "kernel",
    // Packed, the two pairs stay within the storage buffers that every adapter grants; where it grants more, they are read
    // from where they are.
    prologues: { 2: "u", 5: "w" },
    call: (node) => {
      const rows = [...rowsWithin(node.inputs[1]!, node), ...rowsWithin(node.inputs[2]!, node)];
      return call(cotangentTangentWgsl, node, rows, 180);
    },
  },
  jointlyLinear: [3, 4, 5],
  jvp({ inputs, attrs }, tangents) {
    const [gates, c, u, a, b] = inputs as [Node, Node, Node, Node, Node];
    const [dGates, dC, du, da, db, dw] = tangents as [Tangent, Tangent, Tangent, Tangent, Tangent, Tangent];
    return addPresent([
      da || db || dw ? cotangentTangent([gates, c, u], [da, db, dw], attrs) : null,
      du ? cotangentTangent([gates, c, du], [a, b, null], attrs) : null,
      dGates || dC ? thirdTangent(inputs, [dGates, dC], attrs) : null,
    ]);
  },
  transpose(ct, { inputs, attrs }, argument) {
    const [gates, c, u, a, b] = inputs as [Node, Node, Node, Node, Node];
    const size = sizeOf(c);
    const [p, q] = unpack(ct, size);
    if (argument === 5) return tangent(gates, c, p, q, attrs);
    if (argument === 2) return sumTo(secondTangent([gates, c, a, b], [p, q], attrs)!, u.shape);
    return unpack(cotangentTangent([gates, c, u], [p, q, null], attrs), size)[argument - 3]!;
  },
  batch: (inputs, batched, attrs, size) =>
    apply(lstmCotangentTangentPrimitive, batchRows(inputs, batched, size, [[0, 1], [2], [3, 4, 5]]), attrs),
  fold: ([, c, , ...tangents]) =>
    tangents.every(isZero) ? fill([...lead(tangents[0]!), 5 * sizeOf(c!)], 0) : undefined,
});

/** J^T w + (u . F'') (a, b), of which some terms may be absent. */
function cotangentTangent(
  [gates, c, u]: readonly [Node, Node, Node],
  [a, b, w]: readonly [Tangent, Tangent, Tangent],
  attrs: LstmAttrs,
): Node {
  const size = sizeOf(c);
  if (!a && !b) return apply(lstmCotangentPrimitive, [gates, c, ...unpack(w!, size)], attrs);
  const rows = lead((a ?? b)!);
  const zeros = (width: number): Node => fill([...rows, width * size], 0);
  return apply(lstmCotangentTangentPrimitive, [gates, c, u, a ?? zeros(4), b ?? zeros(1), w ?? zeros(2)], attrs);
}

/** Derivative of the tangent of the cotangent when gates and c move along `moves`, all else held fixed. */
function thirdTangent(point: readonly Node[], moves: readonly Tangent[], attrs: LstmAttrs): Tangent {
  const xs = alignRows(point);
  const first = (gates: Value, c: Value, u: Value, a: Value, b: Value, w: Value): Value => {
    const pull = (g: Value, s: Value, v: Value): Value => cotangentDefinition(g, s, v, attrs);
    return tangentOfDefinition(pull, [gates, c, u], [a, b, w])!;
  };
  return tangentOfDefinition(first, xs, [...repeated(moves, xs), null, null, null, null]);
}

// ---- public ----------------------------------------------------------------------------------------------------------

/** Which gate each quarter of the columns is: input, forget, cell (g; also written c or j), output. */
export type GateOrder = "ifgo" | "igfo" | "iofg";

/** @throws ArgumentError for an order that is none of the three */
export const assertGateOrder = (op: string, order: GateOrder): void =>
  assertChoice(`${op}: gate order`, order, "ifgo", "igfo", "iofg");

export interface LstmCellOptions {
  /** "ifgo" (default; PyTorch, Keras, TensorFlow.js layers), "igfo" (TensorFlow BasicLSTMCell: i, j, f, o) or "iofg" (ONNX). */
  readonly order?: GateOrder;
}

/**
 * One step of an LSTM: c' = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c').
 * @param gates [..., 4 n] before their nonlinearities: projections of the input and of the last h, and biases
 * @param c [..., n] cell state
 * @returns [..., 2 n]: h, then c'
 * @throws ShapeError when the shapes do not fit each other
 * @throws ArgumentError for an order that is none of the three
 */
export function lstmCell(gates: Operand, c: Operand, { order = "ifgo" }: LstmCellOptions = {}): Value {
  assertGateOrder("lstmCell", order);
  const [z, state] = [lift(gates), lift(c)];
  if (z.shape.length === 0 || state.shape.length === 0)
    throw new ShapeError("lstmCell: expected gates [..., 4 n] and a cell state [..., n], got a scalar");
  return apply(lstmCellPrimitive, alignRows([z, state]), { order });
}
