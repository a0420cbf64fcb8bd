// Plain Hessians at several points: what the derivatives cost without any path method around them.
import { compile, type Program } from "../../src/compiler/program.ts";
import { batchAll, hessian } from "../../src/autograd/index.ts";
import { input } from "../../src/graph/leaves.ts";
import { expandDims, index, sum } from "../../src/kernels/index.ts";
import { netModel, normal, seeded } from "../nets.ts";
import { programContestant } from "../program.ts";
import type { HessiansTask } from "../task.ts";
import { denseDerivatives } from "../truth-hessians.ts";
import type { Workload } from "../workload.ts";

const SIZES = [16, 64, 128];
const POINTS = 16;

export const hessianPoints: readonly Workload[] = SIZES.map((n) => ({
  name: `hessian-points-${n}`,
  about: `full Hessians at ${POINTS} points, dense ${n}-64-64-1 with softplus`,
  prepare: async ({ device }) => {
    const { net, target } = seeded(`hessian-points-${n}`, {
      input: [n],
      layers: [
        { kind: "dense", in: n, out: 64 },
        { kind: "softplus", beta: 1 },
        { kind: "dense", in: 64, out: 64 },
        { kind: "softplus", beta: 1 },
        { kind: "dense", in: 64, out: 1 },
      ],
    });
    const { model, dispose } = netModel(device, net);
    const points = normal("points", [POINTS, n]);
    const task: HessiansTask = { kind: "hessians", net, points, target };
    const make = (): Program => {
      const [one, all] = [input([n]), input([POINTS, n])];
      const atOne = hessian((x) => sum(index(model(expandDims(x, 0)), 1, target)))(one);
      return compile(device, { inputs: [all], outputs: batchAll([atOne], new Map([[one, all]]), POINTS) });
    };
    return {
      source: "seeded weights and points",
      truth: { data: () => truthOf(task), source: "double precision, closed form" },
      tolerance: 1e-4,
      task,
      own: [programContestant({ make, arrays: [points] })],
      dispose,
    };
  },
}));

/** [P, N, N] */
function truthOf({ net, points, target }: HessiansTask): Float64Array {
  const [count, n] = points.shape as [number, number];
  const all = new Float64Array(count * n * n);
  for (let p = 0; p < count; p++) {
    all.set(denseDerivatives(net, points.data.slice(p * n, (p + 1) * n), target).hessian, p * n * n);
  }
  return all;
}
