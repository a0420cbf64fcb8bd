// Square matrix products: operands on the device, the result read back.
import { compile } from "../../src/compiler/program.ts";
import { matmul } from "../../src/kernels/index.ts";
import { random } from "../../src/nn/index.ts";
import { hostArray, type HostArray } from "../../src/tensor/index.ts";
import type { MatmulTask } from "../task.ts";
import { matmulTruth } from "../truth.ts";
import type { Workload } from "../workload.ts";

const SIZES = [128, 256, 512, 1024];

const matrix = (key: string, n: number): HostArray => {
  const stream = random(`${key}/${n}`);
  return hostArray(
    Float32Array.from({ length: n * n }, () => stream.normal()),
    [n, n],
  );
};

export const matmuls: readonly Workload[] = SIZES.map((n) => ({
  name: `matmul-${n}`,
  about: `matrix product ${n} x ${n} x ${n}, operands on the device, the result read back`,
  prepare: async ({ device }) => {
    const task: MatmulTask = { kind: "matmul", a: matrix("a", n), b: matrix("b", n) };
    const inputs = [device.tensor(task.a), device.tensor(task.b)];
    const program = compile(device, (a, b) => matmul(a, b), inputs);
    return {
      source: "seeded normal numbers",
      truth: { data: matmulTruth(task), source: "double precision" },
      tolerance: 1e-4,
      flops: 2 * n ** 3,
      task,
      own: [{ name: "aumann", run: async () => ({ data: (await program.runAndRead(inputs))[0]!.data }) }],
      dispose: () => inputs.forEach((tensor) => tensor.dispose()),
    };
  },
}));
