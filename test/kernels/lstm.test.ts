// The LSTM step: accuracy where its functions saturate, derivatives against those of its composite definition, many tangents
// at one point, and what programs are made of.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchGraph } from "../../src/autograd/batch.ts";
import { grad, hessian, hvp, jacobian, jvp } from "../../src/autograd/index.ts";
import { vjpGraph } from "../../src/autograd/transpose.ts";
import { compile } from "../../src/compiler/program.ts";
import { fill, input } from "../../src/graph/leaves.ts";
import { apply, type Value } from "../../src/graph/node.ts";
import { mul, square } from "../../src/kernels/arithmetic.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { concat } from "../../src/kernels/join.ts";
import { cellDefinition } from "../../src/kernels/lstm-definition.ts";
import { lstmCell, lstmTangentPrimitive, type GateOrder } from "../../src/kernels/lstm.ts";
import { sliceAxis } from "../../src/kernels/slice.ts";
import { joinSteps, splitSteps } from "../../src/kernels/steps.ts";
import { hostArray, ShapeError, ArgumentError, DTypeError, type Device } from "../../src/tensor/index.ts";
import { openValidationDevice } from "../gpu.ts";
import { absolute, random, relative, run, worst } from "./run.ts";

const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** h and c' of one unit, in f64. */
function step(gates: Record<string, number>, c: number): [number, number] {
  const next = sigmoid(gates["f"]!) * c + sigmoid(gates["i"]!) * Math.tanh(gates["g"]!);
  return [sigmoid(gates["o"]!) * Math.tanh(next), next];
}

/** A cell of gates and state in one value [rows, 5 n], for derivatives along one argument. */
const joint =
  (cell: (gates: Value, c: Value) => Value, n: number) =>
  (x: Value): Value =>
    cell(sliceAxis(x, -1, 0, 4 * n), sliceAxis(x, -1, 4 * n, 5 * n));

describe("values", () => {
  for (const order of ["ifgo", "igfo", "iofg"] satisfies GateOrder[]) {
    test(`gates in the order ${order}`, async () => {
      const [rows, n] = [3, 5];
      const [gates, c] = [
        random([rows, 4 * n], { low: -6, high: 6 }),
        random([rows, n], { low: -3, high: 3, seed: 2 }),
      ];
      const [state] = await run((z, s) => lstmCell(z, s, { order }), gates, c);
      const truth = Array.from({ length: rows * n }, (_, unit) => {
        const [row, column] = [Math.floor(unit / n), unit % n];
        const z = order.split("").map((gate, k) => [gate, gates.data[row * 4 * n + k * n + column]!] as const);
        return step(Object.fromEntries(z), c.data[unit]!);
      });
      const packed = Array.from({ length: rows }, (_, row) => {
        const own = truth.slice(row * n, (row + 1) * n);
        return [...own.map(([h]) => h), ...own.map(([, next]) => next)];
      }).flat();
      expect(worst(state!.data, packed, absolute)).toBeLessThan(5e-7);
    });
  }

  test("saturated gates, and digits of small numbers", async () => {
    // [i, f, g, o, c]: everything open; everything shut; far beyond the range of exp; tanh near 0 keeps its digits.
    const points = [
      [40, 40, 40, 40, 2],
      [-40, -40, 3, 3, 2],
      [1e4, 1e4, -1e4, 1e4, -1],
      [-1e4, -1e4, 1e4, -1e4, 1],
      [1, 1, 1e-5, 1, 1e-6],
      [1, -3, 0.19, 1, 0.01],
    ];
    const gates = hostArray(
      points.flatMap((p) => p.slice(0, 4)),
      [6, 4],
    );
    const c = hostArray(
      points.map((p) => p[4]!),
      [6, 1],
    );
    const [state] = await run((z, s) => lstmCell(z, s), gates, c);
    const truth = points.flatMap(([i, f, g, o, s]) => step({ i: i!, f: f!, g: g!, o: o! }, s!));
    expect(worst(state!.data, truth, relative)).toBeLessThan(2e-6);
    const [slopes] = await run((z, s) => grad((x) => sum(square(lstmCell(x, s))))(z), gates, c);
    expect([...slopes!.data].every(Number.isFinite)).toBe(true);
  });
});

describe("derivatives", () => {
  const n = 3;
  const x = random([2, 5 * n], { low: -2, high: 2 });
  const v = random([2, 5 * n], { seed: 3 });
  const w = random([2, 5 * n], { seed: 4 });
  const weights = random([2, 2 * n], { seed: 5 });
  /** Values and derivatives of the first four orders of the weighted square of the state. */
  const orders = (cell: (gates: Value, c: Value) => Value) => (at: Value, t: Value, s: Value, u: Value) => {
    const f = (z: Value): Value => sum(mul(u, square(joint(cell, n)(z))));
    const second = (z: Value): Value => hvp(f)(z, t);
    const third = (z: Value): Value => jvp(second)(z, s);
    const fourth = (z: Value): Value => jvp(third)(z, t);
    const forward = (z: Value): Value => jvp((y) => jvp(joint(cell, n))(y, t))(z, s);
    return [
      f(at),
      grad(f)(at),
      second(at),
      third(at),
      fourth(at),
      forward(at),
      grad((z) => sum(mul(s, grad(f)(z))))(at),
    ];
  };

  test("up to the fourth order they are those of the composite definition", async () => {
    const own = await run(
      orders((z, c) => lstmCell(z, c, { order: "igfo" })),
      x,
      v,
      w,
      weights,
    );
    const truth = await run(
      orders((z, c) => cellDefinition(z, c, { order: "igfo" })),
      x,
      v,
      w,
      weights,
    );
    own.forEach((y, i) => {
      const scale = Math.max(...Array.from(truth[i]!.data, Math.abs));
      expect(worst(y.data, truth[i]!.data, absolute) / scale, `result ${i}`).toBeLessThan(3e-6);
    });
  });

  test("a Jacobian and a Hessian: many tangents share the point, and its residuals are not copied", async () => {
    const whole = (cell: (gates: Value, c: Value) => Value) => (at: Value) => [
      jacobian(joint(cell, n))(at),
      hessian((z) => sum(square(joint(cell, n)(z))))(at),
    ];
    const own = await run(
      whole((z, c) => lstmCell(z, c)),
      x,
    );
    const truth = await run(
      whole((z, c) => cellDefinition(z, c, { order: "ifgo" })),
      x,
    );
    own.forEach((y, i) => {
      expect(y.shape).toEqual(truth[i]!.shape);
      expect(worst(y.data, truth[i]!.data, absolute)).toBeLessThan(3e-6);
    });
    const [gates, c, u] = [input([2, 4 * n]), input([2, n]), input([2, 2 * n])];
    const pulled = vjpGraph([lstmCell(gates, c)], [gates], [u]);
    const [batched] = batchGraph([pulled[0]!], new Map([[u, input([7, 2, 2 * n])]]), 7);
    const kernel = batched!.node.inputs[0]!;
    expect(kernel.shape).toEqual([7, 2, 5 * n]);
    expect(kernel.inputs.slice(0, 2)).toEqual([gates, c]);
  });
});

describe("what does not fit", () => {
  test("is refused with shapes and choices", () => {
    const [gates, c] = [input([2, 12]), input([2, 3])];
    expect(() => lstmCell(input([2, 11]), c)).toThrow(/operand 0 has shape \[2, 11\]; expected \[..., 12\]/);
    expect(() => lstmCell(input([4, 12]), c)).toThrow(ShapeError);
    expect(() => lstmCell(1, c)).toThrow(/got a scalar/);
    expect(() => lstmCell(gates, input([2, 3], "i32"))).toThrow(DTypeError);
    expect(() => lstmCell(gates, c, { order: "ofgi" as GateOrder })).toThrow(/"iofg", got "ofgi"/);
    expect(() => lstmCell(gates, c, { order: "" as GateOrder })).toThrow(ArgumentError);
    const rows = [input([3, 12]), input([3, 3]), input([2, 12]), input([2, 3])];
    expect(() => apply(lstmTangentPrimitive, rows, { order: "ifgo" })).toThrow(ShapeError);
  });
});

describe("steps", () => {
  test("come apart and together in order, for any count", async () => {
    for (const count of [1, 2, 6, 7, 37]) {
      const x = random([2, count, 3]);
      const [y, g] = await run((s) => {
        const parts = splitSteps(s);
        expect(parts.length).toBe(count);
        return [joinSteps(parts), grad((z) => sum(mul(splitSteps(z).at(-1)!, 2)))(s)];
      }, x);
      expect([...y!.data]).toEqual([...x.data]);
      const last = Array.from({ length: 2 * count * 3 }, (_, i) => (Math.floor(i / 3) % count === count - 1 ? 2 : 0));
      expect([...g!.data]).toEqual(last);
    }
  });
});

describe("programs", () => {
  let device: Device;
  beforeAll(async () => (device = await openValidationDevice()));
  afterAll(() => device.destroy());

  test("a kernel writes the parts of its result that others read", () => {
    const specs = [{ shape: [4, 12] }, { shape: [4, 3] }, { shape: [3, 5] }];
    const two = compile(device, (z, c) => [0, 3].map((at) => sliceAxis(lstmCell(z, c), -1, at, at + 3)), specs);
    expect(two.plan.dispatches).toBe(1);
    // Nobody reads the packed state.
    expect(two.steps[0]!.writes.length).toBe(2);
    expect(compile(device, (z, c) => concat([lstmCell(z, c), c], 1), specs).plan.dispatches).toBe(2);
  });

  test("forward, tangent, cotangent and its tangent are one dispatch each", () => {
    const specs = [{ shape: [4, 12] }, { shape: [4, 3] }, { shape: [4, 12] }, { shape: [4, 6] }];
    const count = (fn: (...xs: Value[]) => Value): number => compile(device, fn, specs).plan.dispatches;
    const cotangent = (c: Value, u: Value) => (z: Value) => vjpGraph([lstmCell(z, c)], [z], [u])[0] ?? fill(z.shape, 0);
    expect(count((z, c) => lstmCell(z, c))).toBe(1);
    // Together with the zeros that are the tangent of c.
    expect(count((z, c, t) => jvp((y) => lstmCell(y, c))(z, t))).toBe(2);
    // Together with taking the cotangent of the packed state apart.
    expect(count((z, c, _, u) => cotangent(c, u)(z))).toBeLessThanOrEqual(3);
    expect(count((z, c, t, u) => jvp(cotangent(c, u))(z, t))).toBeLessThanOrEqual(3);
  });
});
