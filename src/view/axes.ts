// Axes of a plot: ticks, their labels, and the lines that belong to them.
import { FONT_SIZE, element, label } from "./svg.ts";

/** Where a plot lies in its drawing, in pixels. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A place along an axis, in pixels from the frame's left or top edge, and its label. */
export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** Grid lines with labels left of the frame; the line of a tick "0" is stronger. */
export function yAxis(frame: Frame, ticks: readonly Tick[]): string {
  const rows = ticks.map(({ at, text }) => {
    const y = frame.top + at;
    const look = Number(text) === 0 ? { class: "axis", stroke: "#69717c" } : { class: "grid", stroke: "#e3e6ea" };
    const line = { x1: frame.left, x2: frame.left + frame.width, y1: y, y2: y, ...look };
    const name = label(frame.left - 8, y + FONT_SIZE * 0.35, text, { anchor: "end", className: "soft" });
    return element("line", line) + name;
  });
  return rows.join("");
}

/** The line below the frame with ticks and their labels. */
export function xAxis(frame: Frame, ticks: readonly Tick[]): string {
  const bottom = frame.top + frame.height;
  const look = { class: "axis", stroke: "#69717c" };
  const rows = ticks.map(({ at, text }) => {
    const x = frame.left + at;
    const mark = element("line", { x1: x, x2: x, y1: bottom, y2: bottom + 5, ...look });
    return mark + label(x, bottom + 19, text, { anchor: "middle", className: "soft" });
  });
  const line = element("line", { x1: frame.left, x2: frame.left + frame.width, y1: bottom, y2: bottom, ...look });
  return line + rows.join("");
}
