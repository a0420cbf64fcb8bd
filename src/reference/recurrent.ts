// f64 definitions of the LSTM step and its derivatives, and of time steps. Derivatives come from dual numbers: they share no
// formula with the kernels.
import type { Node } from "../graph/node.ts";
import type { LstmAttrs } from "../kernels/lstm-definition.ts";
import {
  lstmCellPrimitive,
  lstmCotangentPrimitive,
  lstmCotangentTangentPrimitive,
  lstmTangentPrimitive,
} from "../kernels/lstm.ts";
import { keepPrimitive, placeStepsPrimitive, takeStepsPrimitive } from "../kernels/steps.ts";
import { element, tabulate, type Array64 } from "./array.ts";
import { define } from "./definition.ts";
import { sigmoid as logistic } from "./special.ts";

/** A number with a derivative, itself a number or a dual number: [value, derivative]. */
interface Field<T> {
  add(a: T, b: T): T;
  mul(a: T, b: T): T;
  sigmoid(a: T): T;
  one: T;
}

export const real: Field<number> = { add: (a, b) => a + b, mul: (a, b) => a * b, sigmoid: logistic, one: 1 };

type Dual<T> = readonly [T, T];

function dual<T>(of: Field<T>, zero: T, minusOne: T): Field<Dual<T>> {
  return {
    add: ([a, p], [b, q]) => [of.add(a, b), of.add(p, q)],
    mul: ([a, p], [b, q]) => [of.mul(a, b), of.add(of.mul(a, q), of.mul(p, b))],
    sigmoid([a, p]) {
      const s = of.sigmoid(a);
      return [s, of.mul(p, of.mul(s, of.add(of.one, of.mul(minusOne, s))))];
    },
    one: [of.one, zero],
  };
}

export const first = dual(real, 0, -1);
const second = dual(first, [0, 0], [-1, 0]);

/** h and c' of one unit from [i, f, g, o, c]. tanh(x) = 2 sigmoid(2 x) - 1. */
export function step<T>(of: Field<T>, minusOne: T, [i, f, g, o, c]: readonly T[]): [T, T] {
  const tanh = (x: T): T => {
    const s = of.sigmoid(of.add(x, x));
    return of.add(of.add(s, s), minusOne);
  };
  const next = of.add(of.mul(of.sigmoid(f!), c!), of.mul(of.sigmoid(i!), tanh(g!)));
  return [of.mul(of.sigmoid(o!), tanh(next)), next];
}

/** One row of an operand, and how to read its unit `j`: [i, f, g, o] of gates, or one number per packed part. */
class Rows {
  constructor(
    private readonly node: Node<LstmAttrs>,
    private readonly inputs: readonly Array64[],
    private readonly at: readonly number[],
    private readonly size: number,
    private readonly unit: number,
  ) {}

  /** Number at column `column` of operand `k`, whose rows broadcast. */
  private number(k: number, column: number): number {
    const x = this.inputs[k]!;
    const own = x.shape.slice(0, -1);
    const row = this.at.slice(this.at.length - own.length).map((p, axis) => (own[axis] === 1 ? 0 : p));
    return element(x, [...row, column]);
  }

  /** i, f, g, o and c from operands k and k + 1. */
  point(k: number): number[] {
    const { order } = this.node.attrs;
    const gates = ["i", "f", "g", "o"].map((gate) => this.number(k, order.indexOf(gate) * this.size + this.unit));
    return [...gates, this.number(k + 1, this.unit)];
  }

  /** The parts of a packed operand. */
  parts(k: number, count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.number(k, i * this.size + this.unit));
  }
}

/** A definition that computes, for each unit, `parts` numbers: [h, c'] or [i, f, g, o, c]. */
const perUnit =
  (parts: number, f: (rows: Rows) => readonly number[]) =>
  (node: Node<LstmAttrs>, inputs: readonly Array64[]): Float64Array => {
    const size = inputs[1]!.shape.at(-1)!;
    return tabulate(node.shape, (at) => {
      const column = at.at(-1)!;
      const made = f(new Rows(node, inputs, at.slice(0, -1), size, column % size));
      const block = Math.floor(column / size);
      return made[parts === 5 && block < 4 ? "ifgo".indexOf(node.attrs.order[block]!) : block]!;
    });
  };

export const along = (x: readonly number[], v: readonly number[]): Dual<number>[] =>
  x.map((value, i) => [value, v[i]!]);
const unit = (i: number): number[] => [0, 1, 2, 3, 4].map((j) => Number(i === j));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/** J^T u, one column of J at a time. */
export const pull = (x: readonly number[], u: readonly number[]): number[] =>
  x.map((_, i) =>
    dot(
      u,
      step(first, [-1, 0], along(x, unit(i))).map(([, d]) => d),
    ),
  );

/** Derivative of pull(x, u) along v: second derivatives of the step along unit vectors and v. */
const pullAlong = (x: readonly number[], u: readonly number[], v: readonly number[]): number[] =>
  x.map((_, i) => {
    const e = unit(i);
    const nested = x.map((value, j): Dual<Dual<number>> => [
      [value, e[j]!],
      [v[j]!, 0],
    ]);
    return dot(
      u,
      step(
        second,
        [
          [-1, 0],
          [0, 0],
        ],
        nested,
      ).map(([, [, d]]) => d),
    );
  });

export const recurrentDefinitions = [
  define(
    lstmCellPrimitive,
    perUnit(2, (rows) => step(real, -1, rows.point(0))),
  ),
  define(
    lstmTangentPrimitive,
    perUnit(2, (rows) => step(first, [-1, 0], along(rows.point(0), rows.point(2))).map(([, d]) => d)),
  ),
  define(
    lstmCotangentPrimitive,
    perUnit(5, (rows) => pull(rows.point(0), [...rows.parts(2, 1), ...rows.parts(3, 1)])),
  ),
  define(
    lstmCotangentTangentPrimitive,
    perUnit(5, (rows) => {
      const [x, u] = [rows.point(0), rows.parts(2, 2)];
      const curved = pullAlong(x, u, rows.point(3));
      return pull(x, rows.parts(5, 2)).map((d, i) => d + curved[i]!);
    }),
  ),
  define(keepPrimitive, (_, [x]) => x!.data),
  define(takeStepsPrimitive, ({ shape, attrs: { axis, start } }, [x]) =>
    tabulate(shape, (at) =>
      element(
        x!,
        at.map((p, i) => (i === axis ? p + start : p)),
      ),
    ),
  ),
  define(placeStepsPrimitive, ({ shape, attrs: { axis, start } }, [x]) =>
    tabulate(shape, (at) =>
      element(
        x!,
        at.map((p, i) => (i === axis ? p - start : p)),
      ),
    ),
  ),
];
