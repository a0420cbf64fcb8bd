// Interior gradients (Sundararajan, Taly, Yan: "Gradients of Counterfactuals", arXiv 1611.02639).
import { ArgumentError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import type { Node } from "../graph/node.ts";
import { PathIntegral } from "./path.ts";
import { interiorOf } from "./interior-result.ts";
import { formOf } from "./problem.ts";
import type { Attributions, Input, ModelLike, PathOptions } from "./types.ts";
import { reporting } from "./session.ts";

export interface InteriorGradientsOptions extends PathOptions {
  /** Positions on the path. Default: `steps` equally spaced ones from 0 to 1, both ends included. */
  readonly alphas?: readonly number[];
  /** Default 11. */
  readonly steps?: number;
  /** Intermediate values whose cosine distance from their value at the input is returned. */
  readonly layers?: readonly string[];
}

export interface InteriorGradientsResult<I extends Input = Input> {
  readonly alphas: readonly number[];
  /** Gradient at every position: [S, ...input]. */
  readonly gradients: Attributions<I>;
  /** Score at every position: [S, B]. */
  readonly scores: HostArray;
  /** Mean magnitude of the gradient's elements, over all inputs, at every position. */
  readonly meanAbsGradient: readonly number[];
  /** 1 - cosine of a layer's activation with that at the last position, at every position, by layer. */
  readonly cosineDistances: Readonly<Record<string, readonly number[]>>;
}

/**
 * Gradients of the score at x' + a (x - x') for several a, with the saturation curves: how score, gradient size and
 * hidden activations change along the path. A network saturates where the score is flat and gradients vanish.
 */
export async function interiorGradients<I extends Input>(
  model: ModelLike,
  input: I,
  options: InteriorGradientsOptions = {},
): Promise<InteriorGradientsResult<I>> {
  const { steps = 11, layers = [] } = options;
  const alphas = options.alphas ?? Array.from({ length: steps }, (_, k) => (steps === 1 ? 1 : k / (steps - 1)));
  if (alphas.length === 0 || !alphas.every(Number.isFinite))
    throw new ArgumentError("alphas: expected at least one number, all finite");
  if (options.target === "all")
    throw new ArgumentError('target: interior gradients explain one class; "all" is not possible');
  const path = await PathIntegral.open(model, input, options);
  try {
    if (path.baselineCount > 1) {
      throw new ArgumentError(
        `baseline: interior gradients follow one path, got ${path.baselineCount} baselines; call once for each`,
      );
    }
    const { problem } = path;
    const nodes = layers.map((name) => layerNode(problem.layers, name));
    const { endGradients, pathRows, rowGraph } = await import("./on-demand.ts");
    const outputs = [problem.score, ...endGradients(problem), ...nodes];
    const report = reporting(options, alphas.length);
    const rows = await pathRows(
      path,
      `interior ${layers.join()}`,
      (count) => rowGraph(problem, count, outputs),
      alphas,
      report,
    );
    const form = { ...formOf(problem, input), layers };
    options.recorder?.noteResult("interior", { ...form, count: alphas.length });
    return { alphas, ...interiorOf<I>(rows, form) };
  } finally {
    path.dispose();
  }
}

function layerNode(layers: ReadonlyMap<string, Node>, name: string): Node {
  const node = layers.get(name);
  if (!node)
    throw new ArgumentError(
      `layers: there is no intermediate value "${name}"; the model names ${[...layers.keys()].slice(0, 20).join(", ")}`,
    );
  return node;
}
