// A made-up table for tests, with names that a page must not take for markup.
import type { Dataset } from "../../examples/lib/dataset.ts";
import { random } from "../../src/nn/index.ts";

export const HOSTILE = `</script><b onclick="x">&amp;<!--<script>`;

/** 80 rows; the first two of 12 features decide, the third is a whole number, the fourth is constant. */
export function tinyTable(): Dataset {
  const stream = random("tiny table");
  const [rows, width] = [80, 12];
  const x = Float64Array.from({ length: rows * width }, (_, at) => {
    const value = 3 + 2 * stream.normal();
    return at % width === 2 ? Math.round(value) : at % width === 3 ? 7 : value;
  });
  return {
    name: `tiny ${HOSTILE}`,
    source: "made up",
    features: Array.from({ length: width }, (_, j) => (j === 0 ? HOSTILE : `feature ${j}`)),
    rows,
    x,
    labels: Uint8Array.from({ length: rows }, (_, row) => (x[row * width]! > x[row * width + 1]! ? 1 : 0)),
    classes: { positive: `yes ${HOSTILE}`, negative: "no" },
    notes: [],
  };
}
