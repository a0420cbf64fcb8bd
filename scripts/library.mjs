// The JavaScript of the package: one file per entry of package.json plus the code they share.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { wgslForEsbuild } from "./wgsl.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const { exports, bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
// dist/types/nn/index.d.ts, the declarations of an entry, tell where its source is.
const entries = Object.values(exports).map(({ types, default: out }) => ({
  in: join(root, types.replace("./dist/types/", "src/").replace(/\.d\.ts$/, ".ts")),
  out: out.replace("./dist/", "").replace(/\.js$/, ""),
}));

/** What the library and the command are built with. */
export const settings = {
  bundle: true,
  format: "esm",
  target: "es2022",
  sourcemap: true,
  logLevel: "warning",
  plugins: [wgslForEsbuild],
  // Optional peers stay outside.
  external: ["webgpu", "protobufjs", "protobufjs/*"],
};

/** Builds the library into a folder. */
export async function buildLibrary(outdir) {
  await build({ ...settings, entryPoints: entries, outdir, splitting: true, chunkNames: "shared-[hash]" });
}

/** Bundles that import the sources of entries get the built files of `folder` instead: what a user of the package gets. */
export const libraryIn = (folder) => ({
  name: "library",
  setup(build) {
    build.onResolve({ filter: /\.ts$/ }, ({ path, resolveDir }) => {
      const entry = entries.find((entry) => entry.in === join(resolveDir, path));
      return entry && { path: join(folder, `${entry.out}.js`), sideEffects: false };
    });
    build.onResolve({ filter: /^\.\/shared-/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path),
      sideEffects: false,
    }));
  },
});
