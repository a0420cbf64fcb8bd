// Molecules as categories of atoms and of pairs of atoms, and as padded arrays.
import * as nn from "../../src/nn/index.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import type { Atom, Bond, Compound } from "./molecules-data.ts";

/** A property with its categories. What has none of them (no charge, no ring) has only zeros there. */
interface Property<T> {
  readonly name: string;
  readonly categories: readonly string[];
  /** A category, or -1. */
  readonly of: (about: T) => number;
}

interface AtomFacts extends Atom {
  readonly neighbours: number;
  readonly inRing: boolean;
}

/** Two atoms and what is between them. */
interface PairFacts {
  readonly bond: Bond | undefined;
  /** Bonds on the shortest way. */
  readonly distance: number;
  readonly sameRing: boolean;
}

const ELEMENTS = ["C", "N", "O", "S", "P", "F", "Cl", "Br", "I", "other"];

const ATOM_PROPERTIES: readonly Property<AtomFacts>[] = [
  {
    name: "element",
    categories: ELEMENTS,
    of: ({ element }) => (ELEMENTS.includes(element) ? ELEMENTS.indexOf(element) : ELEMENTS.length - 1),
  },
  { name: "neighbours", categories: ["1", "2", "3", "4"], of: ({ neighbours }) => Math.min(neighbours, 4) - 1 },
  { name: "hydrogens", categories: ["1", "2", "3"], of: ({ hydrogens }) => Math.min(hydrogens, 3) - 1 },
  { name: "charge", categories: ["-", "+"], of: ({ charge }) => (charge === 0 ? -1 : Number(charge > 0)) },
  { name: "hybridisation", categories: ["sp", "sp2", "sp3"], of: (atom) => hybridisation(atom) - 1 },
  { name: "aromatic", categories: ["yes"], of: ({ aromatic }) => (aromatic ? 0 : -1) },
  { name: "ring", categories: ["yes"], of: ({ inRing }) => (inRing ? 0 : -1) },
];

/** Exponent n of sp^n, from multiple bonds alone: the nitrogen of an amide counts as sp3, and so does sulphur with four neighbours. */
export function hybridisation({ aromatic, pi, neighbours }: Pick<AtomFacts, "aromatic" | "pi" | "neighbours">) {
  if (aromatic) return 2;
  return Math.max(1, Math.max(3 - pi, neighbours - 1));
}

/** Bonds apart that two atoms of a pair may be. */
export const REACH = 2;

/** Kinds of bonds; further categories of the same property are pairs without one. */
export const BOND_KINDS = 4;

const PAIR_PROPERTIES: readonly Property<PairFacts>[] = [
  {
    name: "bond",
    categories: [
      "single",
      "double",
      "triple",
      "aromatic",
      ...Array.from({ length: REACH - 1 }, (_, k) => `${k + 2} apart`),
    ],
    of: ({ bond, distance }) =>
      bond === undefined ? BOND_KINDS + distance - 2 : bond.aromatic ? 3 : Math.min(bond.order, 3) - 1,
  },
  { name: "ring", categories: ["same"], of: ({ sameRing }) => (sameRing ? 0 : -1) },
];

const sizesOf = (properties: readonly Property<never>[]): number[] => properties.map((p) => p.categories.length);
const namesOf = (properties: readonly Property<never>[]): string[] =>
  properties.flatMap(({ name, categories }) => categories.map((category) => `${name}: ${category}`));

export const ATOM_SIZES = sizesOf(ATOM_PROPERTIES);
export const PAIR_SIZES = sizesOf(PAIR_PROPERTIES);
/** What the numbers of an atom, and of a pair, stand for. */
export const ATOM_FEATURES = namesOf(ATOM_PROPERTIES);
export const PAIR_FEATURES = namesOf(PAIR_PROPERTIES);

/**
 * A graph whose edges are all pairs of atoms at most {@link REACH} bonds apart, the closer ones first, in the order of the atoms.
 * @returns `bonds` are the pairs, `bondFeatures` their categories
 */
export function graphOf({ atoms, bonds, rings }: Compound): nn.GraphExample {
  const neighbours = neighboursOf(atoms.length, bonds);
  const inRing = new Set(rings.flat());
  const between = new Map(bonds.map((bond) => [pairKey(...bond.ends), bond]));
  const pairs = atoms.flatMap((_, a) => pairsFrom(a, neighbours));
  return {
    atoms: atoms.map((atom, a) =>
      ATOM_PROPERTIES.map(({ of }) => of({ ...atom, neighbours: neighbours[a]!.length, inRing: inRing.has(a) })),
    ),
    bonds: pairs.map(({ ends }) => ends),
    bondFeatures: pairs.map(({ ends: [a, b], distance }) => {
      const sameRing = rings.some((ring) => ring.includes(a) && ring.includes(b));
      return PAIR_PROPERTIES.map(({ of }) => of({ bond: between.get(pairKey(a, b)), distance, sameRing }));
    }),
  };
}

const pairKey = (a: number, b: number): string => `${Math.min(a, b)} ${Math.max(a, b)}`;

function neighboursOf(atoms: number, bonds: readonly Bond[]): number[][] {
  const lists = Array.from({ length: atoms }, (): number[] => []);
  for (const {
    ends: [a, b],
  } of bonds) {
    lists[a]!.push(b);
    lists[b]!.push(a);
  }
  return lists;
}

/** Pairs with later atoms, by breadth-first search. */
function pairsFrom(start: number, neighbours: readonly number[][]) {
  const found: { ends: readonly [number, number]; distance: number }[] = [];
  const seen = new Set([start]);
  let front = [start];
  for (let distance = 1; distance <= REACH; distance++) {
    front = front.flatMap((a) => neighbours[a]!.filter((b) => !seen.has(b) && seen.add(b)));
    for (const b of front.toSorted((m, n) => m - n)) if (b > start) found.push({ ends: [start, b], distance });
  }
  return found;
}

// ---- arrays --------------------------------------------------------------------------------------------------------

/** Padded arrays of B molecules, in the order of {@link MOLECULE_INPUTS}. */
export interface MoleculeArrays extends Readonly<Record<string, HostArray>> {
  /** Categories, i32 [B, N, properties]. */
  readonly atoms: HostArray;
  /** Categories, i32 [B, N, N, properties]. */
  readonly pairs: HostArray;
  /** 1 for the pairs that take part, i32 [B, N, N]. */
  readonly partners: HostArray;
  /** Numbers of atoms, i32 [B]. */
  readonly lengths: HostArray;
}

/** @param nodes N, at least the size of the largest molecule; default: that size */
export function moleculeArrays(graphs: readonly nn.GraphExample[], nodes?: number): MoleculeArrays {
  const options = { atomSizes: ATOM_SIZES, bondSizes: PAIR_SIZES, ...(nodes !== undefined && { nodes }) };
  const { atoms, pairs, adjacency, lengths } = nn.padGraphs(graphs, options);
  return { atoms, pairs, partners: hostArray(Int32Array.from(adjacency.data), adjacency.shape, "i32"), lengths };
}

// ---- classes of size -----------------------------------------------------------------------------------------------

/** Graphs of similar size, which are padded to the same one. */
export interface SizeClass {
  /** Numbers of the graphs, the smallest first. */
  readonly members: Int32Array;
  /** Atoms of the largest. */
  readonly nodes: number;
  /** As given. */
  readonly share: number;
}

/**
 * Sorts graphs into classes of size. Pairs cost the square of the padded size: with one class for all, most would be padding.
 * @param shares relative numbers of members, the small graphs first
 * @returns the classes that have members
 */
export function sizeClasses(graphs: readonly nn.GraphExample[], shares: readonly number[]): SizeClass[] {
  const size = (i: number): number => graphs[i]!.atoms.length;
  const order = Int32Array.from(graphs.keys()).sort((a, b) => size(a) - size(b) || a - b);
  const total = shares.reduce((a, b) => a + b, 0);
  let sum = 0;
  return shares
    .map((share) => {
      const from = Math.round((graphs.length * sum) / total);
      const members = order.slice(from, Math.round((graphs.length * (sum += share)) / total));
      return { members, nodes: members.length > 0 ? size(members.at(-1)!) : 0, share };
    })
    .filter(({ members }) => members.length > 0);
}
