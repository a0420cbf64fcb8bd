// npm run example:gridworld -- --help
import { ArgumentError } from "../src/tensor/errors.ts";
import { runExample, wholeNumber, writeStudy, type Given, type Tools } from "./lib/command.ts";
import { gridworldReport, resultJson, summaryText, type Study } from "./lib/gridworld-report.ts";
import { GAMES, play, type Outcome, type StudySettings } from "./lib/gridworld-study.ts";

const USAGE = `Do gradient methods agree with Shapley values? Grid worlds small enough to enumerate all coalitions.

  npm run example:gridworld -- [options]

The cells of a 3 x 4 grid are players. Two values of a grid are formulas, one is learnt by a network. Exact Shapley values
are compared with Shapley Integrated Gradients, Integrated Gradients from zero and from the mean, expected gradients, and
sampled Shapley values, for growing numbers of baselines.

  --seeds N       repetitions with other grids, draws and networks (default 3)
  --situations N  grids that are explained, per seed (default 8)
  --steps N       nodes of every path (default 16)
  --quick         one seed, 6 situations, shorter training
  --out FOLDER    where the files go (default out/gridworld)
  --help          this text`;

interface Settings {
  readonly out: string;
  readonly study: StudySettings;
}

function settings(given: Given): Settings {
  const quick = given["quick"] === true;
  const out = String(given["out"] ?? "out/gridworld");
  if (out === "") throw new ArgumentError("--out is empty");
  return {
    out,
    study: {
      seeds: wholeNumber(given, "seeds", quick ? 1 : 3, 1, 100),
      situations: wholeNumber(given, "situations", quick ? 6 : 8, 1, 100),
      steps: wholeNumber(given, "steps", quick ? 12 : 16, 1, 1000),
      perSize: quick ? [1, 4, 12] : [1, 2, 4, 12],
      training: quick ? { grids: 2000, steps: 300, batch: 64 } : { grids: 4000, steps: 600, batch: 128 },
    },
  };
}

async function run({ out, study: common }: Settings, { device, progress, signal }: Tools): Promise<void> {
  const started = performance.now();
  const runs = GAMES.flatMap((game) => Array.from({ length: common.seeds }, (_, seed) => ({ game, seed })));
  const outcomes: Outcome[] = [];
  for (const { game, seed } of runs) {
    progress.update("games and seeds", outcomes.length, runs.length);
    outcomes.push(await play(game, seed, common, { device, signal }));
  }
  progress.finish();
  const study: Study = {
    settings: common,
    outcomes,
    adapter: device.info.description,
    seconds: (performance.now() - started) / 1000,
  };
  await writeStudy(
    out,
    { report: await gridworldReport(study), numbers: resultJson(study), summary: summaryText(study) },
    progress,
  );
}

await runExample({
  name: "example:gridworld",
  usage: USAGE,
  options: {
    seeds: { type: "string" },
    situations: { type: "string" },
    steps: { type: "string" },
    quick: { type: "boolean" },
    out: { type: "string" },
  },
  settings,
  run,
});
