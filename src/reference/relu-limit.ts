// Integrated Hessians of ReLU networks, exactly: the limit that smoothed networks approach as beta grows.
import { ArgumentError, NumericError, ShapeError } from "../tensor/errors.ts";
import { formatShape } from "../tensor/shape.ts";
import { array64, type Array64 } from "./array.ts";

/** x w + b: weight [in, out], bias [out] (default 0). */
export interface DenseLayer {
  readonly weight: Array64;
  readonly bias?: Array64;
}

/** Where the path leaves one linear piece of the network for the next. */
export interface KinkCrossing {
  /** Position on the path, in (0, 1). */
  readonly u: number;
  /** Hidden layer, from 0, and unit within it. */
  readonly layer: number;
  readonly unit: number;
}

export interface ReluLimit {
  /** [n, n]: the limit of Integrated Hessians. */
  readonly interactions: Array64;
  /** [n]: Integrated Gradients. */
  readonly attributions: Array64;
  readonly scores: { readonly input: number; readonly baseline: number };
  /** In order of position. */
  readonly crossings: readonly KinkCrossing[];
}

/**
 * Integrated Hessians (arXiv 2002.04138) of a fully connected ReLU network along x' + u D, D = x - x', in the limit
 * beta -> infinity of softplus activations, and exact Integrated Gradients. Double precision; time grows with
 * (crossings + 1) (weights) n.
 *
 * Let z_k be the pre-activations, a_k = s(z_k) with s(z) = log(1 + e^(beta z)) / beta, and f the output. All else is
 * affine, so the chain rule leaves one term per hidden unit:
 *
 *     H = sum_k (df/da_k) s''(z_k) grad z_k (grad z_k)^T.
 *
 * s'' is positive and has integral 1 over z for every beta; it becomes a point mass at z = 0. On the path, ∫ w(u) s''(z_k(u)) du
 * tends to w(u_k) / |dz_k/du| for each crossing z_k(u_k) = 0: the substitution turns dz into |dz_k/du| du, whichever the
 * direction. With the weight w = -u ln u of the Hessian, and of the gradient g, constant between crossings,
 *
 *     G_ij = D_i D_j sum_k (-u_k ln u_k) (df/da_k) (dz_k/dx_i) (dz_k/dx_j) / |dz_k/du|
 *            + [i = j] D_i sum over pieces (a, b) of g_i ((b - b ln b) - (a - a ln a)).
 *
 * The sign is that of df/da_k, as g jumps by (df/da_k) grad z_k sign(dz_k/du). Rows add up to Integrated Gradients:
 * sum_j D_j dz_k/dx_j = dz_k/du turns row i of the sum into D_i sum_k w(u_k) (jump of g_i), which is -D_i ∫ w' g_i =
 * D_i ∫ (1 + ln u) g_i, as w vanishes at both ends. For the same reason kinks exactly at the baseline (zero biases) or at
 * the input contribute nothing. Softplus networks differ from the limit by about 1 / beta^2, and by ln(beta) / beta where
 * there are kinks at the baseline.
 *
 * @param layers ReLU follows all but the last
 * @param x [n]
 * @param baseline [n]
 * @param output column of the last layer that is explained, default 0
 * @throws ShapeError when sizes do not fit each other
 * @throws ArgumentError when there is no such output
 * @throws NumericError where there is no limit that the path alone defines: units of different layers cross 0 together, or
 * one stays at 0 while the input would move it; move the baseline a little
 */
export function reluLimitHessians(
  layers: readonly DenseLayer[],
  x: ArrayLike<number>,
  baseline: ArrayLike<number>,
  { output = 0 }: { readonly output?: number } = {},
): ReluLimit {
  assertFits(layers, x, baseline, output);
  const n = x.length;
  const interactions = new Float64Array(n * n);
  const attributions = new Float64Array(n);
  const crossings: KinkCrossing[] = [];
  let [u, atKink]: [number, readonly Unit[]] = [0, []];
  while (u < 1) {
    const piece = pieceAt(layers, x, baseline, u, atKink);
    for (const { layer, unit } of atKink) {
      crossings.push({ u, layer, unit });
      addCrossing(interactions, -u * Math.log(u) * adjoint(layers, piece, layer, unit, output), piece[layer]![unit]!);
    }
    const next = nextKinks(piece, u);
    piece.at(-1)![output]!.moved.forEach((m, i) => {
      attributions[i]! += m * (next.u - u);
      interactions[i * n + i]! += m * (logIntegral(next.u) - logIntegral(u));
    });
    [u, atKink] = [next.u, next.units];
  }
  return {
    interactions: array64(interactions, [n, n]),
    attributions: array64(attributions),
    scores: { input: forward(layers, x, output), baseline: forward(layers, baseline, output) },
    crossings,
  };
}

/** ∫ -ln u du, from 0. */
const logIntegral = (u: number): number => (u === 0 ? 0 : u - u * Math.log(u));

/** One term of the sum over crossings; `moved` holds D_i dz/dx_i already. */
function addCrossing(interactions: Float64Array, factor: number, { moved, slope }: Unit): void {
  const n = moved.length;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) interactions[i * n + j]! += (factor * moved[i]! * moved[j]!) / Math.abs(slope);
  }
}

// ---- one linear piece ----------------------------------------------------------------------------------------------

/** A unit just after a point of the path; the inputs and the outputs count as units that are always active. */
interface Unit {
  readonly layer: number;
  readonly unit: number;
  readonly z: number;
  /** D_i dz/dx_i: what the inputs move, each of them. */
  readonly moved: Float64Array;
  /** dz/du: their sum. */
  readonly slope: number;
  readonly active: boolean;
}

/** Sums of rounded terms are taken for 0 below this part of the sum of their magnitudes. */
const TINY = 1e-13;

/** All layers, the last one included, at x' + u D; units at a kink have z = 0 and follow their slope. */
function pieceAt(
  layers: readonly DenseLayer[],
  x: ArrayLike<number>,
  baseline: ArrayLike<number>,
  u: number,
  atKink: readonly Unit[],
): Unit[][] {
  let below: Unit[] = Array.from({ length: x.length }, (_, unit) => {
    const step = x[unit]! - baseline[unit]!;
    const moved = new Float64Array(x.length);
    moved[unit] = step;
    return { layer: -1, unit, z: baseline[unit]! + u * step, moved, slope: step, active: true };
  });
  return layers.map((dense, layer) => {
    const linear = layer === layers.length - 1;
    const forced = atKink.filter((kink) => kink.layer === layer).map(({ unit }) => unit);
    below = Array.from({ length: dense.weight.shape[1]! }, (_, unit) => {
      const sums = preactivation(dense, unit, below);
      const kink = forced.includes(unit);
      if (!linear) assertDefined(sums, layer, unit, u, kink);
      const z = kink || (sums.vanishes && !linear) ? 0 : sums.z;
      const { moved, slope } = sums;
      return { layer, unit, z, moved, slope, active: linear || z > 0 || (z === 0 && slope > 0) };
    });
    return below;
  });
}

interface Preactivation {
  readonly z: number;
  readonly moved: Float64Array;
  readonly slope: number;
  /** Whether z, and its slope, are 0 up to rounding. */
  readonly vanishes: boolean;
  readonly resting: boolean;
}

function preactivation({ weight, bias }: DenseLayer, unit: number, below: readonly Unit[]): Preactivation {
  const moved = new Float64Array(below[0]!.moved.length);
  let z = bias?.data[unit] ?? 0;
  let [slope, size, speed] = [0, Math.abs(z), 0];
  for (const from of below) {
    if (!from.active) continue;
    const w = weight.data[from.unit * weight.shape[1]! + unit]!;
    z += w * from.z;
    slope += w * from.slope;
    from.moved.forEach((m, i) => (moved[i]! += w * m));
    size += Math.abs(w * from.z);
    speed += from.moved.reduce((sum, m) => sum + Math.abs(w * m), 0);
  }
  const resting = Math.abs(slope) <= TINY * speed;
  return { z, moved, slope: resting ? 0 : slope, vanishes: Math.abs(z) <= TINY * size, resting };
}

/** At 0 without being a kink that the path crosses: fine at the baseline, and where no input moves the unit. */
function assertDefined(
  { moved, vanishes, resting }: Preactivation,
  layer: number,
  unit: number,
  u: number,
  kink: boolean,
): void {
  if (!vanishes || kink || moved.every((m) => m === 0)) return;
  if (resting) {
    throw new NumericError(
      `reluLimitHessians: unit ${unit} of hidden layer ${layer} stays at 0 from u = ${u} on while single inputs move it: its ` +
        `interactions grow with beta; move the baseline or the bias a little`,
    );
  }
  if (u > 0) throw together(`unit ${unit} of hidden layer ${layer} and another one`, u);
}

const together = (who: string, u: number): NumericError =>
  new NumericError(
    `reluLimitHessians: ${who} reach 0 together at u = ${u}, where the limit depends on more than the path; move the ` +
      `baseline a little`,
  );

// ---- crossings -----------------------------------------------------------------------------------------------------

/** Crossings closer than this are one; the rest of the path is 1. */
const SAME = 1e-12;

/** The next units to cross 0, all at one position; none, at 1, if the rest of the path is one piece. */
function nextKinks(piece: readonly (readonly Unit[])[], u: number): { u: number; units: readonly Unit[] } {
  const towards = piece
    .slice(0, -1)
    .flat()
    .filter(({ z, slope }) => z * slope < 0);
  const at = ({ z, slope }: Unit): number => u - z / slope;
  const first = Math.min(1, ...towards.map(at));
  if (first === 1) return { u: 1, units: [] };
  const units = towards.filter((unit) => at(unit) <= first + SAME);
  const met = new Set(units.map(({ layer }) => layer));
  if (met.size > 1) throw together(`units of hidden layers ${[...met].join(" and ")}`, first);
  return { u: first, units };
}

/** df/da of a hidden unit, passed down from the output. */
function adjoint(
  layers: readonly DenseLayer[],
  piece: readonly (readonly Unit[])[],
  layer: number,
  unit: number,
  output: number,
): number {
  let above = piece.at(-1)!.map((_, o) => Number(o === output));
  for (let l = layers.length - 2; l >= layer; l--) {
    const { data, shape } = layers[l + 1]!.weight;
    const to = piece[l + 1]!;
    above = piece[l]!.map((_, i) =>
      above.reduce((sum, d, o) => (to[o]!.active ? sum + d * data[i * shape[1]! + o]! : sum), 0),
    );
  }
  return above[unit]!;
}

function forward(layers: readonly DenseLayer[], x: ArrayLike<number>, output: number): number {
  const y = layers.reduce<number[]>((values, { weight, bias }, layer) => {
    const a = layer === 0 ? values : values.map((z) => Math.max(z, 0));
    return Array.from({ length: weight.shape[1]! }, (_, unit) =>
      a.reduce((sum, v, i) => sum + v * weight.data[i * weight.shape[1]! + unit]!, bias?.data[unit] ?? 0),
    );
  }, Array.from(x));
  return y[output]!;
}

function assertFits(
  layers: readonly DenseLayer[],
  x: ArrayLike<number>,
  baseline: ArrayLike<number>,
  output: number,
): void {
  if (layers.length === 0) throw new ArgumentError("reluLimitHessians: there are no layers");
  if (baseline.length !== x.length)
    throw new ShapeError(`reluLimitHessians: the input has ${x.length} elements, the baseline ${baseline.length}`);
  let width = x.length;
  layers.forEach(({ weight, bias }, layer) => {
    const [rows, columns] = weight.shape;
    if (weight.shape.length !== 2 || rows !== width)
      throw new ShapeError(
        `reluLimitHessians: layer ${layer} has weights ${formatShape(weight.shape)}; expected [${width}, out]`,
      );
    if (bias && bias.data.length !== columns)
      throw new ShapeError(`reluLimitHessians: layer ${layer} has ${bias.data.length} biases; expected ${columns}`);
    width = columns!;
  });
  if (!Number.isInteger(output) || output < 0 || output >= width)
    throw new ArgumentError(`reluLimitHessians: there is no output ${output}; the last layer has ${width}`);
}
