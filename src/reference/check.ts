// Proves derivatives: forward against finite differences, reverse against forward, second order against differences of
// the gradient, batched against looped. Everything in double precision, so that a wrong rule stands out from rounding.
import { DerivativeError } from "../tensor/errors.ts";
import { input } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import type { Attrs, Primitive, Tangent } from "../graph/primitive.ts";
import { reachable, trace } from "../graph/trace.ts";
import { add, mul } from "../kernels/arithmetic.ts";
import { jvpGraph } from "../autograd/jvp.ts";
import { vjpGraph } from "../autograd/transpose.ts";
import { axpy, dot, worstError, zeros, type Array64 } from "./array.ts";
import { batchError } from "./check-batch.ts";
import { define, type Definition, type Definitions } from "./definition.ts";
import { evaluateNodes, readConstants, type Bindings } from "./evaluate.ts";
import { generator, randomArray, type Range } from "./random.ts";

export interface CheckOptions {
  /** Largest relative error that passes; default 1e-6. */
  readonly tolerance?: number;
  /** Of the random inputs, tangents and cotangents; default 1. */
  readonly seed?: number;
  /** Definitions of primitives that this package does not know. */
  readonly definitions?: Definitions;
}

/** Largest relative error of each check. */
export interface DerivativeErrors {
  /** Tangents against finite differences of the function. */
  readonly jvp: number;
  /** Tangents of single arguments, which must add up to the tangent of all. */
  readonly partial: number;
  /** Dot-product test: (J v) . u against v . (J^T u). */
  readonly transpose: number;
  /** Hessian-vector products against finite differences of the gradient. */
  readonly hvp: number;
  /** Reverse over forward against forward over reverse. */
  readonly mixed: number;
  /** Values, gradients and Hessian-vector products with a batch axis on any subset of the arguments, against a loop. */
  readonly batch: number;
}

/** A traced function at a point, with directions to differentiate along. */
export interface Probe {
  readonly xs: readonly Node[];
  readonly ys: readonly Node[];
  /** One tangent node per input, null where it is not f32. */
  readonly vs: readonly Tangent[];
  /** Cotangent nodes u + w y, the gradient of u . y + w . y^2 / 2: curved even where the function is linear. */
  readonly curved: readonly Tangent[];
  /** Plain cotangent nodes u. */
  readonly us: readonly Tangent[];
  readonly values: Bindings;
  /** Where the values of inputs and directions were drawn from. */
  readonly ranges: ReadonlyMap<Node, Range>;
  readonly definitions: Definitions | undefined;
  readonly random: () => number;
}

/**
 * Checks all derivatives of a function at random inputs, in double precision on the CPU.
 * @param fn a function of values; what it captures is read from the device first
 * @param inputs shape, dtype and range of each argument; keep the ranges away from kinks and singularities
 * @returns the largest relative error of each check
 * @throws DerivativeError when an error exceeds the tolerance, or a rule is missing
 */
export async function checkDerivatives(
  fn: (...inputs: Value[]) => Value | readonly Value[],
  inputs: readonly Range[],
  options: CheckOptions = {},
): Promise<DerivativeErrors> {
  const { tolerance = 1e-6 } = options;
  const probe = await prepare(fn, inputs, options);
  const { partial, jvp } = forwardErrors(probe);
  const { gradient, transpose } = reverseErrors(probe);
  const { product, hvp, mixed } = secondOrderErrors(probe, gradient);
  const batch = batchError(probe, [...probe.ys, ...present(gradient), ...present(product)]);
  const errors = { jvp, partial, transpose, hvp, mixed, batch };
  for (const [check, error] of Object.entries(errors)) {
    if (error <= tolerance) continue;
    const names = [...new Set(reachable(probe.ys).map((node) => node.primitive.name))].join(", ");
    throw new DerivativeError(
      `checkDerivatives: the ${check} check found a relative error of ${error.toExponential(1)}, expected at most ` +
        `${tolerance.toExponential(1)}; look at the ${RULE[check as keyof DerivativeErrors]} rules of: ${names}; or a kink lies close to these inputs: try another seed`,
    );
  }
  return errors;
}

const RULE: Readonly<Record<keyof DerivativeErrors, string>> = {
  jvp: "jvp",
  partial: "jvp (absent tangents)",
  transpose: "transpose",
  hvp: "jvp (of what the transpose rules build)",
  mixed: "transpose (of what the jvp rules build)",
  batch: "batch",
};

/**
 * Checks the rules of one primitive.
 * @param inputs shape, dtype and range of each argument
 * @param about attributes, and the f64 definition if the primitive is your own
 */
export function checkPrimitive<A extends Attrs>(
  primitive: Primitive<A>,
  inputs: readonly Range[],
  about: CheckOptions & { readonly attrs?: A; readonly definition?: Definition<A> } = {},
): Promise<DerivativeErrors> {
  const own = about.definition ? [define(primitive, about.definition)] : [];
  const definitions = new Map([...(about.definitions ?? []), ...own]);
  return checkDerivatives((...xs) => apply(primitive, xs, about.attrs ?? ({} as A)), inputs, { ...about, definitions });
}

const present = (nodes: readonly Tangent[]): Node[] => nodes.filter((node) => node !== null);

async function prepare(
  fn: (...inputs: Value[]) => Value | readonly Value[],
  inputs: readonly Range[],
  { seed = 1, definitions }: CheckOptions,
): Promise<Probe> {
  const { inputs: xs, outputs: ys } = trace(fn, inputs);
  const random = generator(seed);
  const values = new Map(await readConstants(ys));
  const ranges = new Map(xs.map((x, i) => [x, inputs[i]!]));
  xs.forEach((x, i) => values.set(x, randomArray(inputs[i]!, random)));
  const seedLike = (node: Node, name: string): Tangent => {
    if (node.dtype !== "f32") return null;
    const direction = input(node.shape, "f32", name);
    ranges.set(direction, { shape: node.shape });
    values.set(direction, randomArray({ shape: node.shape }, random));
    return direction;
  };
  const vs = xs.map((x) => seedLike(x, "v"));
  const us = ys.map((y) => seedLike(y, "u"));
  const ws = ys.map((y) => seedLike(y, "w"));
  const curved = ys.map((y, i) => (us[i] ? add(us[i], mul(ws[i]!, y)) : null));
  return { xs, ys, vs, us, curved, values, ranges, definitions, random };
}

/** Values of nodes at the probe's point, or at one moved along the tangents; absent nodes are zeros of `like`. */
function at(probe: Probe, nodes: readonly Tangent[], like: readonly Node[], step = 0): Array64[] {
  const moved = new Map(probe.values);
  probe.xs.forEach((x, i) => {
    const v = probe.vs[i];
    if (v && step !== 0) moved.set(x, axpy(probe.values.get(x)!, step, probe.values.get(v)!));
  });
  const known = evaluateNodes(present(nodes), moved, probe.definitions).values();
  return nodes.map((node, i) => (node ? known.next().value! : zeros(like[i]!.shape)));
}

const STEP = 2e-4;

/** Fourth-order central differences along the tangents: the error is about 1e-11 where the function is smooth. */
function differences(probe: Probe, nodes: readonly Tangent[], like: readonly Node[]): Array64[] {
  const [a, b, c, d] = [-2, -1, 1, 2].map((k) => at(probe, nodes, like, k * STEP)) as [
    Array64[],
    Array64[],
    Array64[],
    Array64[],
  ];
  return a.map(({ shape, data }, i) => ({
    shape,
    data: data.map((far, j) => (far - 8 * b[i]!.data[j]! + 8 * c[i]!.data[j]! - d[i]!.data[j]!) / (12 * STEP)),
  }));
}

const worst = (got: readonly Array64[], expected: readonly Array64[], floor?: number): number =>
  Math.max(0, ...got.map((array, i) => worstError(array, expected[i]!, floor)));

/** Rounding of a function's values limits what differences can say about its derivative. */
const rounding = (values: readonly Array64[]): number =>
  1e-3 * Math.max(1, ...values.flatMap(({ data }) => [...data].map(Math.abs)));

function forwardErrors(probe: Probe): { jvp: number; partial: number } {
  const { xs, ys, vs } = probe;
  const smooth = ys.filter((y) => y.dtype === "f32");
  const tangents = at(probe, jvpGraph(smooth, xs, vs), smooth);
  const jvp = worst(tangents, differences(probe, smooth, smooth), rounding(at(probe, smooth, smooth)));
  const parts = vs.flatMap((v, i) =>
    v
      ? [
          at(
            probe,
            jvpGraph(
              smooth,
              xs,
              vs.map((w, j) => (i === j ? w : null)),
            ),
            smooth,
          ),
        ]
      : [],
  );
  const total = smooth.map((y, k) => parts.reduce((sum, part) => axpy(sum, 1, part[k]!), zeros(y.shape)));
  return { jvp, partial: worst(total, tangents) };
}

function reverseErrors(probe: Probe): { gradient: readonly Tangent[]; transpose: number } {
  const { xs, ys, vs, us, values } = probe;
  const pulled = at(probe, vjpGraph(ys, xs, us), xs);
  const pushed = at(probe, jvpGraph(ys, xs, vs), ys);
  const pairs = [
    ...us.flatMap((u, i) => (u ? [[values.get(u)!, pushed[i]!, 1] as const] : [])),
    ...vs.flatMap((v, i) => (v ? [[values.get(v)!, pulled[i]!, -1] as const] : [])),
  ];
  const difference = pairs.reduce((sum, [a, b, sign]) => sum + sign * dot(a, b), 0);
  const scale = pairs.reduce((sum, [a, b]) => sum + Math.sqrt(dot(a, a) * dot(b, b)), 1e-3);
  return { gradient: vjpGraph(ys, xs, probe.curved), transpose: Math.abs(difference) / scale };
}

function secondOrderErrors(
  probe: Probe,
  gradient: readonly Tangent[],
): { product: readonly Tangent[]; hvp: number; mixed: number } {
  const { xs, ys, vs, us } = probe;
  const product = derivatives(gradient, (nodes) => jvpGraph(nodes, xs, vs));
  const hvp = worst(at(probe, product, xs), differences(probe, gradient, xs), rounding(at(probe, gradient, xs)));
  const forward = derivatives(vjpGraph(ys, xs, us), (nodes) => jvpGraph(nodes, xs, vs));
  const tangents = jvpGraph(ys, xs, vs);
  const live = tangents.flatMap((t, i) => (t && us[i] ? [i] : []));
  const reverse = vjpGraph(
    live.map((i) => tangents[i]!),
    xs,
    live.map((i) => us[i]!),
  );
  return { product, hvp, mixed: worst(at(probe, reverse, xs), at(probe, forward, xs)) };
}

/** Applies a graph transform to the nodes that are present. */
function derivatives(nodes: readonly Tangent[], transform: (nodes: readonly Node[]) => readonly Tangent[]): Tangent[] {
  const made = transform(present(nodes)).values();
  return nodes.map((node) => (node ? made.next().value! : null));
}
