// A classifier's path from an empty picture to each of many: saturation, Integrated Gradients beside gradients, tests of both.
import { parseArguments } from "../../src/cli/arguments.ts";
import { chooseModel, type LoadedModel } from "../../src/cli/models.ts";
import { pictureInput, type PictureFormat } from "../../src/cli/picture.ts";
import type { Model } from "../../src/nn/model.ts";
import type { Device } from "../../src/tensor/device.ts";
import { ArgumentError } from "../../src/tensor/errors.ts";
import type { HostArray } from "../../src/tensor/host.ts";
import type { Box } from "../../src/attribution/evaluate/localisation.ts";
import { pictureSet, type PictureKind, type PictureSet, type Subject } from "./pictures-data.ts";
import { boxInInput, chosenLayers, measure, type Measured, type MeasureSettings } from "./pictures-measure.ts";

export interface PicturesSettings extends Omit<MeasureSettings, "layers"> {
  /** `emotion`, `detypify`, a file or a folder. */
  readonly model: string;
  readonly kind: PictureKind;
  readonly pictures: number;
  /** Where the path starts, and what blanked pixels become. */
  readonly baseline: "black" | "grey";
  /** Pictures that are shown. */
  readonly examples: number;
}

export interface StudyTools {
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  readonly onProgress: (stage: string, done: number, total: number) => void;
}

export interface PictureResult extends Measured {
  readonly name: string;
  /** Name of the predicted class. */
  readonly className: string;
  /** [1, C, H, W] */
  readonly x: HostArray;
  /** In pixels of the input. */
  readonly boxes: Readonly<Record<string, Box>>;
}

export interface PicturesStudy {
  readonly settings: PicturesSettings;
  readonly set: Omit<PictureSet, "subjects">;
  readonly model: Pick<LoadedModel, "name" | "source" | "format">;
  readonly layers: readonly string[];
  readonly results: readonly PictureResult[];
  /** Positions in `results` of those that are shown. */
  readonly shown: readonly number[];
}

const LAYERS = 5;

/** Fetches model and pictures, and measures one picture after the other. */
export async function picturesStudy(settings: PicturesSettings, tools: StudyTools): Promise<PicturesStudy> {
  const { device, signal, note, onProgress } = tools;
  onProgress("loading the model", 0, 1);
  const chosen = await chooseModel(parseArguments(["--model", settings.model]));
  const loaded = await chosen.load(device, { note, signal });
  try {
    const { subjects, ...set } = await pictureSet(settings.kind, settings.pictures, { note, signal });
    const layers = chosenLayers(loaded.model, LAYERS);
    const results = await measureAll(loaded.model, loaded.format, subjects, { ...settings, layers }, tools);
    const { name, source, format } = loaded;
    return {
      settings,
      set,
      model: { name, source, format },
      layers,
      results,
      shown: telling(results, settings.examples),
    };
  } finally {
    loaded.model.dispose();
  }
}

/** @throws ArgumentError for a model that takes channels last */
export async function measureAll(
  model: Model,
  format: PictureFormat,
  subjects: readonly Subject[],
  settings: MeasureSettings & Pick<PicturesSettings, "baseline">,
  { signal, onProgress }: Pick<StudyTools, "signal" | "onProgress">,
): Promise<PictureResult[]> {
  if (format.layout !== "CHW")
    throw new ArgumentError("this example takes models whose input is [batch, channels, height, width]");
  const results: PictureResult[] = [];
  for (const [k, { name, picture, boxes: own }] of subjects.entries()) {
    signal.throwIfAborted();
    onProgress(k === 0 ? "building kernels and measuring" : `measuring ${name}`, k, subjects.length);
    const x = pictureInput(picture, format);
    const boxes = Object.fromEntries(
      Object.entries(own).map(([what, box]) => [what, boxInInput(box, picture, format)]),
    );
    const about = { baseline: levelOf(settings.baseline, format), boxes };
    const found = await measure(model, x, about, { ...settings, seed: settings.seed + k }, signal);
    results.push({ ...found, name, x, boxes, className: model.classes?.[found.target] ?? `class ${found.target}` });
  }
  onProgress("measured", subjects.length, subjects.length);
  return results;
}

/** The input value of a baseline's pixels; grey is half way between black and white. */
export const levelOf = (baseline: PicturesSettings["baseline"], { scale, offset }: PictureFormat): number =>
  (baseline === "black" ? 0 : 127.5) * scale + offset;

/** The first picture, then the surest of every other predicted class, surest first. */
export function telling(results: readonly Pick<Measured, "target" | "probability">[], count: number): number[] {
  const sure = (k: number): number => results[k]!.probability.scores.at(-1)!;
  const order = results.map((_, k) => k).sort((a, b) => sure(b) - sure(a));
  const shown = results.length > 0 ? [0] : [];
  for (const k of order) if (!shown.some((other) => results[other]!.target === results[k]!.target)) shown.push(k);
  for (const k of order) if (!shown.includes(k)) shown.push(k);
  return shown.slice(0, count);
}
