// From numbers to places on an axis and back to readable text.
import { ArgumentError } from "../tensor/errors.ts";
import { checkFinite } from "./numbers.ts";

/**
 * The p-th percentile of the values, p in [0, 100], with linear interpolation between neighbours (NumPy's default).
 *
 * @throws ArgumentError for no values or a p outside [0, 100]; NumericError for NaN or infinity.
 */
export function percentile(values: ArrayLike<number>, p: number): number {
  if (!(p >= 0 && p <= 100)) throw new ArgumentError(`percentile: p must lie in [0, 100], not ${p}`);
  if (values.length === 0) throw new ArgumentError("percentile: there are no values");
  checkFinite("percentile", values);
  const sorted = Float64Array.from(values).sort();
  const at = (p / 100) * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}

/** Round numbers (1, 2 or 5 times a power of ten apart) inside [low, high], about `count` of them. */
export function ticksOf(low: number, high: number, count = 5): number[] {
  const step = niceStep(low, high, count);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) ticks.push(i * step || 0);
  return ticks;
}

/** The smallest domain of whole steps around the values; a single value gets room on both sides. */
export function niceDomain(low: number, high: number, count = 5): [number, number] {
  if (low === high) {
    const room = low === 0 ? 1 : Math.abs(low) / 2;
    return niceDomain(low - room, high + room, count);
  }
  const step = niceStep(low, high, count);
  return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
}

function niceStep(low: number, high: number, count: number): number {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const lead = raw / power;
  // Halfway points on a log scale between 1, 2, 5 and 10.
  return power * (lead < Math.SQRT2 ? 1 : lead < Math.sqrt(10) ? 2 : lead < Math.sqrt(50) ? 5 : 10);
}

/** The labels of evenly spaced ticks: all with the same number of decimals, or all with an exponent. */
export function tickLabels(ticks: readonly number[]): string[] {
  if (ticks.length < 2) return ticks.map(formatNumber);
  const most = Math.max(...ticks.map(Math.abs));
  const step = Math.abs(ticks[1]! - ticks[0]!);
  if (most >= 1e6 || most < 1e-3) {
    const digits = Math.max(0, Math.floor(Math.log10(most) + 1e-9) - Math.floor(Math.log10(step) + 1e-9));
    return ticks.map((t) => (t === 0 ? "0" : t.toExponential(digits).replace("e+", "e")));
  }
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return ticks.map((t) => t.toFixed(decimals));
}

/** A number with four significant digits (all digits before the point are kept), plain or with an exponent, whichever is easier to read. */
export function formatNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return String(value);
  if (size >= 1e6 || size < 1e-4) {
    return value
      .toExponential(3)
      .replace(/\.?0+e/, "e")
      .replace("e+", "e");
  }
  return String(Number(value.toPrecision(Math.max(4, Math.floor(Math.log10(size)) + 1))));
}
