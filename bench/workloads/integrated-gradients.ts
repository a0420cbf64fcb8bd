// Integrated Gradients of one example of a network, for several workloads.
import { integratedGradients, quadrature, type Rule } from "../../src/attribution/index.ts";
import { netModel, subjectOf, type NetPlan } from "../nets.ts";
import type { GradientsTask } from "../task.ts";
import { gradientsTruth } from "../truth.ts";
import type { Workload } from "../workload.ts";

export interface GradientsPlan extends NetPlan {
  readonly name: string;
  readonly about: string;
  /** Folder of the golden case with the same layers. */
  readonly case: string;
}

const STEPS = 50;
const RULE: Rule = "midpoint";
/** A pre-activation near zero may fall on the other side of a kink in f32. */
const TOLERANCE = 1e-3;

export const gradientsWorkload = ({ name, about, case: golden, ...plan }: GradientsPlan): Workload => ({
  name,
  about: `Integrated Gradients, ${STEPS} steps, ${about}`,
  async prepare({ device, files }) {
    const { net, x, target, source } = await subjectOf(files, golden, plan);
    const { model, dispose } = netModel(device, net);
    const task: GradientsTask = { kind: "integrated-gradients", net, x, target, ...quadrature(RULE, STEPS) };
    return {
      source,
      truth: { data: await gradientsTruth(model, task), source: `double precision, the same ${STEPS} nodes` },
      tolerance: TOLERANCE,
      task,
      own: [
        {
          name: "aumann",
          run: async () => {
            const { attributions, evaluations, plan } = await integratedGradients(model, x, {
              ...{ rule: RULE, steps: STEPS, target, device },
            });
            const facts = { gradients: evaluations, "planned bytes": plan.bytes, "Mflop run": plan.flops / 1e6 };
            return { data: attributions.data, facts };
          },
        },
      ],
      dispose,
    };
  },
});
