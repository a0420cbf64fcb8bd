// Interior gradients, averages of them, and expected gradients.
import {
  expectedGradients,
  integratedGradients,
  interiorGradients,
  quadrature,
  type Quadrature,
} from "../../../src/attribution/index.ts";
import { hostArray, type HostArray } from "../../../src/tensor/index.ts";
import { mul, reshape } from "../../../src/kernels/index.ts";
import type { Quantity } from "../context.ts";
import { baselineArrays, namedRule, ofInput } from "./integrated-gradients.ts";

export const pathQuantities: Readonly<Record<string, Quantity>> = {
  /** [S, B, K] */
  outputs_at_alphas: (c) => {
    const alphas = c.value(c.parameter("alphas"));
    const count = alphas.shape[0]!;
    const points = c.inputs().map((x) => {
      const scaled = mul(reshape(alphas, [count, ...x.shape.map(() => 1)]), x);
      return reshape(scaled, [-1, ...x.shape.slice(1)]);
    });
    const outputs = c.output(...points);
    return reshape(outputs, [count, -1, ...outputs.shape.slice(1)]);
  },

  interior_gradients: async (c, e) => {
    const alphas = Array.from(c.array(c.parameter("alphas")).data);
    const { gradients } = await interiorGradients(c.model, c.arrays(), { ...c.options(), baseline: "zero", alphas });
    return c.parts(gradients)[c.inputOf(e)]!;
  },

  interior_gradient_average_times_input: async (c, e) => {
    const steps = Number({ ...c.case_.file.params, ...e.args }["n_steps"]);
    return ofInput(
      c,
      e,
      await integratedGradients(c.model, c.arrays(), { ...c.options(), baseline: "zero", rule: "right", steps }),
    );
  },

  ig_average_gradient: async (c, e) => {
    const { rule, steps, points = quadrature(rule as "midpoint", steps!) } = namedRule(c, e);
    const baseline = c.named(baselineArrays(c, e));
    const { gradients } = await interiorGradients(c.model, c.arrays(), {
      ...c.options(),
      baseline,
      alphas: points.nodes,
    });
    return weightedSum(c.parts(gradients)[c.inputOf(e)]!, points);
  },

  expected_gradients: async (c, e) => {
    const [input, ...others] = c.parts(c.arrays());
    if (others.length > 0) throw new Error("unsupported: expected gradients of a network with several inputs");
    const draws = { index: c.array(c.parameter("reference_index")).data, alpha: c.array(c.parameter("alpha")).data };
    const references = c.array(c.parameter("references"));
    return ofInput(c, e, await expectedGradients(c.model, input!, { ...c.options(), references, draws }));
  },
};

/** Sum over the leading axis with the weights of a quadrature. */
function weightedSum({ shape, data }: HostArray, { weights }: Quadrature): HostArray {
  const size = data.length / weights.length;
  const sum = (i: number): number => weights.reduce((total, w, s) => total + w * data[s * size + i]!, 0);
  return hostArray(
    Float32Array.from({ length: size }, (_, i) => sum(i)),
    shape.slice(1),
  );
}
