// Recurrent layers of ONNX: D directions of one layer, gates i, o, f, c in an LSTM and z, r, h in a GRU.
import type { Operand } from "../../../graph/leaves.ts";
import type { Value } from "../../../graph/node.ts";
import { stack } from "../../../kernels/join.ts";
import { transpose } from "../../../kernels/movement.ts";
import { index, sliceAxis } from "../../../kernels/slice.ts";
import { gruSequence, lstmSequence, withinLengths, type RecurrentWeights } from "../../recurrent.ts";
import { attribute, fail, int, isConstant, item, operand, optionalValue, text, value } from "./call.ts";
import type { Call, Operator } from "./call.ts";

/** One direction: its weights, and the states it starts from. */
interface Direction {
  readonly at: number;
  readonly reverse: boolean;
  readonly weights: RecurrentWeights;
}

interface Settings {
  readonly layout: "out-in";
  readonly lengths?: Operand;
}

/** h after every step, and last states, of one direction. */
interface Result {
  readonly sequence: Value;
  readonly states: readonly Value[];
}

const DIRECTIONS: Readonly<Record<string, readonly boolean[]>> = {
  forward: [false],
  reverse: [true],
  bidirectional: [false, true],
};

function directionsOf(call: Call): Direction[] {
  const name = text(call, "direction", "forward");
  const ways = DIRECTIONS[name] ?? fail(call, `has the direction "${name}"`);
  const [w, r, b] = [value(call, 1), value(call, 2), optionalValue(call, 3)];
  return ways.map((reverse, at) => {
    const own = b && index(b, 0, at);
    const half = own ? own.shape[0]! / 2 : 0;
    const biases = own && { bias: sliceAxis(own, 0, 0, half), recurrentBias: sliceAxis(own, 0, half, 2 * half) };
    return { at, reverse, weights: { input: index(w, 0, at), recurrent: index(r, 0, at), ...biases } };
  });
}

/** What the steps of this engine cannot do is refused. */
function assertPlain(call: Call): void {
  for (const name of ["activations", "activation_alpha", "activation_beta", "clip"]) {
    if (attribute(call, name)) fail(call, `sets ${name}; supported are the usual functions, without limits`);
  }
  if (int(call, "input_forget", 0) !== 0) fail(call, "couples input and forget gate, which is not supported");
}

/** Sequences come with time first unless `layout` is 1, states with the direction first likewise. */
function recurrent(call: Call, run: (x: Value, direction: Direction, settings: Settings) => Result): Value[] {
  assertPlain(call);
  const batchFirst = int(call, "layout", 0) === 1;
  const given = value(call, 0);
  const x = batchFirst ? given : transpose(given, [1, 0, 2]);
  const lengths = lengthsOf(call, x);
  const settings = { layout: "out-in" as const, ...(lengths !== undefined && { lengths }) };
  const results = directionsOf(call).map((direction) => run(x, direction, settings));
  const sequence = stack(
    results.map((result) => (lengths === undefined ? result.sequence : withinLengths(result.sequence, lengths))),
    2,
  );
  // [B, T, D, H]; by default [T, D, B, H].
  const states = results[0]!.states.map((_, k) =>
    stack(
      results.map((result) => result.states[k]!),
      batchFirst ? 1 : 0,
    ),
  );
  return [batchFirst ? sequence : transpose(sequence, [1, 2, 0, 3]), ...states];
}

/** Lengths that are all the number of steps say nothing. */
function lengthsOf(call: Call, x: Value): Operand | undefined {
  if (call.inputs[4] === undefined) return undefined;
  const given = item(call, 4);
  if (isConstant(given) && Array.from(given.data).every((n) => n === x.shape[1])) return undefined;
  return operand(call, 4);
}

/** Initial state number `input` of one direction, as an option of that name. */
function initial(call: Call, name: string, input: number, at: number): Record<string, Value> {
  const states = optionalValue(call, input);
  return states ? { [name]: index(states, int(call, "layout", 0) === 1 ? 1 : 0, at) } : {};
}

const lstm: Operator = (call) => {
  if (call.inputs[7] !== undefined) fail(call, "has peephole weights, which are not supported");
  return recurrent(call, (x, { at, reverse, weights }, settings) => {
    const states = { ...initial(call, "h", 5, at), ...initial(call, "c", 6, at) };
    const { sequence, h, c } = lstmSequence(x, weights, { ...settings, ...states, gates: "iofg", reverse });
    return { sequence, states: [h, c] };
  });
};

const gru: Operator = (call) =>
  recurrent(call, (x, { at, reverse, weights }, settings) => {
    const resetAfter = int(call, "linear_before_reset", 0) !== 0;
    const options = { ...settings, ...initial(call, "h", 5, at), gates: "zrn" as const, resetAfter, reverse };
    const { sequence, h } = gruSequence(x, weights, options);
    return { sequence, states: [h] };
  });

export const recurrentOperators: Readonly<Record<string, Operator>> = { LSTM: lstm, GRU: gru };
