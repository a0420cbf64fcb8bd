// Checks of arguments that all layers share.
import type { DType } from "./dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "./errors.ts";
import { formatShape, type Shape } from "./shape.ts";

/** @throws ArgumentError unless the option is a whole number that is neither too small nor too large */
export function assertWhole(what: string, value: number, least: number, most = Infinity): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const range = most < Infinity ? `from ${least} to ${most}` : `>= ${least}`;
  throw new ArgumentError(`${what}: expected a whole number ${range}, got ${value}`);
}

/** @throws ArgumentError unless the option, if given, is one of the words */
export function assertChoice(what: string, value: string | undefined, ...words: readonly string[]): void {
  if (value !== undefined && !words.includes(value))
    throw new ArgumentError(
      `${what}: expected ${words.map((w) => `"${w}"`).join(" or ")}, got ${JSON.stringify(value)}`,
    );
}

/** @throws ArgumentError unless the option is a finite number that is not too small */
export function assertAtLeast(what: string, value: number, least: number): void {
  if (!(value >= least && value < Infinity))
    throw new ArgumentError(`${what}: expected a finite number >= ${least}, got ${value}`);
}

/** @throws ArgumentError unless the option is a finite number > 0 */
export function assertPositive(what: string, value: number): void {
  if (!(value > 0 && value < Infinity)) throw new ArgumentError(`${what}: expected a number > 0, got ${value}`);
}

/** @throws ShapeError that says what was expected, and which shapes were given */
export function refuseShapes(op: string, expected: string, ...given: readonly { readonly shape: Shape }[]): never {
  throw new ShapeError(
    `${op}: expected ${expected}, got ${given.map(({ shape }) => formatShape(shape)).join(" and ")}`,
  );
}

/** @throws DTypeError unless a value has the element type */
export function assertDType(what: string, { dtype }: { readonly dtype: DType }, expected: string): void {
  if (dtype !== expected) throw new DTypeError(`${what}: expected ${expected}, got ${dtype}; use cast()`);
}
