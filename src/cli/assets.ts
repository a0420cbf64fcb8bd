// Files that come with the package.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { AumannError } from "../tensor/errors.ts";

/** Path of a file in the folder assets of the package, from wherever this code was bundled to. */
export function assetPath(name: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isPackageRoot(folder)) {
    const parent = dirname(folder);
    if (parent === folder) throw new AumannError(`assets/${name} is missing; install the package again`);
    folder = parent;
  }
  return join(folder, "assets", name);
}

function isPackageRoot(folder: string): boolean {
  const file = join(folder, "package.json");
  return existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { name?: string }).name === "aumann";
}
