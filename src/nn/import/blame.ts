// Which place of a file is to blame for an error.
import { ArgumentError, AumannError, DTypeError, FormatError, ShapeError } from "../../tensor/errors.ts";

/**
 * Runs what a file asks for, and adds the place to what goes wrong in it.
 * @param format of the file, such as "onnx"
 * @param what an operator, such as "Conv"
 * @param place of the operator, such as `node "conv1"`
 * @throws FormatError for everything that another file would not cause; trouble of the device is passed on as it is
 */
export function blaming<T>(format: string, what: string, place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof FormatError && error.message.includes(place)) throw error;
    if (!isMisfit(error)) throw error;
    throw new FormatError(`${format}: ${what} ${place}: ${error.message}`, { cause: error });
  }
}

/**
 * Runs code that takes the structure of a file for granted.
 * @throws FormatError when that was too much
 */
export function wellFormed<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof AumannError || !isMisfit(error)) throw error;
    throw new FormatError(`${what} is damaged, or of a version that is not known here: ${error.message}`, {
      cause: error,
    });
  }
}

/** Operands that do not fit; attributes that are missing or absurd show as errors of the language. */
function isMisfit(error: unknown): error is Error {
  const kinds = [FormatError, ShapeError, DTypeError, ArgumentError, TypeError, RangeError];
  return kinds.some((kind) => error instanceof kind);
}
