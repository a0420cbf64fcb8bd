// Integrated Gradients compiled ahead, for pages that explain one network and should stay small.
import { ArgumentError, LimitError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import { saveProgram } from "../compiler/save.ts";
import { packSaved } from "../compiler/saved.ts";
import { baselineSet, placeholders } from "./baseline-set.ts";
import { checkOptions, DEFAULT_STEPS, ruleOf, type IntegratedGradientsOptions } from "./integrated-gradients.ts";
import { GRADIENTS_FORMAT, type SavedGradients } from "./load-gradients.ts";
import { gradientIntegrand } from "./path-graphs.ts";
import { classArray } from "./path-inputs.ts";
import { PathIntegral } from "./path.ts";
import { isArrayInput, namedInputs, tableRows } from "./problem.ts";
import { quadrature } from "./quadrature.ts";
import type { ArrayInput, Input, ModelLike } from "./types.ts";

export interface SaveGradientsOptions extends Omit<
  IntegratedGradientsOptions,
  "rule" | "tolerance" | "maxSteps" | "kernel" | "onProgress" | "signal"
> {
  /** Default: `gauss-legendre` if the network is smooth, `midpoint` if it has kinks. */
  readonly rule?: Exclude<IntegratedGradientsOptions["rule"], "equidistributed">;
}

/** An explanation in two parts. */
export interface GradientsFiles {
  /** Plain data, for JSON. */
  readonly explanation: SavedGradients;
  /** Weights, nodes and baselines. */
  readonly weights: ArrayBuffer;
}

/**
 * What `loadIntegratedGradients` explains a network with on another machine or page, where neither the network's definition nor
 * the code that compiles it is needed: kernels, their order, and weights. The result is that of `integratedGradients`.
 *
 * The kernels are for the adapter at hand, unless `openDevice({ kernels })` says otherwise, and for inputs of these shapes.
 * @param input arrays of which only names, shapes and types count
 * @param options those of `integratedGradients` that do not depend on results; with numbers for `target`, other classes may be
 *   named later
 * @throws LimitError if all nodes do not fit into one submit
 * @throws ArgumentError for a baseline that depends on the input, or on chance, and for what `integratedGradients` refuses
 */
export async function saveIntegratedGradients(
  model: ModelLike,
  input: Input,
  options: SaveGradientsOptions = {},
): Promise<GradientsFiles> {
  checkAhead(options);
  const like = (value: number): Input =>
    isArrayInput(input) ? filled(input, value) : mapped(input, (x) => filled(x, value));
  const path = await PathIntegral.open(model, like(0), options);
  try {
    const { problem, set, shape, device } = path;
    const others = placeholders(problem, path.starting, namedInputs(model, like(1)));
    if (JSON.stringify(await baselineSet(options.baseline ?? "zero", others)) !== JSON.stringify(set)) {
      throw new ArgumentError(
        "saveIntegratedGradients: the baseline depends on the input, or on chance; give arrays or numbers, or for token " +
          'ids `layer` with baselineOf: "layer"',
      );
    }
    const rule = ruleOf(path, options);
    const points = path.points(
      options.points ??
        quadrature(rule as Exclude<typeof rule, "explicit" | "equidistributed">, options.steps ?? DEFAULT_STEPS),
    );
    const integrand = gradientIntegrand(shape);
    const whole = path.whole(points, integrand) ?? path.whole(points, integrand, packSaved);
    if (!whole) {
      throw new LimitError(
        `saveIntegratedGradients: ${points.steps} nodes do not fit into one submit; take fewer, fewer examples, or a larger memoryBudget`,
      );
    }
    const classes = problem.index && classArray(options.target, problem.target.batch);
    const uploaded = path.upload(points);
    const fixed = await device.read(uploaded).finally(() => uploaded.forEach((t) => t.dispose()));
    const open = problem.names.length + (classes ? 1 : 0);
    const { program, weights } = await saveProgram(whole.program, [
      ...Array<undefined>(open).fill(undefined),
      ...fixed,
    ]);
    return {
      weights,
      explanation: {
        format: GRADIENTS_FORMAT,
        program,
        single: isArrayInput(input),
        names: problem.endNames,
        results: integrand.results,
        output: problem.output.shape,
        p: set.weights,
        ...(whole.graph.pick && { pick: whole.graph.pick }),
        rule,
        steps: points.steps,
        perClass: problem.target.kind === "all",
        ...(classes && { target: [...classes.data] }),
        tables: [...tableRows(problem)],
      },
    };
  } finally {
    path.dispose();
  }
}

/** Types rule these out; callers without types do not know. */
function checkAhead(options: IntegratedGradientsOptions): void {
  checkOptions(options);
  const wrong = (["tolerance", "kernel"] as const).find((name) => options[name] !== undefined);
  if (wrong !== undefined || options.rule === "equidistributed") {
    throw new ArgumentError(
      `saveIntegratedGradients: ${wrong ?? "rule: equidistributed"} depends on results, or is code; use integratedGradients`,
    );
  }
}

const filled = ({ shape, dtype }: ArrayInput, value: number): HostArray =>
  hostArray(new Float32Array(numel(shape)).fill(value), shape, dtype);

const mapped = <T, U>(record: Readonly<Record<string, T>>, fn: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, fn(value)]));
