// The axes that plots share: domains, ticks with their lines and labels, and what keeps data inside.
import { ArgumentError } from "../tensor/errors.ts";
import { rangeOf } from "./numbers.ts";
import { niceDomain, tickLabels, ticksOf } from "./scale.ts";
import { type AXIS, FONT_SIZE, element, ellipsis, label, line, moved, textWidth } from "./svg.ts";

export interface Axis {
  label: string;
  unit?: string;
  /** Values at the ends. Default: all data, for y rounded to whole ticks. */
  domain?: readonly [number, number];
}

export type Range = readonly [number, number];

export const axisTitle = ({ label: text, unit }: Axis): string => (unit === undefined ? text : `${text} (${unit})`);

/** The given ends of an axis, if any. */
export function givenDomain(what: string, { domain }: Axis): Range | undefined {
  if (!domain) return undefined;
  const [low, high] = domain;
  if (Number.isFinite(low) && Number.isFinite(high) && low < high) return domain;
  throw new ArgumentError(`${what} domain [${low}, ${high}] needs two finite numbers in ascending order`);
}

/** The given ends of an axis, or whole ticks around the data. */
export const niceAround = (what: string, axis: Axis, values: ArrayLike<number>): Range =>
  givenDomain(what, axis) ?? niceDomain(...rangeOf(values));

interface PlotOptions {
  /** What the axes measure, and their ends. */
  x: Axis;
  y: Axis;
  xs: Range;
  ys: Range;
  /** Pixels: the upper edge of the plot, its height, and the width of the drawing that it is in. */
  top: number;
  height: number;
  width: number;
  /** The grid line at 0; the others are pale. */
  zero?: typeof AXIS;
}

/** Axes with titles, and the way from values to pixels inside their frame. */
export function plotOf({ x, y, xs, ys, top, height, width, zero }: PlotOptions) {
  const yTicks = ticksOf(...ys);
  const yTexts = tickLabels(yTicks);
  const left = 22 + Math.max(...yTexts.map((text) => textWidth(text)));
  const [right, bottom] = [width - 24, top + height];
  const inner = right - left;
  const atX = (v: number): number => ((v - xs[0]) / (xs[1] - xs[0])) * inner;
  const atY = (v: number): number => (1 - (v - ys[0]) / (ys[1] - ys[0])) * height;

  const pale = { class: "grid", stroke: "#e3e6ea" };
  const rows = yTicks.map((v, i) => {
    const at = top + atY(v);
    const text = label(left - 8, at + FONT_SIZE * 0.35, yTexts[i]!, { anchor: "end", className: "soft" });
    return line([left, at], [right, at], v === 0 ? (zero ?? pale) : pale) + text;
  });
  const middle = { anchor: "middle", className: "soft" } as const;
  const xTicks = ticksOf(...xs, Math.max(2, Math.floor(inner / 90)));
  const xTexts = tickLabels(xTicks);
  const columns = xTicks.map((v, i) => {
    const at = left + atX(v);
    return line([at, bottom], [at, bottom + 5]) + label(at, bottom + 19, xTexts[i]!, middle);
  });
  const names =
    label(16, top - 16, ellipsis(axisTitle(y), width - 32), { className: "soft" }) +
    label(left + inner / 2, bottom + 36, ellipsis(axisTitle(x), inner), middle);
  return {
    atX,
    atY,
    axes: [names, ...rows, line([left, bottom], [right, bottom]), ...columns].join(""),
    /** A nested svg hides what a narrower domain leaves out; the margin keeps marks at the edges whole. */
    clipped: (marks: string, margin: number): string => {
      const box = { x: left - margin, y: top - margin, width: inner + 2 * margin, height: height + 2 * margin };
      return element("svg", { ...box, overflow: "hidden" }, moved(margin, margin, marks));
    },
  };
}
