// Networks without kinks: what second derivatives are taken of. Rectifiers and maxima get their softplus forms while the
// network is traced; the network itself, and whatever its inputs were computed from, stay as they are.
import { assertPositive } from "../tensor/checks.ts";
import { input } from "../graph/leaves.ts";
import { Node, type Value } from "../graph/node.ts";
import { dependents, reachable, rebuild, rewrite } from "../graph/trace.ts";
import type { Model, Tap } from "./model.ts";
import { smoothForm, type Sharpness } from "./smooth-rules.ts";

export interface SmoothOptions {
  /** Sharpness of softplus; default 10. Values move by at most log(2) / beta at each kink, derivatives near them only. */
  readonly beta?: number;
  /**
   * Whether maxima over windows and axes become log-sum-exp as well; default false. They then rise by at most
   * log(elements) / beta. Left alone, they pass second derivatives through the element they choose.
   */
  readonly pool?: boolean;
}

/** How many operations were replaced, by name: "relu", "leaky ReLU", "absolute value", "maximum", "max pooling", ... */
export type Replaced = Readonly<Record<string, number>>;

/** What {@link smooth} adds to a model. */
export interface Smoothing {
  readonly beta: number;
  readonly pool: boolean;
  /** What the latest trace replaced; empty before the first. */
  readonly replaced: Replaced;
}

/** A model, or a function of values: of one, several, or a record of them, with a tap as last argument if it names values. */
// Bivariance of methods lets functions of one value and functions of a record of values both fit.
export type Smoothable = Model | { bivariant(...args: unknown[]): Value | Record<string, Value> }["bivariant"];

export type Smoothed<M> = (M extends Model ? Model : M) & { readonly smoothing: Smoothing };

/**
 * The network with softplus forms in place of its kinks, for second derivatives of ReLU networks (Integrated Hessians,
 * arXiv 2002.04138). With s(z) = log(1 + e^(beta z)) / beta, operations that depend on the model's inputs become
 * - relu(z): s(z), with second derivative beta / 4 at 0;
 * - leakyRelu(z): slope z + (1 - slope) s(z);
 * - abs(z): s(z) + s(-z), which is 2 log(2) / beta at 0;
 * - maximum(a, b): b + s(a - b); minimum(a, b): b - s(b - a). clamp, relu6, hardSigmoid and hardSwish are made of these;
 * - select(a > b, u, v) of finite f32 values: v + sigmoid(beta (a - b)) (u - v). elu is made of it and minimum;
 * - with `pool`, maxPool2d, max and min: log(sum(e^(beta x))) / beta. Padding takes no part.
 *
 * Jumps (sign, casts of comparisons) have no smooth form and stay. Values that a tap sees are smoothed ones, and those
 * that it returns take their place.
 * @returns a model of the same kind. It shares the weights and does not own them: its `dispose` does nothing, and it works
 * until the original is disposed of.
 * @throws ArgumentError unless beta is positive and finite
 */
export function smooth<M extends Smoothable>(model: M, options: SmoothOptions = {}): Smoothed<M> {
  const sharpness = checked("smooth", options);
  let replaced: Replaced = {};
  const smoothing: Smoothing = {
    ...sharpness,
    get replaced() {
      return replaced;
    },
  };
  const through = (f: Traced, args: readonly unknown[]): Traceable => {
    const traced = traceSmoothly(f, args, sharpness);
    replaced = traced.replaced;
    return traced.result;
  };
  if (typeof model === "function") {
    const smoothed = (...args: unknown[]): Traceable => through(model, args);
    return Object.assign(smoothed, { smoothing }) as unknown as Smoothed<M>;
  }
  const { device, inputs, parameters, classes } = model;
  const smoothed: Model & { smoothing: Smoothing } = {
    device,
    inputs,
    parameters,
    ...(classes && { classes }),
    smoothing,
    apply: (...args) => through((...fresh) => model.apply(...(fresh as typeof args)), args),
    dispose() {
      // The original owns the weights.
    },
  };
  return smoothed as unknown as Smoothed<M>;
}

/**
 * The same for nodes that are already there: `outputs` with every kink between `sources` and them smoothed. Nodes that do
 * not depend on a source, and the sources themselves, stay. See {@link smooth} for the forms and options.
 * @throws ArgumentError unless beta is positive and finite
 */
export function smoothGraph(
  outputs: readonly Node[],
  sources: readonly Node[],
  options: SmoothOptions = {},
): { outputs: Node[]; replaced: Replaced } {
  const found = new Map<Node, string>();
  const kept = new Map(sources.map((x) => [x, x]));
  const smoothed = smoothInto(outputs, sources, kept, checked("smoothGraph", options), found);
  return { outputs: smoothed, replaced: counted(found) };
}

function checked(op: string, { beta = 10, pool = false }: SmoothOptions): Sharpness {
  assertPositive(`${op}: beta`, beta);
  return { beta, pool };
}

/** Rebuilds `outputs` with smooth forms and with replaced leaves; notes the original of each smoothed node in `found`. */
function smoothInto(
  outputs: readonly Node[],
  sources: readonly Node[],
  replaced: ReadonlyMap<Node, Node>,
  sharpness: Sharpness,
  found: Map<Node, string>,
): Node[] {
  const dependent = dependents(reachable(outputs), sources);
  const varies = (x: Node): boolean => dependent.has(x);
  return rewrite(outputs, replaced, (node, inputs) => {
    const form = dependent.has(node) ? smoothForm(node, inputs, varies, sharpness) : undefined;
    if (!form) return rebuild(node, inputs);
    if (form.name !== undefined) found.set(node, form.name);
    return form.value;
  });
}

function counted(found: ReadonlyMap<Node, string>): Replaced {
  const counts: Record<string, number> = {};
  for (const name of found.values()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

// ---- tracing a model -----------------------------------------------------------------------------------------------

type Traceable = Value | Record<string, Value>;
type Traced = (...args: unknown[]) => Traceable;

/**
 * Traces `f` at fresh inputs, then puts smooth forms and the given values in place: kinks in what the given values were
 * computed from are none of the model's. A tapped value ends one such step: the tap gets its smooth form, and the model
 * goes on from a fresh leaf that stands for what the tap returned.
 */
function traceSmoothly(
  f: Traced,
  args: readonly unknown[],
  sharpness: Sharpness,
): { result: Traceable; replaced: Replaced } {
  const values = new Map<Node, Node>();
  const sources: Node[] = [];
  const found = new Map<Node, string>();
  const into = (nodes: readonly Node[]): Node[] => smoothInto(nodes, sources, values, sharpness, found);
  const leafOf = (value: Node, varies = true): Node => {
    const leaf = input(value.shape, value.dtype);
    values.set(leaf, value);
    if (varies) sources.push(leaf);
    return leaf;
  };
  const tapped =
    (tap: Tap): Tap =>
    (name, value) => {
      const smoothed = into([value])[0]!;
      const given = tap(name, smoothed);
      // What depends on weights alone stays so; whatever a tap puts in its place may vary.
      return leafOf(given, given !== smoothed || dependents(reachable([value]), sources).has(value));
    };
  const fresh = args.map((arg) => {
    if (typeof arg === "function") return tapped(arg as Tap);
    return mapValues(arg, (value) => leafOf(value));
  });
  const result = mapValues(f(...fresh), (value) => into([value])[0]!) as Traceable;
  return { result, replaced: counted(found) };
}

/** Applies `f` to a value, or to the values of a record; leaves anything else alone. */
function mapValues(x: unknown, f: (value: Node) => Node): unknown {
  if (isValue(x)) return f(x);
  if (typeof x !== "object" || x === null || Object.getPrototypeOf(x) !== Object.prototype) return x;
  return Object.fromEntries(
    Object.entries(x).map(([name, value]) => [name, isValue(value) ? f(value) : (value as unknown)]),
  );
}

const isValue = (x: unknown): x is Value => x instanceof Node;
