// Models and test vectors that the tests read but the repository does not hold.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { cacheFolder } from "../../src/cli/fetch.ts";

/** The folder of shared materials beside the repository, or what $AUMANN_SHARED names. */
const shared = process.env["AUMANN_SHARED"] ?? resolve(import.meta.dirname, "../../../shared");

/** Path of a shared file or folder; undefined where it is absent, which is said aloud. Under CI=true absence is an error. */
export function sharedPath(path: string): string | undefined {
  const file = join(shared, path);
  return existsSync(file) ? file : absent(`${path} of the shared materials`);
}

/** A file of a Debian package, downloaded and unpacked without being installed; absence as in {@link sharedPath}. */
export function debianFile(name: string, path: string): string | undefined {
  const folder = join(cacheFolder(), `debian-${name}`);
  const file = join(folder, path);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync("apt-get", ["download", name], { cwd: folder, stdio: "pipe" });
    execFileSync("sh", ["-c", `dpkg-deb -x ${name}_*.deb . && rm ${name}_*.deb`], { cwd: folder, stdio: "pipe" });
    return file;
  } catch (error) {
    return absent(`the Debian package ${name} (${String(error)})`);
  }
}

function absent(what: string): undefined {
  if (process.env["CI"] === "true") throw new Error(`absent: ${what}; in CI it must be there`);
  console.warn(`absent: ${what}; its test is left out`);
}

/** Files of a folder by name, for loaders that ask for them. */
export function folderReader(folder: string): (path: string) => Promise<Uint8Array<ArrayBuffer>> {
  return (path) => Promise.resolve(new Uint8Array(readFileSync(join(folder, path))));
}
