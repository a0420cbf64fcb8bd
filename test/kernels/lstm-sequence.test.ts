// All steps of an LSTM in one dispatch: values and derivatives against those of the composite definition, step by step.
import { describe, expect, test } from "vitest";
import { batchGraph } from "../../src/autograd/batch.ts";
import { grad, hvp, jvp } from "../../src/autograd/index.ts";
import { vjpGraph } from "../../src/autograd/transpose.ts";
import { fill, input } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import { add, mul, square } from "../../src/kernels/arithmetic.ts";
import { sum } from "../../src/kernels/broadcast.ts";
import { cellDefinition } from "../../src/kernels/lstm-definition.ts";
import { fitsSequence, lstmSteps } from "../../src/kernels/lstm-sequence.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { concat, stack } from "../../src/kernels/join.ts";
import { index, sliceAxis } from "../../src/kernels/slice.ts";
import { array64, checkDerivatives, evaluate } from "../../src/reference/index.ts";
import { numel, type HostArray } from "../../src/tensor/index.ts";
import { absolute, random, run, worst } from "./run.ts";

/** h and c after every step [B, T, 2 n], composed of elementwise operations and products. */
function definition(gates: Value, recurrent: Value, c: Value, reverse: boolean): Value {
  const [, steps, width] = gates.shape as [number, number, number];
  const size = width / 4;
  let state = concat([fill(c.shape, 0), c], -1);
  const states: Value[] = [];
  for (let n = 0; n < steps; n++) {
    const t = reverse ? steps - 1 - n : n;
    const z = add(index(gates, 1, t), matmul(sliceAxis(state, -1, 0, size), recurrent));
    state = cellDefinition(z, sliceAxis(state, -1, size, 2 * size), { order: "ifgo" });
    states[t] = state;
  }
  return stack(states, 1);
}
const inOne = (gates: Value, recurrent: Value, c: Value, reverse: boolean): Value =>
  concat(lstmSteps(gates, recurrent, c, reverse), -1);

const arraysOf = (rows: number, steps: number, size: number): HostArray[] => [
  random([rows, steps, 4 * size], { low: -2, high: 2 }),
  random([size, 4 * size], { low: -1 / Math.sqrt(size), high: 1 / Math.sqrt(size), seed: 2 }),
  random([rows, size], { low: -2, high: 2, seed: 3 }),
];

/** Results on the device against the definition in double precision, relative to the largest. */
async function compare(
  fn: (of: typeof inOne) => (...xs: Value[]) => readonly Value[],
  arrays: readonly HostArray[],
  within: number,
): Promise<void> {
  const own = await run(fn(inOne), ...arrays);
  const truth = evaluate(
    trace((...xs: Value[]) => [...fn(definition)(...xs)], arrays),
    arrays.map(({ data, shape }) => array64(data, shape)),
  );
  own.forEach((y, i) => {
    const expected = truth[i]!;
    expect(y.shape).toEqual(expected.shape);
    const scale = Math.max(1e-3, ...Array.from(expected.data, Math.abs));
    expect(worst(y.data, expected.data, absolute) / scale, `result ${i}`).toBeLessThan(within);
  });
}

describe("values", () => {
  // Rows and units that fill a workgroup, fall short of it, and go beyond; numbers of units that are no multiple of four.
  for (const [rows, steps, size] of [[1, 1, 1], [4, 3, 32], [5, 7, 6], [9, 2, 33], [3, 4, 128]] as const)
    test(`${rows} sequences of ${steps} steps, ${size} units, both directions`, () =>
      compare((of) => (...xs) => [false, true].map((reverse) => of(xs[0]!, xs[1]!, xs[2]!, reverse)), arraysOf(rows, steps, size), 2e-6)); // prettier-ignore
});

describe("derivatives", () => {
  const arrays = arraysOf(3, 4, 5);
  const tangents = arrays.map(({ shape }, i) => random(shape, { seed: 20 + i }));
  const weights = random([3, 4, 10], { seed: 9 });

  for (const reverse of [false, true])
    test(`of the first three orders, ${reverse ? "from the last step" : "from the first step"}`, () =>
      compare(
        (of) => (g, r, c, u, dg, dr, dc) => {
          const value = (x: Value, w: Value, s: Value): Value => sum(mul(u, square(of(x, w, s, reverse))));
          const gradients = [grad((x) => value(x, r, c))(g), grad((w) => value(g, w, c))(r), grad((s) => value(g, r, s))(c)]; // prettier-ignore
          const products = [
            hvp((x) => value(x, r, c))(g, dg),
            hvp((w) => value(g, w, c))(r, dr),
            hvp((s) => value(g, r, s))(c, dc),
          ];
          const mixed = jvp((w) => grad((x) => value(x, w, c))(g))(r, dr);
          const third = jvp((x) => hvp((y) => value(y, r, c))(x, dg))(g, mul(dg, u.shape.length));
          return [...gradients, ...products, mixed, third];
        },
        [...arrays, weights, ...tangents],
        2e-5,
      ));

  test("agree with finite differences, batched or not", async () => {
    const specs = [[1, 3, 4], [1, 4], [1, 1]].map((shape) => ({ shape })); // prettier-ignore
    for (const reverse of [false, true])
      expect((await checkDerivatives((g, r, c) => inOne(g, r, c, reverse), specs)).hvp).toBeLessThan(1e-6);
  });

  test("many cotangents share the point, and its values are not copied", async () => {
    const many = random([6, 3, 4, 10], { seed: 5 });
    const [g, r, c, u] = [...arrays, random([3, 4, 10])].map(({ shape }) => input(shape)) as [Value, Value, Value, Value]; // prettier-ignore
    const pulled = (of: typeof inOne): Value => {
      const [one] = vjpGraph([of(g, r, c, false)], [g], [u]);
      return batchGraph([one!], new Map([[u, input(many.shape)]]), 6)[0]!.node;
    };
    const linear = pulled(inOne).inputs[0]!;
    expect(linear.primitive.name).toBe("lstmLinear");
    expect(linear.inputs[0]!.shape).toEqual([3, 4, 30]);
    await compare(
      (of) => (x, w, s, v) => {
        const gradients = Array.from({ length: 6 }, (_, k) => vjpGraph([of(x, w, s, false)], [x], [index(v, 0, k)])[0]!); // prettier-ignore
        return of === inOne
          ? [batchGraph([vjpGraph([of(x, w, s, false)], [x], [u])[0]!], new Map([[u, v]]), 6)[0]!.node]
          : [stack(gradients)];
      },
      [...arrays, many],
      2e-5,
    );
    expect(numel(linear.shape)).toBe(6 * 3 * 4 * 30);
  });
});

test("which networks use it", () => {
  const [software, gpu] = [true, false];
  expect([0, 1, 64, 65, 1024].map((units) => fitsSequence(units, 48, software))).toEqual([false, true, true, false, false]); // prettier-ignore
  expect([1, 47, 48, 500].map((steps) => fitsSequence(32, steps, software))).toEqual([false, false, true, true]);
  expect(fitsSequence(32, 2, gpu)).toBe(true);
});
