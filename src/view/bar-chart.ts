// Horizontal bars (top classes, top features) and the legend of a colour scale.
import { assertAtLeast, assertWhole } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { type ColorMap, blueWhiteRed, colorAt, hexOf } from "./color.ts";
import { checkFinite, rangeOf } from "./numbers.ts";
import { formatNumber } from "./scale.ts";
import { type ChartText, drawing, element, ellipsis, heading, label, line, textWidth, tooltip } from "./svg.ts";

export interface Bar {
  readonly label: string;
  readonly value: number;
}

export interface BarChartOptions extends ChartText {
  bars: readonly Bar[];
  /** What the values are, with their unit. */
  valueLabel?: string;
  /** Keep the bars of largest magnitude, largest first; the chart says how many it leaves out. Default: all, in the given order. */
  top?: number;
  /** Whether colours show the sign: red and blue, as in heat maps. Default: where there are negative values. */
  signed?: boolean;
  /** Text of a value. Default: four significant digits. */
  format?: (value: number) => string;
  /** Pixels. Default 640; the height follows from the number of bars. */
  width?: number;
}

const ROW = 26;
const POSITIVE = "#c8453b";
const NEGATIVE = "#3572c6";
const UNSIGNED = "#2f7fb8";

/**
 * Bars from a common zero, with labels and values in words. Where there are negative values, blue is negative and red positive,
 * as in the heat maps.
 *
 * @returns one SVG element as text.
 * @throws ArgumentError when there are no bars, NumericError for NaN or infinity.
 */
export function barChart(options: BarChartOptions): string {
  const { width = 640, format = formatNumber } = options;
  assertAtLeast("barChart: width", width, 240);
  const bars = chosen(options);
  const [least, most] = rangeOf([0, ...bars.map(({ value }) => value)]);
  const { signed = least < 0 } = options;
  const span = most - least || 1;
  const texts = bars.map(({ value }) => format(value));
  const said = bars.map((bar, i) => `${bar.label}: ${texts[i]}`);
  const valueRoom = 10 + Math.max(...texts.map((text) => textWidth(text)));
  const labelRoom = Math.min(width * 0.38, Math.max(...bars.map((bar) => textWidth(bar.label))));

  // Values stand at the outer end of their bars: room for them on the left only if some bar goes left.
  const left = 16 + labelRoom + 10 + (least < 0 ? valueRoom : 0);
  const length = width - 16 - left - (most > 0 || least === 0 ? valueRoom : 0);
  const zero = left + (-least / span) * length;
  const title = heading(options.title, width);
  const top = title.bottom + (options.valueLabel === undefined ? 16 : 36);
  const rows = bars.map((bar, i) => {
    const y = top + i * ROW;
    const size = (Math.abs(bar.value) / span) * length;
    const below = bar.value < 0;
    const fill = !signed ? UNSIGNED : below ? NEGATIVE : POSITIVE;
    const box = { x: below ? zero - size : zero, y: y + 4, width: Math.max(size, 0.5), height: ROW - 9, fill };
    const tip = tooltip(said[i]!);
    const name = label(16 + labelRoom, y + 17, ellipsis(bar.label, labelRoom + 1), { anchor: "end" });
    const at = below ? zero - size - 6 : zero + size + 6;
    const value = label(at, y + 17, texts[i]!, { anchor: below ? "end" : undefined, className: "soft" });
    return element("g", {}, tip + name + element("rect", box) + value);
  });
  const bottom = top + bars.length * ROW;
  const note =
    bars.length < options.bars.length
      ? label(16, bottom + 20, `${bars.length} of ${options.bars.length} shown`, soft)
      : "";
  const body =
    title.body +
    (options.valueLabel === undefined ? "" : label(16, title.bottom + 22, options.valueLabel, soft)) +
    rows.join("") +
    line([zero, top], [zero, bottom]) +
    note;
  const description = options.description ?? said.join("; ");
  return drawing(width, bottom + (note ? 34 : 14), { title: options.title, description }, body);
}

const soft = { className: "soft" } as const;

function chosen({ bars, top }: BarChartOptions): readonly Bar[] {
  if (bars.length === 0) throw new ArgumentError("barChart: there are no bars to draw");
  checkFinite(
    "barChart: values",
    bars.map(({ value }) => value),
  );
  if (top === undefined) return bars;
  assertWhole("barChart: top", top, 1);
  return [...bars].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, top);
}

export interface ColorBarOptions extends ChartText {
  colors: ColorMap;
  /** Attributions at the two ends: `low` and `high` of a picture. */
  low: number;
  high: number;
  /** Pixels. Default 320. */
  width?: number;
}

/** The legend of a heat map: its colours with the values they stand for. */
export function colorBar(options: ColorBarOptions): string {
  const { title, low, high, width = 320 } = options;
  const description = options.description ?? `Colours from ${formatNumber(low)} to ${formatNumber(high)}.`;
  return drawing(width, LEGEND_HEIGHT, { title, description }, legendMarkup({ ...options, width }));
}

/** The legend of colours from blue (negative) to red. */
export const signedLegend = (title: string, limit: number, width: number): string =>
  legendMarkup({ title, colors: blueWhiteRed, low: -limit, high: limit, width });

export const LEGEND_HEIGHT = 80;
export const LEGEND_WIDTH = 120;

/** The legend as a part of a larger drawing: `width` by {@link LEGEND_HEIGHT} pixels from the origin. */
export function legendMarkup({ title, colors, low, high, width }: ColorBarOptions & { width: number }): string {
  assertAtLeast("colorBar: width", width, LEGEND_WIDTH);
  checkFinite("colorBar: low and high", [low, high]);
  if (low >= high) throw new ArgumentError(`colorBar: low ${low} must be below high ${high}`);
  const [left, length, cells] = [16, width - 32, 128];
  const boxes = Array.from({ length: cells }, (_, i) => {
    // Each cell reaches a little under the next, so that no seam shows.
    const box = {
      x: left + (i * length) / cells,
      y: 36,
      width: length / cells + (i < cells - 1 ? 0.5 : 0),
      height: 14,
    };
    return element("rect", { ...box, fill: hexOf(colorAt(colors, i / (cells - 1))) });
  });
  const anchors = [undefined, "middle", "end"] as const;
  // The ends are what a reader looks for; round numbers between them would crowd them out.
  const marks = [low, (low + high) / 2, high].map((value, i) => {
    const x = left + (i / 2) * length;
    return line([x, 50], [x, 55]) + label(x, 69, formatNumber(value), { anchor: anchors[i], className: "soft" });
  });
  return label(16, 24, ellipsis(title, width - 32)) + boxes.join("") + marks.join("");
}
