// What all drawings share: escaping, text measured without a font, and colours that follow the reader's light or dark theme.

/** Text that is safe inside XML and HTML, in elements and in quoted attributes. Characters that XML forbids become U+FFFD. */
export function escapeText(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;")
    .replace(/'/g, "&#39;");
}

type Attributes = Record<string, string | number | undefined>;

/** One element; `children` is markup already, attribute values are escaped, numbers are rounded to 1/100. */
export function element(name: string, attributes: Attributes, children = ""): string {
  let open = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    open += ` ${key}="${typeof value === "number" ? round(value) : escapeText(value)}"`;
  }
  return children === "" ? `${open}/>` : `${open}>${children}</${name}>`;
}

/** What a pointer that rests on the element is told. */
export const tooltip = (text: string): string => element("title", {}, escapeText(text));

/** Markup drawn from the origin, at another place. */
export const moved = (x: number, y: number, markup: string): string =>
  element("g", { transform: `translate(${round(x)} ${round(y)})` }, markup);

export const AXIS = { class: "axis", stroke: "#69717c" } as const;

export function line([x1, y1]: Point, [x2, y2]: Point, look: Attributes = AXIS): string {
  return element("line", { x1, x2, y1, y2, ...look });
}

export type Point = readonly [x: number, y: number];

export function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}

export const FONT_SIZE = 13;
const TITLE_SIZE = 15;

/** Title of a chart, and a longer text for readers who cannot see it. */
export interface ChartText {
  title: string;
  /** Default: a sentence made from the data. */
  description?: string;
}

/** The title at the top left, in up to two lines; `bottom` is the baseline of the last. */
export function heading(title: string, width: number): { body: string; bottom: number } {
  const room = width - 32;
  const [first, ...rest] = wrapped(title, room, TITLE_SIZE);
  const lines = rest.length > 0 ? [first!, rest.join(" ")] : [first!];
  const body = lines.map((line, i) => {
    return label(16, 26 + 20 * i, ellipsis(line, room, TITLE_SIZE), { size: TITLE_SIZE, weight: 600 });
  });
  return { body: body.join(""), bottom: 6 + 20 * lines.length };
}

interface TextOptions {
  /** Default "start". */
  anchor?: "start" | "middle" | "end" | undefined;
  className?: "ink" | "soft";
  size?: number;
  weight?: number;
}

/** A line of text with its baseline at (x, y). */
export function label(x: number, y: number, text: string, options: TextOptions = {}): string {
  const { anchor, className = "ink", size, weight } = options;
  const fill = className === "ink" ? "#1c2026" : "#5a626d";
  const look = { class: className, fill, "text-anchor": anchor, "font-size": size, "font-weight": weight };
  return element("text", { x, y, ...look }, escapeText(text));
}

// Light colours are attributes, which every viewer understands; the style sheet only overrides them for dark themes.
const STYLE = `<style>
.aumann-chart text{font-variant-numeric:tabular-nums}
@media(prefers-color-scheme:dark){
.aumann-chart .paper{fill:#181b20}.aumann-chart .ink{fill:#e8eaed}.aumann-chart .soft{fill:#a3abb6}
.aumann-chart .grid{stroke:#30353d}.aumann-chart .axis{stroke:#7c8591}
}</style>`;

/** A whole drawing. `role="img"` with title and desc is what screen readers announce. */
export function drawing(width: number, height: number, text: Required<ChartText>, body: string): string {
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width,
      height,
      viewBox: `0 0 ${round(width)} ${round(height)}`,
      class: "aumann-chart",
      role: "img",
      "font-family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
      "font-size": FONT_SIZE,
    },
    tooltip(text.title) +
      element("desc", {}, escapeText(text.description)) +
      STYLE +
      element("rect", { width, height, class: "paper", fill: "#ffffff" }) +
      body,
  );
}

/** Width of a text in pixels, estimated from classes of characters (there is no font to ask); rather too wide than too narrow. */
export function textWidth(text: string, size = FONT_SIZE): number {
  let ems = 0;
  for (const c of text) ems += characterWidth(c);
  return ems * size;
}

function characterWidth(c: string): number {
  const code = c.codePointAt(0)!;
  if (code >= 0x2e80) return 1.05; // CJK and emoji
  if (/[ijl.,:;|!'()[\] ]/.test(c)) return 0.36;
  if (/[mwMW@%<>=+&~±×]/.test(c)) return 0.95;
  return /[A-Z]/.test(c) ? 0.72 : 0.62;
}

/** Lines of at most `room` pixels, broken between words. */
export function wrapped(text: string, room: number, size = FONT_SIZE): string[] {
  const [first = "", ...words] = text.split(/\s+/);
  const lines = [first];
  for (const word of words) {
    const longer = `${lines.at(-1)!} ${word}`;
    if (textWidth(longer, size) <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** The text, cut with an ellipsis if it is wider than `width` pixels. */
export function ellipsis(text: string, width: number, size = FONT_SIZE): string {
  if (textWidth(text, size) <= width) return text;
  const kept = [...text];
  while (kept.length > 1 && textWidth(`${kept.join("")}…`, size) > width) kept.pop();
  return `${kept.join("").trimEnd()}…`;
}
