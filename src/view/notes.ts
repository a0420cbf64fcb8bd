// Sentences below a picture.
import { label, wrapped } from "./svg.ts";

const LINE = 18;
/** Lines longer than this are hard to follow. */
const LONGEST = 700;

/** Text in lines as wide as the drawing allows; `top` is the baseline of the first line, `bottom` leaves room below the last. */
export function notesMarkup(text: string, top: number, width: number): { body: string; bottom: number } {
  const lines = wrapped(text, Math.min(width, LONGEST) - 32);
  const body = lines.map((line, i) => label(16, top + LINE * i, line, { className: "soft" })).join("");
  return { body, bottom: top + LINE * lines.length - 2 };
}
