// Graphs of different sizes as arrays: padding, and adjacency matrices. On the host, before anything is traced.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { formatShape } from "../tensor/shape.ts";

/** One molecule (or any other graph whose nodes and pairs have categories). */
export interface GraphExample {
  /** A category 0, 1, ... for each property of each of n atoms: [n][Ca]. */
  readonly atoms: readonly (readonly number[])[];
  /** Two different atoms each, once. */
  readonly bonds: readonly (readonly [number, number])[];
  /** Categories of each bond, in the order of `bonds`: [bonds][Cp]. Default: none. */
  readonly bondFeatures?: readonly (readonly number[])[];
}

export interface PadGraphsOptions {
  /** Number of categories of each property of the atoms: ids beyond are refused. */
  readonly atomSizes: readonly number[];
  /** The same of the bonds, if they have categories. */
  readonly bondSizes?: readonly number[];
  /** N, at least the size of the largest graph. Default: that size. */
  readonly nodes?: number;
}

export interface GraphBatch {
  /** Categories of atoms, i32 [B, N, Ca]; -1 where there is none. */
  readonly atoms: HostArray;
  /** Categories of bonds, i32 [B, N, N, Cp], the same for (a, b) and (b, a); -1 between atoms without a bond. Cp may be 0. */
  readonly pairs: HostArray;
  /** i32 [B, M, 2]; -1 where there is none. M is at least 1. */
  readonly bonds: HostArray;
  /** 1 for bonded atoms, else 0: f32 [B, N, N]. */
  readonly adjacency: HostArray;
  /** Numbers of atoms, i32 [B]. */
  readonly lengths: HostArray;
}

/**
 * Graphs of different sizes as one batch.
 * @throws ArgumentError for categories and atoms that do not exist, bonds given twice or from an atom to itself, and a graph
 *   larger than `nodes`; all name the graph
 */
export function padGraphs(graphs: readonly GraphExample[], options: PadGraphsOptions): GraphBatch {
  const { atomSizes, bondSizes = [], nodes = Math.max(1, ...graphs.map(({ atoms }) => atoms.length)) } = options;
  if (graphs.length === 0) throw new ArgumentError("padGraphs: expected at least one graph, got none");
  graphs.forEach((graph, b) => assertGraph(graph, b, nodes, atomSizes, bondSizes));
  const most = Math.max(1, ...graphs.map(({ bonds }) => bonds.length));
  const [batch, ca, cp] = [graphs.length, atomSizes.length, bondSizes.length];
  const atoms = new Int32Array(batch * nodes * ca).fill(-1);
  const pairs = new Int32Array(batch * nodes * nodes * cp).fill(-1);
  const bonds = new Int32Array(batch * most * 2).fill(-1);
  const adjacency = new Float32Array(batch * nodes * nodes);
  graphs.forEach((graph, b) => {
    graph.atoms.forEach((own, n) => atoms.set(own, (b * nodes + n) * ca));
    graph.bonds.forEach(([i, j], m) => {
      bonds.set([i, j], (b * most + m) * 2);
      for (const at of [(b * nodes + i) * nodes + j, (b * nodes + j) * nodes + i]) {
        adjacency[at] = 1;
        if (cp > 0) pairs.set(graph.bondFeatures![m]!, at * cp);
      }
    });
  });
  return {
    atoms: hostArray(atoms, [batch, nodes, ca], "i32"),
    pairs: hostArray(pairs, [batch, nodes, nodes, cp], "i32"),
    bonds: hostArray(bonds, [batch, most, 2], "i32"),
    adjacency: hostArray(adjacency, [batch, nodes, nodes]),
    lengths: hostArray(
      graphs.map((graph) => graph.atoms.length),
      [batch],
      "i32",
    ),
  };
}

function assertGraph(
  { atoms, bonds, bondFeatures = [] }: GraphExample,
  b: number,
  nodes: number,
  atomSizes: readonly number[],
  bondSizes: readonly number[],
): void {
  const wrong = (text: string): never => {
    throw new ArgumentError(`padGraphs: graph ${b}: ${text}`);
  };
  if (atoms.length > nodes) wrong(`it has ${atoms.length} atoms, but nodes is ${nodes}`);
  atoms.forEach((own, n) => assertCategories(own, atomSizes, (text) => wrong(`atom ${n}: ${text}`)));
  if (bondSizes.length > 0 && bondFeatures.length !== bonds.length)
    wrong(`${bonds.length} bonds have ${bondFeatures.length} lists of categories`);
  bondFeatures.forEach((own, m) => assertCategories(own, bondSizes, (text) => wrong(`bond ${m}: ${text}`)));
  const known = new Set<number>();
  bonds.forEach(([i, j], m) => {
    const exists = (n: number): boolean => Number.isInteger(n) && n >= 0 && n < atoms.length;
    if (!exists(i) || !exists(j) || i === j)
      wrong(`bond ${m} joins ${i} and ${j}; expected two different atoms of 0 to ${atoms.length - 1}`);
    const pair = Math.min(i, j) * nodes + Math.max(i, j);
    if (known.has(pair)) wrong(`bond ${m} joins ${i} and ${j}, which are joined already; give each bond once`);
    known.add(pair);
  });
}

function assertCategories(own: readonly number[], sizes: readonly number[], wrong: (text: string) => never): void {
  if (own.length !== sizes.length) wrong(`expected ${sizes.length} categories, got ${own.length}`);
  const at = own.findIndex((id, c) => !Number.isInteger(id) || id < -1 || id >= sizes[c]!);
  if (at >= 0) wrong(`property ${at} has ${sizes[at]!} categories (or -1 for unknown), got ${own[at]!}`);
}

/**
 * D^-1/2 (A + I) D^-1/2 with D the sums of the rows of A + I (Kipf and Welling, arXiv 1609.02907).
 * @param adjacency [N, N] or [B, N, N], symmetric, no entry below 0
 * @param lengths numbers of nodes that are real, one per graph; rows and columns of the others are 0. Default: all are
 * @throws ShapeError unless the matrices are square, ArgumentError for entries that are negative, not finite or not symmetric, lengths that
 *   do not fit, and bonds of nodes beyond them
 */
export function normaliseAdjacency(adjacency: HostArray, lengths?: ArrayLike<number>): HostArray {
  const { shape, data } = adjacency;
  const n = shape.at(-1) ?? 0;
  if ((shape.length !== 2 && shape.length !== 3) || shape.at(-2) !== n)
    throw new ShapeError(`normaliseAdjacency: expected [N, N] or [B, N, N], got ${formatShape(shape)}`);
  const batch = shape.length === 3 ? shape[0]! : 1;
  if (lengths && lengths.length !== batch)
    throw new ArgumentError(`normaliseAdjacency: expected lengths of ${batch} graphs, got ${lengths.length}`);
  const result = new Float32Array(data.length);
  for (let b = 0; b < batch; b++) {
    const size = lengths ? lengths[b]! : n;
    if (!Number.isInteger(size) || size < 0 || size > n)
      throw new ArgumentError(`normaliseAdjacency: graph ${b} has length ${size}; expected 0 to ${n}`);
    result.set(normalisedMatrix(data.subarray(b * n * n, (b + 1) * n * n), n, size, b), b * n * n);
  }
  return hostArray(result, shape);
}

function normalisedMatrix(a: HostArray["data"], n: number, size: number, b: number): Float32Array {
  const degrees = new Float64Array(n);
  a.forEach((value, k) => {
    const [i, j] = [Math.floor(k / n), k % n];
    if (!(value >= 0 && Number.isFinite(value)))
      throw new ArgumentError(`normaliseAdjacency: graph ${b}: entry ${i}, ${j} is ${value}; expected a number >= 0`);
    if (value !== a[j * n + i]!)
      throw new ArgumentError(`normaliseAdjacency: graph ${b}: entries ${i}, ${j} and ${j}, ${i} differ`);
    if (value !== 0 && (i >= size || j >= size))
      throw new ArgumentError(`normaliseAdjacency: graph ${b}: entry ${i}, ${j} lies beyond its ${size} nodes`);
    degrees[i]! += value + (i === j ? 1 : 0);
  });
  return Float32Array.from(a, (value, k) => {
    const [i, j] = [Math.floor(k / n), k % n];
    if (i >= size || j >= size) return 0;
    return (value + (i === j ? 1 : 0)) / Math.sqrt(degrees[i]! * degrees[j]!);
  });
}
