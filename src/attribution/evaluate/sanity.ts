// Sanity checks (Adebayo et al., arXiv 1810.03292): how alike are the maps of a trained network and of one that has lost
// what it learnt? A method whose maps stay alike explains the input, or the architecture, but not the network.
import { ArgumentError } from "../../tensor/errors.ts";
import { hostArray, type HostArray } from "../../tensor/host.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Model } from "../../nn/model.ts";
import { entry } from "../competition.ts";
import { classIndices } from "../path-inputs.ts";
import { namedInputs, traceProblem } from "../problem.ts";
import { compiled } from "../programs.ts";
import type { ArrayInput, Progress } from "../types.ts";
import {
  copyModel,
  namedLayers,
  redraw,
  type ModelCopy,
  type ParameterLayer,
  type RandomiseOptions,
} from "./randomise.ts";
import { hogSimilarity, spearman, ssim } from "./similarity.ts";

/** A method as it is checked: cgi, saliency, or a function that calls a method with further options. */
export type CheckedMethod = (
  model: Model,
  input: ArrayInput,
  options: { readonly target: readonly number[]; readonly signal?: AbortSignal },
) => Promise<{ readonly attributions: HostArray | Readonly<Record<string, HostArray>> }>;

/** How alike the maps of one example are; 1 for equal maps. */
export type Similarity = (a: HostArray, b: HostArray) => number;

/** Pictures are compared by the shape of their maps: each is divided by its largest magnitude first. */
const scaled =
  (measure: Similarity): Similarity =>
  (a, b) =>
    measure(unit(a), unit(b));

function unit({ shape, data }: HostArray): HostArray {
  let largest = 0;
  for (const v of data) largest = Math.max(largest, Math.abs(v));
  return hostArray(
    Float32Array.from(data, (v) => (largest > 0 ? v / largest : 0)),
    shape,
  );
}

/** Rank correlation of the values and of their magnitudes, for maps of any shape. */
export const rankSimilarities: Readonly<Record<string, Similarity>> = {
  spearman: (a, b) => spearman(a.data, b.data),
  "spearman |.|": (a, b) => spearman(a.data, b.data, { absolute: true }),
};

/** Those, and structural similarity and the rank correlation of oriented gradients, for maps [H, W] and [C, H, W]. */
export const pictureSimilarities: Readonly<Record<string, Similarity>> = {
  ...rankSimilarities,
  ssim: scaled((a, b) => ssim(a, b, { range: 2 })),
  hog: scaled((a, b) => hogSimilarity(a, b)),
};

export interface ComparisonOptions {
  /** The explained class: one for all, one per example, or the one that the trained network predicts (default). */
  readonly target?: "predicted" | number | readonly number[];
  /** Default: {@link pictureSimilarities} for inputs [B, C, H, W], else {@link rankSimilarities}. */
  readonly similarities?: Readonly<Record<string, Similarity>>;
  /** Also returns the maps, for pictures of them. Default false. */
  readonly keepMaps?: boolean;
  /** Called after every map. */
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export interface SanityOptions extends ComparisonOptions, RandomiseOptions {
  /**
   * `cascading` (default): layers lose their weights one after the other, from the output to the input, and stay random.
   * `independent`: one layer at a time, the others as trained.
   */
  readonly mode?: "cascading" | "independent";
  /** Names of the layers to randomise, see `parameterLayers`. Default all. */
  readonly layers?: readonly string[];
}

export interface Curve {
  /** Mean over the examples after each step. */
  readonly mean: readonly number[];
  /** [steps][examples] */
  readonly values: readonly (readonly number[])[];
}

export interface SanityResult {
  /** The layer that each step randomised. */
  readonly layers: readonly string[];
  /** The explained class of every example. */
  readonly targets: readonly number[];
  /** By method and similarity. */
  readonly curves: Readonly<Record<string, Readonly<Record<string, Curve>>>>;
  /** By method: the map of the trained network, then that of every step. Only with `keepMaps`. */
  readonly maps?: Readonly<Record<string, readonly HostArray[]>>;
}

/**
 * Randomises a network layer by layer and compares each method's maps with those of the trained network. The class that
 * is explained stays the same. The model itself is not touched: its weights are copied, and overwritten in the copy, so that
 * every program is compiled once.
 *
 * @param methods by the names that the curves get
 * @param model trained with this package or imported
 * @param input examples along the first axis
 * @throws ArgumentError for layers that do not exist and for methods with maps of several inputs
 */
export async function sanityCheck(
  methods: Readonly<Record<string, CheckedMethod>>,
  model: Model,
  input: ArrayInput,
  options: SanityOptions = {},
): Promise<SanityResult> {
  const { mode = "cascading" } = options;
  const layers = namedLayers(model, options.layers);
  const targets = await targetsOf(model, input, options.target);
  const copy = await copyModel(model);
  try {
    const comparison = new Comparison(methods, input, targets, layers.length, options);
    await comparison.add(copy);
    for (const layer of layers) {
      redraw(copy, layer, options);
      await comparison.add(copy);
      if (mode === "independent") restore(copy, layer);
    }
    return { layers: layers.map(({ name }) => name), targets, ...comparison.result() };
  } finally {
    copy.dispose();
  }
}

const restore = (copy: ModelCopy, { parameters }: ParameterLayer): void =>
  parameters.forEach((name) => copy.overwrite(name, copy.originals[name]!));

/** The class of every example: those named, or those that the model predicts. */
export async function targetsOf(
  model: Model,
  input: ArrayInput,
  target: ComparisonOptions["target"] = "predicted",
): Promise<readonly number[]> {
  const arrays = namedInputs(model, input);
  const problem = traceProblem(model, input, arrays, { target });
  const named = classIndices(target, problem.target.batch);
  if (named) return named;
  if (!problem.predicted) throw new ArgumentError("target: the model has no classes to predict");
  const { device } = model;
  const own: Tensor[] = [];
  try {
    const tensors = Object.values(arrays).map((x) => {
      if (x instanceof Tensor) return x;
      own.push(device.tensor(x));
      return own.at(-1)!;
    });
    const { inputs, predicted } = problem;
    const { program } = compiled(problem, device, "predicted", () => ({ inputs, outputs: [predicted] }));
    return Array.from((await program.runAndRead(tensors))[0]!.data);
  } finally {
    own.forEach((tensor) => tensor.dispose());
  }
}

/** The maps of several networks, each compared with the first one's. */
export class Comparison {
  readonly #maps: Record<string, HostArray[]> = {};
  readonly #values: Record<string, Record<string, number[][]>> = {};
  #done = 0;

  /** @param steps networks after the first */
  constructor(
    readonly methods: Readonly<Record<string, CheckedMethod>>,
    readonly input: ArrayInput,
    readonly targets: readonly number[],
    readonly steps: number,
    readonly options: ComparisonOptions,
  ) {}

  /** Makes the maps of the next network. */
  async add(model: Model): Promise<void> {
    const { options, input, targets, methods } = this;
    const { signal, keepMaps = false } = options;
    const total = Object.keys(methods).length * (this.steps + 1);
    for (const [name, method] of Object.entries(methods)) {
      signal?.throwIfAborted();
      const { attributions } = await method(model, input, { target: targets, ...(signal && { signal }) });
      if (!ArrayBuffer.isView(attributions.data))
        throw new ArgumentError(`"${name}" has maps of several inputs; wrap it in a function that returns one of them`);
      const map = attributions as HostArray;
      const first = (this.#maps[name] ??= [])[0];
      if (first) this.#compare(name, first, map);
      if (!first || keepMaps) this.#maps[name].push(map);
      options.onProgress?.({ done: ++this.#done, total });
    }
  }

  #compare(name: string, first: HostArray, map: HostArray): void {
    const { similarities = this.input.shape.length === 4 ? pictureSimilarities : rankSimilarities } = this.options;
    const values = (this.#values[name] ??= {});
    for (const [measure, similarity] of Object.entries(similarities)) {
      const examples = this.targets.map((_, b) => similarity(entry(first, b), entry(map, b)));
      (values[measure] ??= []).push(examples);
    }
  }

  result(): Pick<SanityResult, "curves" | "maps"> {
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const curve = (values: readonly (readonly number[])[]): Curve => ({ mean: values.map(mean), values });
    return {
      curves: mapRecord(this.#values, (measures) => mapRecord(measures, curve)),
      ...(this.options.keepMaps && { maps: this.#maps }),
    };
  }
}

const mapRecord = <T, U>(record: Readonly<Record<string, T>>, f: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]));
