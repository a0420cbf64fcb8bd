// f64 definitions of all steps of an LSTM and of their linear system, step by step.
import { numel } from "../tensor/shape.ts";
import type { Node } from "../graph/node.ts";
import { lstmLinearPrimitive, lstmSequencePrimitive } from "../kernels/lstm-sequence.ts";
import { element, type Array64 } from "./array.ts";
import { define } from "./definition.ts";
import { along, first, pull, real, step } from "./recurrent.ts";

const GATES = [0, 1, 2, 3];

/** Numbers of a packed result, one row after the other; `at(t, part, unit)` is where a number of the row stands. */
function byRow(
  node: Node<{ reverse: boolean }>,
  fill: (row: Float64Array, lead: readonly number[], at: (t: number, part: number, unit: number) => number) => void,
): Float64Array {
  const [steps, width] = node.shape.slice(-2) as [number, number];
  const result = new Float64Array(numel(node.shape));
  const rows = node.shape.slice(0, -2);
  const at = (t: number, part: number, unit: number): number => t * width + (part * width) / 6 + unit;
  for (let r = 0; r < numel(rows); r++) {
    const lead = rows.map((n, axis) => Math.floor(r / numel(rows.slice(axis + 1))) % n);
    fill(result.subarray(r * steps * width, (r + 1) * steps * width), lead, at);
  }
  return result;
}

/** Time steps in the order in which they are computed. */
const stepsOf = ({ shape, attrs }: Node<{ reverse: boolean }>): number[] => {
  const order = Array.from({ length: shape.at(-2)! }, (_, t) => t);
  return attrs.reverse ? order.reverse() : order;
};

/** Coordinates in an operand whose leading axes may be fewer, or of length 1. */
const within = ({ shape }: Array64, lead: readonly number[], own: readonly number[]): number[] => [
  ...lead.slice(lead.length - (shape.length - own.length)).map((p, axis) => (shape[axis] === 1 ? 0 : p)),
  ...own,
];

export const sequenceDefinitions = [
  define(lstmSequencePrimitive, (node, inputs) => {
    const [gates, weights, c] = inputs as [Array64, Array64, Array64];
    const size = c.shape.at(-1)!;
    const units = Array.from({ length: size }, (_, unit) => unit);
    return byRow(node, (row, lead, at) => {
      let hidden = units.map(() => 0);
      let cells = units.map((unit) => element(c, [...lead, unit]));
      for (const t of stepsOf(node)) {
        const states = units.map((unit) => {
          const z = GATES.map((gate) =>
            hidden.reduce(
              (total, h, k) => total + h * element(weights, [k, gate * size + unit]),
              element(gates, [...lead, t, gate * size + unit]),
            ),
          );
          const next = step(real, -1, [...z, cells[unit]!]);
          [...z, ...next].forEach((value, part) => (row[at(t, part, unit)] = value));
          return next;
        });
        hidden = states.map(([h]) => h);
        cells = states.map(([, next]) => next);
      }
    });
  }),
  define(lstmLinearPrimitive, (node, inputs) => {
    const [point, before, weights, ...sources] = inputs as [Array64, Array64, Array64, ...Array64[]];
    const size = before.shape.at(-1)!;
    const units = Array.from({ length: size }, (_, unit) => unit);
    return byRow(node, (row, lead, at) => {
      const given = (t: number, part: number, unit: number): number =>
        element(sources[Math.max(0, part - 3)]!, [...lead, t, part < 4 ? part * size + unit : unit]);
      const pointOf = (t: number, unit: number): number[] => [
        ...GATES.map((gate) => element(point, within(point, lead, [t, gate * size + unit]))),
        element(before, within(before, lead, [t, unit])),
      ];
      const weight = (k: number, unit: number, gate: number): number => element(weights, [k, gate * size + unit]);
      const put = (t: number, unit: number, values: readonly number[]): void =>
        values.forEach((value, part) => (row[at(t, part, unit)] = value));
      let [hidden, cells] = [units.map(() => 0), units.map(() => 0)];
      if (!node.attrs.transposed) {
        for (const t of stepsOf(node)) {
          const next = units.map((unit) => {
            const a = GATES.map((gate) =>
              hidden.reduce((total, h, k) => total + h * weight(k, unit, gate), given(t, gate, unit)),
            );
            const [h, c] = step(first, [-1, 0], along(pointOf(t, unit), [...a, cells[unit]!]));
            const state = [h[1] + given(t, 4, unit), c[1] + given(t, 5, unit)];
            put(t, unit, [...a, ...state]);
            return state;
          });
          hidden = next.map(([h]) => h!);
          cells = next.map(([, c]) => c!);
        }
        return;
      }
      for (const t of stepsOf(node).reverse()) {
        const pulled = units.map((unit) => {
          const u = [hidden[unit]! + given(t, 4, unit), cells[unit]! + given(t, 5, unit)];
          const [c, ...a] = pull(pointOf(t, unit), u).reverse();
          const own = a.reverse().map((value, gate) => value + given(t, gate, unit));
          put(t, unit, [...own, ...u]);
          return { own, c: c! };
        });
        hidden = units.map((k) =>
          units.reduce(
            (total, unit) => GATES.reduce((s, g) => s + weight(k, unit, g) * pulled[unit]!.own[g]!, total),
            0,
          ),
        );
        cells = pulled.map(({ c }) => c);
      }
    });
  }),
];
