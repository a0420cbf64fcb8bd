// Interactions between the tokens of a text.
import { type InteractionMatrixOptions, matrixDrawing } from "./interaction-matrix.ts";
import { TOKEN_SIZE, tokenBox } from "./matrix-grid.ts";
import { notesMarkup } from "./notes.ts";
import { largest } from "./numbers.ts";
import { checkPerFeature } from "./pairs.ts";
import { formatNumber } from "./scale.ts";
import { element, ellipsis, textWidth } from "./svg.ts";

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

const LINE = 28;

/** The text in its own order, each token on the colour of its attribution. */
function tokenLine(labels: readonly string[], attributions: ArrayLike<number>, width: number) {
  const most = largest(attributions);
  const name = notesMarkup(`Attributions of the tokens; colours end at ±${formatNumber(most)}.`, 16, width);
  let [x, y, body] = [16, name.bottom - 6, name.body];
  labels.forEach((token, k) => {
    const shown = ellipsis(token, width - 44, TOKEN_SIZE);
    const room = textWidth(shown, TOKEN_SIZE) + 10;
    if (x > 16 && x + room > width - 16) [x, y] = [16, y + LINE];
    const share = most === 0 ? 0 : attributions[k]! / most;
    const text = { shown, tip: `${token}: ${formatNumber(attributions[k]!)}` };
    body += element("g", {}, tokenBox(x, y, [room, LINE - 6], text, share));
    x += room + 4;
  });
  return { body, height: y + LINE + 14 };
}
