// Reductions. On constants (products of shapes, mostly) they are computed at once.
import * as ops from "../../../kernels/index.ts";
import { abs, square } from "../../../kernels/arithmetic.ts";
import { log, sqrt } from "../../../kernels/functions.ts";
import type { Value } from "../../../graph/node.ts";
import { normalizeAxes, normalizeAxis, stridesOf } from "../../../tensor/shape.ts";
import { constantOf, numbersOf, type Constant } from "../constant.ts";
import { axesOf, fail, int, isConstant, item, value } from "./call.ts";
import type { Call, Item, Operator } from "./call.ts";

type Reduce = (x: Value, axes: readonly number[], options: ops.ReduceOptions) => Value;

function reduction(reduce: Reduce | undefined, known?: (values: readonly number[]) => number): Operator {
  return (call) => {
    const x = item(call, 0);
    const given = axesOf(call, 1);
    const keepDims = int(call, "keepdims", 1) === 1;
    // No axes, or an empty list of them, are all axes, unless the node says that they are none.
    if (!given?.length && int(call, "noop_with_empty_axes", 0) === 1) return x;
    const rank = isConstant(x) ? x.shape.length : value(call, 0).shape.length;
    const axes = normalizeAxes(call.node.opType, given?.length ? given : undefined, rank);
    if (isConstant(x) && known) return reduceConstant(x, axes, keepDims, known);
    return reduce
      ? reduce(value(call, 0), axes, { keepDims })
      : fail(call, "of a value that depends on the model's input is not supported");
  };
}

function reduceConstant(
  c: Constant,
  axes: readonly number[],
  keepDims: boolean,
  f: (values: readonly number[]) => number,
): Item {
  const strides = stridesOf(c.shape);
  const groups = new Map<string, number[]>();
  numbersOf(c).forEach((v, flat) => {
    const at = c.shape.map((length, axis) => (axes.includes(axis) ? 0 : Math.floor(flat / strides[axis]!) % length));
    const group = groups.get(at.join());
    if (group) group.push(v);
    else groups.set(at.join(), [v]);
  });
  const shape = c.shape.flatMap((length, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [length]));
  return constantOf([...groups.values()].map(f), shape, c.dtype);
}

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const argmax: Operator = (call: Call) => {
  if (int(call, "select_last_index", 0)) fail(call, "selects the last index, which is not supported");
  const x = value(call, 0);
  const axis = normalizeAxis("ArgMax", int(call, "axis", 0), x.shape.length);
  return ops.argmax(x, axis, { keepDims: int(call, "keepdims", 1) === 1 });
};

export const reduceOperators: Readonly<Record<string, Operator>> = {
  ReduceSum: reduction(ops.sum, total),
  ReduceMean: reduction(ops.mean, (values) => total(values) / values.length),
  ReduceMax: reduction(ops.max, (values) => values.reduce((a, b) => Math.max(a, b))),
  ReduceMin: reduction(ops.min, (values) => values.reduce((a, b) => Math.min(a, b))),
  ReduceProd: reduction(undefined, (values) => values.reduce((a, b) => a * b, 1)),
  ReduceSumSquare: reduction((x, axes, o) => ops.sum(square(x), axes, o)),
  ReduceL1: reduction((x, axes, o) => ops.sum(abs(x), axes, o)),
  ReduceL2: reduction((x, axes, o) => sqrt(ops.sum(square(x), axes, o))),
  ReduceLogSum: reduction((x, axes, o) => log(ops.sum(x, axes, o))),
  ReduceLogSumExp: reduction(ops.logSumExp),
  ArgMax: argmax,
};
