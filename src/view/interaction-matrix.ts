// Interactions of every feature with every other, as a matrix of colours and numbers.
import { assertAtLeast } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { LEGEND_HEIGHT, signedLegend } from "./bar-chart.ts";
import { type Block, type Grid, matrixGrid } from "./matrix-grid.ts";
import { notesMarkup } from "./notes.ts";
import { type Interactions, byStrength, checkInteractions, describePairs, pairScale } from "./pairs.ts";
import { formatNumber } from "./scale.ts";
import { type ChartText, drawing, heading, moved } from "./svg.ts";

export interface InteractionMatrixOptions extends ChartText, Interactions {
  /** Self terms G_ii: coloured like the others (most are clipped), or left out. Default "show". */
  diagonal?: "show" | "hide";
  /** Features as they come, or those with the strongest pairs first. Default "given". */
  order?: "given" | "strength";
  /** Magnitudes above this percentile of those off the diagonal are clipped; 100 clips none of them. Default 99. */
  percentile?: number;
  /** The magnitude at the end of the scale, instead of a percentile: give several matrices the same to compare them. */
  limit?: number;
  /** What the values are. Default "interaction G_ij". */
  valueLabel?: string;
  /** Pixels of a cell. Default: 56, or less for more than 17 features, at least 2. The size of the picture follows from it. */
  cell?: number;
}

export const MOST_FEATURES = 400;

/**
 * Blue cells are negative, red ones positive, on a scale of the entries off the diagonal, which the legend names. Cells hold
 * numbers where they fit (up to 30 features by default) and tooltips up to 40 features; of more features, some are named.
 *
 * @returns one SVG element as text.
 * @throws ShapeError (not n x n), NumericError (NaN or infinity), ArgumentError (options, no features, more than 400).
 */
export function interactionMatrix(options: InteractionMatrixOptions): string {
  return matrixDrawing("interactionMatrix", options);
}

/** The drawing behind all matrix pictures; `above` makes what stands between the title and the matrix, for a given width. */
export function matrixDrawing(
  what: string,
  options: InteractionMatrixOptions,
  above?: (width: number) => { body: string; height: number },
): string {
  const n = checkInteractions(what, options);
  const scale = pairScale(options, options.percentile ?? 99, options.limit);
  const grid = gridOf(what, n, scale.limit, options);
  const { valueLabel = "interaction G_ij", title } = options;
  const { notes, ...matrix } = matrixGrid(grid);
  const width = Math.max(340, matrix.width);
  const head = heading(title, width);
  const extra = above?.(width);
  const top = head.bottom + 14 + (extra?.height ?? 0);
  const legend = legendOf(valueLabel, grid.limit, [...scaleNotes(options, grid, scale.reason), ...notes], width);
  const body =
    head.body +
    (extra ? moved(0, head.bottom + 14, extra.body) : "") +
    moved(0, top, matrix.body) +
    moved(0, top + matrix.height + 8, legend.body);
  const description = options.description ?? describePairs(options);
  return drawing(width, top + matrix.height + 8 + legend.height, { title, description }, body);
}

function gridOf(what: string, n: number, limit: number, options: InteractionMatrixOptions): Grid {
  const { values, labels, diagonal = "show", order = "given" } = options;
  if (n > MOST_FEATURES) {
    throw new ArgumentError(
      `${what}: ${n} features are more than the ${MOST_FEATURES} that can be told apart; ` +
        `group them, or draw the matrix as pixels: heatMap({ shape: [${n}, ${n}], data })`,
    );
  }
  const cell = options.cell ?? Math.min(56, Math.max(2, Math.floor(960 / n)));
  assertAtLeast(`${what}: cell`, cell, 1);
  return {
    at: (i, j) => values[i * n + j]!,
    labels,
    order: order === "strength" ? byStrength(options) : Array.from(labels.keys()),
    limit,
    hideDiagonal: diagonal === "hide",
    cell,
  };
}

/** What a reader must know of the colours: where they end and how much lies beyond. */
function scaleNotes(
  options: InteractionMatrixOptions,
  { at, order, limit, hideDiagonal }: Grid,
  reason: string,
): string[] {
  const beyond = (i: number, j: number) => Math.abs(at(i, j)) > limit * (1 + 1e-9);
  const self = hideDiagonal ? 0 : order.filter((i) => beyond(i, i)).length;
  let others = 0;
  for (const i of order) for (const j of order) if (i !== j && beyond(i, j)) others++;
  const clipped = [
    ...(others > 0 ? [`${others} ${others === 1 ? "entry" : "entries"} off the diagonal`] : []),
    ...(self > 0 ? [`${self} self ${self === 1 ? "term" : "terms"}`] : []),
  ];
  const notes = [`Colours end at ±${formatNumber(limit)} (${reason}).`];
  if (clipped.length > 0) notes.push(`Beyond: ${clipped.join(" and ")}.`);
  if (hideDiagonal) notes.push("Self terms are left out.");
  if (options.order === "strength") notes.push("Features with the strongest pairs first.");
  return notes;
}

function legendOf(title: string, limit: number, notes: readonly string[], width: number): Block {
  const bar = signedLegend(title, limit, Math.min(width, 360));
  const { body, bottom } = notesMarkup(notes.join(" "), LEGEND_HEIGHT + 12, width);
  return { body: bar + body, width, height: bottom };
}
