// The script of the live page: explains the row that the sliders show, again whenever one of them moves.
import {
  loadAttributions,
  loadHessians,
  splitExplanations,
  type JoinedExplanations,
  type LoadedExplanation,
} from "../../src/ahead.ts";
import type { Attribution } from "../../src/attribution/types.ts";
import { AumannError, hostArray, openDevice, type Device } from "../../src/index.ts";
import type { Kernels, PageData } from "./live-page-data.ts";
import { byId, exact, signed } from "./live-page-elements.ts";
import { PairRows } from "./live-page-pairs.ts";
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

const pairs = new PairRows(
  byId("pairs"),
  features.map(({ name }) => name),
);

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

let contributions: LoadedExplanation<"attributions">;
let interactions: LoadedExplanation<"hessians">;
let wanted: Wanted | undefined;
let busy = false;
let first: number | undefined;
/** Whether a row was loaded since pairs were drawn. */
let freshPairs = false;

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
  const x = hostArray(inputs, [1, inputs.length]);
  const [result, took] = await timed(() => contributions.explain(x));
  const each = [...result.attributions.data];
  show(each, result);
  rows.draw(each, fresh);
  byId("time").textContent = milliseconds(took);
  if (first === undefined) byId("first").textContent = `${milliseconds((first = took))}, building kernels`;
  freshPairs ||= fresh;
  // A slider goes on: pairs wait until it rests.
  if (wanted) return;
  const [ofPairs, more] = await timed(() => interactions.explain(x));
  pairs.draw(ofPairs, freshPairs);
  freshPairs = false;
  byId("more").textContent = milliseconds(more);
}

async function timed<T>(work: () => Promise<T>): Promise<[result: T, milliseconds: number]> {
  const started = performance.now();
  return [await work(), performance.now() - started];
}

function show(each: readonly number[], { scores, delta }: Pick<Attribution, "scores" | "delta">): void {
  const [baseline, logit, missed] = [scores.baseline, scores.input, delta].map(({ data }) => data[0]!) as Triple;
  const sum = each.reduce((total, c) => total + c, 0);
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
  const explanations = json<JoinedExplanations>(kernelsFor(device));
  const files = splitExplanations<"contributions" | "pairs">(explanations, bytes.buffer);
  contributions = loadAttributions(device, files.contributions.explanation, files.contributions.weights);
  interactions = loadHessians(device, files.pairs.explanation, files.pairs.weights);
  byId("another").onclick = loadNext;
  byId("mean").onclick = () => load(means, "The mean of the training rows, where paths start.");
  byId("reset").onclick = () => load(row.loaded, row.text);
  byId("live").hidden = false;
  loadNext();
}

await start().catch(fail);
