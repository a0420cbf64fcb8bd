// Softmax and layer norm of rows, and their vector-Jacobian products: operands on the device, the result read back.
import { vjp } from "../../src/autograd/index.ts";
import { compile, type Program } from "../../src/compiler/program.ts";
import type { Value } from "../../src/graph/node.ts";
import { layerNorm, softmax } from "../../src/kernels/index.ts";
import type { Device } from "../../src/tensor/index.ts";
import { normal } from "../nets.ts";
import { programContestant } from "../program.ts";
import type { RowsTask } from "../task.ts";
import { rowsTruth } from "../truth.ts";
import type { Prepared, Workload } from "../workload.ts";

const SHAPES = { softmax: [512, 1000], "layer-norm": [1024, 256] } as const;
const EPSILON = 1e-5;

export const rowFunctions: readonly Workload[] = (["softmax", "layer-norm"] as const).flatMap((operation) =>
  (["forward", "gradient"] as const).map((role) => ({
    name: `${operation}-${role}`,
    about:
      `${operation.replace("-", " ")} of the rows of ${SHAPES[operation].join(" x ")} numbers, ` +
      `${role === "forward" ? "forward" : "vector-Jacobian product"}; operands on the device, the result read back`,
    prepare: ({ device }) => Promise.resolve(prepare(device, operation, role)),
  })),
);

function prepare(device: Device, operation: RowsTask["operation"], role: RowsTask["role"]): Prepared {
  const shape = SHAPES[operation];
  const features = [shape[1]];
  const task: RowsTask = {
    ...{ kind: "rows", operation, role, epsilon: EPSILON },
    ...{ x: normal("x", shape, 2), y: normal("y", shape) },
    ...{ scale: normal("scale", features), offset: normal("offset", features) },
  };
  const given = [task.x, ...(role === "gradient" ? [task.y] : [])].map((array) => device.tensor(array));
  const [scale, offset] = [device.tensor(task.scale), device.tensor(task.offset)];
  const forward = (x: Value): Value =>
    operation === "softmax" ? softmax(x) : layerNorm(x, { scale, offset, epsilon: EPSILON });
  const make = (): Program =>
    compile(device, role === "forward" ? forward : (x: Value, y: Value) => vjp(forward)(x, y), given);
  return {
    source: "seeded normal numbers",
    truth: { data: () => rowsTruth(task), source: "double precision" },
    tolerance: 1e-4,
    task,
    own: [programContestant({ make, resident: given })],
    dispose: () => [...given, scale, offset].forEach((tensor) => tensor.dispose()),
  };
}
