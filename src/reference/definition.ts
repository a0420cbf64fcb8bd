import type { Node } from "../graph/node.ts";
import type { Attrs, Primitive } from "../graph/primitive.ts";
import type { Array64 } from "./array.ts";

/** What a primitive means, in double precision: the elements of the result, row-major, from those of the arguments. */
export type Definition<A extends Attrs = Attrs> = (node: Node<A>, inputs: readonly Array64[]) => Float64Array;

/** Definitions, found by the primitive's record. */
export type Definitions = ReadonlyMap<Primitive, Definition>;

/** One entry of {@link Definitions}, typed by the primitive's attributes. */
export function define<A extends Attrs>(
  primitive: Primitive<A>,
  definition: Definition<A>,
): readonly [Primitive, Definition] {
  return [primitive, definition as unknown as Definition];
}
