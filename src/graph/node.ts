// Nodes of the SSA graph. A node is created once for equal (primitive, attributes, inputs): common subexpressions
// never exist twice, and derivative rules may rebuild an expression freely.
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

/** Applies a primitive: folds what is trivial, else returns the one node for these inputs and attributes. */
export function apply<A extends Attrs>(primitive: Primitive<A>, inputs: readonly Node[], attrs: A): Node {
  const folded = primitive.fold?.(inputs, attrs);
  if (folded) return folded;
  const youngest = inputs.reduce<Node | undefined>((a, b) => (a && a.id > b.id ? a : b), undefined);
  if (!youngest) throw new ArgumentError(`${primitive.name}: a node without inputs is made by leaf(), not by apply()`);
  const key = `${primitive.uid}|${inputs.map((x) => x.id).join()}|${JSON.stringify(attrs)}`;
  const known = youngest.uses.get(key);
  if (known) return known;
  const { shape, dtype } = primitive.aval(inputs, attrs);
  const node = new Node(primitive, inputs, attrs, shape, dtype);
  youngest.uses.set(key, node);
  return node;
}

/** Makes a node without inputs. The caller is responsible for reusing equal leaves. */
export function leaf<A extends Attrs>(primitive: Primitive<A>, attrs: A, shape: Shape, dtype: DType): Node {
  return new Node(primitive, [], attrs, shape, dtype);
}

/** True if `node` is a result of `primitive`; narrows the type of its attributes. */
export function is<A extends Attrs>(node: Node, primitive: Primitive<A>): node is Node<A> & Node {
  return node.primitive.uid === primitive.uid;
}
