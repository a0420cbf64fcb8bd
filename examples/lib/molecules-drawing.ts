// A molecule as chemists draw it, on the colours of its attributions.
import { blueWhiteRed } from "../../src/view/color.ts";
import { LEGEND_HEIGHT, legendMarkup } from "../../src/view/bar-chart.ts";
import { inked } from "../../src/view/matrix-grid.ts";
import { signedColor } from "../../src/view/pairs.ts";
import { formatNumber } from "../../src/view/scale.ts";
import { drawing, element, escapeText, heading, label } from "../../src/view/svg.ts";
import type { Atom, Bond, Compound } from "./molecules-data.ts";
import type { PairValue } from "./molecules-explain.ts";

export interface MoleculeDrawing {
  readonly title: string;
  readonly compound: Compound;
  /** Attribution of each atom. */
  readonly atoms: ArrayLike<number>;
  /** Attributions of pairs; those of bonds are drawn. */
  readonly pairs: readonly PairValue[];
  /** Attribution at the ends of the colours; default: the largest magnitude that is drawn. */
  readonly limit?: number;
  /** Atoms whose numbers are written, from 0. */
  readonly numbered?: readonly number[];
}

/** Pixels of a bond, where the drawing has room for it. */
const BOND = 36;
const MARGIN = 34;
const MOST = 820;
const LEAST = 380;
const LETTERS = 13;

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Plan {
  readonly places: readonly Point[];
  readonly bond: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Atoms lie on discs and bonds on bands in the colours of their attributions: blue below 0, red above, one scale for both. Carbon has no
 * letter, as usual. Exact values are tooltips.
 * @returns one SVG element as text, as `report` takes it
 */
export function moleculeSvg(options: MoleculeDrawing): string {
  const { title, compound, atoms, pairs, numbered = [] } = options;
  const bonded = new Map(pairs.filter((p) => p.bonded).map((p) => [p.ends.toSorted((a, b) => a - b).join(), p.value]));
  const largest = Math.max(...Array.from(atoms, Math.abs), ...Array.from(bonded.values(), Math.abs)) || 1;
  const limit = options.limit ?? largest;
  const plan = planOf(compound);
  const head = heading(title, plan.width);
  const top = head.bottom + 8;
  const share = (value: number): number => Math.max(-1, Math.min(1, value / limit));
  const bands = compound.bonds.map(({ ends }) => {
    const value = bonded.get(ends.toSorted((a, b) => a - b).join()) ?? 0;
    return band(plan, ends, value, share(value));
  });
  const discs = compound.atoms.map((atom, i) => disc(plan, atom, i, atoms[i]!, share(atoms[i]!)));
  const lines = compound.bonds.map((bond) => bondLines(compound, bond, plan));
  const letters = compound.atoms.map((atom, i) => letterOf(compound, atom, i, plan, share(atoms[i]!)));
  const numbers = numbered.map((i) => numberOf(compound, i, plan));
  const body = element(
    "g",
    { transform: `translate(0 ${top})` },
    [...bands, ...discs, ...lines, ...letters, ...numbers].join(""),
  );
  const legend = element(
    "g",
    { transform: `translate(0 ${top + plan.height})` },
    legendMarkup({ title: "Attribution (logit)", colors: blueWhiteRed, low: -limit, high: limit, width: 320 }),
  );
  const description = describe(options);
  return drawing(plan.width, top + plan.height + LEGEND_HEIGHT, { title, description }, head.body + body + legend);
}

function planOf({ atoms }: Compound): Plan {
  const [xs, ys] = [atoms.map(({ x }) => x), atoms.map(({ y }) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const bond = Math.min(BOND, (MOST - 2 * MARGIN) / Math.max(1, right - left));
  const width = Math.max(LEAST, (right - left) * bond + 2 * MARGIN);
  const inset = (width - (right - left) * bond) / 2;
  return {
    places: atoms.map(({ x, y }) => ({ x: inset + (x - left) * bond, y: MARGIN + (y - top) * bond })),
    bond,
    width,
    height: (bottom - top) * bond + 2 * MARGIN,
  };
}

function band({ places, bond }: Plan, [a, b]: Bond["ends"], value: number, share: number): string {
  const [p, q] = [places[a]!, places[b]!];
  const tip = element("title", {}, escapeText(`pair of atoms ${a + 1} and ${b + 1}: ${formatNumber(value)}`));
  const ends = { x1: p.x, y1: p.y, x2: q.x, y2: q.y };
  return element("line", { ...ends, stroke: signedColor(share), "stroke-width": 0.44 * bond }, tip);
}

function disc({ places, bond }: Plan, { element: symbol }: Atom, i: number, value: number, share: number): string {
  const { x, y } = places[i]!;
  const tip = element("title", {}, escapeText(`${symbol}, atom ${i + 1}: ${formatNumber(value)}`));
  // A rim, so that a disc is told from the bands that end below it.
  const rim = { stroke: "#ffffff", "stroke-width": 1 };
  return element("circle", { cx: x, cy: y, r: 0.36 * bond, fill: signedColor(share), ...rim }, tip);
}

// ---- bonds ---------------------------------------------------------------------------------------------------------

/** One line for each order. The second line of a double bond in a ring lies on the inner side. */
function bondLines(compound: Compound, { ends: [a, b], order }: Bond, plan: Plan): string {
  const { places, bond } = plan;
  const [p, q] = [trimmed(compound, a, b, plan), trimmed(compound, b, a, plan)];
  const length = Math.hypot(places[b]!.x - places[a]!.x, places[b]!.y - places[a]!.y) || 1;
  const across = { x: -(places[b]!.y - places[a]!.y) / length, y: (places[b]!.x - places[a]!.x) / length };
  const gap = 0.15 * bond;
  const line = (offset: number, shorter = 0): string => {
    const at = (from: Point, to: Point): Point => ({
      x: from.x + shorter * (to.x - from.x) + offset * across.x,
      y: from.y + shorter * (to.y - from.y) + offset * across.y,
    });
    const [from, to] = [at(p, q), at(q, p)];
    return element("line", {
      x1: from.x,
      y1: from.y,
      x2: to.x,
      y2: to.y,
      stroke: "#1c2026",
      "stroke-width": 1.6,
      "stroke-linecap": "round",
    });
  };
  if (order === 3) return line(0) + line(gap) + line(-gap);
  if (order !== 2) return line(0);
  const side = innerSide(compound, a, b, plan, across);
  return side === 0 ? line(gap / 2) + line(-gap / 2) : line(0) + line(side * gap, 0.12);
}

/** Where lines from atom a to b begin: at the atom, or at the edge of its letter. */
function trimmed(compound: Compound, a: number, b: number, { places, bond }: Plan): Point {
  const [p, q] = [places[a]!, places[b]!];
  const gap = lettersOf(compound, a) === "" ? 0 : (0.26 * bond) / (Math.hypot(q.x - p.x, q.y - p.y) || 1);
  return { x: p.x + gap * (q.x - p.x), y: p.y + gap * (q.y - p.y) };
}

/** 1 or -1: the side of the smallest ring with both atoms, along `across`; 0 without a ring. */
function innerSide({ rings }: Compound, a: number, b: number, { places }: Plan, across: Point): number {
  const ring = rings
    .filter((atoms) => atoms.includes(a) && atoms.includes(b))
    .reduce<readonly number[] | undefined>((best, r) => (best && best.length <= r.length ? best : r), undefined);
  if (!ring) return 0;
  const centre = (axis: keyof Point): number => ring.reduce((sum, i) => sum + places[i]![axis], 0) / ring.length;
  const p = places[a]!;
  return (centre("x") - p.x) * across.x + (centre("y") - p.y) * across.y > 0 ? 1 : -1;
}

// ---- letters -------------------------------------------------------------------------------------------------------

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const isCarbon = ({ element: symbol, charge }: Atom): boolean => symbol === "C" && charge === 0;

/** "NH₂", "O−"; nothing for carbon in a chain or a ring. */
function lettersOf({ atoms, bonds }: Compound, i: number): string {
  const atom = atoms[i]!;
  if (isCarbon(atom) && bonds.some(({ ends }) => ends.includes(i))) return "";
  const { element: symbol, hydrogens: h, charge } = atom;
  const count = h > 1 ? [...String(h)].map((digit) => SUBSCRIPTS[Number(digit)]!).join("") : "";
  // Raised after hydrogens; alone, a sign of full size is read more easily.
  const signs = h > 0 ? "⁺⁻" : "+−";
  const sign = charge === 0 ? "" : `${Math.abs(charge) > 1 ? Math.abs(charge) : ""}${signs[charge > 0 ? 0 : 1]!}`;
  return `${symbol}${h > 0 ? "H" : ""}${count}${sign}`;
}

const SIDES = [
  { angle: 0, anchor: "start", dx: 1, dy: 4.5 },
  { angle: Math.PI / 2, anchor: "middle", dx: 0, dy: 12 },
  { angle: Math.PI, anchor: "end", dx: -1, dy: 4.5 },
  { angle: -Math.PI / 2, anchor: "middle", dx: 0, dy: -3 },
] as const;

/** The symbol on the disc; hydrogens and charge beside it, on the side that is freest: to the right, below, to the left, above. */
function letterOf(compound: Compound, { element: symbol }: Atom, i: number, plan: Plan, share: number): string {
  const text = lettersOf(compound, i);
  if (text === "") return "";
  const { x, y } = plan.places[i]!;
  const middle = inked(x, y + 4.5, symbol, LETTERS, share);
  const rest = text.slice(symbol.length);
  if (rest === "") return middle;
  const side = sideAt(compound, i, plan.places);
  const far = 0.36 * plan.bond + 1;
  const at = { x: x + far * Math.cos(side.angle) + side.dx, y: y + far * Math.sin(side.angle) + side.dy };
  return middle + label(at.x, at.y, rest, { size: LETTERS, anchor: side.anchor });
}

/** The freest of the four sides of an atom. */
function sideAt(compound: Compound, i: number, places: readonly Point[]): (typeof SIDES)[number] {
  const bonds = anglesAt(compound, i, places);
  const free = ({ angle }: { readonly angle: number }): number =>
    Math.min(...bonds.map((bond) => Math.PI - Math.abs(Math.PI - Math.abs(bond - angle))), Math.PI);
  return SIDES.reduce((best, next) => (free(next) > free(best) + 1e-6 ? next : best));
}

/** Small, on the side where neither bonds nor hydrogens are. */
function numberOf(compound: Compound, i: number, { places, bond }: Plan): string {
  const { x, y } = places[i]!;
  const beside = lettersOf(compound, i).length > compound.atoms[i]!.element.length;
  const taken = beside ? [sideAt(compound, i, places).angle] : [];
  const angle = widestGap([...anglesAt(compound, i, places), ...taken]);
  const far = 0.58 * bond;
  return label(x + far * Math.cos(angle), y + far * Math.sin(angle) + 4, String(i + 1), {
    anchor: "middle",
    className: "soft",
    size: 10,
    weight: 600,
  });
}

/** Directions of the bonds at an atom. */
const anglesAt = ({ bonds }: Compound, i: number, places: readonly Point[]): number[] =>
  bonds.flatMap(({ ends: [a, b] }) => {
    const other = a === i ? places[b]! : b === i ? places[a]! : undefined;
    return other ? [Math.atan2(other.y - places[i]!.y, other.x - places[i]!.x)] : [];
  });

/** The middle of the widest free angle. */
function widestGap(angles: readonly number[]): number {
  if (angles.length === 0) return -Math.PI / 2;
  const sorted = angles.toSorted((a, b) => a - b);
  const gaps = sorted.map((from, k) => ({ from, width: (sorted[k + 1] ?? sorted[0]! + 2 * Math.PI) - from }));
  const { from, width } = gaps.reduce((best, gap) => (gap.width > best.width + 1e-9 ? gap : best));
  return from + width / 2;
}

function describe({ compound, atoms }: MoleculeDrawing): string {
  const order = [...compound.atoms.keys()].sort((a, b) => Math.abs(atoms[b]!) - Math.abs(atoms[a]!)).slice(0, 5);
  const texts = order.map((i) => `${compound.atoms[i]!.element}, atom ${i + 1}: ${formatNumber(atoms[i]!)}`);
  return `${compound.smiles}. Strongest of ${compound.atoms.length} atoms: ${texts.join("; ")}.`;
}
