// The peers are no dependencies of this package: they are installed beside their programs when they are first measured.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dependencies } from "./package.json";

/** Names of the peers: PEER.ts in this folder exports `peer`. */
export const PEERS = ["jax", "tfjs"] as const;

/**
 * Installs what is missing, in exactly the versions of the lock file.
 * @param folder this folder
 * @throws Error when npm fails
 */
export function installPeers(folder: string): void {
  const missing = Object.entries(dependencies).filter(([name, version]) => installed(folder, name) !== version);
  if (missing.length === 0) return;
  console.log(`installing ${missing.map((parts) => parts.join("@")).join(", ")} into ${folder}`);
  try {
    const windows = process.platform === "win32";
    execFileSync(windows ? "npm.cmd" : "npm", ["ci", "--ignore-scripts", "--loglevel=error"], {
      ...{ cwd: folder, stdio: "inherit", shell: windows },
    });
  } catch (cause) {
    throw new Error("npm could not install the peers; look at its message above, or measure without them: --no-peers", {
      cause,
    });
  }
}

function installed(folder: string, name: string): string | undefined {
  const file = join(folder, "node_modules", name, "package.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version : undefined;
}
