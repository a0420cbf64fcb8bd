// The methods that are compared, with what they are compared to: two maps that know nothing of the network.
import { cgi } from "../../src/attribution/competition-cgi.ts";
import { randomNumbers } from "../../src/attribution/baselines.ts";
import { guidedIG } from "../../src/attribution/guided-ig.ts";
import { patchGroups } from "../../src/attribution/hessian-rows.ts";
import { integratedGradients } from "../../src/attribution/integrated-gradients.ts";
import { rankRegions } from "../../src/attribution/regions.ts";
import { saliency } from "../../src/attribution/saliency.ts";
import { shapleyIG } from "../../src/attribution/shapley-ig.ts";
import { segmentations } from "../../src/attribution/superpixels.ts";
import type { ExplainerOptions } from "../../src/attribution/evaluate/evaluate.ts";
import { pixelMaps } from "../../src/attribution/evaluate/subject.ts";
import type { ModelLike } from "../../src/attribution/types.ts";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";

export interface Explanation {
  /** Shape of the input, [B, C, H, W]. */
  readonly attributions: HostArray;
  /** Of methods that promise a sum: by how much they miss it, [B], and what the sum should be the difference of. */
  readonly delta?: HostArray;
  readonly scores?: { readonly input: HostArray; readonly baseline: HostArray };
}

export type Method = (model: ModelLike, input: HostArray, options: ExplainerOptions) => Promise<Explanation>;

export interface MethodSettings {
  /** Nodes of Integrated Gradients, from each baseline. */
  readonly nodes: number;
  readonly guidedSteps: number;
  /** Nodes on the path from each coalition. */
  readonly coalitionNodes: number;
  readonly seed: number;
}

/** Input values of black and white pixels. */
export interface Levels {
  readonly black: number;
  readonly white: number;
}

/** Half the width of Guided IG's corridor: the authors' 0.02 belongs to 200 steps, with fewer it leaves a straight line. */
export const MAX_DIST = 0.1;
/** Players of shapleyIG: patches along a side of the picture. */
export const PATCHES = 3;
/** Sizes of the coalitions, with as many coalitions of each as there are players (one of size 0). */
export const SIZES = [0, 3, 6];

/** Maps that know nothing of the network. */
export const CONTROLS: readonly string[] = ["picture itself", "random"];

/** All by name, the controls last. */
export function comparedMethods(
  { nodes, guidedSteps, coalitionNodes, seed }: MethodSettings,
  { black, white }: Levels,
): Record<string, Method> {
  const random = randomNumbers(seed);
  const from = (baseline: number): Method =>
    oncePerInput((model, x, options) => integratedGradients(model, x, { ...options, steps: nodes, baseline }));
  const fromBlack = from(black);
  const fromWhite = from(white);
  const fromBoth: Method = async (...given) => averaged(await fromBlack(...given), await fromWhite(...given));
  return {
    gradient: async (model, x, options) => {
      const { attributions } = await saliency(model, x, options);
      return { attributions: spreadOver(pixelMaps(mapped(attributions, Math.abs)), x) };
    },
    "IG (black)": fromBlack,
    "IG (white + black)": fromBoth,
    "Guided IG": (model, x, options) =>
      guidedIG(model, x, { ...options, baseline: black, steps: guidedSteps, maxDist: MAX_DIST }),
    shapleyIG: (model, x, options) => {
      const groups = patchGroups(x.shape.slice(1), Math.ceil(Math.max(...x.shape.slice(2)) / PATCHES));
      const coalitions = { groups, sizes: SIZES, steps: coalitionNodes, seed };
      return shapleyIG(model, x, { ...options, ...coalitions, baseline: black });
    },
    CGI: async (model, x, { target = "predicted", ...options }) => {
      if (typeof target === "function") throw new ArgumentError("target: labels compete, so that it must be one");
      const { attributions } = await cgi(model, x, { ...options, target });
      return { attributions: spreadOver(attributions, x) };
    },
    XRAI: async (model, x, options) => {
      const { attributions, ...sums } = await fromBoth(model, x, options);
      const pictures = examplesOf(x);
      // Both defaults are meant for pictures of 224 pixels.
      const scale = Math.min(...x.shape.slice(2)) / 224;
      const sizes = { dilation: 5 * scale, minArea: Math.max(1, 50 * scale ** 2) };
      const heats = examplesOf(attributions).map(
        (map, b) => rankRegions(map, segmentations(pictures[b]!), sizes).heat.data,
      );
      const map = hostArray(
        heats.flatMap((heat) => Array.from(heat)),
        [x.shape[0]!, ...x.shape.slice(2)],
      );
      return { ...sums, attributions: spreadOver(map, x) };
    },
    "picture itself": (_, x) => Promise.resolve({ attributions: mapped(x, (v) => v - black) }),
    random: (_, x) => Promise.resolve({ attributions: mapped(x, () => 2 * random() - 1) }),
  };
}

/** Three methods use what one path gives. */
function oncePerInput(method: Method): Method {
  const known = new WeakMap<HostArray, Promise<Explanation>>();
  return (model, x, options) => {
    const result = known.get(x) ?? method(model, x, options);
    known.set(x, result);
    return result;
  };
}

function averaged(a: Explanation, b: Explanation): Explanation {
  const half = (p: HostArray, q: HostArray): HostArray =>
    hostArray(
      Float32Array.from(p.data, (v, i) => (v + q.data[i]!) / 2),
      p.shape,
    );
  return {
    attributions: half(a.attributions, b.attributions),
    delta: half(a.delta!, b.delta!),
    scores: { input: a.scores!.input, baseline: half(a.scores!.baseline, b.scores!.baseline) },
  };
}

export const examplesOf = ({ shape, data }: HostArray): HostArray[] =>
  Array.from({ length: shape[0]! }, (_, b) => {
    const size = data.length / shape[0]!;
    return hostArray(data.slice(b * size, (b + 1) * size), shape.slice(1));
  });

const mapped = (array: HostArray, f: (v: number) => number): HostArray =>
  hostArray(Float32Array.from(array.data, f), array.shape);

/** A map of pixels [B, H, W] in the shape of the input: every channel gets the same part of its pixel. */
export function spreadOver(map: HostArray, { shape }: HostArray): HostArray {
  const [, channels, height, width] = shape as [number, number, number, number];
  const size = height * width;
  const part = (_: number, i: number): number =>
    map.data[Math.floor(i / (channels * size)) * size + (i % size)]! / channels;
  return hostArray(Float32Array.from({ length: map.data.length * channels }, part), shape);
}
