// The browser of the system, as puppeteer-core drives it.
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { launch, type Browser } from "puppeteer-core";

const NAMES = ["google-chrome", "google-chrome-stable", "chromium", "chromium-browser"];
const ADVICE =
  'No browser was found: install one ("apt-get install chromium" on Debian, else "npx puppeteer browsers install chrome"), ' +
  "or name yours in PUPPETEER_EXECUTABLE_PATH.";

/** PUPPETEER_EXECUTABLE_PATH, else Chrome or Chromium on the PATH, else what puppeteer has downloaded. */
export function findBrowser(): string {
  const named = process.env["PUPPETEER_EXECUTABLE_PATH"];
  if (named) {
    if (isExecutable(named)) return named;
    throw new Error(`PUPPETEER_EXECUTABLE_PATH names ${named}, which cannot be run. ${ADVICE}`);
  }
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const onPath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = [...onPath, ...downloaded()].find(isExecutable);
  if (found === undefined) throw new Error(ADVICE);
  return found;
}

/** chrome/linux-136.0.1/chrome-linux64/chrome and the like, newest last in the listing, first here. */
function downloaded(): string[] {
  const cache = join(process.env["PUPPETEER_CACHE_DIR"] ?? join(homedir(), ".cache/puppeteer"), "chrome");
  if (!existsSync(cache)) return [];
  const versions = readdirSync(cache).sort((a, b) => b.localeCompare(a, undefined, { numeric: true }));
  const programs = ["chrome", "chrome.exe", "Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing"];
  return versions.flatMap((version) =>
    readdirSync(join(cache, version)).flatMap((folder) =>
      programs.map((program) => join(cache, version, folder, program)),
    ),
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A headless browser with WebGPU, on machines without a GPU too. */
export const openBrowser = (): Promise<Browser> =>
  launch({
    executablePath: findBrowser(),
    headless: true,
    args: [
      "--enable-unsafe-webgpu",
      "--no-sandbox",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
