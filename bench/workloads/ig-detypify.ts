// A real network from a file. Too large for double precision in plain loops, so its attributions are checked by their sums
// along directions v: sum v_i IG_i is the mean over the nodes of the derivative of f along v * x, which forward mode finds
// without any of the passes that made the attributions.
import { integratedGradients, quadrature } from "../../src/attribution/index.ts";
import { jvp } from "../../src/autograd/index.ts";
import { compile } from "../../src/compiler/program.ts";
import { index, sum } from "../../src/kernels/index.ts";
import { loadOnnx } from "../../src/nn/import/onnx.ts";
import { modelFunction, random } from "../../src/nn/index.ts";
import { hostArray, openDevice, type Device, type Tensor } from "../../src/tensor/index.ts";
import { DRAWING_SIZE, drawings, drawStrokes } from "../../scripts/drawing.ts";
import type { Files, Workload } from "../workload.ts";

const STEPS = 16;
const PLANE = [1, DRAWING_SIZE, DRAWING_SIZE];
const SYMBOL = "∞";

export const igDetypify: Workload = {
  name: "ig-detypify",
  about: `Integrated Gradients, ${STEPS} steps, one drawing 1x224x224, the network of detypify-service 0.3.0 (ONNX, 411 symbols)`,
  async prepare({ device, files }) {
    const drawing = drawStrokes(drawings[SYMBOL]!);
    const x = hostArray(drawing, [1, ...PLANE]);
    const directions = directionsOf(drawing.length);
    const { target, derivatives } = await truthOf(files, drawing, directions);
    const model = await load(device, files);
    return {
      source: "detypify-service 0.3.0",
      truth: { data: derivatives, source: `sums along ${directions.length} directions, by forward mode in f32` },
      tolerance: 1e-3,
      own: [
        {
          name: "aumann",
          run: async () => {
            const result = await integratedGradients(model, x, { steps: STEPS, rule: "midpoint", target });
            const { attributions, evaluations, plan } = result;
            const facts = { gradients: evaluations, "planned bytes": plan.bytes, "Mflop run": plan.flops / 1e6 };
            return { data: directions.map((v) => dot(v, attributions.data)), facts };
          },
        },
      ],
      dispose: () => model.dispose(),
    };
  },
};

const load = async (device: Device, files: Files) =>
  loadOnnx(device, await files.npm("detypify-service", "0.3.0", "train/model.onnx"));

/** Ones, whose sum is completeness, and three times signs at random. */
function directionsOf(size: number): Float32Array[] {
  const stream = random("directions");
  const signs = () => Float32Array.from({ length: size }, () => (stream.uniform() < 0.5 ? -1 : 1));
  return [new Float32Array(size).fill(1), signs(), signs(), signs()];
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
};

/** On a device of its own, so that the first measured call meets no pipeline compiled before. */
async function truthOf(files: Files, drawing: Float32Array, directions: readonly Float32Array[]) {
  const device = await openDevice();
  try {
    const model = await load(device, files);
    const f = modelFunction(model);
    const forward = compile(device, f, [{ shape: [1, ...PLANE] }]);
    const [scores] = await forward.runAndRead([device.tensor(drawing, [1, ...PLANE])]);
    const target = scores!.data.indexOf(Math.max(...scores!.data));
    const shape = [STEPS, ...PLANE];
    const along = compile(
      device,
      jvp((x) => sum(index(f(x), 1, target))),
      [{ shape }, { shape }],
    );
    const { nodes } = quadrature("midpoint", STEPS);
    const rows = (row: (node: number) => Float32Array): Tensor => {
      const data = new Float32Array(STEPS * drawing.length);
      nodes.forEach((node, k) => data.set(row(node), k * drawing.length));
      return device.tensor(data, shape);
    };
    const points = rows((node) => drawing.map((v) => node * v));
    const derivatives: number[] = [];
    for (const v of directions) {
      const tangent = rows(() => drawing.map((d, i) => v[i]! * d));
      const [total] = await along.runAndRead([points, tangent]);
      derivatives.push(total!.data[0]! / STEPS);
      tangent.dispose();
    }
    return { target, derivatives };
  } finally {
    device.destroy();
  }
}
