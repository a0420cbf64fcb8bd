// TensorFlow keeps channels last, this engine channels first. A picture is kept channels first from the input on, and
// axes are translated; it is transposed only where a file does something that mixes the axes (flattening, mostly).
import { lift, type Operand } from "../../../graph/leaves.ts";
import type { Value } from "../../../graph/node.ts";
import { reshape, transpose } from "../../../kernels/movement.ts";
import { FormatError } from "../../../tensor/errors.ts";
import { formatShape, normalizeAxis, numel, type Shape } from "../../../tensor/shape.ts";
import { transposeConstant, type Constant } from "../constant.ts";
import type { ParameterStore } from "../store.ts";

/** A value of the file. With `picture`, the file's [n, h, w, c] is stored as [n, c, h, w]. */
export interface Laid {
  readonly value: Value;
  readonly picture: boolean;
}

export type Item = Laid | Constant;

export const isConstant = (x: Item): x is Constant => "data" in x;
export const laid = (value: Value): Laid => ({ value, picture: false });
export const picture = (value: Value): Laid => ({ value, picture: true });

const TO_FIRST = [0, 3, 1, 2];
const TO_LAST = [0, 2, 3, 1];
/** Where the axes n, h, w, c of the file are stored. */
const STORED_AXIS = [0, 2, 3, 1];

/** The shape that the file means. */
export function fileShape(x: Item): Shape {
  if (isConstant(x)) return x.shape;
  return x.picture ? TO_LAST.map((axis) => x.value.shape[axis]!) : x.value.shape;
}

/** Where an axis of the file is in the stored value. */
export function storedAxis(x: Laid, axis: number): number {
  const at = normalizeAxis("axis", axis, x.value.shape.length);
  return x.picture ? STORED_AXIS[at]! : at;
}

/** As a picture [n, c, h, w]. */
export function asPicture(x: Laid): Value {
  const { shape } = x.value;
  if (x.picture) return x.value;
  if (shape.length !== 4) throw new FormatError(`expected a picture [n, h, w, c], got ${formatShape(shape)}`);
  return permuted(x.value, TO_FIRST, numel(shape.slice(1, 3)) === 1 || shape[3] === 1);
}

/** As the file has it. */
export function asFile(x: Laid): Value {
  if (!x.picture) return x.value;
  const { shape } = x.value;
  return permuted(x.value, TO_LAST, numel(shape.slice(2)) === 1 || shape[1] === 1);
}

/** With one channel, or one pixel, changing the order of the axes moves nothing. */
function permuted(value: Value, perm: readonly number[], still: boolean): Value {
  return still
    ? reshape(
        value,
        perm.map((axis) => value.shape[axis]!),
      )
    : transpose(value, perm);
}

/**
 * Operands of an elementwise operation that broadcast as the file's do.
 * @param name of the operation in the file: under it, constants are kept in the order of pictures
 */
export function aligned(
  store: ParameterStore,
  name: string,
  items: readonly Item[],
): { operands: Operand[]; picture: boolean } {
  if (!items.some((x) => !isConstant(x) && x.picture)) {
    return { operands: items.map((x) => (isConstant(x) ? store.operand(x) : x.value)), picture: false };
  }
  const operands = items.map((x, i): Operand => {
    if (!isConstant(x)) return x.picture ? x.value : asPicture(laid(reshape(x.value, rank4(x.value.shape))));
    if (x.data.length === 1 && x.dtype === "f32") return x.data[0]!;
    const turned = store.derived(`${name}/${i}`, x, () => transposeConstant({ ...x, shape: rank4(x.shape) }, TO_FIRST));
    return lift(store.tensor(turned));
  });
  return { operands, picture: true };
}

const rank4 = (shape: Shape): Shape => [...Array<number>(4 - shape.length).fill(1), ...shape];

/** A model's input: pictures come channels first. */
export function inputItem(value: Value, shape: Shape): Laid {
  return shape.length === 4 ? picture(value) : laid(value);
}

/** Shape of an input as the model takes it, from that of the file without the batch axis. */
export function inputShape(shape: Shape): Shape {
  return shape.length === 3 ? [shape[2]!, shape[0]!, shape[1]!] : shape;
}
