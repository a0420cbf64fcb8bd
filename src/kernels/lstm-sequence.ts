// All steps of an LSTM in one dispatch. Packed results hold, per step, six sizes: z (the gates i, f, g, o before their
// nonlinearities), then h, then c. Linearised, the steps are a system x = s + N x with sources s, where N leads from each step
// to the next: its solution x = L s, that of its transpose, and what moves when N does (L N' x) give derivatives of all orders.
import { numel, type Shape } from "../tensor/shape.ts";
import { fill, fillValue } from "../graph/leaves.ts";
import { apply, is, type Node, type Value } from "../graph/node.ts";
import { primitive, type Attrs, type KernelCall, type Primitive, type Tangent } from "../graph/primitive.ts";
import { addPresent } from "./arithmetic.ts";
import { stopGradientPrimitive } from "./choice.ts";
import { alignBatch } from "./elementwise.ts";
import { concat, pad, stack } from "./join.ts";
import type { LstmAttrs } from "./lstm-definition.ts";
import { lstmCotangentPrimitive, lstmTangentPrimitive } from "./lstm.ts";
import { batchRows, lead, part, rowsOf, unpack } from "./lstm-rows.ts";
import { matmul } from "./matmul.ts";
import { expandDims, reshape, transpose } from "./movement.ts";
import { index, sliceAxis } from "./slice.ts";
import sequenceWgsl from "./wgsl/lstm_sequence.wgsl";
import cotangentWgsl from "./wgsl/lstm_sequence_cotangent.wgsl";
import linearWgsl from "./wgsl/lstm_sequence_linear.wgsl";
import tangentWgsl from "./wgsl/lstm_sequence_tangent.wgsl";

/** `reverse`: from the last step to the first. `given`: weights are as kernels load them, and which sources there are. */
type SequenceAttrs = { readonly reverse: boolean; readonly given?: number };
type LinearAttrs = SequenceAttrs & { readonly transposed: boolean };

/** Invocations of a workgroup that every adapter grants. */
export const MOST_UNITS = 256;

/**
 * Whether one dispatch for all steps is the better choice. It reads the recurrent weights again at every step in every
 * workgroup of four sequences: with more than 64 units separate products are faster. A software adapter takes as long to build
 * its kernels as to plan some fifty steps (docs/performance.md).
 */
export const fitsSequence = (units: number, steps: number, software: boolean): boolean =>
  units > 0 && units <= 64 && (steps >= 48 || !software);

const ORDER: LstmAttrs = { order: "ifgo" };
const ROWS = 4;
const rowsIn = (x: Node): Shape => x.shape.slice(0, -2);
const stepsIn = (x: Node): number => x.shape.at(-2)!;
const sizeOf = (packed: Node): number => packed.shape.at(-1)! / 6;

/** Parts of a packed value. */
const gatesOf = (x: Node): Node => part(x, 0, 4 * sizeOf(x));
const hiddenOf = (x: Node): Node => part(x, 4 * sizeOf(x), 5 * sizeOf(x));
const cellOf = (x: Node): Node => part(x, 5 * sizeOf(x), 6 * sizeOf(x));

/** What each step sees of the one at its left (`right` false: at its right); `edge` [..., 1, n] at the end, default zeros. */
function shifted(x: Node, right: boolean, edge: Node = fill([...rowsIn(x), 1, x.shape.at(-1)!], 0)): Node {
  const kept = sliceAxis(x, -2, right ? 0 : 1, stepsIn(x) - (right ? 1 : 0));
  return concat(right ? [edge, kept] : [kept, edge], -2);
}

/** Weights [n, 4 n] as the kernels load them: [n, n, 4], or [n, 4, n] for the transpose; contracted axes rounded up to 4. */
function arranged(weights: Node, transposed: boolean): Value {
  const size = weights.shape[0]!;
  const gates = reshape(weights, [size, 4, size]);
  const extra = [0, -size & 3] as const;
  const none = [0, 0] as const;
  return transposed ? pad(gates, [none, none, extra]) : pad(transpose(gates, [0, 2, 1]), [extra, none, none]);
}

/** The node with weights as its kernel loads them, and in place of zeros (by now copies of them) something that is there. */
function readied<A extends SequenceAttrs>(node: Node<A>, of: Primitive<A>, at: number, transposed: boolean) {
  if (node.attrs.given !== undefined) return undefined;
  const weights = arranged(node.inputs[at]!, transposed);
  const absent = node.inputs.map((x, i) => i > 2 && fillValue(is(x, stopGradientPrimitive) ? x.inputs[0]! : x) === 0);
  const inputs = node.inputs.map((x, i) => (i === at || absent[i] ? weights : x));
  const given = absent.slice(3).reduce((bits, none, i) => bits + (none ? 0 : 1 << i), 0);
  return apply(of, inputs, { ...node.attrs, given });
}

function call(wgsl: string, node: Node<SequenceAttrs>, rows: readonly number[], perUnit: number): KernelCall {
  const [count, steps, size] = [numel(rowsIn(node)), stepsIn(node), sizeOf(node)];
  return {
    wgsl,
    uniforms: [count, steps, size, ...(node.attrs.reverse ? [steps - 1, 0xffffffff] : [0, 1]), ...rows],
    workgroups: Math.ceil(count / ROWS),
    constants: { UNITS: Math.ceil(size / 4) * 4 },
    flops: count * steps * size * (8 * size + perUnit),
  };
}

/** Every example on its own: for weights that differ between them. */
const oneByOne = <A extends Attrs>(of: Primitive<A>, inputs: readonly Node[], batched: readonly boolean[], attrs: A) =>
  stack(
    Array.from({ length: inputs[batched.indexOf(true)]!.shape[0]! }, (_, at) =>
      apply(
        of,
        inputs.map((x, i) => (batched[i] ? index(x, 0, at) : x)),
        attrs,
      ),
    ),
  );

// ---- the steps -----------------------------------------------------------------------------------------------------

/** gates [..., T, 4 n], weights [n, 4 n], c [..., n] -> [..., T, 6 n]. */
export const lstmSequencePrimitive: Primitive<SequenceAttrs> = /* @__PURE__ */ primitive<SequenceAttrs>({
  name: "lstmSequence",
  aval: ([gates, , c]) => ({ shape: [...lead(gates!), 6 * c!.shape.at(-1)!], dtype: "f32" }),
  lowering: {
    kind: "kernel",
    epilogue: false,
    expand: (node) => readied(node, lstmSequencePrimitive, 1, false),
    call: (node) => call(sequenceWgsl, node, [], 110),
  },
  jvp(node, [p, w, q]) {
    const { reverse } = node.attrs;
    const [, weights, c] = node.inputs as [Node, Node, Node];
    const steps = stepsIn(node);
    const first = reverse ? steps - 1 : 0;
    const atFirst = (x: Node): Node =>
      pad(expandDims(x, -2), [...rowsIn(node).map(() => [0, 0] as const), [first, steps - 1 - first], [0, 0]]);
    const started = q ? unpack(firstStep(index(node, -2, first), c, q), sizeOf(node)).map(atFirst) : [null, null];
    const gates = addPresent([p!, w ? matmul(shifted(hiddenOf(node), !reverse), w) : null]);
    const before = shifted(cellOf(node), !reverse, expandDims(c, -2));
    return solved([node, before, weights], [gates, ...started], { reverse, transposed: false });
  },
  batch: (inputs, batched, attrs, size) => {
    if (batched[1]) return oneByOne(lstmSequencePrimitive, inputs, batched, attrs);
    const [gates, c] = alignBatch([inputs[0]!, inputs[2]!], [batched[0]!, batched[2]!], size);
    return apply(lstmSequencePrimitive, [gates!, inputs[1]!, c!], attrs);
  },
});

/** What a tangent of c before the first step adds to its h and c. */
const firstStep = (step: Node, c: Node, q: Node): Node =>
  apply(lstmTangentPrimitive, [gatesOf(step), c, fill([...lead(c), 4 * sizeOf(step)], 0), q], ORDER);

// ---- their linear system ---------------------------------------------------------------------------------------------

/**
 * point [..., T, 6 n] as lstmSequence makes it, before [..., T, n] (c before each step), weights [n, 4 n], and sources of z
 * [..., T, 4 n], h and c [..., T, n] -> [..., T, 6 n]. Many sources may share a point.
 */
export const lstmLinearPrimitive: Primitive<LinearAttrs> = /* @__PURE__ */ primitive<LinearAttrs>({
  name: "lstmLinear",
  aval: ([, before, , ...sources], { given = 1 }) => ({
    shape: [...lead(sources[given & 1 ? 0 : given & 2 ? 1 : 2]!), 6 * before!.shape.at(-1)!],
    dtype: "f32",
  }),
  lowering: {
    kind: "kernel",
    epilogue: false,
    expand: (node) => readied(node, lstmLinearPrimitive, 2, node.attrs.transposed),
    call(node) {
      const rows = rowsOf(lead(node.inputs[0]!), lead(node))!.map((n) => Math.ceil(n / stepsIn(node)));
      const wgsl = `${linearWgsl}\n${node.attrs.transposed ? cotangentWgsl : tangentWgsl}`;
      return call(wgsl, node, [...rows, node.attrs.given!], 140);
    },
  },
  jointlyLinear: [3, 4, 5],
  jvp(node, [point, before, weights, ...sources]) {
    const moved = node.attrs.transposed ? movedBack : movedOn;
    const more = moved(node, point ? gatesOf(point) : null, before!, weights!);
    return solved(
      node.inputs,
      sources.map((t, i) => addPresent([t, more[i]!])),
      node.attrs,
    );
  },
  transpose(ct, { inputs, attrs }, argument) {
    const parts = [gatesOf, hiddenOf, cellOf];
    const sources = parts.map((of) => of(ct));
    return parts[argument - 3]!(solved(inputs, sources, { ...attrs, transposed: !attrs.transposed }));
  },
  batch: (inputs, batched, attrs, size) =>
    batched[2]
      ? oneByOne(lstmLinearPrimitive, inputs, batched, attrs)
      : apply(lstmLinearPrimitive, batchRows(inputs, batched, size, [[0, 1], [3, 4, 5]]), attrs), // prettier-ignore
  fold: (inputs, _, shape) => (inputs.slice(3).every((x) => fillValue(x) === 0) ? fill(shape, 0) : undefined),
});

/** x for sources of which some may be absent, at the point and with the weights that `at` begins with. */
function solved(at: readonly Node[], sources: readonly Tangent[], attrs: LinearAttrs): Node {
  const rows = lead(sources.find((x) => x !== null)!);
  const all = sources.map((x, i) => x ?? fill([...rows, at[1]!.shape.at(-1)! * (i === 0 ? 4 : 1)], 0));
  return apply(lstmLinearPrimitive, [...at.slice(0, 3), ...all], attrs);
}

/** The parts of N' x, where the point and the weights move. */
type Moved = (node: Node<LinearAttrs>, gates: Tangent, before: Tangent, recurrent: Tangent) => Tangent[];

const movedOn: Moved = (node, gates, before, recurrent) => {
  const right = !node.attrs.reverse;
  const [point, last] = node.inputs as [Node, Node];
  const at = [gatesOf(point), last, gatesOf(node), shifted(cellOf(node), right)];
  const step = apply(lstmTangentPrimitive, at, ORDER) as Node<LstmAttrs>;
  const bent = gates || before ? lstmTangentPrimitive.jvp!(step, [gates, before, null, null])! : null;
  return [
    recurrent && matmul(shifted(hiddenOf(node), right), recurrent),
    ...(bent ? unpack(bent, sizeOf(node)) : [null, null]),
  ];
};

const movedBack: Moved = (node, gates, before, recurrent) => {
  const right = node.attrs.reverse;
  const [point, last] = node.inputs as [Node, Node];
  const at = [gatesOf(point), last, hiddenOf(node), cellOf(node)];
  const step = apply(lstmCotangentPrimitive, at, ORDER) as Node<LstmAttrs>;
  const bent = gates || before ? lstmCotangentPrimitive.jvp!(step, [gates, before, null, null])! : null;
  const [ofGates, ofCell] = bent ? unpack(bent, sizeOf(node)) : [null, null];
  const back = recurrent && matmul(shifted(gatesOf(node), right), recurrent, { transposeB: true });
  return [ofGates, back, ofCell && shifted(ofCell, right)];
};

// ---- for the layers --------------------------------------------------------------------------------------------------

/**
 * h and c after every step, each [B, T, n].
 * @param gates [B, T, 4 n]: i, f, g, o of the inputs, biases (and, at the first step, h R) included
 * @param recurrent [n, 4 n]
 * @param c [B, n] before the first step
 */
export function lstmSteps(gates: Value, recurrent: Value, c: Value, reverse: boolean): [h: Value, c: Value] {
  const all = apply(lstmSequencePrimitive, [gates, recurrent, c], { reverse });
  return [hiddenOf(all), cellOf(all)];
}
