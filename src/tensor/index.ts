export type { AdapterInfo, Runtime } from "./adapter.ts";
export { Device, openDevice, type DeviceFeatures, type DeviceLimits, type DeviceOptions } from "./device.ts";
export { BYTES_PER_ELEMENT, type DType } from "./dtype.ts";
export * from "./errors.ts";
export { elementsOf, hostArray, type HostArray } from "./host.ts";
export { BufferUsage, formatBytes, type Allocation } from "./pool.ts";
export * from "./shape.ts";
export { Tensor } from "./tensor.ts";
