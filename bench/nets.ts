// The network and the first example of a golden case, for workloads that are also run by other programs.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { integratedGradients, type IntegratedGradientsOptions, type ModelLike } from "../src/attribution/index.ts";
import { modelOf, type Network } from "../src/nn/index.ts";
import { random } from "../src/nn/random.ts";
import { hostArray, numel, type Device, type HostArray, type Shape } from "../src/tensor/index.ts";
import { readCase, type Case } from "../test/golden/case.ts";
import { Context } from "../test/golden/context.ts";
import type { Prepared, PrepareOptions } from "./workload.ts";

/** One example of a data set [N, ...]. */
const firstRow = ({ shape, dtype, data }: HostArray): HostArray => {
  const example = shape.slice(1);
  return hostArray(data.slice(0, numel(example)), [1, ...example], dtype);
};

const prepared = (
  model: ModelLike,
  x: HostArray,
  options: IntegratedGradientsOptions,
  source: string,
  dispose: () => void,
): Prepared => ({
  source,
  run: () => integratedGradients(model, x, options),
  dispose,
});

export interface Net {
  /** Folder of the golden case with the same layers. */
  readonly case: string;
  readonly network: Network;
  /** Shape of one example. */
  readonly input: Shape;
}

/** Integrated Gradients of one example: the golden case's network if its folder is there, else the same with seeded weights. */
export async function prepareNet(
  device: Device,
  net: Net,
  options: IntegratedGradientsOptions,
  { nets }: PrepareOptions,
): Promise<Prepared> {
  const folder = nets === undefined ? undefined : join(nets, net.case);
  if (folder !== undefined && existsSync(join(folder, "case.json"))) {
    const context = new Context(device, (await readCase(folder)) as Case);
    const x = firstRow(context.arrays() as HostArray);
    const target = context.options().target[0]!;
    return prepared(context.model, x, { ...options, target }, net.case, () => context.dispose());
  }
  const model = modelOf(net.network, net.network.init(device, 1), net.input);
  const key = random("example");
  const x = hostArray(
    Float32Array.from({ length: numel(net.input) }, () => key.uniform()),
    [1, ...net.input],
  );
  return prepared(model, x, options, "seeded weights", () => model.dispose());
}
