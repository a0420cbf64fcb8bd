// Line charts: saturation curves, convergence, perturbation curves.
import { assertAtLeast } from "../tensor/checks.ts";
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { type Axis, type Range, axisTitle, givenDomain, niceAround, plotOf } from "./axes.ts";
import { checkFinite, rangeOf } from "./numbers.ts";
import { formatNumber, niceDomain } from "./scale.ts";
import { type ChartText, drawing, element, ellipsis, heading, label, line, round, textWidth, tooltip } from "./svg.ts";

export interface Series {
  readonly name: string;
  readonly x: ArrayLike<number>;
  /** As many as x. */
  readonly y: ArrayLike<number>;
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

/**
 * Lines through points, with axes, ticks, a legend (for two series or more) and the exact values as tooltips on the points.
 *
 * @returns one SVG element as text, complete with its namespace: a file or a part of a page.
 * @throws ArgumentError (no series, no points), ShapeError (x and y of different lengths), NumericError (NaN or infinity).
 */
export function lineChart(options: LineChartOptions): string {
  const { series, width = 640, height = 360 } = options;
  assertAtLeast("lineChart: width", width, 200);
  assertAtLeast("lineChart: height", height, 150);
  checkSeries(series);
  const [allX, allY] = [series.flatMap(({ x }) => Array.from(x)), series.flatMap(({ y }) => Array.from(y))];
  const xs = givenDomain("lineChart: x", options.x) ?? wide(rangeOf(allX));
  const ys = niceAround("lineChart: y", options.y, allY);

  const title = heading(options.title, width);
  const legend = legendOf(series, width - 32, title.bottom);
  const top = legend.bottom + 30;
  const plot = plotOf({ x: options.x, y: options.y, xs, ys, top, height: height - top - 46, width });
  const lines = plot.clipped(series.map((s, i) => lineOf(s, i, plot.atX, plot.atY)).join(""), 5);
  const text = { title: options.title, description: options.description ?? describe(options) };
  return drawing(width, height, text, title.body + legend.body + plot.axes + lines);
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

/** The same; room on both sides of a single value. */
const wide = ([low, high]: Range): Range => (low === high ? niceDomain(low, high) : [low, high]);

const strokeOf = (i: number) => ({
  stroke: COLORS[i % COLORS.length]!,
  "stroke-dasharray": DASHES[i % DASHES.length],
});

function lineOf(s: Series, i: number, atX: (v: number) => number, atY: (v: number) => number): string {
  const points = Array.from(s.x, (x, k) => ({ x: atX(x), y: atY(s.y[k]!), k }));
  const path = points.map(({ x, y }) => `${round(x)},${round(y)}`).join(" ");
  const style = { fill: "none", ...strokeOf(i), "stroke-width": 2, "stroke-linejoin": "round" };
  const curve = element("polyline", { points: path, ...style });
  if (points.length > MOST_MARKERS) return curve;
  const markers = points.map(({ x, y, k }) => {
    const tip = `${s.name}: ${formatNumber(s.y[k]!)} at ${formatNumber(s.x[k]!)}`;
    return element("circle", { cx: x, cy: y, r: 2.8, fill: strokeOf(i).stroke }, tooltip(tip));
  });
  return curve + markers.join("");
}

/** Swatches and names in rows that wrap; a single series is named by the title and the axis. */
function legendOf(series: readonly Series[], width: number, top: number): { body: string; bottom: number } {
  if (series.length === 1) return { body: "", bottom: top + 4 };
  let [x, y, body] = [16, top + 25, ""];
  series.forEach(({ name }, i) => {
    const text = ellipsis(name, width - 60);
    const room = 34 + textWidth(text) + 18;
    if (x > 16 && x + room > width + 16) [x, y] = [16, y + 20];
    body += line([x, y - 4], [x + 26, y - 4], { ...strokeOf(i), "stroke-width": 2.5 }) + label(x + 34, y, text);
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
  return `${axisTitle(y)} against ${axisTitle(x)}. ${parts.join("; ")}.`;
}
