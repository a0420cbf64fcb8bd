// Runs a conformance test of ONNX (a model of one operator with inputs and outputs) through the importer and the f64
// evaluator. What does not depend on floating point inputs is given as constants, as real models have it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import minimal from "protobufjs/minimal.js";
import { input } from "../../src/graph/leaves.ts";
import { Node } from "../../src/graph/node.ts";
import { evaluate, readConstants } from "../../src/reference/index.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import { sameShape } from "../../src/tensor/shape.ts";
import { isSequence, type Item } from "../../src/nn/import/onnx/call.ts";
import { interpret } from "../../src/nn/import/onnx/interpret.ts";
import { operators } from "../../src/nn/import/onnx/operators.ts";
import { decodeModel, decodeTensor, type OnnxGraph } from "../../src/nn/import/onnx/proto.ts";
import { constantFromOnnx } from "../../src/nn/import/onnx/tensor.ts";
import { numbersOf, type Constant } from "../../src/nn/import/constant.ts";
import { parameterStore, type ParameterStore } from "../../src/nn/import/store.ts";
import type { Device } from "../../src/tensor/index.ts";

export interface NodeTest {
  readonly name: string;
  readonly graph: OnnxGraph;
  readonly opset: number;
  readonly inputs: readonly Constant[];
  readonly outputs: readonly Constant[];
}

/** The tests of a folder whose operators are all in the table and whose tensors are of types that are read. */
export function nodeTests(folder: string): NodeTest[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => readTest(join(folder, name), name) ?? []);
}

function readTest(folder: string, name: string): NodeTest | undefined {
  const { graph, opsetImport } = decodeModel(minimal, new Uint8Array(readFileSync(join(folder, "model.onnx"))));
  if (!graph || !graph.node.every(({ opType, domain }) => domain === "" && operators.has(opType))) return undefined;
  const tensors = (kind: string, count: number): Constant[] | undefined => {
    const files = Array.from({ length: count }, (_, i) => join(folder, "test_data_set_0", `${kind}_${i}.pb`));
    if (!files.every(existsSync)) return undefined;
    try {
      return files.map((file) => constantFromOnnx(decodeTensor(minimal, new Uint8Array(readFileSync(file)))));
    } catch {
      return undefined;
    }
  };
  const inputs = tensors("input", graph.input.length);
  const outputs = tensors("output", graph.output.length);
  return inputs && outputs && { name, graph, opset: opsetImport[0]!.version, inputs, outputs };
}

/** Largest deviation from the expected outputs, relative to their size; throws what the importer throws. */
export async function deviation(device: Device, test: NodeTest): Promise<number> {
  const store = parameterStore(device);
  try {
    // First with every float input open, then with only the first one: bounds and factors may have to be known.
    try {
      return await deviationWith(store, test, (c) => c.dtype === "f32");
    } catch (error) {
      if (!(error instanceof FormatError) || !error.message.includes("known beforehand")) throw error;
      return await deviationWith(store, test, (c, i) => c.dtype === "f32" && i === 0);
    }
  } finally {
    store.dispose();
  }
}

async function deviationWith(
  store: ParameterStore,
  test: NodeTest,
  open: (c: Constant, i: number) => boolean,
): Promise<number> {
  const nodes = test.inputs.map((c, i) => (open(c, i) ? input(c.shape, c.dtype) : undefined));
  const scope = new Map<string, Item>(test.graph.input.map(({ name }, i) => [name, nodes[i] ?? test.inputs[i]!]));
  const made = interpret({ opset: test.opset, store }, test.graph, scope);
  const values = made.filter((x): x is Node => x instanceof Node);
  const known = test.inputs.flatMap((c, i) => (nodes[i] ? [{ shape: c.shape, data: Float64Array.from(c.data) }] : []));
  const constants = await readConstants(values);
  const results = evaluate({ inputs: nodes.filter((n) => n !== undefined), outputs: values }, known, { constants });
  let worst = 0;
  made.forEach((x, i) => {
    if (isSequence(x)) throw new Error("a sequence is no output");
    const got = x instanceof Node ? results[values.indexOf(x)]!.data : Float64Array.from(x.data);
    worst = Math.max(worst, difference(x.shape, got, test.outputs[i]!));
  });
  return worst;
}

function difference(shape: readonly number[], got: ArrayLike<number>, expected: Constant): number {
  if (!sameShape(shape, expected.shape))
    throw new Error(`shape [${shape.join()}], expected [${expected.shape.join()}]`);
  const errors = numbersOf(expected).map((e, i) =>
    Object.is(got[i], e) || got[i] === e ? 0 : Math.abs(got[i]! - e) / Math.max(1, Math.abs(e)),
  );
  return errors.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), 0);
}
