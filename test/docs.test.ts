// The code of README.md and docs/ is compiled against the package as users see it; what needs no files of theirs also runs.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import ts from "typescript";
import { describe, expect, test, vi } from "vitest";
import { wgslForEsbuild } from "../scripts/wgsl.mjs";

const root = resolve(import.meta.dirname, "..");
const entries: Readonly<Record<string, string>> = {
  aumann: "src/index.ts",
  "aumann/ahead": "src/ahead.ts",
  "aumann/nn": "src/nn/index.ts",
  "aumann/attribution": "src/attribution/index.ts",
  "aumann/evaluate": "src/attribution/evaluate/index.ts",
  "aumann/view": "src/view/index.ts",
  "aumann/onnx": "src/nn/import/onnx.ts",
  "aumann/reference": "src/reference/index.ts",
};

/** A page's blocks of code are one program, from top to bottom. */
const codeOf = (page: string): string =>
  [...readFileSync(join(root, page), "utf8").matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code).join("\n");
const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith(".md") && codeOf(name) !== "",
);

test("the code in README.md and docs/ compiles", () => {
  const sources = new Map(pages.map((page) => [join(root, `${page}.ts`), `${codeOf(page)}\nexport {};\n`]));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: ["@webgpu/types", "node"],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    paths: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, [join(root, file)]])),
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.getSourceFile = (name, ...rest) => {
    const text = sources.get(name);
    return text === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, text, rest[0]);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  const problems = [...sources.keys()].flatMap((name) =>
    ts.getPreEmitDiagnostics(program, program.getSourceFile(name)),
  );
  expect(ts.formatDiagnostics(problems, { ...host, getCanonicalFileName: (name) => name })).toBe("");
});

/** Runs a page; returns what it printed, call by call. */
async function run(page: string): Promise<unknown[][]> {
  // Inside the package, so that the npm packages that it imports are found.
  const folder = mkdtempSync(join(root, "node_modules/.docs-"));
  const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
  try {
    const outfile = join(folder, "example.mjs");
    await build({
      stdin: { contents: codeOf(page), loader: "ts", resolveDir: root },
      alias: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, `./${file}`])),
      bundle: true,
      format: "esm",
      platform: "node",
      packages: "external",
      plugins: [wgslForEsbuild],
      outfile,
    });
    await import(/* @vite-ignore */ pathToFileURL(outfile).href);
    return printed.mock.calls;
  } finally {
    printed.mockRestore();
    rmSync(folder, { recursive: true });
  }
}

describe("pages that run as they stand", () => {
  test("README.md: the ten lines", async () => {
    const [first] = await run("README.md");
    const [attributions, , delta, , dispatches] = first as [Float32Array, string, Float32Array, string, number];
    // relu(x w1) = [0.75, 0, 2] at the input, and 0 at the baseline: class 1 has 0 * 0.75 + 1 * 2.
    expect(attributions[0]! + attributions[1]! - delta[0]!).toBeCloseTo(2, 5);
    expect(Math.abs(delta[0]!)).toBeLessThan(1e-5);
    expect(dispatches).toBeGreaterThan(0);
  });

  test("docs/attribution.md", async () => {
    const [integrated, interior] = (await run("docs/attribution.md")) as [[Float32Array], [number[]]];
    expect(integrated[0].length).toBe(4);
    expect(interior[0]).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  test("docs/adaptive-paths.md", async () => {
    const [guided, careful, shared, curved] = (await run("docs/adaptive-paths.md")) as [
      [Float32Array, Float32Array],
      [Float32Array, number],
      [Float32Array, Float32Array],
      [Float32Array, Float32Array],
    ];
    expect(guided[0][0]).toBeCloseTo(71.9, 1);
    expect(guided[0][1]).toBeCloseTo(9, 1);
    expect(careful[1]).toBe(1);
    // The gradient is 0 at the baseline: the first step's gain, 81 / n^2, is nobody's.
    expect(shared[0][0]).toBeCloseTo(-81 / 50 ** 2, 4);
    expect(shared[1][0]).toBeCloseTo(-81 / 200 ** 2, 4);
    expect(curved[1][0]).toBeCloseTo(0, 4);
  });

  test("docs/competition.md", async () => {
    const [cgi, ig, shares] = (await run("docs/competition.md")) as Float32Array[][];
    const near = (actual: Float32Array, expected: readonly number[]): void =>
      expected.forEach((v, i) => expect(actual[i]).toBeCloseTo(v, 5));
    near(cgi![0]!, [1, 1, -4]);
    near(cgi![1]!, [2, -1, 1, 0, 0, -4, -1, 3, 1]);
    near(cgi![2]!, [0, 0, -4]);
    // A linear network: its integrated gradients from zero are gradient x input.
    for (const map of ig!) near(map, [2, -1, 1]);
    near(shares![0]!, [0.5, 0, 0, -2]);
  });

  test("docs/custom-ops.md", async () => {
    const [product] = (await run("docs/custom-ops.md")) as [[Float32Array]];
    // d2/dx2 x exp(-x^2) = (4 x^3 - 6 x) exp(-x^2), times v.
    const second = (x: number): number => (4 * x ** 3 - 6 * x) * Math.exp(-x * x);
    [0.5 * second(0.5), -1 * second(1)].forEach((value, i) => expect(product[0][i]).toBeCloseTo(value, 4));
  });

  test("docs/sanity-checks.md", async () => {
    const [checked, permuted] = (await run("docs/sanity-checks.md")) as [
      [number, string[], number[], number[]],
      [number, number[]],
    ];
    const [loss, layers, ...curves] = checked;
    expect(loss).toBeLessThan(0.1);
    expect(layers).toEqual(["classes", "hidden", "conv"]);
    for (const curve of curves) expect(curve).toHaveLength(3);
    expect(permuted[0]).toBeLessThan(0.3);
    expect(Math.abs(permuted[1][0]!)).toBeLessThan(0.9);
  });

  test("docs/sequences.md", async () => {
    const printed = await run("docs/sequences.md");
    expect(printed.length).toBeGreaterThan(0);
    const [perToken, delta] = printed[0] as [Float32Array, Float32Array];
    expect([...perToken, ...delta].every(Number.isFinite)).toBe(true);
    expect(printed[1]).toEqual([true]);
  });

  test("docs/shapley.md", async () => {
    const printed = await run("docs/shapley.md");
    const [exact, excluded] = printed[0] as [number[], number[]];
    [3, 5, 5].forEach((v, i) => expect(exact[i]).toBeCloseTo(v, 4));
    // H_1 and H_2 times as much.
    [3, 7.5, 7.5].forEach((v, i) => expect(excluded[i]).toBeCloseTo(v, 4));
    for (const v of printed[1] as number[]) expect(Math.abs(v)).toBeLessThan(1e-4);
    const [sampled, errors] = printed[2] as [Float32Array, Float32Array];
    [3, 5, 5].forEach((v, i) => expect(Math.abs(sampled[i]! - v)).toBeLessThanOrEqual(4 * errors[i]! + 1e-4));
  });

  test("docs/evaluation.md", async () => {
    const [table, bars, curve] = (await run("docs/evaluation.md")) as [
      [string[], [string, ...number[]][], Float64Array],
      [number],
      [string, Float64Array],
    ];
    expect(table[0]).toContain("infidelity");
    expect(table[1].map(([name]) => name)).toEqual(["gradient", "IG"]);
    expect(table[1].flatMap(([, ...means]) => means).every(Number.isFinite)).toBe(true);
    // Integrated Gradients are complete, up to the quadrature; gradients are not.
    const complete = table[0].indexOf("completeness") + 1;
    expect(table[1][1]![complete]).toBeLessThan(0.2 * (table[1][0]![complete] as number));
    expect(bars[0]).toBeGreaterThan(100);
    expect(curve[0]).toBe("run lengths");
  });

  test("docs/performance.md", async () => {
    expect(await run("docs/performance.md")).toEqual([["bits"], [1]]);
  });

  test("docs/regions.md", async () => {
    const printed = await run("docs/regions.md");
    expect(printed).toHaveLength(3);
    const [count, shares] = printed[0] as [number, number[]];
    expect(count).toBe(3);
    // Two flat rectangles on a ground: nothing of the map lies outside the second.
    [0, 0, 34.56].forEach((v, i) => expect(shares[i]).toBeCloseTo(v, 2));
    expect(printed[1]![1]).toBe(96);
    expect(printed[2]).toEqual([6, [24, 24], 96, 24]);
  });

  test("docs/view.md", async () => {
    expect((await run("docs/view.md"))[0]!.every((length) => (length as number) > 0)).toBe(true);
  });
});
