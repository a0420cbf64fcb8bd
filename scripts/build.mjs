// dist: one file per entry of package.json plus the code they share, and the declarations of every source file.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { wgslForEsbuild } from "./wgsl.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const { exports, bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

rmSync(dist, { recursive: true, force: true });
const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  sourcemap: true,
  logLevel: "warning",
  plugins: [wgslForEsbuild],
  // Optional peers stay outside.
  external: ["webgpu", "protobufjs", "protobufjs/*"],
};
// dist/types/nn/index.d.ts, the declarations of an entry, tell where its source is.
const entries = Object.values(exports).map(({ types, default: out }) => ({
  in: join(root, types.replace("./dist/types/", "src/").replace(/\.d\.ts$/, ".ts")),
  out: out.replace("./dist/", "").replace(/\.js$/, ""),
}));
await build({ ...common, entryPoints: entries, outdir: dist, splitting: true, chunkNames: "shared-[hash]" });
await build({
  ...common,
  entryPoints: [join(root, "src/cli/main.ts")],
  outfile: join(root, bin.aumann),
  platform: "node",
  // The picture decoders are part of the command, so that installing the package is enough.
  banner: { js: "#!/usr/bin/env node" },
});
execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
