// Networks and their pictures, explained by every method and judged by every metric.
import { evaluate, type Metric } from "../../src/attribution/evaluate/evaluate.ts";
import { boxRegions, type Box } from "../../src/attribution/evaluate/localisation.ts";
import type { ModelLike } from "../../src/attribution/types.ts";
import { parseArguments } from "../../src/cli/arguments.ts";
import { chooseModel } from "../../src/cli/models.ts";
import { pictureInput, shownPicture, type PictureFormat } from "../../src/cli/picture.ts";
import type { Device } from "../../src/tensor/device.ts";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";
import type { Raster } from "../../src/view/index.ts";
import {
  comparedMethods,
  type Levels,
  type Explanation,
  type Method,
  type MethodSettings,
} from "./evaluation-methods.ts";
import {
  judges,
  type CurveName,
  type MethodCurve,
  type MetricName,
  type MetricSettings,
} from "./evaluation-metrics.ts";
import { pictureSet, type PictureKind } from "./pictures-data.ts";
import { boxInInput } from "./pictures-measure.ts";

export interface EvaluationSettings extends MethodSettings, MetricSettings {
  readonly models: readonly { readonly model: string; readonly kind: PictureKind; readonly pictures: number }[];
}

export interface StudyTools {
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  readonly onProgress: (stage: string, done: number, total: number) => void;
}

/** Pictures as a network takes them. */
export interface Pictures {
  readonly names: readonly string[];
  /** [B, C, H, W] */
  readonly input: HostArray;
  /** What the network sees. */
  readonly shown: readonly Raster[];
  /** Where the object is, in pixels of the input. */
  readonly boxes: readonly Box[];
}

/** What is known about a network and its pictures. */
export interface Network extends Pictures {
  readonly title: string;
  readonly source: string;
  readonly pictureSource: string;
  readonly boxed: string;
  /** What the box holds. */
  readonly boxName: string;
  readonly classes: readonly string[] | undefined;
  readonly levels: Levels;
  /** What removed pixels become. */
  readonly removed: { readonly name: "black" | "grey"; readonly level: number };
}

export interface MethodResult {
  readonly attributions: HostArray;
  /** One number for each picture, by the metrics that were asked for. */
  readonly values: Readonly<Partial<Record<MetricName, Float64Array>>>;
  readonly curves: Readonly<Record<CurveName, MethodCurve>>;
  /** Of each picture: |score - score at the baseline|, where the sum of the attributions should be that difference. */
  readonly differences: readonly number[] | undefined;
}

export interface NetworkResult {
  readonly network: Network;
  /** Name of the explained class of each picture. */
  readonly explained: readonly string[];
  readonly methods: Readonly<Record<string, MethodResult>>;
}

export interface EvaluationStudy {
  readonly settings: EvaluationSettings;
  readonly results: readonly NetworkResult[];
}

export async function evaluationStudy(settings: EvaluationSettings, tools: StudyTools): Promise<EvaluationStudy> {
  const results: NetworkResult[] = [];
  for (const chosen of settings.models) {
    tools.onProgress(`loading ${chosen.model}`, 0, 1);
    const loaded = await (await chooseModel(parseArguments(["--model", chosen.model]))).load(tools.device, tools);
    try {
      const network = await networkOf(chosen, loaded, tools);
      const methods = comparedMethods(settings, network.levels);
      results.push(await judgedNetwork(loaded.model, network, methods, settings, tools));
    } finally {
      loaded.model.dispose();
    }
  }
  return { settings, results };
}

type Loaded = Awaited<ReturnType<Awaited<ReturnType<typeof chooseModel>>["load"]>>;

/** @throws ArgumentError for a model that takes channels last */
async function networkOf(
  { kind, pictures }: EvaluationSettings["models"][number],
  { model, format, name, source }: Loaded,
  { note, signal }: StudyTools,
): Promise<Network> {
  if (format.layout !== "CHW")
    throw new ArgumentError("this example takes models whose input is [batch, channels, height, width]");
  const set = await pictureSet(kind, pictures, { note, signal });
  const level = (byte: number): number => byte * format.scale + format.offset;
  return {
    title: `${name}, ${set.kind}`,
    source,
    pictureSource: set.source,
    boxed: set.boxed,
    boxName: Object.keys(set.subjects[0]!.boxes)[0]!,
    classes: model.classes,
    levels: { black: level(0), white: level(255) },
    // Symbols are drawn on black; photographs have no background to fall back to.
    removed: kind === "symbols" ? { name: "black", level: level(0) } : { name: "grey", level: level(127.5) },
    names: set.subjects.map((subject) => subject.name),
    ...batchOf(set.subjects, format),
  };
}

function batchOf(
  subjects: Awaited<ReturnType<typeof pictureSet>>["subjects"],
  format: PictureFormat,
): Omit<Pictures, "names"> {
  const inputs = subjects.map(({ picture }) => pictureInput(picture, format));
  const data = new Float32Array(inputs.reduce((n, x) => n + x.data.length, 0));
  inputs.forEach((x, k) => data.set(x.data, k * x.data.length));
  return {
    input: hostArray(data, [inputs.length, ...inputs[0]!.shape.slice(1)]),
    shown: inputs.map((x) => shownPicture(x, format)),
    boxes: subjects.map(({ picture, boxes }) => boxInInput(Object.values(boxes)[0]!, picture, format)),
  };
}

/** Every method on all pictures of a network, judged by every metric. */
export async function judgedNetwork(
  model: ModelLike,
  network: Network,
  methods: Readonly<Record<string, Method>>,
  settings: MetricSettings,
  { device, signal, onProgress }: Pick<StudyTools, "device" | "signal" | "onProgress">,
): Promise<NetworkResult> {
  const { input, boxes, levels, removed } = network;
  const [height, width] = input.shape.slice(-2) as [number, number];
  const first = new Map<string, Explanation>();
  const of = (attributions: HostArray): Explanation | undefined =>
    [...first.values()].find((explanation) => explanation.attributions === attributions);
  const about = { levels, removed: removed.level, regions: boxRegions(boxes.map((box) => [box]), height, width), height, width }; // prettier-ignore
  const { metrics, curves } = judges(about, settings, of, signal);
  const steps = Object.keys(methods).length * Object.keys(metrics).length;
  let [stage, done] = [network.title, 0];
  const watched = Object.entries(methods).map(([name, method]): [string, Method] => [
    name,
    async (...given) => {
      stage = `${network.title}: ${name}`;
      onProgress(stage, done, steps);
      const explanation = await method(...given);
      // Later calls are about variants of the pictures.
      if (!first.has(name)) first.set(name, explanation);
      return explanation;
    },
  ]);
  const data = {
    model,
    input,
    device,
    signal,
    onProgress: (progress: { readonly done: number }) => onProgress(stage, (done = progress.done), steps),
  };
  const table = await evaluate(Object.fromEntries(watched), data, metrics as Readonly<Record<string, Metric>>);
  const result = (name: string): MethodResult => {
    const { attributions, scores, delta } = first.get(name)!;
    const values = Object.entries(table.results[name]!).map(([metric, judgement]) => [metric, judgement.values]);
    return {
      attributions,
      values: Object.fromEntries(values) as MethodResult["values"],
      curves: curves(attributions),
      differences: delta && scores && Array.from(scores.input.data, (v, b) => Math.abs(v - scores.baseline.data[b]!)),
    };
  };
  return {
    network,
    explained: (table.targets ?? []).map((target) => network.classes?.[target] ?? `class ${target}`),
    methods: Object.fromEntries(table.methods.map((name) => [name, result(name)])),
  };
}
