// A web site on this machine: the built package, the workload, and pages made on the spot.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".html": "text/html",
  ".map": "application/json",
};

export interface Site extends AsyncDisposable {
  /** http://localhost:PORT - a secure context, which WebGPU asks for. */
  readonly origin: string;
}

/** @param pages content by path; everything under /dist comes from the build, /test/*.js from the tests' TypeScript */
export async function openSite(pages: Readonly<Record<string, string | Buffer>>): Promise<Site> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
    contentOf(path, pages).then(
      (body) => response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/html" }).end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise((closed) => server.close(() => closed()).closeAllConnections()),
  };
}

async function contentOf(path: string, pages: Readonly<Record<string, string | Buffer>>): Promise<string | Buffer> {
  const page = pages[path];
  if (page !== undefined) return page;
  if (path.startsWith("/dist/")) return readFile(join(root, path));
  if (!path.startsWith("/test/")) throw new Error(`there is no ${path}`);
  const source = await readFile(join(root, path.replace(/\.js$/, ".ts")), "utf8");
  return (await transform(source, { loader: "ts", format: "esm" })).code;
}
