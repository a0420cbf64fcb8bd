import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { clientCode, livePage, type LivePage } from "../../examples/lib/live-page.ts";
import type { PageData } from "../../examples/lib/live-page-data.ts";
import { PAIRS, pageStudy, sliderRange, type PageStudy } from "../../examples/lib/live-page-study.ts";
import type { JoinedExplanations } from "../../src/ahead.ts";
import { testDevice, withCleanDevice } from "../gpu.ts";
import { HOSTILE, tinyTable } from "./tiny-table.ts";

let study: PageStudy;
let page: LivePage;

beforeAll(async () => {
  const settings = { hidden: [6, 4], seed: 0, steps: 5, nodes: 20 };
  study = await pageStudy(tinyTable(), settings, { device: await testDevice() });
  page = await livePage({ study, predicted: `label ${HOSTILE}` });
});

/** Elements in the text, as a parser of HTML finds them: what is in a script ends at the first "</script". */
function elements(html: string): { name: string; attributes: string; text: string }[] {
  const found = [];
  const opening = /<(\w+)([^>]*)>/g;
  for (let match = opening.exec(html); match; match = opening.exec(html)) {
    const [, name, attributes] = match as unknown as [string, string, string];
    const raw = name === "script" || name === "style";
    const end = raw ? html.indexOf(`</${name}`, opening.lastIndex) : opening.lastIndex;
    found.push({ name, attributes, text: html.slice(opening.lastIndex, end) });
    opening.lastIndex = end;
  }
  return found;
}

const block = <T>(id: string): T => {
  const script = elements(page.html).find(({ attributes }) => attributes.includes(`id="${id}"`))!;
  return JSON.parse(script.text) as T;
};

describe("the page", () => {
  test("holds both explanations, their weights once, and the table's facts", () => {
    const data = block<PageData>("data");
    expect(data).toEqual(JSON.parse(JSON.stringify({ features: study.features, cases: study.cases })));
    expect(data.cases).toHaveLength(study.rows.test);
    for (const kernels of ["hardware", "software"] as const) {
      const { contributions, pairs } = block<JoinedExplanations>(kernels).explanations;
      const { software, fixed } = contributions!;
      expect(pairs).toMatchObject({ kind: "hessians", software, fixed: { nodes: PAIRS.nodes } });
      expect({ software, ...fixed }).toMatchObject({
        software: kernels === "software",
        steps: 20,
        rule: "midpoint",
      });
    }
    const weights = Buffer.from(block<string>("weights"), "base64");
    expect(new Float32Array(new Uint8Array(weights).buffer)).toEqual(new Float32Array(study.ahead.weights));
    expect(page.html).toContain(`accuracy on them</dt><dd>${study.quality.accuracy.toFixed(3)}`);
  });

  test("takes names for text, never for markup", () => {
    const all = elements(page.html);
    expect(all.filter(({ name }) => name === "b")).toEqual([]);
    expect(all.filter(({ name }) => name === "script")).toHaveLength(5);
    expect(all.filter(({ attributes }) => /\bon\w+=/.test(attributes))).toEqual([]);
    expect(block<PageData>("data").features[0]!.name).toBe(HOSTILE);
    expect(page.html).not.toContain(HOSTILE);
  });

  test("allows its own script and nothing else", () => {
    const [script] = elements(page.html).filter(({ attributes }) => attributes.includes("module"));
    const hash = createHash("sha256").update(script!.text).digest("base64");
    expect(page.html).toContain(`content="default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'"`);
    expect(page.html).not.toMatch(/(?:src|href)=/);
  });
});

describe("its code", () => {
  test("has no compiler, and no kernel", async () => {
    const code = await clientCode();
    expect(code).not.toMatch(/@compute|@group|workgroup_size|pipelineOf|jvp|transpose/);
    expect(code).toContain("createComputePipelineAsync");
    expect(code).not.toContain("</script");
    expect(code.length).toBeLessThan(36_000);
    expect(page.sizes["code that explains"]).toBeLessThan(13_600);
  });
});

describe("the study", () => {
  test("gives back all that it took of the device", () =>
    withCleanDevice(async (device) => {
      const again = await pageStudy(tinyTable(), study.settings, { device });
      expect(again.cases).toEqual(study.cases);
    }));

  test("sliders have whole steps around the training rows", () => {
    const range = (...values: number[]) => sliderRange(Float64Array.from(values));
    expect(range(6.981, 28.11)).toEqual({ min: 6.9, max: 28.2, step: 0.1, decimals: 1 });
    expect(range(0.1, 0.3)).toEqual({ min: 0.1, max: 0.3, step: 0.001, decimals: 3 });
    expect(range(-3, 4, 0)).toEqual({ min: -3, max: 4, step: 1, decimals: 0 });
    expect(range(143.5, 2501)).toEqual({ min: 140, max: 2510, step: 10, decimals: 0 });
    expect(range(5, 5)).toEqual({ min: 5, max: 5, step: 1, decimals: 0 });
    expect(range(0, 40_000)).toEqual({ min: 0, max: 40_000, step: 100, decimals: 0 });
  });

  test("features have the range, mean and deviation of the training rows", () => {
    const [, , whole, constant] = study.features;
    expect([whole!.step, Number.isInteger(whole!.min), Number.isInteger(whole!.max)]).toEqual([1, true, true]);
    expect(constant).toMatchObject({ min: 7, max: 7, mean: 7, deviation: 1 });
    expect(study.rows).toEqual({ train: 59, test: 21 });
  });
});
