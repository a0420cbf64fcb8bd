// node scripts/run.mjs bench/record-truth.ts: computes the attributions of networks from npm packages in double precision,
// node by node in plain loops, and writes their sums to real-truth.json. Takes minutes, and is needed only when a model, its
// example or the number of steps changes.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { quadrature } from "../src/attribution/index.ts";
import { grad } from "../src/autograd/index.ts";
import { trace } from "../src/graph/trace.ts";
import { index, sum } from "../src/kernels/index.ts";
import { modelFunction } from "../src/nn/index.ts";
import { array64, evaluate, readConstants } from "../src/reference/index.ts";
import { openDevice, type Device } from "../src/tensor/index.ts";
import { nodeFiles } from "./node-files.ts";
import { detypify } from "./workloads/ig-detypify.ts";
import { emotion } from "./workloads/ig-emotion.ts";
import { directionSums, type RealModel, type StoredTruth } from "./workloads/real-model.ts";

const folder = dirname(process.argv[1]!);
const path = join(folder, "real-truth.json");
const files = nodeFiles({ nets: undefined, shared: undefined });
const all = JSON.parse(readFileSync(path, "utf8")) as Record<string, StoredTruth>;
const device = await openDevice();
for (const subject of [detypify, emotion]) all[subject.name] = await truthOf(device, subject);
writeFileSync(path, `${JSON.stringify(all, null, 2)}\n`);
device.destroy();
process.exit();

async function truthOf(device: Device, subject: RealModel): Promise<StoredTruth> {
  const f = modelFunction((await subject.load(device, files))!);
  const { data, shape } = await subject.example(files);
  const forward = trace((x) => f(x), [{ shape }]);
  const constants = await readConstants(forward.outputs);
  const at = (node: number) =>
    array64(
      Array.from(data, (v) => node * v),
      shape,
    );
  const scores = [...evaluate(forward, [at(1)], { constants })[0]!.data];
  const target = scores.indexOf(Math.max(...scores));
  const gradient = grad((x) => sum(index(f(x), 1, target)));
  const graph = trace((x) => gradient(x), [{ shape }]);
  const { nodes, weights } = quadrature("midpoint", subject.steps);
  const total = new Float64Array(data.length);
  const held = await readConstants(graph.outputs);
  nodes.forEach((node, k) => {
    const [g] = evaluate(graph, [at(node)], { constants: held });
    g!.data.forEach((v, i) => (total[i]! += weights[k]! * v * data[i]!));
    console.log(`${subject.name}: node ${k + 1} of ${nodes.length}`);
  });
  return { target, steps: subject.steps, sums: directionSums(total) };
}
