// Integrated Gradients: the rules of other programs, the integral itself, several baselines, all classes.
import { hostArray, type HostArray } from "../../../src/tensor/index.ts";
import {
  integratedGradients,
  type IntegratedGradientsOptions,
  type IntegratedGradientsResult,
} from "../../../src/attribution/index.ts";
import { convergedPoints } from "../break-points.ts";
import type { Context, Quantity, Result } from "../context.ts";

type Expected = Parameters<Quantity>[1];
type RuleOptions = Pick<IntegratedGradientsOptions, "rule" | "steps" | "points">;

export const integratedGradientsQuantities: Readonly<Record<string, Quantity>> = {
  ig: async (c, e) => ofInput(c, e, await integrate(c, baselineArrays(c, e), namedRule(c, e))),

  ig_exact: async (c, e) => ofInput(c, e, await integrateExactly(c, baselineArrays(c, e))),

  ig_exact_flat: async (c, e) => flat(ofInput(c, e, await integrateExactly(c, baselineArrays(c, e)))),

  convergence_delta: async (c, e) => (await integrate(c, baselineArrays(c, e), namedRule(c, e))).delta,

  ig_linspace_mean: async (c, e) => flat(ofInput(c, e, await integrate(c, baselineArrays(c, e), linspaceMean(e)))),

  ig_token_linspace_mean: async (c, e) =>
    tokenSums(ofInput(c, e, await integrate(c, baselineArrays(c, e), linspaceMean(e)))),

  ig_all_classes: async (c, e) => {
    const result = await integrate(c, baselineArrays(c, e), { ...namedRule(c, e), target: "all" });
    return swapped(ofInput(c, e, result));
  },

  ig_per_baseline: async (c, e) => {
    const results: HostArray[] = [];
    for (const baseline of examples(c, e)) results.push(ofInput(c, e, await integrate(c, [baseline], namedRule(c, e))));
    return { shape: [results.length, ...results[0]!.shape], data: results.flatMap(({ data }) => Array.from(data)) };
  },

  ig_mean_over_baselines: async (c, e) => ofInput(c, e, await integrateMany(c, examples(c, e), namedRule(c, e))),

  ig_mean_over_baselines_exact: (c, e) => exactMean(c, e, examples(c, e)),

  expected_gradients_limit: (c, e) => exactMean(c, e, rows(c.array(c.parameter("references")))),
};

/** Rules by the names that other programs give them; n is their number of steps. */
const rules: Readonly<Record<string, (n: number) => RuleOptions>> = {
  gausslegendre: (steps) => ({ rule: "gauss-legendre", steps }),
  riemann_left: (steps) => ({ rule: "left", steps }),
  riemann_right: (steps) => ({ rule: "right", steps }),
  riemann_middle: (steps) => ({ rule: "midpoint", steps }),
  standard_trapezoid: (steps) => ({ rule: "trapezoid", steps }),
  // Weights that sum to (n - 1) / n: Captum's definition.
  riemann_trapezoid: (n) => ({
    points: { nodes: linspace(n), weights: linspace(n).map((_, i) => (i === 0 || i === n - 1 ? 0.5 : 1) / n) },
  }),
};

const linspace = (n: number): number[] => Array.from({ length: n }, (_, i) => i / (n - 1));

export function namedRule(c: Context, { args, id }: Expected): RuleOptions {
  const { method, n_steps } = { ...c.case_.file.params, ...args };
  const rule = rules[String(method)];
  if (!rule) throw new Error(`${id}: unknown method ${JSON.stringify(method)}`);
  return rule(Number(n_steps));
}

/** Both ends of the path, equal weights: as biased as it looks. */
function linspaceMean({ args }: Expected): RuleOptions {
  const n = Number(args?.["num_samples"]);
  return { points: { nodes: linspace(n), weights: linspace(n).map(() => 1 / n) } };
}

export const baselineArrays = (c: Context, e: Expected): HostArray[] =>
  c.baselineOf(e).map((tensor) => c.array(tensor));

/** Baselines [R, ...] as R examples, each a baseline for all examples of the input. */
const examples = (c: Context, e: Expected): HostArray[] => rows(baselineArrays(c, e)[0]!);

/** The examples of an array, without the batch axis. */
function rows({ shape, data }: HostArray): HostArray[] {
  const [count, ...example] = shape as [number, ...number[]];
  const size = data.length / count;
  return Array.from({ length: count }, (_, i) => hostArray(data.slice(i * size, (i + 1) * size), example));
}

/** One run for each baseline and rule, however many quantities are read from it. */
function integrate(
  c: Context,
  baseline: readonly HostArray[],
  options: IntegratedGradientsOptions,
): Promise<IntegratedGradientsResult> {
  return run(c, { ...options, baseline: c.named(baseline) });
}

const integrateMany = (
  c: Context,
  baselines: readonly HostArray[],
  options: IntegratedGradientsOptions,
): Promise<IntegratedGradientsResult> => run(c, { ...options, baseline: baselines.map((baseline) => ({ baseline })) });

/** The integral itself. Each baseline has break points of its own. */
async function integrateExactly(c: Context, baseline: readonly HostArray[]): Promise<IntegratedGradientsResult> {
  const key = `points ${keyOf(baseline)}`;
  return integrate(c, baseline, { points: await c.once(key, () => convergedPoints(c, baseline)) });
}

/** Mean of the integrals from several baselines, each the same for all examples. */
async function exactMean(c: Context, e: Expected, baselines: readonly HostArray[]): Promise<Result> {
  const { shape, data } = c.parts(c.arrays())[c.inputOf(e)]!;
  const mean = new Float64Array(data.length);
  for (const baseline of baselines) {
    const whole = hostArray(
      Float32Array.from(data, (_, i) => baseline.data[i % baseline.data.length]!),
      shape,
    );
    const part = ofInput(c, e, await integrateExactly(c, [whole]));
    part.data.forEach((v, i) => (mean[i]! += v / baselines.length));
  }
  return { shape, data: mean };
}

function run(c: Context, options: IntegratedGradientsOptions): Promise<IntegratedGradientsResult> {
  return c.once(keyOf(options), () => integratedGradients(c.model, c.arrays(), { ...c.options(), ...options }));
}

const keyOf = (x: unknown): string =>
  JSON.stringify(x, (_, value: unknown) => (value instanceof Float32Array ? Array.from(value) : value));

export function ofInput(
  c: Context,
  e: Expected,
  { attributions }: { attributions: IntegratedGradientsResult["attributions"] },
): HostArray {
  return c.parts(attributions)[c.inputOf(e)]!;
}

const flat = ({ shape, data }: HostArray): Result => ({ shape: [shape[0]!, data.length / shape[0]!], data });

/** [B, T, E] -> [B, T] */
function tokenSums({ shape, data }: HostArray): Result {
  const [batch, tokens, width] = shape as [number, number, number];
  const sums = Array.from({ length: batch * tokens }, (_, i) =>
    Array.from(data)
      .slice(i * width, (i + 1) * width)
      .reduce((a, b) => a + b, 0),
  );
  return { shape: [batch, tokens], data: sums };
}

/** Exchanges the two leading axes. */
export function swapped({ shape, data }: HostArray): HostArray {
  const [a, b, ...rest] = shape as [number, number, ...number[]];
  const size = data.length / (a * b);
  const result = new Float32Array(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) result.set(data.slice((i * b + j) * size, (i * b + j + 1) * size), (j * a + i) * size);
  }
  return hostArray(result, [b, a, ...rest]);
}
