// npm test: everything a change must pass, on a developer's machine or a fresh one. The last line is "N passed, N failed";
// the exit status is 0 only if nothing failed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const results = mkdtempSync(join(tmpdir(), "aumann-results-"));
let failures = 0;

/** Runs a command; vitest leaves its results in a file of the given name. */
function step(name, command, ...args) {
  console.log(`\n== ${[command, ...args].join(" ")}`);
  const env = { ...process.env, AUMANN_RESULTS: join(results, `${name}.json`) };
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit", env });
  if (status !== 0) failures++;
}

step("setup", "node", "scripts/run.mjs", "scripts/setup.ts");
step("check", "npm", "run", "--silent", "check");
step("browser", "npx", "vitest", "run", "--project", "browser");
step("golden", "npx", "vitest", "run", "--project", "golden");

const runs = readdirSync(results).map((file) => JSON.parse(readFileSync(join(results, file), "utf8")));
rmSync(results, { recursive: true, force: true });
const sum = (key) => runs.reduce((total, run) => total + run[key], 0);
// A step can fail without a failing test (types, formatting, size); it must not look like success.
const failed = Math.max(sum("numFailedTests"), failures);
console.log(`${sum("numPassedTests")} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
