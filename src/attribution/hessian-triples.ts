// Interactions of three features: Integrated Gradients applied three times.
//
// With theta_i = D_i d/dD_i on functions of the difference D = x - x', applying IG_i is the integral over a of
// (theta_i h)(a D) / a. Three times, with u = a b c, whose density is (ln u)^2 / 2:
//
//   G_ijk = integral of (ln u)^2 / 2 * (theta_i theta_j theta_k f)(u D) / u
//
// and theta_i theta_j theta_k f is, at u D, with all derivatives of f taken at x' + u D,
//
//   i, j, k different   u^3 D_i D_j D_k f_ijk
//   i, i, k             u^3 D_i^2 D_k f_iik + u^2 D_i D_k f_ik
//   i, i, i             u^3 D_i^3 f_iii + 3 u^2 D_i^2 f_ii + u D_i f_i
import { ArgumentError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { batchAll } from "../autograd/batch.ts";
import { jvpGraph } from "../autograd/jvp.ts";
import { fill, input } from "../graph/leaves.ts";
import type { Node } from "../graph/node.ts";
import { add, addPresent, mul } from "../kernels/arithmetic.ts";
import { sum } from "../kernels/broadcast.ts";
import { stack } from "../kernels/join.ts";
import { expandDims, moveAxis, reshape } from "../kernels/movement.ts";
import { sliceAxis } from "../kernels/slice.ts";
import { prepareGraph, spreadRows } from "./hessian-features.ts";
import { batchAxis, featureCount } from "./hessian-parts.ts";
import { keepsBatch } from "./hessian-plan.ts";
import { tripleWeights } from "./hessian-rules.ts";
import { assertSmooth, smoothModel, type SmoothingOptions } from "./hessian-smooth.ts";
import {
  addMeans,
  boundaryGradients,
  boundaryInputs,
  finaleInputs,
  leafLike,
  nodeInputs,
  pathGraph,
  pathPoints,
  type Integrand,
  type PathGraph,
  type PathShape,
} from "./path-parts.ts";
import { PathIntegral } from "./path.ts";
import { gaussLegendre } from "./quadrature.ts";
import type { Input, ModelLike, PathOptions, Plan } from "./types.ts";
import { reporting } from "./session.ts";

export type Triple = readonly [number, number, number];

export interface IntegratedTriplesOptions extends PathOptions, SmoothingOptions {
  /** Features of each triple; they may repeat. */
  readonly triples: readonly Triple[];
  /** Number of Gauss-Legendre nodes. Default 24: third derivatives vary faster than second ones. */
  readonly nodes?: number;
}

export interface IntegratedTriplesResult {
  /** G_ijk [B, Q]; [Q] if the score has no batch axis. Summed over k it is the interaction G_ij. */
  readonly interactions: HostArray;
  readonly scores: { readonly input: HostArray; readonly baseline: HostArray };
  readonly targets: HostArray | undefined;
  readonly nodes: number;
  readonly plan: Plan;
}

/**
 * Interactions of chosen triples of features: G_ijk = D_i D_j D_k (integral of (ln u)^2 / 2 u^2 f_ijk(x' + u D) du) for
 * three different features; repeated ones have terms of lower order besides. Symmetric in i, j and k, and the sum over k is
 * the Integrated Hessian G_ij.
 * @param model a network that is smooth, or `beta`
 * @throws as `integratedHessians`
 */
export async function integratedTriples(
  model: ModelLike,
  input: Input,
  options: IntegratedTriplesOptions,
): Promise<IntegratedTriplesResult> {
  const { beta, pool = false, nodes = 24, triples, target } = options;
  if (target === "all") throw new ArgumentError('target: give a class, or a function, instead of "all"');
  const path = await PathIntegral.open(beta === undefined ? model : smoothModel(model, beta, pool), input, options);
  try {
    assertSmooth(model, path, options);
    if (!keepsBatch(path.shape))
      throw new ArgumentError("input: this network mixes its first axis with others; give one example at a time");
    const terms = triples.map((t) => termsOf(t, featureCount(path.problem)));
    if (terms.length === 0) throw new ArgumentError("triples: expected at least one, got none");
    return await run(path, terms, nodes);
  } finally {
    path.dispose();
  }
}

/** A triple as f_abc, with a, b the features of the term of second order and a that of the first. */
interface Terms {
  readonly features: Triple;
  /** Factors of the terms of second and first order. */
  readonly second: number;
  readonly first: number;
}

function termsOf(triple: Triple, features: number): Terms {
  const wrong = triple.find((i) => !(Number.isInteger(i) && i >= 0 && i < features));
  if (wrong !== undefined || triple.length !== 3)
    throw new ArgumentError(
      `triples: [${triple.join(", ")}] is not three of the features 0 to ${features - 1} of an example`,
    );
  const [i, j, k] = triple;
  if (i === j && j === k) return { features: triple, second: 3, first: 1 };
  if (i === j) return { features: [i, k, j], second: 1, first: 0 };
  return { features: triple, second: i === k || j === k ? 1 : 0, first: 0 };
}

async function run(path: PathIntegral, terms: readonly Terms[], nodes: number): Promise<IntegratedTriplesResult> {
  const { nodes: us } = gaussLegendre(nodes);
  const densities = tripleWeights(nodes);
  const weights = us.flatMap((u, k) => [densities[k]! * u * u, densities[k]! * u, densities[k]!]);
  const ids = [0, 1, 2].flatMap((at) => terms.map(({ features }) => features[at]!));
  const { device } = path;
  const given = [
    device.tensor(ids, [ids.length], "i32"),
    device.tensor(
      terms.flatMap(({ second, first }) => [1, second, first]),
      [terms.length, 3],
    ),
  ];
  try {
    const result = await path.integrate(
      { ...path.points({ nodes: us, weights }), sums: 3 },
      {
        integrand: tripleIntegrand(path.shape, terms.length),
        given,
        progress: reporting(path.options, nodes * path.baselineCount),
      },
    );
    const { totals, score, baselineScore, targets, plan } = result;
    return { interactions: totals[0]!, scores: { input: score, baseline: baselineScore }, targets, nodes, plan };
  } finally {
    given.forEach((t) => t.dispose());
  }
}

// ---- graphs: M baselines, S nodes, Q triples, B examples --------------------------------------------------------------

function tripleIntegrand(shape: PathShape, count: number): Integrand {
  const request = { rows: 3 * count, groups: undefined };
  const factors = (): Node => input([count, 3], "f32", "factors");
  return {
    key: `triples ${count}`,
    results: ["the interactions"],
    prepare: (m) => prepareGraph(shape, request, m, [factors()]),
    chunk: (m, steps, perExample) => chunkGraph(shape, count, { m, steps, perExample }),
    finale: (m) => finaleGraph(shape, count, m, factors()),
  };
}

function chunkGraph(
  shape: PathShape,
  count: number,
  { m, steps, perExample }: { m: number; steps: number; perExample: boolean },
): PathGraph {
  const { boundary, problem } = shape;
  const ends = boundaryInputs(shape, m);
  const pushed = boundary.map((z) => leafLike(z, [m, 3 * count], "pushed"));
  const { nodes, weights } = nodeInputs(shape, m, steps, perExample, { sums: 3 });
  const accumulator = input([m, 3, count, ...batchAxis(problem)], "f32", "sum");

  const directions = [0, 1, 2].map(() => boundary.map((z) => leafLike(z, [], "direction")));
  const derivatives = directional(shape, directions);
  // First one triple for all, then one row for every node: [M * S, Q, B].
  const own = directions.map((d, at) =>
    d.map((seed, k) => [seed, sliceAxis(pushed[k]!, 1, at * count, (at + 1) * count)] as const),
  );
  const perTriple = own
    .flat()
    .map(([seed, rows]) => [seed, leafLike(seed, [count], "rows"), spreadRows(rows, m, steps)] as const);
  const tripled = batchAll(derivatives, new Map(perTriple.map(([seed, leaf]) => [seed, leaf])), count);
  const points = pathPoints(shape, ends, nodes, steps);
  const rows = batchAll(
    tripled,
    new Map([...points, ...perTriple.map(([, leaf, all]) => [leaf, all] as const)]),
    m * steps,
  );
  const terms = stack(
    rows.map((v) => reshape(v, [m, steps, ...v.shape.slice(1)])),
    2,
  );
  const weighted = mul(terms, reshape(weights, [...weights.shape, ...terms.shape.slice(3).map(() => 1)]));
  const inputs = [...ends.starts, ...ends.along, ...pushed, nodes, weights, accumulator];
  return pathGraph(problem, inputs, [add(accumulator, sum(weighted, 1))]);
}

/** f_abc, f_ab and f_a of every example along directions a, b and c of the boundary: [B] each. */
function directional(shape: PathShape, [a, b, c]: readonly (readonly Node[])[]): Node[] {
  const { boundary, problem } = shape;
  const batch = batchAxis(problem);
  const along = (values: readonly (Node | null)[], tangents: readonly Node[]): (Node | null)[] => {
    const present = values.filter((v): v is Node => v !== null);
    const results = jvpGraph(present, boundary, tangents);
    return values.map((v) => (v ? results[present.indexOf(v)]! : null));
  };
  const dot = (values: readonly (Node | null)[]): Node => {
    const products = values.map((v, k) => (v ? perExample(mul(v, a![k]!), batch.length) : null));
    return addPresent(products) ?? fill(batch, 0);
  };
  const gradients = boundaryGradients(shape);
  const products = along(gradients, b!);
  return [dot(along(products, c!)), dot(products), dot(gradients)];
}

const perExample = (v: Node, batchAxes: number): Node => sum(reshape(v, [...v.shape.slice(0, batchAxes), -1]), -1);

function finaleGraph(shape: PathShape, count: number, m: number, factors: Node): PathGraph {
  const { problem } = shape;
  const ids = input([3 * count], "i32", "rows");
  const pushed = shape.boundary.map((z) => leafLike(z, [m, 3 * count], "pushed"));
  const sums = input([m, 3, count, ...batchAxis(problem)], "f32", "sum");
  const { differences, startScores, p } = finaleInputs(shape, m);
  const scale = reshape(moveAxis(factors, 1, 0), [3, count, ...batchAxis(problem).map(() => 1)]);
  const each = sum(mul(sums, expandDims(scale, 0)), 1);
  const { totals, outputs } = addMeans([moveAxis(each, 1, -1), startScores], p);
  const inputs = [ids, factors, ...pushed, sums, ...differences, startScores, p, ...totals];
  return pathGraph(problem, inputs, outputs);
}
