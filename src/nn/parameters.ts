// Parameters of layers, by name.
import { refuseShapes } from "../tensor/checks.ts";
import { FormatError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { formatShape, sameShape, type Shape } from "../tensor/shape.ts";
import { lift, type Operand } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { zeros, type Initialiser } from "./initialise.ts";
import type { Parameters } from "./layers.ts";
import type { Random } from "./random.ts";

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

/** A weight and, unless told otherwise, its bias. */
export const affineOf = (op: string, p: Parameters, prefix: string, bias = true) => ({
  weight: requiredParameter(op, p, `${prefix}weight`),
  ...(bias && { bias: requiredParameter(op, p, `${prefix}bias`) }),
});

/** Initial values of the same: weights drawn from a stream, and a bias of 0 for each output. */
export const initialAffine = (
  key: Random,
  prefix: string,
  shape: Shape,
  outputs: number,
  initialiser: Initialiser,
  bias = true,
): Record<string, HostArray> => ({
  [`${prefix}weight`]: initialiser(shape, key),
  ...(bias && { [`${prefix}bias`]: zeros([outputs], key) }),
});

/** Checks the shape of a weight that is there. */
export function assertWeight(op: string, what: string, value: Operand | undefined, shape: Shape, why: string): void {
  if (value === undefined || sameShape(lift(value).shape, shape)) return;
  refuseShapes(op, `${what} ${formatShape(shape)} for ${why}`, lift(value));
}
