// The device against double precision.
import { compile } from "../compiler/program.ts";
import type { Graph } from "../graph/trace.ts";
import type { Node } from "../graph/node.ts";
import type { Device } from "../tensor/device.ts";
import { NumericError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { formatShape, type Shape } from "../tensor/shape.ts";
import { fromHost, worstError, type Array64 } from "./array.ts";
import type { Definitions } from "./definition.ts";
import { evaluateNodes, readConstants } from "./evaluate.ts";

/** How far one output of the device is from double precision. */
export interface Verified {
  readonly shape: Shape;
  /** Largest difference, relative to the largest magnitude of this output (at least 1e-3); infinite where only one is finite. */
  readonly error: number;
}

export interface VerifyOptions {
  /** Definitions of primitives that this package does not know. */
  readonly definitions?: Definitions;
  /** Throw where an error exceeds this; default: only report. */
  readonly tolerance?: number;
}

/**
 * Runs a graph on the device and evaluates it in double precision from the same numbers.
 * @param inputs one array per graph input
 * @returns one entry per output, in order; f32 arithmetic alone explains about 1e-6 times the square root of the longest sum
 * @throws NumericError when a tolerance was given and an output is beyond it
 */
export async function verify(
  device: Device,
  graph: Graph,
  inputs: readonly HostArray[],
  { definitions, tolerance = Infinity }: VerifyOptions = {},
): Promise<Verified[]> {
  const results = await runOnDevice(device, graph, inputs);
  const bound = graph.inputs.map((node, i): [Node, Array64] => [node, fromHost(inputs[i]!)]);
  const known = new Map([...(await readConstants(graph.outputs)), ...bound]);
  const expected = evaluateNodes(graph.outputs, known, definitions);
  return expected.map((truth, i) => {
    const error = worstError(fromHost(results[i]!), truth);
    if (error > tolerance) {
      throw new NumericError(
        `verify: output ${i} ${formatShape(truth.shape)} (${graph.outputs[i]!.primitive.name}) differs from double precision by ` +
          `${error.toExponential(1)} of its largest magnitude, expected at most ${tolerance.toExponential(1)}`,
      );
    }
    return { shape: truth.shape, error };
  });
}

async function runOnDevice(device: Device, graph: Graph, inputs: readonly HostArray[]): Promise<HostArray[]> {
  const program = compile(device, graph);
  const tensors = inputs.map((x) => device.tensor(x));
  try {
    // The kernels that serve all calls but the first.
    await program.ready(true);
    return await program.runAndRead(tensors);
  } finally {
    tensors.forEach((x) => x.dispose());
  }
}
