// The example of README.md is run as it stands.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { expect, test, vi } from "vitest";
import { wgslForEsbuild } from "../scripts/wgsl.mjs";

test("the ten lines of the README", async () => {
  const root = resolve(import.meta.dirname, "..");
  const [, code = ""] = /```ts\n(.*?)```/s.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
  // Inside the package, so that the npm packages that it imports are found.
  const folder = mkdtempSync(join(root, "node_modules/.readme-"));
  const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
  try {
    const outfile = join(folder, "example.mjs");
    await build({
      stdin: { contents: code, loader: "ts", resolveDir: root },
      alias: { aumann: "./src/index.ts", "aumann/attribution": "./src/attribution/index.ts" },
      bundle: true,
      format: "esm",
      platform: "node",
      packages: "external",
      plugins: [wgslForEsbuild],
      outfile,
    });
    await import(/* @vite-ignore */ pathToFileURL(outfile).href);
    const [attributions, , delta, , dispatches] = printed.mock.calls[0] as [
      Float32Array,
      string,
      Float32Array,
      string,
      number,
    ];
    // relu(x w1) = [0.75, 0, 2] at the input, and 0 at the baseline: class 1 has 0 * 0.75 + 1 * 2.
    expect(attributions[0]! + attributions[1]! - delta[0]!).toBeCloseTo(2, 5);
    expect(Math.abs(delta[0]!)).toBeLessThan(1e-5);
    expect(dispatches).toBeGreaterThan(0);
  } finally {
    printed.mockRestore();
    rmSync(folder, { recursive: true });
  }
});
