// Results that come back chunk by chunk.
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";

/**
 * Rows [count, ...] of every result, read chunk by chunk; what only fills up the last chunk is dropped.
 * @param chunks results [size, ...] of each chunk
 */
export const rowsOfChunks = (chunks: readonly (readonly HostArray[])[], count: number): HostArray[] =>
  chunks[0]!.map((_, i) =>
    chunkRows(
      chunks.map((chunk) => chunk[i]!),
      count,
    ),
  );

/** The same for one result. */
export function chunkRows(parts: readonly HostArray[], count: number): HostArray {
  const [size, ...rest] = parts[0]!.shape as [number, ...number[]];
  const width = numel(rest);
  const data = new Float32Array(count * width);
  parts.forEach((part, k) => data.set(part.data.subarray(0, (count - k * size) * width), k * size * width));
  return hostArray(data, [count, ...rest], parts[0]!.dtype);
}

/** Index of the largest element of each row of [rows, columns]. */
export const argmaxRows = ({ shape: [rows = 0, columns = 0], data }: Pick<HostArray, "shape" | "data">): number[] =>
  Array.from({ length: rows }, (_, r) => {
    const row = data.subarray(r * columns, (r + 1) * columns);
    return row.indexOf(Math.max(...row));
  });
