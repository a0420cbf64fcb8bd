// node scripts/run.mjs ENTRY ARGS...: runs a TypeScript file. esbuild bundles it into a cache folder inside node_modules (so
// that npm packages, which stay outside the bundle, still resolve) and the bundle is imported into this very process.
import { mkdirSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { wgslForEsbuild } from "./wgsl.mjs";

const [entry, ...args] = process.argv.slice(2);
if (entry === undefined) {
  console.error("usage: node scripts/run.mjs ENTRY.ts [ARGS...]");
  process.exit(2);
}
/** Scripts find files beside themselves, so they are imported from where they are. */
const scriptsInPlace = {
  name: "scripts",
  setup(build) {
    build.onResolve({ filter: /\/scripts\/\w+\.mjs$/ }, ({ path, resolveDir }) => ({
      path: pathToFileURL(resolve(resolveDir, path)).href,
      external: true,
    }));
  },
};
const root = fileURLToPath(new URL("..", import.meta.url));
const cache = join(root, "node_modules/.cache/aumann");
mkdirSync(cache, { recursive: true });
// The process id keeps two runs of one entry from overwriting each other's bundle.
const outfile = join(cache, `${basename(entry, ".ts")}-${process.pid}.mjs`);
await build({
  entryPoints: [resolve(root, entry)],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  packages: "external",
  sourcemap: "inline",
  logLevel: "warning",
  plugins: [scriptsInPlace, wgslForEsbuild],
});
process.setSourceMapsEnabled(true);
process.argv = [process.argv[0], resolve(root, entry), ...args];
process.on("exit", () => rmSync(outfile, { force: true }));
await import(pathToFileURL(outfile).href);
