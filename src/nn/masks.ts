// What is real in a padded batch, and sums over it. Masks are bool values, true where something counts; they are computed
// inside the kernels that read them.
import { refuseShapes } from "../tensor/checks.ts";
import { DTypeError, ShapeError } from "../tensor/errors.ts";
import { formatShape, normalizeAxis, sameShape } from "../tensor/shape.ts";
import { iota, lift, type Operand } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { div } from "../kernels/arithmetic.ts";
import { broadcastTo, sum } from "../kernels/broadcast.ts";
import { cast, greaterEqual, less, maximum, select } from "../kernels/choice.ts";
import { expandDims, reshape } from "../kernels/movement.ts";

/**
 * Which places of padded examples hold something.
 * @param lengths i32 [B]: the first `lengths[b]` of `size` places do; or a mask bool [B, size], which is returned as it is
 * @returns bool [B, size]
 * @throws ShapeError, DTypeError for anything else
 */
export function lengthMask(lengths: Operand, size: number, op = "lengthMask"): Value {
  const given = lift(lengths, "i32");
  const batch = given.shape[0] ?? 1;
  const wrong = `${op}: expected lengths i32 [batch], or a mask bool [batch, ${size}], got ${given.dtype}`;
  if (given.dtype === "f32") throw new DTypeError(`${wrong}; use cast()`);
  if (!sameShape(given.shape, given.dtype === "i32" ? [batch] : [batch, size]))
    throw new ShapeError(`${wrong} ${formatShape(given.shape)}`);
  return given.dtype === "bool" ? given : less(broadcastTo(iota(size), [batch, size]), expandDims(given, 1));
}

/** The same for a given number of examples. */
export function batchMask(op: string, lengths: Operand, batch: number, size: number): Value {
  const mask = lengthMask(lengths, size, op);
  if (mask.shape[0] === batch) return mask;
  throw new ShapeError(`${op}: expected lengths of ${batch} examples, got ${mask.shape[0]}`);
}

/** Position i may look at positions 0 to i: bool [size, size]. */
export const causalMask = (size: number): Value => greaterEqual(expandDims(iota(size), 1), iota(size));

/**
 * Sum over one axis of x [B, ..., N, ...features] where `mask` [B, ..., N] holds; what is masked has no part in the value,
 * and exactly zero gradient.
 * @param mask bool, of the first axes of x; or i32 lengths [B] if the axis is 1
 * @param axis default 1
 * @returns x without that axis
 */
export function maskedSum(x: Operand, mask: Operand, axis = 1): Value {
  const { value, at, present } = aligned("maskedSum", x, mask, axis);
  return sum(select(present, value, 0), at);
}

/** As {@link maskedSum}, divided by the number of terms; 0 where there are none. */
export function maskedMean(x: Operand, mask: Operand, axis = 1): Value {
  const { value, at, present } = aligned("maskedMean", x, mask, axis);
  const count = maximum(sum(cast(present, "f32"), at), 1);
  return div(sum(select(present, value, 0), at), count);
}

function aligned(op: string, x: Operand, mask: Operand, axis: number): { value: Value; at: number; present: Value } {
  const value = lift(x);
  const at = normalizeAxis(op, axis, value.shape.length);
  const given = lift(mask, "i32");
  const present = given.dtype === "bool" ? given : lengthMask(given, value.shape[1] ?? 0, op);
  const leading = value.shape.slice(0, at + 1);
  if (!sameShape(present.shape, leading))
    refuseShapes(op, `a mask ${formatShape(leading)} for axis ${at} of x ${formatShape(value.shape)}`, present);
  return { value, at, present: reshape(present, [...leading, ...value.shape.slice(at + 1).map(() => 1)]) };
}
