// Bundles the example pages of test/size with the built package, and compares their gzip sizes with the budget. What a page
// only loads on demand (Node's adapter) is shown apart.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildLibrary, root } from "./library.mjs";
import { bundlePage, pages } from "./pages.mjs";

/** Name of a page -> the most bytes it may take, minified and compressed. */
const budget = JSON.parse(readFileSync(join(root, "test/size/budget.json"), "utf8"));
const library = mkdtempSync(join(tmpdir(), "aumann-size-"));
try {
  await buildLibrary(library);
  console.log("page                            minified      gzip    budget  on demand");
  for (const page of pages) {
    const { start, gzip, gzipLater } = await bundlePage(page, library);
    const limit = budget[page] ?? 0;
    const sizes = [start.length, gzip, limit].map((bytes) => String(bytes).padStart(10)).join("");
    console.log(page.padEnd(30) + sizes + String(gzipLater).padStart(11) + (gzip > limit ? "  OVER BUDGET" : ""));
    if (gzip > limit) process.exitCode = 1;
  }
} finally {
  rmSync(library, { recursive: true });
}
