// Which rows of the matrix of interactions a caller asks for.
import { assertWhole } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import type { HessianRows } from "./hessian-plan.ts";

export interface RowOptions {
  readonly rows?: readonly number[];
  readonly groups?: ArrayLike<number>;
  readonly pairs?: readonly (readonly [number, number])[];
}

/**
 * @param features N: elements of one example
 * @throws ArgumentError for features that do not exist, groups that leave a number out, or more than one request
 */
export function chosenRows(features: number, { rows, groups, pairs }: RowOptions): HessianRows {
  const asked = Object.entries({ rows, groups, pairs }).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (asked.length > 1) throw new ArgumentError(`${asked.join(" and ")}: ask for one of them at a time`);
  const checked = (what: string, i: number): number => {
    if (Number.isInteger(i) && i >= 0 && i < features) return i;
    throw new ArgumentError(`${what}: feature ${i} does not exist; an example has ${features}, 0 to ${features - 1}`);
  };
  if (groups) return grouped(groups, features);
  if (rows)
    return {
      ids: nonEmpty(
        "rows",
        unique(
          rows.map((i) => checked("rows", i)),
          rows.length,
        ),
      ),
    };
  if (!pairs) return { ids: Array.from({ length: features }, (_, i) => i) };
  pairs.forEach((pair) => pair.forEach((i) => checked("pairs", i)));
  return { ids: nonEmpty("pairs", [...new Set(pairs.map(([i]) => i))]) };
}

function unique(ids: readonly number[], count: number): readonly number[] {
  if (new Set(ids).size === count) return ids;
  throw new ArgumentError(`rows: ${ids.join(", ")} names a feature twice`);
}

function nonEmpty(what: string, ids: readonly number[]): readonly number[] {
  if (ids.length > 0) return ids;
  throw new ArgumentError(`${what}: expected at least one, got none`);
}

function grouped(groups: ArrayLike<number>, features: number): HessianRows {
  const labels = Array.from(groups);
  if (labels.length !== features)
    throw new ArgumentError(
      `groups: expected a group for each of ${features} features of an example, got ${labels.length}`,
    );
  const wrong = labels.find((g) => !Number.isInteger(g) || g < -1);
  if (wrong !== undefined)
    throw new ArgumentError(`groups: expected whole numbers from 0 on, or -1 for none, got ${wrong}`);
  const count = labels.reduce((most, g) => Math.max(most, g + 1), 0);
  const present = new Set(labels);
  // Not all of 0 to count: a label may be any number, as that of a segment.
  const missing = labels.findIndex((_, g) => g < count && !present.has(g));
  if (missing >= 0) throw new ArgumentError(`groups: no feature is in group ${missing} of 0 to ${count - 1}`);
  return {
    ids: nonEmpty(
      "groups",
      Array.from({ length: count }, (_, g) => g),
    ),
    labels,
    groups: count,
  };
}

/**
 * Groups of features along one axis of an example: tokens of [T, E] (axis 0), columns, channels.
 * @param shape of one example
 */
export function groupsAlong(shape: Shape, axis: number): Int32Array {
  const at = axis < 0 ? axis + shape.length : axis;
  const count = shape[at];
  if (count === undefined)
    throw new ArgumentError(`groupsAlong: axis ${axis} does not exist in an example with ${shape.length} axes`);
  const inner = numel(shape.slice(at + 1));
  return Int32Array.from({ length: numel(shape) }, (_, i) => Math.floor(i / inner) % count);
}

/**
 * Groups of the pixels of an example [..., H, W] by square patches, numbered row by row; all channels of a patch belong
 * together. Patches at the right and lower edge may be smaller.
 * @param size of a patch in pixels, at least 1
 * @param layout "NHWC" for examples [H, W, C]; default "NCHW"
 */
export function patchGroups(
  shape: Shape,
  size: number,
  { layout = "NCHW" }: { layout?: "NCHW" | "NHWC" } = {},
): Int32Array {
  assertWhole("patchGroups", size, 1);
  const [height, width] = layout === "NCHW" ? shape.slice(-2) : shape.slice(-3, -1);
  const channels = layout === "NCHW" ? 1 : shape.at(-1)!;
  if (height === undefined || width === undefined)
    throw new ArgumentError("patchGroups: expected an example [..., H, W], or [H, W, C] if its layout is NHWC");
  const columns = Math.ceil(width / size);
  return Int32Array.from({ length: numel(shape) }, (_, i) => {
    const pixel = Math.floor(i / channels);
    const [row, column] = [Math.floor(pixel / width) % height, pixel % width];
    return Math.floor(row / size) * columns + Math.floor(column / size);
  });
}
