// Nodes of the SSA graph. A node is created once for equal (primitive, attributes, inputs): common subexpressions
// never exist twice, and derivative rules may rebuild an expression freely.
import { cached } from "../tensor/cached.ts";
import { ArgumentError } from "../tensor/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { formatShape, type Shape } from "../tensor/shape.ts";
import type { Attrs, Primitive } from "./primitive.ts";

let nodes = 0;

/** A symbolic value: result of a primitive applied to other values, with static shape and dtype. */
export class Node<A extends Attrs = Attrs> {
  /** Grows with creation: inputs always have smaller ids, so that sorting by id is a topological order. */
  readonly id = nodes++;
  /** Interned results of operations whose youngest input is this node; they live exactly as long as it does. */
  readonly uses = new Map<string, Node>();

  constructor(
    readonly primitive: Primitive<A>,
    readonly inputs: readonly Node[],
    readonly attrs: A,
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}

  toString(): string {
    return `%${this.id} = ${this.primitive.name}(${this.inputs.map((x) => `%${x.id}`).join(", ")}) ${this.dtype}${formatShape(this.shape)}`;
  }
}

/** What operations take and give while a function is traced. */
export type Value = Node;

/**
 * Applies a primitive: checks the operands, folds what is trivial, else returns the one node for these inputs and attributes.
 * @throws ShapeError, DTypeError, ArgumentError as the primitive's shape rule does
 */
export function apply<A extends Attrs>(primitive: Primitive<A>, inputs: readonly Node[], attrs: A): Node {
  const youngest = inputs.reduce<Node | undefined>((a, b) => (a && a.id > b.id ? a : b), undefined);
  if (!youngest) throw new ArgumentError(`${primitive.name}: a node without inputs is made by leaf(), not by apply()`);
  const { shape, dtype } = primitive.aval(inputs, attrs);
  const folded = primitive.fold?.(inputs, attrs, shape);
  if (folded) return folded;
  const key = `${primitive.uid}|${inputs.map((x) => x.id).join()}|${JSON.stringify(attrs, exactly)}`;
  return cached(youngest.uses, key, () => new Node(primitive, inputs, attrs, shape, dtype));
}

/** JSON has no words for some numbers: without their own, pow(x, Infinity) would be taken for pow(x, -Infinity). */
function exactly(name: string, value: unknown): unknown {
  if (typeof value === "number")
    return Number.isFinite(value) && !Object.is(value, -0) ? value : `#${numberText(value)}`;
  if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint") {
    throw new ArgumentError(`attribute ${name} is a ${typeof value}; attributes are plain data`);
  }
  return value;
}

/** Text of a number that tells -0 from 0. */
export const numberText = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

/** Makes a node without inputs. The caller is responsible for reusing equal leaves. */
export function leaf<A extends Attrs>(primitive: Primitive<A>, attrs: A, shape: Shape, dtype: DType): Node {
  return new Node(primitive, [], attrs, shape, dtype);
}

/** True if `node` is a result of `primitive`; narrows the type of its attributes. */
export function is<A extends Attrs>(node: Node, primitive: Primitive<A>): node is Node<A> & Node {
  return node.primitive.uid === primitive.uid;
}
