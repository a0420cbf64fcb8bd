// Derivatives of hand-written kernels beyond those that are hand-written themselves: the operation is defined once more,
// composed of others, and the definition's derivative takes the place of a rule.
import { input } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import type { Tangent } from "../graph/primitive.ts";
import { reachable, rewrite } from "../graph/trace.ts";
import { addPresent } from "./arithmetic.ts";

/**
 * Tangent of `definition(...xs)` for tangents of `xs`. The definition sees free values in place of `xs`: an argument that is
 * computed from another one is none the less an argument of its own.
 * @returns null where the result depends on no argument with a tangent
 */
export function tangentOfDefinition(
  definition: (...xs: Value[]) => Value,
  xs: readonly Node[],
  tangents: readonly Tangent[],
): Tangent {
  const free = xs.map((x) => input(x.shape, x.dtype));
  const directions = tangents.map((t) => t && input(t.shape));
  const of = new Map<Node, Tangent>(free.map((x, i) => [x, directions[i] ?? null]));
  const y = definition(...free);
  for (const node of reachable([y])) if (!of.has(node)) of.set(node, tangentOf(node, of));
  const tangent = of.get(y)!;
  const given = [...free.map((x, i) => [x, xs[i]!] as const), ...directions.map((d, i) => [d, tangents[i]] as const)];
  const replaced = new Map(given.filter((pair): pair is [Node, Node] => pair[0] !== null));
  return tangent && rewrite([tangent], replaced)[0]!;
}

function tangentOf(node: Node, of: ReadonlyMap<Node, Tangent>): Tangent {
  const { primitive, inputs, attrs } = node;
  const tangents = inputs.map((x) => of.get(x)!);
  if (tangents.every((t) => t === null)) return null;
  if (primitive.jvp) return primitive.jvp(node, tangents);
  const alone = (t: Node, i: number): Node => apply(primitive, Object.assign([...inputs], { [i]: t }), attrs);
  return addPresent(tangents.map((t, i) => t && alone(t, i)));
}
