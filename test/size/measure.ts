// npm run size: bundles the example pages of this folder with the built package, and compares what they fetch, compressed,
// with the budget. What a page only loads on demand is shown apart; weights do not count.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildLibrary, root } from "../../scripts/library.mjs";
import { bundlePage, pages } from "../../scripts/pages.mjs";
import { explanations } from "./explanations.ts";

/** Name of a page -> the most bytes it may take, minified and compressed. */
const budget = JSON.parse(readFileSync(join(root, "test/size/budget.json"), "utf8")) as Record<string, number>;
const ahead = await Promise.all((["hardware", "software"] as const).map(explanations));
const library = mkdtempSync(join(tmpdir(), "aumann-size-"));
try {
  await buildLibrary(library);
  console.log("page                            minified      gzip    budget  on demand");
  for (const page of pages) {
    const { start, gzip, gzipLater } = await bundlePage(page, library);
    // The page of one kind of adapter or the other: the larger of both.
    const fetched = ahead.map((kind) => (kind[page] ? JSON.stringify(kind[page]) : ""));
    const text = Math.max(...fetched.map(({ length }) => length));
    const compressed = Math.max(...fetched.map((json) => (json && gzipSync(json, { level: 9 }).length) || 0));
    const [total, limit] = [gzip + compressed, budget[page] ?? 0];
    const sizes = [start.length + text, total, limit].map((bytes) => String(bytes).padStart(10)).join("");
    console.log(page.padEnd(30) + sizes + String(gzipLater).padStart(11) + (total > limit ? "  OVER BUDGET" : ""));
    if (total > limit) process.exitCode = 1;
  }
} finally {
  rmSync(library, { recursive: true });
}
