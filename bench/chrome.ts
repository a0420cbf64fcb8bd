// Workloads in a headless browser: bundles the page, serves it, and opens it anew for each workload.
import { join } from "node:path";
import { build } from "esbuild";
import type { Browser } from "puppeteer-core";
import { wgslForEsbuild } from "../scripts/wgsl.mjs";
import { openBrowser } from "../test/browser/chrome.ts";
import type { Answer, Order } from "./page.ts";
import { installPeers, PEERS } from "./peers/install.ts";
import type { Driver } from "./driver.ts";
import type { Folders } from "./node-files.ts";
import { openSite } from "./site.ts";

export interface ChromeOptions {
  /** The folder of this file. */
  readonly folder: string;
  readonly folders: Folders;
  readonly peers: boolean;
  readonly reps: number;
}

export async function openChrome({ folder, folders, peers, reps }: ChromeOptions): Promise<Driver> {
  const names = peers ? PEERS : [];
  if (peers) installPeers(join(folder, "peers"));
  const entries = ["page.ts", ...names.map((name) => `peers/${name}.ts`)];
  const bundles = await Promise.all(entries.map((entry) => bundle(join(folder, entry))));
  const paths = entries.map((entry) => `/${entry.replace(/\.ts$/, ".js")}`);
  const site = await openSite({ scripts: Object.fromEntries(paths.map((path, i) => [path, bundles[i]!])), folders });
  const browser = await openBrowser();
  return {
    versions: { browser: await browser.version() },
    async control() {
      const answer = await ask(browser, site.origin, { kind: "control" });
      if (answer.kind !== "control") throw new Error(`the page answered ${answer.kind}`);
      return answer;
    },
    async run(name) {
      const answer = await ask(browser, site.origin, { kind: "workload", name, reps, peers: paths.slice(1) });
      if (answer.kind !== "workload") throw new Error(`the page answered ${answer.kind}`);
      return answer.result;
    },
    async close() {
      await browser.close();
      await site[Symbol.asyncDispose]();
    },
  };
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    ...{ entryPoints: [entry], write: false, bundle: true, platform: "browser", format: "esm", target: "es2022" },
    ...{ logLevel: "warning", plugins: [wgslForEsbuild] },
    // Readers of models ask for Node's modules only when they run there.
    external: ["node:*", "webgpu"],
  });
  return outputFiles[0]!.text;
}

/** Not one long call of the browser's protocol: those end after three minutes. */
async function ask(browser: Browser, origin: string, order: Order): Promise<Answer> {
  const page = await browser.newPage();
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const start = async (): Promise<void> => {
        page.once("error", reject);
        page.once("pageerror", (error) => reject(error instanceof Error ? error : new Error(String(error))));
        browser.once("disconnected", () => reject(new Error("the browser ended")));
        await page.exposeFunction("answer", (answer: Answer) =>
          answer.kind === "error" ? reject(new Error(answer.message)) : resolve(answer),
        );
        await page.goto(origin, { waitUntil: "load" });
        await page.evaluate(`bench(${JSON.stringify(order)})`);
      };
      start().catch(reject);
    });
  } finally {
    await page.close().catch(() => undefined);
  }
}
