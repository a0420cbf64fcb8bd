// The rules of every operation, proved in double precision without a GPU.
import { describe, expect, test } from "vitest";
import { input } from "../../src/graph/leaves.ts";
import { jvpGraph } from "../../src/autograd/jvp.ts";
import { vjpGraph } from "../../src/autograd/transpose.ts";
import type { Value } from "../../src/graph/node.ts";
import type { BatteryCase } from "../../src/kernels/battery.ts";
import { formatShape } from "../../src/tensor/shape.ts";
import { trace } from "../../src/graph/trace.ts";
import { checkDerivatives } from "../../src/reference/check.ts";
import { families } from "./all.ts";

const describeCase = ({ inputs }: BatteryCase, i: number): string =>
  `${i}: ${inputs.map(({ dtype, shape }) => (dtype ?? "") + formatShape(shape)).join(" ")}`;

for (const [family, battery] of Object.entries(families)) {
  describe(family, () => {
    for (const [op, cases] of Object.entries(battery)) {
      describe(op, () => {
        cases.forEach((c, i) => {
          test(`case ${describeCase(c, i)}`, () => check(c));
          test(`gradient of case ${describeCase(c, i)}`, () => checkGradient(c));
        });
      });
    }
  });
}

async function check(c: BatteryCase): Promise<void> {
  const { inputs, outputs } = trace(c.fn, c.inputs);
  if (c.shape) expect(outputs[0]!.shape).toEqual(c.shape);
  if (c.smooth === false) {
    const tangents = inputs.map((x) => (x.dtype === "f32" ? input(x.shape) : null));
    expect(jvpGraph(outputs, inputs, tangents)).toEqual([null]);
    return;
  }
  await checkDerivatives(c.fn, c.inputs);
}

/** Checks the gradient as a function in its own right: what the transpose rules build, and derivatives up to the third. */
async function checkGradient({ fn, inputs }: BatteryCase): Promise<void> {
  const y = trace(fn, inputs).outputs[0]!;
  const gradient = (...args: Value[]): Value[] => {
    const [xs, u] = [args.slice(0, -1), args.at(-1)!];
    return vjpGraph([fn(...xs)], xs, [u]).filter((g) => g !== null);
  };
  if (y.dtype === "f32") await checkDerivatives(gradient, [...inputs, { shape: y.shape }]);
}
