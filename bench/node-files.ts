// The files of workloads, from the disk and from the cache of npm packages.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { assetPath } from "../src/cli/assets.ts";
import { readNpmFile } from "../src/cli/fetch.ts";
import { parseCase } from "./golden.ts";
import type { Files } from "./workload.ts";

/** Folders of files that no package carries, where they are there. */
export interface Folders {
  /** Of golden cases. */
  readonly nets: string | undefined;
  /** Of models and truths. */
  readonly shared: string | undefined;
}

export function nodeFiles({ nets, shared }: Folders): Files {
  return {
    async golden(name) {
      const paths = goldenPaths(nets, name);
      if (!paths) return undefined;
      return parseCase(name, await readFile(paths.json, "utf8"), await readFile(paths.tensors));
    },
    npm: readNpmFile,
    asset: async (name) => new Uint8Array(await readFile(assetPath(name))),
    async shared(path) {
      const file = pathInside(shared, path);
      return file === undefined ? undefined : new Uint8Array(await readFile(file));
    },
  };
}

/** A file of a folder; undefined if it is not there, or not inside. */
export function pathInside(folder: string | undefined, path: string): string | undefined {
  if (folder === undefined || !/^[\w/.-]+$/.test(path) || path.split("/").some((part) => /^\.*$/.test(part))) {
    return undefined;
  }
  const file = join(folder, path);
  return existsSync(file) ? file : undefined;
}

/** The two files of a case; undefined if it is not in the folder. */
export function goldenPaths(nets: string | undefined, name: string): { json: string; tensors: string } | undefined {
  const json = pathInside(nets, `${name}/case.json`);
  return json === undefined ? undefined : { json, tensors: join(dirname(json), "tensors.safetensors") };
}
