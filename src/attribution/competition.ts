// Competition for pixels (Gupta, Arora: "A Simple Saliency Method That Passes the Sanity Checks", arXiv 1905.12152): the
// labels compete for every element of an input, and a label's map keeps what no other label claims more of.
import { argmaxRows } from "./rows.ts";
import { assertWhole } from "../tensor/checks.ts";
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { formatShape, normalizeAxis, numel, sameShape, type Shape } from "../tensor/shape.ts";
import { fill } from "../graph/leaves.ts";
import { classIndices } from "./path-inputs.ts";
import { assertFinite, isArrayInput } from "./problem.ts";
import { planTarget, type Target } from "./score.ts";
import type { Attributions, Input, ModelLike, RunOptions } from "./types.ts";

export interface CompetitionRules {
  /**
   * What is summed before labels compete, so that an element is a pixel and not one of its colours: the channels of
   * inputs [B, C, H, W] (`sum`, default; inputs with other numbers of axes have none), nothing, or the axis with this
   * number (1, 2, ..., or -1, ... from the end: the coordinates of an embedding, say).
   */
  readonly reduce?: "sum" | "none" | number;
  /** Whether the mean over all labels is subtracted first. Default false; not part of the method as published. */
  readonly center?: boolean;
}

/** Which labels' shares are wanted; never a function of the output, since labels compete with labels. */
export type CompetitionTarget = "predicted" | "all" | number | readonly number[];

/** The axis of a value [B, ...] that is summed before the competition, if any. */
export function summedAxis({ reduce = "sum" }: CompetitionRules, shape: Shape): number | undefined {
  if (reduce === "none") return undefined;
  if (reduce === "sum") return shape.length === 4 ? 1 : undefined;
  const axis = typeof reduce === "number" ? normalizeAxis("reduce", reduce, shape.length) : 0;
  if (axis > 0) return axis;
  throw new ArgumentError(`reduce: expected "sum", "none" or an axis after that of the examples, got ${reduce}`);
}

/** @throws ArgumentError unless the target names labels, of which there are two or more */
export function checkLabels(target: Target, batch: number, classes: number): void {
  if (typeof target === "function")
    throw new ArgumentError("target: labels compete with labels; name a class instead of a function");
  if (classes < 2)
    throw new ArgumentError(`competition needs two classes or more, got ${classes}; use the method without it`);
  planTarget(fill([batch, classes], 0), target);
}

/**
 * The rule itself: an element stays if no other label has more of its sign there; of equal labels each keeps it. Whether
 * the own value is among those it is compared with makes no difference.
 */
const kept = (own: number, above: number, below: number): number =>
  (own > 0 && own >= above) || (own < 0 && own <= below) ? own : 0;

/**
 * A label's share of its map.
 * @param above the largest value that any other label has, for every element
 * @param below the smallest one
 * @param total sum over all labels, if their mean is subtracted
 */
export function share(
  own: ArrayLike<number>,
  above: ArrayLike<number>,
  below: ArrayLike<number>,
  total: ArrayLike<number> | undefined,
  labels: number,
): Float32Array {
  return Float32Array.from(own, (v, i) => {
    const mean = total ? total[i]! / labels : 0;
    return kept(v - mean, above[i]! - mean, below[i]! - mean);
  });
}

/** Labels enter with their maps [B, ...], in order. Only maps that are asked for are kept. */
export class Contest {
  readonly #size: number;
  /** The largest and the smallest value of all labels. */
  readonly #high: Float32Array;
  readonly #low: Float32Array;
  readonly #total: Float64Array | undefined;
  readonly #own: Float32Array[] = [];
  #labels = 0;

  /** @param targets one label per example, or all */
  constructor(
    readonly shape: Shape,
    readonly targets: readonly number[] | "all",
    { center = false }: CompetitionRules,
  ) {
    this.#size = numel(shape);
    this.#high = new Float32Array(this.#size).fill(-Infinity);
    this.#low = new Float32Array(this.#size).fill(Infinity);
    if (center) this.#total = new Float64Array(this.#size);
    if (targets !== "all") this.#own.push(new Float32Array(this.#size));
  }

  enter(map: ArrayLike<number>): void {
    const label = this.#labels++;
    const { targets } = this;
    for (let i = 0; i < this.#size; i++) {
      const value = map[i]!;
      if (value > this.#high[i]!) this.#high[i] = value;
      if (value < this.#low[i]!) this.#low[i] = value;
      if (this.#total) this.#total[i]! += value;
    }
    if (targets === "all") this.#own.push(Float32Array.from(map));
    else {
      const each = this.#size / targets.length;
      const [own] = this.#own;
      for (let i = 0; i < own!.length; i++) if (targets[Math.floor(i / each)] === label) own![i] = map[i]!;
    }
  }

  /** Shares of the targets, [B, ...], or of all labels, [K, B, ...]. */
  result(): HostArray {
    const shares = this.#own.map((own) => share(own, this.#high, this.#low, this.#total, this.#labels));
    if (this.targets !== "all") return hostArray(shares[0]!, this.shape);
    const data = new Float32Array(this.#labels * this.#size);
    shares.forEach((each, k) => data.set(each, k * this.#size));
    return hostArray(data, [this.#labels, ...this.shape]);
  }
}

// ---- any method ----------------------------------------------------------------------------------------------------

/** What competition needs of a method's result: maps [K, B, ...], or [B, ...] where one class was asked for. */
export interface ClassMaps {
  readonly attributions: HostArray | Readonly<Record<string, HostArray>>;
  /** Output of the model [B, K]: says which class is the predicted one. */
  readonly outputs?: HostArray;
}

/** A method that explains one class, or all with target "all". */
export type ClassMethod = (model: ModelLike, input: Input, options: never) => Promise<ClassMaps>;

type OptionsOf<M extends ClassMethod> = NonNullable<Parameters<M>[2]>;

/** Takes what the method takes; `target` names the labels whose shares are wanted. */
export type CompetitiveMethod<M extends ClassMethod> = <I extends Input>(
  model: ModelLike,
  input: I,
  options: ([OptionsOf<M>] extends [never] ? RunOptions : Omit<OptionsOf<M>, "target">) & {
    readonly target?: CompetitionTarget;
  },
) => Promise<Competed<I>>;

export interface CompeteOptions extends CompetitionRules {
  /**
   * The number of classes: the method is then called for each in turn (`target` 0, 1, ...) and only what is ahead is
   * remembered. Default: one call with target "all".
   */
  readonly classes?: number;
}

export interface Competed<I extends Input = Input> {
  /** Shape of the input without a summed axis; with target "all" a leading class axis. */
  readonly attributions: Attributions<I>;
  /** The explained class of every example [B], i32; absent for target "all". */
  readonly targets: HostArray | undefined;
}

/**
 * The method in competitive form: the label's map keeps an element if it is positive there and no other label has a
 * larger value, or negative and none has a smaller one; the others are 0. `compete(gradientXInput)` equals `cgi`, which
 * takes less time and memory.
 *
 * @param method gradientXInput, integratedGradients, or any function with maps for every class
 * @returns a function that takes what the method takes; `target` is "predicted" by default
 * @throws ArgumentError when there are fewer than two classes, when the target is a function, or when it is the
 *   predicted class and the method's result has no `outputs`
 * @throws ShapeError when the method's maps do not belong to the same input, NumericError when they are not finite
 */
export function compete<M extends ClassMethod>(method: M, rules: CompeteOptions = {}): CompetitiveMethod<M> {
  return async (model, input, options) => {
    const { target = "predicted" } = options;
    if (rules.classes !== undefined) assertWhole("classes", rules.classes, 2);
    const ask = (asked: number | "all"): Promise<ClassMaps> =>
      method(model, input, { ...options, target: asked } as never);
    const inTurn = rules.classes !== undefined;
    const { attributions, outputs } = await ask(inTurn ? 0 : "all");
    const single = isArrayInput(attributions);
    const parts = (maps: ClassMaps["attributions"]): HostArray[] => (isArrayInput(maps) ? [maps] : Object.values(maps));
    const whole = parts(attributions);
    const shapes = whole.map(({ shape }) => (inTurn ? shape : shape.slice(1)));
    const batch = shapes[0]![0] ?? 1;
    const classes = rules.classes ?? whole[0]!.shape[0]!;
    checkLabels(target, batch, classes);
    const labels =
      target === "all" ? target : (classIndices(target, batch) ?? predictedClasses(outputs, batch, classes));
    const contests = shapes.map((shape) => new Contest(withoutAxis(shape, rules), labels, rules));
    for (let k = 0; k < classes; k++) {
      const maps = inTurn
        ? k === 0
          ? whole
          : parts((await ask(k)).attributions)
        : whole.map((maps) => entry(maps, k));
      contests.forEach((contest, j) => contest.enter(summed(maps[j]!, shapes[j]!, rules)));
    }
    const results = contests.map((contest) => contest.result());
    const named = Object.fromEntries(Object.keys(attributions).map((name, j) => [name, results[j]!]));
    return {
      attributions: (single ? results[0]! : named) as Attributions<typeof input>,
      targets: labels === "all" ? undefined : hostArray(labels, [batch], "i32"),
    };
  };
}

/** One of several arrays that lie along a leading axis. */
export function entry({ shape, dtype, data }: HostArray, k: number): HostArray {
  const size = numel(shape.slice(1));
  return { shape: shape.slice(1), dtype, data: data.subarray(k * size, (k + 1) * size) };
}

const withoutAxis = (shape: Shape, rules: CompetitionRules): Shape => {
  const axis = summedAxis(rules, shape);
  return shape.filter((_, i) => i !== axis);
};

/** A map of one class, with the axis summed that the rules name. */
function summed(map: HostArray, shape: Shape, rules: CompetitionRules): ArrayLike<number> {
  const { shape: given, data } = map;
  if (!sameShape(given, shape))
    throw new ShapeError(`compete: the classes have maps of shapes ${formatShape(shape)} and ${formatShape(given)}`);
  assertFinite("compete: the map of a class", map);
  const axis = summedAxis(rules, shape);
  if (axis === undefined) return data;
  const [count, inner] = [shape[axis]!, numel(shape.slice(axis + 1))];
  return Float32Array.from({ length: data.length / count }, (_, i) => {
    const from = Math.floor(i / inner) * count * inner + (i % inner);
    let total = 0;
    for (let c = 0; c < count; c++) total += data[from + c * inner]!;
    return total;
  });
}

function predictedClasses(outputs: HostArray | undefined, batch: number, classes: number): number[] {
  if (outputs?.data.length !== batch * classes)
    throw new ArgumentError("target: the method's result has no outputs of all classes; name a class, or ask for all");
  return argmaxRows({ shape: [batch, classes], data: outputs.data });
}
