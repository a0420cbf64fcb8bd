import { expect, test } from "vitest";
import { compoundsOf, MoleculeError } from "../../examples/lib/molecules-data.ts";
import { moleculeSvg } from "../../examples/lib/molecules-drawing.ts";
import { graphOf, moleculeArrays, sizeClasses } from "../../examples/lib/molecules-features.ts";
import { fingerprints, surroundings } from "../../examples/lib/molecules-fingerprint.ts";
import { aucInterval, enrichment, screeningCurve, screeningQuality } from "../../examples/lib/molecules-screening.ts";
import {
  atomName,
  heaviestAtoms,
  isolatedAtoms,
  pairName,
  vanishing,
  type Explained,
} from "../../examples/lib/molecules-statistics.ts";
import { random } from "../../src/nn/index.ts";
import { FormatError } from "../../src/tensor/index.ts";
import {
  ACETAMIDE,
  AMMONIUM_CHLORIDE,
  BENZENE,
  chain,
  compound,
  molfile,
  OCTANE,
  permuted,
  table,
} from "./molecule-files.ts";

// ---- molecules -----------------------------------------------------------------------------------------------------

test("acetamide: its atoms and pairs", () => {
  const graph = graphOf(compound(ACETAMIDE));
  expect(graph.atoms.map((_, a) => atomName(graph, a))).toEqual([
    "C, 1 neighbour, 3 hydrogens, sp3",
    "C, 3 neighbours, sp2",
    "O, 1 neighbour, sp2",
    "N, 1 neighbour, 2 hydrogens, sp3",
  ]);
  expect(graph.bonds.map((ends, m) => [...ends, pairName(graph, m)])).toEqual([
    [0, 1, "single bond"],
    [0, 2, "2 apart"],
    [0, 3, "2 apart"],
    [1, 2, "double bond"],
    [1, 3, "single bond"],
    [2, 3, "2 apart"],
  ]);
});

test("benzene: aromatic bonds, whichever of them are drawn double", () => {
  const graph = graphOf(compound(BENZENE));
  expect(new Set(graph.atoms.map((_, a) => atomName(graph, a)))).toEqual(
    new Set(["C, 2 neighbours, 1 hydrogen, sp2, aromatic, ring"]),
  );
  const names = graph.bonds.map((_, m) => pairName(graph, m));
  expect(names.filter((name) => name === "aromatic bond, same ring")).toHaveLength(6);
  expect(names.filter((name) => name === "2 apart, same ring")).toHaveLength(6);
  expect(names).toHaveLength(12);
});

test("nitriles are sp, ions have charges, counter-ions no neighbours", () => {
  const nitrile = graphOf(compound(molfile([["C"], ["C"], ["N"]], [[0, 1, 1], [1, 2, 3]]))); // prettier-ignore
  expect([1, 2].map((a) => atomName(nitrile, a))).toEqual(["C, 2 neighbours, sp", "N, 1 neighbour, sp"]);
  const salt = graphOf(compound(AMMONIUM_CHLORIDE));
  expect([0, 1].map((a) => atomName(salt, a))).toEqual([
    "N, 1 neighbour, 3 hydrogens, charge +, sp3",
    "Cl, charge -, sp3",
  ]);
  expect(isolatedAtoms(salt)).toEqual([1]);
});

test("drawings are not mirrored, and atoms do not lie on each other", () => {
  // The zigzag of the file begins upwards.
  const zigzag = compound(chain(["C", "C", "O"])).atoms;
  expect(zigzag.map(({ x }) => x)).toEqual(zigzag.map(({ x }) => x).toSorted((a, b) => a - b));
  expect(zigzag[1]!.y).toBeLessThan(zigzag[0]!.y);
  const flat = chain(["C", "C", "O"]).replace(/^ +\d\.\d{4} +\d\.\d{4}/gm, "    0.0000    0.0000");
  const places = compound(flat).atoms.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`);
  expect(new Set(places).size).toBe(3);
});

test("hydrogens that are drawn count as those that are not", () => {
  const drawn = compound(molfile([["H"], ["O"], ["C"]], [[0, 1, 1], [1, 2, 1]])); // prettier-ignore
  const plain = compound(molfile([["O"], ["C"]], [[0, 1, 1]]));
  expect(drawn.atoms).toHaveLength(2);
  const bits = fingerprints([drawn, plain].map(graphOf), 64);
  expect([...bits.data.subarray(0, 64)]).toEqual([...bits.data.subarray(64)]);
});

test("rows that do not parse are named, and the others are read", () => {
  const broken = BENZENE.replace("  1  2  2  0", "  1  9  2  0");
  const { compounds, failures } = compoundsOf(
    table([
      [ACETAMIDE, "Active_Integrase"],
      ["no molecule", "Inactive_Integrase"],
      [broken, "Inactive_Integrase"],
      [molfile([], []), "Inactive_Integrase"],
      [BENZENE, "Inactive_Integrase"],
    ]),
    "test.csv",
  );
  // Tables trim their values: the empty line at the top of each block was put back.
  expect(compounds.map(({ row, active, atoms }) => [row, active, atoms.length])).toEqual([
    [1, true, 4],
    [5, false, 6],
  ]);
  expect(failures.map(({ row }) => row)).toEqual([2, 3, 4]);
  failures.forEach((failure) => expect(failure).toBeInstanceOf(MoleculeError));
  expect(failures[0]!.message).toMatch(/^row 2: the molecule cannot be read .*V2000/);
  expect(failures[2]!.message).toContain("no atoms");
});

test("a table without readable molecules, or without the columns, is refused", () => {
  expect(() => compoundsOf(table([["none", "Active_Integrase"]]), "test.csv")).toThrow(FormatError);
  expect(() => compoundsOf("smiles,label\nC,1\n", "test.csv")).toThrow(/test\.csv: expected the columns molecule/);
});

// ---- fingerprints, classes of size ---------------------------------------------------------------------------------

test("surroundings do not depend on the order of atoms, and tell places apart", () => {
  const graph = graphOf(compound(OCTANE));
  const places = surroundings(graph, 4).at(-1)!;
  expect([...places]).toEqual([...places].reverse());
  expect(new Set(places).size).toBe(4);
  const order = [3, 1, 7, 0, 2, 6, 5, 4];
  expect([...surroundings(permuted(graph, order), 4).at(-1)!]).toEqual(order.map((a) => places[a]));
  const bits = fingerprints([graph, permuted(graph, order), graphOf(compound(BENZENE))], 256);
  const row = (k: number): number[] => [...bits.data.subarray(256 * k, 256 * (k + 1))];
  expect(row(0)).toEqual(row(1));
  expect(row(0)).not.toEqual(row(2));
  // All atoms and pairs of benzene are alike: one bit for each radius.
  expect(row(2).reduce((a, b) => a + b, 0)).toBe(3);
});

test("classes of size hold every graph once, in proportion, the small ones first", () => {
  const graphs = [5, 2, 9, 3, 3, 7, 1, 8].map((n) => graphOf(compound(chain(Array<string>(n).fill("C")))));
  const classes = sizeClasses(graphs, [2, 1, 1]);
  expect(classes.map(({ members, nodes, share }) => [[...members], nodes, share])).toEqual([
    [[6, 1, 3, 4], 3, 2],
    [[0, 5], 7, 1],
    [[7, 2], 9, 1],
  ]);
  expect(sizeClasses(graphs.slice(0, 1), [1, 1, 1]).flatMap(({ members }) => [...members])).toEqual([0]);
});

// ---- screening -----------------------------------------------------------------------------------------------------

test("area under the curve: closed form, and all pairs one by one", () => {
  // Negatives uniform, positives with P(S < s) = s^2: the area is the integral of s * 2s, 2/3.
  const n = 1000;
  const grid = Array.from({ length: n }, (_, i) => (i + 0.5) / n);
  const scores = [...grid, ...grid.map(Math.sqrt)];
  const labels = scores.map((_, i) => Number(i >= n));
  expect(screeningQuality(scores, labels).auc).toBeCloseTo(2 / 3, 4);

  const stream = random("pairs");
  const few = Array.from({ length: 60 }, () => stream.below(12));
  const truth = few.map(() => stream.below(2));
  const wins = few.flatMap((s, i) =>
    truth[i] === 1 ? few.flatMap((t, j) => (truth[j] === 0 ? [s > t ? 1 : s === t ? 0.5 : 0] : [])) : [],
  );
  expect(screeningQuality(few, truth).auc).toBeCloseTo(wins.reduce((a: number, b) => a + b, 0) / wins.length, 12);
  const { low, high } = aucInterval(few, truth, 200, stream);
  expect(low).toBeLessThan(screeningQuality(few, truth).auc);
  expect(high).toBeGreaterThan(screeningQuality(few, truth).auc);
});

test("enrichment and the curve of actives found", () => {
  const labels = Array.from({ length: 100 }, (_, i) => Number(i < 20));
  const best = labels.map((label, i) => label + i / 1e6);
  expect(enrichment(best, labels, 0.1)).toBe(5);
  expect(enrichment(best, labels, 0.4)).toBe(2.5);
  expect(enrichment(best, labels, 1)).toBe(1);
  expect(enrichment(best.map((s) => -s), labels, 0.1)).toBe(0); // prettier-ignore
  expect(() => enrichment(best, labels, 0)).toThrow(/share/);
  expect(() => enrichment([1, 2], [0, 0], 0.5)).toThrow(/active/);
  const { screened, found } = screeningCurve(best, labels);
  expect([screened[20], found[10], found[20], found[100]]).toEqual([0.2, 0.5, 1, 1]);
});

// ---- statistics ----------------------------------------------------------------------------------------------------

test("features that the gradient passes over, by hand", () => {
  const features = {
    attributions: Float64Array.of(1, -0.5, 0.25, 0, 0.25),
    gradients: Float64Array.of(2, 0.4, 0.01, 0, 0),
  };
  expect(vanishing([{ features }])).toEqual({
    features: 5,
    zero: 2,
    small: 3,
    hidden: 2,
    share: 0.25,
    opposed: 1,
  });
});

test("weights of atoms are relative to an even share", () => {
  const acetamide = compound(ACETAMIDE);
  const explanation = { atoms: Float64Array.of(0.5, -3, 0, 0.5) } as Explained["explanation"];
  const heavy = heaviestAtoms([{ compound: acetamide, graph: graphOf(acetamide), explanation }]);
  expect(heavy.map(({ atom, weight }) => [atom, weight])).toEqual([
    [1, 3],
    [0, 0.5],
    [3, 0.5],
    [2, 0],
  ]);
});

test("arrays: padding is -1, masks are 0", () => {
  const { atoms, pairs, partners, lengths } = moleculeArrays([
    graphOf(compound(ACETAMIDE)),
    graphOf(compound(BENZENE)),
  ]);
  expect([atoms.shape, pairs.shape, partners.shape]).toEqual([[2, 6, 7], [2, 6, 6, 2], [2, 6, 6]]); // prettier-ignore
  expect([...lengths.data]).toEqual([4, 6]);
  expect([...atoms.data.subarray(4 * 7, 6 * 7)].every((id) => id === -1)).toBe(true);
  // Six pairs in both orders; all but the opposite ones of benzene.
  const count = (from: number): number => [...partners.data.subarray(from, from + 36)].reduce((a, b) => a + b, 0);
  expect([count(0), count(36)]).toEqual([12, 24]);
});

// ---- drawing -------------------------------------------------------------------------------------------------------

test("a drawing has a disc for each atom, lines for each bond, and letters for all but carbon", () => {
  const acetamide = compound(ACETAMIDE);
  const svg = moleculeSvg({
    title: "acetamide",
    compound: acetamide,
    atoms: [0.1, -0.2, 0.5, 0],
    pairs: [{ ends: [1, 2], bonded: true, value: -0.25 }],
    numbered: [2],
  });
  const count = (pattern: RegExp): number => [...svg.matchAll(pattern)].length;
  expect(count(/<circle /g)).toBe(4);
  // Three bands, and four lines: one bond is double.
  expect(count(/stroke-linecap/g)).toBe(4);
  expect(svg).toContain("pair of atoms 2 and 3: -0.25");
  expect(svg).toContain("O, atom 3: 0.5");
  expect(svg).toMatch(/>N<\/text><text[^>]*>H₂</);
  expect(svg).not.toMatch(/NaN|Infinity/);
});
