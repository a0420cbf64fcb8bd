// The labelled molecules: a set on HIV integrase that the npm package @datagrok/chem carries, as a table of MOL blocks.
import { Molecule } from "openchemlib";
import { readNpmFile, type FetchOptions } from "../../src/cli/fetch.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import { parseCsv } from "./csv.ts";

export const SOURCE = { package: "@datagrok/chem", version: "1.17.15", file: "files/mol1K.csv" } as const;

export interface Atom {
  readonly element: string;
  readonly charge: number;
  /** All of them, drawn or not. */
  readonly hydrogens: number;
  readonly aromatic: boolean;
  /** Of the multiple bonds at the atom: 0, 1 or 2. */
  readonly pi: number;
  /** Place in a drawing, y downwards; bonds are about 1 long, whatever the file's unit. */
  readonly x: number;
  readonly y: number;
}

export interface Bond {
  readonly ends: readonly [number, number];
  /** 1, 2 or 3, with alternating bonds in aromatic rings. */
  readonly order: number;
  readonly aromatic: boolean;
}

/** A molecule without its hydrogens, and its label. */
export interface Compound {
  /** Line of the table, from 1. */
  readonly row: number;
  readonly active: boolean;
  readonly smiles: string;
  readonly atoms: readonly Atom[];
  readonly bonds: readonly Bond[];
  /** Atoms of each ring of up to seven. */
  readonly rings: readonly (readonly number[])[];
}

/** A MOL block that is none. */
export class MoleculeError extends FormatError {
  override name = "MoleculeError";
  /** Line of the table, from 1. */
  readonly row: number;
  constructor(row: number, reason: string, options?: ErrorOptions) {
    super(`row ${row}: the molecule cannot be read (${reason}); expected a MOL block (V2000 or V3000)`, options);
    this.row = row;
  }
}

export interface CompoundTable {
  readonly compounds: readonly Compound[];
  /** One for each row that was left out. */
  readonly failures: readonly MoleculeError[];
}

/** The 1,000 molecules; 243 are active. The package (42 MB) is downloaded once, and only the table is kept. */
export async function integraseCompounds(options: FetchOptions & { readonly note?: (text: string) => void } = {}) {
  const { note, ...fetching } = options;
  const bytes = await readNpmFile(SOURCE.package, SOURCE.version, SOURCE.file, {
    ...fetching,
    onProgress: ({ stage }) => {
      if (stage === "download") note?.(`downloading the npm package ${SOURCE.package}@${SOURCE.version} (42 MB, once)`);
    },
  });
  return compoundsOf(new TextDecoder().decode(bytes), SOURCE.file);
}

const ACTIVE = "Active_Integrase";

/**
 * Molecules of a table with the columns `molecule` (MOL blocks) and `Activity_Integrase`.
 * @param name of the file, for messages
 * @throws FormatError for a table without these columns, or without any molecule that can be read
 */
export function compoundsOf(csv: string, name: string): CompoundTable {
  const { columns, rows } = parseCsv(csv, name);
  const [molecule, label] = ["molecule", "Activity_Integrase"].map((column) => columns.indexOf(column));
  if (molecule === -1 || label === -1)
    throw new FormatError(
      `${name}: expected the columns molecule and Activity_Integrase, got ${columns.slice(0, 8).join(", ")}`,
    );
  const compounds: Compound[] = [];
  const failures: MoleculeError[] = [];
  rows.forEach((cells, at) => {
    try {
      compounds.push(compoundOf(cells[molecule!]!, at + 1, cells[label!] === ACTIVE));
    } catch (error) {
      if (!(error instanceof MoleculeError)) throw error;
      failures.push(error);
    }
  });
  if (compounds.length === 0)
    throw new FormatError(
      `${name}: none of its ${rows.length} molecules can be read; the first: ${failures[0]!.message}`,
    );
  return { compounds, failures };
}

/**
 * One molecule.
 * @param molfile a MOL block; empty lines at its top may be missing, as tables lose them
 * @param row named by errors
 * @throws MoleculeError when it does not parse, or has no atoms
 */
export function compoundOf(molfile: string, row: number, active: boolean): Compound {
  const molecule = parsed(molfile, row);
  // Moves explicit hydrogens behind all other atoms.
  molecule.ensureHelperArrays(Molecule.cHelperRings);
  const count = molecule.getAtoms();
  if (count === 0) throw new MoleculeError(row, "it has no atoms beside hydrogen");
  const bonds = Array.from({ length: molecule.getBonds() }, (_, bond) => bondOf(molecule, bond));
  const drawn = legible(molecule, bonds);
  const unit = bondLength(drawn, bonds);
  const ringSet = molecule.getRingSet();
  return {
    row,
    active,
    smiles: molecule.toIsomericSmiles(),
    atoms: Array.from({ length: count }, (_, atom) => ({
      element: molecule.getAtomLabel(atom),
      charge: molecule.getAtomCharge(atom),
      hydrogens: molecule.getAllHydrogens(atom),
      aromatic: molecule.isAromaticAtom(atom),
      pi: molecule.getAtomPi(atom),
      x: drawn.getAtomX(atom) / unit,
      y: drawn.getAtomY(atom) / unit,
    })),
    bonds,
    rings: Array.from({ length: ringSet.getSize() }, (_, ring) => Array.from(ringSet.getRingAtoms(ring))),
  };
}

function parsed(molfile: string, row: number): Molecule {
  const lines = molfile.replace(/\r\n?/g, "\n").split("\n");
  const counts = lines.findIndex((line) => / V[23]000\s*$/.test(line));
  // Three lines stand above the counts. They may be empty, and then a table that trims its values has lost them.
  if (counts < 0 || counts > 3) throw new MoleculeError(row, "it has no line of counts that ends in V2000 or V3000");
  try {
    return Molecule.fromMolfile([...Array<string>(3 - counts).fill(""), ...lines].join("\n"));
  } catch (cause) {
    throw new MoleculeError(row, cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function bondOf(molecule: Molecule, bond: number): Bond {
  return {
    ends: [molecule.getBondAtom(0, bond), molecule.getBondAtom(1, bond)],
    order: molecule.getBondOrder(bond),
    aromatic: molecule.isAromaticBond(bond),
  };
}

/** The molecule with places of its own where the file's put atoms on top of each other. */
function legible(molecule: Molecule, bonds: readonly Bond[]): Molecule {
  const count = molecule.getAtoms();
  const distances = Array.from({ length: count }, (_, a) =>
    Math.min(...Array.from({ length: a }, (_b, b) => distance(molecule, a, b))),
  );
  if (Math.min(...distances) > CLOSE * bondLength(molecule, bonds)) return molecule;
  const copy = molecule.getCompactCopy();
  copy.inventCoordinates();
  copy.ensureHelperArrays(Molecule.cHelperNeighbours);
  return copy;
}

/** Shares of a bond's length below which two atoms cannot be told apart in a drawing. */
const CLOSE = 0.4;

const distance = (molecule: Molecule, a: number, b: number): number =>
  Math.hypot(molecule.getAtomX(a) - molecule.getAtomX(b), molecule.getAtomY(a) - molecule.getAtomY(b));

/** Mean length in the drawing; 1 for a molecule without bonds, or with all atoms in one place. */
function bondLength(molecule: Molecule, bonds: readonly Bond[]): number {
  return bonds.reduce((sum, { ends }) => sum + distance(molecule, ...ends), 0) / bonds.length || 1;
}
