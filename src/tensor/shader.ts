import { ShaderError } from "./errors.ts";

/**
 * Compiles one compute shader with entry point `main` and an automatic layout, off the main thread where the browser can.
 * @throws ShaderError with the compiler's messages and the lines they point at
 */
export async function compilePipeline(gpu: GPUDevice, wgsl: string, label: string): Promise<GPUComputePipeline> {
  // A module that does not compile raises a validation error besides failing the pipeline; the scope keeps it from being
  // reported a second time.
  gpu.pushErrorScope("validation");
  const module = gpu.createShaderModule({ code: wgsl, label });
  const refused = gpu.popErrorScope();
  try {
    return await gpu.createComputePipelineAsync({ label, layout: "auto", compute: { module, entryPoint: "main" } });
  } catch (cause) {
    await refused.catch(() => null);
    throw new ShaderError(await describe(module, wgsl, label, cause), { cause });
  }
}

async function describe(module: GPUShaderModule, wgsl: string, label: string, cause: unknown): Promise<string> {
  const info = await module.getCompilationInfo().catch(() => ({ messages: [] }));
  const errors = info.messages.filter(({ type }) => type === "error");
  const lines = wgsl.split("\n");
  const details = errors.map(({ lineNum, linePos, message }) => {
    const at = `\n  line ${lineNum}:${linePos}: ${message}`;
    const line = lines[lineNum - 1];
    return line === undefined ? at : `${at}\n    ${line}\n    ${" ".repeat(Math.max(0, linePos - 1))}^`;
  });
  // The compiler may accept what the adapter refuses, such as too much workgroup memory: then only the cause knows.
  const reason = details.length > 0 ? details.join("") : ` ${cause instanceof Error ? cause.message : String(cause)}`;
  return `kernel "${label}" does not compile:${reason}`;
}
