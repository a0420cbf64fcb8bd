// npm run example:tabular -- --help
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { ArgumentError } from "../src/tensor/errors.ts";
import { breastCancer } from "./lib/breast-cancer.ts";
import {
  nameList,
  positiveNumber,
  runExample,
  wholeNumber,
  writeFiles,
  type Given,
  type Tools,
} from "./lib/command.ts";
import { parseCsv } from "./lib/csv.ts";
import { datasetOf, type Dataset } from "./lib/dataset.ts";
import { BASELINES, tabularStudy, type BaselineName, type StudySettings } from "./lib/tabular-study.ts";
import { summaryText, tabularFiles, type Run } from "./lib/tabular-report.ts";

const USAGE = `Which features act together? Trains a network on a table and explains it with Integrated Hessians.

  npm run example:tabular -- [--data FILE.csv --label NAME] [options]

Without --data: Wisconsin diagnostic breast cancer, out of Debian's package python3-sklearn (apt-get downloads it once).

  --data FILE          a table of your own with a line of column names: commas, semicolons or tabs. Missing values
                       (empty, ?, NA, NaN, null) become the median of their column, text becomes zeros and ones
  --label NAME         the column to predict
  --positive VALUE     its value that counts as positive (default: the last of two in order)
  --categories A,B,... columns of numbers that are names of categories
  --drop A,B,...       columns to leave out

  --rows N             held-out rows to explain (default 80)
  --baseline NAME      where paths start: ${BASELINES.join(", ")} (default mean)
  --references N       training rows for the baseline references (default 20)
  --beta B             sharpness of the softplus that replaces ReLU (default 10)
  --nodes N            quadrature nodes (default 64)
  --steps N            training steps (default: what is best on a fifth of the training rows)
  --seed N             of the split, the weights and the order of the rows (default 0)
  --out FOLDER         where the files go (default out/tabular)
  --help               this text

The downloaded table is kept in the cache folder of the user ($XDG_CACHE_HOME/aumann).`;

const STEPS = [25, 50, 100, 200, 400, 800];

interface Source {
  readonly file: string;
  readonly label: string;
  readonly positive?: string;
  readonly categories: readonly string[];
  readonly drop: readonly string[];
}

interface Settings {
  /** Undefined: the default data set. */
  readonly source: Source | undefined;
  readonly out: string;
  readonly study: StudySettings;
}

function settings(given: Given): Settings {
  const out = String(given["out"] ?? "out/tabular");
  if (out === "") throw new ArgumentError("--out is empty");
  return {
    source: sourceOf(given),
    out,
    study: {
      hidden: [32, 16],
      held: 0.25,
      seed: wholeNumber(given, "seed", 0, 0, 2 ** 31),
      steps: given["steps"] === undefined ? STEPS : [wholeNumber(given, "steps", 0, 1, 100_000)],
      batch: 64,
      network: { learningRate: 0.01, weightDecay: 0.1 },
      logistic: { learningRate: 0.05, weightDecay: 0 },
      beta: positiveNumber(given, "beta", 10),
      nodes: wholeNumber(given, "nodes", 64, 1, 512),
      explained: wholeNumber(given, "rows", 80, 2, 10_000),
      baseline: baselineName(given),
      references: wholeNumber(given, "references", 20, 1, 1000),
    },
  };
}

function sourceOf(given: Given): Source | undefined {
  const [file, label, positive] = ["data", "label", "positive"].map((name) => given[name] as string | undefined);
  if (file === undefined) {
    const useless = ["label", "positive", "categories", "drop"].find((name) => given[name] !== undefined);
    if (useless !== undefined) throw new ArgumentError(`--${useless} needs --data`);
    return undefined;
  }
  if (label === undefined) throw new ArgumentError("--data needs --label, the name of the column to predict");
  const [categories = [], drop = []] = [nameList(given, "categories"), nameList(given, "drop")];
  return { file, label, categories, drop, ...(positive !== undefined && { positive }) };
}

function baselineName(given: Given): BaselineName {
  const name = given["baseline"] ?? (given["references"] === undefined ? "mean" : "references");
  const found = BASELINES.find((baseline) => baseline === name);
  if (found === undefined) throw new ArgumentError(`--baseline: expected ${BASELINES.join(", ")}, got "${name}"`);
  return found;
}

async function load(source: Source | undefined, { progress, signal }: Tools): Promise<Dataset> {
  if (source === undefined) return breastCancer({ note: progress.note, signal });
  const { file, ...columns } = source;
  const name = basename(file);
  return datasetOf(parseCsv(await readTable(file), name), { name, source: `the table ${name}`, ...columns });
}

async function readTable(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : String(code);
    throw new ArgumentError(`--data ${file}: ${reason}`, { cause });
  }
}

async function run({ source, out, study: common }: Settings, tools: Tools): Promise<void> {
  const { device, progress, signal } = tools;
  const started = performance.now();
  const data = await load(source, tools);
  const study = await tabularStudy(data, common, { device, signal, onProgress: progress.update });
  const done: Run = { study, adapter: device.info.description, seconds: (performance.now() - started) / 1000 };
  const [page, ...others] = await writeFiles(out, await tabularFiles(done));
  progress.finish();
  console.log(
    `${summaryText(done)}\n\n${page} shows everything; beside it are ${others.map((f) => basename(f)).join(", ")}`,
  );
}

await runExample({
  name: "example:tabular",
  usage: USAGE,
  options: {
    data: { type: "string" },
    label: { type: "string" },
    positive: { type: "string" },
    categories: { type: "string" },
    drop: { type: "string" },
    rows: { type: "string" },
    baseline: { type: "string" },
    references: { type: "string" },
    beta: { type: "string" },
    nodes: { type: "string" },
    steps: { type: "string" },
    seed: { type: "string" },
    out: { type: "string" },
  },
  settings,
  run,
});
