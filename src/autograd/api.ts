// What users call. Each function takes a function of values and returns another one, so that they nest in any order:
// grad of grad, hvp inside jacobian. Called with tensors, the result is compiled, run, and returned as tensors.
import { ArgumentError, DTypeError, ShapeError } from "../tensor/errors.ts";
import { formatShape, numel, sameShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { compile, type Program } from "../compiler/program.ts";
import { fill, input, iota, lift, type Operand } from "../graph/leaves.ts";
import type { Node, Value } from "../graph/node.ts";
import { replacing, rewrite, trace } from "../graph/trace.ts";
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

/**
 * Gradient of a scalar function with respect to one argument, of that argument's shape.
 * @throws ShapeError when the function's result has more than one element
 * @throws DTypeError when the result or the argument is not f32
 * @throws ArgumentError when the argument is missing
 * @throws DerivativeError when an operation on the way has no derivative
 */
export function grad(f: Fn, { argument = 0 }: ArgumentOption = {}): Transformed {
  return one((...xs) => gradient(f, argument, xs)[1]!);
}

/** [value, gradient] of a scalar function; throws as {@link grad}. */
export function valueAndGrad(f: Fn, { argument = 0 }: ArgumentOption = {}): TransformedMany {
  return many((...xs) => gradient(f, argument, xs));
}

/**
 * Vector-Jacobian product: (x, ..., cotangent) -> cotangent of argument 0.
 * @throws ShapeError unless the cotangent has the shape of the result
 * @throws DTypeError, ArgumentError, DerivativeError as {@link grad}
 */
export function vjp(f: Fn): Transformed {
  return one((...args) => {
    const ct = lastOf("vjp", "cotangent", args);
    return derivatives("vjp", f, 0, args, (y, x) => {
      assertDirection("vjp", "cotangent", ct, y);
      return [orZero(vjpGraph([y], [x], [ct])[0]!, x)];
    })[0]!;
  });
}

/**
 * Jacobian-vector product: (x, ..., tangent of argument 0) -> tangent of the result.
 * @throws ShapeError unless the tangent has the shape of argument 0
 * @throws DTypeError, ArgumentError, DerivativeError as {@link grad}
 */
export function jvp(f: Fn): Transformed {
  return one((...args) => {
    const t = lastOf("jvp", "tangent", args);
    return derivatives("jvp", f, 0, args, (y, x) => {
      assertDirection("jvp", "tangent", t, x);
      return [orZero(jvpGraph([y], [x], [t])[0]!, y)];
    })[0]!;
  });
}

/**
 * Hessian-vector product of a scalar function: (x, ..., v) -> H v, as jvp of the gradient (forward over reverse). Throws as
 * {@link grad} and {@link jvp}.
 */
export const hvp = (f: Fn): Transformed => jvp((...xs) => gradient(f, 0, xs)[1]!);

/**
 * Jacobian [...result, ...argument]: one vjp per result element, all in one batch that shares the primal pass.
 * @throws DTypeError, ArgumentError, DerivativeError as {@link grad}
 */
export function jacobian(f: Fn, { argument = 0 }: ArgumentOption = {}): Transformed {
  return one(
    (...xs) =>
      derivatives("jacobian", f, argument, xs, (y, x) => {
        const seed = input(y.shape, "f32", "cotangent");
        const row = orZero(vjpGraph([y], [x], [seed])[0]!, x);
        const rows = batchAll([row], new Map([[seed, unitVectors(y)]]), numel(y.shape));
        return [reshape(rows[0]!, [...y.shape, ...x.shape])];
      })[0]!,
  );
}

/**
 * Hessian [...argument, ...argument] of a scalar function: one HVP per coordinate, sharing one primal pass; throws as
 * {@link grad}.
 */
export function hessian(f: Fn, { argument = 0 }: ArgumentOption = {}): Transformed {
  const gradientOf: Fn = (...xs) => gradient(f, argument, xs)[1]!;
  return one(
    (...xs) =>
      derivatives("hessian", gradientOf, argument, xs, (g, x) => {
        const seed = input(x.shape, "f32", "tangent");
        const column = orZero(jvpGraph([g], [x], [seed])[0]!, x);
        const columns = batchAll([column], new Map([[seed, unitVectors(x)]]), numel(x.shape));
        return [reshape(columns[0]!, [...x.shape, ...x.shape])];
      })[0]!,
  );
}

/** The unit vectors of the shape of `x`, [numel, ...shape]: an identity matrix that is never stored. */
export function unitVectors(x: Node): Node {
  const n = numel(x.shape);
  return reshape(cast(equal(expandDims(iota(n), 1), iota(n)), "f32"), [n, ...x.shape]);
}

/**
 * Derives `f` at fresh inputs, then puts the given values in their place. Without this, a value that `f` captures, or
 * that is passed twice, would count as the differentiated argument wherever it appears.
 */
function derivatives(
  op: string,
  f: Fn,
  argument: number,
  xs: readonly Value[],
  derive: (y: Node, x: Node) => Node[],
): Node[] {
  const fresh = xs.map((x) => input(x.shape, x.dtype));
  const x = fresh[argument];
  if (!x) {
    throw new ArgumentError(
      `${op}: the function was called with ${xs.length} arguments, argument ${argument} is missing`,
    );
  }
  const y = f(...fresh);
  for (const [what, node] of [
    [`argument ${argument}`, x],
    ["the result", y],
  ] as const) {
    if (node.dtype !== "f32") throw new DTypeError(`${op}: ${what} is ${node.dtype}; only f32 has derivatives`);
  }
  const results = derive(y, x);
  return rewrite(results, replacing(fresh, xs));
}

function gradient(f: Fn, argument: number, xs: readonly Value[]): Node[] {
  return derivatives("grad", f, argument, xs, (y, x) => {
    if (numel(y.shape) !== 1) {
      throw new ShapeError(
        `grad: expected a scalar function, got a result of shape ${formatShape(y.shape)}; sum it, or use vjp or jacobian`,
      );
    }
    return [y, orZero(vjpGraph([y], [x], [fill(y.shape, 1)])[0]!, x)];
  });
}

function lastOf(op: string, what: string, args: Value[]): Value {
  const last = args.pop();
  if (last && args.length > 0) return last;
  throw new ArgumentError(`${op}: expected the arguments of the function and then a ${what}`);
}

function assertDirection(op: string, what: string, direction: Node, like: Node): void {
  if (!sameShape(direction.shape, like.shape)) {
    throw new ShapeError(
      `${op}: expected a ${what} of shape ${formatShape(like.shape)}, got ${formatShape(direction.shape)}`,
    );
  }
  if (direction.dtype !== "f32") throw new DTypeError(`${op}: expected an f32 ${what}, got ${direction.dtype}`);
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

/**
 * Runs values that depend on captured tensors alone; the caller owns the returned tensors, one for each value.
 * @throws ArgumentError when a value depends on an input of a function
 */
export async function evaluate(device: Tensor["device"], ...values: readonly Value[]): Promise<Tensor[]> {
  return compile(device, { inputs: [], outputs: values }).run([]);
}
