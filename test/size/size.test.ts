// What a bundler keeps of the package: only what a page uses. `npm run size` compares the sizes themselves.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { wgslForEsbuild } from "../../scripts/wgsl.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));
const budget = JSON.parse(readFileSync(`${folder}budget.json`, "utf8")) as Record<string, number>;

/** Sources that a page's bundle holds something of, and the bundle. */
async function bundle(page: string): Promise<{ files: string[]; text: string }> {
  const { metafile, outputFiles } = await build({
    entryPoints: [`${folder}${page}.ts`],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    logLevel: "silent",
    plugins: [wgslForEsbuild],
  });
  const [output] = Object.values(metafile.outputs);
  const kept = Object.entries(output!.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return { files: kept.map(([file]) => file), text: outputFiles[0]!.text };
}

describe("bundles", () => {
  test("of a dense network hold no convolution and no pooling", async () => {
    const { files, text } = await bundle("mlp");
    expect(files.filter((file) => /kernels.*(conv|pool|window)/.test(file))).toEqual([]);
    expect(text).not.toMatch(/conv2d|maxPool/);
    expect(files.some((file) => file.endsWith("matmul.wgsl"))).toBe(true);
  });

  test("of a convolutional network hold its kernels", async () => {
    const { files } = await bundle("cnn");
    expect(files.some((file) => /wgsl\/conv_/.test(file))).toBe(true);
  });

  for (const page of Object.keys(budget)) {
    test(`of page "${page}" hold no reader, drawing, training or reference code`, async () => {
      const { files } = await bundle(page);
      expect(
        files.filter((file) => /node_modules|src\/(cli|view|reference|nn\/(import|train|optimise))|battery/.test(file)),
      ).toEqual([]);
    });
  }
});
