// Files are often exported for one example: shapes computed with that in mind are wrong for two. Such a graph is traced for
// one example, and the batch is added by the same transformation that adds path steps.
import { batchAll } from "../../autograd/index.ts";
import { input } from "../../graph/leaves.ts";
import type { Node, Value } from "../../graph/node.ts";
import { reshape } from "../../kernels/movement.ts";
import { ArgumentError, ShapeError } from "../../tensor/errors.ts";
import { formatShape } from "../../tensor/shape.ts";
import type { Model } from "../model.ts";

type Values = Readonly<Record<string, Value>>;

/**
 * Traces `run` for the leading extents that a file fixes.
 * @param fixed leading extent of each input in the file; inputs that are absent here take any
 * @param tapped whether `run` calls a tap: it would see one example, so that batches are refused
 * @returns outputs as `run` gives them, [batch, ...]
 */
export function withFixedBatch(
  fixed: ReadonlyMap<string, number>,
  given: Values,
  tapped: boolean,
  run: (inputs: Values) => readonly Node[],
): readonly Node[] {
  const other = Object.entries(given).filter(([name, value]) => (fixed.get(name) ?? value.shape[0]) !== value.shape[0]);
  if (other.length === 0) return run(given);
  const size = other[0]![1].shape[0]!;
  for (const [name, value] of other) {
    if (fixed.get(name) === 1 && value.shape[0] === size) continue;
    throw new ShapeError(
      `input "${name}" has shape ${formatShape(value.shape)}; the file fixes its first extent to ${fixed.get(name)}`,
    );
  }
  if (tapped)
    throw new ArgumentError(
      `the file fixes the batch size to 1, got ${size} examples: with a tap, trace the model for one example and batch the result`,
    );
  const single = new Map(other.map(([name, value]) => [name, input([1, ...value.shape.slice(1)], value.dtype, name)]));
  const outputs = run({ ...given, ...Object.fromEntries(single) });
  const replaced = new Map(
    other.map(([name, value]) => [single.get(name)!, reshape(value, [size, 1, ...value.shape.slice(1)])]),
  );
  // [batch, 1, ...] to [batch, ...]; an output without the axis of examples keeps all of its own.
  return batchAll(outputs, replaced, size).map((y) => (y.shape[1] === 1 ? reshape(y, [size, ...y.shape.slice(2)]) : y));
}

/**
 * Traces a freshly loaded model once, for as many examples as its file fixes, or one: finds what is not supported, and
 * uploads the weights that are used. When that fails, nothing stays on the device.
 */
export function traceOnce(model: Model, fixed: ReadonlyMap<string, number> = new Map()): Model {
  try {
    const values = model.inputs.map(
      ({ name, shape, dtype }) => [name, input([fixed.get(name) ?? 1, ...shape], dtype, name)] as const,
    );
    model.apply(Object.fromEntries(values));
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}
