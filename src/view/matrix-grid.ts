// A square matrix as coloured cells with the same names on rows and columns: the part that all matrix pictures share.
import { luminance } from "./color.ts";
import { cellTexts } from "./cell-text.ts";
import { formatNumber } from "./scale.ts";
import { pairName, signedColor, signedRgb } from "./pairs.ts";
import { FONT_SIZE, element, ellipsis, escapeText, label, moved, round, textWidth, tooltip } from "./svg.ts";

export interface Grid {
  /** Entry (row, column), in units of the score. */
  readonly at: (i: number, j: number) => number;
  readonly labels: readonly string[];
  /** The features in the order of the rows. */
  readonly order: readonly number[];
  readonly limit: number;
  readonly hideDiagonal: boolean;
  /** Pixels of a cell. */
  readonly cell: number;
}

/** A part of a drawing: its markup from (0, 0), and its size in pixels. */
export interface Block {
  readonly body: string;
  readonly width: number;
  readonly height: number;
}

const LONGEST_NAME = 190;
/** Beyond this many features a tooltip for each cell would make the file many times as large. */
const MOST_TIPPED = 40;
/** Steps between names that a reader can count in. */
const STRIDES = [1, 2, 5, 10, 20, 25, 50, 100];

/** Names, cells and their numbers; `notes` are sentences that a legend must say. */
export function matrixGrid(grid: Grid): Block & { notes: string[] } {
  const { labels, order, cell } = grid;
  const stride = STRIDES.find((s) => s * cell >= 18) ?? order.length;
  const size = stride * cell >= 22 ? FONT_SIZE : 11;
  const names = order.map((k) => ellipsis(labels[k]!, LONGEST_NAME, size));
  const widths = names.map((name, k) => (k % stride === 0 ? textWidth(name, size) : 0));
  const widest = Math.max(...widths);
  const upright = stride === 1 && widest <= cell - 4;
  const left = 16 + widest + 8;
  const top = upright ? 20 : 12 + widest * Math.SQRT1_2;
  const overhang = widths.map((w, k) => (k + 0.5) * cell + (upright ? w / 2 : (w + 8) * Math.SQRT1_2));
  const extent = cell * order.length;

  const heads = names.map((name, k) => {
    if (k % stride !== 0) return "";
    const x = left + (k + 0.5) * cell;
    const row = label(left - 8, top + (k + 0.5) * cell + size * 0.35, name, { anchor: "end", size });
    if (upright) return row + label(x, top - 7, name, { anchor: "middle", size });
    const turn = `translate(${round(x + 2)} ${round(top - 6)}) rotate(-45)`;
    return row + element("g", { transform: turn }, label(0, 0, name, { size }));
  });
  const { texts, note } = cellTexts(grid);
  const cells = order.length <= MOST_TIPPED ? tippedCells(grid, texts) : mergedCells(grid);
  const body = heads.join("") + moved(left, top, cells);
  const notes = note === undefined ? [] : [note];
  if (stride > 1 && stride < order.length) notes.push(`One row in ${stride} is named.`);
  return { body, width: left + Math.max(extent, ...overhang) + 16, height: top + extent, notes };
}

/** One rectangle with its tooltip for each cell, and its number where there is one. */
function tippedCells({ at, labels, order, limit, hideDiagonal, cell }: Grid, texts: CellTexts): string {
  let body = "";
  order.forEach((i, row) => {
    order.forEach((j, column) => {
      if (i === j && hideDiagonal) return;
      const value = at(i, j);
      const fill = signedColor(value / limit);
      const [x, y] = [column * cell, row * cell];
      const tip = tooltip(`${i === j ? `${labels[i]!} alone` : pairName(labels, { i, j })}: ${formatNumber(value)}`);
      const box = element("rect", { x: x + 0.5, y: y + 0.5, width: cell - 1, height: cell - 1, fill });
      const text = texts?.of(value);
      const number =
        texts && text ? inked(x + cell / 2, y + cell / 2 + texts.size * 0.35, text, texts.size, value / limit) : "";
      body += element("g", {}, tip + box + number);
    });
  });
  return body;
}

type CellTexts = ReturnType<typeof cellTexts>["texts"];

/** A token on the colour of its share of the scale. */
export function tokenBox(
  x: number,
  y: number,
  size: readonly [number, number],
  text: TokenText,
  share: number,
): string {
  const [width, height] = size;
  const box = element("rect", { x, y, width, height, rx: 4, fill: signedColor(share) });
  return tooltip(text.tip) + box + inked(x + width / 2, y + height / 2 + 5, text.shown, TOKEN_SIZE, share);
}

export const TOKEN_SIZE = 14;

interface TokenText {
  readonly shown: string;
  readonly tip: string;
}

/** Text on a coloured ground, centred at x; the colours are the same in light and dark themes. */
export function inked(x: number, y: number, text: string, size: number, share: number): string {
  // Black or white, whichever stands out more (WCAG contrast): at luminance L, white has 1.05 / (L + 0.05), the dark ink
  // (L + 0.05) / 0.064.
  const fill = luminance(signedRgb(share)) > 0.21 ? "#1c2026" : "#ffffff";
  return element("text", { x, y, fill, "text-anchor": "middle", "font-size": size }, escapeText(text));
}

/** Many cells: one path for each colour, in units of a cell, neighbours of one colour as one line. */
function mergedCells({ at, order, limit, hideDiagonal, cell }: Grid): string {
  const paths = new Map<string, string>();
  order.forEach((i, row) => {
    let [start, last] = [0, ""];
    for (let column = 0; column <= order.length; column++) {
      const j = order[column];
      const color = j === undefined || (i === j && hideDiagonal) ? "" : signedColor(at(i, j) / limit);
      if (color === last && j !== undefined) continue;
      if (last !== "") paths.set(last, `${paths.get(last) ?? ""}M${start} ${row}h${column - start}`);
      [start, last] = [column, color];
    }
  });
  const lines = [...paths].map(([stroke, d]) => element("path", { d, stroke }));
  // A line of width 1 reaches half a unit to both sides.
  const style = { transform: `scale(${cell}) translate(0 0.5)`, "shape-rendering": "crispEdges", fill: "none" };
  return element("g", style, lines.join(""));
}
