// Square matrix products: operands on the device, the result read back.
import { compile } from "../../src/compiler/program.ts";
import { matmul } from "../../src/kernels/index.ts";
import { normal } from "../nets.ts";
import { programContestant } from "../program.ts";
import type { MatmulTask } from "../task.ts";
import { matmulTruth } from "../truth.ts";
import type { Workload } from "../workload.ts";

const SIZES = [128, 256, 512, 1024];

export const matmuls: readonly Workload[] = SIZES.map((n) => ({
  name: `matmul-${n}`,
  about: `matrix product ${n} x ${n} x ${n}, operands on the device, the result read back`,
  prepare: async ({ device }) => {
    const task: MatmulTask = { kind: "matmul", a: normal(`a/${n}`, [n, n]), b: normal(`b/${n}`, [n, n]) };
    const inputs = [device.tensor(task.a), device.tensor(task.b)];
    return {
      source: "seeded normal numbers",
      truth: { data: () => matmulTruth(task), source: "double precision" },
      tolerance: 1e-4,
      flops: 2 * n ** 3,
      task,
      own: [programContestant({ make: () => compile(device, (a, b) => matmul(a, b), inputs), resident: inputs })],
      dispose: () => inputs.forEach((tensor) => tensor.dispose()),
    };
  },
}));
