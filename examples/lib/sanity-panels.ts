// Small charts in rows and columns, all on the same axes, and pictures in rows with names: what lineChart and labelledStrip
// would need a page of each for.
import { pngDataUrl } from "../../src/view/png.ts";
import { drawing, element, heading, label, round, textWidth } from "../../src/view/svg.ts";
import { strip, type Raster } from "../../src/view/index.ts";

// ---- curves ---------------------------------------------------------------------------------------------------------

export interface Line {
  readonly name: string;
  /** A value after each step, from `first` on. */
  readonly mean: readonly number[];
  /** Half the height of the band around it. */
  readonly spread: readonly number[];
}

export interface PanelOptions {
  readonly title: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** Of one panel, as many in each. */
  readonly lines: (row: number, column: number) => readonly Line[];
  /** What the lines are, in order. */
  readonly legend: readonly string[];
  /** Position of the first value. */
  readonly first: number;
  readonly xLabel: string;
}

const COLORS = ["#0072b2", "#d55e00"];
const DASHES = [undefined, "5 3"];
const PANEL = { width: 216, height: 128, gap: 18 };
const LEFT = 62;

/** Panels of curves, with bands, on common axes; numbers as tooltips. One SVG element. */
export function curvePanels(options: PanelOptions): string {
  const { title, rows, columns, legend, first, xLabel } = options;
  const width = LEFT + columns.length * (PANEL.width + PANEL.gap);
  const { body: head, bottom } = heading(title, width);
  const top = bottom + 74;
  const panels = rows.map((_, r) => columns.map((_, c) => options.lines(r, c)));
  const low = lowest(panels.flat(2));
  const body = panels.map((row, r) =>
    row.map((lines, c) => {
      const transform = `translate(${LEFT + c * (PANEL.width + PANEL.gap)} ${top + r * (PANEL.height + 44)})`;
      return element("g", { transform }, panel(lines, { low, first, named: c === 0 }));
    }),
  );
  const names =
    columns
      .map((name, c) => {
        const x = LEFT + c * (PANEL.width + PANEL.gap) + PANEL.width / 2;
        return label(x, top - 26, name, { anchor: "middle", weight: 600 });
      })
      .join("") +
    rows.map((name, r) => label(LEFT, top - 7 + r * (PANEL.height + 44), name, { className: "soft" })).join("");
  const height = top + rows.length * (PANEL.height + 44) + 14;
  const foot = label(LEFT, height - 12, xLabel, { className: "soft" });
  const description = `${rows.length} by ${columns.length} small charts. Rows: ${rows.join(", ")}. Columns: ${columns.join(", ")}. Lines: ${legend.join(", ")}.`;
  return drawing(
    width,
    height,
    { title, description },
    head + legendMarkup(legend, bottom + 22) + names + body.flat().join("") + foot,
  );
}

/** The lower end of all axes, a multiple of a half below the lowest mean; the upper one is 1. */
export const lowest = (lines: readonly Line[]): number =>
  Math.min(0, Math.floor(2 * Math.min(...lines.flatMap(({ mean }) => mean)) + 0.2) / 2);

interface Axes {
  readonly low: number;
  readonly first: number;
  /** Whether the ticks have numbers on the left. */
  readonly named: boolean;
}

function panel(lines: readonly Line[], { low, first, named }: Axes): string {
  const { width, height } = PANEL;
  const count = lines[0]!.mean.length;
  const atX = (k: number): number => 8 + ((width - 16) * k) / Math.max(1, count - 1);
  // Values a little below the last tick are shown there, not cut off.
  const atY = (v: number): number => ((1 - Math.min(1, Math.max(low - 0.1, v))) / (1 - low)) * height;
  let grid = "";
  for (let tick = low; tick <= 1; tick += 0.5) {
    const zero = tick === 0;
    const [y, stroke] = [atY(tick), zero ? "#69717c" : "#e3e6ea"];
    grid += element("line", { x1: 0, x2: width, y1: y, y2: y, class: zero ? "axis" : "grid", stroke });
    if (named) grid += label(-8, y + 4, String(tick), { anchor: "end", className: "soft" });
  }
  for (let k = 0; k < count; k++)
    grid += label(atX(k), height + 17, String(first + k), { anchor: "middle", className: "soft", size: 11 });
  return grid + lines.map((line, i) => curve(line, i, { atX, atY, first })).join("");
}

function curve(
  { name, mean, spread }: Line,
  i: number,
  { atX, atY, first }: { atX: (k: number) => number; atY: (v: number) => number; first: number },
): string {
  const at = (v: number, k: number): string => `${round(atX(k))},${round(atY(v))}`;
  const above = mean.map((v, k) => at(v + spread[k]!, k));
  const below = mean.map((v, k) => at(v - spread[k]!, k)).reverse();
  const stroke = COLORS[i % COLORS.length]!;
  const dash = { "stroke-dasharray": DASHES[i % DASHES.length] };
  const marks = mean.map((v, k) => {
    const tip = element("title", {}, `${name}, ${first + k}: ${v.toFixed(3)} ± ${spread[k]!.toFixed(3)}`);
    return element("circle", { cx: atX(k), cy: atY(v), r: 3, fill: stroke }, tip);
  });
  return (
    element("polygon", { points: [...above, ...below].join(" "), fill: stroke, "fill-opacity": 0.15 }) +
    element("polyline", { points: mean.map(at).join(" "), fill: "none", stroke, "stroke-width": 2, ...dash }) +
    marks.join("")
  );
}

function legendMarkup(names: readonly string[], y: number): string {
  let [x, body] = [LEFT, ""];
  names.forEach((name, i) => {
    const line = { x1: x, x2: x + 26, y1: y - 4, y2: y - 4, stroke: COLORS[i % COLORS.length]!, "stroke-width": 2.5 };
    body += element("line", { ...line, "stroke-dasharray": DASHES[i % DASHES.length] }) + label(x + 34, y, name);
    x += 34 + textWidth(name) + 24;
  });
  return body;
}

// ---- pictures -------------------------------------------------------------------------------------------------------

export interface PictureRows {
  readonly title: string;
  readonly columns: readonly string[];
  /** As many pictures of one size as there are columns. */
  readonly rows: readonly { readonly name: string; readonly pictures: readonly Raster[] }[];
}

/** Rows of pictures with their names on the left and those of the columns above. One SVG element. */
export async function pictureRows({ title, columns, rows }: PictureRows): Promise<string> {
  const gap = 6;
  const sheet = strip(
    rows.flatMap(({ pictures }) => pictures),
    { columns: columns.length, gap },
  );
  const [cellWidth, cellHeight] = [(sheet.width + gap) / columns.length, (sheet.height + gap) / rows.length];
  const left = 24 + Math.max(...rows.map(({ name }) => textWidth(name)));
  const width = left + sheet.width + 16;
  const { body: head, bottom } = heading(title, width);
  const top = bottom + 38;
  const above = columns.map((name, c) =>
    label(left + (c + 0.5) * cellWidth - gap / 2, top - 10, name, { anchor: "middle", className: "soft", size: 12 }),
  );
  const beside = rows.map(({ name }, r) =>
    label(left - 10, top + (r + 0.5) * cellHeight - gap / 2 + 4, name, { anchor: "end" }),
  );
  const place = { x: left, y: top, width: sheet.width, height: sheet.height };
  const image = element("image", { ...place, href: await pngDataUrl(sheet), style: "image-rendering:pixelated" });
  const description = `Pictures. Rows: ${rows.map(({ name }) => name).join(", ")}. Columns: ${columns.join(", ")}.`;
  return drawing(
    width,
    top + sheet.height + 16,
    { title, description },
    head + above.join("") + beside.join("") + image,
  );
}
