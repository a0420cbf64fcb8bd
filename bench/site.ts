// The local site that the page of the benchmarks comes from: bundles, golden cases, files of npm packages.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { assetPath } from "../src/cli/assets.ts";
import { readNpmFile } from "../src/cli/fetch.ts";
import { goldenPaths, pathInside, type Folders } from "./node-files.ts";

export interface Site extends AsyncDisposable {
  /** http://localhost:PORT - a secure context, which WebGPU asks for. */
  readonly origin: string;
}

export interface SiteOptions {
  /** Scripts by path. */
  readonly scripts: Readonly<Record<string, string>>;
  readonly folders: Folders;
}

const PAGE =
  '<!doctype html><link rel="icon" href="data:,"><title>benchmarks</title><script type="module" src="/page.js"></script>';

/** A page that is isolated from others gets a clock of 5 us instead of 100. */
const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
} as const;

interface Content {
  readonly type: string;
  readonly body: string | Uint8Array;
}

export async function openSite(options: SiteOptions): Promise<Site> {
  const server = createServer((request, response) => {
    contentOf(new URL(request.url ?? "/", "http://localhost"), options).then(
      (content) => {
        if (content) response.writeHead(200, { ...ISOLATED, "content-type": content.type }).end(content.body);
        else response.writeHead(404).end();
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise((closed) => server.close(() => closed()).closeAllConnections()),
  };
}

async function contentOf(url: URL, { scripts, folders }: SiteOptions): Promise<Content | undefined> {
  const { pathname, searchParams } = url;
  if (pathname === "/") return { type: "text/html", body: PAGE };
  const script = scripts[pathname];
  if (script !== undefined) return { type: "text/javascript", body: script };
  const [, folder, name = "", file] = pathname.split("/");
  if (folder === "golden") {
    const paths = goldenPaths(folders.nets, name);
    const path = file === "case.json" ? paths?.json : file === "tensors.safetensors" ? paths?.tensors : undefined;
    return binary(path);
  }
  if (folder === "assets" && /^[\w-]+\.png$/.test(name)) return binary(assetPath(name));
  if (folder === "shared") return binary(pathInside(folders.shared, pathname.slice("/shared/".length)));
  if (folder === "npm") {
    const [name, version, path] = ["name", "version", "path"].map((key) => searchParams.get(key) ?? "");
    return { type: "application/octet-stream", body: await readNpmFile(name!, version!, path!) };
  }
  return undefined;
}

const binary = async (path: string | undefined): Promise<Content | undefined> =>
  path === undefined ? undefined : { type: "application/octet-stream", body: await readFile(path) };
