// WebGPU in Node: the npm package `webgpu`, and a software driver where there is no other. Loaded on demand; it imports
// nothing, so that bundlers which make one file of everything can still drop what a page does not use.

/** What to do without the package. */
export const WITHOUT_PACKAGE = 'Node has no WebGPU of its own: install it with "npm install webgpu".';
/** What to do without a driver. */
export const WITHOUT_ADAPTER =
  "No WebGPU adapter was found: install the Vulkan driver of your GPU or, to compute on the CPU, " +
  '"apt-get install chromium libvulkan1", whose SwiftShader is then found by itself.';

/** SwiftShader, the software Vulkan driver that Chromium ships, where Linux distributions put it. */
const SWIFTSHADER = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/usr/lib64/chromium-browser",
  "/opt/google/chrome",
];

/**
 * An adapter of the package `webgpu`, null if no driver has one.
 * @throws whatever the import throws, if the package is not installed
 */
export async function findNodeAdapter(
  options: GPURequestAdapterOptions,
): Promise<{ gpu: GPU; adapter: GPUAdapter | null }> {
  const dawn = await importPackage<typeof import("webgpu")>("webgpu");
  const gpu = dawn.create([]);
  const adapter = await gpu.requestAdapter(options);
  if (adapter !== null || !(await useSwiftShader())) return { gpu, adapter };
  // The Vulkan loader reads its environment when an instance is made, so a second instance sees the driver just named.
  const second = dawn.create([]);
  return { gpu: second, adapter: await second.requestAdapter(options) };
}

/** Names SwiftShader to the Vulkan loader, unless the user has chosen drivers; false when that cannot help. */
async function useSwiftShader(): Promise<boolean> {
  const { env } = (globalThis as unknown as { process: { env: Record<string, string | undefined> } }).process;
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
