// Walks a graph of an .onnx file, turning nodes into values. Runs each time a model is traced.
import { Node } from "../../../graph/node.ts";
import { FormatError } from "../../../tensor/errors.ts";
import type { Tap } from "../../model.ts";
import { blaming } from "../blame.ts";
import type { ParameterStore } from "../store.ts";
import { isConstant, isSequence, nodeName, type Call, type Item } from "./call.ts";
import { operators } from "./operators.ts";
import type { OnnxGraph, OnnxNode } from "./proto.ts";
import { constantFromOnnx } from "./tensor.ts";

/** Names and what they stand for; a subgraph sees the names around it. */
type Scope = ReadonlyMap<string, Item>;

export interface Interpreter {
  readonly opset: number;
  readonly store: ParameterStore;
  readonly tap?: Tap | undefined;
  /** Nodes executed so far, those of loops each time they go round. */
  nodes?: number;
  /** Elements of constants computed so far. */
  elements?: number;
}

/** Loops inside loops, and constants made of constants, let a small file ask for more than any machine has. */
const MAX_NODES = 1_000_000;
const MAX_ELEMENTS = 2 ** 28;

/** Values of the graph's outputs, given those of the names that come from outside (inputs, weights). */
export function interpret(it: Interpreter, graph: OnnxGraph, given: Scope): Item[] {
  const scope = new Map(given);
  for (const tensor of graph.initializer) if (!scope.has(tensor.name)) scope.set(tensor.name, constantFromOnnx(tensor));
  for (const node of graph.node) {
    const outputs = execute(it, node, scope);
    node.output.forEach((name, i) => {
      if (name && outputs[i]) scope.set(name, tapped(it, name, outputs[i]));
    });
  }
  return graph.output.map(({ name }) => lookup(scope, name, "the graph's outputs"));
}

function execute(it: Interpreter, node: OnnxNode, scope: Scope): readonly Item[] {
  const operator = node.domain === "" || node.domain === "ai.onnx" ? operators.get(node.opType) : undefined;
  if (!operator) throw unsupported(node);
  const where = `node "${nodeName(node)}"`;
  const call: Call = {
    node,
    opset: it.opset,
    store: it.store,
    // An empty name is an optional input left out.
    inputs: node.input.map((name) => (name === "" ? undefined : lookup(scope, name, where))),
    run: (graph, bindings) => interpret(it, graph, new Map([...scope, ...bindings])),
  };
  const made = blaming("onnx", node.opType, where, () => operator(call));
  const outputs = Array.isArray(made) ? (made as readonly Item[]) : [made as Item];
  it.nodes = (it.nodes ?? 0) + 1;
  it.elements = outputs.filter(isConstant).reduce((sum, { data }) => sum + data.length, it.elements ?? 0);
  if (it.nodes > MAX_NODES || it.elements > MAX_ELEMENTS) {
    throw new FormatError(
      `onnx: at ${node.opType} ${where} the graph has grown beyond ${MAX_NODES} nodes, or ${MAX_ELEMENTS} elements ` +
        "computed beforehand; loops and constants of such a size are not supported",
    );
  }
  return outputs;
}

function tapped(it: Interpreter, name: string, made: Item): Item {
  return it.tap && made instanceof Node && !isSequence(made) ? it.tap(name, made) : made;
}

function lookup(scope: Scope, name: string, where: string): Item {
  const found = scope.get(name);
  if (found) return found;
  throw new FormatError(`onnx: ${where} uses "${name}", which nothing before it defines`);
}

function unsupported(node: OnnxNode): FormatError {
  const domain = node.domain ? ` of domain "${node.domain}"` : "";
  return new FormatError(
    `onnx: operator ${node.opType}${domain} (node "${nodeName(node)}") is not supported; ` +
      `supported are ${[...operators.keys()].sort().join(", ")}`,
  );
}
