// Gradients and Hessian-vector products of the sum of all squared outputs of a network, without a path method around them.
import { grad, hvp } from "../../src/autograd/index.ts";
import { compile, type Program } from "../../src/compiler/program.ts";
import type { Value } from "../../src/graph/node.ts";
import { square, sum } from "../../src/kernels/index.ts";
import { LSTM_CASE, LSTM_NET } from "./ig-lstm.ts";
import { netModel, normal, seeded, subjectOf, type LayerPlan, type NetPlan } from "../nets.ts";
import { programContestant } from "../program.ts";
import type { GradientTask, HessianProductTask } from "../task.ts";
import { gradientTruth, hessianProductTruth } from "../truth.ts";
import type { Workload } from "../workload.ts";

interface Plan extends NetPlan {
  readonly name: string;
  readonly about: string;
  readonly batch: number;
  /** Folder of a golden case with these layers, whose weights are taken if it is there. */
  readonly case?: string;
}

const SIZES = [16, 64, 128];

const dense = (from: number, out: number): LayerPlan => ({ kind: "dense", in: from, out });
const softplus: LayerPlan = { kind: "softplus", beta: 1 };

const mlps: readonly Plan[] = SIZES.map((n) => ({
  ...{ name: `hvp-${n}`, about: `16 points of ${n} numbers, dense ${n}-64-64-1 with softplus`, batch: 16 },
  ...{ input: [n], layers: [dense(n, 64), softplus, dense(64, 64), softplus, dense(64, 1)] },
}));

const lstm = (name: string): Plan => ({
  ...{ name, about: "8 sequences of 24 vectors of 16 numbers, an LSTM of 32 units, all its states", batch: 8 },
  ...{ input: [24, 16], layers: [{ kind: "lstm", in: 16, out: 32 }] },
});

const deepLstm = (name: string): Plan => ({
  ...{
    name,
    about: "one sequence of 20 vectors of 200 numbers, two LSTM layers of 200 units, 1000 outputs of the last state",
  },
  ...{ batch: 1, case: LSTM_CASE, ...LSTM_NET },
});

export const derivatives: readonly Workload[] = [
  ...mlps.map((plan) => workload(plan, "hessian-product")),
  workload(lstm("lstm-gradient"), "gradient"),
  workload(lstm("lstm-hvp"), "hessian-product"),
  workload(deepLstm("lstm2-gradient"), "gradient"),
  workload(deepLstm("lstm2-hvp"), "hessian-product"),
];

function workload({ name, about, batch, case: golden, ...plan }: Plan, kind: "gradient" | "hessian-product"): Workload {
  const first = kind === "gradient";
  return {
    name,
    about: `${first ? "gradient" : "Hessian-vector product"} of the sum of squared outputs, ${about}`,
    prepare: async ({ device, files }) => {
      const { net, source } =
        golden === undefined
          ? { source: "seeded weights", ...seeded(name, plan) }
          : await subjectOf(files, golden, plan);
      const { model, dispose } = netModel(device, net);
      const x = normal(`${name}/points`, [batch, ...plan.input]);
      const v = normal(`${name}/direction`, x.shape);
      const task: GradientTask | HessianProductTask = first ? { kind, net, x } : { kind, net, x, v };
      const arrays = first ? [x] : [x, v];
      const score = (x: Value): Value => sum(square(model(x)));
      const derivative = first ? grad(score) : hvp(score);
      const make = (): Program => compile(device, (...inputs: Value[]) => derivative(...inputs), arrays);
      return {
        source: `${source}; seeded points and direction`,
        truth: {
          data: () => (task.kind === "gradient" ? gradientTruth(task) : hessianProductTruth(task)),
          source: first ? "double precision, closed form" : "double precision, differences of gradients in closed form",
        },
        tolerance: 1e-4,
        task,
        own: [programContestant({ make, arrays })],
        dispose,
      };
    },
  };
}
