// Networks on graphs, molecules above all. Shapes: B graphs of up to N nodes (atoms) with F numbers each, and as many rows of
// zeros as are missing. Matrices are stored [in, out], as those of `linear`.
import { assertChoice, assertDType, refuseShapes } from "../tensor/checks.ts";
import { ShapeError } from "../tensor/errors.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import { fill, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Value } from "../graph/node.ts";
import { add, mul } from "../kernels/arithmetic.ts";
import { logicalAnd, relu, select } from "../kernels/choice.ts";
import { power } from "../kernels/functions.ts";
import { gather, oneHot, scatterAddPrimitive } from "../kernels/gather.ts";
import { concat } from "../kernels/join.ts";
import { matmul } from "../kernels/matmul.ts";
import { expandDims, transpose } from "../kernels/movement.ts";
import { index, sliceAxis } from "../kernels/slice.ts";
import { linear } from "./layers.ts";
import { batchMask, maskedSum } from "./masks.ts";
import { assertWeight } from "./parameters.ts";

/** A matrix [in, out] and a summand [out]. */
export interface Linear {
  readonly weight: Operand;
  readonly bias?: Operand;
}

/**
 * Categories as numbers that a network can read: a block of 0 and 1 for each column.
 * @param ids i32 [..., C]: a category 0, 1, ... for each of C properties; -1 (of padding, or unknown) gives a block of zeros
 * @param sizes number of categories of each property, C of them
 * @returns [..., sum of the sizes]
 * @throws ShapeError unless there is a size for each column, DTypeError unless the ids are i32
 */
export function oneHotFeatures(ids: Operand, sizes: readonly number[]): Value {
  const given = lift(ids, "i32");
  assertDType("oneHotFeatures: ids", given, "i32");
  if (sizes.length === 0 || given.shape.at(-1) !== sizes.length)
    refuseShapes("oneHotFeatures", `ids [..., ${sizes.length}], a column for each size`, given);
  return concat(
    sizes.map((size, column) => oneHot(index(given, -1, column), size)),
    -1,
  );
}

/**
 * A graph convolution A x W + b (Kipf and Welling, arXiv 1609.02907).
 * @param x [B, N, F]
 * @param adjacency A, [N, N] or [B, N, N]; see {@link normaliseAdjacency}. What is padding has rows and columns of zeros:
 *   it then reaches nothing, and its own result is the bias
 * @param weights weight [F, out]
 * @returns [B, N, out]
 * @throws ShapeError when they do not fit
 */
export function graphConvolution(x: Operand, adjacency: Operand, { weight, bias }: Linear): Value {
  const [value, a] = [lift(x), lift(adjacency)];
  const [batch, nodes, features] = value.shape;
  const square = a.shape.at(-1) === nodes && a.shape.at(-2) === nodes;
  if (value.shape.length !== 3 || !square || (a.shape.length === 3 ? a.shape[0] !== batch : a.shape.length !== 2))
    refuseShapes("graphConvolution", "x [B, N, F] and an adjacency [N, N] or [B, N, N]", value, a);
  const outputs = lift(weight).shape[1] ?? 0;
  assertWeight("graphConvolution", "a weight", weight, [features!, outputs], `${features!} features`);
  // The narrower side of the weight meets the larger product.
  const y = outputs < features! ? matmul(a, matmul(value, weight)) : matmul(matmul(a, value), weight);
  return bias === undefined ? y : add(y, bias);
}

export interface BondOptions {
  /**
   * "none" (default): the sum over neighbours; "symmetric": D^-1/2 (A + I) D^-1/2, as {@link normaliseAdjacency}: the node
   * itself counts as a neighbour, and each counts less the more neighbours both have.
   */
  readonly normalise?: "none" | "symmetric";
}

export interface BondWeights extends Linear {
  /** [F, out] for the node itself, beside its neighbours. Default: none. */
  readonly self?: Operand;
}

/**
 * The graph convolution from a list of bonds, without a matrix of N x N: what neighbours say is gathered along the bonds and
 * added where they end. It costs operations in proportion to bonds and not to pairs.
 * @param x [N, F], or [B, N, F]
 * @param bonds i32 [M, 2], or [B, M, 2]: two different nodes each, once, in any order; [-1, -1] fills up shorter lists
 * @param weights weight [F, out]
 * @returns [N, out], or [B, N, out]
 * @throws ShapeError, DTypeError when they do not fit
 */
export function bondConvolution(x: Operand, bonds: Operand, weights: BondWeights, options: BondOptions = {}): Value {
  const { normalise = "none" } = options;
  assertChoice("bondConvolution: normalise", normalise, "none", "symmetric");
  const value = lift(x);
  const features = value.shape.at(-1)!;
  const outputs = lift(weights.weight).shape[1] ?? 0;
  assertWeight("bondConvolution", "a weight", weights.weight, [features, outputs], `${features} features`);
  assertWeight("bondConvolution", "a weight of the node", weights.self, [features, outputs], `${features} features`);
  const neighbours = normalise === "none" ? neighbourSum(value, bonds) : normalisedSum(value, bonds);
  const y = linear(neighbours, weights);
  return weights.self === undefined ? y : add(y, matmul(value, weights.self));
}

/**
 * Sum over the neighbours of each node: the product of the adjacency matrix with x, from the list of bonds.
 * @param x [N, F], or [B, N, F]
 * @param bonds as in {@link bondConvolution}
 * @returns of the shape of x
 */
export function neighbourSum(x: Operand, bonds: Operand): Value {
  const value = lift(x);
  const { first, second, shared } = bondEnds(value, bonds);
  const [from, to] = [concat([first, second], -1), concat([second, first], -1)];
  const messages = gather(value, from, shared, { shared });
  return apply(scatterAddPrimitive, [to, messages], { axis: shared, shared, size: value.shape[shared]! });
}

function normalisedSum(x: Value, bonds: Operand): Value {
  const ones = fill([...x.shape.slice(0, -1), 1], 1);
  const scale = power(add(neighbourSum(ones, bonds), 1), -0.5);
  const scaled = mul(x, scale);
  return mul(add(neighbourSum(scaled, bonds), scaled), scale);
}

function bondEnds(x: Value, bonds: Operand): { first: Value; second: Value; shared: number } {
  const list = lift(bonds, "i32");
  assertDType("bonds", list, "i32");
  const rank = x.shape.length;
  const fits = (rank === 2 || rank === 3) && list.shape.length === rank && list.shape.at(-1) === 2;
  if (!fits || (rank === 3 && list.shape[0] !== x.shape[0]))
    refuseShapes("bonds", "[M, 2] and x [N, F], or [B, M, 2] and x [B, N, F]", list, x);
  return { first: index(list, -1, 0), second: index(list, -1, 1), shared: rank - 2 };
}

// ---- weave ---------------------------------------------------------------------------------------------------------

export interface WeaveWeights {
  /** Atoms to atoms, [Fa, h]. */
  readonly atomAtom: Linear;
  /** Pairs to atoms, [Fp, h]. */
  readonly pairAtom: Linear;
  /** [sum of both h, out]: what an atom becomes. */
  readonly atom: Linear;
  /** Atoms to pairs: both atoms' features one after the other, [2 Fa, h]. */
  readonly atomPair: Linear;
  /** Pairs to pairs, [Fp, h]. */
  readonly pairPair: Linear;
  /** [sum of both h, out]: what a pair becomes. */
  readonly pair: Linear;
}

export interface WeaveOptions {
  /** Which atoms are real: i32 [B] numbers of atoms, or bool [B, N]. Default: all. */
  readonly lengths?: Operand;
  /** Which pairs take part, bool [B, N, N]: those within some distance, say. Default: all pairs of real atoms. */
  readonly pairs?: Operand;
  /** Default: relu. A smooth one gives second derivatives without smoothing. */
  readonly activation?: (x: Value) => Value;
}

/** Features of atoms [B, N, Fa], and of every two of them [B, N, N, Fp]. */
export interface AtomsAndPairs {
  readonly atoms: Value;
  readonly pairs: Value;
}

/**
 * A weave layer (Kearnes et al., arXiv 1603.00856): with g an activation of a linear map,
 * atoms' = g(g(atoms), sum over the partners of g(pairs)), pairs' = g(g(pairs), g(a, b) + g(b, a)) for the pair of the atoms
 * a and b. Symmetric pairs stay symmetric; permuting the atoms permutes the results. Padding stays zero.
 * @returns atoms [B, N, out] and pairs [B, N, N, out]
 * @throws ShapeError, DTypeError when features, masks or weights do not fit
 */
export function weave(
  { atoms, pairs }: { readonly atoms: Operand; readonly pairs: Operand },
  weights: WeaveWeights,
  options: WeaveOptions = {},
): AtomsAndPairs {
  const [a, p] = [lift(atoms), lift(pairs)];
  assertPairs(a, p);
  const { activation: act = relu } = options;
  const masks = weaveMasks(a, options);
  const unit = (x: Value, own: Linear): Value => act(linear(x, own));
  const fromPairs = maskedSum(unit(p, weights.pairAtom), masks.pairs, 2);
  const nextAtoms = unit(concat([unit(a, weights.atomAtom), fromPairs], -1), weights.atom);
  const nextPairs = unit(concat([bothOrders(a, weights.atomPair, act), unit(p, weights.pairPair)], -1), weights.pair);
  return {
    atoms: select(expandDims(masks.atoms, 2), nextAtoms, 0),
    pairs: select(expandDims(masks.pairs, 3), nextPairs, 0),
  };
}

/** g(a, b) + g(b, a) for all pairs: each atom's part of the linear map is computed once, and not once per partner. */
function bothOrders(atoms: Value, { weight, bias }: Linear, act: (x: Value) => Value): Value {
  const w = lift(weight);
  const features = atoms.shape[2]!;
  assertWeight("weave", "weights from atoms to pairs", w, [2 * features, w.shape[1] ?? 0], `${features} features`);
  const first = linear(atoms, { weight: sliceAxis(w, 0, 0, features), ...(bias !== undefined && { bias }) });
  const second = matmul(atoms, sliceAxis(w, 0, features, 2 * features));
  const ordered = act(add(expandDims(first, 2), expandDims(second, 1)));
  return add(ordered, transpose(ordered, [0, 2, 1, 3]));
}

function assertPairs(a: Value, p: Value): void {
  const [batch, nodes] = a.shape;
  if (a.shape.length === 3 && p.shape.length === 4 && sameShape(p.shape.slice(0, 3), [batch!, nodes!, nodes!])) return;
  refuseShapes("weave", "atoms [B, N, F] and pairs [B, N, N, F]", a, p);
}

function weaveMasks(atoms: Value, { lengths, pairs }: WeaveOptions): { atoms: Value; pairs: Value } {
  const [batch, nodes] = atoms.shape as [number, number];
  const real = lengths === undefined ? fill([batch, nodes], 1, "bool") : batchMask("weave", lengths, batch, nodes);
  const both = logicalAnd(expandDims(real, 2), expandDims(real, 1));
  if (pairs === undefined) return { atoms: real, pairs: both };
  const given = lift(pairs, "bool");
  if (given.dtype !== "bool" || !sameShape(given.shape, both.shape))
    throw new ShapeError(
      `weave: expected pairs bool ${formatShape(both.shape)}, got ${given.dtype} ${formatShape(given.shape)}`,
    );
  return { atoms: real, pairs: logicalAnd(given, both) };
}
