// npm run example:molecules -- --help
import { ArgumentError } from "../src/tensor/errors.ts";
import { runExample, wholeNumber, writeStudy, type Given, type Tools } from "./lib/command.ts";
import { integraseCompounds } from "./lib/molecules-data.ts";
import { moleculeReport, resultJson, summaryText, type Run } from "./lib/molecules-report.ts";
import { moleculeStudy, type MoleculeSettings } from "./lib/molecules-study.ts";

const USAGE = `Which atoms make a molecule active? Trains a graph network and explains it with Integrated Gradients.

  npm run example:molecules -- [options]

The data: 1,000 molecules that do or do not inhibit HIV integrase, out of the npm package @datagrok/chem (downloaded once, 42 MB).

  --steps N         training steps (default 1500: five to twenty minutes on two cores with a software adapter)
  --atoms N         features of an atom inside the network (default 16)
  --pairs N         features of a pair (default 6)
  --molecules N     held-out molecules that are explained (default 48)
  --examples N      of these, molecules that are drawn (default 4)
  --nodes N         nodes of the attributions (default 128)
  --seed N          of the split, the weights and the order of the molecules (default 0)
  --retrain         train even if there are weights for these settings in the cache
  --quick           40 steps and 8 molecules: about a minute, and a poor model
  --out FOLDER      where the files go (default out/molecules)
  --help            this text

Table and weights are kept in the cache folder of the user ($XDG_CACHE_HOME/aumann).`;

interface Settings {
  readonly out: string;
  readonly study: MoleculeSettings;
}

function settings(given: Given): Settings {
  const quick = given["quick"] === true;
  const out = String(given["out"] ?? "out/molecules");
  if (out === "") throw new ArgumentError("--out is empty");
  return {
    out,
    study: {
      training: {
        layers: 2,
        atoms: wholeNumber(given, "atoms", 16, 1, 256),
        pairs: wholeNumber(given, "pairs", 6, 1, 256),
        steps: wholeNumber(given, "steps", quick ? 40 : 1500, 1, 1_000_000),
        learningRate: 0.01,
        weightDecay: 0.01,
        seed: wholeNumber(given, "seed", 0, 0, 2 ** 31),
      },
      molecules: wholeNumber(given, "molecules", quick ? 8 : 48, 2, 250),
      examples: wholeNumber(given, "examples", 4, 1, 12),
      nodes: wholeNumber(given, "nodes", quick ? 32 : 128, 1, 4096),
      retrain: given["retrain"] === true,
    },
  };
}

async function run({ out, study: chosen }: Settings, { device, progress, signal }: Tools): Promise<void> {
  const started = performance.now();
  const table = await integraseCompounds({ note: progress.note, signal });
  table.failures.forEach(({ message }) => progress.note(message));
  const study = await moleculeStudy(table, chosen, {
    device,
    signal,
    note: progress.note,
    onProgress: progress.update,
  });
  const done: Run = { study, adapter: device.info.description, seconds: (performance.now() - started) / 1000 };
  await writeStudy(
    out,
    { report: await moleculeReport(done), numbers: resultJson(done), summary: summaryText(done) },
    progress,
  );
}

await runExample({
  name: "example:molecules",
  usage: USAGE,
  options: {
    steps: { type: "string" },
    atoms: { type: "string" },
    pairs: { type: "string" },
    molecules: { type: "string" },
    examples: { type: "string" },
    nodes: { type: "string" },
    seed: { type: "string" },
    retrain: { type: "boolean" },
    quick: { type: "boolean" },
    out: { type: "string" },
  },
  settings,
  run,
});
