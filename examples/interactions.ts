// npm run example:interactions -- --help
import { ArgumentError } from "../src/tensor/errors.ts";
import {
  nameList,
  positiveNumber,
  runExample,
  wholeNumber,
  writeStudy,
  type Given,
  type Tools,
} from "./lib/command.ts";
import { experiment, type ExperimentSettings, type Outcome } from "./lib/removal.ts";
import { interactionsReport, resultJson, summaryText, type Study } from "./lib/removal-report.ts";
import { TARGET_NAMES, type TargetName } from "./lib/simulate.ts";

const USAGE = `Do interactions found by Integrated Hessians matter? Remove them from the data, train again, and look.

  npm run example:interactions -- [options]

Targets are sums of a function over 20 random pairs of 10 features. A network learns one; each method ranks the pairs of
every row; the strongest are made unlearnable; a new network shows how much can still be learnt. Less is better.

  --targets A,B,...  ${TARGET_NAMES.join(", ")} (default: all)
  --seeds N          repetitions with other data, pairs and weights (default 5)
  --beta B           sharpness of the softplus that replaces ReLU when the network is explained (default 10)
  --nodes N          quadrature nodes of Integrated Hessians (default 8)
  --quick            multiply and cossum with 2 seeds: about a minute instead of several
  --out FOLDER       where the files go (default out/interactions)
  --help             this text`;

interface Settings {
  readonly targets: readonly TargetName[];
  readonly seeds: number;
  readonly out: string;
  readonly experiment: ExperimentSettings;
}

function settings(given: Given): Settings {
  const quick = given["quick"] === true;
  const out = String(given["out"] ?? "out/interactions");
  if (out === "") throw new ArgumentError("--out is empty");
  return {
    targets: nameList(given, "targets")?.map(targetName) ?? (quick ? ["multiply", "cossum"] : TARGET_NAMES),
    seeds: wholeNumber(given, "seeds", quick ? 2 : 5, 1, 100),
    out,
    experiment: {
      features: 10,
      pairs: 20,
      trainRows: 2000,
      testRows: 500,
      hidden: [64, 64, 64],
      steps: 250,
      batch: 64,
      learningRate: 0.01,
      beta: positiveNumber(given, "beta", 10),
      nodes: wholeNumber(given, "nodes", 8, 1, 512),
      levels: [1, 3, 6, 10, 20],
    },
  };
}

function targetName(name: string): TargetName {
  const found = TARGET_NAMES.find((target) => target === name);
  if (found === undefined) throw new ArgumentError(`--targets: expected ${TARGET_NAMES.join(", ")}, got "${name}"`);
  return found;
}

async function run({ targets, seeds, out, experiment: common }: Settings, tools: Tools): Promise<void> {
  const { device, progress, signal } = tools;
  const started = performance.now();
  const runs = targets.flatMap((target) => Array.from({ length: seeds }, (_, seed) => ({ target, seed })));
  const outcomes: Outcome[] = [];
  for (const { target, seed } of runs) {
    progress.update("targets and seeds", outcomes.length, runs.length);
    outcomes.push(await experiment(target, seed, common, { device, signal }));
  }
  progress.finish();
  const study: Study = {
    targets,
    seeds,
    settings: common,
    outcomes,
    adapter: device.info.description,
    seconds: (performance.now() - started) / 1000,
  };
  await writeStudy(
    out,
    { report: await interactionsReport(study), numbers: resultJson(study), summary: summaryText(study) },
    progress,
  );
}

await runExample({
  name: "example:interactions",
  usage: USAGE,
  options: {
    targets: { type: "string" },
    seeds: { type: "string" },
    beta: { type: "string" },
    nodes: { type: "string" },
    quick: { type: "boolean" },
    out: { type: "string" },
  },
  settings,
  run,
});
