// Integrated Hessians: the integral itself, and the two-dimensional rules of other programs.
import { integratedHessians, productRule, quadrature, type Quadrature } from "../../../src/attribution/index.ts";
import type { HostArray } from "../../../src/tensor/index.ts";
import type { Context, Quantity, Result } from "../context.ts";
import type { Expected } from "../case.ts";
import { baselineArrays } from "./integrated-gradients.ts";

export const integratedHessiansQuantities: Readonly<Record<string, Quantity>> = {
  ih_exact: async (c, e) => (await interactions(c, e, { tolerance: 1e-6 })).interactions,

  ih_exact_token: async (c, e) => tokens(c, e, { tolerance: 1e-6 }),

  ih_gausslegendre: (c, e) => grid(c, e, quadrature("gauss-legendre", Number(e.args?.["nodes"]))),

  ih_riemann_right: (c, e) => grid(c, e, ...both(e, "right")),

  ih_riemann_middle: (c, e) => grid(c, e, ...both(e, "midpoint")),

  ih_linspace_mean: (c, e) => grid(c, e, linspace(e)),

  ih_token_linspace_mean: (c, e) => tokens(c, e, { points: productRule(linspace(e), linspace(e)) }),
};

type Options = Parameters<typeof integratedHessians>[2];

function interactions(c: Context, e: Expected, options: Options) {
  const key = JSON.stringify([options, c.baselineOf(e)]);
  return c.once(`hessians ${key}`, () =>
    integratedHessians(c.model, c.arrays(), { ...c.options(), baseline: c.named(baselineArrays(c, e)), ...options }),
  );
}

async function grid(c: Context, e: Expected, a: Quadrature, b: Quadrature = a): Promise<Result> {
  return (await interactions(c, e, { points: productRule(a, b) })).interactions;
}

/** Interactions of tokens [B, T, T]: groups of the coordinates of one embedding [B, T, E]. */
async function tokens(c: Context, e: Expected, options: Options): Promise<Result> {
  const [, count, width] = (c.parts(c.arrays())[0] as HostArray).shape as [number, number, number];
  const groups = Array.from({ length: count * width }, (_, i) => Math.floor(i / width));
  return (await interactions(c, e, { ...options, groups })).interactions;
}

const both = ({ args }: Expected, rule: "right" | "midpoint"): [Quadrature, Quadrature] => [
  quadrature(rule, Number(args?.["k"])),
  quadrature(rule, Number(args?.["m"])),
];

/** Both ends included, equal weights: as other programs take it. */
function linspace({ args }: Expected): Quadrature {
  const n = Number(args?.["inner_nodes"]);
  return {
    nodes: Array.from({ length: n }, (_, i) => i / (n - 1)),
    weights: Array<number>(n).fill(1 / n),
  };
}
