// Explanations compiled ahead, for pages that explain one network and should stay small.
import { ArgumentError } from "../tensor/errors.ts";
import { cached } from "../tensor/cached.ts";
import type { Device } from "../tensor/device.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { sameShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Executable } from "../compiler/executable.ts";
import type { Launch } from "../compiler/recipe.ts";
import { concatenated, needsSubgroups } from "../compiler/save.ts";
import * as finishes from "./explanation-results.ts";
import {
  EXPLANATION_FORMAT,
  type Finish,
  type Kind,
  type RecordedRun,
  type SavedExplanation,
} from "./saved-explanation.ts";
import { chooseDevice, isArrayInput, namedInputs, tableRows, traceProblem, type Problem } from "./problem.ts";
import { Recorder } from "./recorder.ts";
import type { Input, ModelLike, PathOptions } from "./types.ts";

/** An explanation in two parts. */
export interface ExplanationFiles {
  /** Plain data, for JSON. */
  readonly explanation: SavedExplanation;
  /** Weights, nodes and baselines. */
  readonly weights: ArrayBuffer;
}

/** A method whose runs can be saved, such as `integratedGradients`. */
export type SavableMethod = (model: ModelLike, input: never, options: never) => Promise<object>;

/**
 * What another machine or page explains a network with, where neither the network's definition nor the code that compiles it is
 * needed: kernels, their order, and weights. There `loadAttributions`, `loadCgi` and the like give the results of the method.
 *
 * What the method would do on the device is taken down and not done: twice, for the input and for another one, since it must be the
 * same. The kernels are for the adapter at hand, unless `openDevice({ kernels })` says otherwise, and for inputs of these shapes.
 * @param method integratedGradients, guidedIG, adaptivePath, curvePath, idgi, gradientXInput, expectedGradients,
 *   interiorGradients, integratedHessians, expectedHessians, shapleyIG or cgi
 * @param input arrays of which only names, shapes and types count
 * @param options those of the method that do not depend on results; with numbers for `target`, other classes may be named later
 * @throws ArgumentError for other methods, and for what depends on the input or on chance: a baseline made of it, a tolerance
 * @throws as the method does
 */
export async function saveExplanation<M extends SavableMethod>(
  method: M,
  model: ModelLike,
  input: Parameters<M>[1] & Input,
  options?: Parameters<M>[2],
): Promise<ExplanationFiles> {
  const asked: MethodOptions = options ?? {};
  checkAhead(asked);
  const given = namedInputs(model, input);
  const problem = traceProblem(model, input, given, asked);
  const device = chooseDevice(problem, given, asked.device);
  const tables = tableRows(problem);
  const arrays = await Promise.all(
    problem.names.map((name) => {
      const x = given[name]!;
      return x instanceof Tensor ? x.read() : Promise.resolve(x);
    }),
  );
  const single = isArrayInput(input);
  const of = (inputs: readonly HostArray[]): Promise<ExplanationFiles> =>
    recorded(device, problem, inputs, single, (x, recorder) =>
      method(model, x as never, { ...asked, device, recorder } as never),
    );
  const { explanation, weights } = await of(arrays);
  const other = await of(arrays.map(another));
  if (JSON.stringify(other.explanation) !== JSON.stringify(explanation) || !sameBytes(other.weights, weights)) {
    throw new ArgumentError(
      "saveExplanation: the run depends on the elements of the input (a baseline made of them, say), or on chance; give " +
        'arrays or numbers as the baseline, or for token ids `layer` with baselineOf: "layer"',
    );
  }
  const inputs = explanation.inputs.map((spec) => {
    const rows = tables.get(spec.name);
    return rows === undefined ? spec : { ...spec, rows };
  });
  return { explanation: { ...explanation, inputs }, weights };
}

type MethodOptions = PathOptions & { readonly tolerance?: number; readonly rule?: string; readonly beta?: number };

/** What is known to depend on results, even if two of them happen to agree. */
function checkAhead({ tolerance, rule, beta, kernel }: MethodOptions): void {
  if (tolerance !== undefined || rule === "equidistributed")
    throw new ArgumentError(
      "saveExplanation: tolerance and the rule equidistributed depend on results; leave them out",
    );
  if (kernel !== undefined)
    throw new ArgumentError("saveExplanation: kernel is code, which is not saved; leave it out");
  if (beta !== undefined)
    throw new ArgumentError("saveExplanation: beta: give smooth(model, { beta }) as the model instead");
}

/** Other elements of the same kind. Negative ids are a model's way to say "none", and so in no table. */
const another = ({ shape, dtype, data }: HostArray): HostArray =>
  hostArray(
    Array.from(data, (v) => (dtype === "f32" ? v / 2 + 0.25 : dtype === "i32" ? -1 : 1 - v)),
    shape,
    dtype,
  );

const sameBytes = (a: ArrayBuffer, b: ArrayBuffer): boolean => {
  const [x, y] = [new Uint32Array(a), new Uint32Array(b)];
  return x.length === y.length && x.every((word, i) => word === y[i]);
};

async function recorded(
  device: Device,
  { names, output, inputs: leaves }: Problem,
  arrays: readonly HostArray[],
  single: boolean,
  run: (input: Input, recorder: Recorder) => Promise<object>,
): Promise<ExplanationFiles> {
  const tensors = arrays.map((array) => device.tensor(array));
  const recorder = new Recorder(device, tensors);
  try {
    const named = Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
    const result = await run(single ? tensors[0]! : named, recorder);
    const { kind, form, forms, classes } = recorder;
    if (!kind) throw new ArgumentError("saveExplanation: the runs of this method cannot be saved");
    const { run: done, weights } = await runOf(device, recorder);
    return {
      weights,
      explanation: {
        format: EXPLANATION_FORMAT,
        kind,
        software: device.info.software,
        subgroups: needsSubgroups(done.kernels),
        run: done,
        inputs: leaves.map(({ shape, dtype }, i) => ({ name: names[i]!, shape, dtype })),
        single,
        ...(classes && { target: { output: output.shape, classes: [...classes.data] } }),
        forms,
        form,
        fixed: fixedPart(result, finishes[kind].result, recorder),
      },
    };
  } finally {
    [...recorder.uploads, ...tensors].forEach((tensor) => tensor.dispose());
  }
}

/** What of a result is not made anew for every input. */
function fixedPart(result: object, finish: Finish<Kind>["result"], recorder: Recorder): object {
  const made = finish(recorder, recorder.form as never);
  const rest = Object.entries(result).filter(([key]) => !(key in made));
  const wrong = rest.find(([, value]) => holdsArrays(value));
  if (!wrong) return Object.fromEntries(rest);
  throw new ArgumentError(
    `saveExplanation: "${wrong[0]}" of the result cannot be saved; leave out the option that asks for it`,
  );
}

const holdsArrays = (value: unknown): boolean =>
  ArrayBuffer.isView(value) || (typeof value === "object" && value !== null && Object.values(value).some(holdsArrays));

/** The recorded run, and the elements of its constants: what it uploaded, and what its programs captured. */
async function runOf(
  device: Device,
  { programs, uploads, steps }: Recorder,
): Promise<{ run: RecordedRun; weights: ArrayBuffer }> {
  const captured = [...new Set(programs.flatMap(({ constants }) => constants))];
  const tensors = [...captured, ...uploads];
  const arrays = tensors.length > 0 ? await device.read(tensors) : [];
  const different: HostArray[] = [];
  const numbers = arrays.map((array) => {
    const at = different.findIndex((known) => sameArray(known, array));
    return at < 0 ? -different.push(array) : -at - 1;
  });
  const numberOf = new Map(captured.map((tensor, i) => [tensor, numbers[i]!]));
  const renumbered = (n: number): number => (n < 0 ? numbers[captured.length - n - 1]! : n);
  const kernels = new Map<string, number>();
  const constants = different.map(({ shape, dtype, data }) => {
    const [first = 0] = data;
    // JSON knows neither -0 nor what is not finite.
    const alike = data.length > 1 && Object.is(JSON.parse(JSON.stringify(first)), first);
    return { shape, dtype, ...(alike && data.every((v) => Object.is(v, first)) && { fill: first }) };
  });
  return {
    run: {
      programs: programs.map(({ recipe, constants: own }: Executable) => {
        const launch = <L extends Launch>(of: L): L => ({
          ...of,
          kernel: cached(kernels, recipe.kernels[of.kernel]!, () => kernels.size),
          ...(of.quick && { quick: launch(of.quick) }),
        });
        const { inputs, scratch, outputs, saved } = recipe;
        const dispatches = recipe.dispatches.map(launch);
        return { inputs, scratch, outputs, saved, dispatches, constants: own.map((t) => numberOf.get(t)!) };
      }),
      kernels: [...kernels.keys()],
      constants,
      steps: steps.map((step) => {
        if (step === "submit") return step;
        return "run" in step ? { ...step, of: step.of.map(renumbered) } : { read: step.read.map(renumbered) };
      }),
    },
    weights: concatenated(different.flatMap(({ data }, i) => ("fill" in constants[i]! ? [] : [data]))),
  };
}

const sameArray = (a: HostArray, b: HostArray): boolean =>
  a.dtype === b.dtype && sameShape(a.shape, b.shape) && a.data.every((v, i) => Object.is(v, b.data[i]));
