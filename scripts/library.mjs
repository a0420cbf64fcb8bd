// The JavaScript of the package: one file per source file, so that a page gets what it imports and no more, and loads later
// what it may need later.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { compactWgsl, wgslForEsbuild } from "./wgsl.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const { exports, bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const source = join(root, "src");
const entries = Object.values(exports).map(({ default: out }) => {
  const path = out.replace("./dist/", "");
  return { in: join(source, path.replace(/\.js$/, ".ts")), out: path };
});

/** What the library and the command are built with. */
export const settings = {
  format: "esm",
  target: "es2022",
  sourcemap: true,
  logLevel: "warning",
  plugins: [wgslForEsbuild],
};

/** Builds the library into a folder. */
export async function buildLibrary(outdir) {
  // A bundle of everything tells which files belong to it; each is then translated by itself.
  const { metafile } = await build({
    ...settings,
    entryPoints: entries.map((entry) => entry.in),
    bundle: true,
    splitting: true,
    outdir,
    absWorkingDir: root,
    packages: "external",
    metafile: true,
    write: false,
  });
  const files = Object.keys(metafile.inputs).map((path) => join(root, path));
  const { outputFiles } = await build({
    ...settings,
    entryPoints: files.filter((path) => path.endsWith(".ts")),
    outbase: source,
    outdir,
    write: false,
  });
  const write = (path, text) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  for (const { path, text } of outputFiles) write(path, path.endsWith(".js") ? withBuiltNames(text) : text);
  for (const path of files.filter((path) => path.endsWith(".wgsl"))) {
    const text = compactWgsl(readFileSync(path, "utf8"));
    write(join(outdir, `${relative(source, path)}.js`), `export default ${JSON.stringify(text)};\n`);
  }
}

/** Imports of sources as imports of what is built from them. */
const withBuiltNames = (text) =>
  text.replace(
    /^((?:import|export)\b[^;"]*"|.*\bimport\(")(\.[^"]*?)(\.ts|\.wgsl)"/gm,
    (_, before, path, kind) => `${before}${path}${kind === ".ts" ? ".js" : ".wgsl.js"}"`,
  );

/** Bundles that import the sources of entries get the built files of `folder` instead: what a user of the package gets. */
export const libraryIn = (folder) => ({
  name: "library",
  setup(build) {
    const pure = (path) => ({ path, sideEffects: false });
    build.onResolve({ filter: /\.ts$/ }, ({ path, resolveDir }) => {
      const entry = entries.find((entry) => entry.in === join(resolveDir, path));
      return entry && pure(join(folder, entry.out));
    });
    build.onResolve({ filter: /^\..*\.js$/ }, ({ path, resolveDir }) => pure(join(resolveDir, path)));
    // Optional peers are the page's to install.
    build.onResolve({ filter: /^[^./]/ }, ({ path }) => ({ path, external: true }));
  },
});
