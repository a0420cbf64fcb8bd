// The numbers inside the cells of a matrix: one format and one size for all, or none.
import { formatNumber } from "./scale.ts";
import { textWidth } from "./svg.ts";

interface Cells {
  readonly at: (i: number, j: number) => number;
  readonly order: readonly number[];
  readonly limit: number;
  readonly cell: number;
}

interface Format {
  readonly size: number;
  /** What the numbers in the cells are multiples of. */
  readonly unit: number;
  readonly decimals: number;
}

const SIZES = [12, 11, 10, 9];
/** Beyond this many features numbers are noise, however large the cells. */
const MOST = 40;

/**
 * Two digits at the end of the scale, and the same number of decimals in all cells ("0" for what rounds to it): as they are if that fits every cell off the
 * diagonal, else as multiples of a power of ten, else no numbers at all.
 */
export function cellTexts(cells: Cells): {
  texts: { size: number; of: (value: number) => string | undefined } | undefined;
  note?: string;
} {
  const format = cells.order.length <= MOST ? formatOf(cells) : undefined;
  if (format === undefined) return { texts: undefined };
  const texts = { size: format.size, of: (value: number) => textOf(value, format, cells.cell) };
  return format.unit === 1 ? { texts } : { texts, note: `Numbers in multiples of ${formatNumber(format.unit)}.` };
}

function formatOf({ at, order, limit, cell }: Cells): Format | undefined {
  const exponent = Math.floor(Math.log10(limit) + 1e-9);
  const plain = { unit: 1, decimals: Math.max(0, 1 - exponent) };
  // Number() of a text: powers of ten by ** are off by a bit for some exponents.
  const scaled = { unit: Number(`1e${exponent}`), decimals: 1 };
  const candidates = Math.abs(exponent) <= 4 ? [plain, scaled] : [scaled];
  for (const style of candidates) {
    for (const size of SIZES) {
      const format = { ...style, size };
      const fits = order.every((i) => order.every((j) => i === j || textOf(at(i, j), format, cell) !== undefined));
      if (fits) return format;
    }
  }
  return undefined;
}

/** Large numbers may lose decimals to fit, but never their first two digits. */
function textOf(value: number, { unit, decimals, size }: Format, cell: number): string | undefined {
  const shown = value / unit;
  // What rounds to nothing is written short, so that the others stand out.
  if (Number(shown.toFixed(decimals)) === 0) return "0";
  for (let d = decimals; d >= 0; d--) {
    if (d < decimals && Math.abs(shown) < 10 ** (1 - d)) return undefined;
    const text = shown.toFixed(d);
    if (textWidth(text, size) <= cell - 3) return text;
  }
  return undefined;
}
