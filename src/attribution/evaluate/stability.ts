// Whether attributions stay as they are when the input hardly changes.
import { hostArray, type HostArray } from "../../tensor/host.ts";
import { assertPositive, assertWhole } from "../../tensor/checks.ts";
import { randomNumbers } from "../baselines.ts";
import { rowsOf, type PerExample } from "./subject.ts";

export interface Explainable {
  /** [B, ...] */
  readonly input: HostArray;
  readonly attributions: HostArray;
  /**
   * Attributions of other inputs, as many as there are numbers in `examples`: of which example each is a variant. The
   * classes that are explained should stay those of the examples.
   */
  explain(input: HostArray, examples: readonly number[]): Promise<HostArray>;
}

export interface MaxSensitivityOptions {
  /** Every element moves by at most this. Default 0.02. */
  readonly radius?: number;
  /** Default 10. */
  readonly samples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Max-sensitivity (Yeh et al., arXiv 1901.09392): the largest change of the attributions, relative to their Euclidean norm,
 * over random inputs near x. Small is good. All variants are examples of one call.
 * @throws ArgumentError for numbers that do not fit
 */
export async function maxSensitivity(subject: Explainable, options: MaxSensitivityOptions = {}): Promise<PerExample> {
  const { radius = 0.02, samples = 10, seed = 0 } = options;
  const { input, attributions } = subject;
  assertPositive("radius", radius);
  assertWhole("samples", samples, 1);
  const random = randomNumbers(seed);
  const [batch, ...example] = input.shape as [number, ...number[]];
  const near = Float32Array.from(
    { length: samples * input.data.length },
    (_, i) => input.data[i % input.data.length]! + radius * (2 * random() - 1),
  );
  const examples = Array.from({ length: samples * batch }, (_, k) => k % batch);
  const moved = rowsOf(await subject.explain(hostArray(near, [samples * batch, ...example]), examples));
  const rows = rowsOf(attributions);
  const norm = (v: Float64Array): number => Math.sqrt(v.reduce((s, a) => s + a * a, 0));
  const values = Float64Array.from(rows, (row, b) => {
    const own = moved.filter((_, k) => k % batch === b);
    return Math.max(...own.map((other) => norm(other.map((v, i) => v - row[i]!)))) / norm(row);
  });
  return { values };
}
