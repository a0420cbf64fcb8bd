// f64 definitions of pooling and of sums over neighbouring channels.
import { windowSumPrimitive } from "../kernels/norm.ts";
import * as k from "../kernels/pool.ts";
import type { AvgPoolAttrs, PoolAttrs } from "../kernels/pool.ts";
import { numel } from "../tensor/shape.ts";
import { element, tabulate, type Array64 } from "./array.ts";
import { define } from "./definition.ts";

/** Positions row * W + column of the input that window (i, j) covers, in row-major order. */
function covered({ input: [H, W], kernel, stride, padding, dilation }: PoolAttrs, i: number, j: number): number[] {
  const found: number[] = [];
  for (let p = 0; p < kernel[0]; p++)
    for (let q = 0; q < kernel[1]; q++) {
      const row = i * stride[0] - padding[0] + p * dilation[0];
      const column = j * stride[1] - padding[1] + q * dilation[1];
      if (row >= 0 && row < H && column >= 0 && column < W) found.push(row * W + column);
    }
  return found;
}

/** What window (i, j) is divided by: the part of it inside the padded input, or inside the input itself. */
function divisor(attrs: AvgPoolAttrs, i: number, j: number): number {
  if (!attrs.countIncludePad) return covered(attrs, i, j).length;
  const [rows, columns] = ([0, 1] as const).map((axis) => {
    const start = (axis === 0 ? i : j) * attrs.stride[axis] - attrs.padding[axis];
    return Math.min(start + attrs.kernel[axis], attrs.input[axis] + attrs.padding[axis + 2]!) - start;
  });
  return rows! * columns!;
}

/** Calls back for every plane and window: the flat position of its result, and where its plane of the input starts. */
function eachWindow(
  attrs: PoolAttrs,
  results: number,
  visit: (at: number, from: number, i: number, j: number) => void,
): void {
  const [oh, ow] = attrs.output;
  for (let at = 0; at < results; at++) {
    const plane = Math.floor(at / (oh * ow));
    visit(at, plane * numel(attrs.input), Math.floor(at / ow) % oh, at % ow);
  }
}

const firstMaximum = (data: Float64Array, positions: readonly number[]): number =>
  positions.reduce((best, p) => (data[p]! > data[best]! ? p : best));

/** Planes of the indices repeat where the values have more. */
const indexAt = (indices: Array64, at: number): number => indices.data[at % indices.data.length]!;

export const windowDefinitions = [
  define(k.argmaxWindowPrimitive, ({ shape, attrs }, [x]) => {
    const result = new Float64Array(numel(shape));
    eachWindow(attrs, result.length, (at, from, i, j) => {
      result[at] = firstMaximum(x!.data.subarray(from, from + numel(attrs.input)), covered(attrs, i, j));
    });
    return result;
  }),
  define(k.gatherWindowPrimitive, ({ shape, attrs }, [x, indices]) => {
    const result = new Float64Array(numel(shape));
    eachWindow(attrs, result.length, (at, from) => (result[at] = x!.data[from + indexAt(indices!, at)]!));
    return result;
  }),
  define(k.scatterWindowPrimitive, ({ shape, attrs }, [ct, indices]) => {
    const result = new Float64Array(numel(shape));
    eachWindow(attrs, ct!.data.length, (at, from) => (result[from + indexAt(indices!, at)]! += ct!.data[at]!));
    return result;
  }),
  define(k.avgPoolPrimitive, ({ shape, attrs }, [x]) => {
    const result = new Float64Array(numel(shape));
    eachWindow(attrs, result.length, (at, from, i, j) => {
      for (const p of covered(attrs, i, j)) result[at]! += x!.data[from + p]! / divisor(attrs, i, j);
    });
    return result;
  }),
  define(k.avgPoolGradPrimitive, ({ shape, attrs }, [ct]) => {
    const result = new Float64Array(numel(shape));
    eachWindow(attrs, ct!.data.length, (at, from, i, j) => {
      for (const p of covered(attrs, i, j)) result[from + p]! += ct!.data[at]! / divisor(attrs, i, j);
    });
    return result;
  }),
  define(windowSumPrimitive, ({ shape, attrs: { axis, low, high } }, [x]) =>
    tabulate(shape, (at) => {
      let sum = 0;
      for (let step = -low; step <= high; step++)
        sum += element(
          x!,
          at.map((i, a) => (a === axis ? i + step : i)),
        );
      return sum;
    }),
  ),
];
