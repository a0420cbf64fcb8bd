// If, Loop and sequences. Graphs here are static: conditions and trip counts must be known beforehand, and a loop is
// written out. Exporters emit such loops for plain index arithmetic, which then folds into constants.
import { expandDims } from "../../../kernels/movement.ts";
import { constantOf, numbersOf, scalarOf } from "../constant.ts";
import { constant, fail, graphAttribute, int, isConstant, isSequence, item, shapeOf } from "./call.ts";
import { concatenated } from "./ops-movement.ts";
import type { Call, Item, Operator, Sequence } from "./call.ts";

/** Loops that go round more often, and sequences that grow longer, are refused: a loop is written out into so many copies. */
const MAX_TRIPS = 1024;

const conditional: Operator = (call) => {
  const taken = constant(call, 0).data[0] ? "then_branch" : "else_branch";
  return call.run(graphAttribute(call, taken), []);
};

const loop: Operator = (call) => {
  const body = graphAttribute(call, "body");
  const trips = call.inputs[0] === undefined ? Infinity : constant(call, 0).data[0]!;
  let going: Item = call.inputs[1] ?? scalarOf(1, "bool");
  let carried = call.inputs.slice(2) as Item[];
  const scanned: Item[][] = body.output.slice(1 + carried.length).map(() => []);
  for (let i = 0; i < trips; i++) {
    if (!isConstant(going))
      fail(call, "goes on depending on the model's input; only loops of a fixed length are supported");
    if (!going.data[0]) break;
    if (i >= MAX_TRIPS) fail(call, `goes round more than ${MAX_TRIPS} times`);
    const names = body.input.map((input) => input.name);
    const outputs = call.run(
      body,
      [scalarOf(i), going, ...carried].map((x, k) => [names[k]!, x] as const),
    );
    going = outputs[0]!;
    carried = outputs.slice(1, 1 + carried.length);
    scanned.forEach((list, k) => list.push(outputs[1 + carried.length + k]!));
  }
  return [
    ...carried,
    ...scanned.map((list) =>
      concatenated(
        call,
        list.map((x) => withLeadingAxis(call, x)),
        0,
      ),
    ),
  ];
};

function withLeadingAxis(call: Call, x: Item): Item {
  if (isSequence(x)) return fail(call, "collects sequences, which is not supported");
  return isConstant(x) ? constantOf(x.data, [1, ...x.shape], x.dtype) : expandDims(x, 0);
}

function sequence(call: Call, i: number): Sequence {
  const x = item(call, i);
  return isSequence(x) ? x : fail(call, `needs a sequence as input ${i}`);
}

const insert: Operator = (call) => {
  const { items } = sequence(call, 0);
  if (items.length >= MAX_TRIPS) fail(call, `makes a sequence of more than ${MAX_TRIPS} items`);
  const at = call.inputs[2] === undefined ? items.length : constant(call, 2).data[0]!;
  return { items: items.toSpliced(at, 0, item(call, 1)) };
};

const join: Operator = (call) => {
  const { items } = sequence(call, 0);
  if (items.length === 0) fail(call, "joins an empty sequence");
  const axis = int(call, "axis", 0);
  const stacked = int(call, "new_axis", 0) === 1;
  if (stacked && axis !== 0) fail(call, "stacks along an axis other than 0, which is not supported");
  const parts = stacked ? items.map((x) => withLeadingAxis(call, x)) : items;
  return concatenated(call, parts, axis < 0 ? axis + shapeOf(parts[0]!).length : axis);
};

export const controlOperators: Readonly<Record<string, Operator>> = {
  If: conditional,
  Loop: loop,
  SequenceEmpty: () => ({ items: [] }),
  SequenceConstruct: (call) => ({ items: call.inputs as Item[] }),
  SequenceInsert: insert,
  SequenceAt: (call) =>
    sequence(call, 0).items.at(numbersOf(constant(call, 1))[0]!) ?? fail(call, "asks beyond the end"),
  SequenceLength: (call) => scalarOf(sequence(call, 0).items.length),
  ConcatFromSequence: join,
};
