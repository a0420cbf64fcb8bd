// One step of an LSTM and its cotangent as compositions of elementwise operations: what the kernels of lstm.ts compute, and
// where derivatives beyond theirs come from.
import type { Value } from "../graph/node.ts";
import { add, mul, sub, square } from "./arithmetic.ts";
import { concat } from "./join.ts";
import { sigmoid, tanh } from "./functions.ts";
import { sliceAxis } from "./slice.ts";

/** Letters of the gates in the order of their columns: i, f, g, o in some order. */
export type LstmAttrs = { readonly order: string };

type Gates = Readonly<Record<"i" | "f" | "g" | "o", Value>>;

function gatesOf(gates: Value, size: number, { order }: LstmAttrs): Gates {
  const columns = (letter: string): Value => {
    const at = order.indexOf(letter) * size;
    return sliceAxis(gates, -1, at, at + size);
  };
  return { i: sigmoid(columns("i")), f: sigmoid(columns("f")), g: tanh(columns("g")), o: sigmoid(columns("o")) };
}

const nextOf = ({ i, f, g }: Gates, c: Value): Value => add(mul(f, c), mul(i, g));

/** gates [..., 4 n], c [..., n] -> [..., 2 n]: h = o tanh(c'), then c' = f c + i g. */
export function cellDefinition(gates: Value, c: Value, attrs: LstmAttrs): Value {
  const on = gatesOf(gates, c.shape.at(-1)!, attrs);
  const next = nextOf(on, c);
  return concat([mul(on.o, tanh(next)), next], -1);
}

/** gates, c and u [..., 2 n] (cotangent of h, then of c') -> cotangent [..., 5 n] of the gates, then of c. */
export function cotangentDefinition(gates: Value, c: Value, u: Value, attrs: LstmAttrs): Value {
  const size = c.shape.at(-1)!;
  const { i, f, g, o } = gatesOf(gates, size, attrs);
  const [uh, uc] = [sliceAxis(u, -1, 0, size), sliceAxis(u, -1, size, 2 * size)];
  const y = tanh(nextOf({ i, f, g, o }, c));
  const w = add(uc, mul(uh, mul(o, sub(1, square(y)))));
  const slope = (s: Value): Value => mul(s, sub(1, s));
  const of: Gates = {
    i: mul(mul(w, g), slope(i)),
    f: mul(mul(w, c), slope(f)),
    g: mul(mul(w, i), sub(1, square(g))),
    o: mul(mul(uh, y), slope(o)),
  };
  return concat([...attrs.order.split("").map((letter) => of[letter as keyof Gates]), mul(w, f)], -1);
}
