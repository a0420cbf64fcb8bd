// A text with its tokens on the colours of their attributions.
import { assertAtLeast, assertPositive } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { LEGEND_HEIGHT, signedLegend } from "./bar-chart.ts";
import { TOKEN_SIZE, tokenBox } from "./matrix-grid.ts";
import { notesMarkup } from "./notes.ts";
import { largest } from "./numbers.ts";
import { checkPerFeature } from "./pairs.ts";
import { formatNumber } from "./scale.ts";
import { type ChartText, drawing, element, ellipsis, heading, label, moved, textWidth } from "./svg.ts";
import { visibleSpace } from "./text-matrix.ts";

export interface ColouredTokensOptions extends ChartText {
  /** The n tokens, as the model reads them. */
  tokens: readonly string[];
  /** Their n attributions; or those of several methods, classes or networks by name: one line for each, token under token. */
  values: ArrayLike<number> | Readonly<Record<string, ArrayLike<number>>>;
  /** Attribution at the ends of the colours, > 0. Default: the largest magnitude of all lines. */
  limit?: number;
  /** Whether each value is written under its token, with two digits at the end of the scale. Default false. */
  numbers?: boolean;
  /** Pixels. Default 720. */
  width?: number;
}

interface Line {
  readonly name: string;
  readonly values: ArrayLike<number>;
}

const BOX = 24;
const GAP = 3;
const NUMBER = 11;
/** Between blocks of lines that belong together. */
const BREAK = 10;
const MARGIN = 16;

/**
 * A text in its own order, wrapped, each token on the colour of its attribution: blue below 0, red above. White space inside
 * tokens is drawn as ␣ ⏎ ⇥, an empty token as ∅; after a token that ends a line the text goes on in a new one. Below, the
 * legend; the exact values are tooltips.
 *
 * @returns one SVG element as text, as `report` takes it.
 * @throws ShapeError unless there is a value for each token, NumericError for NaN or infinity, ArgumentError when there are no
 *   tokens or no lines, or limit or width make no sense.
 */
export function colouredTokens(options: ColouredTokensOptions): string {
  const { tokens, title, numbers = false, width = 720 } = options;
  const lines = linesOf(options);
  if (options.limit !== undefined) assertPositive("limit", options.limit);
  const limit = options.limit ?? largest(lines.map(({ values }) => largest(values)));
  const end = limit === 0 ? 1 : limit;
  const scale = { limit: end, write: numbers ? shortNumbers(end) : undefined };
  const left = MARGIN + gutter(lines);
  assertAtLeast("colouredTokens: width", width, left + 160);
  const head = heading(title, width);
  let [y, body] = [head.bottom + 18, head.body];
  for (const places of wrapped(tokens, lines, scale.write, left, width - MARGIN)) {
    for (const line of lines) {
      if (line.name !== "")
        body += label(MARGIN, y + 17, ellipsis(line.name, left - MARGIN - 8), { className: "soft" });
      body += places.map((place) => boxOf(place, line, y, scale)).join("");
      y += lineHeight(numbers);
    }
    y += lines.length > 1 ? BREAK : 0;
  }
  const legend = legendOf(lines, limit, y, width);
  const description = options.description ?? describe(tokens, lines);
  return drawing(width, legend.bottom, { title, description }, body + legend.body);
}

const lineHeight = (numbers: boolean): number => BOX + GAP + (numbers ? NUMBER + 5 : 2);

function linesOf({ tokens, values }: ColouredTokensOptions): Line[] {
  if (tokens.length === 0) throw new ArgumentError("colouredTokens: there are no tokens to draw");
  const lines = isList(values)
    ? [{ name: "", values }]
    : Object.entries(values).map(([name, own]) => ({ name, values: own }));
  if (lines.length === 0) throw new ArgumentError("colouredTokens: there are no values to draw");
  for (const { name, values: own } of lines)
    checkPerFeature(`colouredTokens: values${name === "" ? "" : ` of "${name}"`}`, own, tokens);
  return lines;
}

const isList = (values: ColouredTokensOptions["values"]): values is ArrayLike<number> =>
  typeof values.length === "number";

/** Room for the names of the lines. */
const gutter = (lines: readonly Line[]): number =>
  Math.min(180, Math.max(0, ...lines.map(({ name }) => (name === "" ? 0 : textWidth(name) + 12))));

// ---- layout --------------------------------------------------------------------------------------------------------

interface Place {
  readonly token: number;
  /** The token with characters for white space, and what fits of it. */
  readonly name: string;
  readonly shown: string;
  readonly x: number;
  readonly width: number;
}

/** Tokens as lines that fit between `left` and `right`. */
function wrapped(
  tokens: readonly string[],
  lines: readonly Line[],
  write: Write,
  left: number,
  right: number,
): Place[][] {
  const rows: Place[][] = [[]];
  let x = left;
  tokens.forEach((text, token) => {
    const name = visibleSpace(text);
    const shown = ellipsis(name, right - left - 10, TOKEN_SIZE);
    const written = write ? lines.map(({ values }) => textWidth(write(values[token]!), NUMBER)) : [];
    const width = Math.max(textWidth(shown, TOKEN_SIZE) + 8, ...written.map((w) => w + 4));
    if (x > left && x + width > right) {
      rows.push([]);
      x = left;
    }
    rows.at(-1)!.push({ token, name, shown, x, width });
    x = /[\r\n]$/.test(text) ? right : x + width + GAP;
  });
  return rows;
}

/** How values are written under tokens, if they are. */
type Write = ((value: number) => string) | undefined;

interface Scale {
  readonly limit: number;
  readonly write: Write;
}

function boxOf({ token, name, shown, x, width }: Place, line: Line, y: number, scale: Scale): string {
  const value = line.values[token]!;
  const share = Math.max(-1, Math.min(1, value / scale.limit));
  const whose = line.name === "" ? "" : `${line.name}, `;
  const text = { shown, tip: `${whose}${name}: ${formatNumber(value)}` };
  const small = { anchor: "middle", className: "soft", size: NUMBER } as const;
  const number = scale.write ? label(x + width / 2, y + BOX + NUMBER + 1, scale.write(value), small) : "";
  return element("g", {}, tokenBox(x, y, [width, BOX], text, share) + number);
}

/** Writes values with two digits at the end of the scale: smaller ones round, as their colours do. */
function shortNumbers(limit: number): (value: number) => string {
  const decimals = Math.min(100, Math.max(0, 1 - Math.floor(Math.log10(limit))));
  return (value) => formatNumber(Number(value.toFixed(decimals)));
}

// ---- legend --------------------------------------------------------------------------------------------------------

function legendOf(lines: readonly Line[], limit: number, y: number, width: number): { body: string; bottom: number } {
  if (limit === 0) return notesMarkup("All attributions are 0.", y + 18, width);
  const beyond = lines.reduce((n, { values }) => n + Array.from(values).filter((v) => Math.abs(v) > limit).length, 0);
  const bar = signedLegend(`Attribution${beyond > 0 ? `, ${beyond} beyond` : ""}`, limit, Math.min(width, 320));
  return { body: moved(0, y, bar), bottom: y + LEGEND_HEIGHT };
}

/** The strongest tokens of each line in a sentence, for readers who cannot see the picture. */
function describe(tokens: readonly string[], lines: readonly Line[]): string {
  const sentences = lines.map(({ name, values }) => {
    const order = Array.from(tokens.keys()).sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!));
    const strongest = order.slice(0, 5).map((t) => `${visibleSpace(tokens[t]!)}: ${formatNumber(values[t]!)}`);
    return `${name === "" ? "" : `${name}: `}strongest of ${tokens.length} tokens: ${strongest.join("; ")}.`;
  });
  return sentences.join(" ");
}
