// What users call. Each function takes a function of values and returns another one, so that they nest in any order:
// grad of grad, hvp inside jacobian. Called with tensors, the result is compiled, run, and returned as tensors.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { formatShape, numel } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { compile, type Program } from "../compiler/program.ts";
import { fill, input, iota, lift, type Operand } from "../graph/leaves.ts";
import type { Node, Value } from "../graph/node.ts";
import { rewrite, trace } from "../graph/trace.ts";
import { cast, equal } from "../kernels/choice.ts";
import { expandDims, reshape } from "../kernels/movement.ts";
import { batchAll } from "./batch.ts";
import { jvpGraph } from "./jvp.ts";
import { vjpGraph } from "./transpose.ts";

/** A function of values with one result. */
export type Fn = (...inputs: Value[]) => Value;

/** Works on values (inside another function) and on tensors (compiles, runs, resolves to a tensor). */
export interface Transformed {
  (...inputs: readonly Value[]): Value;
  (...inputs: readonly Tensor[]): Promise<Tensor>;
}

export interface TransformedMany {
  (...inputs: readonly Value[]): Value[];
  (...inputs: readonly Tensor[]): Promise<Tensor[]>;
}

/** Which argument is differentiated. Default 0. */
export interface ArgumentOption {
  readonly argument?: number;
}

/** Gradient of a scalar function with respect to one argument, of that argument's shape. */
export function grad(f: Fn, { argument = 0 }: ArgumentOption = {}): Transformed {
  return one((...xs) => gradient(f, argument, xs)[1]!);
}

/** [value, gradient] of a scalar function. */
export function valueAndGrad(f: Fn, { argument = 0 }: ArgumentOption = {}): TransformedMany {
  return many((...xs) => gradient(f, argument, xs));
}

/** Vector-Jacobian product: (x, ..., cotangent) -> cotangent of argument 0. */
export function vjp(f: Fn): Transformed {
  return one((...args) => {
    const ct = args.pop()!;
    return derivatives(f, args, (y, [x]) => [orZero(vjpGraph([y], [x!], [ct])[0]!, x!)])[0]!;
  });
}

/** Jacobian-vector product: (x, ..., tangent of argument 0) -> tangent of the result. */
export function jvp(f: Fn): Transformed {
  return one((...args) => {
    const t = args.pop()!;
    return derivatives(f, args, (y, [x]) => [orZero(jvpGraph([y], [x!], [t])[0]!, y)])[0]!;
  });
}

/** Hessian-vector product of a scalar function: (x, ..., v) -> H v, as jvp of the gradient (forward over reverse). */
export const hvp = (f: Fn): Transformed => jvp((...xs) => gradient(f, 0, xs)[1]!);

/** Jacobian [...result, ...argument]: one vjp per result element, all in one batch that shares the primal pass. */
export function jacobian(f: Fn, { argument = 0 }: ArgumentOption = {}): Transformed {
  return one(
    (...xs) =>
      derivatives(f, xs, (y, at) => {
        const x = at[argument]!;
        const seed = input(y.shape, "f32", "cotangent");
        const row = orZero(vjpGraph([y], [x], [seed])[0]!, x);
        const rows = batchAll([row], new Map([[seed, unitVectors(y)]]), numel(y.shape));
        return [reshape(rows[0]!, [...y.shape, ...x.shape])];
      })[0]!,
  );
}

/** Hessian [...argument, ...argument] of a scalar function: one HVP per coordinate, sharing one primal pass. */
export function hessian(f: Fn, { argument = 0 }: ArgumentOption = {}): Transformed {
  const gradientOf: Fn = (...xs) => gradient(f, argument, xs)[1]!;
  return one(
    (...xs) =>
      derivatives(gradientOf, xs, (g, at) => {
        const x = at[argument]!;
        const seed = input(x.shape, "f32", "tangent");
        const column = orZero(jvpGraph([g], [x], [seed])[0]!, x);
        const columns = batchAll([column], new Map([[seed, unitVectors(x)]]), numel(x.shape));
        return [reshape(columns[0]!, [...x.shape, ...x.shape])];
      })[0]!,
  );
}

/** The unit vectors of a shape, [numel, ...shape]: an identity matrix that is never stored. */
export function unitVectors(x: Node): Node {
  const n = numel(x.shape);
  return reshape(cast(equal(expandDims(iota(n), 1), iota(n)), "f32"), [n, ...x.shape]);
}

/**
 * Derives `f` at fresh inputs, then puts the given values in their place. Without this, a value that `f` captures, or
 * that is passed twice, would count as the differentiated argument wherever it appears.
 */
function derivatives(f: Fn, xs: readonly Value[], derive: (y: Node, at: readonly Node[]) => Node[]): Node[] {
  const fresh = xs.map((x) => input(x.shape, x.dtype));
  const results = derive(f(...fresh), fresh);
  return rewrite(results, new Map(fresh.map((x, i) => [x, xs[i]!])));
}

function gradient(f: Fn, argument: number, xs: readonly Value[]): Node[] {
  if (!xs[argument]) {
    throw new ArgumentError(
      `grad: the function was called with ${xs.length} arguments, argument ${argument} is missing`,
    );
  }
  return derivatives(f, xs, (y, at) => {
    if (numel(y.shape) !== 1) {
      throw new ShapeError(
        `grad: expected a scalar function, got a result of shape ${formatShape(y.shape)}; sum it, or use vjp or jacobian`,
      );
    }
    const x = at[argument]!;
    return [y, orZero(vjpGraph([y], [x], [fill(y.shape, 1)])[0]!, x)];
  });
}

const orZero = (t: Node | null, like: Node): Node => t ?? fill(like.shape, 0);

// ---- running on tensors --------------------------------------------------------------------------------------------

function one(f: (...xs: Value[]) => Value): Transformed {
  const all = many((...xs) => [f(...xs)]);
  return ((...xs: Operand[]) => {
    const result = (all as (...xs: Operand[]) => Value[] | Promise<Tensor[]>)(...xs);
    return Array.isArray(result) ? result[0]! : result.then((ys) => ys[0]!);
  }) as Transformed;
}

function many(f: (...xs: Value[]) => Value[]): TransformedMany {
  const programs = new Map<string, Program>();
  return ((...xs: Operand[]) => {
    const tensors = xs.filter((x): x is Tensor => x instanceof Tensor);
    return tensors.length === xs.length && tensors.length > 0
      ? execute(f, tensors, programs)
      : f(...xs.map((x) => lift(x)));
  }) as TransformedMany;
}

async function execute(
  f: (...xs: Value[]) => Value[],
  xs: readonly Tensor[],
  programs: Map<string, Program>,
): Promise<Tensor[]> {
  const key = xs.map((x) => `${x.dtype}${formatShape(x.shape)}`).join();
  let program = programs.get(key);
  if (!program || program.device !== xs[0]!.device) {
    program = compile(xs[0]!.device, trace(f, xs));
    programs.set(key, program);
  }
  return program.run(xs);
}

/** Runs functions of captured tensors: the values of `nodes`, as tensors. */
export async function evaluate(device: Tensor["device"], ...values: readonly Value[]): Promise<Tensor[]> {
  return compile(device, { inputs: [], outputs: values }).run([]);
}
