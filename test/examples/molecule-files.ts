// Molecules of the tests, as MOL blocks and as tables.
import { compoundOf, type Compound } from "../../examples/lib/molecules-data.ts";
import type { GraphExample } from "../../src/nn/index.ts";

type AtomLine = readonly [symbol: string, charge?: number];
type BondLine = readonly [from: number, to: number, order: number];

/** A MOL block (V2000) with atoms along a zigzag; bonds count from 0. */
export function molfile(atoms: readonly AtomLine[], bonds: readonly BondLine[]): string {
  const n = (value: number): string => String(value).padStart(3);
  const charged = atoms.flatMap(([, charge = 0], i) => (charge === 0 ? [] : [{ atom: i + 1, charge }]));
  return [
    "",
    "  test",
    "",
    `${n(atoms.length)}${n(bonds.length)}  0  0  0  0  0  0  0  0999 V2000`,
    ...atoms.map(([symbol], i) => {
      const place = [i * 0.87, i % 2 === 0 ? 0 : 0.5, 0].map((v) => v.toFixed(4).padStart(10)).join("");
      return `${place} ${symbol.padEnd(3)} 0  0  0  0  0  0`;
    }),
    ...bonds.map(([a, b, order]) => `${n(a + 1)}${n(b + 1)}${n(order)}  0  0  0`),
    ...charged.map(({ atom, charge }) => `M  CHG  1 ${n(atom)} ${n(charge)}`),
    "M  END",
    "",
  ].join("\n");
}

export const chain = (symbols: readonly string[]): string =>
  molfile(
    symbols.map((symbol) => [symbol] as const),
    symbols.slice(1).map((_, i) => [i, i + 1, 1] as const),
  );
export const compound = (text: string, active = true): Compound => compoundOf(text, 1, active);

export const ACETAMIDE = molfile([["C"], ["C"], ["O"], ["N"]], [[0, 1, 1], [1, 2, 2], [1, 3, 1]]); // prettier-ignore
export const BENZENE = molfile(
  Array.from({ length: 6 }, () => ["C"] as const),
  Array.from({ length: 6 }, (_, i) => [i, (i + 1) % 6, i % 2 === 0 ? 2 : 1] as const),
);
export const OCTANE = chain(Array<string>(8).fill("C"));
export const AMMONIUM_CHLORIDE = molfile([["N", 1], ["Cl", -1], ["C"]], [[0, 2, 1]]); // prettier-ignore

/** Columns as the set has them. */
export const table = (rows: readonly (readonly [string, string])[]): string =>
  `molecule,Activity_Integrase\n${rows.map(([text, label]) => `"${text}",${label}`).join("\n")}\n`;

/** The same graph with its atoms in another order. */
export const permuted = ({ atoms, bonds, bondFeatures }: GraphExample, order: readonly number[]): GraphExample => ({
  atoms: order.map((a) => atoms[a]!),
  bonds: bonds.map(([a, b]) => [order.indexOf(a), order.indexOf(b)] as const),
  bondFeatures: bondFeatures!,
});
