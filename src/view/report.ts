// A report: one HTML file that needs nothing else and runs nothing.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { dataUrl, encodePng } from "./png.ts";
import type { Raster } from "./raster.ts";
import { formatNumber } from "./scale.ts";
import { escapeText } from "./svg.ts";

export type Cell = string | number | boolean;

export interface Figure {
  /** Pixels, a PNG file, or an SVG text as the charts return it (it goes into the page as it is). */
  content: Raster | Uint8Array | string;
  caption: string;
  /** What a reader who cannot see the picture should know. Default: the caption; an SVG has its own. */
  alt?: string;
}

export interface Table {
  caption: string;
  columns: readonly string[];
  /** Each as long as columns. Numbers are shown with four significant digits and stand on the right. */
  rows: readonly (readonly Cell[])[];
}

export interface ReportSection {
  heading: string;
  /** Paragraphs, split at empty lines. */
  text?: string;
  /** Names and values: model, target, baseline, steps ... */
  facts?: Readonly<Record<string, Cell>>;
  figures?: readonly Figure[];
  tables?: readonly Table[];
}

export interface ReportOptions extends Omit<ReportSection, "heading"> {
  title: string;
  /** Language of the texts (BCP 47). Default "en". */
  language?: string;
  sections?: readonly ReportSection[];
}

/**
 * A self-contained page: title, facts, figures, tables, and the same again for each section. All text is escaped; a content
 * security policy keeps the page from running scripts and from loading anything.
 *
 * @returns the HTML text.
 * @throws ShapeError for a table row of the wrong length, ArgumentError for content that is no picture.
 */
export async function report(options: ReportOptions): Promise<string> {
  const { title, language = "en", sections = [] } = options;
  const parts = [await sectionBody(options)];
  for (const section of sections) {
    parts.push(`<section>\n${tag("h2", section.heading)}\n${await sectionBody(section)}</section>\n`);
  }
  return `<!doctype html>
<html lang="${escapeText(language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${tag("title", title)}
<style>${STYLE}</style>
</head>
<body>
<main>
${tag("h1", title)}
${parts.join("")}</main>
</body>
</html>
`;
}

async function sectionBody(section: Omit<ReportSection, "heading">): Promise<string> {
  const { text = "", facts = {}, figures = [], tables = [] } = section;
  const paragraphs = text.split(/\n\s*\n/).filter((part) => part.trim() !== "");
  let out = paragraphs.map((part) => `${tag("p", part.trim())}\n`).join("");
  const rows = Object.entries(facts).map(([name, value]) => `<div>${tag("dt", name)}${tag("dd", value)}</div>\n`);
  if (rows.length > 0) out += `<dl>\n${rows.join("")}</dl>\n`;
  if (figures.length > 0) {
    const shown = await Promise.all(figures.map(figureMarkup));
    out += `<div class="figures">\n${shown.join("")}</div>\n`;
  }
  return out + tables.map(tableMarkup).join("");
}

async function figureMarkup({ content, caption, alt = caption }: Figure): Promise<string> {
  const picture = await pictureMarkup(content, alt);
  const kind = typeof content === "string" ? ' class="chart"' : "";
  return `<figure${kind}>${picture}${tag("figcaption", caption)}</figure>\n`;
}

async function pictureMarkup(content: Figure["content"], alt: string): Promise<string> {
  if (typeof content === "string") {
    if (!content.trimStart().startsWith("<svg") || /<script/i.test(content)) {
      throw new ArgumentError("report: a figure given as text must be one SVG element without scripts");
    }
    return content;
  }
  const png = "width" in content ? await encodePng(content) : content;
  if (png[0] !== 0x89 || png[1] !== 0x50 || png.length < 33) {
    throw new ArgumentError("report: a figure given as bytes must be a PNG file");
  }
  const view = new DataView(png.buffer, png.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)]; // IHDR is always the first chunk
  const size = `width="${width}" height="${height}"`;
  return `<img src="${dataUrl(png, "image/png")}" ${size} alt="${escapeText(alt)}">`;
}

function tableMarkup({ caption, columns, rows }: Table): string {
  const numeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === "number"));
  const classOf = (i: number) => (numeric[i] ? ' class="number"' : "");
  const head = columns.map((name, i) => tag("th", name, ` scope="col"${classOf(i)}`)).join("");
  const body = rows.map((row, n) => {
    if (row.length !== columns.length) {
      throw new ShapeError(
        `report: row ${n} of table "${caption}" has ${row.length} cells for ${columns.length} columns`,
      );
    }
    return `<tr>${row.map((cell, i) => tag("td", cell, classOf(i))).join("")}</tr>\n`;
  });
  // Focusable, so that a table wider than the page can be scrolled with the keyboard.
  return `<div class="table" role="region" tabindex="0" aria-label="${escapeText(caption)}"><table>
${tag("caption", caption)}
<thead><tr>${head}</tr></thead>
<tbody>
${body.join("")}</tbody>
</table></div>
`;
}

function tag(name: string, value: Cell, attributes = ""): string {
  const text = typeof value === "number" ? formatNumber(value) : String(value);
  return `<${name}${attributes}>${escapeText(text)}</${name}>`;
}

const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ground:#f4f5f7;--ink:#1c2026;--soft:#5a626d;--line:#dfe3e8}
@media(prefers-color-scheme:dark){:root{--paper:#181b20;--ground:#101216;--ink:#e8eaed;--soft:#a3abb6;--line:#30353d}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 20px}
h2{font-size:1.25rem;margin:40px 0 12px}
h1,h2,dd{overflow-wrap:anywhere}
p{max-width:72ch;white-space:pre-line}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr));column-gap:32px;margin:0 0 24px;
padding:8px 18px}
dl,figure,.table{background:var(--paper);border:1px solid var(--line);border-radius:10px}
dl div{display:flex;gap:16px;justify-content:space-between;padding:6px 0}
dt{color:var(--soft)}
dd{margin:0;font-weight:550}
dd,.number{text-align:right;font-variant-numeric:tabular-nums}
.figures{display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start;margin:0 0 24px}
figure{margin:0;padding:14px;max-width:100%}
figure img,figure>svg{display:block;max-width:100%;height:auto}
figure img{image-rendering:pixelated}
figure.chart{padding:0;overflow:hidden}
figcaption,caption{color:var(--soft);font-size:.875rem}
figcaption{margin-top:10px;width:0;min-width:100%}
.chart figcaption{margin:0;padding:4px 16px 14px}
.table{overflow-x:auto;margin:0 0 24px;padding:6px 18px 10px}
table{border-collapse:collapse;width:100%;font-size:.925rem}
caption{text-align:left;padding:8px 0}
th,td{text-align:left;padding:7px 16px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
tbody tr:last-child td{border-bottom:0}
th:last-child,td:last-child{padding-right:0}
@media print{body{background:none}figure,dl,.table{break-inside:avoid}}
`;
