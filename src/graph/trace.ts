// From a function of values to a graph, and walks over graphs.
import { ArgumentError } from "../tensor/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";
import { input } from "./leaves.ts";
import { apply, Node, type Value } from "./node.ts";

export interface InputSpec {
  readonly shape: Shape;
  readonly dtype?: DType;
  readonly name?: string;
}

/** A function of values with static shapes: what programs are compiled from. */
export interface Graph {
  readonly inputs: readonly Node[];
  readonly outputs: readonly Node[];
}

/**
 * Runs `fn` on symbolic inputs. Everything it computes becomes nodes; nothing is executed.
 * @param specs shape of each argument; dtype f32 and names x0, x1, ... by default
 * @throws ArgumentError when `fn` returns anything but a value or an array of values
 */
export function trace(fn: (...inputs: Value[]) => Value | readonly Value[], specs: readonly InputSpec[]): Graph {
  const inputs = specs.map((s, i) => input(s.shape, s.dtype ?? "f32", s.name ?? `x${i}`));
  const result = fn(...inputs);
  const outputs = result instanceof Node ? [result] : result;
  if (!Array.isArray(outputs) || !outputs.every((y) => y instanceof Node)) {
    const got = result instanceof Promise ? "a promise" : typeof result;
    throw new ArgumentError(`trace: the function must return a value or an array of values, got ${got}`);
  }
  return { inputs, outputs: outputs as Node[] };
}

/** All nodes that `outputs` depend on (otherwise than through those of `cut`, which are left out), inputs before users. */
export function reachable(outputs: readonly Node[], cut: readonly Node[] = []): Node[] {
  const seen = new Set<Node>(cut);
  const stack = [...outputs];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...node.inputs);
  }
  cut.forEach((node) => seen.delete(node));
  return [...seen].sort((a, b) => a.id - b.id);
}

/** Those of `nodes` (in topological order) that depend on one of `sources`. The sources belong to the result. */
export function dependents(nodes: readonly Node[], sources: readonly Node[]): Set<Node> {
  const found = new Set<Node>(sources);
  for (const node of nodes) if (node.inputs.some((x) => found.has(x))) found.add(node);
  return found;
}

/** What each of `nodes` is replaced by, for {@link rewrite}. */
export const replacing = (nodes: readonly Node[], values: readonly Node[]): Map<Node, Node> =>
  new Map(nodes.map((node, i) => [node, values[i]!]));

/**
 * Rebuilds `outputs` with some nodes replaced.
 * @param visit replacement of a node, given its new inputs; by default the same primitive applied to them
 */
export function rewrite(
  outputs: readonly Node[],
  replaced: ReadonlyMap<Node, Node>,
  visit: (node: Node, inputs: readonly Node[]) => Node = rebuild,
): Node[] {
  const made = new Map(replaced);
  for (const node of reachable(outputs)) {
    if (made.has(node)) continue;
    made.set(
      node,
      visit(
        node,
        node.inputs.map((x) => made.get(x)!),
      ),
    );
  }
  return outputs.map((y) => made.get(y)!);
}

/** The same primitive on other inputs; the node itself if they are the same. */
export function rebuild(node: Node, inputs: readonly Node[]): Node {
  return inputs.every((x, i) => x === node.inputs[i]) ? node : apply(node.primitive, inputs, node.attrs);
}
