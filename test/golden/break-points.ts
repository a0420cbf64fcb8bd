// Nodes and weights for the path integral itself, not for a rule. Where a ReLU or a maximum switches, the gradient jumps,
// and every fixed rule converges as 1 / n only; here the cells that hold a jump are halved until it no longer matters.
import type { HostArray } from "../../src/tensor/index.ts";
import { gaussLegendre, interiorGradients, type Quadrature } from "../../src/attribution/index.ts";
import type { Context } from "./context.ts";
import { hasKinks } from "./network.ts";

const SMOOTH_NODES = 512;
const CELLS = 256;
/** Gradients are evaluated in batches of one size, so that one program serves all. */
const BATCH = 128;
/** What one cell may contribute to the error, relative to the largest attribution. */
const CELL_ERROR = 1e-6;
const NARROWEST = 2 ** -20;

/** The integrand at one position: gradient times difference, for all elements of all inputs. */
type Sample = Float64Array;

/** A cell with the integrand at both ends and in its middle. */
interface Cell {
  readonly from: number;
  readonly width: number;
  readonly samples: readonly [Sample, Sample, Sample];
}

/**
 * Nodes and weights with which the integral from `baseline` to the input is exact to about 1e-5 for all examples.
 * @param baseline arrays of the inputs' shapes, in order
 */
export async function convergedPoints(c: Context, baseline: readonly HostArray[]): Promise<Quadrature> {
  if (!hasKinks(c.case_)) return gaussLegendre(SMOOTH_NODES);
  const samples = await integrand(c, baseline, Array.from({ length: 2 * CELLS + 1 }, (_, i) => i / (2 * CELLS)));
  const scales = largestAttributions(c, samples);
  const weights = new Map<number, number>();
  let open = Array.from({ length: CELLS }, (_, i): Cell => {
    const [a, m, b] = samples.slice(2 * i, 2 * i + 3);
    return { from: i / CELLS, width: 1 / CELLS, samples: [a!, m!, b!] };
  });
  while (open.length > 0) {
    const isRough = open.map((cell) => cell.width > NARROWEST && error(cell, scales) > CELL_ERROR);
    open.filter((_, i) => !isRough[i]).forEach((cell) => addSimpson(weights, cell));
    const rough = open.filter((_, i) => isRough[i]);
    const middles = await integrand(c, baseline, rough.flatMap(({ from, width }) => [from + width / 4, from + (width * 3) / 4]));
    open = rough.flatMap((cell, i) => halves(cell, middles[2 * i]!, middles[2 * i + 1]!));
  }
  const nodes = [...weights.keys()].sort((a, b) => a - b);
  return { nodes, weights: nodes.map((a) => weights.get(a)!) };
}

async function integrand(c: Context, baseline: readonly HostArray[], alphas: readonly number[]): Promise<Sample[]> {
  const differences = c.parts(c.arrays()).map((x, j) => Float64Array.from(x.data, (v, i) => v - baseline[j]!.data[i]!));
  const samples: Sample[] = [];
  for (let at = 0; at < alphas.length; at += BATCH) {
    const some = alphas.slice(at, at + BATCH);
    const padded = Array.from({ length: BATCH }, (_, i) => some[i] ?? some[0]!);
    const { gradients } = await interiorGradients(c.model, c.arrays(), { ...c.options(), baseline: c.named(baseline), alphas: padded });
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
  const means = samples[0]!.map((_, i) => Math.abs(samples.reduce((sum, sample) => sum + sample[i]!, 0)) / samples.length);
  let start = 0;
  for (const { data } of c.parts(c.arrays())) {
    const part = means.subarray(start, (start += data.length));
    part.fill(part.reduce((a, b) => Math.max(a, b)));
  }
  return means;
}

/** How much the middle departs from the line between the ends, times the width: small for smooth cells and narrow ones. */
function error({ width, samples: [a, m, b] }: Cell, scales: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < m.length; i++) largest = Math.max(largest, Math.abs(a[i]! - 2 * m[i]! + b[i]!) / scales[i]!);
  return largest * width;
}

function addSimpson(weights: Map<number, number>, { from, width }: Cell): void {
  const share = [1 / 6, 4 / 6, 1 / 6];
  share.forEach((w, k) => {
    const at = from + (k * width) / 2;
    weights.set(at, (weights.get(at) ?? 0) + w * width);
  });
}

function halves({ from, width, samples: [a, m, b] }: Cell, left: Sample, right: Sample): [Cell, Cell] {
  const half = width / 2;
  return [
    { from, width: half, samples: [a, left, m] },
    { from: from + half, width: half, samples: [m, right, b] },
  ];
}
