// What a feature does over many examples, and how that depends on another feature.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { type Frame, type Tick, xAxis, yAxis } from "./axes.ts";
import { LEGEND_HEIGHT, legendMarkup } from "./bar-chart.ts";
import { type ColorMap, colorAt, hexOf, viridis } from "./color.ts";
import type { Axis } from "./line-chart.ts";
import { checkFinite } from "./raster.ts";
import { formatNumber, niceDomain, percentile, tickLabels, ticksOf } from "./scale.ts";
import { type ChartText, checkSize, drawing, element, ellipsis, escapeText, heading, label, textWidth } from "./svg.ts";

export interface InteractionScatterOptions extends ChartText {
  /** [m]: the value of the feature in each of m examples. */
  values: ArrayLike<number>;
  /** [m]: the attribution of the feature there, or its interaction with the partner, in units of the score. */
  attributions: ArrayLike<number>;
  /** [m]: the value of the partner feature there, which colours the dots. */
  partner: ArrayLike<number>;
  /** Name and unit of the feature (x), of what it is credited with (y), and of the partner (colours); `domain` sets the ends. */
  x: Axis;
  y: Axis;
  partnerAxis: Axis;
  /** [m] names of the examples, for tooltips. */
  labels?: readonly string[];
  /** Colours from the partner's low to its high values. Default viridis. */
  colors?: ColorMap;
  /** Pixels. Default 640 x 460. */
  width?: number;
  height?: number;
}

type Range = readonly [number, number];

const RADIUS = 3.4;
/** Beyond this many dots nobody finds a single one, and tooltips double the file. */
const MOST_TIPPED = 3000;

/**
 * One dot for each example: the value of a feature against its attribution, coloured by the value of a second feature. Where
 * the two interact, dots of one colour follow another curve than those of another.
 *
 * The colours end at the 2nd and the 98th percentile of the partner, so that single outliers do not wash them out.
 *
 * @returns one SVG element as text.
 * @throws ArgumentError (no examples, options), ShapeError (lengths), NumericError (NaN or infinity).
 */
export function interactionScatter(options: InteractionScatterOptions): string {
  const { values, attributions, partner, x, y, title, width = 640, height = 460 } = options;
  checkExamples(options);
  checkSize("interactionScatter: width", width, 240);
  checkSize("interactionScatter: height", height, 260);
  const xs = domainOf("x", x, values);
  const ys = domainOf("y", y, attributions);
  const colors = colorsOf(options);
  const yTicks = ticksOf(ys[0], ys[1]);

  const head = heading(title, width);
  const left = 22 + Math.max(...tickLabels(yTicks).map((text) => textWidth(text)));
  const top = head.bottom + 38;
  const frame: Frame = { left, top, width: width - left - 24, height: height - top - 46 - LEGEND_HEIGHT };
  const atX = (v: number) => ((v - xs[0]) / (xs[1] - xs[0])) * frame.width;
  const atY = (v: number) => (1 - (v - ys[0]) / (ys[1] - ys[0])) * frame.height;
  const xTicks = ticksOf(xs[0], xs[1], Math.max(2, Math.floor(frame.width / 90)));
  const axes = yAxis(frame, placed(yTicks, atY)) + xAxis(frame, placed(xTicks, atX));
  const names =
    label(16, top - 16, ellipsis(nameOf(y), width - 32), { className: "soft" }) +
    label(left + frame.width / 2, top + frame.height + 37, ellipsis(nameOf(x), frame.width), {
      anchor: "middle",
      className: "soft",
    });
  const dots = Array.from(values, (v, k) => dot(options, k, atX(v), atY(attributions[k]!), colors.of(partner[k]!)));
  const legend = element("g", { transform: `translate(0 ${height - LEGEND_HEIGHT})` }, colors.legend(width));
  const text = { title, description: options.description ?? describe(options) };
  return drawing(width, height, text, head.body + names + axes + clipped(frame, dots.join("")) + legend);
}

function placed(ticks: readonly number[], at: (v: number) => number): Tick[] {
  const texts = tickLabels(ticks);
  return ticks.map((v, i) => ({ at: at(v), text: texts[i]! }));
}

function checkExamples({ values, attributions, partner, labels }: InteractionScatterOptions): void {
  const m = values.length;
  if (m === 0) throw new ArgumentError("interactionScatter: there are no examples to draw");
  for (const [name, given] of Object.entries({ values, attributions, partner })) {
    if (given.length !== m) {
      throw new ShapeError(
        `interactionScatter: ${m} values but ${given.length} for ${name}; give one for each example`,
      );
    }
    checkFinite(`interactionScatter: ${name}`, given);
  }
  if (labels && labels.length !== m) {
    throw new ShapeError(`interactionScatter: ${labels.length} labels for ${m} examples; give one for each`);
  }
}

/** The given ends of an axis, or whole ticks around the data. */
function domainOf(what: string, { domain }: Axis, values: ArrayLike<number>): Range {
  return domain ? checkDomain(what, domain) : niceDomain(...rangeOf(values));
}

function checkDomain(what: string, domain: Range): Range {
  const [low, high] = domain;
  if (Number.isFinite(low) && Number.isFinite(high) && low < high) return domain;
  throw new ArgumentError(
    `interactionScatter: ${what} domain [${low}, ${high}] needs two finite numbers in ascending order`,
  );
}

function rangeOf(values: ArrayLike<number>): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (let k = 0; k < values.length; k++) {
    low = Math.min(low, values[k]!);
    high = Math.max(high, values[k]!);
  }
  return [low, high];
}

/** The colour of a partner's value, and the legend that says so. */
function colorsOf({ partner, partnerAxis, colors = viridis }: InteractionScatterOptions) {
  const all = rangeOf(partner);
  const { domain } = partnerAxis;
  let [low, high]: Range = domain ? checkDomain("partner", domain) : [percentile(partner, 2), percentile(partner, 98)];
  if (low >= high) [low, high] = all;
  if (low >= high) [low, high] = niceDomain(low, high);
  const cut = all[0] < low || all[1] > high ? ", clipped at the ends" : "";
  return {
    of: (v: number) => hexOf(colorAt(colors, (v - low) / (high - low))),
    legend: (width: number) => {
      return legendMarkup({ title: nameOf(partnerAxis) + cut, colors, low, high, width });
    },
  };
}

const nameOf = ({ label: text, unit }: Axis): string => (unit === undefined ? text : `${text} (${unit})`);

function dot(options: InteractionScatterOptions, k: number, cx: number, cy: number, fill: string): string {
  const { values, attributions, partner, x, y, partnerAxis, labels } = options;
  // The thin grey ring keeps the darkest and the palest colours apart from dark and light paper.
  const look = { cx, cy, r: RADIUS, fill, "fill-opacity": 0.85, class: "axis", stroke: "#69717c", "stroke-width": 0.8 };
  if (values.length > MOST_TIPPED) return element("circle", look);
  const parts = [`${x.label} ${formatNumber(values[k]!)}`, `${y.label} ${formatNumber(attributions[k]!)}`];
  const tip = [...parts, `${partnerAxis.label} ${formatNumber(partner[k]!)}`].join(", ");
  const name = labels ? `${labels[k]!}: ` : "";
  return element("circle", look, element("title", {}, escapeText(name + tip)));
}

/** A nested svg hides what a narrower domain leaves out; the margin keeps dots at the edges whole. */
function clipped({ left, top, width, height }: Frame, body: string): string {
  const m = RADIUS + 1;
  const box = { x: left - m, y: top - m, width: width + 2 * m, height: height + 2 * m, overflow: "hidden" };
  return element("svg", box, element("g", { transform: `translate(${m} ${m})` }, body));
}

/** The correlation with the partner says in words what the colours show. */
function describe({ values, attributions, partner, x, y, partnerAxis }: InteractionScatterOptions): string {
  const [low, high] = rangeOf(attributions).map(formatNumber);
  const r = correlation(attributions, partner);
  const relation = r === undefined ? "" : ` Correlation of ${y.label} with ${partnerAxis.label}: ${r.toFixed(2)}.`;
  return (
    `${nameOf(y)} from ${low} to ${high} against ${nameOf(x)} for ${values.length} examples, ` +
    `coloured by ${nameOf(partnerAxis)}.${relation}`
  );
}

/** Pearson's correlation; undefined where one of the two is constant. */
function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  const [meanA, meanB] = [a, b].map((v) => Array.from(v).reduce((sum, x) => sum + x / v.length, 0)) as [number, number];
  let [ab, aa, bb] = [0, 0, 0];
  for (let k = 0; k < a.length; k++) {
    const [da, db] = [a[k]! - meanA, b[k]! - meanB];
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : undefined;
}
