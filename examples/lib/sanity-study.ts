// Maps of networks that lose what they learnt: layer by layer, and by learning permuted labels instead.
import { dataRandomisation, type DataRandomisationResult } from "../../src/attribution/evaluate/sanity-data.ts";
import { sanityCheck, type CheckedMethod, type SanityResult } from "../../src/attribution/evaluate/sanity.ts";
import { spearman } from "../../src/attribution/evaluate/similarity.ts";
import { entry } from "../../src/attribution/competition.ts";
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import type { HostArray } from "../../src/tensor/host.ts";
import { grey, heatMap, type Raster } from "../../src/view/index.ts";
import { examplesAt, firstOfClasses, type LabelledPictures } from "./sanity-fashion.ts";
import { checkedMethods, type PathSettings } from "./sanity-methods.ts";
import { smallCnn, trainedCnn, type TrainingSettings } from "./sanity-network.ts";
import { mean } from "./statistics.ts";

export const MODES = ["cascading", "independent"] as const;
export type Mode = (typeof MODES)[number];

export interface CheckSettings extends PathSettings {
  readonly modes: readonly Mode[];
}

export interface StudySettings {
  /** Pictures to train on and to hold out. */
  readonly train: number;
  readonly held: number;
  readonly training: Omit<TrainingSettings, "seed">;
  /** Held-out pictures that are explained: the first of each of so many classes. */
  readonly pictures: number;
  readonly cnn: CheckSettings;
  /** How many pictures the network of permuted labels learns, and for how many steps. */
  readonly permuted: { readonly examples: number; readonly steps: number };
  readonly real: CheckSettings;
  readonly seed: number;
}

export interface StudyTools {
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  readonly onProgress: (stage: string, done: number, total: number) => void;
  /** Trains even if there are weights in the cache. */
  readonly again?: boolean;
  /** Default: the cache folder of the user. */
  readonly cache?: string;
}

/** A network and the pictures that it is asked about. */
export interface Checked {
  readonly name: string;
  readonly about: string;
  readonly model: nn.Model;
  /** [B, 1, H, W] */
  readonly input: HostArray;
  readonly pictures: readonly Raster[];
}

export interface CheckedNetwork extends Omit<Checked, "model"> {
  readonly settings: CheckSettings;
  /** Explained class of every picture. */
  readonly classNames: readonly string[];
  readonly results: Readonly<Partial<Record<Mode, SanityResult>>>;
  /** By method: rank correlation of |map| of the trained network with |input|, mean over the pictures. */
  readonly inputRanks: Readonly<Record<string, number>>;
}

export interface PermutedLabels {
  readonly result: DataRandomisationResult;
  readonly examples: number;
  readonly steps: number;
}

export interface SanityStudy {
  readonly settings: StudySettings;
  readonly networks: readonly CheckedNetwork[];
  readonly accuracy: { readonly train: number; readonly held: number };
  readonly cached: boolean;
  readonly permuted: PermutedLabels;
}

/**
 * Trains the small network (or takes it from the cache), and checks it and another one.
 * @param real makes the other network, when it is its turn
 */
export async function sanityStudy(
  data: LabelledPictures,
  real: () => Promise<Checked>,
  settings: StudySettings,
  tools: StudyTools,
): Promise<SanityStudy> {
  const { seed } = settings;
  tools.onProgress("training on pictures of clothes", 0, 1);
  const { model, ...trained } = await trainedCnn(data, { ...settings.training, seed }, tools);
  const subject: Checked = { ...clothes(data, settings, trained.accuracy), model };
  const networks = [await disposing(subject, () => checkNetwork(subject, settings.cnn, seed, tools))];
  const permuted = await permutedLabels(data, subject.input, settings, tools);
  const other = await real();
  networks.push(await disposing(other, () => checkNetwork(other, settings.real, seed, tools)));
  return { settings, networks, ...trained, permuted };
}

async function disposing<T>({ model }: Checked, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    model.dispose();
  }
}

function clothes(
  { held }: LabelledPictures,
  { train, held: count, training, pictures }: StudySettings,
  accuracy: SanityStudy["accuracy"],
): Omit<Checked, "model"> {
  const { inputs: input } = examplesAt(held, firstOfClasses(held.labels, pictures));
  return {
    name: "Clothes",
    about:
      `A network of two convolutions and two dense layers, trained by this program on ${train.toLocaleString("en")} pictures of ` +
      `Fashion-MNIST for ${training.steps} steps. It recognises ${percent(accuracy.held)} of ${count.toLocaleString("en")} ` +
      `held-out pictures. Explained are the first held-out pictures of ${input.shape[0]} classes. The ` +
      "background is exactly 0, which is also where paths start.",
    input,
    pictures: Array.from({ length: input.shape[0]! }, (_, k) => heatMap(entry(input, k), { colors: grey, limit: 1 })),
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)}\u00a0%`;

/** All maps of one network, compared in each mode. */
export async function checkNetwork(
  { model, ...subject }: Checked,
  settings: CheckSettings,
  seed: number,
  { signal, onProgress }: Pick<StudyTools, "signal" | "onProgress">,
): Promise<CheckedNetwork> {
  const methods = checkedMethods(settings);
  const results: Partial<Record<Mode, SanityResult>> = {};
  for (const mode of settings.modes) {
    const [known] = Object.values(results);
    results[mode] = await sanityCheck(known ? afterFirst(methods, known) : methods, model, subject.input, {
      mode,
      seed,
      keepMaps: true,
      signal,
      onProgress: ({ done, total }) => onProgress(`${subject.name}: ${mode} randomisation`, done, total),
    });
  }
  const [first] = Object.values(results);
  return {
    ...subject,
    settings,
    results,
    classNames: first!.targets.map((target) => model.classes?.[target] ?? `class ${target}`),
    inputRanks: Object.fromEntries(
      Object.entries(first!.maps!).map(([name, [trained]]) => [name, inputRank(trained!, subject.input)]),
    ),
  };
}

/**
 * The methods, with the first two maps of each taken from another run: both modes start with the network as it was trained,
 * and randomise the output next, with the same numbers.
 */
function afterFirst(methods: Readonly<Record<string, CheckedMethod>>, { maps }: SanityResult) {
  const wrapped = Object.entries(methods).map(([name, method]): [string, CheckedMethod] => {
    const known = maps![name]!.slice(0, 2);
    return [
      name,
      (...given) => {
        const attributions = known.shift();
        return attributions ? Promise.resolve({ attributions }) : method(...given);
      },
    ];
  });
  return Object.fromEntries(wrapped);
}

/** How far the ranks of a map's magnitudes are those of the input's: mean over the examples. */
export const inputRank = (map: HostArray, input: HostArray): number =>
  mean(
    Array.from({ length: input.shape[0]! }, (_, k) =>
      spearman(entry(map, k).data, entry(input, k).data, { absolute: true }),
    ),
  );

async function permutedLabels(
  { train, classes }: LabelledPictures,
  input: HostArray,
  { permuted: { examples, steps }, cnn, training, seed }: StudySettings,
  { device, signal, onProgress }: StudyTools,
): Promise<PermutedLabels> {
  const data = examplesAt(
    train,
    Array.from({ length: examples }, (_, row) => row),
  );
  const network = smallCnn(train.inputs.shape[2]!, classes.length);
  const result = await dataRandomisation(checkedMethods(cnn), network, data, input, {
    device,
    steps,
    seed,
    batch: Math.min(32, examples),
    optimiser: () => nn.adam({ learningRate: training.learningRate }),
    keepMaps: true,
    signal,
    onProgress: ({ done, total }) => onProgress("permuted labels", done, total),
  });
  return { result, examples: data.labels.length, steps };
}
