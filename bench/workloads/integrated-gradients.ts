// Integrated Gradients of one example of a network, for several workloads.
import { integratedGradients, quadrature, type Rule } from "../../src/attribution/index.ts";
import { caseNumbers } from "../golden.ts";
import { netModel, subjectOf, type NetPlan, type Subject } from "../nets.ts";
import type { GradientsTask } from "../task.ts";
import { gradientsTruth } from "../truth.ts";
import type { Truth, Workload } from "../workload.ts";

export interface GradientsPlan extends NetPlan {
  readonly name: string;
  readonly about: string;
  /** Folder of the golden case with the same layers. */
  readonly case: string;
  /** Default "midpoint". */
  readonly rule?: Rule;
}

const STEPS = 50;
/** A pre-activation near zero may fall on the other side of a kink in f32. */
const TOLERANCE = 1e-3;

export const gradientsWorkload = ({
  name,
  about,
  case: golden,
  rule = "midpoint",
  ...plan
}: GradientsPlan): Workload => ({
  name,
  about: `Integrated Gradients, ${STEPS} ${rule} nodes, ${about}`,
  async prepare({ device, files }) {
    const subject = await subjectOf(files, golden, plan);
    const { net, x, target, source } = subject;
    const { model, dispose } = netModel(device, net);
    const task: GradientsTask = { kind: "integrated-gradients", net, x, target, ...quadrature(rule, STEPS) };
    return {
      source,
      truth: truthOf(subject, task, rule),
      tolerance: TOLERANCE,
      task,
      own: [
        {
          name: "aumann",
          run: async () => {
            const options = { rule, steps: STEPS, target, device };
            const { attributions, evaluations, plan } = await integratedGradients(model, x, options);
            const facts = { gradients: evaluations, "planned bytes": plan.bytes, "Mflop run": plan.flops / 1e6 };
            return { data: attributions.data, facts };
          },
        },
      ],
      dispose,
    };
  },
});

/** The stored attributions, if they are of the same nodes. */
function truthOf({ golden, x }: Subject, task: GradientsTask, rule: Rule): Truth {
  const stored = golden?.file.expected.find(({ quantity }) => quantity === "ig");
  const { method, n_steps: steps } = golden?.file.params ?? {};
  if (golden && stored && rule === "gauss-legendre" && method === "gausslegendre" && steps === STEPS) {
    const data = (): Float64Array => caseNumbers(golden, stored.tensor_f64).subarray(0, x.data.length);
    return { data, source: `double precision, the same ${STEPS} nodes, stored` };
  }
  return { data: () => gradientsTruth(task), source: `double precision, the same ${STEPS} nodes` };
}
