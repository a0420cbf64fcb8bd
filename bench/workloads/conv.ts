// Convolutions and their two transposes: operands on the device, the result read back.
import { compile, type Program } from "../../src/compiler/program.ts";
import type { Value } from "../../src/graph/node.ts";
import { conv2d, convInputGrad, convWeightGrad } from "../../src/kernels/index.ts";
import { numel, type HostArray, type Shape } from "../../src/tensor/index.ts";
import { normal } from "../nets.ts";
import { programContestant } from "../program.ts";
import type { ConvTask } from "../task.ts";
import { convTruth } from "../truth.ts";
import type { Workload } from "../workload.ts";

interface Plan {
  readonly name: string;
  /** [N, C, H, W] */
  readonly x: Shape;
  /** [O, C, k, k] */
  readonly w: Shape;
  readonly stride: number;
  readonly padding: number;
}

const PLANS: readonly Plan[] = [
  { name: "wide", x: [8, 8, 56, 56], w: [16, 8, 3, 3], stride: 1, padding: 1 },
  { name: "deep", x: [8, 64, 14, 14], w: [64, 64, 3, 3], stride: 1, padding: 1 },
  { name: "strided", x: [8, 3, 64, 64], w: [16, 3, 5, 5], stride: 2, padding: 2 },
];
const ROLES: readonly ConvTask["role"][] = ["forward", "input-gradient", "weight-gradient"];

export const convolutions: readonly Workload[] = PLANS.flatMap((plan) => ROLES.map((role) => workload(plan, role)));

function workload(plan: Plan, role: ConvTask["role"]): Workload {
  const [images, , height, width] = plan.x as [number, number, number, number];
  const [filters, channels, kernel] = plan.w as [number, number, number];
  const outputs = (size: number): number => Math.floor((size + 2 * plan.padding - kernel) / plan.stride) + 1;
  const y = [images, filters, outputs(height), outputs(width)];
  const text = `x ${plan.x.join("x")}, w ${plan.w.join("x")}, stride ${plan.stride}, padding ${plan.padding}`;
  return {
    name: `conv-${plan.name}-${role}`,
    about: `convolution, ${role.replace("-", " ")}: ${text}; operands on the device, the result read back`,
    prepare: async ({ device }) => {
      const { stride, padding } = plan;
      const operands = { x: normal("x", plan.x), w: normal("w", plan.w), y: normal("y", y) };
      const task: ConvTask = { kind: "conv", role, ...operands, stride, padding };
      const given = givenOf(task).map((array) => device.tensor(array));
      const make = (): Program => compile(device, functionOf(task), given);
      return {
        source: "seeded normal numbers",
        truth: { data: () => convTruth(task), source: "double precision" },
        tolerance: 1e-4,
        // Taps that fall on padding count too: every kernel may skip them or not.
        flops: 2 * numel(y) * channels * kernel * kernel,
        task,
        own: [programContestant({ make, resident: given })],
        dispose: () => given.forEach((tensor) => tensor.dispose()),
      };
    },
  };
}

function givenOf({ role, x, w, y }: ConvTask): [HostArray, HostArray] {
  if (role === "forward") return [x, w];
  return role === "input-gradient" ? [y, w] : [x, y];
}

function functionOf({ role, x, w, stride, padding }: ConvTask): (a: Value, b: Value) => Value {
  const options = { stride, padding };
  const plane = ({ shape }: HostArray): readonly [number, number] => [shape[2]!, shape[3]!];
  if (role === "forward") return (a, b) => conv2d(a, b, options);
  if (role === "input-gradient") return (a, b) => convInputGrad(a, b, { ...options, input: plane(x) });
  return (a, b) => convWeightGrad(a, b, { ...options, kernel: plane(w) });
}
