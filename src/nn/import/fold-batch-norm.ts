// Batch normalisation with known statistics is one multiplication and one addition per channel.
import { add, mul } from "../../kernels/arithmetic.ts";
import type { Value } from "../../graph/node.ts";
import { FormatError } from "../../tensor/errors.ts";
import type { Constant } from "./constant.ts";
import type { ParameterStore } from "./store.ts";

export interface Statistics {
  readonly mean: Constant;
  readonly variance: Constant;
  readonly scale?: Constant;
  readonly offset?: Constant;
  readonly epsilon: number;
}

/** Normalises axis 1 of x; factor and summand are computed in f64 and become parameters `name`.factor and `name`.summand. */
export function foldBatchNorm(store: ParameterStore, name: string, x: Value, s: Statistics): Value {
  const channels = x.shape[1];
  for (const kind of ["mean", "variance", "scale", "offset"] as const) {
    const length = s[kind]?.data.length ?? channels;
    if (length !== channels)
      throw new FormatError(`the ${kind} of a normalisation has ${length} elements for ${channels} channels`);
  }
  const shape = [s.mean.data.length, ...x.shape.slice(2).map(() => 1)];
  const made = (suffix: string, f: (channel: number) => number): Constant =>
    store.derived(`${name}.${suffix}`, s.variance, () => ({
      shape,
      dtype: "f32",
      data: Float32Array.from(s.mean.data, (_, channel) => f(channel)),
    }));
  const factor = (c: number): number => (s.scale?.data[c] ?? 1) / Math.sqrt(s.variance.data[c]! + s.epsilon);
  const summand = (c: number): number => (s.offset?.data[c] ?? 0) - s.mean.data[c]! * factor(c);
  return add(mul(x, store.tensor(made("factor", factor))), store.tensor(made("summand", summand)));
}
