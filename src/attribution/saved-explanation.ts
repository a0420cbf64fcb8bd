// What an explanation that was compiled ahead consists of: plain data, for JSON.
import type { HostArray } from "../tensor/host.ts";
import type { Shape } from "../tensor/shape.ts";
import { problemOf, type Constant } from "../compiler/load.ts";
import type { ArraySpec, Recipe } from "../compiler/recipe.ts";
import type { CgiResult } from "./competition-cgi.ts";
import type { IntegratedHessiansResult } from "./integrated-hessians.ts";
import type { InteriorGradientsResult } from "./interior-gradients.ts";
import type { PathForm } from "./path-values.ts";
import type { ShapleyIGResult } from "./shapley-ig.ts";
import type { Attribution, Input } from "./types.ts";

/** What a file must say of itself. */
export const EXPLANATION_FORMAT = "aumann explanation 1";

/** The results of methods that can be compiled ahead. */
export interface Results<I extends Input = Input> {
  attributions: Attribution<I>;
  cgi: CgiResult<I>;
  hessians: IntegratedHessiansResult<I>;
  interior: InteriorGradientsResult<I>;
  shapley: ShapleyIGResult<I>;
}
export type Kind = keyof Results;

/**
 * One step of a run: a program with the tensors that it reads, a submit, or a submit with tensors that come to the host.
 * Tensors are numbered: the inputs, the classes, and what the steps before returned; negative ones, from -1 on, are constants.
 */
export type RecordedStep =
  { readonly run: number; readonly of: readonly number[] } | { readonly read: readonly number[] } | "submit";

/** What a run does, without its weights. */
export interface RecordedRun {
  /** WGSL texts, shared by all programs. */
  readonly kernels: readonly string[];
  readonly programs: readonly (Omit<Recipe, "kernels" | "constants"> & { readonly constants: readonly number[] })[];
  readonly constants: readonly Constant[];
  readonly steps: readonly RecordedStep[];
}

/** What `saveExplanation` makes: plain data, for JSON. */
export interface SavedExplanation {
  readonly format: typeof EXPLANATION_FORMAT;
  readonly kind: Kind;
  /** Whether its kernels suit adapters that compute on the CPU; they are right on all. */
  readonly software: boolean;
  /** Whether it needs subgroups of four. */
  readonly subgroups: boolean;
  readonly run: RecordedRun;
  readonly inputs: readonly (ArraySpec & {
    readonly name: string;
    /** Rows of the table that an input of ids looks up. */
    readonly rows?: number;
  })[];
  /** Whether the input is one array, rather than a record. */
  readonly single: boolean;
  /** Shape of the network's output, and the classes that are explained unless others are named. */
  readonly target?: { readonly output: Shape; readonly classes: readonly number[] };
  /** How what is read becomes values of paths, and these the result. */
  readonly forms: readonly PathForm[];
  readonly form: object;
  /** What of the result does not depend on the input. */
  readonly fixed: object;
}

/** What a run brought to the host. */
export interface Reads {
  readonly reads: readonly (readonly HostArray[])[];
  readonly forms: readonly PathForm[];
  /** The classes that were named. */
  readonly classes: HostArray | undefined;
}

/** What makes a result of one kind. */
export interface Finish<K extends Kind> {
  readonly kind: K;
  readonly result: (reads: Reads, form: never) => Partial<Results[K]>;
}

/** A program with the kernels that all share, and its constants. */
export const recipeOf = ({ programs, kernels, constants }: RecordedRun, at: number): Recipe => ({
  ...programs[at]!,
  kernels,
  constants: programs[at]!.constants.map((number) => constants[-number - 1]!),
});

/** How many tensors a step adds. */
const added = (step: RecordedStep, { programs }: RecordedRun): number =>
  typeof step === "object" && "run" in step ? programs[step.run]!.outputs.length : 0;

const namedBy = (step: RecordedStep): readonly number[] =>
  step === "submit" ? [] : "run" in step ? step.of : step.read;

/** For every step the numbers of what steps before it returned, and no step after it reads. */
export function lastReads({ run, inputs }: SavedExplanation): number[][] {
  const last = new Map<number, number>();
  let count = inputs.length + 1;
  const owned = count;
  run.steps.forEach((step, at) => {
    namedBy(step).forEach((number) => last.set(number, at));
    for (const end = count + added(step, run); count < end; count++) last.set(count, at);
  });
  const dropped = run.steps.map((): number[] => []);
  for (const [number, at] of last) if (number >= owned) dropped[at]!.push(number);
  return dropped;
}

/** Steps may only name what there is when they run; shapes and types are checked by programs. */
export function problemOfExplanation(saved: SavedExplanation, kind: Kind): string | undefined {
  if ((saved.format as string) !== EXPLANATION_FORMAT) return `it is not "${EXPLANATION_FORMAT}"`;
  if (saved.kind !== kind) return `it is of kind "${saved.kind}", which another function loads`;
  const { run, inputs, forms, form, fixed, target } = saved;
  const isConstant = (number: number): boolean =>
    Number.isInteger(number) && number < 0 && -number <= run.constants.length;
  for (const [at, { constants }] of run.programs.entries()) {
    const wrong = constants.every(isConstant) ? problemOf(recipeOf(run, at)) : "a program lacks its weights";
    if (wrong) return wrong;
  }
  let count = inputs.length + 1;
  const exists = (number: number): boolean =>
    isConstant(number) ||
    (Number.isInteger(number) && number >= 0 && number < count && (number !== inputs.length || target !== undefined));
  for (const step of run.steps) {
    if (!namedBy(step).every(exists)) return "a step lacks what it names";
    count += added(step, run);
  }
  const last = run.steps.at(-1);
  if (!last || last === "submit" || !("read" in last)) return "its steps do not end";
  const lists = [forms, ...(target === undefined ? [] : [target.classes, target.output])];
  const isObject = (part: unknown): boolean => typeof part === "object" && part !== null;
  const whole = lists.every(Array.isArray) && [form, fixed, ...inputs, ...forms].every(isObject);
  return whole && inputs.length > 0 ? undefined : "a part is of another form";
}
