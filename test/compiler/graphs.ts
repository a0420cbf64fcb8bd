// Graphs of many kinds, for what must hold for every program.
import { grad, hessian, hvp, jacobian } from "../../src/autograd/index.ts";
import { vjpGraph } from "../../src/autograd/transpose.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Node, Value } from "../../src/graph/node.ts";
import { reachable, trace, type Graph } from "../../src/graph/trace.ts";
import {
  add,
  avgPool2d,
  concat,
  conv2d,
  layerNorm,
  logSoftmax,
  matmul,
  maxPool2d,
  mul,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  softplus,
  sum,
  tanh,
  transpose,
} from "../../src/kernels/index.ts";
import { families } from "../battery/all.ts";

type Fn = (...xs: Value[]) => Value;
const shaped = (...shapes: (readonly number[])[]) => shapes.map((shape) => ({ shape }));

const mlp: Fn = (x, w1, b1, w2, b2) => add(matmul(softplus(add(matmul(x, w1), b1)), w2), b2);
const mlpSpecs = shaped([3, 8], [8, 16], [16], [16, 4], [4]);

/** [N, 1, 12, 12] -> [N, 4] */
const cnn: Fn = (x, k1, b1, k2, w) => {
  const first = maxPool2d(relu(add(conv2d(x, k1, { padding: 1 }), reshape(b1, [-1, 1, 1]))), { kernel: 2 });
  const second = avgPool2d(tanh(conv2d(first, k2)), { kernel: 2 });
  return logSoftmax(matmul(reshape(second, [x.shape[0]!, -1]), w));
};
const cnnSpecs = shaped([2, 1, 12, 12], [4, 1, 3, 3], [4], [6, 4, 3, 3], [24, 4]);

const attention: Fn = (tokens, q, k, v) => {
  const normal = layerNorm(tokens, { epsilon: 0.01 });
  const heads = (w: Value): Value => transpose(reshape(matmul(normal, w), [2, 5, 2, 4]), [0, 2, 1, 3]);
  const weights = softmax(matmul(heads(q), heads(k), { transposeB: true }));
  return add(tokens, reshape(transpose(matmul(weights, heads(v)), [0, 2, 1, 3]), [2, 5, 8]));
};
const attentionSpecs = shaped([2, 5, 8], [8, 8], [8, 8], [8, 8]);

/** Gates, slices and concatenations: many small values with crossing lifetimes. */
const lstm: Fn = (x, h, w) => {
  let [state, cell] = [h, mul(h, 0)];
  for (let t = 0; t < 4; t++) {
    const gates = matmul(concat([slice(x, [0, t * 3], [2, t * 3 + 3]), state], 1), w);
    const [i, f, g, o] = [0, 1, 2, 3].map((k) => slice(gates, [0, k * 5], [2, k * 5 + 5])) as [
      Value,
      Value,
      Value,
      Value,
    ];
    cell = add(mul(sigmoid(f), cell), mul(sigmoid(i), tanh(g)));
    state = mul(sigmoid(o), tanh(cell));
  }
  return state;
};
const lstmSpecs = shaped([2, 12], [2, 5], [8, 20]);

/** Adds v, in front of the function's own arguments, for Hessian-vector products. */
const product = (f: Fn, specs: { shape: readonly number[] }[]): Graph =>
  trace((v, x, ...rest) => hvp((y) => sum(mul(f(y, ...rest), f(y, ...rest))))(x, v), [specs[0]!, ...specs]);
const gradients = (f: Fn, specs: { shape: readonly number[] }[]): Graph =>
  trace((...xs) => xs.map((_, argument) => grad((...ys) => sum(mul(f(...ys), f(...ys))), { argument })(...xs)), specs);

const wide = (join: (xs: Value[]) => Value): Graph =>
  trace((...xs) => join(xs), shaped(...Array<number[]>(12).fill([6, 5])));

export const graphs: Readonly<Record<string, Graph>> = {
  "dense network": trace(mlp, mlpSpecs),
  "gradients of a dense network": gradients(mlp, mlpSpecs),
  "Hessian of a dense network": trace((x, ...rest) => hessian((y) => sum(mlp(y, ...rest)))(x), mlpSpecs),
  "convolutional network": trace(cnn, cnnSpecs),
  "gradients of a convolutional network": gradients(cnn, cnnSpecs),
  "Hessian-vector product of a convolutional network": product(cnn, cnnSpecs),
  "Jacobian of a softmax": trace((x) => jacobian((y) => softmax(y))(x), shaped([7])),
  attention: trace(attention, attentionSpecs),
  "gradients of attention": gradients(attention, attentionSpecs),
  "recurrent network": trace(lstm, lstmSpecs),
  "gradients of a recurrent network": gradients(lstm, lstmSpecs),
  "Hessian-vector product of a recurrent network": product(lstm, lstmSpecs),
  "sum of twelve": wide((xs) => xs.reduce((a, b) => add(a, b))),
  "product of twelve tanh": wide((xs) => xs.map((x) => tanh(x)).reduce((a, b) => mul(a, b))),
  "concatenation of twelve": wide((xs) => concat(xs, 1)),
  "gradient of a concatenation of twelve": trace(
    (...xs) => grad((y) => sum(mul(concat([y, ...xs.slice(1)], 0), concat([...xs.slice(1), y], 0))))(xs[0]!),
    shaped(...Array<number[]>(12).fill([6, 5])),
  ),
  "outputs that are inputs, repeated, or constant": trace((x) => [x, x, tanh(x), tanh(x), mul(x, 0)], shaped([3, 3])),
};

/** For every operation: one program with all battery cases, their gradients and Hessian-vector products. */
export function* batteryGraphs(): Generator<readonly [name: string, graph: Graph]> {
  for (const battery of Object.values(families)) {
    for (const [op, cases] of Object.entries(battery)) {
      const inputs: Node[] = [];
      const outputs: Node[] = [];
      for (const c of cases) {
        const traced = trace(c.fn, c.inputs);
        const [y] = traced.outputs;
        inputs.push(...traced.inputs);
        outputs.push(...traced.outputs);
        if (y!.dtype !== "f32") continue;
        const seed = input(y!.shape);
        inputs.push(seed);
        outputs.push(...vjpGraph([y!], traced.inputs, [mul(seed, y!)]).filter((g) => g !== null));
      }
      yield [op, { inputs, outputs: outputs.filter((y) => reachable([y]).some((x) => x.primitive.name === "input")) }];
    }
  }
}
