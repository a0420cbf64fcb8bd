// Outputs and their derivatives at the input (and the baseline). All of a case run as one program.
import type { Value } from "../../../src/graph/node.ts";
import { addPresent } from "../../../src/kernels/arithmetic.ts";
import { mul, reshape, sub, sum } from "../../../src/kernels/index.ts";
import { grad, hessian, jacobian, jvp, vjp, type Fn } from "../../../src/autograd/index.ts";
import { exampleSize, type Context, type Quantity } from "../context.ts";

export const derivatives: Readonly<Record<string, Quantity>> = {
  output: (c) => c.output(...c.inputs()),

  output_baseline: (c, e) => c.output(...baseline(c, e)),

  target_output: (c, e) => c.scores(...(e.args?.["at"] === "baseline" ? baseline(c, e) : c.inputs())),

  "f(x)-f(baseline)": (c, e) => sub(c.scores(...c.inputs()), c.scores(...baseline(c, e))),

  grad: (c, e) => gradient(c, c.inputOf(e))(...c.inputs()),

  grad_x_input: (c, e) => mul(gradient(c, c.inputOf(e))(...c.inputs()), c.inputs()[c.inputOf(e)]!),

  param_grad: (c, e) => {
    const name = String(e.args?.["weight"]);
    const ofWeight: Fn = (weight, ...xs) => sum(c.scoresWith(xs, { ...c.weights, [name]: weight }));
    return grad(ofWeight)(c.weights[name]!, ...c.inputs());
  },

  vjp: (c, e) => {
    const { moved, xs } = firstInput(c.output, c.inputs(), c.inputOf(e));
    return vjp(moved)(...xs, c.value(c.parameter("vjp_cotangent")));
  },

  jvp: (c, e) => directional(c.output, c.inputs(), tangents(c, e)),

  hvp: (c, e) => directional(gradient(c, c.inputOf(e)), c.inputs(), tangents(c, e)),

  // Examples do not influence each other, so that summing over the second batch axis only drops zeros.
  jacobian: (c, e) => {
    const full = jacobian(c.output, { argument: c.inputOf(e) })(...c.inputs());
    return sum(full, c.output(...c.inputs()).shape.length);
  },

  hessian: (c, e) => {
    const x = c.inputs()[c.inputOf(e)]!;
    const [batch, size] = [x.shape[0]!, exampleSize(x)];
    const full = hessian(c.score, { argument: c.inputOf(e) })(...c.inputs());
    return sum(reshape(full, [batch, size, batch, size]), 2);
  },
};

const baseline = (c: Context, e: Parameters<Quantity>[1]): Value[] => c.baselineOf(e).map((tensor) => c.value(tensor));

const gradient = (c: Context, argument: number): Fn => {
  const g = grad(c.score, { argument });
  return (...xs) => g(...xs);
};

/** The tangents of all inputs, in order. */
function tangents(c: Context, { args, id }: Parameters<Quantity>[1]): Value[] {
  const names = (args?.["tangent"] ?? {}) as Readonly<Record<string, string>>;
  return c.names.map((name) => {
    if (names[name] === undefined) throw new Error(`${id} has no tangent for input ${name}`);
    return c.value(names[name]);
  });
}

/** `f` with one argument moved to the front, where vjp and jvp look for it. */
function firstInput(f: Fn, xs: readonly Value[], at: number): { moved: Fn; xs: Value[] } {
  const others = xs.filter((_, i) => i !== at);
  return { moved: (x, ...rest) => f(...rest.slice(0, at), x, ...rest.slice(at)), xs: [xs[at]!, ...others] };
}

/** Derivative of `f` along tangents of all its arguments: the sum of the derivatives along each. */
function directional(f: Fn, xs: readonly Value[], along: readonly Value[]): Value {
  const parts = along.map((tangent, i) => {
    const { moved, xs: reordered } = firstInput(f, xs, i);
    return jvp(moved)(...reordered, tangent);
  });
  return addPresent(parts)!;
}
