// What users call, against closed forms, in double precision.
import { describe, expect, test } from "vitest";
import { grad, hessian, hvp, jacobian, jvp, valueAndGrad, vjp } from "../../src/autograd/api.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { conv2d } from "../../src/kernels/conv.ts";
import {
  add,
  cast,
  exp,
  greater,
  matmul,
  mul,
  relu,
  reshape,
  select,
  sin,
  softplus,
  sum,
  tanh,
} from "../../src/kernels/index.ts";
import { layerNorm } from "../../src/kernels/norm.ts";
import { maxPool2d } from "../../src/kernels/pool.ts";
import { logSoftmax, softmax } from "../../src/kernels/softmax.ts";
import { array64, type Array64 } from "../../src/reference/array.ts";
import { checkDerivatives } from "../../src/reference/check.ts";
import { evaluate } from "../../src/reference/evaluate.ts";

function run(fn: (...xs: Value[]) => Value | readonly Value[], ...inputs: Array64[]): number[][] {
  return evaluate(trace(fn, inputs), inputs).map(({ data }) => [...data]);
}

function close(got: readonly number[] | undefined, expected: readonly number[]): void {
  expect(got).toHaveLength(expected.length);
  expected.forEach((y, i) => expect(got?.[i]).toBeCloseTo(y, 10));
}

const x = array64([0.3, -0.7, 1.1]);
const v = array64([1, 2, -1]);
const cubes = (a: Value): Value => sum(mul(mul(a, a), a));

describe("first order", () => {
  test("grad and valueAndGrad", () => {
    const expected = [...x.data].map((a) => 3 * a * a);
    close(run((a) => grad(cubes)(a), x)[0], expected);
    const [value, gradient] = run((a) => valueAndGrad(cubes)(a), x);
    close(value, [[...x.data].reduce((s, a) => s + a ** 3, 0)]);
    close(gradient, expected);
  });
  test("grad of another argument", () => {
    const f = (a: Value, b: Value): Value => sum(mul(a, exp(b)));
    close(
      run((a, b) => grad(f, { argument: 1 })(a, b), v, x)[0],
      [...v.data].map((a, i) => a * Math.exp(x.data[i] ?? NaN)),
    );
  });
  test("jvp and vjp are rows and columns of the jacobian", () => {
    const f = (a: Value): Value => softmax(a);
    const [rows, forward, backward] = run((a, b) => [jacobian(f)(a), jvp(f)(a, b), vjp(f)(a, b)], x, v);
    const row = (i: number): number =>
      [0, 1, 2].reduce((s, j) => s + (rows?.[3 * i + j] ?? NaN) * (v.data[j] ?? NaN), 0);
    close(forward, [0, 1, 2].map(row));
    close(backward, [0, 1, 2].map(row));
  });
  test("a result that does not depend on its argument has a gradient of zeros", () => {
    close(run((a) => grad(() => sum(a))(mul(a, 2)), x)[0], [0, 0, 0]);
    close(run((a) => grad((b) => sum(select(greater(b, 0), 1, 2)))(a), x)[0], [0, 0, 0]);
  });
});

describe("nesting", () => {
  test("captured values are constants, even when the argument is the same value", () => {
    close(run((a) => grad((b) => sum(mul(a, b)))(a), x)[0], [...x.data]);
  });
  test("an argument passed twice counts once per place", () => {
    close(
      run((a) => grad((b, c) => sum(mul(mul(b, b), c)))(a, a), x)[0],
      [...x.data].map((a) => 2 * a * a),
    );
  });
  test("perturbations are not confused", () => {
    // d/dx [x d/dy (x + y)] at y = 1: 1, not 2.
    const f = (a: Value): Value => mul(a, grad((b) => add(a, b))(mul(a, 2)));
    close(run((a) => grad(f)(a), array64([5], []))[0], [1]);
  });
  test("third derivative", () => {
    const third = grad(grad(grad((a) => sin(mul(a, 2)))));
    close(run((a) => third(a), array64([0.4], []))[0], [-8 * Math.cos(0.8)]);
  });
});

describe("second order", () => {
  test("hessian, and hvp as its product", () => {
    const [h, hv] = run((a, b) => [hessian(cubes)(a), hvp(cubes)(a, b)], x, v);
    const diagonal = [...x.data].map((a) => 6 * a);
    close(
      h,
      [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => (i === j ? (diagonal[i] ?? NaN) : 0))),
    );
    close(
      hv,
      diagonal.map((d, i) => d * (v.data[i] ?? NaN)),
    );
  });
  test("softplus curves by beta / 4 at 0", () => {
    close(run((a) => hessian((b) => sum(softplus(b, { beta: 10 })))(a), array64([0]))[0], [2.5]);
  });
  test("the hessian of a scalar argument is a scalar", () => {
    close(run((a) => hessian((b) => exp(b))(a), array64([0.5], []))[0], [Math.exp(0.5)]);
  });
});

describe("networks", () => {
  const w = (...shape: number[]) => ({ shape, low: -0.5, high: 0.5 });
  test("a convolutional one, in input and weights", async () => {
    // Seed 1 happens to put a tie of two maxima within the step of the differences.
    const net = (image: Value, kernel: Value, dense: Value): Value => {
      const features = maxPool2d(softplus(conv2d(image, kernel, { padding: 1 }), { beta: 5 }), { kernel: 2 });
      return logSoftmax(matmul(reshape(features, [2, -1]), dense));
    };
    await checkDerivatives(net, [{ shape: [2, 2, 4, 4], distinct: true }, w(3, 2, 3, 3), w(12, 4)], { seed: 2 });
  });
  test("a recurrent one", async () => {
    const net = (h: Value, a: Value, b: Value): Value => {
      let state = h;
      for (let step = 0; step < 3; step++) state = tanh(add(matmul(state, a), b));
      return sum(state, -1);
    };
    await checkDerivatives(net, [{ shape: [2, 3] }, w(3, 3), w(3)]);
  });
  test("attention", async () => {
    const net = (tokens: Value, q: Value, k: Value): Value => {
      const normal = layerNorm(tokens, { epsilon: 0.01 });
      const weights = softmax(matmul(matmul(normal, q), matmul(normal, k), { transposeB: true }));
      return matmul(weights, relu(tokens));
    };
    await checkDerivatives(net, [{ shape: [2, 3, 4], avoid: [0] }, w(4, 2), w(4, 2)]);
  });
});

describe("refusals", () => {
  const [u, w, n] = [input([3]), input([2]), input([3], "i32")];
  const refused: [name: string, call: () => unknown, message: RegExp][] = [
    ["a cotangent of another shape", () => vjp(exp)(u, w), /vjp: expected a cotangent of shape \[3\], got \[2\]/],
    ["a tangent of another shape", () => jvp(exp)(u, w), /jvp: expected a tangent of shape \[3\], got \[2\]/],
    ["a direction of another type", () => jvp(exp)(u, n), /jvp: expected an f32 tangent, got i32/],
    ["no direction", () => hvp(cubes)(u), /expected the arguments of the function and then a tangent/],
    ["an integer argument", () => grad((a: Value) => sum(cast(a, "f32")))(n), /grad: argument 0 is i32/],
    ["an integer result", () => jacobian((a: Value) => cast(a, "i32"))(u), /jacobian: the result is i32/],
    ["an argument that is not there", () => hessian(cubes, { argument: 1 })(u), /argument 1 is missing/],
    ["a result of several elements", () => grad(exp)(u), /expected a scalar function, got a result of shape \[3\]/],
  ];
  for (const [name, call, message] of refused) test(name, () => expect(call).toThrow(message));
});
