// Softmax over the last axis, and its tangent y (t - sum(y t)), which is symmetric in t and so its own transpose.
import { assertDType } from "../tensor/checks.ts";
import { normalizeAxis, numel } from "../tensor/shape.ts";
import { fill, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type KernelCall, type Primitive } from "../graph/primitive.ts";
import { addPresent, mul, sub } from "./arithmetic.ts";
import { broadcastTo, sum } from "./broadcast.ts";
import { moveAxis } from "./movement.ts";
import { logSumExp } from "./reduce.ts";
import softmaxWgsl from "./wgsl/softmax.wgsl";
import softmaxTangentWgsl from "./wgsl/softmax_tangent.wgsl";

type NoAttrs = Record<never, never>;

const WORKGROUP = 64;

function rowsCall(wgsl: string, node: Node<NoAttrs>, flops: number): KernelCall {
  const length = node.shape.at(-1)!;
  const rows = numel(node.shape) / length;
  return { wgsl, uniforms: [rows, length], workgroups: Math.ceil(rows / WORKGROUP), flops: flops * rows * length };
}

/** With four neighbours at a time where they are all of one row. */
function softmaxCall(node: Node<NoAttrs>): KernelCall {
  const call = rowsCall(softmaxWgsl, node, 50);
  if (node.shape.at(-1)! % 4 !== 0) return call;
  return { ...call, wide: { ...call, constants: { LANES: 4, Lane: "vec4<f32>" } } };
}

export const softmaxPrimitive: Primitive<NoAttrs> = /* @__PURE__ */ primitive<NoAttrs>({
  name: "softmax",
  aval([x]) {
    assertDType("softmax", x!, "f32");
    return { shape: x!.shape, dtype: "f32" };
  },
  lowering: { kind: "kernel", prologues: { 0: "x" }, call: softmaxCall },
  jvp: (y, [t]) => (t ? softmaxTangent(y, t) : null),
  batch: ([x]) => apply(softmaxPrimitive, [x!], {}),
  fold: ([x]) => (x!.shape.at(-1) === 1 ? fill(x!.shape, 1) : undefined),
});

export const softmaxTangentPrimitive: Primitive<NoAttrs> = /* @__PURE__ */ primitive<NoAttrs>({
  name: "softmaxTangent",
  aval: ([y]) => ({ shape: y!.shape, dtype: "f32" }),
  lowering: { kind: "kernel", prologues: { 0: "y", 1: "t" }, call: (node) => rowsCall(softmaxTangentWgsl, node, 4) },
  jointlyLinear: [1],
  jvp: ({ inputs: [y, t] }, [dy, dt]) =>
    addPresent([dt ? softmaxTangent(y!, dt) : null, dy ? alongWeights(y!, t!, dy) : null]),
  transpose: (ct, { inputs: [y] }) => softmaxTangent(y!, ct),
  batch: (inputs, batched, attrs, size) =>
    apply(
      softmaxTangentPrimitive,
      inputs.map((x, i) => (batched[i] ? x : broadcastTo(x, [size, ...x.shape]))),
      attrs,
    ),
});

const softmaxTangent = (y: Node, t: Node): Node => apply(softmaxTangentPrimitive, [y, t], {});

/** Derivative of y (t - sum(y t)) along dy. */
function alongWeights(y: Node, t: Node, dy: Node): Node {
  const dot = (a: Node, b: Node): Node => sum(mul(a, b), -1, { keepDims: true });
  return sub(mul(dy, sub(t, dot(y, t))), mul(y, dot(dy, t)));
}

/** exp(x) / sum(exp(x)) along `axis` (default: the last), without overflow. */
export function softmax(x: Operand, axis = -1): Value {
  const value = lift(x);
  const at = normalizeAxis("softmax", axis, value.shape.length);
  return moveAxis(apply(softmaxPrimitive, [moveAxis(value, at, -1)], {}), -1, at);
}

/** log(softmax(x)) along `axis` (default: the last), exact also where the softmax underflows. */
export function logSoftmax(x: Operand, axis = -1): Value {
  const value = lift(x);
  return sub(value, logSumExp(value, normalizeAxis("logSoftmax", axis, value.shape.length), { keepDims: true }));
}
