// The built package in a real browser, on a page and in a worker, against the sources in Node and double precision.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as aumann from "../../src/index.ts";
import * as attribution from "../../src/attribution/index.ts";
import * as nn from "../../src/nn/index.ts";
import { array64, evaluate, readConstants } from "../../src/reference/index.ts";
import { testDevice } from "../gpu.ts";
import { openBrowser } from "./chrome.ts";
import { withPage } from "./page.ts";
import { openSite, type Site } from "./site.ts";
import { network, picture, STEPS, workload, type Report } from "./workload.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const RUN = `
import * as aumann from "/dist/index.js";
import * as nn from "/dist/nn/index.js";
import * as attribution from "/dist/attribution/index.js";
import { workload } from "/test/browser/workload.js";
export async function run() {
  const device = await aumann.openDevice();
  try {
    return await workload({ aumann, nn, attribution }, device);
  } finally {
    device.destroy();
  }
}`;
const WORKER = `
import { run } from "/run.js";
run().then((report) => postMessage({ report }), (error) => postMessage({ error: String(error) }));`;

/** Explains the workload's picture, without any code that compiles. */
const AHEAD = `
import { hostArray, openDevice } from "/dist/index.js";
import { loadAttributions, loadCgi, splitExplanations } from "/dist/ahead.js";
export async function run(kernels, picture) {
  const get = (file) => fetch("/" + kernels + file);
  const device = await openDevice();
  try {
    const [saved, weights] = await Promise.all([get(".json"), get(".bin")]);
    const files = splitExplanations(await saved.json(), await weights.arrayBuffer());
    const x = hostArray(picture, [1, 1, 8, 8]);
    const found = {};
    for (const [name, load] of [["integrated", loadAttributions], ["guided", loadAttributions], ["competition", loadCgi]]) {
      const loaded = load(device, files[name].explanation, files[name].weights);
      const results = [await loaded.explain(x), await loaded.explain(x)];
      loaded.dispose();
      found[name] = results.map(({ attributions }) => [...attributions.data]);
    }
    return { found, leftBytes: device.memory.live };
  } finally {
    device.destroy();
  }
}`;

/** Wide steps: which coordinates are ahead does not hang on the last digits then. */
const GUIDED = { steps: 8 };

let browser: Browser;
let site: Site;
let inNode: Report;

beforeAll(async () => {
  execFileSync(process.execPath, [join(root, "scripts/build.mjs")], { cwd: root, stdio: "inherit" });
  const scripts = { "/run.js": RUN, "/worker.js": WORKER, "/ahead.js": AHEAD };
  site = await openSite({ "/": "<!doctype html><title>aumann</title>", ...scripts, ...(await savedFiles()) });
  browser = await openBrowser();
  inNode = await workload({ aumann, nn, attribution }, await testDevice());
});

/** The workload's network, compiled ahead for both kinds of adapters. */
async function savedFiles(): Promise<Record<string, string | Buffer>> {
  const files: Record<string, string | Buffer> = {};
  for (const kernels of ["software", "hardware"] as const) {
    const device = await aumann.openDevice({ kernels });
    const layers = network({ aumann, nn, attribution });
    const model = nn.modelOf(layers, layers.init(device, "browser"), [1, 8, 8]);
    const zeros = aumann.hostArray(new Float32Array(64), [1, 1, 8, 8]);
    const { saveExplanation, joinExplanations, integratedGradients, guidedIG, cgi } = attribution;
    const { explanations, weights } = joinExplanations({
      integrated: await saveExplanation(integratedGradients, model, zeros, { steps: STEPS, rule: "midpoint" }),
      guided: await saveExplanation(guidedIG, model, zeros, GUIDED),
      competition: await saveExplanation(cgi, model, zeros),
    });
    files[`/${kernels}.json`] = JSON.stringify(explanations);
    files[`/${kernels}.bin`] = Buffer.from(weights);
    device.destroy();
  }
  return files;
}

type Methods = Record<"integrated" | "guided" | "competition", number[]>;

/** What Node gives for the other methods of the saved files. */
async function otherMethods(): Promise<Pick<Methods, "guided" | "competition">> {
  const device = await testDevice();
  const layers = network({ aumann, nn, attribution });
  const parameters = layers.init(device, "browser");
  const model = nn.modelOf(layers, parameters, [1, 8, 8]);
  const x = aumann.hostArray(picture(), [1, 1, 8, 8]);
  const guided = await attribution.guidedIG(model, x, GUIDED);
  const competition = await attribution.cgi(model, x);
  Object.values(parameters).forEach((tensor) => tensor.dispose());
  return { guided: [...guided.attributions.data], competition: [...competition.attributions.data] };
}

afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});

/** Evaluates an expression on a fresh page that must not complain. */
const onPage = <T = Report>(expression: string): Promise<T> =>
  withPage(browser, site.origin, async (page) => (await page.evaluate(expression)) as T);

function expectNear(actual: readonly number[], expected: readonly number[], tolerance = 1e-5): void {
  expect(actual).toHaveLength(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  const error = Math.max(...actual.map((v, i) => Math.abs(v - expected[i]!)));
  expect(error / scale).toBeLessThan(tolerance);
}

function compare(report: Report): void {
  expect(report.target).toBe(inNode.target);
  for (const key of ["outputs", "attributions", "chunked", "allClasses"] as const) expectNear(report[key], inNode[key]);
  expectNear(report.hvp, inNode.hvp, 3e-5);
  expectNear(report.chunked, report.attributions);
  expect(report).toMatchObject({ submits: 1, readbacks: 1, leftBytes: 0 });
}

describe("in a browser", () => {
  test("a page computes what Node computes", async () => {
    const report = await onPage('import("/run.js").then(({ run }) => run())');
    console.log(`browser GPU: ${report.adapter}, ${report.runtime}`);
    expect(report.runtime).toBe("browser");
    compare(report);
  });

  test("so does a worker", async () => {
    const report = await onPage(`new Promise((resolve, reject) => {
      const worker = new Worker("/worker.js", { type: "module" });
      worker.onmessage = ({ data: { report, error } }) => (error ? reject(new Error(error)) : resolve(report));
      worker.onerror = ({ message }) => reject(new Error(message));
    })`);
    expect(report.runtime).toBe("worker");
    compare(report);
  });

  for (const kernels of ["software", "hardware"])
    test(`a page explains what was compiled ahead for ${kernels}`, async () => {
      const run = `run("${kernels}", ${JSON.stringify([...picture()])})`;
      const { found, leftBytes } = await onPage<{ found: Record<keyof Methods, number[][]>; leftBytes: number }>(
        `import("/ahead.js").then(({ run }) => ${run})`,
      );
      const expected = { integrated: inNode.attributions, ...(await otherMethods()) };
      for (const name of ["integrated", "guided", "competition"] as const)
        for (const attributions of found[name]) expectNear(attributions, expected[name]);
      expect(leftBytes).toBe(0);
    });

  test("without WebGPU, one sentence says what to do", async () => {
    const page = await browser.newPage();
    await page.goto(site.origin);
    const failure = await page.evaluate(`(async () => {
      Object.defineProperty(navigator, "gpu", { value: undefined });
      const { openDevice } = await import("/dist/index.js");
      return openDevice().then(() => "opened", ({ name, message }) => name + ": " + message);
    })()`);
    await page.close();
    expect(failure).toMatch(/^NoAdapterError: This environment has no navigator\.gpu: .*https or on localhost/);
  });
});

describe("in Node", () => {
  test("the same numbers as the definition in double precision", async () => {
    const device = await testDevice();
    const modules = { aumann, nn, attribution };
    const parameters = network(modules).init(device, "browser");
    const score = (x: aumann.Value): aumann.Value =>
      aumann.sum(aumann.index(network(modules).apply(parameters, x), 1, inNode.target));
    const graph = aumann.trace((x) => aumann.grad(score)(x), [{ shape: [1, 1, 8, 8] }]);
    const constants = await readConstants(graph.outputs);
    const x = Float64Array.from(picture());
    const mean = new Float64Array(64);
    for (let k = 0; k < STEPS; k++) {
      const point = array64(
        x.map((v) => ((k + 0.5) / STEPS) * v),
        [1, 1, 8, 8],
      );
      evaluate(graph, [point], { constants })[0]!.data.forEach((g, i) => (mean[i]! += g / STEPS));
    }
    Object.values(parameters).forEach((tensor) => tensor.dispose());
    expectNear(
      inNode.attributions,
      Array.from(mean, (g, i) => g * x[i]!),
    );
  });
});

/** Entries of the package beside its main one. */
const ENTRIES = ["ahead.js", "attribution/index.js", "nn/index.js", "view/index.js"];

describe("the built files", () => {
  const dist = join(root, "dist");
  const imports = (file: string): string[] =>
    [
      ...readFileSync(join(dist, file), "utf8").matchAll(
        /^(?:import|export)[^"';]*?from\s*"([^"]+)"|\bimport\(\s*"([^"]+)"|^import\s*"([^"]+)"/gm,
      ),
    ].map((m) => (m[1] ?? m[2] ?? m[3])!);

  const built = (): string[] =>
    readdirSync(dist, { recursive: true, encoding: "utf8" }).filter(
      (file) => file.endsWith(".js") && file !== "cli.js",
    );
  const target = (file: string, to: string): string => join(dirname(file), to);

  test("import nothing but each other; only the ONNX reader may ask for its package", () => {
    const files = built();
    expect(files).toEqual(expect.arrayContaining(["index.js", ...ENTRIES, "nn/import/onnx.js"]));
    const foreign = files.flatMap((file) => imports(file).filter((to) => !files.includes(target(file, to))));
    expect(foreign.filter((to) => !to.startsWith("protobufjs"))).toEqual([]);
  });

  test("load no reader of protocol buffers unless a model is read from ONNX", () => {
    const seen = new Set(["index.js", ...ENTRIES]);
    for (const file of seen) for (const to of imports(file)) seen.add(target(file, to));
    expect([...seen].filter((file) => file.includes("protobuf"))).toEqual([]);
    expect(seen.size).toBeGreaterThan(100);
  });

  test("reach Node's modules only through the adapter's dynamic import", () => {
    const lines = built().flatMap((file) =>
      readFileSync(join(dist, file), "utf8")
        .split("\n")
        .filter((line) => /["']node:/.test(line)),
    );
    expect(lines.map((line) => line.trim())).toEqual(['const { existsSync } = await importPackage("node:fs");']);
  });
});
