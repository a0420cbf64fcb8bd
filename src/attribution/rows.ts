// Results that come back chunk by chunk.
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";

/** The first `count` entries along the first axis. */
export function firstRows({ shape, dtype, data }: HostArray, count: number): HostArray {
  const rest = shape.slice(1);
  return { shape: [count, ...rest], dtype, data: data.subarray(0, count * numel(rest)) };
}

/** Index of the largest element of each row of [rows, columns]. */
export const argmaxRows = ({ shape: [rows = 0, columns = 0], data }: Pick<HostArray, "shape" | "data">): number[] =>
  Array.from({ length: rows }, (_, r) => {
    const row = data.subarray(r * columns, (r + 1) * columns);
    return row.indexOf(Math.max(...row));
  });

/** Arrays of equal examples, joined along the first axis. */
export function joinRows(parts: readonly HostArray[]): HostArray {
  const rest = parts[0]!.shape.slice(1);
  const data = new Float32Array(parts.reduce((n, p) => n + p.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return hostArray(data, [parts.reduce((n, p) => n + p.shape[0]!, 0), ...rest]);
}
