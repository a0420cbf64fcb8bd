// How elementwise primitives are defined: one WGSL expression each, fused by the compiler into generated kernels.
import { DTypeError, ShapeError } from "../tensor/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { broadcastShapes, formatShape, sameShape } from "../tensor/shape.ts";
import { lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import {
  primitive,
  type Attrs,
  type ElementwiseLowering,
  type Primitive,
  type PrimitiveSpec,
} from "../graph/primitive.ts";
import { broadcastTo } from "./broadcast.ts";

type Rules<A extends Attrs> = Pick<
  PrimitiveSpec<A>,
  "multilinear" | "jointlyLinear" | "kink" | "jvp" | "transpose" | "fold"
>;
interface Elementwise<A extends Attrs> extends Rules<A>, Pick<ElementwiseLowering<A>, "wgsl" | "params" | "helpers"> {
  /** Default 1. */
  readonly cost?: number;
  readonly result?: DType;
  /** What all arguments must be; default f32. "numeric": f32 or i32, "any": also bool, in each case all the same. */
  readonly operand?: DType | "numeric" | "any";
}

/** Defines an elementwise primitive. Operands have equal shapes: the public functions insert the broadcasts. */
export function elementwise<A extends Attrs = Record<never, never>>(
  name: string,
  { wgsl, params, helpers, cost = 1, operand = "f32", result, ...rules }: Elementwise<A>,
): Primitive<A> {
  const self: Primitive<A> = primitive<A>({
    name,
    aval(inputs) {
      const { shape, dtype } = inputs[0]!;
      const expected = expectedDType(operand, dtype);
      for (const x of inputs) {
        if (!sameShape(x.shape, shape))
          throw new ShapeError(`${name}: shapes ${formatShape(shape)} and ${formatShape(x.shape)} differ`);
        if (x.dtype !== expected)
          throw new DTypeError(`${name}: expected ${expected} operands, got ${x.dtype}; use cast()`);
      }
      return { shape, dtype: result ?? dtype };
    },
    lowering: { kind: "elementwise", wgsl, params, helpers, cost },
    batch: (inputs, batched, attrs, size) => apply(self, alignBatch(inputs, batched, size), attrs),
    ...rules,
  });
  return self;
}

/** The dtype that all operands must have, given that of the first. */
function expectedDType(operand: DType | "numeric" | "any", first: DType): string {
  if (operand === "numeric") return first === "bool" ? "f32 or i32" : first;
  return operand === "any" ? first : operand;
}

/** Gives unbatched operands the leading axis that the batched ones have; fused, it is an index with stride 0. */
export function alignBatch(inputs: readonly Node[], batched: readonly boolean[], size: number): Node[] {
  return inputs.map((x, i) => (batched[i] ? x : broadcastTo(x, [size, ...x.shape])));
}

/** Lifts operands and broadcasts them to their common shape (NumPy rules). */
export function broadcasted(name: string, operands: readonly Operand[], dtype: DType = "f32"): Node[] {
  const guide = operands.find((x) => typeof x !== "number");
  const lifted = operands.map((x) => lift(x, typeof guide === "object" ? guide.dtype : dtype));
  const shape = lifted.map((x) => x.shape).reduce((a, b) => broadcastShapes(name, a, b));
  return lifted.map((x) => broadcastTo(x, shape));
}

export const unary = <A extends Attrs>(prim: Primitive<A>, x: Operand, attrs: A): Value =>
  apply(prim, [lift(x)], attrs);
export const binary = (prim: Primitive<Record<never, never>>, a: Operand, b: Operand): Value =>
  apply(prim, broadcasted(prim.name, [a, b]), {});
