// How elementwise primitives are defined: one WGSL expression each, fused by the compiler into generated kernels.
import { DTypeError, ShapeError } from "../tensor/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { broadcastShapes, formatShape, sameShape } from "../tensor/shape.ts";
import { lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type Attrs, type Primitive, type Tangent } from "../graph/primitive.ts";
import { broadcastTo } from "./broadcast.ts";

interface Elementwise<A extends Attrs> {
  wgsl(args: readonly string[], params: readonly string[], attrs: A): string;
  params?(attrs: A): readonly number[];
  helpers?: readonly string[];
  cost?: number;
  result?: DType;
  /** What all arguments must be; default f32. "numeric": f32 or i32, "any": also bool, in each case all the same. */
  operand?: DType | "numeric" | "any";
  multilinear?: boolean;
  jointlyLinear?: readonly number[];
  kink?: boolean;
  jvp?(node: Node<A>, tangents: readonly Tangent[]): Tangent;
  transpose?(cotangent: Node, node: Node<A>, argument: number): Node;
  fold?(inputs: readonly Node[], attrs: A): Node | undefined;
}

/** Defines an elementwise primitive. Operands have equal shapes: the public functions insert the broadcasts. */
export function elementwise<A extends Attrs = Record<never, never>>(name: string, e: Elementwise<A>): Primitive<A> {
  const operand = e.operand ?? "f32";
  const self: Primitive<A> = primitive<A>({
    name,
    aval(inputs) {
      const first = inputs[0]!;
      const expected = expectedDType(operand, first.dtype);
      for (const x of inputs) {
        if (!sameShape(x.shape, first.shape))
          throw new ShapeError(`${name}: shapes ${formatShape(first.shape)} and ${formatShape(x.shape)} differ`);
        if (x.dtype !== expected)
          throw new DTypeError(`${name}: expected ${expected} operands, got ${x.dtype}; use cast()`);
      }
      return { shape: first.shape, dtype: e.result ?? first.dtype };
    },
    lowering: {
      kind: "elementwise",
      wgsl: e.wgsl,
      ...(e.params && { params: e.params }),
      ...(e.helpers && { helpers: e.helpers }),
      cost: e.cost ?? 1,
    },
    ...(e.multilinear && { multilinear: true }),
    ...(e.jointlyLinear && { jointlyLinear: e.jointlyLinear }),
    ...(e.kink && { kink: true }),
    ...(e.jvp && { jvp: e.jvp }),
    ...(e.transpose && { transpose: e.transpose }),
    ...(e.fold && { fold: e.fold }),
    batch: (inputs, batched, attrs, size) => apply(self, alignBatch(inputs, batched, size), attrs),
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
