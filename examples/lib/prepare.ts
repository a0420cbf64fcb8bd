// From a data set to what networks are trained and judged on: a held-out part, filled gaps, standardised columns.
import type { Random } from "../../src/nn/random.ts";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import type { Dataset } from "./dataset.ts";
import { mean, median, standardDeviation } from "./statistics.ts";

export interface Split {
  /** Numbers of rows, in random order. */
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/**
 * Puts a share of the rows of each class aside, at least one of each.
 * @throws ArgumentError when a class has fewer than two rows
 */
export function stratifiedSplit(labels: Uint8Array, share: number, stream: Random): Split {
  const parts = [0, 1].map((label) => {
    const rows = shuffled(labels, label, stream);
    if (rows.length < 2) {
      throw new ArgumentError(`class ${label} has ${rows.length} rows; two of each class are needed to hold some out`);
    }
    const held = Math.min(rows.length - 1, Math.max(1, Math.round(share * rows.length)));
    return { test: rows.slice(0, held), train: rows.slice(held) };
  });
  const merged = (part: keyof Split): Int32Array => {
    const rows = parts.flatMap((p) => [...p[part]]);
    return stream.permutation(rows.length).map((i) => rows[i]!);
  };
  return { train: merged("train"), test: merged("test") };
}

function shuffled(labels: Uint8Array, label: number, stream: Random): Int32Array {
  const rows = Int32Array.from([...labels.keys()].filter((row) => labels[row] === label));
  return stream.permutation(rows.length).map((i) => rows[i]!);
}

/** What was learnt about each column from the training rows alone. */
export interface ColumnFacts {
  /** Of the values that are there; takes the place of missing ones. */
  readonly medians: Float64Array;
  /** After filling. */
  readonly means: Float64Array;
  /** After filling; 1 for a constant column, which then is 0 everywhere. */
  readonly deviations: Float64Array;
}

/** @throws ArgumentError for a column without any value in the training rows */
export function columnFacts({ features, x }: Dataset, train: Int32Array): ColumnFacts {
  const width = features.length;
  const columns = features.map((feature, j) => {
    const values = Array.from(train, (row) => x[row * width + j]!);
    const there = values.filter((v) => !Number.isNaN(v));
    if (there.length === 0) throw new ArgumentError(`column "${feature}" has no value in any training row; drop it`);
    const middle = median(there);
    const filled = values.map((v) => (Number.isNaN(v) ? middle : v));
    return { median: middle, mean: mean(filled), deviation: standardDeviation(filled) || 1 };
  });
  return {
    medians: Float64Array.from(columns, (c) => c.median),
    means: Float64Array.from(columns, (c) => c.mean),
    deviations: Float64Array.from(columns, (c) => c.deviation),
  };
}

/** Chosen rows with gaps filled, in the units of the table: [rows, features]. */
export function filledRows({ features, x }: Dataset, rows: Int32Array, { medians }: ColumnFacts): Float64Array {
  const width = features.length;
  return Float64Array.from({ length: rows.length * width }, (_, at) => {
    const value = x[rows[Math.floor(at / width)]! * width + (at % width)]!;
    return Number.isNaN(value) ? medians[at % width]! : value;
  });
}

/** (value - mean) / deviation of every column, as the network's input [rows, features]. */
export function standardised(values: Float64Array, { means, deviations }: ColumnFacts): HostArray {
  const width = means.length;
  const scaled = Float32Array.from(values, (v, at) => (v - means[at % width]!) / deviations[at % width]!);
  return hostArray(scaled, [values.length / width, width]);
}

/** How many values of these rows are missing. */
export function missingCount({ features, x }: Dataset, rows: Int32Array): number {
  const width = features.length;
  return Array.from(rows).reduce(
    (sum, row) => sum + x.subarray(row * width, (row + 1) * width).filter((v) => Number.isNaN(v)).length,
    0,
  );
}
