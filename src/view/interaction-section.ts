// One explanation by pairs as a section of a report.
import { type InteractionMatrixOptions, MOST_FEATURES, interactionMatrix } from "./interaction-matrix.ts";
import { checkFinite } from "./numbers.ts";
import { strongestPairs } from "./pair-bars.ts";
import { pairNetwork } from "./pair-network.ts";
import { type Interactions, checkInteractions, checkPerFeature, checkTop, rankedPairs } from "./pairs.ts";
import type { Cell, Figure, ReportSection, Table } from "./report.ts";
import { textMatrix, visibleSpace } from "./text-matrix.ts";

export interface InteractionSectionOptions
  extends Interactions, Pick<InteractionMatrixOptions, "diagonal" | "order" | "percentile" | "limit"> {
  /** Default "Interactions". */
  heading?: string;
  /** [n]: Integrated Gradients of the same path, which the rows of the matrix should sum to. */
  attributions?: ArrayLike<number>;
  /** f(x) and f(x'): their difference is what all entries should sum to. */
  scores?: { readonly input: number; readonly baseline: number };
  /** The labels are the tokens of a text, in order: white space in them is made visible. Default false. */
  tokens?: boolean;
  /** Strongest pairs in the bars, the network and the table. Default 12. */
  top?: number;
  /** More facts: nodes, rule, beta ... */
  facts?: Readonly<Record<string, Cell>>;
}

/**
 * Everything a reader needs of one interaction matrix: how well it adds up, the matrix, the strongest pairs as bars and as a
 * network, and a table of them. Of one feature there is the matrix only, of more than 400 there is none.
 *
 * @returns a section for `report({ sections: [...] })`.
 * @throws ShapeError (values not n x n, attributions not n), NumericError (NaN or infinity), ArgumentError (options).
 */
export function interactionSection(options: InteractionSectionOptions): ReportSection {
  const { values, attributions, scores, tokens = false, top = 12, heading = "Interactions", facts = {} } = options;
  const n = checkInteractions("interactionSection", options);
  checkTop("interactionSection", top);
  if (attributions) checkPerFeature("interactionSection: attributions", attributions, options.labels);
  if (scores) checkFinite("interactionSection: scores (input, baseline)", [scores.input, scores.baseline]);
  const labels = tokens ? unique(options.labels.map(visibleSpace)) : options.labels;
  const named = { values, labels };
  const figures: Figure[] = n <= MOST_FEATURES ? [matrixFigure(options)] : [];
  if (n > 1) {
    // Side by side in a report; a network of more pairs takes the width that its names need.
    const width = top <= 12 ? 550 : undefined;
    figures.push(
      { content: strongestPairs({ ...named, top, width, title: "Strongest pairs" }), caption: BARS },
      { content: pairNetwork({ ...named, attributions, top, width, title: "Network of pairs" }), caption: NETWORK },
    );
  }
  return {
    heading,
    facts: { features: n, ...additionFacts(options, n), ...facts },
    figures,
    tables: n > 1 ? [pairTable(named, attributions, top)] : [],
  };
}

const BARS = "What two features make of the score together, G_ij + G_ji, beyond what each makes alone.";
const NETWORK = "The same pairs as lines. Red raises the score, blue lowers it.";
const MATRIX =
  "Share of the score for every two features; on the diagonal what a feature makes alone. Rows sum to attributions.";

function matrixFigure({ tokens, labels, values, attributions, ...options }: InteractionSectionOptions): Figure {
  const { diagonal, order, percentile, limit } = options;
  const common = { values, diagonal, order, percentile, limit, title: "Interaction matrix" };
  const content = tokens
    ? textMatrix({ ...common, tokens: labels, attributions })
    : interactionMatrix({ ...common, labels });
  return { content, caption: MATRIX };
}

/** Completeness and its relatives, each only if what it compares with is known. */
function additionFacts({ values, attributions, scores }: InteractionSectionOptions, n: number): Record<string, Cell> {
  let [sum, pairs, sizes, most, skew, residual] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    let row = 0;
    for (let j = 0; j < n; j++) {
      const value = values[i * n + j]!;
      row += value;
      sizes += Math.abs(value);
      if (i !== j) pairs += Math.abs(value);
      most = Math.max(most, Math.abs(value));
      skew = Math.max(skew, Math.abs(value - values[j * n + i]!));
    }
    sum += row;
    if (attributions) residual = Math.max(residual, Math.abs(row - attributions[i]!));
  }
  const facts: Record<string, Cell> = { "sum of all entries": sum };
  if (scores) {
    facts["f(x) - f(x')"] = scores.input - scores.baseline;
    facts["delta (sum less difference)"] = sum - (scores.input - scores.baseline);
  }
  if (attributions) facts["largest row residual"] = residual;
  facts["magnitude off the diagonal"] = percentOf(pairs, sizes, "none");
  facts["relative asymmetry"] = most === 0 ? 0 : skew / most;
  return facts;
}

const percentOf = (part: number, whole: number, none: string): string =>
  whole === 0 ? none : `${((100 * part) / whole).toFixed(1)} %`;

function pairTable({ values, labels }: Interactions, attributions: ArrayLike<number> | undefined, top: number): Table {
  const n = labels.length;
  const pairs = rankedPairs({ values, labels });
  const total = pairs.reduce((sum, { value }) => sum + Math.abs(value), 0);
  const own = attributions ? ["attribution of a", "attribution of b"] : ["a alone", "b alone"];
  const ownOf = (k: number) => attributions?.[k] ?? values[k * n + k]!;
  const rows = pairs.slice(0, top).map(({ i, j, value }): Cell[] => {
    return [labels[i]!, labels[j]!, value, percentOf(Math.abs(value), total, "-"), ownOf(i), ownOf(j)];
  });
  return {
    caption: `The ${rows.length} strongest of ${pairs.length} pairs`,
    columns: ["feature a", "feature b", "G_ab + G_ba", "of all pairs", ...own],
    rows,
  };
}

/** Tokens that occur several times get their place: "not (2)" is the second token of the text. */
function unique(tokens: readonly string[]): string[] {
  return tokens.map((token, k) => {
    return tokens.indexOf(token) === tokens.lastIndexOf(token) ? token : `${token} (${k + 1})`;
  });
}
