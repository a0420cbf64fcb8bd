// The full matrix of Integrated Hessians of one example: how many Hessians, how long, how far from the integral.
import { gaussLegendre, type Quadrature } from "../../src/attribution/index.ts";
import {
  hessianQuadrature,
  productRule,
  type HessianQuadrature,
  type HessianRule,
} from "../../src/attribution/hessian-rules.ts";
import { integratedHessians } from "../../src/attribution/integrated-hessians.ts";
import type { Table } from "../../src/view/index.ts";
import { caseNumbers } from "../golden.ts";
import { netModel, subjectOf, type NetModel, type NetPlan, type Subject } from "../nets.ts";
import recorded from "../recorded.json";
import { relativeError } from "../statistics.ts";
import type { IntegratedHessiansTask } from "../task.ts";
import { integratedHessiansTruth } from "../truth-hessians.ts";
import type { Contestant, Lab, Prepared, Workload } from "../workload.ts";

const SIZES = [16, 64, 128] as const;
/** Of the largest entry: what the number of nodes is chosen for. */
const WANTED = 1e-5;
/** The first is this library's default. */
const RULES = ["gauss-legendre", "gauss-log"] as const;
const GRID = 8;

const plan = (n: number): NetPlan => ({
  input: [n],
  layers: [
    { kind: "dense", in: n, out: 64 },
    { kind: "softplus", beta: 2 },
    { kind: "dense", in: 64, out: 64 },
    { kind: "softplus", beta: 2 },
    { kind: "dense", in: 64, out: 10 },
  ],
});

export const hessianMatrices: readonly Workload[] = SIZES.map((n) => ({
  name: `hessian-${n}`,
  about: `Integrated Hessians, all ${n} x ${n} interactions of one example, dense ${n}-64-64-10 with softplus`,
  async prepare({ device, files }: Lab): Promise<Prepared> {
    const subject = await subjectOf(files, `ih_mlp_n${n}`, plan(n));
    const network = netModel(device, subject.net);
    const truth = truthOf(subject);
    const [line, log] = RULES.map((rule) => enoughNodes(rule, subject, truth.data));
    const { net, x, target } = subject;
    const task: IntegratedHessiansTask = { kind: "integrated-hessians", net, x, target, rule: line! };
    return {
      source: subject.source,
      truth: { source: truth.source, data: () => truth.data },
      tolerance: 1e-4,
      task,
      own: [
        contestant(`aumann, ${line!.nodes.length} nodes`, network, subject, line!),
        contestant(`aumann, ${log!.nodes.length} gauss-log nodes`, network, subject, log!),
        contestant(`aumann, ${GRID} x ${GRID} grid`, network, subject, grid(gaussLegendre(GRID))),
      ],
      recorded: { source: recorded.source, figures: recorded.hessians[`${n}`] },
      study: async () => [await errorTable(network, subject, truth.data)],
      dispose: network.dispose,
    };
  },
}));

/** The stored integral, else 64 nodes, which smooth networks of this size need no more of. */
function truthOf({ golden, net, x, target }: Subject): { readonly data: ArrayLike<number>; readonly source: string } {
  const expected = golden?.file.expected.find(({ quantity }) => quantity === "ih_exact");
  if (golden && expected) {
    return { data: caseNumbers(golden, expected.tensor_f64), source: "the integral in double precision, stored" };
  }
  const data = integratedHessiansTruth(net, x.data, target, hessianQuadrature("gauss-legendre", 64));
  return { data, source: "double precision, closed form of the Hessian, 64 nodes" };
}

/** The rule with the fewest nodes that reaches the wanted error in double precision, with half of it left for f32. */
function enoughNodes(name: HessianRule, { net, x, target }: Subject, truth: ArrayLike<number>): HessianQuadrature {
  for (let nodes = 2; nodes <= 64; nodes++) {
    const rule = hessianQuadrature(name, nodes);
    if (relativeError(integratedHessiansTruth(net, x.data, target, rule), truth) <= WANTED / 2) return rule;
  }
  throw new Error(`${name}: 64 nodes miss the integral by more than ${WANTED / 2} of its largest entry`);
}

const grid = (rule: Quadrature): HessianQuadrature => productRule(rule, rule);

/** Means over equidistant points, both ends included: the fixed grid of path_explain. */
const equidistant = (n: number): Quadrature => ({
  nodes: Array.from({ length: n }, (_, k) => k / (n - 1)),
  weights: Array<number>(n).fill(1 / n),
});

const explain = ({ model }: NetModel, { x, target }: Subject, points: HessianQuadrature) =>
  integratedHessians(model, x, { points, target });

function contestant(name: string, network: NetModel, subject: Subject, points: HessianQuadrature): Contestant {
  return {
    name,
    run: async () => {
      const { interactions, evaluations, nodes, symmetryError, plan } = await explain(network, subject, points);
      const facts = {
        ...{ nodes, Hessians: evaluations, form: `${plan.form} over ${plan.tangents}` },
        "symmetry error": symmetryError,
        ...{ "planned bytes": plan.bytes, "Mflop run": plan.flops / 1e6 },
      };
      return { data: interactions.data, facts };
    },
  };
}

type Studied = readonly [name: string, points: number, rule: HessianQuadrature];

/** Error against the number of nodes, computed on the device. */
async function errorTable(network: NetModel, subject: Subject, truth: ArrayLike<number>): Promise<Table> {
  const lines = [
    ...RULES.map((name) => ({ name, counts: [2, 4, 6, 8, 12, 16] })),
    { name: "bins", counts: [16, 64] },
  ] as const;
  const rules: Studied[] = [
    ...lines.flatMap(({ name, counts }) => counts.map((n): Studied => [name, n, hessianQuadrature(name, n)])),
    ...[2, 3, 4, 6, 8].map((n): Studied => [`grid ${n} x ${n}, Gauss-Legendre`, n * n, grid(gaussLegendre(n))]),
    ...[7, 20].map((n): Studied => [`grid ${n} x ${n}, equidistant means`, n * n, grid(equidistant(n))]),
  ];
  const rows: Table["rows"][number][] = [];
  for (const [name, points, rule] of rules) {
    const { interactions, evaluations } = await explain(network, subject, rule);
    rows.push([name, points, evaluations, relativeError(interactions.data, truth).toExponential(1)]);
  }
  return {
    caption:
      "error by quadrature, all through this library; it merges equal products of grid points, and adds nodes of its own for the attributions",
    columns: ["rule", "points", "Hessians taken", "error"],
    rows,
  };
}
