// What a path integral uploads: baselines, classes, and the nodes and weights of each chunk.
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
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

/**
 * Nodes [rows, count] (with `batch`: [rows, count, batch]) and weights [rows, count(, C)] from step `at` on.
 * Beyond the last step the last node is repeated, with weight 0.
 * @param rows numbers of the baselines
 */
export function pointTensors(
  device: Device,
  points: PathPoints,
  rows: readonly number[],
  { at, count, batch }: { at: number; count: number; batch: number | undefined },
): [Tensor, Tensor] {
  const { steps, sums = 1 } = points;
  const each = batch ?? 1;
  const nodes = new Float32Array(rows.length * count * each);
  const weights = new Float32Array(rows.length * count * sums);
  rows.forEach((row, i) => {
    for (let s = 0; s < count; s++) {
      const from = row * steps + Math.min(at + s, steps - 1);
      const to = i * count + s;
      for (let b = 0; b < each; b++) nodes[to * each + b] = points.nodes[from * each + b]!;
      for (let c = 0; c < sums; c++) weights[to * sums + c] = at + s < steps ? points.weights[from * sums + c]! : 0;
    }
  });
  const shape = [rows.length, count];
  return [
    device.tensor(nodes, batch === undefined ? shape : [...shape, batch]),
    device.tensor(weights, sums === 1 ? shape : [...shape, sums]),
  ];
}
