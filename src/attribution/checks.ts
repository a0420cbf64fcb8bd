// Checks of options that many methods share.
import { ArgumentError } from "../tensor/errors.ts";

/** @throws ArgumentError unless the option is a whole number that is not too small */
export function assertWhole(what: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw new ArgumentError(`${what}: expected a whole number >= ${least}, got ${value}`);
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
