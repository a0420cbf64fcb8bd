// Integrated Gradients of networks from files. Their maps are compared by their sums along directions, sum of v_i IG_i: the
// first direction is ones, which checks completeness, the others are signs at random.
import { integratedGradients } from "../../src/attribution/index.ts";
import { random, type Model } from "../../src/nn/index.ts";
import type { Device, HostArray } from "../../src/tensor/index.ts";
import stored from "../real-truth.json";
import type { Absent, Contestant, Files, Prepared, Truth, Workload } from "../workload.ts";

const DIRECTIONS = 16;

/** A network from a file, with what is explained. */
export interface RealModel {
  readonly name: string;
  readonly about: string;
  readonly source: string;
  /** Midpoints. */
  readonly steps: number;
  /** Default 1e-3. */
  readonly tolerance?: number;
  /** The model, on the device; undefined where its files are missing. */
  load(device: Device, files: Files): Promise<Model | undefined>;
  /** What is explained. */
  example(files: Files): Promise<HostArray>;
}

/** Of networks whose files belong to npm packages: made by record-truth.ts. */
export interface StoredTruth {
  readonly target: number;
  readonly steps: number;
  readonly sums: readonly number[];
}

function recordedTruth({ name, steps }: RealModel): StoredTruth {
  const truth = (stored as Partial<Record<string, StoredTruth>>)[name];
  if (truth?.steps === steps) return truth;
  throw new Error(`real-truth.json holds nothing for ${steps} steps of ${name}; run bench/record-truth.ts`);
}

/** Sums of a map along all directions. */
export function directionSums(map: ArrayLike<number>): number[] {
  const stream = random("directions");
  return Array.from({ length: DIRECTIONS }, (_, k) => {
    let total = 0;
    for (let i = 0; i < map.length; i++) total += k > 0 && stream.uniform() < 0.5 ? -map[i]! : map[i]!;
    return total;
  });
}

export const realModelWorkload = (subject: RealModel): Workload => ({
  name: subject.name,
  about: aboutOf(subject),
  prepare: ({ device, files }) => {
    const { target, sums } = recordedTruth(subject);
    const truth = { data: () => sums, source: `sums along ${DIRECTIONS} directions in double precision, stored` };
    return prepareModel(device, files, subject, { target, truth });
  },
});

export const aboutOf = ({ steps, about }: RealModel): string => `Integrated Gradients, ${steps} midpoints, ${about}`;

/** What a workload of a network prepares, once it knows what to compare with. */
export async function prepareModel(
  device: Device,
  files: Files,
  subject: RealModel,
  { target, truth }: { target: number; truth: Truth },
): Promise<Prepared | Absent> {
  const model = await subject.load(device, files);
  if (!model) return { absent: `the files of ${subject.source} are not here` };
  const x = await subject.example(files);
  return {
    source: subject.source,
    truth,
    tolerance: subject.tolerance ?? 1e-3,
    withoutPeers: "the installed packages read no files of models",
    own: [contestant(model, x, subject.steps, target)],
    dispose: () => model.dispose(),
  };
}

const contestant = (model: Model, x: HostArray, steps: number, target: number): Contestant => ({
  name: "aumann",
  async run() {
    const { attributions, evaluations, plan } = await integratedGradients(model, x, {
      ...{ steps, rule: "midpoint", target },
    });
    const facts = { gradients: evaluations, "planned bytes": plan.bytes, "Mflop run": plan.flops / 1e6 };
    return { data: directionSums(attributions.data), facts };
  },
});
