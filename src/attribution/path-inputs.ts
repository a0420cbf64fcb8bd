// What a path integral uploads: baselines, classes, and the nodes and weights of each chunk.
import type { Device } from "../tensor/device.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Node } from "../graph/node.ts";
import type { Target } from "./score.ts";

/** Nodes per baseline; per example too, if `nodes` holds M * S * B numbers. */
export interface PathPoints {
  readonly steps: number;
  /** [M, S] or [M, S, B] */
  readonly nodes: ArrayLike<number>;
  /** [M, S], or [M, S, C] */
  readonly weights: ArrayLike<number>;
  /** C: weights per node, for integrands that take several sums. Default 1. */
  readonly sums?: number;
}

/** Arrays of the shape and type of `node`, stacked along a new first axis. */
export function stacked(device: Device, { shape, dtype }: Node, arrays: readonly HostArray[]): Tensor {
  const size = numel(shape);
  const length = arrays.length * size;
  const data = dtype === "i32" ? new Int32Array(length) : new Float32Array(length);
  arrays.forEach((array, i) => data.set(array.data, i * size));
  return device.tensor(data, [arrays.length, ...shape], dtype);
}

/** The class of every example, where the caller names classes. */
export function classIndices(target: Target | undefined, batch: number): readonly number[] | undefined {
  if (typeof target === "number") return Array<number>(batch).fill(target);
  return Array.isArray(target) ? (target as readonly number[]) : undefined;
}

/** {@link classIndices} as i32 [batch]. */
export function classArray(target: Target | undefined, batch: number): HostArray | undefined {
  const classes = classIndices(target, batch);
  return classes && hostArray(Int32Array.from(classes), [batch], "i32");
}

/** Whether the caller names classes, so that they are inputs rather than what the network predicts. */
export const targetGiven = ({ target }: { readonly target?: Target | undefined }): boolean =>
  classIndices(target, 0) !== undefined;

export interface PointRange {
  readonly at: number;
  readonly count: number;
  readonly batch: number | undefined;
  /** Nodes behind the others, without weights. */
  readonly more?: readonly number[];
}

/**
 * Nodes [rows, count + more] (with `batch`: [rows, count + more, batch]) and weights [rows, count(, C)] from step `at` on.
 * Beyond the last step the last node is repeated, with weight 0.
 * @param rows numbers of the baselines
 */
export function pointTensors(
  device: Device,
  points: PathPoints,
  rows: readonly number[],
  { at, count, batch, more = [] }: PointRange,
): [Tensor, Tensor] {
  const { steps, sums = 1 } = points;
  const each = batch ?? 1;
  const stride = (count + more.length) * each;
  const nodes = new Float32Array(rows.length * stride);
  const weights = new Float32Array(rows.length * count * sums);
  rows.forEach((row, i) => {
    for (let s = 0; s < count; s++) {
      const from = row * steps + Math.min(at + s, steps - 1);
      const to = i * count + s;
      for (let b = 0; b < each; b++) nodes[i * stride + s * each + b] = points.nodes[from * each + b]!;
      for (let c = 0; c < sums; c++) weights[to * sums + c] = at + s < steps ? points.weights[from * sums + c]! : 0;
    }
    more.forEach((node, s) => nodes.fill(node, i * stride + (count + s) * each, i * stride + (count + s + 1) * each));
  });
  const lead = [rows.length, count + more.length];
  return [
    device.tensor(nodes, batch === undefined ? lead : [...lead, batch]),
    device.tensor(weights, sums === 1 ? [rows.length, count] : [rows.length, count, sums]),
  ];
}
