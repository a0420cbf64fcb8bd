// What many explained molecules have in common.
import type { GraphExample } from "../../src/nn/index.ts";
import type { Compound } from "./molecules-data.ts";
import type { Explanation } from "./molecules-explain.ts";
import { ATOM_FEATURES, ATOM_SIZES, BOND_KINDS, PAIR_FEATURES, REACH } from "./molecules-features.ts";
import { surroundings } from "./molecules-fingerprint.ts";
import { largestMagnitude, mean } from "./statistics.ts";

/** A molecule, what the network read of it, and what it made of that. */
export interface Explained {
  readonly compound: Compound;
  readonly graph: GraphExample;
  readonly explanation: Explanation;
}

// ---- sums ----------------------------------------------------------------------------------------------------------

export interface Parts {
  readonly atoms: number;
  readonly bonds: number;
  /** Pairs that are no bonds. */
  readonly others: number;
}

/** Sums of the attributions of atoms, of bonded pairs and of the other pairs. */
export function partsOf({ atoms, pairs }: Explanation): Parts {
  const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
  const of = (bonded: boolean): number => sum(pairs.filter((p) => p.bonded === bonded).map((p) => p.value));
  return { atoms: sum(atoms), bonds: of(true), others: of(false) };
}

// ---- saturation ----------------------------------------------------------------------------------------------------

export interface Vanishing {
  /** Features that molecules have, over all of them. */
  readonly features: number;
  /** Of these, those whose gradient is exactly 0. */
  readonly zero: number;
  /** Those whose gradient is below a hundredth of the molecule's largest. */
  readonly small: number;
  /** Small ones whose attribution by Integrated Gradients is above a hundredth of its molecule's largest. */
  readonly hidden: number;
  /** Share of |attribution| that belongs to features with a small gradient. */
  readonly share: number;
  /** Features whose gradient and attribution have different signs. */
  readonly opposed: number;
}

const SMALL = 0.01;

/** Counts features that the plain gradient passes over, though Integrated Gradients give them something. */
export function vanishing(explained: readonly Pick<Explanation, "features">[]): Vanishing {
  const count = { features: 0, zero: 0, small: 0, hidden: 0, opposed: 0 };
  let [total, passed] = [0, 0];
  for (const { features } of explained) {
    const { attributions, gradients } = features;
    const [most, steepest] = [largestMagnitude(attributions), largestMagnitude(gradients)];
    gradients.forEach((g, f) => {
      const value = attributions[f]!;
      const small = Math.abs(g) < SMALL * steepest || g === 0;
      count.features++;
      count.zero += Number(g === 0);
      count.small += Number(small);
      count.hidden += Number(small && Math.abs(value) > SMALL * most);
      count.opposed += Number(g * value < 0);
      total += Math.abs(value);
      passed += small ? Math.abs(value) : 0;
    });
  }
  return { ...count, share: total === 0 ? 0 : passed / total };
}

// ---- undue weight --------------------------------------------------------------------------------------------------

export interface HeavyAtom {
  readonly explained: Explained;
  /** From 0. */
  readonly atom: number;
  readonly value: number;
  /** Its share of the molecule's sum of |attribution| of atoms, times the number of atoms: 1 for an even one. */
  readonly weight: number;
}

/** Atoms by the weight that they have in their molecule, the heaviest first. */
export function heaviestAtoms(all: readonly Explained[]): HeavyAtom[] {
  const atoms = all.flatMap((explained) => {
    const values = explained.explanation.atoms;
    const even = mean(values.map(Math.abs)) || 1;
    return Array.from(values, (value, atom) => ({ explained, atom, value, weight: Math.abs(value) / even }));
  });
  return atoms.sort((a, b) => b.weight - a.weight);
}

/** Atoms without any neighbour: counter-ions, water. */
export const isolatedAtoms = ({ atoms, bonds }: GraphExample): number[] =>
  [...atoms.keys()].filter((a) => bonds.every((ends) => !ends.includes(a)));

export interface AtomKind {
  readonly name: string;
  readonly count: number;
  readonly molecules: number;
  readonly mean: number;
  readonly meanWeight: number;
}

/** Means over all atoms that share their categories, the heaviest kind first. */
export function atomKinds(all: readonly Explained[], least: number): AtomKind[] {
  const kinds = new Map<string, HeavyAtom[]>();
  for (const heavy of heaviestAtoms(all)) {
    const name = atomName(heavy.explained.graph, heavy.atom);
    kinds.set(name, [...(kinds.get(name) ?? []), heavy]);
  }
  return [...kinds]
    .map(([name, atoms]) => ({
      name,
      count: atoms.length,
      molecules: new Set(atoms.map(({ explained }) => explained)).size,
      mean: mean(atoms.map(({ value }) => value)),
      meanWeight: mean(atoms.map(({ weight }) => weight)),
    }))
    .filter(({ molecules }) => molecules >= least)
    .sort((a, b) => b.meanWeight - a.meanWeight);
}

/** "N, 2 neighbours, 1 hydrogen, sp2, aromatic, ring". */
export function atomName({ atoms }: GraphExample, atom: number): string {
  let start = 0;
  const parts = atoms[atom]!.flatMap((category, c) => {
    const at = start + category;
    start += ATOM_SIZES[c]!;
    if (category < 0) return [];
    const [name, value] = ATOM_FEATURES[at]!.split(": ") as [string, string];
    if (name === "neighbours" || name === "hydrogens") return [`${value} ${value === "1" ? name.slice(0, -1) : name}`];
    if (name === "charge") return [`charge ${value}`];
    return [value === "yes" ? name : value];
  });
  return parts.join(", ");
}

/** "aromatic bond, same ring", "2 apart". */
export function pairName({ bondFeatures = [] }: GraphExample, pair: number): string {
  const [kind, ring] = bondFeatures[pair] as [number, number];
  const name = PAIR_FEATURES[kind]!.split(": ")[1]!;
  return `${name}${kind < BOND_KINDS ? " bond" : ""}${ring < 0 ? "" : ", same ring"}`;
}

// ---- atoms that the network cannot tell apart ----------------------------------------------------------------------

export interface Confusion {
  readonly atoms: number;
  /** Atoms with the same attribution as another one of their molecule that has other surroundings. */
  readonly confused: number;
  /** Atoms with the same attribution as another one whose surroundings are the same too. */
  readonly alike: number;
}

/** Rounding of sums in another order. */
const EQUAL = 1e-5;

/**
 * How often atoms of one molecule have the same attribution, with and without a reason in the molecule.
 * @param rounds how far surroundings reach, in steps of {@link REACH} bonds; default: as far as there are atoms
 */
export function confusion(all: readonly Explained[], rounds = Infinity): Confusion {
  const total = { atoms: 0, confused: 0, alike: 0 };
  for (const { graph, explanation } of all) {
    const { atoms } = explanation;
    const places = surroundings(graph, Math.min(rounds, Math.ceil(graph.atoms.length / REACH))).at(-1)!;
    const close = EQUAL * largestMagnitude(atoms);
    atoms.forEach((value, a) => {
      const same = [...atoms.keys()].filter((b) => b !== a && Math.abs(atoms[b]! - value) <= close);
      total.atoms++;
      total.confused += Number(same.some((b) => places[b] !== places[a]));
      total.alike += Number(same.some((b) => places[b] === places[a]));
    });
  }
  return total;
}
