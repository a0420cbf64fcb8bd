// The script of the live page: explains the row that the sliders show, again whenever one of them moves.
import { loadAttributions, type LoadedExplanation, type SavedExplanation } from "../../src/ahead.ts";
import type { Attribution } from "../../src/attribution/types.ts";
import { AumannError, hostArray, openDevice, type Device } from "../../src/index.ts";
import type { Kernels, PageData } from "./live-page-data.ts";
import { byId, exact, signed } from "./live-page-elements.ts";
import { FeatureRows } from "./live-page-rows.ts";

const json = <T>(id: string): T => JSON.parse(byId(id).textContent) as T;

const { features, cases } = json<PageData>("data");
const means = features.map(({ mean }) => mean);

/** What was loaded, and what the sliders made of it. */
const row = { loaded: means, values: [...means], text: "" };
let next = 0;

const rows = new FeatureRows(byId("features"), byId("all"), features, (j, value) => {
  row.values[j] = value;
  describe();
  request(false);
});

function load(values: readonly number[], text: string): void {
  Object.assign(row, { loaded: values, values: [...values], text });
  rows.show(values);
  describe();
  request(true);
}

function loadNext(): void {
  const { values, label } = cases[next]!;
  next = (next + 1) % cases.length;
  load(values, `Held-out row ${next || cases.length} of ${cases.length}, labelled “${label}”.`);
}

function describe(): void {
  const changed = row.values.filter((value, j) => value !== row.loaded[j]).length;
  byId("case").textContent = row.text + (changed ? ` Changed: ${changed} of ${features.length} features.` : "");
  byId("reset").toggleAttribute("disabled", changed === 0);
}

// ---- explaining -----------------------------------------------------------------------------------------------------

interface Wanted {
  readonly values: readonly number[];
  /** Whether a row was loaded: then features are put in order. */
  readonly fresh: boolean;
}

let loaded: LoadedExplanation<"attributions">;
let wanted: Wanted | undefined;
let busy = false;
let first: number | undefined;

/** Explains the newest values; while an explanation runs, those that came in between are passed over. */
function request(fresh: boolean): void {
  wanted = { values: [...row.values], fresh: fresh || wanted?.fresh === true };
  if (!busy) void explainAll().catch(fail);
}

async function explainAll(): Promise<void> {
  busy = true;
  try {
    while (wanted) {
      const { values, fresh } = wanted;
      wanted = undefined;
      await explain(values, fresh);
    }
  } finally {
    busy = false;
  }
}

async function explain(values: readonly number[], fresh: boolean): Promise<void> {
  const inputs = features.map(({ mean, deviation }, j) => (values[j]! - mean) / deviation);
  const started = performance.now();
  const result = await loaded.explain(hostArray(inputs, [1, inputs.length]));
  const took = performance.now() - started;
  const contributions = [...result.attributions.data];
  show(contributions, result);
  rows.draw(contributions, fresh);
  byId("time").textContent = milliseconds(took);
  if (first === undefined) byId("first").textContent = `${milliseconds((first = took))}, building kernels`;
}

function show(contributions: readonly number[], { scores, delta }: Pick<Attribution, "scores" | "delta">): void {
  const [baseline, logit, missed] = [scores.baseline, scores.input, delta].map(({ data }) => data[0]!) as Triple;
  const sum = contributions.reduce((total, c) => total + c, 0);
  const probability = 1 / (1 + Math.exp(-logit));
  exact("probability", probability, percentage(probability));
  byId("meter").style.width = `${100 * probability}%`;
  exact("baseline", baseline, signed(baseline, 3));
  exact("contributions", sum, signed(sum, 3));
  exact("logit", logit, signed(logit, 3));
  exact("delta", missed, Math.abs(missed).toPrecision(1));
  // What shows in three decimals is no equality.
  byId("sum").classList.toggle("about", Math.abs(missed) >= 0.0005);
}

type Triple = [number, number, number];

const milliseconds = (time: number): string => `${time.toFixed(time < 10 ? 1 : 0)} ms`;

/** Never 0 or 100 %: no logit means that. */
function percentage(p: number): string {
  if (p < 0.001) return "< 0.1 %";
  return p > 0.999 ? "> 99.9 %" : `${(100 * p).toFixed(1)} %`;
}

// ---- beginning and end ----------------------------------------------------------------------------------------------

function fail(error: unknown): void {
  byId("problem").textContent = error instanceof AumannError ? error.message : String(error);
  byId("problem").hidden = false;
  byId("live").hidden = true;
}

/** ?kernels=hardware or ?kernels=software takes that explanation on any adapter. */
function kernelsFor({ info }: Device): Kernels {
  const asked = new URLSearchParams(location.search).get("kernels");
  return asked === "hardware" || asked === "software" ? asked : info.software ? "software" : "hardware";
}

async function start(): Promise<void> {
  const device = await openDevice();
  const { vendor, architecture, description, software } = device.info;
  const name = description || `${vendor} ${architecture}`.trim() || "without a name";
  byId("adapter").textContent = `${name}${software ? ", on the CPU" : ""}`;
  const bytes = Uint8Array.from(atob(json<string>("weights")), (c) => c.charCodeAt(0));
  loaded = loadAttributions(device, json<SavedExplanation>(kernelsFor(device)), bytes);
  byId("another").onclick = loadNext;
  byId("mean").onclick = () => load(means, "The mean of the training rows, where paths start.");
  byId("reset").onclick = () => load(row.loaded, row.text);
  byId("live").hidden = false;
  loadNext();
}

await start().catch(fail);
