// Competitive gradient x input: maps of all classes, of which one keeps what no other claims more of.
import { cgi, gradientXInput } from "../../src/attribution/index.ts";
import { hostArray, type Device } from "../../src/tensor/index.ts";
import { netModel, seeded, type LayerPlan, type Subject } from "../nets.ts";
import type { CompetitionTask } from "../task.ts";
import { competition, competitionTruth } from "../truth.ts";
import type { Contestant, Workload } from "../workload.ts";

const CLASSES = [10, 1000];

const layers = (classes: number): LayerPlan[] => [
  ...[{ kind: "conv", in: 1, out: 6, kernel: 5, padding: 2 } as const, { kind: "relu" } as const],
  { kind: "max-pool", size: 2 },
  ...[{ kind: "conv", in: 6, out: 16, kernel: 5 } as const, { kind: "relu" } as const],
  ...[{ kind: "max-pool", size: 2 } as const, { kind: "flatten" } as const],
  ...[{ kind: "dense", in: 400, out: 120 } as const, { kind: "relu" } as const],
  { kind: "dense", in: 120, out: classes },
];

export const competitions: readonly Workload[] = CLASSES.map((classes) => ({
  name: `cgi-${classes}-classes`,
  about: `competitive gradient x input, ${classes} classes, one picture 1x28x28, two convolutions, dense 400-120-${classes}`,
  prepare: ({ device }) => {
    const subject = stretched(seeded(`cgi-${classes}`, { input: [1, 28, 28], layers: layers(classes) }));
    const { net, x, target } = subject;
    const { model, dispose } = netModel(device, net);
    const task: CompetitionTask = { kind: "competition", net, x, target, classes };
    return Promise.resolve({
      source: "seeded weights",
      truth: { data: () => truthOf(task), source: "double precision, by the rule" },
      tolerance: 1e-4,
      task,
      own: [together(model, subject, device), oneByOne(model, subject, device, classes)],
      dispose,
    });
  },
}));

type Drawn = Omit<Subject, "source">;

/** With the last weights of the target four times as large: else it keeps one element of 784 in the company of 999 others. */
function stretched({ net, target, ...subject }: Drawn): Drawn {
  const last = net.layers.at(-1);
  if (last?.kind !== "dense") throw new Error("the last layer should be dense");
  const width = last.weight.shape[1]!;
  const data = last.weight.data.map((w, i) => (Math.floor(i / width) === target ? 4 * w : w));
  const layer = { ...last, weight: hostArray(data, last.weight.shape) };
  return { ...subject, target, net: { ...net, layers: [...net.layers.slice(0, -1), layer] } };
}

/** @throws Error if nearly nothing is left to compare */
function truthOf(task: CompetitionTask): Float64Array {
  const map = competitionTruth(task);
  const kept = map.filter((v) => v !== 0).length;
  if (kept < map.length / 10) throw new Error(`the target keeps only ${kept} of ${map.length} elements`);
  return map;
}

type Model = ReturnType<typeof netModel>["model"];
type Explained = Pick<Subject, "x" | "target">;

const together = (model: Model, { x, target }: Explained, device: Device): Contestant => ({
  name: "aumann",
  async run() {
    const { attributions, plan } = await cgi(model, x, { target, device });
    const facts = { cotangents: plan.cotangents, "planned bytes": plan.bytes, "Mflop run": plan.flops / 1e6 };
    return { data: attributions.data, facts };
  },
});

/** What a user without the method would write. */
const oneByOne = (model: Model, { x, target }: Explained, device: Device, classes: number): Contestant => ({
  name: `aumann, ${classes} backward passes`,
  async run() {
    const maps = [];
    for (let k = 0; k < classes; k++) {
      maps.push((await gradientXInput(model, x, { target: k, device })).attributions.data);
    }
    return { data: competition(maps, target) };
  },
});
