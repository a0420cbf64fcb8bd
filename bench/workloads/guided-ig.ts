// Guided Integrated Gradients: 200 gradients that depend on each other.
import { guidedIG } from "../../src/attribution/index.ts";
import { netModel, normal, seeded } from "../nets.ts";
import type { GuidedTask } from "../task.ts";
import { guidedTruth } from "../truth.ts";
import type { Workload } from "../workload.ts";

const BATCHES = [1, 8];
const RULE = { steps: 200, fraction: 0.25, maxDist: 0.02 };

export const guidedPaths: readonly Workload[] = BATCHES.map((batch) => ({
  name: `guided-ig-${batch}`,
  about: `Guided Integrated Gradients, ${RULE.steps} steps, ${batch === 1 ? "one example" : `${batch} examples`}, dense 64-256-256-10 with softplus`,
  prepare: ({ device }) => {
    const { net, target } = seeded("guided-ig", {
      input: [64],
      layers: [
        { kind: "dense", in: 64, out: 256 },
        { kind: "softplus", beta: 2 },
        { kind: "dense", in: 256, out: 256 },
        { kind: "softplus", beta: 2 },
        { kind: "dense", in: 256, out: 10 },
      ],
    });
    const { model, dispose } = netModel(device, net);
    const x = normal("guided-ig/examples", [batch, 64]);
    const task: GuidedTask = { kind: "guided", net, x, target, ...RULE };
    return Promise.resolve({
      source: "seeded weights and examples",
      truth: { data: () => guidedTruth(task), source: "double precision, the authors' steps" },
      tolerance: 1e-3,
      task,
      own: [
        {
          name: "aumann",
          run: async () => {
            const { attributions, plan } = await guidedIG(model, x, { ...RULE, target, device });
            return { data: attributions.data, facts: { "planned bytes": plan.bytes, "Mflop run": plan.flops / 1e6 } };
          },
        },
      ],
      dispose,
    });
  },
}));
