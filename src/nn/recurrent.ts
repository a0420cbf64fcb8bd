// Recurrent networks: the projections of all inputs are one matrix product, then the steps. Shapes: B sequences of T steps
// with I numbers each, H units.
import { assertChoice, assertDType, refuseShapes } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import { constantPrimitive, fill, lift, type Operand } from "../graph/leaves.ts";
import { is, type Value } from "../graph/node.ts";
import { add, mul, sub } from "../kernels/arithmetic.ts";
import { broadcastTo } from "../kernels/broadcast.ts";
import { select } from "../kernels/choice.ts";
import { sigmoid, tanh } from "../kernels/functions.ts";
import { concat, pad } from "../kernels/join.ts";
import { assertGateOrder, lstmCell, type GateOrder } from "../kernels/lstm.ts";
import { fitsSequence, lstmSteps, MOST_UNITS } from "../kernels/lstm-sequence.ts";
import { matmul } from "../kernels/matmul.ts";
import { expandDims, transpose } from "../kernels/movement.ts";
import { index, sliceAxis } from "../kernels/slice.ts";
import { joinSteps, splitSteps } from "../kernels/steps.ts";
import { batchMask } from "./masks.ts";
import { assertWeight } from "./parameters.ts";

/** Weights of one direction of one layer with G gates (4 in an LSTM, 3 in a GRU). */
export interface RecurrentWeights {
  /** [I, G H], or [G H, I] with `layout: "out-in"`. */
  readonly input: Operand;
  /** [H, G H], or [G H, H] with `layout: "out-in"`. */
  readonly recurrent: Operand;
  /** [G H], added to the projections of the inputs. Default: none. */
  readonly bias?: Operand;
  /** [G H], added to the projections of the last h (PyTorch and ONNX have both). Default: none. */
  readonly recurrentBias?: Operand;
}

interface SequenceOptions {
  /** "in-out" (default; Keras, TensorFlow.js) or "out-in" (PyTorch, ONNX). */
  readonly layout?: "in-out" | "out-in";
  /** Goes through the steps from the last one to the first. The sequence stays in the order of the inputs. */
  readonly reverse?: boolean;
  /** i32 [B]: how many steps of each sequence count. In the others the state stays as it is. Default: all. */
  readonly lengths?: Operand;
}

export interface LstmOptions extends SequenceOptions {
  /** "ifgo" (default; PyTorch, Keras), "igfo" (TensorFlow's BasicLSTMCell: i, j, f, o) or "iofg" (ONNX). */
  readonly gates?: GateOrder;
  /** Added to the forget gate (TensorFlow's BasicLSTMCell adds 1 that its weights do not hold). Default 0. */
  readonly forgetBias?: number;
  /** States [B, H], or [H] for all sequences, before the first step. Default: zeros. */
  readonly h?: Operand;
  readonly c?: Operand;
  /**
   * One dispatch for all steps (at most 256 units, no lengths), or two per step. Both give the same up to rounding. Default:
   * what is faster, see docs/performance.md.
   */
  readonly kernel?: "sequence" | "steps";
}

export interface LstmResult {
  /** [B, T, H]: h after every step. */
  readonly sequence: Value;
  /** [B, H]: states after the step that comes last. */
  readonly h: Value;
  readonly c: Value;
}

/**
 * A layer of an LSTM in one direction: c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c'), where i, f, g and o are
 * the columns of x W + h R + b.
 * @param x [B, T, I]
 * @throws ShapeError when weights, states or lengths do not fit x and each other
 * @throws DTypeError unless lengths are i32
 * @throws ArgumentError for gate orders and layouts that do not exist
 */
export function lstmSequence(x: Operand, weights: RecurrentWeights, options: LstmOptions = {}): LstmResult {
  const { gates: order = "ifgo", forgetBias = 0, reverse = false } = options;
  const given = prepare("lstmSequence", 4, x, weights, options);
  const { size, batch, recur, masks } = given;
  assertGateOrder("lstmSequence", order);
  const projected = add(add(given.projected, given.recurrentBias), forgetColumns(order, size, forgetBias));
  let h = stateOf("lstmSequence", "h", options.h, [batch, size]);
  let c = stateOf("lstmSequence", "c", options.c, [batch, size]);
  if (isWhole(given, options)) return inOneDispatch(projected, given, { h, c }, order, reverse);
  const steps = splitSteps(projected);
  const hidden: Value[] = [];
  for (const t of stepsOf(steps.length, reverse)) {
    const state = lstmCell(add(steps[t]!, recur(h)), c, { order });
    h = masked(masks?.[t], gateColumns(state, 0, size), h);
    c = masked(masks?.[t], gateColumns(state, 1, size), c);
    hidden[t] = h;
  }
  return { sequence: joinSteps(hidden), h, c };
}

/** @throws ArgumentError for a kernel that does not exist, or that cannot compute this layer */
function isWhole({ size, masks, projected, recurrent }: Prepared, { kernel }: LstmOptions): boolean {
  const able = !masks && size > 0 && size <= MOST_UNITS;
  if (kernel === undefined) return able && fitsSequence(size, projected.shape[1]!, onSoftware(recurrent));
  if (kernel === "steps" || (kernel === "sequence" && able)) return kernel === "sequence";
  throw new ArgumentError(
    `lstmSequence: expected the kernel "steps", or "sequence" for 1 to ${MOST_UNITS} units without lengths, ` +
      `got "${String(kernel)}" for ${size} units${masks ? " and lengths" : ""}`,
  );
}

/** Weights that are tensors tell the adapter; where they are inputs of a program yet to be compiled, it may be any. */
const onSoftware = (x: Value): boolean => !is(x, constantPrimitive) || x.attrs.tensor.device.info.software;

function inOneDispatch(
  projected: Value,
  { size, recurrent, transposeB }: Prepared,
  { h, c }: { readonly h: Value; readonly c: Value },
  order: GateOrder,
  reverse: boolean,
): LstmResult {
  const ordered = (v: Value): Value => {
    const quarters = ["i", "f", "g", "o"].map((gate) => gateColumns(v, order.indexOf(gate), size));
    return order === "ifgo" ? v : concat(quarters, -1);
  };
  const [matrix, steps] = [ordered(transposeB ? transpose(recurrent) : recurrent), projected.shape[1]!];
  const first = reverse ? steps - 1 : 0;
  // What the state before the first step adds to it. A state of zeros adds zeros, which leave no operation behind.
  const start = pad(expandDims(matmul(h, matrix), 1), [[0, 0], [first, steps - 1 - first], [0, 0]]); // prettier-ignore
  const [sequence, cells] = lstmSteps(add(ordered(projected), start), matrix, c, reverse);
  const last = (v: Value): Value => index(v, 1, reverse ? 0 : -1);
  return { sequence, h: last(sequence), c: last(cells) };
}

function forgetColumns(order: GateOrder, size: number, value: number): Value | number {
  if (value === 0) return 0;
  const columns = (letter: string): Value => fill([size], letter === "f" ? value : 0);
  return concat(order.split("").map(columns), 0);
}

export interface GruOptions extends SequenceOptions {
  /** "rzn" (default; PyTorch) or "zrn" (Keras, TensorFlow.js, ONNX: z, r, h). */
  readonly gates?: "rzn" | "zrn";
  /** Whether the reset gate applies to R h (default; PyTorch, cuDNN) or to h. */
  readonly resetAfter?: boolean;
  /** State [B, H], or [H] for all sequences, before the first step. Default: zeros. */
  readonly h?: Operand;
}

export interface GruResult {
  /** [B, T, H]: h after every step. */
  readonly sequence: Value;
  /** [B, H]: state after the step that comes last. */
  readonly h: Value;
}

/**
 * A layer of a GRU in one direction: h' = (1 - z) n + z h with r, z = sigmoid and n = tanh(x W + r (h R + b)), or with
 * (r h) R + b in place of r (h R + b) if not `resetAfter`.
 * @param x [B, T, I]
 * @throws ShapeError, DTypeError, ArgumentError as {@link lstmSequence}
 */
export function gruSequence(x: Operand, weights: RecurrentWeights, options: GruOptions = {}): GruResult {
  const { gates = "rzn", resetAfter = true } = options;
  assertChoice("gruSequence: gates", gates, "rzn", "zrn");
  const {
    size,
    batch,
    projected,
    recur: product,
    recurrentBias,
    masks,
  } = prepare("gruSequence", 3, x, weights, options);
  const recur = (h: Value): Value => add(product(h), recurrentBias);
  const steps = splitSteps(projected);
  const columns = (v: Value, gate: "r" | "z" | "n"): Value => gateColumns(v, gates.indexOf(gate), size);
  let h = stateOf("gruSequence", "h", options.h, [batch, size]);
  const hidden: Value[] = [];
  for (const t of stepsOf(steps.length, options.reverse)) {
    const [from, back] = [steps[t]!, recur(h)];
    const [r, z] = (["r", "z"] as const).map((gate) => sigmoid(add(columns(from, gate), columns(back, gate))));
    const again = resetAfter ? mul(r!, columns(back, "n")) : columns(recur(mul(r!, h)), "n");
    const n = tanh(add(columns(from, "n"), again));
    h = masked(masks?.[t], add(n, mul(z!, sub(h, n))), h);
    hidden[t] = h;
  }
  return { sequence: joinSteps(hidden), h };
}

// ---- what both have in common ----------------------------------------------------------------------------------------

interface Prepared {
  readonly batch: number;
  readonly size: number;
  /** [B, T, G H]. */
  readonly projected: Value;
  /** [B, H] -> [B, G H], without a bias. */
  readonly recur: (h: Value) => Value;
  /** [H, G H], or [G H, H] if `transposeB`. */
  readonly recurrent: Value;
  readonly transposeB: boolean;
  /** [G H], or 0. */
  readonly recurrentBias: Operand;
  /** Which sequences step t belongs to: bool [B, 1]. */
  readonly masks: readonly Value[] | undefined;
}

function prepare(
  op: string,
  gates: number,
  input: Operand,
  weights: RecurrentWeights,
  { layout = "in-out", lengths }: SequenceOptions,
): Prepared {
  assertChoice(`${op}: layout`, layout, "in-out", "out-in");
  const x = lift(input);
  if (x.shape.length !== 3 || x.shape[1] === 0)
    refuseShapes(op, "x [batch, time, features] with at least one step (pad sequences and pass their lengths)", x);
  const [batch, time, features] = x.shape as [number, number, number];
  const transposeB = layout === "out-in";
  const recurrent = lift(weights.recurrent);
  const size = recurrent.shape[transposeB ? 1 : 0] ?? 0;
  const matrix = (rows: number): number[] => (transposeB ? [gates * size, rows] : [rows, gates * size]);
  const expected = (what: string, value: Operand | undefined, shape: readonly number[]): void =>
    assertWeight(op, what, value, shape, `x ${formatShape(x.shape)}, ${size} units and the layout "${layout}"`);
  expected("recurrent weights", recurrent, matrix(size));
  expected("input weights", weights.input, matrix(features));
  expected("a bias", weights.bias, [gates * size]);
  expected("a recurrent bias", weights.recurrentBias, [gates * size]);
  const product = matmul(x, weights.input, { transposeB });
  return {
    batch,
    size,
    projected: add(product, weights.bias ?? 0),
    recurrentBias: weights.recurrentBias ?? 0,
    recurrent,
    transposeB,
    recur: (h) => matmul(h, recurrent, { transposeB }),
    masks: lengths === undefined ? undefined : splitSteps(maskOf(op, lengths, batch, time)),
  };
}

/** Which steps of each sequence count: bool [B, T, 1]. */
function maskOf(op: string, given: Operand, batch: number, time: number): Value {
  const lengths = lift(given, "i32");
  assertDType(`${op}: lengths`, lengths, "i32");
  return expandDims(batchMask(op, lengths, batch, time), 2);
}

/**
 * A sequence with zeros after the end of each of its examples, as PyTorch and ONNX return it.
 * @param sequence [B, T, H]
 * @param lengths i32 [B]
 * @throws ShapeError, DTypeError when they do not fit
 */
export function withinLengths(sequence: Operand, lengths: Operand): Value {
  const x = lift(sequence);
  if (x.shape.length !== 3) refuseShapes("withinLengths", "a sequence [batch, time, features]", x);
  return select(maskOf("withinLengths", lengths, x.shape[0]!, x.shape[1]!), x, 0);
}

/** The columns of gate k, or of another block of that size. */
const gateColumns = (v: Value, k: number, size: number): Value => sliceAxis(v, -1, k * size, (k + 1) * size);

const masked = (mask: Value | undefined, next: Value, last: Value): Value => (mask ? select(mask, next, last) : next);

const stepsOf = (count: number, reverse = false): number[] =>
  Array.from({ length: count }, (_, t) => (reverse ? count - 1 - t : t));

function stateOf(op: string, name: string, given: Operand | undefined, shape: readonly number[]): Value {
  if (given === undefined) return fill(shape, 0);
  const state = lift(given);
  if (sameShape(state.shape, shape) || sameShape(state.shape, shape.slice(1))) return broadcastTo(state, shape);
  refuseShapes(op, `a state ${name} of shape ${formatShape(shape)}`, state);
}
