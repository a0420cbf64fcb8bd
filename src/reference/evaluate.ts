// Evaluates graphs in double precision, node by node in plain loops: slow, short, and independent of the kernels.
import { ArgumentError } from "../tensor/errors.ts";
import { formatShape, numel, sameShape } from "../tensor/shape.ts";
import { constantPrimitive } from "../graph/leaves.ts";
import { is, type Node } from "../graph/node.ts";
import { reachable, type Graph } from "../graph/trace.ts";
import { fromHost, type Array64 } from "./array.ts";
import type { Definitions } from "./definition.ts";
import { definitions } from "./definitions.ts";

/** Arrays known before evaluation: those of the inputs and of captured tensors. */
export type Bindings = ReadonlyMap<Node, Array64>;

export interface EvaluateOptions {
  /** Contents of captured tensors, from {@link readConstants}. */
  readonly constants?: Bindings;
  /** Definitions of primitives that this package does not know. */
  readonly definitions?: Definitions;
}

/**
 * Evaluates a graph in double precision.
 * @param inputs one array per graph input, of its shape
 * @returns one array per output
 * @throws ArgumentError when an array is missing or misshapen, or a primitive has no f64 definition
 */
export function evaluate(graph: Graph, inputs: readonly Array64[], options: EvaluateOptions = {}): Array64[] {
  if (inputs.length !== graph.inputs.length) {
    throw new ArgumentError(`evaluate: the graph has ${graph.inputs.length} inputs, got ${inputs.length} arrays`);
  }
  const bound = graph.inputs.map((node, i) => [node, inputs[i]!] as const);
  return evaluateNodes(graph.outputs, new Map([...(options.constants ?? []), ...bound]), options.definitions);
}

/** Evaluates nodes, given the arrays of the leaves (or of any other node) that they depend on. */
export function evaluateNodes(outputs: readonly Node[], known: Bindings, custom?: Definitions): Array64[] {
  for (const [node, value] of known) assertFits(node, value);
  const values = new Map<Node, Array64>();
  for (const node of reachable(outputs)) values.set(node, known.get(node) ?? evaluateNode(node, values, custom));
  return outputs.map((node) => values.get(node)!);
}

function evaluateNode(node: Node, values: Bindings, custom?: Definitions): Array64 {
  const definition = definitions.get(node.primitive) ?? custom?.get(node.primitive);
  if (!definition) throw new ArgumentError(missing(node));
  const inputs = node.inputs.map((x) => values.get(x)!);
  const result = { shape: node.shape, data: definition(node, inputs) };
  assertFits(node, result);
  return result;
}

function missing(node: Node): string {
  const { name, lowering } = node.primitive;
  if (is(node, constantPrimitive)) {
    return `evaluate: no contents for a captured tensor ${formatShape(node.shape)}; pass constants: await readConstants(outputs)`;
  }
  return lowering.kind === "leaf"
    ? `evaluate: no array was given for ${node.toString()}`
    : `evaluate: primitive "${name}" has no f64 definition; pass one in definitions: new Map([define(${name}Primitive, ...)])`;
}

function assertFits(node: Node, { shape, data }: Array64): void {
  if (sameShape(node.shape, shape) && data.length === numel(shape)) return;
  throw new ArgumentError(
    `evaluate: ${node.toString()} was given ${data.length} elements of shape ${formatShape(shape)}`,
  );
}

/** Reads the tensors that a graph captured, all at once, in the form that {@link evaluate} takes. */
export async function readConstants(outputs: readonly Node[]): Promise<Map<Node, Array64>> {
  const nodes = reachable(outputs).filter((node) => is(node, constantPrimitive));
  const tensors = nodes.map((node) => node.attrs.tensor);
  const hosts = tensors.length === 0 ? [] : await tensors[0]!.device.read(tensors);
  return new Map(nodes.map((node, i) => [node as Node, fromHost(hosts[i]!)]));
}
