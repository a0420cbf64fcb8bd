// Rows of a table, chosen for a part of the data or for a training step.
import type { Random } from "../../src/nn/random.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";

/** The rows with these numbers, of x [rows, width]. */
export function chosenRows({ data, shape }: HostArray, rows: Int32Array): HostArray {
  const width = shape[1]!;
  const chosen = Float32Array.from({ length: rows.length * width }, (_, at) => {
    return data[rows[Math.floor(at / width)]! * width + (at % width)]!;
  });
  return hostArray(chosen, [rows.length, width]);
}

/** Shuffled passes over the rows; what does not fill a batch joins the next pass. */
export function* rowBatches(rows: number, batch: number, steps: number, stream: Random): Generator<Int32Array> {
  let waiting: number[] = [];
  for (let step = 0; step < steps; step++) {
    while (waiting.length < batch) waiting = [...waiting, ...stream.permutation(rows)];
    yield Int32Array.from(waiting.splice(0, batch));
  }
}
