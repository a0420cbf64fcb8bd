// The GPU of the tests. There is no skipping: without an adapter, the first test that asks for one fails and says what to
// install.
import { expect } from "vitest";
import { create } from "webgpu";
import { openDevice, type Device } from "../src/tensor/index.ts";

let opened: Promise<Device> | undefined;

/** The device that all tests of a run share, and with it the pipelines compiled so far. */
export function testDevice(): Promise<Device> {
  opened ??= openAndReport();
  return opened;
}

/**
 * Runs a GPU test: WebGPU must not complain, and all the memory taken must be given back.
 * @example test("adds", () => withCleanDevice(async (device) => { ... }));
 */
export async function withCleanDevice(work: (device: Device) => Promise<void> | void): Promise<void> {
  const device = await testDevice();
  const before = device.memory.live;
  await device.withErrorScope("the test", () => work(device));
  expect(device.memory.live, "bytes still handed out after the test; dispose of every tensor and program").toBe(before);
}

/**
 * A device on Dawn's null backend with WebGPU's default limits: it compiles WGSL and checks every call, within
 * milliseconds and on any machine, but computes nothing.
 */
export async function openValidationDevice(): Promise<Device> {
  const gpu = create(["backend=null"]);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error("Dawn has no null backend on this machine: reinstall the npm package webgpu");
  const device = await adapter.requestDevice({
    requiredFeatures: (["subgroups"] as const).filter((name) => adapter.features.has(name)),
  });
  validation.set(device, gpu);
  return await openDevice({ device });
}

/** Dawn ends a device whose GPU object is collected. */
const validation = new WeakMap<GPUDevice, GPU>();

async function openAndReport(): Promise<Device> {
  const device = await openDevice();
  const { vendor, architecture, description, software, runtime } = device.info;
  console.log(`GPU: ${vendor} ${architecture} (${description})${software ? ", software" : ""}, ${runtime}`);
  // A living device keeps the process from ending.
  process.once("exit", () => device.destroy());
  return device;
}

/** Lets the device pass for one of hardware, or of software, whose subgroups have as many invocations as said. */
export async function passingFor(
  software: boolean,
  device: Device,
  work: () => Promise<void>,
  subgroupSize = device.info.subgroupSize,
): Promise<void> {
  const { info } = device;
  Object.assign(device, { info: { ...info, software, subgroupSize } });
  try {
    await work();
  } finally {
    Object.assign(device, { info });
  }
}
