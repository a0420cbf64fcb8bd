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
  /** Invocations of a subgroup; 0 where that is not known or not always the same. */
  readonly subgroupSize: number;
  readonly runtime: Runtime;
}

/** The few things looked up on the global object, all of them absent somewhere. */
interface Globals {
  navigator?: { gpu?: GPU };
  document?: unknown;
  WorkerGlobalScope?: unknown;
  process?: { versions?: { node?: string } };
  Deno?: unknown;
  Bun?: unknown;
}
const globals = globalThis as unknown as Globals;

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
  const { subgroupMinSize = 0, subgroupMaxSize } = info;
  const subgroupSize = subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0;
  return { vendor, architecture, device, description, software, subgroupSize, runtime: detectRuntime() };
}

/**
 * An adapter: from the given `gpu`, else from `navigator.gpu`, else (Node) from the npm package `webgpu`.
 * @throws NoAdapterError with one sentence that says what to install
 */
export async function findAdapter(
  gpu: GPU | undefined,
  options: GPURequestAdapterOptions,
): Promise<{ gpu: GPU; adapter: GPUAdapter }> {
  // Loaded on demand, so that pages do not carry it.
  const node = detectRuntime() === "node" ? await import("./node-adapter.ts") : undefined;
  let own = gpu ?? globals.navigator?.gpu;
  let adapter = await own?.requestAdapter(options);
  if (!own && node) {
    ({ gpu: own, adapter } = await node.findNodeAdapter(options).catch((cause: unknown) => {
      throw new NoAdapterError(node.WITHOUT_PACKAGE, { cause });
    }));
  }
  if (own && adapter) return { gpu: own, adapter };
  if (node) throw new NoAdapterError(node.WITHOUT_ADAPTER);
  throw new NoAdapterError(
    own
      ? "No WebGPU adapter was found: enable hardware acceleration in the browser's settings or, on a machine without " +
          "a GPU, start Chromium with --enable-unsafe-webgpu."
      : "This environment has no navigator.gpu: open the page over https or on localhost, in Chrome or Edge 113, " +
          "Safari 26, Firefox 141, or anything newer.",
  );
}
