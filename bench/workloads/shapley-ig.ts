// Integrated Gradients averaged over the baselines that coalitions of 16 features make.
import { quadrature, shapleyIG } from "../../src/attribution/index.ts";
import { has, sampledCoalitions } from "../../src/attribution/shapley-coalitions.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { netModel, seeded } from "../nets.ts";
import type { ShapleyTask } from "../task.ts";
import { shapleyTruth } from "../truth.ts";
import type { Workload } from "../workload.ts";

const N = 16;
const STEPS = 50;

export const shapleyIg: Workload = {
  name: "shapley-ig-16",
  about: `Shapley Integrated Gradients, ${N} features, ${STEPS} midpoints from each coalition, dense ${N}-64-64-10 with softplus`,
  prepare: ({ device }) => {
    const { net, x, target } = seeded("shapley-ig", {
      input: [N],
      layers: [
        { kind: "dense", in: N, out: 64 },
        { kind: "softplus", beta: 2 },
        { kind: "dense", in: 64, out: 64 },
        { kind: "softplus", beta: 2 },
        { kind: "dense", in: 64, out: 10 },
      ],
    });
    const { model, dispose } = netModel(device, net);
    // The same draw for all: those that the library takes for the same seed.
    const coalitions = sampledCoalitions(N, { seed: 0 });
    const masks = Float32Array.from({ length: coalitions.count * N }, (_, i) =>
      has(coalitions, Math.floor(i / N), i % N) ? 1 : 0,
    );
    const task: ShapleyTask = {
      ...{ kind: "shapley", net, x, target, masks: hostArray(masks, [coalitions.count, N]) },
      ...{ shares: Array.from(coalitions.weights), ...quadrature("midpoint", STEPS) },
    };
    return Promise.resolve({
      source: `seeded weights and ${coalitions.count} coalitions`,
      truth: { data: () => shapleyTruth(task), source: "double precision, the same coalitions and nodes" },
      tolerance: 1e-4,
      task,
      own: [
        {
          name: "aumann",
          run: async () => {
            const options = { target, steps: STEPS, rule: "midpoint", seed: 0, device } as const;
            const { attributions, evaluations, plan } = await shapleyIG(model, x, options);
            const facts = { gradients: evaluations, "planned bytes": plan.bytes, "Mflop run": plan.flops / 1e6 };
            return { data: attributions.data, facts };
          },
        },
      ],
      dispose,
    });
  },
};
