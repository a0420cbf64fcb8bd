// What would otherwise surface as a validation error of WebGPU when a program first runs.
import { constantPrimitive } from "../graph/leaves.ts";
import { is, type Node } from "../graph/node.ts";
import { reachable } from "../graph/trace.ts";
import type { Device, DeviceLimits } from "../tensor/device.ts";
import { ArgumentError, LimitError } from "../tensor/errors.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Step } from "./step.ts";
import { isUniforms } from "./uniforms.ts";

/** @throws LimitError when a dispatch binds more storage buffers than the device allows */
export function checkStorageBuffers(steps: readonly Step[], limits: DeviceLimits): void {
  const limit = limits.maxStorageBuffersPerShaderStage;
  for (const { label, bindings } of steps) {
    const count = bindings.filter(({ source }) => !isUniforms(source)).length;
    if (count <= limit) continue;
    throw new LimitError(
      `dispatch "${label}" binds ${count} storage buffers, and this adapter allows ${limit}; use fewer operands`,
    );
  }
}

/** @throws ArgumentError when a graph captures a tensor of another device */
export function checkConstants(outputs: readonly Node[], device: Device): void {
  for (const node of reachable(outputs)) {
    if (!is(node, constantPrimitive) || node.attrs.tensor.device === device) continue;
    throw new ArgumentError(
      `program: a captured tensor ${formatShape(node.shape)} is on another device than the program`,
    );
  }
}
