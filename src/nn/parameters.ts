// Parameters of layers, by name.
import { FormatError, ShapeError } from "../tensor/errors.ts";
import { formatShape, sameShape, type Shape } from "../tensor/shape.ts";
import { lift, type Operand } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import type { Parameters } from "./layers.ts";

/**
 * The parameter of a name.
 * @throws FormatError, with the names that there are
 */
export function requiredParameter(op: string, parameters: Parameters, name: string): Value {
  const found = parameters[name];
  if (found !== undefined) return lift(found);
  const names = Object.keys(parameters).map((n) => `"${n}"`);
  throw new FormatError(`${op}: parameter "${name}" is missing; there are ${names.join(", ") || "none"}`);
}

/** Checks the shape of a weight that is there. */
export function assertWeight(op: string, what: string, value: Operand | undefined, shape: Shape, why: string): void {
  if (value === undefined || sameShape(lift(value).shape, shape)) return;
  throw new ShapeError(
    `${op}: expected ${what} ${formatShape(shape)} for ${why}, got ${formatShape(lift(value).shape)}`,
  );
}
