// dist: every source file of the library and its declarations, and the command in one file.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { bin, buildLibrary, root, settings } from "./library.mjs";

const dist = join(root, "dist");
rmSync(dist, { recursive: true, force: true });
await buildLibrary(dist);
await build({
  ...settings,
  bundle: true,
  external: ["webgpu", "protobufjs", "protobufjs/*"],
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
