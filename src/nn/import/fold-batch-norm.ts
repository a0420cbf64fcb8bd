// Batch normalisation with known statistics is one multiplication and one addition per channel.
import { add, mul } from "../../kernels/elementwise.ts";
import type { Value } from "../../graph/node.ts";
import type { Constant } from "./constant.ts";
import type { ParameterStore } from "./store.ts";

export interface Statistics {
  readonly mean: readonly number[];
  readonly variance: readonly number[];
  readonly scale?: readonly number[];
  readonly offset?: readonly number[];
  readonly epsilon: number;
}

/** Normalises axis 1 of x; factor and summand are computed in f64 and become parameters `name`.factor and `name`.summand. */
export function foldBatchNorm(store: ParameterStore, name: string, x: Value, s: Statistics): Value {
  const shape = [s.mean.length, ...x.shape.slice(2).map(() => 1)];
  const made = (suffix: string, f: (channel: number) => number): Constant =>
    store.derived(`${name}.${suffix}`, () => ({
      shape,
      dtype: "f32",
      data: Float32Array.from(s.mean, (_, channel) => f(channel)),
    }));
  const factor = (c: number): number => (s.scale?.[c] ?? 1) / Math.sqrt(s.variance[c]! + s.epsilon);
  const summand = (c: number): number => (s.offset?.[c] ?? 0) - s.mean[c]! * factor(c);
  return add(mul(x, store.tensor(made("factor", factor))), store.tensor(made("summand", summand)));
}
