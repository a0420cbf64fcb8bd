import { NoAdapterError } from "./errors.ts";

/** Where the program runs. */
export type Runtime = "browser" | "worker" | "node" | "deno" | "bun" | "other";

/** What an adapter says about itself, and where it was found. */
export interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** True when shaders run on the CPU (SwiftShader, lavapipe, WARP): correct, and slow. */
  readonly software: boolean;
  readonly runtime: Runtime;
}

/** The few things looked up on the global object, all of them absent somewhere. */
interface Globals {
  navigator?: { gpu?: GPU };
  document?: unknown;
  WorkerGlobalScope?: unknown;
  process?: { versions?: { node?: string }; env: Record<string, string | undefined> };
  Deno?: unknown;
  Bun?: unknown;
}
const globals = globalThis as unknown as Globals;

/** SwiftShader, the software Vulkan driver that Chromium ships, where Linux distributions put it. */
const SWIFTSHADER = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/usr/lib64/chromium-browser",
  "/opt/google/chrome",
];

/** The environment, by the globals that only it has. */
function detectRuntime(): Runtime {
  if (globals.Deno !== undefined) return "deno";
  if (globals.Bun !== undefined) return "bun";
  // Electron has both a document and process.versions.node, and its WebGPU is the browser's.
  if (globals.document !== undefined) return "browser";
  if (globals.process?.versions?.node !== undefined) return "node";
  return globals.WorkerGlobalScope !== undefined ? "worker" : "other";
}

/** The facts of an adapter that choose kernels and appear in reports. */
export function describeAdapter(info: GPUAdapterInfo): AdapterInfo {
  const { vendor, architecture, device, description } = info;
  const text = `${vendor} ${architecture} ${device} ${description}`;
  const software = info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|basic render/i.test(text);
  return { vendor, architecture, device, description, software, runtime: detectRuntime() };
}

/**
 * An adapter: from the given `gpu`, else from `navigator.gpu`, else (Node) from the npm package `webgpu`.
 * @throws NoAdapterError with one sentence that says what to install
 */
export async function findAdapter(
  gpu: GPU | undefined,
  options: GPURequestAdapterOptions,
): Promise<{ gpu: GPU; adapter: GPUAdapter }> {
  const own = gpu ?? globals.navigator?.gpu;
  if (own !== undefined) {
    const adapter = await own.requestAdapter(options);
    if (adapter !== null) return { gpu: own, adapter };
    throw new NoAdapterError(adviceWithoutAdapter());
  }
  if (detectRuntime() !== "node") throw new NoAdapterError(adviceWithoutWebGpu());
  return await findNodeAdapter(options);
}

async function findNodeAdapter(options: GPURequestAdapterOptions): Promise<{ gpu: GPU; adapter: GPUAdapter }> {
  const dawn = await importPackage<typeof import("webgpu")>("webgpu").catch((cause: unknown) => {
    throw new NoAdapterError('Node has no WebGPU of its own: install it with "npm install webgpu".', { cause });
  });
  const gpu = dawn.create([]);
  const adapter = await gpu.requestAdapter(options);
  if (adapter !== null) return { gpu, adapter };
  if (!(await useSwiftShader())) throw new NoAdapterError(adviceWithoutAdapter());
  // The Vulkan loader reads its environment when an instance is made, so a second instance sees the driver just named.
  const second = dawn.create([]);
  const fallback = await second.requestAdapter(options);
  if (fallback === null) throw new NoAdapterError(adviceWithoutAdapter());
  return { gpu: second, adapter: fallback };
}

/** Names SwiftShader to the Vulkan loader, unless the user has chosen drivers; false when that cannot help. */
async function useSwiftShader(): Promise<boolean> {
  const env = globals.process?.env ?? {};
  if (env["VK_DRIVER_FILES"] !== undefined || env["VK_ICD_FILENAMES"] !== undefined) return false;
  const { existsSync } = await importPackage<typeof import("node:fs")>("node:fs");
  const icd = SWIFTSHADER.map((folder) => `${folder}/vk_swiftshader_icd.json`).find((file) => existsSync(file));
  if (icd === undefined) return false;
  env["VK_DRIVER_FILES"] = icd;
  // Loaders before 1.3.207 know the older name only.
  env["VK_ICD_FILENAMES"] = icd;
  return true;
}

/** A dynamic import that bundlers for the web leave alone: the specifier reaches it as a value. */
async function importPackage<T>(specifier: string): Promise<T> {
  return (await import(/* @vite-ignore */ /* webpackIgnore: true */ specifier)) as T;
}

function adviceWithoutAdapter(): string {
  return detectRuntime() === "node"
    ? "No WebGPU adapter was found: install the Vulkan driver of your GPU or, to compute on the CPU, " +
        '"apt-get install chromium libvulkan1", whose SwiftShader is then found by itself.'
    : "No WebGPU adapter was found: enable hardware acceleration in the browser's settings or, on a machine without " +
        "a GPU, start Chromium with --enable-unsafe-webgpu.";
}

function adviceWithoutWebGpu(): string {
  return (
    "This environment has no navigator.gpu: open the page over https or on localhost, in Chrome or Edge 113, " +
    "Safari 26, Firefox 141, or anything newer."
  );
}
