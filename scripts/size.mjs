// Bundles the example pages of test/size as a user's bundler would, and compares their gzip sizes with the budget.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { wgslForEsbuild } from "./wgsl.mjs";

const folder = fileURLToPath(new URL("../test/size/", import.meta.url));
/** Name of a page -> the most bytes it may take, minified and compressed. */
const budget = JSON.parse(readFileSync(join(folder, "budget.json"), "utf8"));

console.log("page                            minified      gzip    budget");
for (const [page, limit] of Object.entries(budget)) {
  const { outputFiles } = await build({
    entryPoints: [join(folder, `${page}.ts`)],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    plugins: [wgslForEsbuild],
  });
  const code = outputFiles[0].contents;
  const gzip = gzipSync(code, { level: 9 }).length;
  const sizes = [code.length, gzip, limit].map((bytes) => String(bytes).padStart(10)).join("");
  console.log(page.padEnd(30) + sizes + (gzip > limit ? "  OVER BUDGET" : ""));
  if (gzip > limit) process.exitCode = 1;
}
