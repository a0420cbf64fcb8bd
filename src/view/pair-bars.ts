// The strongest pairs as bars.
import { assertAtLeast } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { type BarChartOptions, barChart } from "./bar-chart.ts";
import { type Interactions, checkInteractions, checkTop, rankedPairs } from "./pairs.ts";
import { ellipsis, textWidth } from "./svg.ts";

export interface StrongestPairsOptions extends Interactions, Omit<BarChartOptions, "bars" | "top"> {
  /** How many pairs, the largest magnitude first. Default 10. */
  top?: number;
}

/**
 * Bars of the strongest interactions between two features, "a × b": G_ij + G_ji, what both make together. Self terms are left
 * out. Two names that are too long for one line are shortened both, the longer one first.
 *
 * @returns one SVG element as text.
 * @throws ArgumentError (fewer than two features, options), ShapeError, NumericError (NaN or infinity).
 */
export function strongestPairs(options: StrongestPairsOptions): string {
  const { values, labels, top = 10, valueLabel = "interaction G_ij + G_ji", width = 640, ...rest } = options;
  const n = checkInteractions("strongestPairs", options);
  checkTop("strongestPairs", top);
  assertAtLeast("strongestPairs: width", width, 240);
  if (n < 2) throw new ArgumentError("strongestPairs: one feature alone has no pair");
  // barChart keeps 0.38 of the width for names.
  const bars = rankedPairs({ values, labels }).map(({ i, j, value }) => {
    return { label: shortPair(labels[i]!, labels[j]!, width * 0.38), value };
  });
  return barChart({ ...rest, bars, top, valueLabel, width, signed: true });
}

/** "a × b" in `room` pixels: both names stay readable. */
function shortPair(a: string, b: string, room: number): string {
  const free = room - textWidth(" × ");
  const [wideA, wideB] = [textWidth(a), textWidth(b)];
  if (wideA + wideB <= free) return `${a} × ${b}`;
  const share = free / 2;
  const roomA = wideA <= share ? wideA : Math.max(share, free - wideB);
  return `${ellipsis(a, roomA)} × ${ellipsis(b, free - Math.min(wideA, roomA))}`;
}
