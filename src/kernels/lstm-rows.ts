// Rows of the operands of the LSTM kernels, and the parts of their packed results.
import { broadcastShapes, numel, type Shape } from "../tensor/shape.ts";
import { fill } from "../graph/leaves.ts";
import { is, type Node } from "../graph/node.ts";
import { add, addPrimitive } from "./arithmetic.ts";
import { broadcastTo } from "./broadcast.ts";
import { alignBatch } from "./elementwise.ts";
import { concatPrimitive } from "./join.ts";
import { reshape } from "./movement.ts";
import { padPrimitive, sliceAxis } from "./slice.ts";

export const lead = (x: Node): Shape => x.shape.slice(0, -1);

/**
 * Which row of an operand with leading axes `own` belongs to row r of the result, with leading axes `full`:
 * (r / outer) * inner + r % inner. Undefined if the axes that are missing are not neighbours.
 */
export function rowsOf(own: Shape, full: Shape): [outer: number, inner: number] | undefined {
  const padded = [...Array<number>(full.length - own.length).fill(1), ...own];
  const missing = full.flatMap((n, axis) => (padded[axis] === n ? [] : [axis]));
  if (missing.length === 0) return [1, 1];
  const [first, last] = [missing[0]!, missing.at(-1)!];
  if (padded.slice(first, last + 1).some((n) => n !== 1)) return undefined;
  return [numel(full.slice(first)), numel(full.slice(last + 1))];
}

/**
 * One more leading axis. Operands of the last group always have it; those of the others (the point at which the step is
 * linearised, shared by many tangents) only if they depend on it.
 */
export function batchRows(
  inputs: readonly Node[],
  batched: readonly boolean[],
  size: number,
  groups: readonly (readonly number[])[],
): Node[] {
  const result = [...inputs];
  const put = (group: readonly number[], nodes: readonly Node[]): void =>
    group.forEach((at, i) => (result[at] = nodes[i]!));
  const aligned = (group: readonly number[]): Node[] =>
    alignBatch(
      group.map((at) => inputs[at]!),
      group.map((at) => batched[at]!),
      size,
    );
  const whole = groups.at(-1)!;
  put(whole, aligned(whole));
  const full = lead(result[whole[0]!]!);
  for (const group of groups.slice(0, -1)) {
    const own = group.some((at) => batched[at])
      ? aligned(group).map((x) => withRows(x, full))
      : group.map((at) => withoutGaps(inputs[at]!, full));
    put(group, own);
  }
  return result;
}

/** x [size, ...own, width] with axes of length 1 in between, or repeated where rows could not be found in it. */
function withRows(x: Node, full: Shape): Node {
  const [size, ...own] = lead(x);
  const rows = [size!, ...Array<number>(full.length - 1 - own.length).fill(1), ...own];
  const spaced = reshape(x, [...rows, x.shape.at(-1)!]);
  return rowsOf(rows, full) ? spaced : broadcastTo(spaced, [...full, x.shape.at(-1)!]);
}

/** x as it is, or repeated along its own axes of length 1 where rows of `full` could not be found in it. */
const withoutGaps = (x: Node, full: Shape): Node =>
  rowsOf(lead(x), full) ? x : broadcastTo(x, [...full.slice(1), x.shape.at(-1)!]);

/** Operands with the leading axes that all of them together have. */
export function alignRows(xs: readonly Node[]): Node[] {
  const full = xs.map(lead).reduce((a, b) => broadcastShapes("lstmCell", a, b));
  return xs.map((x) => broadcastTo(x, [...full, x.shape.at(-1)!]));
}

/** A packed pair: [gates, c] of 5 sizes or [h, c'] of 2. */
export const unpack = (x: Node, size: number): [Node, Node] => {
  const width = x.shape.at(-1)!;
  return [part(x, 0, width - size), part(x, width - size, width)];
};

/**
 * Positions start to stop of the last axis. Cotangents of packed results come as sums of padded parts, and their tangents
 * joined: those parts are returned as they are, so that no kernel has to take them apart again.
 */
export function part(x: Node, start: number, stop: number): Node {
  if (is(x, addPrimitive)) return add(part(x.inputs[0]!, start, stop), part(x.inputs[1]!, start, stop));
  const pieces = piecesOf(x);
  const whole = pieces?.find(({ first, last }) => start === first && stop === last);
  if (whole) return whole.node;
  if (pieces?.every(({ first, last }) => stop <= first || start >= last)) return fill([...lead(x), stop - start], 0);
  return sliceAxis(x, -1, start, stop);
}

interface Piece {
  readonly node: Node;
  readonly first: number;
  readonly last: number;
}

/** What a pad or a concat along the last axis is made of; zeros elsewhere. */
function piecesOf(x: Node): Piece[] | undefined {
  const axis = x.shape.length - 1;
  if (is(x, concatPrimitive) && x.attrs["axis"] === axis) {
    let last = 0;
    return x.inputs.map((node) => ({ node, first: last, last: (last += node.shape[axis]!) }));
  }
  if (x.primitive.uid !== padPrimitive.uid) return undefined;
  const { low, high, interior } = x.attrs as { low: number[]; high: number[]; interior: number[] };
  if (interior.some((n) => n !== 0) || [...low.slice(0, -1), ...high.slice(0, -1)].some((n) => n !== 0))
    return undefined;
  const node = x.inputs[0]!;
  return [{ node, first: low[axis]!, last: low[axis]! + node.shape[axis]! }];
}
