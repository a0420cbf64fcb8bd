// What a feature does over many examples, and how that depends on another feature.
import { assertAtLeast } from "../tensor/checks.ts";
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { type Axis, axisTitle, givenDomain, niceAround, plotOf } from "./axes.ts";
import { LEGEND_HEIGHT, legendMarkup } from "./bar-chart.ts";
import { type ColorMap, colorAt, hexOf, viridis } from "./color.ts";
import { checkFinite, rangeOf } from "./numbers.ts";
import { formatNumber, niceDomain, percentile } from "./scale.ts";
import { AXIS, type ChartText, drawing, element, heading, moved, tooltip } from "./svg.ts";

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
  assertAtLeast("interactionScatter: width", width, 240);
  assertAtLeast("interactionScatter: height", height, 260);
  const xs = niceAround("interactionScatter: x", x, values);
  const ys = niceAround("interactionScatter: y", y, attributions);
  const colors = colorsOf(options);

  const head = heading(title, width);
  const top = head.bottom + 38;
  const plot = plotOf({ x, y, xs, ys, top, height: height - top - 46 - LEGEND_HEIGHT, width, zero: AXIS });
  const dots = Array.from(values, (v, k) =>
    dot(options, k, plot.atX(v), plot.atY(attributions[k]!), colors.of(partner[k]!)),
  );
  const legend = moved(0, height - LEGEND_HEIGHT, colors.legend(width));
  const text = { title, description: options.description ?? describe(options) };
  return drawing(width, height, text, head.body + plot.axes + plot.clipped(dots.join(""), RADIUS + 1) + legend);
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

/** The colour of a partner's value, and the legend that says so. */
function colorsOf({ partner, partnerAxis, colors = viridis }: InteractionScatterOptions) {
  const all = rangeOf(partner);
  const given = givenDomain("interactionScatter: partner", partnerAxis);
  let [low, high] = given ?? [percentile(partner, 2), percentile(partner, 98)];
  if (low >= high) [low, high] = all;
  if (low >= high) [low, high] = niceDomain(low, high);
  const cut = all[0] < low || all[1] > high ? ", clipped at the ends" : "";
  return {
    of: (v: number) => hexOf(colorAt(colors, (v - low) / (high - low))),
    legend: (width: number) => {
      return legendMarkup({ title: axisTitle(partnerAxis) + cut, colors, low, high, width });
    },
  };
}

function dot(options: InteractionScatterOptions, k: number, cx: number, cy: number, fill: string): string {
  const { values, attributions, partner, x, y, partnerAxis, labels } = options;
  // The thin grey ring keeps the darkest and the palest colours apart from dark and light paper.
  const look = { cx, cy, r: RADIUS, fill, "fill-opacity": 0.85, ...AXIS, "stroke-width": 0.8 };
  if (values.length > MOST_TIPPED) return element("circle", look);
  const parts = [`${x.label} ${formatNumber(values[k]!)}`, `${y.label} ${formatNumber(attributions[k]!)}`];
  const tip = [...parts, `${partnerAxis.label} ${formatNumber(partner[k]!)}`].join(", ");
  const name = labels ? `${labels[k]!}: ` : "";
  return element("circle", look, tooltip(name + tip));
}

/** The correlation with the partner says in words what the colours show. */
function describe({ values, attributions, partner, x, y, partnerAxis }: InteractionScatterOptions): string {
  const [low, high] = rangeOf(attributions).map(formatNumber);
  const r = correlation(attributions, partner);
  const relation = r === undefined ? "" : ` Correlation of ${y.label} with ${partnerAxis.label}: ${r.toFixed(2)}.`;
  return (
    `${axisTitle(y)} from ${low} to ${high} against ${axisTitle(x)} for ${values.length} examples, ` +
    `coloured by ${axisTitle(partnerAxis)}.${relation}`
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
