// `import text from "./wgsl/matmul.wgsl"` for every tool that reads the sources: esbuild (build, size, run) and vitest.
// All of them get the same text, so that what is tested is what ships.
import { readFile } from "node:fs/promises";

/**
 * Comments, indentation and blank lines removed; one statement stays on one line, so that `const TM = 4u;` can still be
 * replaced by the specialiser and a compilation message still points at a readable line.
 */
export function compactWgsl(source) {
  return source
    .replace(/\/\*[\s\S]*?\*\//g, " ")
    .replace(/\/\/.*$/gm, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");
}

/** Plugin for esbuild. */
export const wgslForEsbuild = {
  name: "wgsl",
  setup(build) {
    build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => ({
      contents: compactWgsl(await readFile(path, "utf8")),
      loader: "text",
    }));
  },
};

/** Plugin for Vite, hence vitest. */
export const wgslForVite = {
  name: "wgsl",
  enforce: "pre",
  async load(id) {
    if (!id.endsWith(".wgsl")) return null;
    return `export default ${JSON.stringify(compactWgsl(await readFile(id, "utf8")))};`;
  },
};
