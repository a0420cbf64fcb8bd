// What a bundler keeps of the built package: only what a page uses. `npm run size` compares the sizes themselves.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildLibrary, root } from "../../scripts/library.mjs";
import { bundlePage, pages } from "../../scripts/pages.mjs";
import { compactWgsl } from "../../scripts/wgsl.mjs";

const budget = JSON.parse(readFileSync(join(root, "test/size/budget.json"), "utf8")) as Record<string, number>;

let library: string;
const bundles = new Map<string, { start: string; later: string; gzip: number }>();
beforeAll(async () => {
  library = mkdtempSync(join(tmpdir(), "aumann-pages-"));
  await buildLibrary(library);
  for (const page of pages) bundles.set(page, await bundlePage(page, library));
});
afterAll(() => rmSync(library, { recursive: true }));
const textOf = (page: string): string => bundles.get(page)!.start;

const folder = join(root, "src/kernels/wgsl");
const kernels = readdirSync(folder).map((file) => {
  const text = compactWgsl(readFileSync(join(folder, file), "utf8"));
  return { name: file.replace(".wgsl", ""), text };
});
/** The kernels whose text a page holds. */
const kernelsOf = (page: string): string[] =>
  kernels.filter(({ text }) => textOf(page).includes(text)).map(({ name }) => name);

describe("bundles", () => {
  test("hold the kernels of the operations that a page uses, and no others", () => {
    expect(kernelsOf("tensor")).toEqual([]);
    const dense = ["argmax", "logsumexp", "matmul", "matmul_quads", "matmul_shared", "matmul_small", "reduce_sum"];
    expect(kernelsOf("mlp")).toEqual(dense);
    const [convolution, pooling] = [/^conv_/, /_window$/];
    for (const name of kernelsOf("cnn").filter((name) => !dense.includes(name)))
      expect(convolution.test(name) || pooling.test(name), name).toBe(true);
    expect(kernelsOf("cnn").filter((name) => convolution.test(name)).length).toBeGreaterThan(2);
    expect(kernelsOf("all").filter((name) => /^(conv|lstm)_/.test(name)).length).toBeGreaterThan(6);
  });

  test("of a dense network hold no convolution, no pooling, no recurrence, not even their names", () => {
    expect(textOf("mlp")).not.toMatch(/conv2d|maxPool|lstm|scatter|gather|softmaxTangent/);
    expect(textOf("all")).toMatch(/conv2d/);
  });

  for (const page of ["mlp-ahead", "cnn-ahead", "all-ahead"]) {
    test(`of page "${page}" hold neither kernels nor what compiles them`, () => {
      expect(kernelsOf(page)).toEqual([]);
      expect(textOf(page)).not.toMatch(/matmul|conv2d|softmax|@compute|quadrature/);
      if (page !== "all-ahead") expect(bundles.get(page)!.gzip).toBeLessThan(bundles.get("mlp")!.gzip / 3);
    });
  }

  test("hold no text that only some programs ask for", () => {
    expect(textOf("mlp")).not.toMatch(/timestamp queries|dispatches, /);
    expect(textOf("all")).toMatch(/timestamp queries/);
  });

  for (const page of ["tensor", "mlp", "cnn", "mlp-ahead", "cnn-ahead"]) {
    test(`of page "${page}" hold no reader, drawing, training or code for Node`, () => {
      expect(textOf(page)).not.toMatch(/safetensors|<svg|epochs|protobuf|VK_DRIVER_FILES/);
      expect(bundles.get(page)!.later).toMatch(/VK_DRIVER_FILES/);
    });
  }

  test("all have a budget", () => expect(Object.keys(budget).sort()).toEqual([...pages].sort()));
});
