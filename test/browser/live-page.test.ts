// The page of `npm run example:page` in a real browser, against the network in double precision.
import type { Browser, Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { livePage } from "../../examples/lib/live-page.ts";
import { PAIRS, pageStudy, type PageStudy } from "../../examples/lib/live-page-study.ts";
import { HOSTILE, tinyTable } from "../examples/tiny-table.ts";
import { testDevice } from "../gpu.ts";
import { openBrowser } from "./chrome.ts";
import { withPage } from "./page.ts";
import { openSite, type Site } from "./site.ts";

const NODES = 1600;
let browser: Browser;
let site: Site;
let study: PageStudy;

beforeAll(async () => {
  const settings = { hidden: [8, 4], seed: 1, steps: 40, nodes: NODES };
  study = await pageStudy(tinyTable(), settings, { device: await testDevice() });
  const { html } = await livePage({ study, predicted: "answer" });
  site = await openSite({ "/": html });
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});

const rectified = (z: number): number => Math.max(0, z);
const smoothed = (z: number): number => rectified(z) + Math.log1p(Math.exp(-PAIRS.beta * Math.abs(z))) / PAIRS.beta;

/** The logit at standardised inputs, by loops over the weights. */
function logitAt(inputs: readonly number[], activation = rectified): number {
  const { parameters } = study;
  const layers = [1, 2, 3].map((l) => ["weight", "bias"].map((kind) => parameters[`dense${l}.${kind}`]!.data));
  const outputs = layers.reduce((x, [weight, bias], l) => {
    return Array.from(bias!, (b, k) => {
      const z = x.reduce((sum, v, i) => sum + v * weight![i * bias!.length + k]!, b);
      return l < 2 ? activation(z) : z;
    });
  }, inputs as number[]);
  return outputs[0]!;
}

interface Shown {
  readonly logit: number;
  readonly baseline: number;
  readonly sum: number;
  readonly delta: number;
  readonly probability: number;
  /** In the order of the table. */
  readonly contributions: readonly number[];
}

/** What the page should show for a row in the units of the table: derivatives are differences, piecewise exact. */
function truth(values: readonly number[]): Pick<Shown, "logit" | "baseline" | "contributions"> {
  const x = standard(values);
  const contributions = x.map((distance, i) => {
    let mean = 0;
    for (let k = 0; k < NODES; k++) {
      const at = (h: number): number => logitAt(x.map((v, j) => ((k + 0.5) / NODES) * v + (j === i ? h : 0)));
      mean += (at(1e-7) - at(-1e-7)) / 2e-7 / NODES;
    }
    return distance * mean;
  });
  return { logit: logitAt(x), baseline: logitAt(x.map(() => 0)), contributions };
}

/** Opens the page with all features shown; it must not complain. */
const onPage = (query: string, work: (page: Page) => Promise<void>): Promise<void> =>
  withPage(browser, `${site.origin}/${query}`, async (page) => {
    await page.waitForSelector("#logit[value]");
    await page.click("#all");
    await work(page);
  });

/** Inputs of the network. */
const standard = (values: readonly number[]): number[] =>
  values.map((v, j) => Math.fround((v - study.features[j]!.mean) / study.features[j]!.deviation));

/** Both halves of an interaction of the smoothed network: 2 D_i D_j (integral of -u ln u H_ij(u D) du), by differences. */
function pairTruth(x: readonly number[], i: number, j: number): number {
  const h = 1e-3;
  const count = 2000;
  let sum = 0;
  for (let k = 0; k < count; k++) {
    const u = (k + 0.5) / count;
    const at = (a: number, b: number): number =>
      logitAt(
        x.map((v, n) => u * v + (n === i ? a : 0) + (n === j ? b : 0)),
        smoothed,
      );
    sum += (-u * Math.log(u) * (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h))) / (4 * h * h * count);
  }
  return 2 * x[i]! * x[j]! * sum;
}

interface ShownPairs {
  readonly pairs: readonly { readonly name: string; readonly value: number }[];
  readonly change: number;
  readonly alone: number;
  readonly together: number;
}

const shownPairs = (page: Page): Promise<ShownPairs> =>
  page.evaluate(() => {
    const number = (at: Element): number => Number((at as HTMLDataElement).value);
    const [change, alone, together] = ["change", "alone", "together"].map((id) => number(document.getElementById(id)!));
    const pairs = Array.from(document.querySelectorAll("#pairs li"), (item) => ({
      name: item.querySelector(".name")!.textContent,
      value: number(item.querySelector("data")!),
    }));
    return { pairs, change: change!, alone: alone!, together: together! };
  });

/** Waits for the pairs of these values, and compares all numbers with the truth. */
async function expectPairs(page: Page, values: readonly number[]): Promise<ShownPairs> {
  const x = standard(values);
  const rise = logitAt(x, smoothed) - logitAt(x.map(() => 0), smoothed); // prettier-ignore
  await expect.poll(async () => (await shownPairs(page)).change, { timeout: 30_000 }).toBeCloseTo(rise, 4);
  const found = await shownPairs(page);
  expect(found.alone + found.together).toBeCloseTo(rise, 2);
  expect(found.pairs.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(found.together, 6);
  expect(found.pairs).toHaveLength(7);
  const names = study.features.map(({ name }) => name);
  for (const { name, value } of found.pairs.slice(0, 6)) {
    const [i, j] = name.split(" × ").map((part) => names.indexOf(part)) as [number, number];
    expect(value, name).toBeCloseTo(pairTruth(x, i, j), 2);
  }
  return found;
}

const shown = (page: Page): Promise<Shown> =>
  page.evaluate((count) => {
    const number = (at: Element): number => Number((at as HTMLDataElement).value);
    const of = (id: string): number => number(document.getElementById(id)!);
    return {
      logit: of("logit"),
      baseline: of("baseline"),
      sum: of("contributions"),
      delta: of("delta"),
      probability: of("probability"),
      contributions: Array.from({ length: count }, (_, j) => {
        return number(document.getElementById(`feature${j}`)!.closest("li")!.querySelector("data")!);
      }),
    };
  }, study.features.length);

/** Waits for the explanation of these values, and compares all numbers. */
async function expectShown(page: Page, values: readonly number[]): Promise<Shown> {
  const expected = truth(values);
  await expect.poll(async () => (await shown(page)).logit, { timeout: 30_000 }).toBeCloseTo(expected.logit, 4);
  const found = await shown(page);
  expect(found.baseline).toBeCloseTo(expected.baseline, 4);
  found.contributions.forEach((c, j) => expect(c, `feature ${j}`).toBeCloseTo(expected.contributions[j]!, 4));
  expect(found.contributions.reduce((a, b) => a + b, 0)).toBeCloseTo(found.sum, 9);
  expect(Math.abs(found.baseline + found.sum - found.logit)).toBeLessThan(1e-3);
  expect(found.delta).toBeCloseTo(found.sum - (found.logit - found.baseline), 5);
  expect(found.probability).toBeCloseTo(1 / (1 + Math.exp(-expected.logit)), 5);
  return found;
}

const texts = (page: Page, selector: string): Promise<string[]> =>
  page.$$eval(selector, (found) => found.map((element) => element.textContent));

describe("the live page", () => {
  test("explains a held-out row, and again when a slider moves", () =>
    onPage("", async (page) => {
      const first = study.cases[0]!;
      await expectShown(page, first.values);
      const widths = await page.$$eval(".bar div", (bars) => bars.map((bar) => (bar as HTMLElement).style.width));
      const { min, max, step } = study.features[1]!;
      await page.focus("#feature1");
      await page.keyboard.press("End");
      await expectShown(page, first.values.with(1, max));
      expect(await texts(page, "#case")).toEqual([expect.stringMatching(/row 1 of 21.*Changed: 1 of 12/)]);
      expect(await page.$$eval(".bar div", (bars) => bars.map((bar) => (bar as HTMLElement).style.width))).not.toEqual(
        widths,
      );
      await page.keyboard.press("Home");
      await page.keyboard.press("ArrowRight");
      await expectShown(page, first.values.with(1, min + step));
      await page.click("#reset");
      await expectShown(page, first.values);
    }));

  test("goes through held-out rows, largest contributions first, and to the mean", () =>
    onPage("", async (page) => {
      await page.click("#another");
      const { values, label } = study.cases[1]!;
      const { contributions } = await expectShown(page, values);
      expect(await texts(page, "#case")).toEqual([`Held-out row 2 of 21, labelled “${label}”.`]);
      const order = await page.$$eval("#features input", (inputs) => inputs.map(({ id }) => Number(id.slice(7))));
      const sizes = order.map((j) => Math.abs(contributions[j]!));
      expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
      await page.click("#mean");
      const { logit, baseline, sum } = await expectShown(
        page,
        study.features.map(({ mean }) => mean),
      );
      expect([logit, sum]).toEqual([baseline, 0]);
    }));

  test("shows the pairs that interact most, and keeps them while a slider moves", () =>
    onPage("", async (page) => {
      const { values } = study.cases[0]!;
      const { pairs } = await expectPairs(page, values);
      const sizes = pairs.slice(0, 6).map(({ value }) => Math.abs(value));
      expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
      expect(sizes[0]).toBeGreaterThan(1e-3);
      await page.focus("#feature1");
      await page.keyboard.press("End");
      const moved = await expectPairs(page, values.with(1, study.features[1]!.max));
      expect(moved.pairs.map(({ name }) => name)).toEqual(pairs.map(({ name }) => name));
    }));

  test("shows ten features, and what the others make together", () =>
    onPage("", async (page) => {
      const { contributions } = await expectShown(page, study.cases[0]!.values);
      await page.click("#all");
      const sizes = [...contributions].sort((a, b) => Math.abs(b) - Math.abs(a));
      const listed = await page.$$eval("#features data", (all) => all.map(({ value }) => Number(value)));
      expect(listed).toHaveLength(11);
      listed.forEach((value, i) => expect(value).toBeCloseTo(i < 10 ? sizes[i]! : sizes[10]! + sizes[11]!, 9));
    }));

  test("passes over what comes while it explains", () =>
    onPage("", async (page) => {
      const { values } = study.cases[0]!;
      await expectPairs(page, values);
      const last = study.features[4]!.max;
      await page.evaluate((end) => {
        const { submit } = GPUQueue.prototype;
        Object.assign(globalThis, { submits: 0 });
        GPUQueue.prototype.submit = function (buffers) {
          (globalThis as unknown as { submits: number }).submits++;
          return submit.call(this, buffers);
        };
        const slider = document.getElementById("feature4") as HTMLInputElement;
        for (let k = 20; k >= 0; k--) {
          slider.value = String(end - k * Number(slider.step));
          slider.dispatchEvent(new Event("input"));
        }
      }, last);
      await expectPairs(page, values.with(4, last));
      // Contributions of the first and of the last value, and pairs of the last.
      expect(await page.evaluate("submits")).toBe(3);
    }));

  test("gives the same with the kernels of other adapters", async () => {
    const found: Shown[] = [];
    for (const kernels of ["hardware", "software"])
      await onPage(`?kernels=${kernels}`, async (page) => {
        found.push(await expectShown(page, study.cases[0]!.values));
      });
    found[0]!.contributions.forEach((c, j) => expect(c).toBeCloseTo(found[1]!.contributions[j]!, 4));
  });

  test("shows names as they are", () =>
    onPage("", async (page) => {
      expect(await texts(page, 'label[for="feature0"]')).toEqual([HOSTILE]);
      expect(await page.$$("b")).toEqual([]);
      expect(await page.$eval("#feature3", (slider) => (slider as HTMLInputElement).disabled)).toBe(true);
    }));

  test("without WebGPU, says so in one sentence", async () => {
    const page = await browser.newPage();
    await page.evaluateOnNewDocument('Object.defineProperty(navigator, "gpu", { value: undefined })');
    await page.goto(site.origin);
    await page.waitForSelector("#problem:not([hidden])");
    expect(await texts(page, "#problem")).toEqual([expect.stringMatching(/^This environment has no navigator\.gpu: /)]);
    expect(await page.$eval("#live", (live) => (live as HTMLElement).hidden)).toBe(true);
    await page.close();
  });
});
