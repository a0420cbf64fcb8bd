// Shapes of a model's inputs: what the file says, or what the caller gives where the file leaves dimensions open.
import { ArgumentError, FormatError } from "../../tensor/errors.ts";
import { formatShape, type Shape } from "../../tensor/shape.ts";

/** Shapes without the batch axis: one for every input, or by name. They take precedence over the file. */
export type InputShapes = Shape | Readonly<Record<string, Shape>>;

/** A file leaves dimensions of an input open, and `inputShapes` does not give them. */
export class OpenShapeError extends FormatError {
  override name = "OpenShapeError";
}

const isShape = (shapes: InputShapes): shapes is Shape => Array.isArray(shapes);

/**
 * The shape of an input without the batch axis.
 * @param format of the file, for messages
 * @param fromFile extents without the batch axis: a number, or a name or nothing for an open one; undefined for any rank
 * @throws OpenShapeError when an extent is open, ArgumentError when the given shape is none
 */
export function shapeOfInput(
  format: string,
  name: string,
  fromFile: readonly (number | string | null | undefined)[] | undefined,
  shapes: InputShapes | undefined,
): Shape {
  const given = shapes && (isShape(shapes) ? shapes : Object.hasOwn(shapes, name) ? shapes[name] : undefined);
  if (given) {
    if (given.every(isExtent)) return given;
    throw new ArgumentError(`inputShapes: expected whole numbers above 0 for "${name}", got ${formatShape(given)}`);
  }
  if (fromFile?.every(isExtent)) return fromFile;
  const known = fromFile?.map((length) => (isExtent(length) || (typeof length === "string" && length) ? length : "?"));
  throw new OpenShapeError(
    `${format}: input "${name}" [${["batch", ...(known ?? ["any shape"])].join(", ")}] leaves dimensions open; ` +
      `give them as inputShapes: { "${name}": [...] }`,
  );
}

const isExtent = (length: unknown): length is number => Number.isSafeInteger(length) && (length as number) > 0;
