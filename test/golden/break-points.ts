// Nodes and weights for the path integral itself, not for a rule. Where a ReLU or a maximum switches, the gradient jumps,
// and every fixed rule converges as 1 / n only; here the cells that hold a jump are halved until it no longer matters.
import type { HostArray } from "../../src/tensor/index.ts";
import { gaussLegendre, interiorGradients, type Quadrature } from "../../src/attribution/index.ts";
import type { Context } from "./context.ts";
import { hasKinks } from "./network.ts";

const SMOOTH_NODES = 512;
const CELLS = 512;
/**
 * Where sampling begins; what lies before takes the value found there. A constant baseline makes all windows of a max
 * pool ties, which in f32 they remain for a while.
 */
const START = { constant: 2 ** -11, other: 2 ** -20 };
/** Gradients are evaluated in batches of one size, so that one program serves all. */
const BATCH = 128;
/** What one cell may contribute to the error, relative to the largest attribution. */
const CELL_ERROR = 4e-6;
const NARROWEST = 2 ** -20;

/** The integrand at one position: gradient times difference, for all elements of all inputs. */
type Sample = Float64Array;

interface Cell {
  readonly from: number;
  readonly to: number;
  /** The integrand at both ends. */
  readonly samples: readonly [Sample, Sample];
}

/**
 * Nodes and weights with which the integral from `baseline` to the input is exact to a few 1e-5 for all examples.
 * @param baseline arrays of the inputs' shapes, in order
 */
export async function convergedPoints(c: Context, baseline: readonly HostArray[]): Promise<Quadrature> {
  if (!hasKinks(c.case_)) return gaussLegendre(SMOOTH_NODES);
  const start = baseline.every(isConstant) ? START.constant : START.other;
  const edges = Array.from({ length: CELLS + 1 }, (_, i) => start + ((1 - start) * i) / CELLS);
  const samples = await integrand(c, baseline, edges);
  const scales = largestAttributions(c, samples);
  const weights = new Map([[start, start]]);
  let open = samples
    .slice(1)
    .map((sample, i): Cell => ({ from: edges[i]!, to: edges[i + 1]!, samples: [samples[i]!, sample] }));
  while (open.length > 0) {
    const rough = open.map((cell) => cell.to - cell.from > NARROWEST && error(cell, scales) > CELL_ERROR);
    open.filter((_, i) => !rough[i]).forEach((cell) => addTrapezoid(weights, cell));
    const split = open.filter((_, i) => rough[i]);
    const middles = await integrand(
      c,
      baseline,
      split.map(({ from, to }) => (from + to) / 2),
    );
    open = split.flatMap((cell, i) => halves(cell, middles[i]!));
  }
  const nodes = [...weights.keys()].sort((a, b) => a - b);
  return { nodes, weights: nodes.map((a) => weights.get(a)!) };
}

const isConstant = ({ data }: HostArray): boolean => data.every((v) => v === data[0]);

async function integrand(c: Context, baseline: readonly HostArray[], alphas: readonly number[]): Promise<Sample[]> {
  const differences = c.parts(c.arrays()).map((x, j) => Float64Array.from(x.data, (v, i) => v - baseline[j]!.data[i]!));
  const samples: Sample[] = [];
  for (let at = 0; at < alphas.length; at += BATCH) {
    const some = alphas.slice(at, at + BATCH);
    const padded = Array.from({ length: BATCH }, (_, i) => some[i] ?? some[0]!);
    const { gradients } = await interiorGradients(c.model, c.arrays(), {
      ...c.options(),
      baseline: c.named(baseline),
      alphas: padded,
    });
    const parts = c.parts(gradients);
    some.forEach((_, s) => {
      const products = differences.map((d, j) => d.map((v, i) => v * parts[j]!.data[s * d.length + i]!));
      samples.push(Float64Array.from(products.flatMap((p) => Array.from(p))));
    });
  }
  return samples;
}

/** For every element the largest attribution of its input, from a first, rough sum. */
function largestAttributions(c: Context, samples: readonly Sample[]): Float64Array {
  const means = samples[0]!.map(
    (_, i) => Math.abs(samples.reduce((sum, sample) => sum + sample[i]!, 0)) / samples.length,
  );
  let start = 0;
  for (const { data } of c.parts(c.arrays())) {
    const part = means.subarray(start, (start += data.length));
    part.fill(part.reduce((a, b) => Math.max(a, b)));
  }
  return means;
}

/** How much the integrand differs between the ends, times the width: bounds the error where it jumps in between. */
function error({ from, to, samples: [a, b] }: Cell, scales: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(b[i]! - a[i]!) / scales[i]!);
  return largest * (to - from);
}

function addTrapezoid(weights: Map<number, number>, { from, to }: Cell): void {
  for (const end of [from, to]) weights.set(end, (weights.get(end) ?? 0) + (to - from) / 2);
}

function halves({ from, to, samples: [a, b] }: Cell, middle: Sample): [Cell, Cell] {
  const at = (from + to) / 2;
  return [
    { from, to: at, samples: [a, middle] },
    { from: at, to, samples: [middle, b] },
  ];
}
