// The files of workloads, from the disk and from the cache of npm packages.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readNpmFile } from "../src/cli/fetch.ts";
import { parseCase } from "./golden.ts";
import type { Files } from "./workload.ts";

/** @param nets folder of golden cases, if there is one */
export function nodeFiles(nets: string | undefined): Files {
  return {
    async golden(name) {
      const paths = goldenPaths(nets, name);
      if (!paths) return undefined;
      return parseCase(name, await readFile(paths.json, "utf8"), await readFile(paths.tensors));
    },
    npm: readNpmFile,
  };
}

/** The two files of a case; undefined if it is not in the folder. */
export function goldenPaths(nets: string | undefined, name: string): { json: string; tensors: string } | undefined {
  if (nets === undefined || !/^[\w.-]+$/.test(name) || name.startsWith(".")) return undefined;
  const json = join(nets, name, "case.json");
  return existsSync(json) ? { json, tensors: join(nets, name, "tensors.safetensors") } : undefined;
}
