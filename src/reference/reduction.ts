// f64 definitions of reductions and of softmax.
import type { Node } from "../graph/node.ts";
import { numel } from "../tensor/shape.ts";
import * as k from "../kernels/index.ts";
import { softmaxPrimitive, softmaxTangentPrimitive } from "../kernels/softmax.ts";
import type { AxisRange } from "../kernels/reduction.ts";
import type { Array64 } from "./array.ts";
import { define } from "./definition.ts";

/** Reduces the axes start <= axis < end, seen as the middle one of [outer, length, inner]. */
function reduceWith(f: (elements: readonly number[]) => number) {
  return ({ attrs: { start, end } }: Node<AxisRange>, [x]: readonly Array64[]): Float64Array => {
    const { shape, data } = x!;
    const [outer, length, inner] = [shape.slice(0, start), shape.slice(start, end), shape.slice(end)].map(numel) as [
      number,
      number,
      number,
    ];
    return Float64Array.from({ length: outer * inner }, (_, at) => {
      const first = Math.floor(at / inner) * length * inner + (at % inner);
      return f(Array.from({ length }, (_, i) => data[first + i * inner]!));
    });
  };
}

const total = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0);

function logSumExp(xs: readonly number[]): number {
  const top = Math.max(...xs);
  return Number.isFinite(top) ? top + Math.log(total(xs.map((x) => Math.exp(x - top)))) : top;
}

/** Applies a function to corresponding rows (last axes) of arrays of equal shape. */
function byRows(inputs: readonly Array64[], f: (...rows: Float64Array[]) => readonly number[]): Float64Array {
  const { shape, data } = inputs[0]!;
  const length = shape.at(-1) ?? 1;
  const result = new Float64Array(data.length);
  for (let at = 0; at < data.length; at += length) {
    result.set(f(...inputs.map((x) => x.data.subarray(at, at + length))), at);
  }
  return result;
}

export const reductionDefinitions = [
  define(k.sumPrimitive, reduceWith(total)),
  define(
    k.maxPrimitive,
    reduceWith((xs) => Math.max(...xs)),
  ),
  define(
    k.argmaxPrimitive,
    reduceWith((xs) => xs.indexOf(Math.max(...xs))),
  ),
  define(k.logSumExpPrimitive, reduceWith(logSumExp)),
  define(softmaxPrimitive, (_, inputs) =>
    byRows(inputs, (x) => {
      const top = Math.max(...x);
      const powers = [...x].map((v) => Math.exp(v - top));
      return powers.map((v) => v / total(powers));
    }),
  ),
  define(softmaxTangentPrimitive, (_, inputs) =>
    byRows(inputs, (y, t) => {
      const mean = total([...y].map((v, i) => v * t[i]!));
      return [...y].map((v, i) => v * (t[i]! - mean));
    }),
  ),
];
