// The pages of test/size, bundled as a user's bundler would: with the built package, minified, and split where code is
// loaded on demand.
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { libraryIn } from "./library.mjs";

const folder = fileURLToPath(new URL("../test/size/", import.meta.url));
/** Files that are no page. */
const others = ["explanations", "measure"];
export const pages = readdirSync(folder).flatMap((file) => {
  const name = basename(file, ".ts");
  return /^[\w-]+\.ts$/.test(file) && !others.includes(name) ? [name] : [];
});

/**
 * Bundles a page.
 * @param library folder with the built library
 * @returns code that the page starts with, code that it may load later, and the compressed sizes of both
 */
export async function bundlePage(page, library) {
  const { metafile, outputFiles } = await build({
    entryPoints: [join(folder, `${page}.ts`)],
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    outdir: folder,
    logLevel: "error",
    plugins: [libraryIn(library)],
  });
  const outputs = Object.entries(metafile.outputs);
  const textOf = (name) => outputFiles.find(({ path }) => path.endsWith(`/${basename(name)}`)).text;
  const atStart = new Set();
  const load = (name) => {
    if (atStart.has(name)) return;
    atStart.add(name);
    for (const { path, kind } of metafile.outputs[name].imports) if (kind === "import-statement") load(path);
  };
  load(outputs.find(([, { entryPoint }]) => entryPoint?.endsWith(`/${page}.ts`))[0]);
  const [start, later] = [true, false].map((first) =>
    outputs.flatMap(([name]) => (atStart.has(name) === first ? [textOf(name)] : [])),
  );
  return { start: start.join("\n"), later: later.join("\n"), gzip: total(start), gzipLater: total(later) };
}

const total = (texts) => texts.reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0);
