// Line charts: saturation curves, convergence, perturbation curves.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { checkFinite } from "./raster.ts";
import { formatNumber, niceDomain, tickLabels, ticksOf } from "./scale.ts";
import {
  type ChartText,
  FONT_SIZE,
  checkSize,
  drawing,
  element,
  ellipsis,
  escapeText,
  heading,
  label,
  round,
  textWidth,
} from "./svg.ts";

export interface Series {
  readonly name: string;
  readonly x: ArrayLike<number>;
  /** As many as x. */
  readonly y: ArrayLike<number>;
}

export interface Axis {
  label: string;
  unit?: string;
  /** Values at the ends. Default: all data, for y rounded to whole ticks. */
  domain?: readonly [number, number];
}

export interface LineChartOptions extends ChartText {
  series: readonly Series[];
  x: Axis;
  y: Axis;
  /** Pixels. Default 640 x 360. */
  width?: number;
  height?: number;
}

// Okabe and Ito's colour-blind safe set, without those too pale for white paper; each has contrast 3:1 on light and dark paper.
const COLORS = ["#0072b2", "#d55e00", "#009e73", "#b5609a", "#9a6b14", "#7a7f87"];
const DASHES = [undefined, "8 3", "2 3", "9 3 2 3"];
const MOST_MARKERS = 40;

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Lines through points, with axes, ticks, a legend (for two series or more) and the exact values as tooltips on the points.
 *
 * @returns one SVG element as text, complete with its namespace: a file or a part of a page.
 * @throws ArgumentError (no series, no points), ShapeError (x and y of different lengths), NumericError (NaN or infinity).
 */
export function lineChart(options: LineChartOptions): string {
  const { series, width = 640, height = 360 } = options;
  checkSize("lineChart: width", width, 200);
  checkSize("lineChart: height", height, 150);
  checkSeries(series);
  const xs = domainOf("x", options.x, series, ({ x }) => x, false);
  const ys = domainOf("y", options.y, series, ({ y }) => y, true);
  const yTicks = ticksOf(ys[0], ys[1]);
  const yLabels = tickLabels(yTicks);

  const title = heading(options.title, width);
  const legend = legendOf(series, width - 32, title.bottom);
  const left = 22 + Math.max(...yLabels.map((text) => textWidth(text)));
  const top = legend.bottom + 30;
  const frame = { left, top, width: width - left - 24, height: height - top - 46 };
  const atX = (v: number) => ((v - xs[0]) / (xs[1] - xs[0])) * frame.width;
  const atY = (v: number) => (1 - (v - ys[0]) / (ys[1] - ys[0])) * frame.height;

  const xTicks = ticksOf(xs[0], xs[1], Math.max(2, Math.floor(frame.width / 90)));
  const axes = yAxis(frame, yTicks.map(atY), yLabels) + xAxis(frame, xTicks.map(atX), tickLabels(xTicks), xs, atX);
  const names =
    label(16, top - 16, ellipsis(titleOf(options.y), width - 32), { className: "soft" }) +
    label(left + frame.width / 2, height - 10, ellipsis(titleOf(options.x), frame.width), {
      anchor: "middle",
      className: "soft",
    });
  const lines = series.map((s, i) => lineOf(s, i, atX, atY)).join("");
  // A nested svg clips what a narrower domain leaves out; the margin keeps markers at the edges whole.
  const m = 5;
  const plot = element(
    "svg",
    { x: left - m, y: top - m, width: frame.width + 2 * m, height: frame.height + 2 * m, overflow: "hidden" },
    element("g", { transform: `translate(${m} ${m})` }, lines),
  );
  const text = { title: options.title, description: options.description ?? describe(options) };
  return drawing(width, height, text, title.body + legend.body + names + axes + plot);
}

function checkSeries(series: readonly Series[]): void {
  if (series.length === 0) throw new ArgumentError("lineChart: there is no series to draw");
  for (const { name, x, y } of series) {
    if (x.length === 0) throw new ArgumentError(`lineChart: series "${name}" has no points`);
    if (x.length !== y.length) {
      throw new ShapeError(`lineChart: series "${name}" has ${x.length} x values but ${y.length} y values`);
    }
    checkFinite(`lineChart: x of series "${name}"`, x);
    checkFinite(`lineChart: y of series "${name}"`, y);
  }
}

function domainOf(
  what: string,
  axis: Axis,
  series: readonly Series[],
  valuesOf: (s: Series) => ArrayLike<number>,
  nice: boolean,
): readonly [number, number] {
  if (axis.domain) {
    const [low, high] = axis.domain;
    if (Number.isFinite(low) && Number.isFinite(high) && low < high) return axis.domain;
    throw new ArgumentError(`lineChart: ${what} domain [${low}, ${high}] needs two finite numbers in ascending order`);
  }
  let low = Infinity;
  let high = -Infinity;
  for (const s of series) {
    for (const v of Array.from(valuesOf(s))) {
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
  }
  return nice || low === high ? niceDomain(low, high) : [low, high];
}

function titleOf({ label: text, unit }: Axis): string {
  return unit === undefined ? text : `${text} (${unit})`;
}

function yAxis(frame: Frame, places: readonly number[], texts: readonly string[]): string {
  const rows = places.map((y, i) => {
    const at = frame.top + y;
    const line = { x1: frame.left, x2: frame.left + frame.width, y1: at, y2: at, class: "grid", stroke: "#e3e6ea" };
    const text = label(frame.left - 8, at + FONT_SIZE * 0.35, texts[i]!, { anchor: "end", className: "soft" });
    return element("line", line) + text;
  });
  return rows.join("");
}

function xAxis(
  frame: Frame,
  places: readonly number[],
  texts: readonly string[],
  [low, high]: readonly [number, number],
  atX: (v: number) => number,
): string {
  const bottom = frame.top + frame.height;
  const axis = { y1: bottom, y2: bottom, x1: frame.left + atX(low), x2: frame.left + atX(high) };
  const rows = places.map((x, i) => {
    const at = frame.left + x;
    const tick = { x1: at, x2: at, y1: bottom, y2: bottom + 5, class: "axis", stroke: "#69717c" };
    return element("line", tick) + label(at, bottom + 19, texts[i]!, { anchor: "middle", className: "soft" });
  });
  return element("line", { ...axis, class: "axis", stroke: "#69717c" }) + rows.join("");
}

function lineOf(s: Series, i: number, atX: (v: number) => number, atY: (v: number) => number): string {
  const color = COLORS[i % COLORS.length]!;
  const points = Array.from(s.x, (x, k) => ({ x: atX(x), y: atY(s.y[k]!), k }));
  const path = points.map(({ x, y }) => `${round(x)},${round(y)}`).join(" ");
  const dash = DASHES[i % DASHES.length];
  const style = { fill: "none", stroke: color, "stroke-width": 2, "stroke-linejoin": "round" };
  const line = element("polyline", { points: path, ...style, "stroke-dasharray": dash });
  if (points.length > MOST_MARKERS) return line;
  const markers = points.map(({ x, y, k }) => {
    const tip = `${s.name}: ${formatNumber(s.y[k]!)} at ${formatNumber(s.x[k]!)}`;
    return element("circle", { cx: x, cy: y, r: 2.8, fill: color }, element("title", {}, escapeText(tip)));
  });
  return line + markers.join("");
}

/** Swatches and names in rows that wrap; a single series is named by the title and the axis. */
function legendOf(series: readonly Series[], width: number, top: number): { body: string; bottom: number } {
  if (series.length === 1) return { body: "", bottom: top + 4 };
  let [x, y, body] = [16, top + 25, ""];
  series.forEach(({ name }, i) => {
    const text = ellipsis(name, width - 60);
    const room = 34 + textWidth(text) + 18;
    if (x > 16 && x + room > width + 16) [x, y] = [16, y + 20];
    const line = { x1: x, x2: x + 26, y1: y - 4, y2: y - 4, stroke: COLORS[i % COLORS.length]!, "stroke-width": 2.5 };
    body += element("line", { ...line, "stroke-dasharray": DASHES[i % DASHES.length] }) + label(x + 34, y, text);
    x += room;
  });
  return { body, bottom: y + 8 };
}

function describe({ series, x, y }: LineChartOptions): string {
  const parts = series.map((s) => {
    const n = s.x.length;
    const [first, last] = [s.y[0]!, s.y[n - 1]!].map(formatNumber);
    return `${s.name} goes from ${first} at ${formatNumber(s.x[0]!)} to ${last} at ${formatNumber(s.x[n - 1]!)}`;
  });
  return `${titleOf(y)} against ${titleOf(x)}. ${parts.join("; ")}.`;
}
