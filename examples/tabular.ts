// npm run example:tabular -- --help
import { basename } from "node:path";
import { ArgumentError } from "../src/tensor/errors.ts";
import { positiveNumber, runExample, wholeNumber, writeFiles, type Given, type Tools } from "./lib/command.ts";
import { loadTable, SOURCE_OPTIONS, SOURCE_USAGE, sourceOf, type Source } from "./lib/table-source.ts";
import { BASELINES, tabularStudy, type BaselineName, type StudySettings } from "./lib/tabular-study.ts";
import { summaryText, tabularFiles, type Run } from "./lib/tabular-report.ts";

const USAGE = `Which features act together? Trains a network on a table and explains it with Integrated Hessians.

  npm run example:tabular -- [--data FILE.csv --label NAME] [options]

${SOURCE_USAGE}

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

function baselineName(given: Given): BaselineName {
  const name = given["baseline"] ?? (given["references"] === undefined ? "mean" : "references");
  const found = BASELINES.find((baseline) => baseline === name);
  if (found === undefined) throw new ArgumentError(`--baseline: expected ${BASELINES.join(", ")}, got "${name}"`);
  return found;
}

async function run({ source, out, study: common }: Settings, tools: Tools): Promise<void> {
  const { device, progress, signal } = tools;
  const started = performance.now();
  const data = await loadTable(source, tools);
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
    ...SOURCE_OPTIONS,
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
