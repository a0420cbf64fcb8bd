// What would otherwise surface as a validation error of WebGPU when a program first runs.
import type { Device, DeviceLimits } from "../tensor/device.ts";
import { ArgumentError, LimitError } from "../tensor/errors.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
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

/** @throws ArgumentError when a captured tensor is on another device */
export function checkDevices(captured: readonly Tensor[], device: Device): void {
  const foreign = captured.find((tensor) => tensor.device !== device);
  if (!foreign) return;
  throw new ArgumentError(
    `program: a captured tensor ${formatShape(foreign.shape)} is on another device than the program`,
  );
}
