// Second derivatives need networks without kinks: smoothing them for one explanation, and saying what that did.
import { argmaxRows } from "./rows.ts";
import { cached } from "../tensor/cached.ts";
import { DerivativeError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { firstKink, kinkText } from "../compiler/affine.ts";
import type { Node } from "../graph/node.ts";
import { smooth, type Replaced, type Smoothed } from "../nn/smooth.ts";
import { PathIntegral } from "./path.ts";
import { inSession } from "./in-session.ts";
import type { Input, ModelLike, PathOptions } from "./types.ts";

export interface SmoothingOptions {
  /** Smooths the kinks of the network before anything is computed; see `smooth`. Without it, kinks are refused. */
  readonly beta?: number;
  /** With `beta`: whether max pooling is smoothed too. Default false. */
  readonly pool?: boolean;
  /** "ignore" takes second derivatives past kinks, which miss the interactions that the kinks make. Default "refuse". */
  readonly kinks?: "refuse" | "ignore";
}

/** What smoothing did to the network. */
export interface SmoothingReport {
  readonly beta: number;
  /** Operations that got a smooth form, by name. */
  readonly replaced: Replaced;
  /** A kink that smoothing left: max pooling without `pool`, jumps. */
  readonly remaining?: string;
  /** Scores of the network as it was: at the input, and averaged over the baselines. */
  readonly scores: { readonly input: HostArray; readonly baseline: HostArray };
  /** Largest difference between these scores and the smoothed ones. */
  readonly moved: number;
}

const smoothedModels = new WeakMap<object, Map<string, Smoothed<ModelLike>>>();

/** The same smoothed model for the same request, so that its programs are compiled once. */
export function smoothModel(model: ModelLike, beta: number, pool: boolean): Smoothed<ModelLike> {
  const known = cached(smoothedModels, model, () => new Map<string, Smoothed<ModelLike>>());
  return cached(known, `${beta} ${pool}`, () => smooth(model, { beta, pool }));
}

/**
 * Refuses networks with kinks that nobody asked to smooth. What smoothing leaves, such as max pooling without `pool`, is
 * taken as it is: second derivatives then pass through the element that is chosen.
 */
export function assertSmooth(
  model: ModelLike,
  { problem }: PathIntegral,
  { kinks = "refuse", beta }: SmoothingOptions,
): void {
  if (kinks === "ignore" || beta !== undefined || "smoothing" in model) return;
  const kink = firstKink([problem.score], problem.ends);
  if (!kink) return;
  throw new DerivativeError(
    `${kinkText(kink)} has a kink, where second derivatives say nothing; pass beta (10, say), or ` +
      `smooth(model, { beta: 10 }), to take those of its softplus form, or kinks: "ignore" to go past it`,
  );
}

export async function smoothingReport(
  model: ModelLike,
  { smoothing }: Smoothed<ModelLike>,
  kink: Node | undefined,
  input: Input,
  options: PathOptions,
  result: Explained,
): Promise<SmoothingReport> {
  const { targets } = result;
  // The class that was explained, which the network as it was might not predict.
  const path = await PathIntegral.open(model, input, {
    ...options,
    ...(targets && { target: Array.from(targets.data) }),
  });
  try {
    const { input: at, baseline } = await scoresOf(path);
    const scores = { input: at, baseline };
    const shift = (a: HostArray, b: HostArray): number => largestOf(a.data.map((v, i) => v - b.data[i]!));
    const moved = Math.max(shift(scores.input, result.scores.input), shift(scores.baseline, result.scores.baseline));
    const { beta, replaced } = smoothing;
    return { beta, replaced, ...(kink && { remaining: kinkText(kink) }), scores, moved };
  } finally {
    path.dispose();
  }
}

/**
 * How far smoothing moves the scores of a network: what `smooth(model, { beta, pool })` replaces, and the scores before it.
 * The class is that of the network as it is.
 * @param options beta (default 10), pool, and of path methods: target, score, baseline, layer
 */
export async function smoothingShift(
  model: ModelLike,
  input: Input,
  { beta = 10, pool = false, ...options }: PathOptions & Pick<SmoothingOptions, "beta" | "pool"> = {},
): Promise<SmoothingReport> {
  const smoothed = smoothModel(model, beta, pool);
  const target = await chosenTarget(model, input, options);
  const path = await PathIntegral.open(smoothed, input, { ...options, ...target });
  try {
    const kink = firstKink([path.problem.score], path.problem.ends);
    const scores = await scoresOf(path);
    return await smoothingReport(
      model,
      smoothed,
      kink,
      input,
      { ...options, ...target },
      { targets: undefined, scores },
    );
  } finally {
    path.dispose();
  }
}

/** The predicted class as numbers, so that another network explains the same. */
async function chosenTarget(
  model: ModelLike,
  input: Input,
  options: PathOptions,
): Promise<Pick<PathOptions, "target">> {
  if ((options.target ?? "predicted") !== "predicted") return {};
  const path = await PathIntegral.open(model, input, options);
  try {
    if (!path.problem.index) return {};
    return { target: argmaxRows((await scoresOf(path)).outputs) };
  } finally {
    path.dispose();
  }
}

/** Scores at the input and, averaged, at the baselines; the output at the input. */
async function scoresOf(path: PathIntegral): Promise<Explained["scores"] & { readonly outputs: HostArray }> {
  const { set } = path;
  const { encodePrelude, preludeProgram } = await import("./on-demand.ts");
  const { program } = preludeProgram(path, path.shape, 1);
  return inSession(path, [program], async (session) => {
    const pairs: HostArray[][] = [];
    for (const [member] of set.baselines.entries()) {
      const { ends, startScore, values } = encodePrelude(path, session, program, [member]);
      pairs.push(await session.read([ends[1]!, startScore, ends[0]!]));
      session.drop([...ends, startScore, ...values]);
    }
    const [input, , outputs] = pairs[0]!;
    const mean = input!.data.map((_, i) => pairs.reduce((sum, [, at], m) => sum + set.weights[m]! * at!.data[i]!, 0));
    return { input: input!, baseline: { ...input!, data: mean }, outputs: outputs! };
  });
}

interface Explained {
  readonly targets: HostArray | undefined;
  readonly scores: { readonly input: HostArray; readonly baseline: HostArray };
}

/** max |v| */
export const largestOf = (values: HostArray["data"]): number => {
  let largest = 0;
  for (const v of values) largest = Math.max(largest, Math.abs(v));
  return largest;
};
export const relative = (value: number, scale: number): number => (scale === 0 ? 0 : value / scale);
