// Interactions between the tokens of a text.
import { type InteractionMatrixOptions, matrixDrawing } from "./interaction-matrix.ts";
import { inked } from "./matrix-grid.ts";
import { notesMarkup } from "./notes.ts";
import { checkPerFeature, signedColor } from "./pairs.ts";
import { formatNumber } from "./scale.ts";
import { element, ellipsis, escapeText, textWidth } from "./svg.ts";

export interface TextMatrixOptions extends Omit<InteractionMatrixOptions, "labels"> {
  /** The n tokens, as the model reads them. */
  tokens: readonly string[];
  /** Their n attributions: shown as a line of coloured tokens above the matrix, on a scale of its own. */
  attributions?: ArrayLike<number>;
}

/**
 * Tokens as rows and columns of their interactions; white space inside them is drawn as ␣ ⏎ ⇥, an empty token as ∅.
 *
 * @returns one SVG element as text.
 * @throws ShapeError (values not n x n, attributions not n), NumericError, ArgumentError: as interactionMatrix.
 */
export function textMatrix(options: TextMatrixOptions): string {
  const { tokens, attributions, ...rest } = options;
  const labels = tokens.map(visibleSpace);
  if (attributions) checkPerFeature("textMatrix: attributions", attributions, labels);
  const above = attributions ? (width: number) => tokenLine(labels, attributions, width) : undefined;
  return matrixDrawing("textMatrix", { ...rest, labels }, above);
}

/** A token with characters for what could not be seen. */
export function visibleSpace(token: string): string {
  if (token === "") return "∅";
  return token
    .replace(/\r\n|[\r\n]/g, "⏎")
    .replace(/\t/g, "⇥")
    .replace(/[\s\u200b]/gu, "␣");
}

const SIZE = 14;
const LINE = 28;

/** The text in its own order, each token on the colour of its attribution. */
function tokenLine(labels: readonly string[], attributions: ArrayLike<number>, width: number) {
  const most = Array.from(attributions, Math.abs).reduce((a, b) => Math.max(a, b), 0);
  const name = notesMarkup(`Attributions of the tokens; colours end at ±${formatNumber(most)}.`, 16, width);
  let [x, y, body] = [16, name.bottom - 6, name.body];
  labels.forEach((token, k) => {
    const text = ellipsis(token, width - 44, SIZE);
    const room = textWidth(text, SIZE) + 10;
    if (x > 16 && x + room > width - 16) [x, y] = [16, y + LINE];
    const share = most === 0 ? 0 : attributions[k]! / most;
    const box = { x, y, width: room, height: LINE - 6, rx: 4, fill: signedColor(share) };
    const tip = element("title", {}, escapeText(`${token}: ${formatNumber(attributions[k]!)}`));
    body += element("g", {}, tip + element("rect", box) + inked(x + room / 2, y + 16, text, SIZE, share));
    x += room + 4;
  });
  return { body, height: y + LINE + 14 };
}
