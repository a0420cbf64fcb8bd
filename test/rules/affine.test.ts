// What the records say about linearity, against the functions themselves: path attribution hoists affine values out of
// the steps and picks its quadrature by kinks.
import { describe, expect, test } from "vitest";
import { affineBoundary, hasKinks } from "../../src/compiler/affine.ts";
import type { BatteryCase } from "../../src/kernels/battery.ts";
import { trace } from "../../src/graph/trace.ts";
import { axpy, worstError, zeros, type Array64 } from "../../src/reference/array.ts";
import { evaluateNodes } from "../../src/reference/evaluate.ts";
import { generator, randomArray } from "../../src/reference/random.ts";
import { batteries } from "../battery/all.ts";

/** Whether the record of some primitive makes the first argument affine, and how far the values are from that. */
function affinity({ fn, inputs: specs }: BatteryCase): { declared: boolean; curvature: number } {
  const { inputs, outputs } = trace(fn, specs);
  const random = generator(5);
  const values = new Map(inputs.map((x, i) => [x, randomArray({ avoid: [], ...specs[i]! }, random)]));
  const x = inputs.find(({ dtype }) => dtype === "f32");
  const y = outputs[0]!;
  if (!x || y.dtype !== "f32") return { declared: false, curvature: 0 };
  const start = values.get(x)!;
  const direction: Array64 = { shape: x.shape, data: start.data.map(() => random() / 4) };
  const [a, b, c] = [0, 1, 2].map((t) => evaluateNodes([y], new Map([...values, [x, axpy(start, t, direction)]]))[0]!);
  const declared = affineBoundary([y], [x]).includes(y);
  return { declared, curvature: worstError(axpy(axpy(a!, -2, b!), 1, c!), zeros(y.shape), 1) };
}

describe("affine values", () => {
  test("what is declared affine has no curvature", () => {
    const wrong = Object.entries(batteries).filter(([, cases]) =>
      cases.some((c) => {
        const { declared, curvature } = affinity(c);
        return declared && curvature > 1e-9;
      }),
    );
    expect(wrong.map(([name]) => name)).toEqual([]);
  });

  const linear = [
    ...["add", "sub", "neg", "sum", "mean", "sumTo", "reshape", "expandDims", "squeeze", "broadcastTo", "transpose"],
    ...["moveAxis", "slice", "sliceAxis", "index", "pad", "flip", "concat", "stack", "avgPool2d", "globalAvgPool2d"],
    ...["matmul", "conv2d", "convInputGrad", "convWeightGrad", "mul", "div", "batchNorm", "gather", "scatterAdd"],
  ];
  test.each(linear)("%s is affine in its first argument", (name) => {
    // Cases like 2 / x or concat([x, y, x]) of x alone are judged by the test above.
    const cases = batteries[name]!.filter((c) => affinity(c).curvature < 1e-9);
    expect(cases.length).toBeGreaterThan(0);
    const float = cases.filter(
      (c) => c.inputs[0]!.dtype !== "i32" || c.inputs.some(({ dtype }) => dtype === undefined),
    );
    expect(float.map((c) => affinity(c).declared)).not.toContain(false);
  });
});

describe("kinks", () => {
  const kinked = [
    ...["abs", "sign", "relu", "leakyRelu", "maximum", "minimum", "clamp", "relu6", "hardSigmoid", "hardSwish"],
    ...["max", "min", "maxPool2d", "globalMaxPool2d"],
  ];
  const smooth = [
    "exp",
    "tanh",
    "sigmoid",
    "softplus",
    "gelu",
    "silu",
    "softmax",
    "logSoftmax",
    "layerNorm",
    "batchNorm",
  ];
  const kinks = (name: string): boolean[] =>
    batteries[name]!.filter((c) => c.inputs[0]!.dtype === undefined && c.inputs[0]!.shape.some((n) => n > 1)).map(
      (c) => {
        const { inputs, outputs } = trace(c.fn, c.inputs);
        return hasKinks(outputs, inputs);
      },
    );
  test.each(kinked)("%s has kinks", (name) => {
    expect(new Set(kinks(name))).toEqual(new Set([true]));
  });
  test.each(smooth)("%s is smooth", (name) => expect(kinks(name)).not.toContain(true));
});
