import { describe, expect, test } from "vitest";
import { DeviceLostError, NoAdapterError, openDevice, ShaderError } from "../../src/tensor/index.ts";
import { openValidationDevice, testDevice, withCleanDevice } from "../gpu.ts";

const kernel = (body: string) => `@compute @workgroup_size(1)\nfn main() {\n  ${body}\n}`;

describe("device", () => {
  test("reports what it runs on", async () => {
    const { info, limits, features } = await testDevice();
    expect(info.runtime).toBe("node");
    expect(info.description + info.architecture).not.toBe("");
    expect(limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
    expect(typeof features.timestampQuery).toBe("boolean");
  });

  test("without an adapter, one sentence says what to install", async () => {
    const gpu = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    const failure: unknown = await openDevice({ gpu }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NoAdapterError);
    expect((failure as Error).name).toBe("NoAdapterError");
    expect((failure as Error).message).toMatch(/^No WebGPU adapter was found: install [^\n]*\.$/);
  });

  test("after destroy(), every use throws DeviceLostError", async () => {
    const device = await openValidationDevice();
    const tensor = device.tensor([1]);
    device.destroy();
    device.destroy();
    expect(device.lost).toBe(true);
    expect(() => device.tensor([1])).toThrow(DeviceLostError);
    expect(() => device.allocate(16)).toThrow(DeviceLostError);
    expect(() => device.pipeline(kernel(""), "late")).toThrow(DeviceLostError);
    await expect(tensor.read()).rejects.toThrow(DeviceLostError);
    tensor.dispose();
  });

  test("a device lost while a read waits rejects that read", async () => {
    const { adapter, gpu } = await realAdapter();
    const device = await openDevice({ gpu, adapter });
    const reading = device.tensor([1, 2, 3]).read();
    device.destroy();
    await expect(reading).rejects.toThrow(DeviceLostError);
  });

  test("a device that ends by itself says why", async () => {
    const device = await openValidationDevice();
    device.gpu.destroy();
    await device.gpu.lost;
    expect(() => device.assertAlive()).toThrow(DeviceLostError);
  });
});

describe("pipelines", () => {
  test("are compiled once per text", () =>
    withCleanDevice(async (device) => {
      const before = device.counters.pipelines;
      const text = kernel("let once = 1;");
      expect(await device.pipeline(text, "a")).toBe(await device.pipeline(text, "b"));
      expect(device.counters.pipelines - before).toBe(1);
    }));

  test("that do not compile name the kernel, the line and the mistake", () =>
    withCleanDevice(async (device) => {
      const failure: unknown = await device.pipeline(kernel("let x = y + 1;"), "bad").catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(ShaderError);
      const { message } = failure as Error;
      expect(message).toContain('kernel "bad" does not compile:\n  line 3:11:');
      expect(message).toContain("\n      let x = y + 1;\n              ^");
    }));

  test("that exceed a limit say so", async () => {
    const device = await openValidationDevice();
    const text = `var<workgroup> big: array<vec4f, 4096>;\n${kernel("big[0] = vec4f();")}`;
    await expect(device.pipeline(text, "big")).rejects.toThrow(/kernel "big" does not compile: .*workgroup/);
    device.destroy();
  });
});

describe("errors of WebGPU", () => {
  test("inside an error scope are typed", () =>
    withCleanDevice(async (device) => {
      const wrong = () => void device.gpu.createBuffer({ size: 16, usage: 0 });
      await expect(device.withErrorScope("making a buffer", wrong)).rejects.toThrow(ShaderError);
      await expect(device.withErrorScope("making a buffer", wrong)).rejects.toThrow(/^making a buffer was refused/);
      expect(await device.withErrorScope("nothing", () => 5)).toBe(5);
    }));

  test("outside of any scope fail the next read", async () => {
    const device = await openValidationDevice();
    device.gpu.createBuffer({ size: 16, usage: 0 });
    const tensor = device.tensor([1]);
    await expect(tensor.read()).rejects.toThrow(ShaderError);
    await expect(tensor.read()).resolves.toMatchObject({ shape: [1] });
    device.destroy();
  });
});

async function realAdapter(): Promise<{ gpu: GPU; adapter: GPUAdapter }> {
  // By now `testDevice` has told the Vulkan loader where its driver is.
  await testDevice();
  const { create } = await import("webgpu");
  const gpu = create([]);
  return { gpu, adapter: (await gpu.requestAdapter()) as GPUAdapter };
}
